//! The plugins of a service on a host: what they do to the simulated server, and every way in which a call goes wrong.
//!
//! Invariant: as the runtime does, a change under a lower term than the fence is refused; that no such change is even
//! tried while the machine acts on a higher term is a rule (`rules.rs`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use understudy_protocol::{
    Disposition, Fault, FaultKind, HostName, Outcome, PluginRefusal, RequestState, ServerState, ServiceName, Severity,
    Term, Verdict,
};
use understudy_runtime::{
    Assessment, BreakerState, CallContext, CallFailure, DispositionPagesSink, Expectation, Manner, PluginError, Report,
    RequestPages, RequestPagesSink, SavedState, Status, Step,
};

use super::server::{Server, Trouble};
use super::world::World;
use crate::edges::{Drainer, Named, Prober};

#[derive(Clone)]
pub(super) struct SimulatedPlugin {
    pub(super) world: Arc<World>,
    pub(super) who: HostName,
    pub(super) life: u64,
    pub(super) service: ServiceName,
    pub(super) fence: Arc<AtomicU64>,
}

impl SimulatedPlugin {
    /// Waits as long as the call takes; the trouble that it meets, and whether it comes only after the change.
    async fn enter(&self, call: &CallContext, what: &'static str, length: (u64, u64)) -> Result<bool, CallFailure> {
        let (length, trouble) = self.world.aside(|state| {
            let length = state.dice.mostly(length, (length.1, length.1 * 10 + 100), 12);
            let trouble = state.server(&self.who, &self.service).trouble.get(what).copied();
            if let Some(trouble) = trouble {
                state.count("calls of a plugin that went wrong");
                state.say(
                    self.who.as_str(),
                    format_args!("{} plugin: {what}: {trouble:?}", self.service),
                );
            }
            (length, trouble)
        });
        let timed_out = CallFailure::TimedOut {
            allowed: call.remaining,
            waiting_for: None,
        };
        if length > call.remaining || trouble == Some(Trouble::Hangs) {
            self.world.pass(&self.who, self.life, call.remaining).await;
            return Err(timed_out);
        }
        self.world.pass(&self.who, self.life, length).await;
        let error = |retryable| {
            CallFailure::Plugin(PluginError {
                code: "simulated".to_owned(),
                message: "it could not".to_owned(),
                retryable,
                attributes: Vec::new(),
            })
        };
        match trouble {
            Some(Trouble::Traps) => Err(trapped()),
            Some(Trouble::Passing) => Err(error(true)),
            Some(Trouble::Final) => Err(error(false)),
            Some(Trouble::TrapsAfterwards) => Ok(true),
            None | Some(Trouble::Hangs | Trouble::NeverDone) => Ok(false),
        }
    }

    async fn change(
        &self,
        call: CallContext,
        what: &'static str,
        length: (u64, u64),
        change: impl FnOnce(&mut Server) -> Status + Send,
    ) -> Result<Step, CallFailure> {
        let afterwards = self.enter(&call, what, length).await?;
        let fenced = call.term.0 < self.fence.load(Ordering::SeqCst);
        let never_done = |server: &Server| server.trouble.get(what) == Some(&Trouble::NeverDone);
        let status = self.world.step(|state| {
            if fenced {
                state.count("changes that the fence refused");
                return None;
            }
            state.changing(&self.who, &self.service, what, call.term);
            let server = state.server(&self.who, &self.service);
            let status = if never_done(server) {
                working(None)
            } else {
                change(server)
            };
            server.changed_under = server.changed_under.max(call.term);
            let now = server.state;
            let done = status == Status::Done;
            state.say(
                self.who.as_str(),
                format_args!(
                    "{} server: {what} under {}: {now:?}, done {done}",
                    self.service, call.term
                ),
            );
            Some(status)
        });
        let Some(status) = status else {
            return Err(CallFailure::Plugin(PluginError {
                code: "fenced".to_owned(),
                message: format!("term {} is history", call.term),
                retryable: false,
                attributes: Vec::new(),
            }));
        };
        if afterwards {
            return Err(trapped());
        }
        let keep = self.world.throw(|dice| dice.one_in(5));
        let state = keep.then(|| SavedState {
            format: 1,
            data: vec![7],
        });
        Ok(Step { status, state })
    }
}

fn trapped() -> CallFailure {
    CallFailure::Trapped {
        message: "simulated".to_owned(),
        backtrace: Vec::new(),
        stderr: String::new(),
    }
}

fn working(remaining: Option<u64>) -> Status {
    Status::Working {
        remaining,
        blocker: None,
        retry_in: Duration::from_millis(150),
    }
}

#[async_trait]
impl Drainer for SimulatedPlugin {
    fn name(&self) -> &str {
        "simulated"
    }

    async fn assess(&self, call: CallContext, _: &Fault) -> Result<Assessment, CallFailure> {
        self.enter(&call, "assess", (5, 200)).await?;
        let refuses = self.world.step(|state| {
            let trouble = &state.server(&self.who, &self.service).trouble;
            trouble.contains_key("assess")
        });
        Ok(if refuses {
            let refusal = PluginRefusal {
                code: "lag".to_owned(),
                message: "far behind".to_owned(),
                would_accept_if: None,
                hard: false,
            };
            Assessment::Cannot {
                refusal,
                attributes: Vec::new(),
            }
        } else {
            Assessment::Can
        })
    }

