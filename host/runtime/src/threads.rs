//! The threads that guests run on.
//!
//! Each is a scheduler of its own, and a call stays on the one that had the least to do when it began: threads that steal
//! each other's work wake each other up for every answer of a server, which cost more than the guests themselves.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

/// Threads apart from the daemon's.
pub(crate) struct Threads(Vec<Thread>);

struct Thread {
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    /// One holder for each call.
    calls: Arc<()>,
}

impl Threads {
    pub(crate) fn start() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..cores.clamp(2, MOST_THREADS)).map(|_| Thread::start());
        threads.collect::<Result<_, _>>().map(Self)
    }

    /// Runs a call on the guests' threads; it is ended when the answer is dropped. An error: it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let least = self.0.iter().min_by_key(|thread| Arc::strong_count(&thread.calls));
        let Some((runtime, counted)) = least.and_then(|thread| Some((thread.runtime.as_ref()?, thread.calls.clone())))
        else {
            unreachable!("the threads end with their owner")
        };
        let call = async move {
            let _counted = counted;
            call.await
        };
        let mut task = AbortOnDrop(runtime.spawn(call));
        (&mut task.0).await
    }
}

impl Thread {
    fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(MOST_BLOCKING_THREADS)
            .thread_name("plugin")
            // By default I/O is looked at after dozens of polls: guests that spin would starve those that wait.
            .event_interval(1)
            .enable_all()
            .build()?;
        Ok(Self {
            runtime: Some(runtime),
            calls: Arc::default(),
        })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for a thread is not allowed on a daemon's async thread, where this may be dropped.
            runtime.shutdown_background();
        }
    }
}

/// A task that ends with its owner.
pub(crate) struct AbortOnDrop<T>(pub(crate) tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Guests mostly wait; more threads than this would only let spinning ones take more.
const MOST_THREADS: usize = 4;
/// Of each thread, for what the kernel answers only to a thread: disks that hang keep theirs.
const MOST_BLOCKING_THREADS: usize = 16;
