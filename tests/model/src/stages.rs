//! Where an exploration begins: states that a calm world reaches by itself, each at a chosen step of the protocol.
//!
//! Invariant: a stage is played with the same machines and the same steps as everything else, so it is a state that
//! can be reached; it only saves the search the way there.

use understudy_protocol::TimerName;

use crate::config::Network;
use crate::model::{State, Step, Whole};
use crate::turn::{Opinion, Stimulus, Wish};

/// One command of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Play {
    /// Every host starts.
    StartAll,
    /// Everything that costs nothing happens, until nothing is left.
    Settle,
    /// The same, until a step of this name is journaled by anybody.
    Until(&'static str),
    Probes(u8, Opinion),
    AllHealthy,
    Orders(u8, Wish),
    Fires(u8, TimerName),
    Crashes(u8),
    Starts(u8),
    PowersOff(u8),
}

/// A first start at alpha, everybody healthy, the standbys ready.
pub(crate) const SERVING: &[Play] = &[
    Play::StartAll,
    Play::Settle,
    Play::Orders(0, Wish::Bootstrap(0)),
    Play::Settle,
    Play::Fires(0, TimerName::StayDown),
    Play::Settle,
    Play::AllHealthy,
    Play::Settle,
];

/// The steps of a takeover for a fault, as they are journaled; each is a stage.
pub(crate) const STEPS: &[&str] = &[
    "fault-indicated",
    "fault-reported",
    "shutdown-commanded",
    "drain-started",
    "drained",
    "compilation-sealed",
    "compilation-stored",
    "server-stopping",
    "server-stopped",
    "released",
    "grant-accepted",
    "server-serves",
    "took-over",
];

/// The same where both servers may run.
pub(crate) const OVERLAP_STEPS: &[&str] = &[
    "fault-reported",
    "arming",
    "warming-up",
    "shutdown-commanded",
    "drain-started",
    "admission-yielded",
    "redirected",
    "grant-accepted",
    "serving",
    "compilation-sealed",
    "compilation-stored",
    "server-stopping",
    "released",
];

/// More free steps than any stage needs: beyond it, somebody talks without end.
const MOST_STEPS: u32 = 5_000;

impl Whole {
    pub(crate) fn stages(&self) -> Vec<State> {
        let budget = |state: State| State {
            troubles: self.config.budget.0,
            ticks: self.config.budget.1,
            ..state
        };
        self.config
            .stages
            .iter()
            .map(|stage| budget(self.play(stage)))
            .collect()
    }

    fn play(&self, stage: &[Play]) -> State {
        let mut played = Played {
            whole: self,
            state: State {
                // Nothing of a stage is counted.
                troubles: u8::MAX,
                ticks: u8::MAX,
                ..self.empty()
            },
            sent: Vec::new(),
            journaled: None,
        };
        stage.iter().for_each(|play| played.play(*play));
        assert!(
            played.state.broken.is_none(),
            "{stage:?} breaks {:?}",
            played.state.broken
        );
        if self.config.network == Network::Any {
            played.state.network = match self.config.old_messages {
                true => played.sent.clone(),
                false => played.state.network.clone(),
            };
            played.state.network.sort_unstable();
            played.state.network.dedup();
        }
        played.state
    }
}

struct Played<'a> {
    whole: &'a Whole,
    state: State,
    sent: Vec<u32>,
    journaled: Option<&'static str>,
}

impl Played<'_> {
    fn play(&mut self, play: Play) {
        match play {
            Play::StartAll => (0..self.count()).for_each(|who| self.step((who, Stimulus::Starts))),
            Play::Settle => self.run(None),
            Play::Until(step) => self.run(Some(step)),
            Play::Probes(who, opinion) => self.step((who, Stimulus::Probes(opinion))),
            Play::AllHealthy => (0..self.count()).for_each(|who| self.step((who, Stimulus::Probes(Opinion::Healthy)))),
            Play::Orders(who, wish) => self.step((who, Stimulus::Orders(wish))),
            Play::Fires(who, timer) => self.step((who, Stimulus::Fires(timer))),
            Play::Crashes(who) => self.step((who, Stimulus::Crashes)),
            Play::Starts(who) => self.step((who, Stimulus::Starts)),
            Play::PowersOff(who) => self.step((who, Stimulus::PowersOff)),
        }
    }

    fn count(&self) -> u8 {
        u8::try_from(self.state.hosts.len()).unwrap()
    }

    fn step(&mut self, step: Step) {
        self.try_step(step);
    }

    fn try_step(&mut self, step: Step) -> bool {
        let before = self.state.network.clone();
        let host = self.state.hosts[usize::from(step.0)];
        let Some(next) = self.whole.step(Network::Ordered, &self.state, step) else {
            return false;
        };
        self.journaled = self.whole.turned(host, step.1).effects.step;
        let new = next.network.iter().filter(|number| !before.contains(number));
        self.sent.extend(new);
        self.state = next;
        true
    }

    fn run(&mut self, until: Option<&'static str>) {
        for _ in 0..MOST_STEPS {
            if until.is_some() && self.journaled == until {
                return;
            }
            let mut steps = Vec::new();
            self.whole.free_steps(Network::Ordered, &self.state, &mut steps);
            // A host that is down stays down until the stage starts it.
            steps.retain(|(_, stimulus)| !matches!(stimulus, Stimulus::Starts | Stimulus::Vanishes(_)));
            if !steps.into_iter().any(|step| self.try_step(step)) {
                assert!(
                    until.is_none(),
                    "the stage never comes to {until:?}: {:?}",
                    self.whole.roles(&self.state)
                );
                return;
            }
        }
        panic!("the stage does not come to rest");
    }
}
