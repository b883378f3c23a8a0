//! What the operator settled about one service, as far as the protocol needs it.
//!
//! Invariant: `candidates` holds `me`, is the same on every host, and its first is the service's home.

use std::time::Duration;

use crate::{HostName, ServiceName};

/// The protocol's settings for one service.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    /// The service.
    pub service: ServiceName,
    /// This host.
    pub me: HostName,
    /// All candidates, in order of preference; the first is home.
    pub candidates: Vec<HostName>,
    /// Whether both servers may run while the service moves.
    pub mode: Mode,
    /// What to do when a drain's deadline passes, for a fault.
    pub on_deadline_fault: DrainPolicy,
    /// The same for an operator's request and for a giveback.
    pub on_deadline_request: DrainPolicy,
    /// When the service goes home.
    pub giveback: Giveback,
    /// Whether a cure needs the reboot command.
    pub reboot: bool,
    /// What to do when the probes do not know.
    pub on_unknown: OnUnknown,
    /// When the service has moved too often by itself.
    pub flap: FlapGuard,
    /// By how much the second may lengthen a drain in all, where the policy is to extend.
    pub extend_at_most: Duration,
    /// All the timers' lengths.
    pub timing: Timing,
}

impl Plan {
    /// Everybody but this host, in order.
    pub fn others(&self) -> impl Iterator<Item = &HostName> {
        self.candidates.iter().filter(|host| **host != self.me)
    }

    /// Where the service belongs.
    pub fn home(&self) -> &HostName {
        self.candidates.first().unwrap_or(&self.me)
    }

    /// This host's place in the list.
    pub fn ordinal(&self) -> u8 {
        let place = self.candidates.iter().position(|host| *host == self.me).unwrap_or(0);
        u8::try_from(place).unwrap_or(u8::MAX)
    }
}

/// Whether both servers may run while the service moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// Only one may run: new requests wait until the second's serves.
    #[default]
    Exclusive,
    /// Both may: the second's runs before the first yields admission, and the first completes what it has.
    Overlap,
}

/// What happens when a drain's deadline passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DrainPolicy {
    /// The server is stopped; the requests cut are written down as cut.
    Force,
    /// The drain is undone; the server goes on.
    Abort,
    /// The deadline is set again.
    Extend,
}

/// When the service goes home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Giveback {
    /// When an operator says so.
    Manual,
    /// By itself.
    Auto {
        /// After home is ready for so long.
        delay: Duration,
        /// Not more often than this, until an operator orders one.
        attempts: u32,
    },
}

/// What follows when the probes do not know how the active server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnUnknown {
    /// The operator is told.
    Alert,
    /// It is taken for a fault that requires a shutdown.
    TakeOver,
}

/// When the service has moved too often by itself: then it stays where it is until an operator ends that pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlapGuard {
    /// So many moves that nobody ordered are enough; 0: any number is.
    pub takeovers: u32,
    /// Within this time.
    pub window: Duration,
}

impl Default for FlapGuard {
    /// One takeover and its giveback, three times over, is no longer bad luck.
    fn default() -> Self {
        FlapGuard {
            takeovers: 6,
            window: Duration::from_secs(3600),
        }
    }
}

/// How long each timer runs; the names are those of [`crate::TimerName`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timing {
    /// Between hellos to hosts not heard yet.
    pub hello: Duration,
    /// For a diagnosis.
    pub diagnosis: Duration,
    /// For a candidate's answer.
    pub answer: Duration,
    /// Between attempts to find a candidate.
    pub retry: Duration,
    /// For an assessment.
    pub assessment: Duration,
    /// How long an offer stands without a word from the holder.
    pub offer: Duration,
    /// How long a drain may take.
    pub drain: Duration,
    /// For the second to store the compilation.
    pub compilation: Duration,
    /// For a graceful stop; then it is forced.
    pub stop: Duration,
    /// Between repetitions of a release.
    pub release: Duration,
    /// For one attempt to start or promote the server.
    pub serve: Duration,
    /// Between repetitions of the stay-down order.
    pub stay_down: Duration,
    /// Between looks whether the server stays down.
    pub observe: Duration,
    /// How long the probes must be healthy before a fault counts as cured.
    pub hold: Duration,
    /// How long the active host may be silent before the operator is told.
    pub silence: Duration,
    /// For everybody's answer to a fence.
    pub fence: Duration,
    /// For the reboot command.
    pub reboot: Duration,
}

impl Default for Timing {
    /// Sound values for two hosts on one network.
    fn default() -> Self {
        Timing {
            hello: Duration::from_millis(500),
            diagnosis: Duration::from_secs(2),
            answer: Duration::from_secs(10),
            retry: Duration::from_secs(15),
            assessment: Duration::from_secs(8),
            offer: Duration::from_secs(30),
            drain: Duration::from_secs(30),
            compilation: Duration::from_secs(10),
            stop: Duration::from_secs(15),
            release: Duration::from_secs(1),
            serve: Duration::from_secs(30),
            stay_down: Duration::from_secs(2),
            observe: Duration::from_secs(1),
            hold: Duration::from_secs(10),
            silence: Duration::from_secs(6),
            fence: Duration::from_secs(5),
            reboot: Duration::from_secs(120),
        }
    }
}
