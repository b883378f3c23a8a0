//! One of everything that can go over the wire, from a small seeded generator.

use std::time::Duration;

use understudy_protocol::{
    Boot, Cancel, Cause, CompilationSeal, Decline, Digest, Fault, FaultKind, FenceRefusal, Grant, HostName, Message,
    Pause, PauseScope, PauseWord, Pauses, PluginRefusal, Progress, Refusal, RequestState, RoleName, Severity, Standing,
    StoreId, Term, Time,
};

use super::super::*;

/// A value from random numbers. `any` goes through all variants of an enum, the first numbers in order.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn flag(&mut self) -> bool {
        self.roll().is_multiple_of(2)
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[(self.roll() % of.len() as u64) as usize].clone()
    }

    fn text(&mut self) -> String {
        self.pick(&[
            "",
            "plain",
            "quote \" and \\",
            "line\nbreak\u{0}\u{1b}",
            "ünïcødé 🎭",
            "{\"kind\":\"protocol\"}",
        ])
        .into()
    }

    fn some<T>(&mut self, make: impl Fn(&mut Self) -> T) -> Option<T> {
        if self.flag() { Some(make(self)) } else { None }
    }

    fn host(&mut self) -> HostName {
        HostName::new(self.pick(&["alpha", "beta", "host-3.rack_2"])).unwrap()
    }

    fn hosts(&mut self) -> Vec<HostName> {
        (0..self.roll() % 4).map(|_| self.host()).collect()
    }

    fn term(&mut self) -> Term {
        Term(self.pick(&[0, 1, 7, 1 << 24, u64::MAX]))
    }

    /// The wire has whole milliseconds, as every timer of the protocol.
    fn duration(&mut self) -> Duration {
        Duration::from_millis(self.pick(&[0, 1, 1500, 86_400_000, u64::MAX]))
    }

    fn store(&mut self) -> StoreId {
        StoreId(u128::from(self.roll()) << 64 | u128::from(self.roll()))
    }

    pub(super) fn round(&mut self) -> RoundId {
        RoundId {
            store: self.store(),
            counter: self.roll(),
        }
    }

    fn seal(&mut self) -> CompilationSeal {
        let mut digest = [0; 32];
        digest.iter_mut().for_each(|byte| *byte = self.roll() as u8);
        CompilationSeal {
            count: self.roll(),
            digest: Digest(digest),
        }
    }

    fn grant(&mut self) -> Grant {
        Grant {
            new_term: self.term(),
            to: self.host(),
            round: self.round(),
            seal: self.some(Dice::seal),
        }
    }

    fn standing(&mut self) -> Standing {
        Standing {
            fresh: self.flag(),
            known: self.term(),
            promised: self.term(),
            held: self.some(Dice::term),
            grant: self.some(Dice::grant),
            ready: self.flag(),
            down_for: self.some(Dice::text),
        }
    }

    fn pairs(&mut self) -> Vec<(String, String)> {
        (0..self.roll() % 3).map(|_| (self.text(), self.text())).collect()
    }

    fn fault(&mut self) -> Fault {
        use FaultKind as K;
        let kinds = [
            K::Hardware,
            K::Storage,
            K::Memory,
            K::Network,
            K::Power,
            K::Software,
            K::Dependency,
            K::Capacity,
            K::Operator,
            K::Other,
        ];
        Fault {
            code: self.text(),
            kind: self.pick(&kinds),
            severity: self.pick(&[Severity::Impaired, Severity::ShutdownRequired]),
            message: self.text(),
            shutdown_within: self.some(Dice::duration),
            evidence: self.pairs(),
        }
    }

    fn pauses(&mut self) -> Pauses {
        let mut pauses = Pauses::default();
        for scope in PauseScope::ALL {
            let pause = self.some(|d| Pause {
                by: d.text(),
                reason: d.text(),
                since: Time(d.roll()),
                until: d.some(|d| Time(d.roll())),
            });
            let word = PauseWord {
                stamp: self.roll(),
                from: self.host(),
                at: Time(self.roll()),
                pause,
            };
            pauses.words.insert(scope, word);
        }
        pauses.moves.insert(self.round(), Time(self.roll()));
        pauses
    }

    pub(super) fn request(&mut self) -> RequestStatus {
        use RequestState as S;
        RequestStatus {
            id: self.text(),
            client: self.text(),
            operation: self.text(),
            state: self.pick(&[S::Queued, S::Running, S::Completed, S::Failed, S::Cut, S::Refused]),
            started_at_ms: self.roll(),
            progress: self.some(|d| Progress {
                done: d.roll(),
                total: d.some(Dice::roll),
                unit: d.text(),
            }),
            idempotency_key: self.some(Dice::text),
            resume: self.some(|d| (0..d.roll() % 70).map(|n| n as u8).collect()),
            attributes: self.pairs(),
        }
    }
}

