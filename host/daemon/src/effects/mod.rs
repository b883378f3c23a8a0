//! Carries out what a machine wants done for one service, and reports back as input.
//!
//! ```text
//!  driver ── begin(work) ──► lanes.rs ── one after the other: what changes the server or the address
//!                               │      └ beside it: looking, assessing, diagnosing, resolving
//!                               ▼
//!                            perform.rs ──► drain plugin, address, store, peers ──► Input::Service(Finished)
//!  driver ── keep_page ─────► ledger.rs (the peer's compilation, in the order in which it arrived)
//! ```
//!
//! Invariants: every piece of work is answered by exactly one `Finished`, unless it was abandoned; work that changes
//! the server never runs twice at once; a changing plugin call carries a term, and the runtime refuses it once the
//! fence is higher. This module decides nothing: which work, and when, is the machine's.

mod compile;
mod context;
mod lanes;
mod ledger;
mod mark;
mod overlap;
mod perform;
mod reboot;
mod steps;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;
use understudy_protocol::{CompilationSeal, HostName, RequestStatus, RoleName, RoundId, ServiceView, Step, Term, Work};
use understudy_runtime::Expectation;

use context::saved_state;
pub(crate) use context::{Context, Parts, lock};
pub(crate) use mark::ServingMark;
pub(crate) use perform::assess;
pub(crate) use reboot::RebootCommand;

/// Pages of a peer's compilation that wait to be written: enough to keep the disk busy, few enough to push back.
const PAGES_WAITING: usize = 64;

/// What the probes and the plugins must know of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stance {
    /// What is expected of the server; none while it is being changed, when a probe's answer would mean nothing.
    pub(crate) expected: Option<Expectation>,
    /// The term in force.
    pub(crate) term: Term,
    /// Who serves.
    pub(crate) active: Option<HostName>,
}

/// The driver's handle to one service's effects; they end with it.
pub(crate) struct Effector {
    lanes: mpsc::UnboundedSender<lanes::Command>,
    ledger: mpsc::Sender<ledger::Job>,
    stance: watch::Sender<Stance>,
    context: Arc<Context>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

impl Effector {
    /// Starts the tasks that carry out this service's work.
    pub(crate) async fn start(parts: Parts) -> Effector {
        let saved = saved_state(&parts).await;
        let (stance, following) = watch::channel(Stance {
            expected: None,
            term: Term::NONE,
            active: None,
        });
        let context = Arc::new(Context::new(parts, saved, following));
        let (lanes, commands) = mpsc::unbounded_channel();
        let (ledger, jobs) = mpsc::channel(PAGES_WAITING);
        let mut tasks = vec![
            AbortOnDropHandle::new(tokio::spawn(lanes::run(context.clone(), commands))),
            AbortOnDropHandle::new(tokio::spawn(ledger::run(context.clone(), jobs))),
        ];
        tasks.extend(crate::probes::start(&context));
        Effector {
            lanes,
            ledger,
            stance,
            context,
            _tasks: tasks,
        }
    }

    /// Begins a piece of work; one that is under way already goes on.
    pub(crate) fn begin(&self, work: Work) {
        if let Work::StoreCompilation { round, seal, from } = work {
            self.seal_received(round, seal, from);
        } else {
            // The lanes end only with the daemon.
            let _ = self.lanes.send(lanes::Command::Begin(work));
        }
    }

    /// Ends whatever changes the server, without an answer.
    pub(crate) fn abandon(&self) {
        let _ = self.lanes.send(lanes::Command::Abandon);
    }

    /// From now on, calls of a lower term change nothing.
    pub(crate) fn fence(&self, term: Term) {
        self.context.raise_fence(term);
    }

    /// Tells probes and plugins what the machine is now.
    pub(crate) fn follow(&self, view: &ServiceView) {
        let stance = Stance {
            expected: expectation(view),
            term: view.held.unwrap_or(view.known),
            active: view.active.clone(),
        };
        self.stance.send_if_modified(|old| {
            let changed = *old != stance;
            *old = stance;
            changed
        });
    }

    /// Keeps a page of the first's compilation; waits while the disk is behind.
    pub(crate) async fn keep_page(&self, first: HostName, round: RoundId, requests: Vec<RequestStatus>) {
        let _ = self.ledger.send(ledger::Job::Page { first, round, requests }).await;
    }

    fn seal_received(&self, round: RoundId, seal: CompilationSeal, from: HostName) {
        let ledger = self.ledger.clone();
        // In order behind the pages that came before it: the queue is first in, first out, and the driver is the
        // only sender of both.
        match ledger.try_send(ledger::Job::Seal { round, seal, from }) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(job)) => drop(tokio::spawn(async move { ledger.send(job).await })),
            Err(mpsc::error::TrySendError::Closed(_)) => {}
        }
    }

    /// What is shown of the service beside the machine's view.
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }
}

/// What a role expects of its server.
fn expectation(view: &ServiceView) -> Option<Expectation> {
    if matches!(view.begun, Some(Step::Arm | Step::WarmUp)) {
        return None;
    }
    match view.role {
        RoleName::Active | RoleName::Asking => Some(Expectation::Serving),
        RoleName::Standby | RoleName::Preparing if view.stay_down.is_some() => Some(Expectation::Down),
        RoleName::Standby | RoleName::Preparing => view.ready.then_some(Expectation::StandingBy),
        RoleName::Parked | RoleName::Released => Some(Expectation::Down),
        RoleName::Fresh
        | RoleName::Unsynced
        | RoleName::Activating
        | RoleName::Draining
        | RoleName::Stopped
        | RoleName::Yielded
        | RoleName::StandingDown
        | RoleName::Forcing => None,
    }
}
