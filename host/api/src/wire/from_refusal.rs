//! Refusals as data: each gets its code, and what would change it. No arm is `_`, as in `from_protocol.rs`.

use understudy_protocol as protocol;

use super::Refusal;
use super::from_protocol::texts;

impl From<&protocol::Refusal> for Refusal {
    fn from(refusal: &protocol::Refusal) -> Self {
        use protocol::Refusal as R;
        let (code, would_change): (&str, Option<String>) = match refusal {
            R::NoHolder => (
                "no-holder",
                Some("a host that is active, or an operator's `takeover --confirm-stopped`".to_owned()),
            ),
            R::AlreadyActive => ("already-active", None),
            R::NotACandidate { host } => (
                "not-a-candidate",
                Some(format!("{host} in the service's `candidates` on every host")),
            ),
            R::NobodyElse => (
                "nobody-else",
                Some("a second host in the service's `candidates`".to_owned()),
            ),
            R::UnderWay { .. } => (
                "under-way",
                Some("the end of the operation under way, or cancelling it".to_owned()),
            ),
            R::NothingUnderWay => ("nothing-under-way", None),
            R::AlreadyReleased { to } => ("already-released", Some(format!("a giveback once {to} serves"))),
            R::AtHome { .. } => ("at-home", None),
            R::HomeNotReady { home, .. } => ("home-not-ready", Some(format!("{home} as a ready standby"))),
            R::NothingToCure => ("nothing-to-cure", None),
            R::NotHeard { hosts } => (
                "not-heard",
                Some(format!(
                    "a word from {}, or `confirm_stopped` for hosts that are stopped for certain",
                    texts(hosts).join(", ")
                )),
            ),
            R::Alive { host } => ("alive", Some(format!("a takeover without naming {host} as stopped"))),
            R::FenceRefused { .. } => ("fence-refused", None),
            R::AlreadyBootstrapped { .. } => (
                "already-bootstrapped",
                Some("a takeover instead of a bootstrap".to_owned()),
            ),
            R::Declined { .. } => ("declined", None),
            R::Cancelled { .. } => ("cancelled", None),
            R::HolderSilent { host } => (
                "holder-silent",
                Some(format!(
                    "{host} within reach, or `confirm_stopped` if it is stopped for certain"
                )),
            ),
            R::StoreFailing { .. } => (
                "store-failing",
                Some("a store that can be written: look at the disk of the state folder".to_owned()),
            ),
            R::CompilationUnresolved { .. } => (
                "compilation-unresolved",
                Some("a disposition for each request of the last takeover, or `override_vetoes`".to_owned()),
            ),
            R::StayingDown { fault } => (
                "staying-down",
                Some(format!("the fault {fault} cured, or `override_stay_down`")),
            ),
            R::NotPaused { .. } => ("not-paused", None),
            R::Unfamiliar => ("unfamiliar", Some("an upgrade of this host".to_owned())),
        };
        let (host, because): (Option<&protocol::HostName>, Option<Refusal>) = match refusal {
            R::NotACandidate { host } | R::Alive { host } | R::HolderSilent { host } => (Some(host), None),
            R::AlreadyReleased { to } => (Some(to), None),
            R::AtHome { home } | R::HomeNotReady { home, .. } => (Some(home), None),
            R::FenceRefused { host, because } => (Some(host), Some(because.into())),
            R::Declined { host, because } => (Some(host), Some(because.into())),
            R::Cancelled { because } => (None, Some(because.into())),
            R::NoHolder
            | R::AlreadyActive
            | R::NobodyElse
            | R::UnderWay { .. }
            | R::NothingUnderWay
            | R::NothingToCure => (None, None),
            R::NotHeard { .. } | R::AlreadyBootstrapped { .. } | R::StoreFailing { .. } => (None, None),
            R::CompilationUnresolved { .. } | R::StayingDown { .. } | R::NotPaused { .. } | R::Unfamiliar => {
                (None, None)
            }
        };
        let would_change = would_change.or_else(|| because.as_ref().and_then(|inner| inner.would_change.clone()));
        Refusal {
            code: code.to_owned(),
            message: refusal.to_string(),
            would_change,
            host: host.map(ToString::to_string),
            because: because.map(Box::new),
            source: None,
            hard: matches!(refusal, R::CompilationUnresolved { .. }).then_some(false),
            vetoes: Vec::new(),
        }
    }
}

