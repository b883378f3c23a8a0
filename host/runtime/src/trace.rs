//! What is known of a running call from outside of its store: kept when the store is dropped in the middle.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use wasmtime_wasi::p2::pipe::MemoryOutputPipe;

/// The trace of one call.
#[derive(Debug)]
pub(crate) struct Trace {
    waiting_for: Mutex<Option<String>>,
    log_lines: AtomicU32,
    log_bytes: AtomicUsize,
    memory_refused: AtomicBool,
    stderr: MemoryOutputPipe,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Self {
            waiting_for: Mutex::new(None),
            log_lines: AtomicU32::new(0),
            log_bytes: AtomicUsize::new(0),
            memory_refused: AtomicBool::new(false),
            stderr: MemoryOutputPipe::new(STDERR_BYTES),
        }
    }

    /// Notes that the guest is in a host call, until the answer is dropped. A call that is still under way at
    /// the deadline stays noted: it is the evidence.
    pub(crate) fn enter(self: &Arc<Self>, call: String, deadline: Instant) -> Entered {
        self.set_waiting(Some(call));
        Entered {
            trace: self.clone(),
            deadline,
        }
    }

    pub(crate) fn waiting_for(&self) -> Option<String> {
        self.waiting_for
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    fn set_waiting(&self, call: Option<String>) {
        *self
            .waiting_for
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = call;
    }

    /// Counts a log line and says how many lines and bytes there are now.
    pub(crate) fn count_log(&self, bytes: usize) -> (u32, usize) {
        let lines = self.log_lines.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let bytes = self.log_bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        (lines, bytes)
    }

    pub(crate) fn logged(&self) -> (u32, usize) {
        (
            self.log_lines.load(Ordering::Relaxed),
            self.log_bytes.load(Ordering::Relaxed),
        )
    }

    pub(crate) fn refuse_memory(&self) {
        self.memory_refused.store(true, Ordering::Relaxed);
    }

    pub(crate) fn memory_was_refused(&self) -> bool {
        self.memory_refused.load(Ordering::Relaxed)
    }

    /// Where the guest's standard error goes: kept up to a bound, then closed.
    pub(crate) fn stderr_pipe(&self) -> MemoryOutputPipe {
        self.stderr.clone()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.contents()).trim().to_owned()
    }
}

/// The guest is in a host call as long as this lives.
pub(crate) struct Entered {
    trace: Arc<Trace>,
    deadline: Instant,
}

impl Drop for Entered {
    fn drop(&mut self) {
        if Instant::now() < self.deadline {
            self.trace.set_waiting(None);
        }
    }
}

/// A panic's message and a line or two around it.
const STDERR_BYTES: usize = 4096;
