//! Time as an argument, and the timers by name.
//!
//! Invariant: the machine never reads a clock; it is told the time and says when it wants to be called again.

use std::collections::BTreeMap;
use std::ops::Add;
use std::time::Duration;

/// Milliseconds on a monotonic clock that the daemon sets by the wall's when it starts: so a time that was stored still
/// means something after a restart, and a time that a peer told means something here, as far as the hosts' clocks agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub u64);

impl Time {
    /// How long until `later`; zero when it has passed.
    pub fn until(self, later: Time) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, duration: Duration) -> Time {
        Time(
            self.0
                .saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

/// Every timer; each says what it is waited for, and its row in the table says what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TimerName {
    /// When to say hello again to hosts that were not heard.
    Hello,
    /// When to give up waiting for the diagnosis and report what is known.
    Diagnosis,
    /// When to give up waiting for a candidate's answer.
    Answer,
    /// When to ask the candidates again.
    Retry,
    /// When the server must be down, whoever answers.
    ShutdownWithin,
    /// When to give up waiting for this host's own assessment.
    Assessment,
    /// When to forget an offer whose holder says nothing more.
    Offer,
    /// When the drain must be over.
    Drain,
    /// When to give up waiting for the compilation to be stored.
    Compilation,
    /// When to send the compilation again.
    CompilationResend,
    /// When to stop the server by force.
    Stop,
    /// When to send the release again.
    Release,
    /// When to give up one attempt to serve.
    Serve,
    /// When to repeat the stay-down order.
    StayDown,
    /// When to look whether the server stays as it must be.
    Observe,
    /// When the probes have been healthy for long enough.
    Hold,
    /// When the active host has been silent for too long.
    Silence,
    /// When to give the service home by itself.
    Giveback,
    /// When to give up waiting for fences.
    Fence,
    /// When to give up waiting for the reboot command.
    Reboot,
    /// When a pause ends by itself.
    Pause,
    /// When to give up waiting for the second's word on a longer drain.
    Extension,
    /// When to try again to undo what was done for a round that came to nothing.
    Undo,
    /// When the first should have come to its end after it yielded admission.
    Overlap,
}

impl TimerName {
    /// Every timer.
    pub const ALL: [TimerName; 24] = [
        TimerName::Hello,
        TimerName::Diagnosis,
        TimerName::Answer,
        TimerName::Retry,
        TimerName::ShutdownWithin,
        TimerName::Assessment,
        TimerName::Offer,
        TimerName::Drain,
        TimerName::Compilation,
        TimerName::CompilationResend,
        TimerName::Stop,
        TimerName::Release,
        TimerName::Serve,
        TimerName::StayDown,
        TimerName::Observe,
        TimerName::Hold,
        TimerName::Silence,
        TimerName::Giveback,
        TimerName::Fence,
        TimerName::Reboot,
        TimerName::Pause,
        TimerName::Extension,
        TimerName::Undo,
        TimerName::Overlap,
    ];

    /// The name of the event that its end is, in the table.
    pub fn event(self) -> &'static str {
        match self {
            TimerName::Hello => "timer hello",
            TimerName::Diagnosis => "timer diagnosis",
            TimerName::Answer => "timer answer",
            TimerName::Retry => "timer retry",
            TimerName::ShutdownWithin => "timer shutdown-within",
            TimerName::Assessment => "timer assessment",
            TimerName::Offer => "timer offer",
            TimerName::Drain => "timer drain",
            TimerName::Compilation => "timer compilation",
            TimerName::CompilationResend => "timer compilation-resend",
            TimerName::Stop => "timer stop",
            TimerName::Release => "timer release",
            TimerName::Serve => "timer serve",
            TimerName::StayDown => "timer stay-down",
            TimerName::Observe => "timer observe",
            TimerName::Hold => "timer hold",
            TimerName::Silence => "timer silence",
            TimerName::Giveback => "timer giveback",
            TimerName::Fence => "timer fence",
            TimerName::Reboot => "timer reboot",
            TimerName::Pause => "timer pause",
            TimerName::Extension => "timer extension",
            TimerName::Undo => "timer undo",
            TimerName::Overlap => "timer overlap",
        }
    }

    /// The timer's name in the journal and the UI, kebab-case.
    pub fn as_str(self) -> &'static str {
        match self {
            TimerName::Hello => "hello",
            TimerName::Diagnosis => "diagnosis",
            TimerName::Answer => "answer",
            TimerName::Retry => "retry",
            TimerName::ShutdownWithin => "shutdown-within",
            TimerName::Assessment => "assessment",
            TimerName::Offer => "offer",
            TimerName::Drain => "drain",
            TimerName::Compilation => "compilation",
            TimerName::CompilationResend => "compilation-resend",
            TimerName::Stop => "stop",
            TimerName::Release => "release",
            TimerName::Serve => "serve",
            TimerName::StayDown => "stay-down",
            TimerName::Observe => "observe",
            TimerName::Hold => "hold",
            TimerName::Silence => "silence",
            TimerName::Giveback => "giveback",
            TimerName::Fence => "fence",
            TimerName::Reboot => "reboot",
            TimerName::Pause => "pause",
            TimerName::Extension => "extension",
            TimerName::Undo => "undo",
            TimerName::Overlap => "overlap",
        }
    }
}

/// The timers that run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Timers(BTreeMap<TimerName, Time>);

impl Timers {
    pub(crate) fn set(&mut self, timer: TimerName, at: Time) {
        self.0.insert(timer, at);
    }

    pub(crate) fn stop(&mut self, timer: TimerName) {
        self.0.remove(&timer);
    }

    pub(crate) fn at(&self, timer: TimerName) -> Option<Time> {
        self.0.get(&timer).copied()
    }

    pub(crate) fn runs(&self, timer: TimerName) -> bool {
        self.0.contains_key(&timer)
    }

    /// The earliest deadline; ties go to the earlier in [`TimerName::ALL`].
    pub(crate) fn next(&self) -> Option<(TimerName, Time)> {
        self.0
            .iter()
            .map(|(name, at)| (*name, *at))
            .min_by_key(|(name, at)| (*at, *name))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TimerName, Time)> + '_ {
        self.0.iter().map(|(name, at)| (*name, *at))
    }
}
