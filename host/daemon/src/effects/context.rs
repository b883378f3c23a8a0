//! What the work of one service needs: its plugins, its address, the store, the peers, and where to report.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use understudy_protocol::{Event, HostName, RequestStatus, RoundId, ServiceName, Severity, Term, Time, Verdict, Work};
use understudy_runtime::{CallContext, Expectation, SavedState};

use super::{RebootCommand, ServingMark, Stance};
use crate::driver::{Clock, Input};
use crate::edges::{Door, Drainer, Links, Prober, Records};
use crate::probes::{ProbeSettings, Seen};

/// What a service is made of.
pub(crate) struct Parts {
    pub(crate) service: ServiceName,
    pub(crate) me: HostName,
    /// The plugin that drains, and what it may use.
    pub(crate) drain: Arc<dyn Drainer>,
    /// The plugins that probe.
    pub(crate) probes: Vec<Arc<dyn Prober>>,
    pub(crate) probe_settings: ProbeSettings,
    pub(crate) address: Arc<dyn Door>,
    pub(crate) reboot: Option<RebootCommand>,
    pub(crate) mark: ServingMark,
    /// Shared with every target of the service.
    pub(crate) fence: Arc<AtomicU64>,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<dyn Records>,
    pub(crate) peers: Arc<dyn Links>,
    pub(crate) inputs: mpsc::Sender<Input>,
}

/// A verdict and, with a fault, what makes it another one.
pub(crate) type Told = (Verdict, Option<(String, Severity)>);

/// The parts, and what is remembered between calls.
pub(crate) struct Context {
    pub(crate) parts: Parts,
    pub(crate) stance: watch::Receiver<Stance>,
    /// How the probes are run; the operator may change it at any time.
    pub(crate) probing: Mutex<ProbeSettings>,
    /// What each probe saw last.
    pub(crate) seen: Mutex<Vec<Seen>>,
    /// The requests listed so far in the drain under way.
    pub(crate) listed: Mutex<Option<(RoundId, BTreeMap<String, RequestStatus>)>>,
    /// The opinion that the driver was told last.
    pub(crate) told: Mutex<Option<Told>>,
    /// Who takes over in the drain under way.
    successor: Mutex<Option<HostName>>,
    /// When the step under way must be over.
    deadline: Mutex<Option<Time>>,
    /// What the drain plugin asked to keep; also in the store, for it may have to outlive the daemon.
    saved: Mutex<Option<SavedState>>,
}

impl Context {
    pub(crate) fn new(parts: Parts, saved: Option<SavedState>, stance: watch::Receiver<Stance>) -> Self {
        let (successor, deadline, saved) = (Mutex::default(), Mutex::default(), Mutex::new(saved));
        let seen = Mutex::new(parts.probes.iter().map(|probe| Seen::nothing(probe.named())).collect());
        let probing = Mutex::new(parts.probe_settings);
        Context {
            parts,
            probing,
            stance,
            seen,
            listed: Mutex::new(None),
            told: Mutex::new(None),
            successor,
            deadline,
            saved,
        }
    }

    /// The probes are run so from their next look on.
    pub(crate) fn probe_with(&self, settings: ProbeSettings) {
        *lock(&self.probing) = settings;
    }

    pub(crate) fn raise_fence(&self, term: Term) {
        self.parts.fence.fetch_max(term.0, Ordering::SeqCst);
    }

    /// The term under which a call that changes something is made: the highest this host knows of.
    pub(crate) fn fencing_term(&self) -> Term {
        Term(self.parts.fence.load(Ordering::SeqCst))
    }

    /// A call's context, with the facts that the machine knows.
    pub(crate) fn call(&self, term: Term, attempt: u32, remaining: Duration) -> CallContext {
        let stance = self.stance.borrow().clone();
        let mut call = CallContext::new(term, stance.expected.unwrap_or(Expectation::Serving), remaining);
        call.attempt = attempt;
        call.state = lock(&self.saved).clone();
        if let Some(active) = stance.active.filter(|host| *host != self.parts.me) {
            call.attributes.push(("active-host".to_owned(), active.to_string()));
        }
        if let Some(successor) = lock(&self.successor).as_ref() {
            call.attributes
                .push(("successor-host".to_owned(), successor.to_string()));
        }
        if let Some(deadline) = *lock(&self.deadline) {
            let left = self.parts.clock.now().until(deadline).as_millis();
            call.attributes.push(("deadline-ms".to_owned(), left.to_string()));
        }
        call
    }

    /// When the step that begins now must be over; none: its calls have no common deadline.
    pub(crate) fn must_end(&self, deadline: Option<Duration>) {
        *lock(&self.deadline) = deadline.map(|left| self.parts.clock.now() + left);
    }

    /// Who takes over from now on; none: nobody does, or this host serves.
    pub(crate) fn succeeded_by(&self, host: Option<&HostName>) {
        *lock(&self.successor) = host.cloned();
    }

    /// Keeps what the drain plugin asked to keep; nothing forgets nothing.
    pub(crate) async fn keep(&self, state: Option<SavedState>) {
        let Some(state) = state else { return };
        if lock(&self.saved).as_ref() == Some(&state) {
            return;
        }
        let name = self.parts.drain.name();
        let stored = self
            .parts
            .store
            .put_plugin_state(&self.parts.service, name, &to_bytes(&state))
            .await;
        if let Err(error) = stored {
            tracing::warn!(service = %self.parts.service, %error, "what the plugin wants kept is not on disk");
        }
        *lock(&self.saved) = Some(state);
    }

    pub(crate) async fn report(&self, event: Event) {
        // The driver ends only with the daemon.
        let _ = self
            .parts
            .inputs
            .send(Input::Service(self.parts.service.clone(), event))
            .await;
    }

    pub(crate) async fn progress(&self, work: &Work, remaining: Option<u64>, blocker: Option<String>) {
        self.report(Event::Progressed {
            work: work.clone(),
            remaining,
            blocker,
        })
        .await;
    }
}

/// A poisoned lock holds plain data that is as good as before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the drain plugin had asked to keep before the daemon was started.
pub(crate) async fn saved_state(parts: &Parts) -> Option<SavedState> {
    let service = &parts.service;
    match parts.store.plugin_state(service, parts.drain.name()).await {
        Ok(bytes) => bytes.as_deref().and_then(from_bytes),
        Err(error) => {
            tracing::warn!(%service, %error, "what the plugin wanted kept can't be read");
            None
        }
    }
}

/// The format's number, then the data.
fn to_bytes(state: &SavedState) -> Vec<u8> {
    let mut bytes = state.format.to_be_bytes().to_vec();
    bytes.extend(&state.data);
    bytes
}

fn from_bytes(bytes: &[u8]) -> Option<SavedState> {
    let (format, data) = bytes.split_first_chunk()?;
    Some(SavedState {
        format: u32::from_be_bytes(*format),
        data: data.to_vec(),
    })
}
