//! What people and programs may see of the machine: a plain copy, made after each turn.
//!
//! Invariant: nothing here feeds back into a decision.

use std::time::Duration;

use crate::role::{ActivationStep, DrainStep, OfferStep, Role};
use crate::{
    Cause, Decline, DownPhase, Fault, HostName, Machine, Pause, PauseScope, RoleName, RoundId, ServiceName, StayDown,
    Step, Term, Time, TimerName, Verdict,
};

/// One service as this host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceView {
    /// The service.
    pub service: ServiceName,
    /// This host.
    pub me: HostName,
    /// All candidates, home first.
    pub candidates: Vec<HostName>,
    /// This host's role.
    pub role: RoleName,
    /// Whether this host admits clients now.
    pub serves: bool,
    /// The term it holds.
    pub held: Option<Term>,
    /// The highest term known to be held by anybody.
    pub known: Term,
    /// Who is active, as far as this host knows.
    pub active: Option<HostName>,
    /// What the probes say of the local server.
    pub verdict: Verdict,
    /// The worst fault they found.
    pub fault: Option<Fault>,
    /// The takeover under way, if any.
    pub takeover: Option<TakeoverView>,
    /// The held stay-down order.
    pub stay_down: Option<StayDown>,
    /// Whether the local server is ready to take over.
    pub ready: bool,
    /// What must be undone should the open round come to nothing.
    pub begun: Option<Step>,
    /// Who or what is waited for, one line; none when nothing is.
    pub waiting_for: Option<String>,
    /// The timers that run, with the time left.
    pub timers: Vec<(TimerName, Duration)>,
    /// The other candidates.
    pub peers: Vec<PeerView>,
    /// Standing alerts, in words.
    pub alerts: Vec<String>,
    /// The pauses in force, the widest first.
    pub pauses: Vec<PauseView>,
    /// Why candidates declined when they were last asked.
    pub declined: Vec<DeclineView>,
    /// How often the service moved by itself within the flap guard's window, and how often it may.
    pub moves: (u32, u32),
}

/// A pause in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseView {
    /// What is paused.
    pub scope: PauseScope,
    /// Who, why, since when and for how long.
    pub pause: Pause,
}

/// A candidate that declined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclineView {
    /// Who.
    pub host: HostName,
    /// In which round.
    pub round: RoundId,
    /// Why, and what would change it.
    pub because: Decline,
}

/// A takeover under way, from either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakeoverView {
    /// The holder's round.
    pub round: Option<RoundId>,
    /// Who gives.
    pub first: Option<HostName>,
    /// Who takes.
    pub second: Option<HostName>,
    /// Why.
    pub cause: Option<Cause>,
    /// The step under way, for example `settle`.
    pub step: String,
    /// Requests left, where known.
    pub remaining: Option<u64>,
    /// Who or what blocks.
    pub blocker: Option<String>,
}

/// Another candidate, as this host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Its name.
    pub host: HostName,
    /// Whether a connection to it stands.
    pub connected: bool,
    /// Whether it answered since this daemon started.
    pub heard: bool,
    /// The term it holds, as it last said.
    pub held: Option<Term>,
    /// Whether it is ready to take over, as it last said.
    pub ready: bool,
    /// What it stays down for, as it last said.
    pub down_for: Option<String>,
}

impl Machine {
    /// What may be seen of it at `now`.
    pub fn view(&self, now: Time) -> ServiceView {
        ServiceView {
            service: self.plan.service.clone(),
            me: self.plan.me.clone(),
            candidates: self.plan.candidates.clone(),
            role: self.role.name(),
            serves: self.serves(),
            held: self.durable.held,
            known: self.durable.known,
            active: self.active().map(|(host, _)| host.clone()),
            verdict: self.verdict,
            fault: self.fault.clone(),
            takeover: self.takeover_view(),
            stay_down: self.durable.stay_down.clone(),
            ready: self.ready,
            begun: self.durable.begun.map(|begun| begun.step),
            waiting_for: self.waiting_for(),
            timers: self.timers.iter().map(|(name, at)| (name, now.until(at))).collect(),
            peers: self.peer_views(),
            alerts: self.alerts.values().map(ToString::to_string).collect(),
            pauses: self.pause_views(now),
            declined: self.decline_views(),
            moves: (
                self.durable.pauses.moves_within(self.plan.flap.window, now),
                self.plan.flap.takeovers,
            ),
        }
    }

    fn pause_views(&self, now: Time) -> Vec<PauseView> {
        let in_force = self.durable.pauses.in_force(now);
        in_force
            .map(|(scope, pause)| PauseView {
                scope,
                pause: pause.clone(),
            })
            .collect()
    }

    fn decline_views(&self) -> Vec<DeclineView> {
        let view = |(host, (round, because)): (&HostName, &(RoundId, Decline))| DeclineView {
            host: host.clone(),
            round: *round,
            because: because.clone(),
        };
        self.declined.iter().map(view).collect()
    }

    fn peer_views(&self) -> Vec<PeerView> {
        let view = |(host, peer): (&HostName, &crate::machine::Peer)| {
            let standing = peer.standing.as_ref();
            PeerView {
                host: host.clone(),
                connected: peer.connected,
                heard: peer.heard,
                held: standing.and_then(|s| s.held),
                ready: standing.is_some_and(|s| s.ready),
                down_for: standing.and_then(|s| s.down_for.clone()),
            }
        };
        self.peers.iter().map(view).collect()
    }

