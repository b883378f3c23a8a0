//! Takeovers as the API shows them: read out of the journal, this host's and the peers'. Pure.
//!
//! Invariant: the state follows from the steps that were written down, never from what should have happened.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use understudy_api::wire::{Cause, JournalLine, Role, Takeover, TakeoverState, Term};
use understudy_protocol::ServiceName;

use crate::driver::forced_id;

/// Puts the lines of one round together; none when there are no lines.
pub(crate) fn of_round(id: &str, mut steps: Vec<JournalLine>, cause: Option<Cause>) -> Option<Takeover> {
    steps.sort_by(|a, b| (a.at_ms, &a.host, a.seq).cmp(&(b.at_ms, &b.host, b.seq)));
    let begun = steps.first()?;
    let (service, started_at_ms) = (begun.service.clone(), begun.at_ms);
    let state = state(&steps);
    let ended_at_ms = state.is_final().then(|| {
        steps
            .iter()
            .filter(|line| ends(&line.step))
            .map(|line| line.at_ms)
            .max()
    });
    Some(Takeover {
        id: id.to_owned(),
        service,
        first: steps
            .iter()
            .find(|line| is_firsts(line.from))
            .map(|line| line.host.clone()),
        second: steps
            .iter()
            .find(|line| is_seconds(line.to))
            .map(|line| line.host.clone()),
        cause,
        state,
        new_term: new_term(&steps),
        started_at_ms,
        ended_at_ms: ended_at_ms.flatten(),
        outage_ms: outage(&steps),
        refusal: None,
        steps,
    })
}

/// Every round of these lines, newest first.
pub(crate) fn all(lines: Vec<JournalLine>, cause: impl Fn(&str) -> Option<Cause>) -> Vec<Takeover> {
    let mut rounds: BTreeMap<String, Vec<JournalLine>> = BTreeMap::new();
    let mut all = forced(&lines);
    for line in lines {
        if let Some(round) = line.round.clone() {
            rounds.entry(round).or_default().push(line);
        }
    }
    let of_rounds = rounds
        .into_iter()
        .filter_map(|(id, steps)| of_round(&id, steps, cause(&id)));
    all.extend(of_rounds);
    all.sort_by_key(|takeover| std::cmp::Reverse(takeover.started_at_ms));
    all
}

/// The forced takeovers of these lines: they have no round, and are named for their service and term.
pub(crate) fn forced(lines: &[JournalLine]) -> Vec<Takeover> {
    let mut own: BTreeMap<(&str, &str), Vec<&JournalLine>> = BTreeMap::new();
    for line in lines {
        own.entry((&line.host, &line.service)).or_default().push(line);
    }
    let mut all = Vec::new();
    for ((host, service), mut lines) in own {
        lines.sort_by_key(|line| line.seq);
        for won in lines.iter().filter(|line| wins_by_force(line)) {
            let (Some((from, until)), Ok(name)) = (forced_span(&lines, &won.term), ServiceName::new(service)) else {
                continue;
            };
            let of_it = lines.iter().filter(|line| (from..=until).contains(&line.seq));
            let steps: Vec<JournalLine> = of_it.map(|line| (*line).clone()).collect();
            let served = steps.iter().find(|line| line.step == "serving").map(|line| line.at_ms);
            all.push(Takeover {
                id: forced_id(&name, understudy_protocol::Term(won.term.value)),
                service: service.to_owned(),
                first: None,
                second: Some(host.to_owned()),
                cause: None,
                state: served.map_or(TakeoverState::TakingOver, |_| TakeoverState::Done),
                new_term: Some(won.term.clone()),
                started_at_ms: steps.first().map_or(won.at_ms, |line| line.at_ms),
                ended_at_ms: served,
                outage_ms: None,
                refusal: None,
                steps,
            });
        }
    }
    all
}

/// From the beginning of the attempt that won this term until its host serves: the numbers of the first and the last of
/// one host's lines, which come in their order.
pub(crate) fn forced_span<L: Borrow<JournalLine>>(lines: &[L], term: &Term) -> Option<(u64, u64)> {
    let line = |place: usize| lines[place].borrow();
    let won = (0..lines.len()).find(|place| line(*place).term == *term && wins_by_force(line(*place)))?;
    let begun = (0..=won).rfind(|place| line(*place).step == "force-begun")?;
    let ends = |place: &usize| line(*place).to == Role::Active || line(*place).term != *term;
    let serves = (won..lines.len()).find(ends).unwrap_or(lines.len() - 1);
    Some((line(begun).seq, line(serves).seq))
}

/// Whether this step took a forced term; the service's very first start takes one as a promise is given, by no force.
fn wins_by_force(line: &JournalLine) -> bool {
    let took = line.to == Role::Activating && (line.from == Role::Forcing || line.step == "force-begun");
    took && understudy_protocol::Term(line.term.value).is_forced()
}

fn is_firsts(role: Role) -> bool {
    matches!(
        role,
        Role::Asking | Role::Draining | Role::Stopped | Role::Released | Role::Active | Role::Parked
    )
}

fn is_seconds(role: Role) -> bool {
    matches!(role, Role::Preparing | Role::Activating)
}

fn ends(step: &str) -> bool {
    DONE.contains(&step) || CANCELLED.contains(&step) || DECLINED.contains(&step)
}

const DONE: [&str; 2] = ["took-over", "grant-settled"];
const CANCELLED: [&str; 4] = ["drain-aborted", "ask-ended", "offer-cancelled", "offer-forgotten"];
const DECLINED: [&str; 4] = ["candidate-declined", "declined", "candidate-silent", "offer-stale"];

