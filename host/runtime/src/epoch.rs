//! The clock of the guests' time slices: a thread of its own, so that nothing that runs can hold it up.
//!
//! It ticks only while a guest runs: a daemon probes for a fraction of a second in many, and two hundred wake-ups in each
//! of the others would cost more than the probes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::Engine;

/// Raises the engine's epoch while guests run, until it is dropped.
pub(crate) struct Ticker {
    clock: Arc<Clock>,
    /// None only while it is dropped.
    thread: Option<JoinHandle<()>>,
}

/// The clock ticks as long as this lives.
pub(crate) struct Ticking<'a>(&'a Ticker);

#[derive(Debug, Default)]
struct Clock {
    guests: AtomicUsize,
    stop: AtomicBool,
}

impl Ticker {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        // Weak: the ticker does not keep an engine alive.
        let engine = engine.weak();
        Self::of(move || {
            if let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
            }
        })
    }

    fn of(tick: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let clock = Arc::new(Clock::default());
        let thread = {
            let clock = clock.clone();
            let work = move || clock.run(tick);
            std::thread::Builder::new()
                .name("plugin-epoch".to_owned())
                .spawn(work)?
        };
        Ok(Self {
            clock,
            thread: Some(thread),
        })
    }

    /// A guest runs, until the answer is dropped.
    pub(crate) fn tick(&self) -> Ticking<'_> {
        if self.clock.guests.fetch_add(1, Ordering::SeqCst) == 0 {
            self.wake();
        }
        Ticking(self)
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Clock {
    fn run(&self, tick: impl Fn()) {
        while !self.stop.load(Ordering::SeqCst) {
            if self.guests.load(Ordering::SeqCst) == 0 {
                // Returns at once if somebody woke us since we looked.
                std::thread::park();
                continue;
            }
            std::thread::sleep(TICK);
            tick();
        }
    }
}

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.clock.guests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.clock.stop.store(true, Ordering::SeqCst);
        self.wake();
        if let Some(thread) = self.thread.take() {
            // It ends within a tick and can't panic.
            let _ = thread.join();
        }
    }
}

/// A guest that computes gives way to the others this often. Shorter slices cost switches, longer ones make honest
/// guests wait for spinning ones.
const TICK: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ticks_while_a_guest_runs_and_only_then() {
        let count = Arc::new(AtomicUsize::new(0));
        let ticker = {
            let count = count.clone();
            Ticker::of(move || {
                count.fetch_add(1, Ordering::SeqCst);
            })
            .unwrap()
        };
        let seen = || count.load(Ordering::SeqCst);
        std::thread::sleep(20 * TICK);
        assert_eq!(seen(), 0, "nobody runs");
        for _again in 0..2 {
            let before = seen();
            let (first, second) = (ticker.tick(), ticker.tick());
            drop(first);
            while seen() < before + 3 {
                std::thread::sleep(TICK);
            }
            drop(second);
            let after = seen();
            std::thread::sleep(20 * TICK);
            assert!(seen() <= after + 1, "one tick was under way, and no more follow");
        }
        drop(ticker);
    }
}
