//! The configurations: which hosts, which network, where it begins, what may go wrong and how often.
//!
//! Invariant: a bound is stated here and printed with the result; nothing is cut off elsewhere.

use std::time::Duration;

use understudy_protocol::{DrainPolicy, Giveback, Mode, OnUnknown, Plan, TimerName};

use crate::stages::{OVERLAP_STEPS, Play, SERVING, STEPS};
use crate::turn::{Ending, Opinion, Stimulus, Wish};
use crate::world::plan;

/// What the network may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// Every parcel may arrive at any later time, any number of times, or never: loss, doubling, any order, and late
    /// arrival after restarts.
    Any,
    /// The parcels of each pair arrive in order and once, as on one connection; losing one costs.
    Ordered,
}

/// What costs one of the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A timer ends: this has a budget of its own.
    Tick,
    Crash,
    PowerOff,
    LostDisk,
    /// A connection breaks.
    Cut,
    /// A parcel is lost where they stay in order.
    Loss,
    /// Work fails, or an assessment says no.
    Failure,
    HalfDone,
    Progress,
    Verdict,
    Order,
    ByHand,
}

/// Everything that may go wrong.
pub(crate) const ALL: &[Trouble] = &[
    Trouble::Crash,
    Trouble::PowerOff,
    Trouble::Cut,
    Trouble::Loss,
    Trouble::Failure,
    Trouble::HalfDone,
    Trouble::Progress,
    Trouble::Verdict,
    Trouble::Order,
    Trouble::ByHand,
];

/// One exploration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) name: &'static str,
    pub(crate) hosts: usize,
    pub(crate) mode: Mode,
    pub(crate) network: Network,
    /// Whether what was sent before the stage may arrive again.
    pub(crate) old_messages: bool,
    pub(crate) stages: Vec<Vec<Play>>,
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) opinions: Vec<Opinion>,
    pub(crate) wishes: Vec<Wish>,
    /// Troubles and ticks.
    pub(crate) budget: (u8, u8),
    /// Steps from a stage; none: until nothing new is found.
    pub(crate) depth: Option<usize>,
    /// Every so many states, one is continued calmly; 0: none.
    pub(crate) calm_every: u64,
    pub(crate) on_deadline: DrainPolicy,
    pub(crate) auto_giveback: bool,
    pub(crate) reboot: bool,
    pub(crate) unknown_is_failed: bool,
}

impl Config {
    pub(crate) fn plan(&self) -> Plan {
        let mut plan = plan(&["alpha", "beta", "gamma"][..self.hosts]);
        plan.mode = self.mode;
        plan.on_deadline_fault = self.on_deadline;
        plan.on_deadline_request = self.on_deadline;
        plan.reboot = self.reboot;
        if self.auto_giveback {
            let (delay, attempts) = (Duration::from_secs(20), 2);
            plan.giveback = Giveback::Auto { delay, attempts };
        }
        if self.unknown_is_failed {
            plan.on_unknown = OnUnknown::TakeOver;
        }
        plan
    }

    /// What a stimulus costs.
    pub(crate) fn cost(&self, stimulus: Stimulus) -> Option<Trouble> {
        match stimulus {
            Stimulus::Fires(_) => Some(Trouble::Tick),
            Stimulus::Vanishes(_) => Some(Trouble::Loss),
            Stimulus::Ends(_, Ending::Done)
            | Stimulus::Arrives(_)
            | Stimulus::Starts
            | Stimulus::Connected(_)
            | Stimulus::Looks => None,
            Stimulus::Ends(_, Ending::Failed | Ending::Refused) => Some(Trouble::Failure),
            Stimulus::Ends(_, Ending::HalfDone) => Some(Trouble::HalfDone),
            Stimulus::Ends(_, Ending::Progress) => Some(Trouble::Progress),
            // That a peer is gone is noticed for nothing; only a cut costs.
            Stimulus::Lost(_) => Some(Trouble::Cut),
            Stimulus::Probes(_) => Some(Trouble::Verdict),
            Stimulus::Orders(_) => Some(Trouble::Order),
            Stimulus::Crashes => Some(Trouble::Crash),
            Stimulus::PowersOff => Some(Trouble::PowerOff),
            Stimulus::LosesDisk => Some(Trouble::LostDisk),
            Stimulus::ByHand => Some(Trouble::ByHand),
        }
    }
}

fn after(begin: &[Play], more: &[Play]) -> Vec<Play> {
    [begin, more].concat()
}

/// A takeover for a fault at alpha, stopped at each of its steps.
fn takeover() -> Vec<Vec<Play>> {
    let stage = |step: &&'static str| after(SERVING, &[Play::Probes(0, Opinion::Failing), Play::Until(step)]);
    STEPS.iter().map(stage).collect()
}