fn state(steps: &[JournalLine]) -> TakeoverState {
    let has = |names: &[&str]| steps.iter().any(|line| names.contains(&line.step.as_str()));
    if settled_at_home(steps) {
        TakeoverState::Cancelled
    } else if has(&DONE[..1]) {
        TakeoverState::Done
    } else if has(&["grant-accepted", "server-serves", "serving"]) {
        TakeoverState::TakingOver
    } else if has(&DONE) {
        TakeoverState::Done
    } else if has(&["released", "admission-yielded"]) {
        TakeoverState::Released
    } else if has(&CANCELLED) {
        TakeoverState::Cancelled
    } else if has(&DECLINED) {
        TakeoverState::Declined
    } else if has(&["drain-started", "shut-down-alone"]) {
        TakeoverState::Draining
    } else {
        TakeoverState::Asking
    }
}

/// It came to nothing, and the host that began it has settled what its own stop had cut.
fn settled_at_home(steps: &[JournalLine]) -> bool {
    let by = |step: &str| {
        steps
            .iter()
            .find(|line| line.step == step)
            .map(|line| line.host.as_str())
    };
    by("took-over").is_some() && by("took-over") == by("drain-started").or(by("shut-down-alone"))
}

fn new_term(steps: &[JournalLine]) -> Option<Term> {
    steps
        .iter()
        .find(|line| line.step == "grant-accepted")
        .map(|line| line.term.clone())
}

/// From the moment in which the first stopped admitting to the moment in which the second admitted, by the two hosts'
/// own clocks. Where admission was yielded to a server that ran already there is no such time.
fn outage(steps: &[JournalLine]) -> Option<u64> {
    let at = |step: &str| steps.iter().position(|line| line.step == step);
    if let (Some(redirected), Some(serving)) = (at("redirected"), at("serving")) {
        return (at("warming-up") < Some(redirected) && serving > redirected).then_some(0);
    }
    let held = steps.iter().find(|line| line.step == "drain-started")?.at_ms;
    let admitted = steps
        .iter()
        .find(|line| line.step == "serving" && line.at_ms >= held)?
        .at_ms;
    Some(admitted - held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(host: &str, step: &str, from: Role, to: Role, at_ms: u64) -> JournalLine {
        JournalLine {
            seq: at_ms,
            at_ms,
            host: host.to_owned(),
            service: "web".to_owned(),
            step: step.to_owned(),
            reason: String::new(),
            detail: String::new(),
            from,
            to,
            term: understudy_protocol::Term(2).into(),
            round: Some("r-1".to_owned()),
        }
    }

    #[test]
    fn a_takeover_is_read_from_both_hosts_lines() {
        let lines = vec![
            line("alpha", "fault-indicated", Role::Active, Role::Asking, 10),
            line("beta", "fault-heard", Role::Standby, Role::Preparing, 11),
            line("alpha", "drain-started", Role::Asking, Role::Draining, 20),
            line("alpha", "released", Role::Stopped, Role::Released, 30),
            line("beta", "grant-accepted", Role::Preparing, Role::Activating, 31),
            line("beta", "serving", Role::Activating, Role::Active, 45),
        ];
        let under_way = of_round("r-1", lines.clone(), None).unwrap();
        assert_eq!(under_way.state, TakeoverState::TakingOver);
        let mut ended = lines;
        ended.push(line("beta", "took-over", Role::Active, Role::Active, 50));
        let done = of_round("r-1", ended, None).unwrap();
        assert_eq!(done.state, TakeoverState::Done);
        assert_eq!(
            (done.first.as_deref(), done.second.as_deref()),
            (Some("alpha"), Some("beta"))
        );
        assert_eq!((done.outage_ms, done.ended_at_ms), (Some(25), Some(50)));
    }

    #[test]
    fn a_forced_takeover_is_one_too() {
        let term = understudy_protocol::Term::forced_above(understudy_protocol::Term(2), 1, 1_795_450_127);
        let of = |step: &str, from, to, at_ms, term: understudy_protocol::Term| JournalLine {
            term: term.into(),
            round: None,
            ..line("beta", step, from, to, at_ms)
        };
        let lines = vec![
            of(
                "holder-silent",
                Role::Standby,
                Role::Standby,
                10,
                understudy_protocol::Term(2),
            ),
            of(
                "force-begun",
                Role::Standby,
                Role::Forcing,
                20,
                understudy_protocol::Term(2),
            ),
            of("fence-acknowledged", Role::Forcing, Role::Activating, 21, term),
            of("server-serves", Role::Activating, Role::Activating, 30, term),
            of("serving", Role::Activating, Role::Active, 31, term),
            of("fault-indicated", Role::Active, Role::Asking, 90, term),
        ];
        let forced = forced(&lines);
        assert_eq!(forced.len(), 1);
        assert_eq!(forced[0].id, format!("forced-web-{}", term.0));
        assert_eq!((forced[0].state, forced[0].steps.len()), (TakeoverState::Done, 4));
        assert_eq!((forced[0].started_at_ms, forced[0].ended_at_ms), (20, Some(31)));
    }

    #[test]
    fn a_declined_round_stays_declined() {
        let lines = vec![
            line("alpha", "fault-indicated", Role::Active, Role::Asking, 10),
            line("alpha", "candidate-declined", Role::Asking, Role::Active, 12),
        ];
        assert_eq!(of_round("r-1", lines, None).unwrap().state, TakeoverState::Declined);
    }
}
