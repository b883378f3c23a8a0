//! What must never happen, as the model checks it: after each turn of a host, and in each state of the whole.
//!
//! Each rule is a property of its own, so that a report says which one a trace breaks.

use understudy_protocol::{
    Action, Durable, Event, Grant, HostName, Machine, Message, Mode, RoleName, Step, StopPurpose, Term, Work,
};

use crate::host::{Effects, Host, NOW};
use crate::turn::is_forcing;
use crate::world::timers_of;

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Rule {
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
    NoPanic,
}

impl Rule {
    pub(crate) const ALL: [Rule; 15] = [
        Rule::OneServes,
        Rule::OneRuns,
        Rule::ServesTheHighest,
        Rule::TermsAreUnique,
        Rule::OneToken,
        Rule::ReleaseIsCovered,
        Rule::GrantIsUsedOnce,
        Rule::StoredFirst,
        Rule::OnlyHeldIsKnown,
        Rule::NothingGoesBack,
        Rule::NoOldWork,
        Rule::HeardBeforeServing,
        Rule::TimersRun,
        Rule::OrdersAreAnswered,
        Rule::NoPanic,
    ];

    pub(crate) fn text(self) -> &'static str {
        match self {
            Rule::OneServes => "two hosts never admit clients",
            Rule::OneRuns => "two servers run only where both may",
            Rule::ServesTheHighest => {
                "who admits clients holds the highest term, on its disk, or it is on its way there"
            }
            Rule::TermsAreUnique => "no term is held by two",
            Rule::OneToken => "without force, one host holds the service or one grant is under way, never both or two",
            Rule::ReleaseIsCovered => "a release finds the server stopped, the address gone, the compilation stored",
            Rule::GrantIsUsedOnce => "a grant is used once",
            Rule::StoredFirst => "what a host goes by, says or begins is on its disk",
            Rule::OnlyHeldIsKnown => "only a term that somebody held is known as held",
            Rule::NothingGoesBack => "known and promised terms and round numbers never go back",
            Rule::NoOldWork => "no work of an old term is begun or kept",
            Rule::HeardBeforeServing => "a term is used only after everybody was heard, or by force",
            Rule::TimersRun => "whoever waits has a timer",
            Rule::OrdersAreAnswered => "an order is answered at once, or its forced takeover is under way",
            Rule::NoPanic => "the machine takes every event",
        }
    }
}

/// What must hold of one turn.
pub(crate) fn check_turn(before: &Host, after: &Host, event: &Event, actions: &[Action], effects: &mut Effects) {
    if let (Some(old), Some(new)) = (&before.disk, &after.disk) {
        let back = new.known < old.known || new.promised < old.promised || new.round_counter < old.round_counter;
        if back || (old.adopted && !new.adopted) {
            effects.breaks(Rule::NothingGoesBack, format!("{old:?} became {new:?}"));
        }
    }
    let fresh = before.disk.as_ref().is_none_or(|disk| !disk.adopted);
    for action in actions {
        match action {
            Action::Send { message, .. } => check_said(after, event, message, fresh, effects),
            Action::Do(work) => check_begun(after, work, effects),
            _ => {}
        }
    }
    if effects.released && (after.address || !(after.by_hand || stopped(after))) {
        effects.breaks(Rule::ReleaseIsCovered, "the server runs, or the address is here");
    }
    let asks = matches!(event, Event::Ordered(_));
    let answered = actions.iter().any(|action| matches!(action, Action::Answer { .. }));
    if asks && !answered && !is_forcing(after.role()) {
        effects.breaks(Rule::OrdersAreAnswered, format!("{event:?}"));
    }
}

fn stopped(host: &Host) -> bool {
    host.server == understudy_protocol::ServerState::Stopped
}