/// The same where both servers may run: admission moves first.
fn overlap() -> Vec<Vec<Play>> {
    let stage = |step: &&'static str| after(SERVING, &[Play::Probes(0, Opinion::Failing), Play::Until(step)]);
    let settled = after(SERVING, &[Play::Probes(0, Opinion::Failing), Play::Settle]);
    // The first was down before the second served: its acknowledgement says it again.
    let ended = after(
        &settled,
        &[Play::Fires(1, TimerName::StayDown), Play::Until("overlap-ended")],
    );
    OVERLAP_STEPS.iter().map(stage).chain([settled, ended]).collect()
}

/// Admission was yielded, and one of the two is lost, or the first has no more time.
fn overlap_alone() -> Vec<Vec<Play>> {
    let yielded = |fault| after(SERVING, &[Play::Probes(0, fault), Play::Until("redirected")]);
    let taken = after(
        SERVING,
        &[Play::Probes(0, Opinion::Failing), Play::Until("grant-accepted")],
    );
    let second_off = after(&yielded(Opinion::FailingSoon), &[Play::PowersOff(1)]);
    let down = after(&second_off, &[Play::Fires(0, TimerName::ShutdownWithin), Play::Settle]);
    let heard = after(&down, &[Play::Starts(1), Play::Until("grant-accepted")]);
    let first_off = after(&taken, &[Play::PowersOff(0), Play::Settle]);
    let told_nobody = after(&yielded(Opinion::Failing), &[Play::PowersOff(0)]);
    vec![second_off, down, heard, first_off, told_nobody]
}

/// The service was taken over by beta: alpha is down, is cured, comes back, is home again.
fn way_back() -> Vec<Vec<Play>> {
    let taken = after(SERVING, &[Play::Probes(0, Opinion::Failing), Play::Settle]);
    let cured = after(
        &taken,
        &[Play::Probes(0, Opinion::Healthy), Play::Orders(0, Wish::Cure)],
    );
    let back = after(&cured, &[Play::Settle]);
    let asked = after(&back, &[Play::Orders(1, Wish::Giveback)]);
    let under_way = |step| after(&asked, &[Play::Until(step)]);
    let steps = ["drain-started", "compilation-sealed", "released", "grant-accepted"];
    [taken.clone(), cured, back.clone(), asked.clone()]
        .into_iter()
        .chain(steps.into_iter().map(under_way))
        .collect()
}

/// Somebody who held the service, or was granted it, is off; the others can't hear it.
fn silent() -> Vec<Vec<Play>> {
    let off = |who, begin: &[Play]| after(begin, &[Play::PowersOff(who), Play::Settle]);
    let until = |step| after(SERVING, &[Play::Probes(0, Opinion::Failing), Play::Until(step)]);
    vec![
        off(0, SERVING),
        off(1, SERVING),
        off(0, &until("compilation-stored")),
        off(0, &until("released")),
        off(1, &until("released")),
        off(1, &until("grant-accepted")),
    ]
}

/// The second was told to serve and can't: its start failed as often as it may.
fn unstartable() -> Vec<Vec<Play>> {
    let granted = after(
        SERVING,
        &[Play::Probes(0, Opinion::Failing), Play::Until("grant-accepted")],
    );
    let late = [Play::Fires(1, TimerName::Serve); 3];
    let given_up = after(&granted, &late);
    let settled = after(&given_up, &[Play::Settle]);
    let asked = after(&settled, &[Play::Fires(1, TimerName::Retry)]);
    vec![given_up, settled, asked]
}

/// Beta forced the service while alpha held it and was off; then alpha comes back.
fn superseded() -> Vec<Vec<Play>> {
    let off = after(
        SERVING,
        &[
            Play::PowersOff(0),
            Play::Settle,
            Play::Orders(1, Wish::Force(1, 1)),
            Play::Settle,
        ],
    );
    let back = after(&off, &[Play::Starts(0)]);
    vec![off, back.clone(), after(&back, &[Play::Settle])]
}

/// The server is down and nobody takes over.
fn parked() -> Vec<Vec<Play>> {
    let alone = after(
        SERVING,
        &[Play::Crashes(1), Play::Settle, Play::Probes(0, Opinion::FailingSoon)],
    );
    let down = after(
        &alone,
        &[Play::Fires(0, TimerName::ShutdownWithin), Play::Until("parked")],
    );
    let heard = after(&down, &[Play::Starts(1), Play::Settle]);
    let going = after(
        &alone,
        &[
            Play::Fires(0, TimerName::ShutdownWithin),
            Play::Until("compilation-kept"),
        ],
    );
    vec![
        alone,
        down,
        heard,
        going,
        after(
            SERVING,
            &[Play::Probes(0, Opinion::FailingSoon), Play::Until("drain-started")],
        ),
    ]
}

fn base() -> Config {
    Config {
        name: "",
        hosts: 2,
        mode: Mode::Exclusive,
        network: Network::Ordered,
        old_messages: true,
        stages: vec![SERVING.to_vec()],
        troubles: ALL.to_vec(),
        opinions: vec![Opinion::Healthy, Opinion::Failing],
        wishes: vec![Wish::TakeOver(None), Wish::Cancel, Wish::Force(0, 0)],
        budget: (1, 1),
        depth: None,
        calm_every: 200,
        on_deadline: DrainPolicy::Force,
        auto_giveback: false,
        reboot: true,
        unknown_is_failed: false,
    }
}