fn causes(d: &mut Dice) -> Vec<Cause> {
    vec![
        Cause::Fault(d.fault()),
        Cause::Requested {
            by: d.text(),
            reason: d.text(),
            override_vetoes: d.flag(),
        },
        Cause::Giveback {
            by: d.text(),
            reason: d.text(),
            override_vetoes: d.flag(),
        },
    ]
}

fn declines(d: &mut Dice) -> Vec<Decline> {
    vec![
        Decline::ServerFailing {
            fault: d.text(),
            message: d.text(),
        },
        Decline::ServerUnknown,
        Decline::Plugin(PluginRefusal {
            code: d.text(),
            message: d.text(),
            would_accept_if: d.some(Dice::text),
            hard: d.flag(),
        }),
        Decline::AssessmentTimedOut { after: d.duration() },
        Decline::AssessmentFailed { error: d.text() },
        Decline::NotWarm { error: d.text() },
        Decline::StayingDown { fault: d.text() },
        Decline::NotSynced { missing: d.hosts() },
        Decline::Fresh,
        Decline::TooManyAttempts {
            attempts: d.roll() as u32,
        },
        Decline::Busy,
        Decline::StoreFailing,
        Decline::Paused {
            scope: d.pick(&PauseScope::ALL),
            by: d.text(),
            reason: d.text(),
        },
        Decline::Several(vec![Decline::ServerUnknown, Decline::StayingDown { fault: d.text() }]),
        Decline::Unfamiliar,
    ]
}

fn cancels(d: &mut Dice) -> Vec<Cancel> {
    vec![
        Cancel::NoAnswer { after: d.duration() },
        Cancel::StaleTerm {
            offered: d.term(),
            floor: d.term(),
        },
        Cancel::DrainDeadline,
        Cancel::CompilationNotStored,
        Cancel::StepFailed {
            step: d.text(),
            error: d.text(),
        },
        Cancel::Operator,
        Cancel::FaultGone,
        Cancel::Superseded { term: d.term() },
    ]
}

fn fence_refusals(d: &mut Dice) -> Vec<FenceRefusal> {
    vec![
        FenceRefusal::Holds(d.term()),
        FenceRefusal::Promised(d.term()),
        FenceRefusal::Granted(d.term()),
        FenceRefusal::StillServing,
        FenceRefusal::NotSynced,
        FenceRefusal::Fresh,
    ]
}

fn refusals(d: &mut Dice) -> Vec<Refusal> {
    let mut all = vec![
        Refusal::NoHolder,
        Refusal::AlreadyActive,
        Refusal::NotACandidate { host: d.host() },
        Refusal::NobodyElse,
        Refusal::UnderWay {
            role: d.pick(&RoleName::ALL).as_str(),
        },
        Refusal::NothingUnderWay,
        Refusal::AlreadyReleased { to: d.host() },
        Refusal::AtHome { home: d.host() },
        Refusal::HomeNotReady {
            home: d.host(),
            because: d.text(),
        },
        Refusal::NothingToCure,
        Refusal::NotHeard { hosts: d.hosts() },
        Refusal::Alive { host: d.host() },
        Refusal::AlreadyBootstrapped { known: d.term() },
        Refusal::HolderSilent { host: d.host() },
        Refusal::StoreFailing { error: d.text() },
        Refusal::CompilationUnresolved { round: d.round() },
        Refusal::StayingDown { fault: d.text() },
        Refusal::NotPaused {
            in_force: vec![d.pick(&PauseScope::ALL)],
        },
        Refusal::Unfamiliar,
    ];
    all.extend(fence_refusals(d).into_iter().map(|because| Refusal::FenceRefused {
        host: d.host(),
        because,
    }));
    all.extend(declines(d).into_iter().map(|because| Refusal::Declined {
        host: d.host(),
        because,
    }));
    all.extend(cancels(d).into_iter().map(|because| Refusal::Cancelled { because }));
    all
}