fn check_said(host: &Host, event: &Event, message: &Message, fresh: bool, effects: &mut Effects) {
    let disk = host.disk.clone().unwrap_or_default();
    let covered = match message {
        Message::TookOver { held } | Message::StayDown { held } | Message::ComeBackPermitted { held } => {
            disk.held == Some(*held)
        }
        Message::Hello(s) | Message::HelloReply { standing: s, .. } => {
            let durable = (s.known, s.promised, s.held, &s.grant);
            durable == (disk.known, disk.promised, disk.held, &disk.grant)
        }
        Message::Released(grant) => disk.grant.as_ref() == Some(grant),
        // Nobody new comes to this host any more.
        Message::AdmissionYielded(grant) => disk.grant.as_ref() == Some(grant) && !host.address,
        Message::FenceAck { term } => {
            let first_start =
                matches!(event, Event::Received(e) if matches!(e.message, Message::Fence { bootstrap: true, .. }));
            disk.promised >= *term && disk.held.is_none() && (!fresh || first_start)
        }
        Message::FaultIndicated { round } => disk.round_counter >= round.counter && disk.held.is_some(),
        Message::CompilationStored { round, seal } => host.stored.get(round) == Some(seal),
        _ => true,
    };
    if !covered {
        effects.breaks(
            Rule::StoredFirst,
            format!("{message:?} is said with {disk:?} on the disk"),
        );
    }
}

fn check_begun(host: &Host, work: &Work, effects: &mut Effects) {
    if !is_noted(host, work) {
        effects.breaks(
            Rule::StoredFirst,
            format!("{work:?} could not be undone after a restart"),
        );
    }
    match work {
        Work::Serve { .. }
        | Work::TakeAddress { .. }
        | Work::Appear { .. }
        | Work::Resume { .. }
        | Work::ResolveRequests { .. } => {
            check_term(host, work, effects);
        }
        Work::StopServer {
            purpose: StopPurpose::Release,
            ..
        } => {
            let view = host.machine.as_ref().map(|machine| machine.view(NOW));
            let round = view.and_then(|view| view.takeover).and_then(|takeover| takeover.round);
            if round.is_none_or(|round| !host.pages.contains_key(&round)) {
                effects.breaks(
                    Rule::ReleaseIsCovered,
                    "the server is stopped before its requests are listed",
                );
            }
        }
        _ => {}
    }
}

/// What must be undone should its round come to nothing is on the disk before it begins.
fn is_noted(host: &Host, work: &Work) -> bool {
    let disk = host.disk.clone().unwrap_or_default();
    let begun = disk.begun.map(|begun| begun.step);
    match work {
        Work::StopAdmitting { .. } => begun >= Some(Step::Admission),
        Work::StopServer {
            purpose: StopPurpose::Release,
            ..
        } => disk.grant.is_some() || begun >= Some(Step::Server),
        Work::Arm { .. } => begun == Some(Step::Arm),
        Work::WarmUp { .. } => begun == Some(Step::WarmUp),
        Work::Redirect { .. } | Work::EndFlows { .. } => disk.grant.is_some(),
        _ => true,
    }
}

fn check_term(host: &Host, work: &Work, effects: &mut Effects) {
    if let Work::Serve { term, .. }
    | Work::TakeAddress { term, .. }
    | Work::Appear { term, .. }
    | Work::Resume { term }
    | Work::ResolveRequests { term, .. } = work
        && host.held() != Some(*term)
    {
        effects.breaks(Rule::NoOldWork, format!("{work:?} with {:?} held", host.held()));
    }
}

/// What must hold of one host after every turn.
pub(crate) fn check_host(host: &Host, effects: &mut Effects) {
    let disk = host.disk.clone().unwrap_or_default();
    if disk.held.is_some() && disk.grant.is_some() {
        effects.breaks(Rule::OneToken, "the term is held and released");
    }
    let Some(machine) = &host.machine else { return };
    if *machine.durable() != disk {
        let text = format!("{:?} goes by {:?}", disk, machine.durable());
        effects.breaks(Rule::StoredFirst, text);
    }
    // What must still be resolved is finished even if the term has passed: it only writes down what became of it.
    let changing = host
        .work
        .iter()
        .filter(|work| !matches!(work, Work::ResolveRequests { .. }));
    changing.for_each(|work| check_term(host, work, effects));
    check_role(host, machine, &disk, effects);
}