    async fn observe(&self, call: CallContext) -> Result<ServerState, CallFailure> {
        self.enter(&call, "observe", (1, 20)).await?;
        Ok(self.world.aside(|state| state.server(&self.who, &self.service).state))
    }

    async fn list_requests(&self, call: CallContext, sink: RequestPagesSink) -> Result<(), CallFailure> {
        let afterwards = self.enter(&call, "list-requests", (1, 30)).await?;
        let listed = self.world.step(|state| state.server(&self.who, &self.service).list());
        for page in listed.chunks(3) {
            // Nobody may be waiting for it any more.
            let _ = sink.send(page.to_vec()).await;
        }
        if afterwards { Err(trapped()) } else { Ok(()) }
    }

    async fn stop_admitting(&self, call: CallContext) -> Result<Step, CallFailure> {
        let change = |server: &mut Server| {
            server.admits = false;
            Status::Done
        };
        self.change(call, "stop-admitting", (5, 100), change).await
    }

    async fn settle(&self, call: CallContext) -> Result<Step, CallFailure> {
        let change = |server: &mut Server| match server.in_progress.len() as u64 {
            0 => Status::Done,
            left => working(Some(left)),
        };
        self.change(call, "settle", (5, 100), change).await
    }

    async fn shut_down(&self, call: CallContext, manner: Manner) -> Result<Step, CallFailure> {
        let length = if manner == Manner::Forced { (10, 300) } else { (50, 900) };
        let change = |server: &mut Server| {
            server.stop(true);
            Status::Done
        };
        self.change(call, "shut-down", length, change).await
    }

    async fn resume(&self, call: CallContext) -> Result<Step, CallFailure> {
        let change = |server: &mut Server| {
            if server.state == ServerState::Stopped {
                server.serve();
            }
            server.admits = true;
            Status::Done
        };
        self.change(call, "resume", (5, 200), change).await
    }

    async fn take_over(&self, call: CallContext) -> Result<Step, CallFailure> {
        let change = |server: &mut Server| {
            if server.state != ServerState::Serving || server.by_hand || !server.admits {
                server.serve();
            }
            Status::Done
        };
        self.change(call, "take-over", (30, 1_500), change).await
    }

    async fn stand_by(&self, call: CallContext) -> Result<Step, CallFailure> {
        let change = |server: &mut Server| {
            if server.state == ServerState::Serving {
                server.stop(false);
            }
            server.state = ServerState::StandingBy;
            server.by_hand = false;
            Status::Done
        };
        self.change(call, "stand-by", (30, 1_500), change).await
    }

    async fn resolve_requests(
        &self,
        call: CallContext,
        mut requests: RequestPages,
        sink: DispositionPagesSink,
    ) -> Result<Step, CallFailure> {
        let afterwards = self.enter(&call, "resolve-requests", (10, 300)).await?;
        while let Some(page) = requests.pages.recv().await {
            let said = page
                .iter()
                .filter(|_| !self.world.throw(|dice| dice.one_in(10)))
                .map(|request| Disposition {
                    id: request.id.clone(),
                    outcome: if request.state == RequestState::Completed {
                        Outcome::Completed
                    } else {
                        Outcome::ClientRetries
                    },
                    message: String::new(),
                });
            let _ = sink.send(said.collect()).await;
        }
        if afterwards {
            return Err(trapped());
        }
        Ok(Step {
            status: Status::Done,
            state: None,
        })
    }
}

#[async_trait]
impl Prober for SimulatedPlugin {
    fn named(&self) -> Named {
        Named {
            name: "simulated".to_owned(),
            version: "1".to_owned(),
            digest: String::new(),
        }
    }

    fn breaker(&self, _: &ServiceName) -> BreakerState {
        BreakerState::default()
    }

    async fn check(&self, call: CallContext) -> Result<Report, CallFailure> {
        self.enter(&call, "check", (1, 60)).await?;
        let (health, runs) = self.world.aside(|state| {
            let server = state.server(&self.who, &self.service);
            (server.health.clone(), server.state == ServerState::Serving)
        });
        let down = call.expected == Expectation::Serving && !runs;
        let fault = |code: &str, severity, shutdown_within: Option<u64>| Fault {
            code: code.to_owned(),
            kind: FaultKind::Software,
            severity,
            message: String::new(),
            shutdown_within: shutdown_within.map(Duration::from_millis),
            evidence: Vec::new(),
        };
        let severity = if health.shutdown_required {
            Severity::ShutdownRequired
        } else {
            Severity::Impaired
        };
        let (verdict, faults) = match health.verdict {
            _ if down => (Verdict::Failing, vec![fault("down", Severity::ShutdownRequired, None)]),
            Verdict::Healthy | Verdict::Unknown => (health.verdict, Vec::new()),
            sick => (sick, vec![fault("disk", severity, health.shutdown_within_ms)]),
        };
        Ok(Report {
            verdict,
            faults,
            readings: Vec::new(),
            state: None,
        })
    }
}

impl super::world::State {
    /// A change reaches the server: it must be under the term that the machine acts on, if that holds one.
    fn changing(&mut self, who: &HostName, service: &ServiceName, what: &str, term: Term) {
        let held = self.hosts[who].acted.get(service).and_then(|durable| durable.held);
        if held.is_some_and(|held| term < held) {
            self.broken(format!(
                "{who}: {what} of {service} under {term}, and the term is {held:?}"
            ));
        }
    }
}
