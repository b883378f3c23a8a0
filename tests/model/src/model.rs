//! All hosts together, with a network that may do anything, as stateright explores it.
//!
//! Invariants: whatever costs nothing may happen at any time; what costs is bounded by the configuration's two
//! budgets, and both are part of the state; a step that changes nothing is no step.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, RwLock};

use stateright::{Model, Property};
use understudy_protocol::{HostName, Plan, RoleName, ServerState, TimerName, Work};

use crate::config::{Config, Network, Trouble};
use crate::host::{Effects, Host, Parcel};
use crate::rules::{self, Past, Rule};
use crate::turn::{Ending, Stimulus, Wish, turn};

/// All hosts, what is under way between them, and what may still go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) hosts: Vec<u32>,
    /// Parcels by number: each that was ever sent, or, where they stay in order, each that is under way.
    pub(crate) network: Vec<u32>,
    pub(crate) troubles: u8,
    pub(crate) ticks: u8,
    pub(crate) past: Past,
    pub(crate) broken: Option<Rule>,
}

/// One step: who, and what.
pub(crate) type Step = (u8, Stimulus);

/// What is known of a host without looking at its machine again.
pub(crate) struct Known {
    pub(crate) host: Host,
    timers: Vec<TimerName>,
    connected: Vec<bool>,
}

/// A turn that was computed once.
pub(crate) struct Turned {
    pub(crate) after: u32,
    sent: Vec<u32>,
    pub(crate) effects: Effects,
}

#[derive(Default)]
struct Tables {
    hosts: Vec<Arc<Known>>,
    host_numbers: HashMap<Host, u32>,
    parcels: Vec<Arc<(usize, usize, Parcel)>>,
    parcel_numbers: HashMap<Arc<(usize, usize, Parcel)>, u32>,
    turns: HashMap<(u32, Stimulus), Arc<Turned>>,
}

/// What stateright explores.
pub(crate) struct Whole {
    pub(crate) config: Config,
    pub(crate) plan: Plan,
    tables: RwLock<Tables>,
    /// The rows of the table that were taken.
    pub(crate) rows: Mutex<BTreeSet<usize>>,
    pub(crate) calm: Mutex<crate::calm::Tally>,
    pub(crate) first: Vec<State>,
}

impl Whole {
    pub(crate) fn new(config: Config) -> Whole {
        let plan = config.plan();
        let mut whole = Whole {
            config,
            plan,
            tables: RwLock::default(),
            rows: Mutex::default(),
            calm: Mutex::default(),
            first: Vec::new(),
        };
        whole.first = whole.stages();
        whole
    }

    /// Nobody was ever started.
    pub(crate) fn empty(&self) -> State {
        let candidates = self.plan.candidates.iter();
        let plans = candidates.map(|me| {
            Arc::new(Plan {
                me: me.clone(),
                ..self.plan.clone()
            })
        });
        State {
            hosts: plans
                .enumerate()
                .map(|(at, plan)| self.number(Host::new(at, plan)))
                .collect(),
            network: Vec::new(),
            troubles: 0,
            ticks: 0,
            past: Past::default(),
            broken: None,
        }
    }

    pub(crate) fn known(&self, number: u32) -> Arc<Known> {
        self.tables.read().unwrap().hosts[number as usize].clone()
    }

    pub(crate) fn parcel(&self, number: u32) -> Arc<(usize, usize, Parcel)> {
        self.tables.read().unwrap().parcels[number as usize].clone()
    }

    pub(crate) fn hosts(&self, state: &State) -> Vec<Arc<Known>> {
        let tables = self.tables.read().unwrap();
        state
            .hosts
            .iter()
            .map(|number| tables.hosts[*number as usize].clone())
            .collect()
    }

    fn number(&self, host: Host) -> u32 {
        let mut tables = self.tables.write().unwrap();
        if let Some(number) = tables.host_numbers.get(&host) {
            return *number;
        }
        let number = u32::try_from(tables.hosts.len()).unwrap();
        let others = self.plan.candidates.iter();
        let view = host.machine.as_ref().map(|machine| machine.view(crate::host::NOW));
        let connected = |name: &HostName| {
            view.as_ref()
                .is_some_and(|v| v.peers.iter().any(|p| p.host == *name && p.connected))
        };
        let known = Known {
            timers: host.timers(),
            connected: others.map(connected).collect(),
            host: host.clone(),
        };
        tables.hosts.push(Arc::new(known));
        tables.host_numbers.insert(host, number);
        number
    }

    fn parcel_number(&self, parcel: (usize, usize, Parcel)) -> u32 {
        let mut tables = self.tables.write().unwrap();
        if let Some(number) = tables.parcel_numbers.get(&parcel) {
            return *number;
        }
        let number = u32::try_from(tables.parcels.len()).unwrap();
        let parcel = Arc::new(parcel);
        tables.parcels.push(parcel.clone());
        tables.parcel_numbers.insert(parcel, number);
        number
    }

