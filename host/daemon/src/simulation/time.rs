//! Simulated time: it stands still while anybody has something to do, and jumps to the next deadline when nobody has.
//!
//! Invariant: of two deadlines at one time the one that was asked for first wakes first, so that a run depends on
//! nothing but its seed. The runtime has one thread; its park hook is what moves the clock.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

/// Shared by everything in one world.
#[derive(Clone, Default)]
pub(super) struct VirtualTime(Arc<Mutex<Due>>);

#[derive(Default)]
struct Due {
    now_ms: u64,
    asked: u64,
    /// By time, then by the order in which they were asked for.
    wakers: BTreeMap<(u64, u64), Waker>,
}

impl VirtualTime {
    fn lock(&self) -> MutexGuard<'_, Due> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A runtime of one thread whose time this is.
    pub(super) fn runtime(&self) -> Runtime {
        let time = self.clone();
        Builder::new_current_thread()
            .on_thread_park(move || time.jump())
            .build()
            .expect("a runtime of one thread")
    }

    /// Nobody has anything to do: the next deadline has come.
    fn jump(&self) {
        let mut due = self.lock();
        if let Some(((at, _), waker)) = due.wakers.pop_first() {
            due.now_ms = due.now_ms.max(at);
            drop(due);
            waker.wake();
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.lock().now_ms
    }

    pub(super) fn until_ms(&self, at: u64) -> Sleep {
        Sleep {
            time: self.clone(),
            at,
            place: None,
        }
    }

    pub(super) async fn sleep(&self, length: Duration) {
        let at = self.now_ms() + u64::try_from(length.as_millis()).unwrap();
        self.until_ms(at).await;
    }
}

/// Ready at its time. Takes its waker along when it is dropped: the clock may not jump to where nobody waits.
pub(super) struct Sleep {
    time: VirtualTime,
    at: u64,
    place: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let time = self.time.clone();
        let mut due = time.lock();
        if due.now_ms >= self.at {
            return Poll::Ready(());
        }
        let at = self.at;
        let place = *self.place.get_or_insert_with(|| {
            due.asked += 1;
            (at, due.asked)
        });
        due.wakers.insert(place, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.time.lock().wakers.remove(&place);
        }
    }
}
