//! The load's own record: one line a request. It is compared with what the hosts say happened.
//!
//! All times are microseconds since the load was started; [`Recorder::wall_ms`] turns them into wall-clock time, which
//! is what the hosts' journals carry.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::time::Instant;

/// Which service was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// The Redis service.
    Redis,
    /// The web service.
    Web,
}

impl Service {
    /// The service's name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Service::Redis => "redis",
            Service::Web => "web",
        }
    }
}

/// How it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A `SET` of a key of its own.
    Write,
    /// An HTTP request on a new connection.
    Fresh,
    /// An HTTP request on a kept connection.
    Kept,
    /// An HTTP request whose answer takes more than a second.
    Slow,
}

/// What came of it, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "is", content = "because")]
pub enum Outcome {
    /// A whole, correct answer came.
    Answered,
    /// It was refused, answered with an error, or its answer was cut short.
    Failed(String),
    /// It was sent, and the connection ended before the answer: it may have been done or not.
    InDoubt(String),
}

/// One request.
#[derive(Debug, Clone, Serialize)]
pub struct Request {
    /// Unique within its service and load; with Redis, the key's number.
    pub id: u64,
    /// Who was asked.
    pub service: Service,
    /// How.
    pub kind: Kind,
    /// The client's own address, as the service's side sees it; none when no connection came about.
    pub client: Option<SocketAddr>,
    /// The address of the kept connection that was closed under the request, before it was asked again on a new one.
    pub retried_from: Option<SocketAddr>,
    /// When it was to be sent.
    pub due: u64,
    /// When it was sent (the first time).
    pub sent: u64,
    /// When the answer began.
    pub first_byte: Option<u64>,
    /// When the answer was complete, or the client knew that none would come.
    pub end: u64,
    /// What came of it.
    pub outcome: Outcome,
    /// Which host's server answered, where the answer says so.
    pub answered_by: Option<String>,
}

/// The beginning of a phase.
#[derive(Debug, Clone, Serialize)]
pub struct Mark {
    /// The phase's name.
    pub phase: String,
    /// When it began.
    pub at: u64,
}

/// Keeps the record.
#[derive(Debug)]
pub struct Recorder {
    started: Instant,
    started_wall_ms: u64,
    ids: AtomicU64,
    requests: Mutex<Vec<Request>>,
    marks: Mutex<Vec<Mark>>,
    stopped: OnceLock<u64>,
}

impl Recorder {
    /// An empty record whose first phase is called `phase`.
    pub fn new(phase: &str) -> Self {
        Recorder {
            started: Instant::now(),
            started_wall_ms: wall_clock_ms(),
            ids: AtomicU64::new(0),
            requests: Mutex::default(),
            marks: Mutex::new(vec![Mark {
                phase: phase.to_owned(),
                at: 0,
            }]),
            stopped: OnceLock::new(),
        }
    }

    /// Microseconds since the start.
    pub fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// A moment as microseconds since the start.
    pub fn at(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.started).as_micros()).unwrap_or(u64::MAX)
    }

    /// A time of this record as milliseconds since the Unix epoch.
    pub fn wall_ms(&self, at: u64) -> u64 {
        self.started_wall_ms + at / 1000
    }

    /// Milliseconds since the Unix epoch as a time of this record.
    pub fn from_wall_ms(&self, wall_ms: u64) -> u64 {
        wall_ms.saturating_sub(self.started_wall_ms) * 1000
    }

    /// Begins a phase.
    pub fn mark(&self, phase: &str) {
        let mark = Mark {
            phase: phase.to_owned(),
            at: self.now(),
        };
        lock(&self.marks).push(mark);
    }

    /// The phases so far.
    pub fn marks(&self) -> Vec<Mark> {
        lock(&self.marks).clone()
    }

    /// When the clients stopped asking, or now: what comes later are the last answers, with gaps that mean nothing.
    pub fn until(&self) -> u64 {
        self.stopped.get().copied().unwrap_or_else(|| self.now())
    }

    pub(crate) fn stop(&self) {
        self.stopped.get_or_init(|| self.now());
    }

    /// A copy of everything that has ended.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }

    /// The numbers of the writes that were acknowledged: each must be found again.
    pub fn acknowledged_writes(&self) -> Vec<u64> {
        let acknowledged = |r: &&Request| r.kind == Kind::Write && r.outcome == Outcome::Answered;
        lock(&self.requests).iter().filter(acknowledged).map(|r| r.id).collect()
    }

    /// How many requests have ended, by service.
    pub fn ended(&self, service: Service) -> usize {
        lock(&self.requests).iter().filter(|r| r.service == service).count()
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn push(&self, request: Request) {
        lock(&self.requests).push(request);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A client that panicked has not left a half-written request behind: they are pushed whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wall_clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
