//! What a seed settles before anything happens: how many hosts and services, and how they are configured.

use std::time::Duration;

use understudy_protocol::{DrainPolicy, FlapGuard, Giveback, HostName, Mode, OnUnknown, Plan, ServiceName, Timing};

use super::dice::Dice;

/// One run's world.
pub(super) struct Settings {
    pub(super) hosts: Vec<HostName>,
    pub(super) plans: Vec<Plan>,
    /// Addresses outlive the daemon (an address on an interface), or end with it (a proxy).
    pub(super) addresses_outlive: bool,
    /// Messages get lost, doubled and overtaken even on a connection that stands; TCP would not, a relay might.
    pub(super) wild_network: bool,
    /// Wall clocks jump by up to a day.
    pub(super) clocks_jump: bool,
    /// SQLite on a real file instead of the store's stand-in.
    pub(super) real_store: bool,
    /// How many things go wrong.
    pub(super) steps: u64,
}

/// One seed in so many moves admission first, where its addresses outlive the daemon.
const OVERLAP_EVERY: u64 = 3;
/// One seed in so many has the real store.
pub(super) const REAL_STORE_EVERY: u64 = 20;

impl Settings {
    pub(super) fn of(seed: u64, dice: &mut Dice) -> Settings {
        let names: &[&str] = if dice.one_in(2) {
            &["alpha", "beta"]
        } else {
            &["alpha", "beta", "gamma"]
        };
        let hosts: Vec<HostName> = names.iter().map(|name| HostName::new(name).unwrap()).collect();
        let services: &[&str] = if dice.one_in(3) { &["web", "mail"] } else { &["web"] };
        let mut plans: Vec<Plan> = services.iter().map(|service| plan(service, &hosts, dice)).collect();
        let addresses_outlive = dice.one_in(2);
        if addresses_outlive && seed % OVERLAP_EVERY == OVERLAP_EVERY - 1 {
            plans.iter_mut().for_each(|plan| plan.mode = Mode::Overlap);
        }
        Settings {
            plans,
            hosts,
            addresses_outlive,
            wild_network: dice.one_in(4),
            clocks_jump: dice.one_in(4),
            real_store: seed % REAL_STORE_EVERY == REAL_STORE_EVERY - 1,
            steps: 10 + dice.below(60),
        }
    }
}

fn plan(service: &str, hosts: &[HostName], dice: &mut Dice) -> Plan {
    let mut candidates = hosts.to_vec();
    let turn = dice.below(hosts.len() as u64);
    candidates.rotate_left(usize::try_from(turn).unwrap());
    let policies = [DrainPolicy::Force, DrainPolicy::Abort, DrainPolicy::Extend];
    Plan {
        service: ServiceName::new(service).unwrap(),
        me: candidates[0].clone(),
        candidates,
        mode: Mode::Exclusive,
        on_deadline_fault: dice.pick(&policies[..2]),
        on_deadline_request: dice.pick(&policies),
        giveback: if dice.one_in(2) {
            Giveback::Manual
        } else {
            Giveback::Auto {
                delay: dice.millis(1_000, 10_000),
                attempts: 2,
            }
        },
        flap: FlapGuard {
            takeovers: dice.pick(&[0, 2, 6]),
            window: Duration::from_secs(60),
        },
        extend_at_most: Duration::from_secs(20),
        reboot: dice.one_in(2),
        on_unknown: dice.pick(&[OnUnknown::Alert, OnUnknown::Alert, OnUnknown::TakeOver]),
        timing: timing(dice),
    }
}

/// The product's own, or shorter ones that bring more to pass in less time.
fn timing(dice: &mut Dice) -> Timing {
    if dice.one_in(4) {
        return Timing::default();
    }
    let seconds = Duration::from_secs;
    Timing {
        answer: seconds(5),
        retry: seconds(5),
        assessment: seconds(3),
        offer: seconds(15),
        drain: seconds(8),
        compilation: seconds(5),
        stop: seconds(5),
        serve: seconds(8),
        hold: seconds(4),
        fence: seconds(3),
        reboot: seconds(10),
        ..Timing::default()
    }
}