    fn takeover_view(&self) -> Option<TakeoverView> {
        let me = Some(self.plan.me.clone());
        let plain = |step: &str| TakeoverView {
            round: self.role.round(),
            first: None,
            second: None,
            cause: None,
            step: step.to_owned(),
            remaining: None,
            blocker: None,
        };
        Some(match &self.role {
            Role::Asking(ask) => TakeoverView {
                first: me,
                second: Some(ask.to.clone()),
                cause: Some(ask.cause.clone()),
                ..plain(if ask.reported { "await-answer" } else { "diagnose" })
            },
            Role::Draining(drain) | Role::Stopped(drain) | Role::Yielded(drain) => TakeoverView {
                first: me,
                second: drain.to.as_ref().map(|(host, _)| host.clone()),
                cause: Some(drain.cause.clone()),
                remaining: drain.remaining,
                blocker: drain.blocker.clone(),
                ..plain(drain.step.as_str())
            },
            Role::Preparing(offer) => TakeoverView {
                first: Some(offer.first.clone()),
                second: me,
                cause: offer.cause.clone(),
                remaining: offer.remaining,
                blocker: offer.blocker.clone(),
                ..plain(match offer.step {
                    OfferStep::Warned => "warned",
                    OfferStep::Assessing => "assess",
                    OfferStep::Arming => "arm",
                    OfferStep::WarmingUp => "warm-up",
                    OfferStep::Offered => "await-release",
                })
            },
            Role::Released { .. } => {
                let grant = self.durable.grant.as_ref();
                TakeoverView {
                    round: grant.map(|grant| grant.round),
                    first: me,
                    second: grant.map(|grant| grant.to.clone()),
                    ..plain("await-takeover")
                }
            }
            Role::Activating(activation) => {
                let tenure = self.durable.tenure.as_ref();
                TakeoverView {
                    round: tenure.and_then(|tenure| tenure.round),
                    first: tenure.and_then(|tenure| tenure.from.clone()),
                    second: me,
                    ..plain(match activation.step {
                        ActivationStep::Serve => "serve",
                        ActivationStep::TakeAddress => "take-address",
                        ActivationStep::Appear => "appear",
                        ActivationStep::Resume => "resume",
                    })
                }
            }
            Role::Active
                if self
                    .durable
                    .tenure
                    .as_ref()
                    .is_some_and(|t| !t.resolved && t.round.is_some()) =>
            {
                let tenure = self.durable.tenure.as_ref();
                TakeoverView {
                    round: tenure.and_then(|tenure| tenure.round),
                    first: tenure.and_then(|tenure| tenure.from.clone()),
                    second: me,
                    ..plain(if tenure.is_some_and(|tenure| tenure.overlaps) {
                        "await-first"
                    } else {
                        "resolve-requests"
                    })
                }
            }
            Role::Fresh
            | Role::Unsynced
            | Role::Standby
            | Role::Active
            | Role::Parked(_)
            | Role::Forcing(_)
            | Role::StandingDown { .. } => {
                return None;
            }
        })
    }

    /// The named blocker of a waiting role.
    fn waiting_for(&self) -> Option<String> {
        let names = |hosts: Vec<HostName>| hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ");
        Some(match &self.role {
            Role::Fresh => "a holder's word, or `understudy bootstrap` on the host with the data".to_owned(),
            Role::Unsynced => format!("a hello from {}", names(self.unheard())),
            Role::Asking(ask) => format!("{}'s answer", ask.to),
            Role::Draining(drain) | Role::Stopped(drain) | Role::Yielded(drain) => {
                match (drain.step, &drain.to, &drain.blocker) {
                    (DrainStep::AwaitStored, Some((to, _)), _) => format!("{to} to store the compilation"),
                    (_, _, Some(blocker)) => blocker.clone(),
                    (step, _, None) => format!("the local step {}", step.as_str()),
                }
            }
            Role::Preparing(offer) => match offer.step {
                OfferStep::Warned => format!("{}'s report", offer.first),
                OfferStep::Assessing => "the assessment of the local server".to_owned(),
                OfferStep::Arming => "the address to be ready here".to_owned(),
                OfferStep::WarmingUp => "the local server to run beside the active one".to_owned(),
                OfferStep::Offered => format!("{}'s release", offer.first),
            },
            Role::Activating(_) => "the local server to serve".to_owned(),
            Role::StandingDown { stopped: false } => "the local server to stop".to_owned(),
            Role::StandingDown { stopped: true } => "the address to be dropped".to_owned(),
            Role::Released { .. } => format!("{} to take over", self.durable.grant.as_ref()?.to),
            Role::Parked(_) => "a candidate that can take over, or the cure of the fault".to_owned(),
            Role::Forcing(force) => {
                let open = |host: &&HostName| !force.stopped.contains(*host) && !force.acked.contains(*host);
                format!(
                    "a promise from {}",
                    names(self.plan.others().filter(open).cloned().collect())
                )
            }
            Role::Standby => match self.durable.stay_down.as_ref().map(|order| order.phase) {
                Some(DownPhase::Faulty) => "the cure of the fault (healthy probes, or `understudy cure`)".to_owned(),
                Some(DownPhase::Cured) => "the active host's permission to come back".to_owned(),
                Some(DownPhase::Rebooting) => "the reboot".to_owned(),
                None if self.durable.begun.is_some() => "what was done for an offer to be undone".to_owned(),
                None if !self.ready => "the local server to be ready as a standby".to_owned(),
                None => return None,
            },
            Role::Active => {
                let tenure = self.durable.tenure.as_ref().filter(|tenure| tenure.overlaps)?;
                format!("{} to complete its requests", tenure.from.as_ref()?)
            }
        })
    }
}