fn check_role(host: &Host, machine: &Machine, disk: &Durable, effects: &mut Effects) {
    let role = machine.role();
    let timers = host.timers();
    if let Some(missing) = timers_of(role).iter().find(|timer| !timers.contains(timer)) {
        effects.breaks(
            Rule::TimersRun,
            format!("{role} without its timer {}", missing.as_str()),
        );
    }
    let holder = matches!(
        role,
        RoleName::Activating
            | RoleName::Active
            | RoleName::Asking
            | RoleName::Draining
            | RoleName::Stopped
            | RoleName::Parked
    );
    if holder && disk.held.is_none_or(|held| held < disk.known) {
        effects.breaks(
            Rule::StoredFirst,
            format!("{role} without the highest known term on the disk"),
        );
    }
    let forced = disk.tenure.as_ref().is_some_and(|tenure| tenure.from.is_none());
    let heard = machine.view(NOW).peers.iter().all(|peer| peer.heard);
    if holder && !heard && !forced && !host.went_on {
        effects.breaks(Rule::HeardBeforeServing, format!("{role} with somebody not heard"));
    }
}

/// What the rules need to know of what happened before.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Past {
    /// The highest term anybody ever held.
    pub(crate) highest: Term,
    /// The grants that were used, by round.
    pub(crate) used: Vec<understudy_protocol::RoundId>,
    /// Whether a term was ever forced.
    pub(crate) forced: bool,
    /// How often an operator forced, or started, the service.
    pub(crate) orders: u8,
}

/// What must hold of all hosts together, after `who` took a turn with these effects.
pub(crate) fn check_all(hosts: &[&Host], who: usize, past: &Past, effects: &Effects) -> Option<Rule> {
    let mut held: Vec<Term> = hosts.iter().filter_map(|host| host.held()).collect();
    held.sort_unstable();
    let admits = |host: &&&Host| host.admits() || (host.admits_sent_on() && is_sent_to(hosts, host));
    let admitting: Vec<&&Host> = hosts.iter().filter(admits).collect();
    if admitting.len() > 1 {
        return Some(Rule::OneServes);
    }
    let may_overlap = hosts.iter().all(|host| host.plan.1.mode == Mode::Overlap);
    if !may_overlap && hosts.iter().filter(|host| host.runs()).count() > 1 {
        return Some(Rule::OneRuns);
    }
    if let Some(host) = admitting.first()
        && (host.held().is_none() || host.held() != held.last().copied())
        && !is_yielded(hosts, host)
    {
        return Some(Rule::ServesTheHighest);
    }
    if held.windows(2).any(|pair| pair[0] == pair[1]) {
        return Some(Rule::TermsAreUnique);
    }
    let unused = |host: &&&Host| {
        let grant = host.disk.as_ref().and_then(|disk| disk.grant.as_ref());
        grant.is_some_and(|grant| !past.used.contains(&grant.round))
    };
    let grants = hosts.iter().filter(unused).count();
    if !past.forced && held.len() + grants > 1 {
        return Some(Rule::OneToken);
    }
    if hosts
        .iter()
        .any(|host| host.disk.as_ref().is_some_and(|disk| disk.known > past.highest))
    {
        return Some(Rule::OnlyHeldIsKnown);
    }
    if effects.released && !second_has_it(hosts, who) {
        return Some(Rule::ReleaseIsCovered);
    }
    None
}

fn is_sent_to(hosts: &[&Host], to: &Host) -> bool {
    hosts.iter().any(|host| host.redirects.as_ref() == Some(name_of(to)))
}

/// Whether this host has yielded and does not send new flows on yet, or they come to it and it has not heard of it.
fn is_yielded(hosts: &[&Host], who: &Host) -> bool {
    hosts.iter().any(|host| {
        let by = |grant: &Grant| grant.seal.is_none() && (grant.to == *name_of(who) || name_of(host) == name_of(who));
        host.disk.as_ref().and_then(|disk| disk.grant.as_ref()).is_some_and(by)
    })
}

fn second_has_it(hosts: &[&Host], who: usize) -> bool {
    let Some(grant) = hosts[who].disk.as_ref().and_then(|disk| disk.grant.as_ref()) else {
        return true;
    };
    let named = |host: &&&Host| name_of(host) == &grant.to;
    let second = hosts.iter().find(named);
    // A disk that is lost after it confirmed can't be known of.
    second.is_some_and(|second| second.lost_disks > 0 || second.stored.get(&grant.round) == grant.seal.as_ref())
}

fn name_of(host: &Host) -> &HostName {
    &host.plan.1.me
}