/// One of every message, and of every variant inside it.
pub(super) fn messages(d: &mut Dice) -> Vec<Message> {
    let mut all = vec![
        Message::Hello(d.standing()),
        Message::HelloReply {
            echo: Boot(d.roll()),
            standing: d.standing(),
        },
        Message::FaultIndicated { round: d.round() },
        Message::ShutdownCommanded {
            round: d.round(),
            new_term: d.term(),
            drain_deadline: d.duration(),
            warm: d.flag(),
        },
        Message::DrainProgressed {
            round: d.round(),
            remaining: d.some(Dice::roll),
            blocker: d.some(Dice::text),
        },
        Message::ExtensionAsked {
            round: d.round(),
            because: d.text(),
        },
        Message::ExtensionAnswered {
            round: d.round(),
            more: d.some(Dice::duration),
        },
        Message::PausesTold { pauses: d.pauses() },
        Message::Compilation {
            round: d.round(),
            seal: d.seal(),
        },
        Message::CompilationStored {
            round: d.round(),
            seal: d.seal(),
        },
        Message::AdmissionYielded(d.grant()),
        Message::Released(d.grant()),
        Message::Refused {
            new_term: d.term(),
            promised: d.term(),
        },
        Message::TookOver { held: d.term() },
        Message::StayDown { held: d.term() },
        Message::StayingDown {
            held: d.term(),
            ready: d.flag(),
            down_for: d.some(Dice::text),
        },
        Message::Cured { fault: d.text() },
        Message::ComeBackPermitted { held: d.term() },
        Message::Fence {
            term: d.term(),
            stopped: d.hosts(),
            bootstrap: d.flag(),
        },
        Message::FenceAck { term: d.term() },
    ];
    all.extend(causes(d).into_iter().map(|cause| Message::FaultReported {
        round: d.round(),
        cause,
    }));
    all.extend(
        causes(d)
            .into_iter()
            .map(|cause| Message::TakeoverAsked { to: d.host(), cause }),
    );
    all.extend(refusals(d).into_iter().map(|refusal| Message::AskRefused { refusal }));
    all.extend(declines(d).into_iter().map(|reason| Message::Declined {
        round: d.round(),
        reason,
    }));
    all.extend(cancels(d).into_iter().map(|reason| Message::Cancelled {
        round: d.round(),
        reason,
    }));
    all.extend(
        fence_refusals(d)
            .into_iter()
            .map(|reason| Message::FenceRefused { term: d.term(), reason }),
    );
    all
}

pub(super) fn service() -> ServiceName {
    ServiceName::new("redis").unwrap()
}

pub(super) fn packets(d: &mut Dice) -> Vec<Packet> {
    let mut all: Vec<Packet> = messages(d)
        .into_iter()
        .map(|message| Envelope {
            from: d.host(),
            store: d.store(),
            boot: Boot(d.roll()),
            known: d.term(),
            message,
        })
        .map(|envelope| {
            Packet::Frame(Frame::Protocol {
                service: service(),
                envelope,
            })
        })
        .collect();
    let requests = (0..5).map(|_| d.request()).collect();
    all.push(Packet::Frame(Frame::CompilationPage {
        service: service(),
        round: d.round(),
        page: d.roll() as u32,
        requests,
    }));
    all.push(Packet::Frame(Frame::HostView(
        serde_json::json!({ "text": d.text(), "list": [1, null, true] }),
    )));
    all.push(Packet::Frame(Frame::JournalLine(serde_json::json!(d.text()))));
    all.push(Packet::Frame(Frame::Asked {
        id: d.roll(),
        question: serde_json::json!({ "what": d.text() }),
    }));
    all.push(Packet::Frame(Frame::Told {
        id: d.roll(),
        part: d.roll() as u32,
        last: d.flag(),
        text: d.text(),
    }));
    all.push(Packet::Heartbeat(Heartbeat { hears_you: d.flag() }));
    all.push(Packet::Turned(Turned { reason: d.text() }));
    all.push(Packet::Greeting(Greeting {
        protocol: [1, 7],
        version: d.text(),
        host: d.text(),
        cluster: d.text(),
    }));
    all
}