    pub(crate) fn turned(&self, host: u32, stimulus: Stimulus) -> Arc<Turned> {
        if let Some(turned) = self.tables.read().unwrap().turns.get(&(host, stimulus)) {
            return turned.clone();
        }
        let known = self.known(host);
        let arrived = match stimulus {
            Stimulus::Arrives(number) => Some(self.parcel(number)),
            _ => None,
        };
        let (after, mut effects) = turn(&known.host, stimulus, arrived.as_ref().map(|parcel| &parcel.2));
        let from = known.host.plan.0;
        let sent = std::mem::take(&mut effects.sent);
        let sent = sent
            .into_iter()
            .map(|(to, parcel)| self.parcel_number((from, to, parcel)))
            .collect();
        self.rows.lock().unwrap().extend(effects.row);
        let after = self.number(after);
        let turned = Arc::new(Turned { after, sent, effects });
        self.tables
            .write()
            .unwrap()
            .turns
            .insert((host, stimulus), turned.clone());
        turned
    }

    /// What one step makes of the whole; none where it changes nothing.
    pub(crate) fn step(&self, network: Network, state: &State, (who, stimulus): Step) -> Option<State> {
        let at = usize::from(who);
        let turned = self.turned(state.hosts[at], stimulus);
        let mut next = state.clone();
        let arrived = network == Network::Ordered && self.take_out(&mut next, at, stimulus);
        next.hosts[at] = turned.after;
        let sent = put_in(network, &mut next, &turned.sent);
        if next.hosts == state.hosts && !sent && !arrived && turned.effects.broken.is_none() {
            return None;
        }
        match self.config.cost(stimulus) {
            // That a dead peer is gone is noticed for nothing.
            Some(Trouble::Cut) if self.is_down(state, stimulus) => {}
            Some(Trouble::Tick) => next.ticks = state.ticks.checked_sub(1)?,
            Some(_) => next.troubles = state.troubles.checked_sub(1)?,
            None => {}
        }
        // Of two such orders one comes first: nobody sees within a second that a host is stopped.
        if matches!(stimulus, Stimulus::Orders(Wish::Force(..) | Wish::Bootstrap(_))) {
            next.past.orders += 1;
        }
        self.check(&mut next, at, &turned.effects);
        Some(next)
    }

    fn is_down(&self, state: &State, stimulus: Stimulus) -> bool {
        match stimulus {
            Stimulus::Lost(other) => self.known(state.hosts[usize::from(other)]).host.machine.is_none(),
            _ => false,
        }
    }

    fn check(&self, next: &mut State, at: usize, effects: &Effects) {
        let known = self.hosts(next);
        let hosts: Vec<&Host> = known.iter().map(|known| &known.host).collect();
        let held = hosts.iter().filter_map(|host| host.held()).max().unwrap_or_default();
        next.past.highest = next.past.highest.max(held);
        next.past.forced |= held.is_forced();
        let mut broken = effects.broken.as_ref().map(|(rule, _)| *rule);
        if let Some(round) = effects.accepted {
            if next.past.used.contains(&round) {
                broken = broken.or(Some(Rule::GrantIsUsedOnce));
            } else {
                next.past.used.push(round);
            }
        }
        next.broken = next
            .broken
            .or(broken)
            .or_else(|| rules::check_all(&hosts, at, &next.past, effects));
    }

    /// A parcel that stays in order arrives once; what is under way to a host that dies is gone.
    fn take_out(&self, next: &mut State, at: usize, stimulus: Stimulus) -> bool {
        let before = next.network.len();
        match stimulus {
            Stimulus::Arrives(number) | Stimulus::Vanishes(number) => {
                let place = next.network.iter().position(|other| *other == number);
                place.map(|place| next.network.remove(place));
            }
            Stimulus::Crashes | Stimulus::PowersOff | Stimulus::LosesDisk => {
                next.network.retain(|number| self.parcel(*number).1 != at);
            }
            _ => {}
        }
        next.network.len() < before
    }

    /// Steps that cost nothing, in the order in which a calm world takes them.
    pub(crate) fn free_steps(&self, network: Network, state: &State, steps: &mut Vec<Step>) {
        let known = self.hosts(state);
        self.arrivals(network, state, &known, steps);
        for (at, one) in known.iter().enumerate() {
            let who = u8::try_from(at).unwrap();
            if one.host.machine.is_none() {
                steps.push((who, Stimulus::Starts));
                continue;
            }
            for (other, its) in known.iter().enumerate().filter(|(other, _)| *other != at) {
                let (place, runs) = (u8::try_from(other).unwrap(), its.host.machine.is_some());
                if runs && !one.connected[other] {
                    steps.push((who, Stimulus::Connected(place)));
                } else if !runs && one.connected[other] {
                    steps.push((who, Stimulus::Lost(place)));
                }
            }
            let ends = one.host.may_end().into_iter();
            steps.extend(ends.map(|place| (who, Stimulus::Ends(u8::try_from(place).unwrap(), Ending::Done))));
            if one.timers.contains(&TimerName::Observe) {
                steps.push((who, Stimulus::Looks));
            }
        }
    }