/// A refusal that names no host and rests on nothing else.
fn plain(code: &str, message: String, would_change: Option<String>) -> Refusal {
    Refusal {
        code: code.to_owned(),
        message,
        would_change,
        host: None,
        because: None,
        source: None,
        hard: None,
        vetoes: Vec::new(),
    }
}

impl From<&protocol::Decline> for Refusal {
    fn from(decline: &protocol::Decline) -> Self {
        use protocol::Decline as D;
        let (code, would_change) = match decline {
            D::ServerFailing { fault, .. } => ("server-failing", Some(format!("the fault {fault} cured"))),
            D::ServerUnknown => ("server-unknown", Some("a healthy verdict of its probe".to_owned())),
            D::Plugin(plugin) => (plugin.code.as_str(), plugin.would_accept_if.clone()),
            D::AssessmentTimedOut { .. } => (
                "assessment-timed-out",
                Some("an assessment that ends in time".to_owned()),
            ),
            D::AssessmentFailed { .. } => ("assessment-failed", Some("an assessment that works".to_owned())),
            D::NotWarm { .. } => (
                "not-warm",
                Some("a server of its own that runs beside the active one".to_owned()),
            ),
            D::StayingDown { fault } => ("staying-down", Some(format!("the fault {fault} cured"))),
            D::NotSynced { missing } => ("not-synced", Some(format!("a word from {}", texts(missing).join(", ")))),
            D::Fresh => ("fresh", Some("a word from the host that holds the service".to_owned())),
            D::TooManyAttempts { .. } => (
                "too-many-attempts",
                Some("some time without takeovers, or an operator's order".to_owned()),
            ),
            D::Busy => ("busy", Some("the end of its other round".to_owned())),
            D::StoreFailing => ("store-failing", Some("a store that can be written".to_owned())),
            D::Paused { .. } => (
                "paused",
                Some("the end of the pause, or an operator's order".to_owned()),
            ),
            D::Several(reasons) => ("several", Some(several(reasons))),
            D::Unfamiliar => ("unfamiliar", Some("an upgrade of this host".to_owned())),
        };
        let vetoes = match decline {
            D::Several(reasons) => reasons.iter().map(Refusal::from).collect(),
            _ => Vec::new(),
        };
        Refusal {
            source: Some(decline.source().to_owned()),
            hard: Some(decline.is_hard()),
            vetoes,
            ..plain(code, decline.to_string(), would_change)
        }
    }
}

/// What would change all of them.
fn several(reasons: &[protocol::Decline]) -> String {
    let each = reasons.iter().filter_map(|reason| Refusal::from(reason).would_change);
    each.collect::<Vec<_>>().join("; and ")
}

impl From<&protocol::Cancel> for Refusal {
    fn from(cancel: &protocol::Cancel) -> Self {
        use protocol::Cancel as C;
        let code = match cancel {
            C::NoAnswer { .. } => "no-answer",
            C::StaleTerm { .. } => "stale-term",
            C::DrainDeadline => "drain-deadline",
            C::CompilationNotStored => "compilation-not-stored",
            C::StepFailed { .. } => "step-failed",
            C::Operator => "operator",
            C::FaultGone => "fault-gone",
            C::Superseded { .. } => "superseded",
        };
        plain(code, cancel.to_string(), None)
    }
}

impl From<&protocol::FenceRefusal> for Refusal {
    fn from(refusal: &protocol::FenceRefusal) -> Self {
        use protocol::FenceRefusal as F;
        let (code, would_change) = match refusal {
            F::Holds(_) => ("holds", Some("an ordinary takeover from it")),
            F::Promised(_) => ("promised", Some("another attempt, which takes a higher term")),
            F::Granted(_) => ("granted", Some("the end of the takeover it released the service for")),
            F::StillServing => ("still-serving", Some("its server stopped, which is under way")),
            F::NotSynced => ("not-synced", Some("a word from every other candidate to it")),
            F::Fresh => ("fresh", Some("a word from the host that holds the service to it")),
        };
        plain(code, refusal.to_string(), would_change.map(str::to_owned))
    }
}