/// All of them: the longest first, because two run at a time.
pub(crate) fn all() -> Vec<Config> {
    let every_wish = vec![
        Wish::TakeOver(None),
        Wish::TakeOver(Some(1)),
        Wish::Giveback,
        Wish::Cancel,
        Wish::Cure,
        Wish::Force(0, 0),
        Wish::Bootstrap(0),
        Wish::Pause,
        Wish::Unpause,
    ];
    vec![
        Config {
            name: "takeover",
            stages: takeover(),
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "takeover-any",
            stages: takeover(),
            network: Network::Any,
            budget: (1, 1),
            depth: Some(6),
            ..base()
        },
        Config {
            name: "first-start-any",
            network: Network::Any,
            stages: vec![vec![]],
            wishes: vec![Wish::Bootstrap(0)],
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "three",
            hosts: 3,
            stages: takeover(),
            budget: (1, 1),
            depth: Some(7),
            ..base()
        },
        Config {
            // Without the depth (`DEPTH=0`): 38,483,214 states, six minutes.
            name: "overlap",
            mode: Mode::Overlap,
            stages: overlap(),
            budget: (1, 1),
            depth: Some(8),
            ..base()
        },
        Config {
            name: "overlap-three",
            hosts: 3,
            mode: Mode::Overlap,
            stages: overlap(),
            budget: (1, 1),
            depth: Some(5),
            ..base()
        },
        Config {
            name: "overlap-any",
            mode: Mode::Overlap,
            stages: overlap(),
            network: Network::Any,
            budget: (1, 1),
            depth: Some(5),
            ..base()
        },
        Config {
            name: "overlap-alone",
            hosts: 3,
            mode: Mode::Overlap,
            stages: overlap_alone(),
            on_deadline: DrainPolicy::Extend,
            budget: (1, 1),
            depth: Some(6),
            ..base()
        },
        Config {
            name: "force",
            stages: silent(),
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "force-three",
            hosts: 3,
            stages: silent(),
            budget: (1, 1),
            depth: Some(6),
            ..base()
        },
        Config {
            name: "way-back",
            stages: way_back(),
            wishes: every_wish.clone(),
            troubles: [ALL, &[Trouble::LostDisk]].concat(),
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "way-back-auto",
            stages: way_back(),
            auto_giveback: true,
            reboot: false,
            on_deadline: DrainPolicy::Abort,
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "parked",
            stages: parked(),
            opinions: vec![
                Opinion::Healthy,
                Opinion::Failing,
                Opinion::FailingSoon,
                Opinion::Impaired,
                Opinion::Unknown,
            ],
            on_deadline: DrainPolicy::Extend,
            unknown_is_failed: true,
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "unstartable",
            stages: unstartable(),
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "superseded",
            stages: superseded(),
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "unknown",
            opinions: vec![Opinion::Unknown, Opinion::Impaired, Opinion::FailingSoon],
            unknown_is_failed: true,
            budget: (1, 1),
            ..base()
        },
        Config {
            name: "lost-disk",
            stages: takeover(),
            troubles: vec![Trouble::LostDisk, Trouble::Crash, Trouble::Order],
            wishes: vec![Wish::Force(0, 0), Wish::Bootstrap(0)],
            budget: (2, 0),
            ..base()
        },
        Config {
            name: "orders",
            wishes: every_wish,
            opinions: vec![Opinion::Healthy, Opinion::Failing, Opinion::Impaired, Opinion::Unknown],
            budget: (2, 0),
            ..base()
        },
    ]
}

/// What the environment asks for, and whether it is another thing than usual.
pub(crate) fn chosen() -> (Vec<Config>, bool) {
    let asked = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let number = |name: &str| {
        asked(name).map(|text| {
            text.parse::<usize>()
                .unwrap_or_else(|_| panic!("{name}={text} is no number"))
        })
    };
    let small = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let only = asked("ONLY");
    let (hosts, troubles, ticks) = (number("HOSTS"), number("TROUBLES"), number("TICKS"));
    let (depth, calm) = (number("DEPTH"), number("CALM"));
    let changed = [hosts, troubles, ticks, depth, calm].iter().any(Option::is_some) || only.is_some();
    let mut configs = all();
    let only = only.as_deref();
    configs.retain(|config| only.is_none_or(|only| config.name == only));
    for config in &mut configs {
        config.hosts = hosts.unwrap_or(config.hosts).clamp(2, 3);
        config.budget.0 = troubles.map_or(config.budget.0, small);
        config.budget.1 = ticks.map_or(config.budget.1, small);
        config.depth = depth.map_or(config.depth, |depth| (depth > 0).then_some(depth));
        config.calm_every = calm.map_or(config.calm_every, |calm| u64::try_from(calm).unwrap_or(0));
    }
    (configs, changed)
}