    fn arrivals(&self, network: Network, state: &State, known: &[Arc<Known>], steps: &mut Vec<Step>) {
        let mut pairs = BTreeSet::new();
        for number in &state.network {
            let parcel = self.parcel(*number);
            let (from, to) = (parcel.0, parcel.1);
            let first = pairs.insert((from, to));
            if known[to].host.machine.is_some() && (first || network == Network::Any) {
                steps.push((u8::try_from(to).unwrap(), Stimulus::Arrives(*number)));
            }
            let may_vanish = state.troubles > 0 && self.config.troubles.contains(&Trouble::Loss);
            if first && may_vanish && network == Network::Ordered {
                steps.push((u8::try_from(to).unwrap(), Stimulus::Vanishes(*number)));
            }
        }
    }

    fn costly_steps(&self, state: &State, steps: &mut Vec<Step>) {
        let known = self.hosts(state);
        let hosts: Vec<&Host> = known.iter().map(|known| &known.host).collect();
        for (at, one) in known.iter().enumerate() {
            let who = u8::try_from(at).unwrap();
            let host = &one.host;
            let mut may = |trouble, stimulus| {
                if state.troubles > 0 && self.config.troubles.contains(&trouble) {
                    steps.push((who, stimulus));
                }
            };
            if host.server == ServerState::Stopped && !host.address {
                may(Trouble::ByHand, Stimulus::ByHand);
            }
            may(Trouble::PowerOff, Stimulus::PowersOff);
            may(Trouble::LostDisk, Stimulus::LosesDisk);
            if host.machine.is_none() {
                continue;
            }
            may(Trouble::Crash, Stimulus::Crashes);
            for other in (0..known.len()).filter(|other| one.connected[*other]) {
                may(Trouble::Cut, Stimulus::Lost(u8::try_from(other).unwrap()));
            }
            for opinion in &self.config.opinions {
                may(Trouble::Verdict, Stimulus::Probes(*opinion));
            }
            for wish in self.wishes(&hosts, at, state.past.orders) {
                may(Trouble::Order, Stimulus::Orders(wish));
            }
            for place in host.may_end() {
                let number = u8::try_from(place).unwrap();
                may(Trouble::Failure, Stimulus::Ends(number, Ending::Failed));
                may(Trouble::HalfDone, Stimulus::Ends(number, Ending::HalfDone));
                match host.work[place] {
                    Work::Assess { .. } => may(Trouble::Failure, Stimulus::Ends(number, Ending::Refused)),
                    Work::Settle { .. } | Work::EndFlows { .. } => {
                        may(Trouble::Progress, Stimulus::Ends(number, Ending::Progress))
                    }
                    _ => {}
                }
            }
            if state.ticks > 0 {
                let timers = one.timers.iter().filter(|timer| **timer != TimerName::Observe);
                steps.extend(timers.map(|timer| (who, Stimulus::Fires(*timer))));
            }
        }
    }

    fn wishes(&self, hosts: &[&Host], who: usize, orders: u8) -> Vec<Wish> {
        let off = hosts
            .iter()
            .enumerate()
            .filter(|(at, host)| *at != who && host.is_off());
        let set = off.fold(0u8, |set, (at, _)| set | 1 << at);
        let wishes = self.config.wishes.iter().map(|wish| match wish {
            Wish::Force(..) => Wish::Force(set, orders),
            Wish::Bootstrap(_) => Wish::Bootstrap(orders),
            other => *other,
        });
        wishes.collect()
    }

    pub(crate) fn roles(&self, state: &State) -> Vec<Option<RoleName>> {
        self.hosts(state).iter().map(|known| known.host.role()).collect()
    }
}

impl Model for Whole {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        self.first.clone()
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.broken.is_none() {
            self.free_steps(self.config.network, state, steps);
            self.costly_steps(state, steps);
        }
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        self.step(self.config.network, state, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! never {
            ($($rule:ident),*) => { vec![$(Property::always(Rule::$rule.text(), |_: &Whole, state: &State| {
                state.broken != Some(Rule::$rule)
            })),*] };
        }
        let mut all = never!(
            OneServes,
            OneRuns,
            ServesTheHighest,
            TermsAreUnique,
            OneToken,
            ReleaseIsCovered,
            GrantIsUsedOnce,
            StoredFirst,
            OnlyHeldIsKnown,
            NothingGoesBack,
            NoOldWork,
            HeardBeforeServing,
            TimersRun,
            OrdersAreAnswered,
            NoPanic
        );
        all.push(Property::always(crate::calm::TEXT, crate::calm::comes_to_rest));
        all
    }
}

/// What may come at any time, again and again or never, is kept as a set.
fn put_in(network: Network, next: &mut State, sent: &[u32]) -> bool {
    let before = next.network.len();
    for number in sent {
        match network {
            Network::Ordered => next.network.push(*number),
            Network::Any => {
                if let Err(place) = next.network.binary_search(number) {
                    next.network.insert(place, *number);
                }
            }
        }
    }
    next.network.len() > before
}
