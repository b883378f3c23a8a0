//! What goes into a call of a plugin and what comes out, in the host's own types.
//!
//! Invariant: nothing of the generated bindings appears here; `convert.rs` is the only bridge.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use understudy_protocol::{Disposition, Fault, PluginRefusal, RequestStatus, Term, Verdict};

/// What is known at the moment of a call.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The service's term as its caller knows it: stamped on every side effect.
    pub term: Term,
    /// What the host expects of the server now.
    pub expected: Expectation,
    /// 1 on the first try of a step, and one more on each retry.
    pub attempt: u32,
    /// How long the call may take; the limits may allow less.
    pub remaining: Duration,
    /// What the plugin's earlier call asked to keep.
    pub state: Option<SavedState>,
    /// Facts of this call, in kebab-case: `active-host`, `deadline-ms`.
    pub attributes: Vec<(String, String)>,
    /// How the caller says that it no longer wants the answer. Dropping the call's future ends it at once;
    /// this asks first.
    pub cancellation: Cancellation,
}

impl CallContext {
    /// A first attempt with nothing kept.
    pub fn new(term: Term, expected: Expectation, remaining: Duration) -> Self {
        Self {
            term,
            expected,
            attempt: 1,
            remaining,
            state: None,
            attributes: Vec::new(),
            cancellation: Cancellation::default(),
        }
    }
}

/// Asks a running call to come to its end: `clock.cancelled` turns true, sleeps end, and the guest has
/// one second left.
#[derive(Debug, Clone, Default)]
pub struct Cancellation(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    raised: AtomicBool,
    waiters: Notify,
}

impl Cancellation {
    /// Asks; for good.
    pub fn cancel(&self) {
        self.0.raised.store(true, Ordering::SeqCst);
        self.0.waiters.notify_waiters();
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    pub(crate) async fn cancelled(&self) {
        let mut waiter = std::pin::pin!(self.0.waiters.notified());
        waiter.as_mut().enable();
        if !self.is_cancelled() {
            waiter.await;
        }
    }
}

/// What the host expects of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Expectation {
    /// It serves clients.
    Serving,
    /// It is ready to take over.
    StandingBy,
    /// It is ordered to stay down.
    Down,
}

/// What a plugin asked the host to keep for its next call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SavedState {
    /// The plugin's own number of the layout.
    pub format: u32,
    /// At most 64 KiB.
    pub data: Vec<u8>,
}

/// One measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Dotted, for example `memory.available`.
    pub key: String,
    /// Always finite.
    pub value: f64,
    /// SI, or `1` for a ratio or a count.
    pub unit: String,
    /// What it is of, for example `path`.
    pub attributes: Vec<(String, String)>,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its judgement.
    pub verdict: Verdict,
    /// With [`Verdict::Failing`], at least one.
    pub faults: Vec<Fault>,
    /// What was measured.
    pub readings: Vec<Reading>,
    /// For the next call; none forgets the last.
    pub state: Option<SavedState>,
}

/// How far a drain call got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Done, or what is waited for.
    pub status: Status,
    /// For the next call; none forgets the last.
    pub state: Option<SavedState>,
}

/// Whether a step is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Done,
    /// Call again.
    Working {
        /// How many requests (or whatever the blocker names) are left, where known.
        remaining: Option<u64>,
        /// Who or what is waited for.
        blocker: Option<String>,
        /// When to call again.
        retry_in: Duration,
    },
}

/// How a server is shut down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manner {
    /// The last requests may end.
    Graceful,
    /// They are ended.
    Forced,
}

/// Whether this host's server could serve in place of the first's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assessment {
    /// It could.
    Can,
    /// It could not.
    Cannot {
        /// Why.
        refusal: PluginRefusal,
        /// What else the plugin says of it.
        attributes: Vec<(String, String)>,
    },
}

/// The plugin could not do its work; it says nothing about the server's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginError {
    /// Stable, kebab-case.
    pub code: String,
    /// One line for people.
    pub message: String,
    /// Whether trying the same again could help.
    pub retryable: bool,
    /// What else it says.
    pub attributes: Vec<(String, String)>,
}

/// Something a plugin does not accept in its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A JSON pointer, for example `/max-lag`.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
}

/// A compilation, given to a plugin page by page: how many requests, and where they come from. The pages may
/// be of any size; an ended channel is the end.
#[derive(Debug)]
pub struct RequestPages {
    /// How many there are in all.
    pub total: u64,
    /// The pages.
    pub pages: tokio::sync::mpsc::Receiver<Vec<RequestStatus>>,
}

impl RequestPages {
    /// One page with all of them.
    pub fn of(requests: Vec<RequestStatus>) -> Self {
        let total = requests.len() as u64;
        let (sender, pages) = tokio::sync::mpsc::channel(1);
        // The channel is new and holds one: this can't fail.
        let _ = sender.try_send(requests);
        Self { total, pages }
    }
}

/// Where a plugin's listing goes, in pages of at most 4096. A full channel makes the plugin wait, a closed one is an
/// error to it: receive while the call runs.
pub type RequestPagesSink = tokio::sync::mpsc::Sender<Vec<RequestStatus>>;

/// Where a plugin's dispositions go, in pages of at most 4096. A full channel makes the plugin wait, a closed one is
/// an error to it: receive while the call runs.
pub type DispositionPagesSink = tokio::sync::mpsc::Sender<Vec<Disposition>>;
