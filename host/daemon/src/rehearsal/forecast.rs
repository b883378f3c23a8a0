//! The hosts' words put together: would it move, how long would clients wait, which steps would run. Pure.
//!
//! Invariant: every number says what it rests on; what nobody said is `unknown`, never guessed.

use understudy_api::wire::{
    CandidateAnswer, CandidateForecast, JournalLine, OutageForecast, OutageSource, Rehearsal, Role, ServiceView,
    StepForecast, Takeover, TakeoverState,
};
use understudy_protocol::reason_of;

use super::sides::HolderWord;

/// What was heard.
pub(super) struct Words {
    pub(super) holder: String,
    pub(super) word: Result<HolderWord, String>,
    /// In the order in which they would be asked.
    pub(super) candidates: Vec<CandidateForecast>,
}

/// Nobody is known to hold the service.
pub(super) fn nobody_holds(view: &ServiceView) -> Rehearsal {
    Rehearsal {
        service: view.service.clone(),
        would_move: false,
        summary: "nobody is known to hold the service: nothing would move".to_owned(),
        first: None,
        second: None,
        refusal: None,
        under_way: view.takeover.clone(),
        candidates: Vec::new(),
        requests: None,
        outage: None,
        steps: Vec::new(),
        unknown: Vec::new(),
    }
}

pub(super) fn of(
    view: &ServiceView,
    words: Words,
    giveback: bool,
    history: &[Takeover],
    lines: &[JournalLine],
) -> Rehearsal {
    let mut unknown = Vec::new();
    let (refusal, requests) = match words.word {
        Ok(word) => {
            let requests = word
                .requests
                .map_err(|error| unknown.push(format!("the requests: {error}")));
            (word.refusal, requests.ok())
        }
        Err(because) => {
            unknown.push(format!("what {} would say: {because}", words.holder));
            (None, None)
        }
    };
    let accepts = words.candidates.iter().find(|c| c.answer == CandidateAnswer::Accepts);
    let second = accepts.map(|candidate| candidate.host.clone());
    let would_move = refusal.is_none() && unknown.is_empty() && second.is_some();
    let summary = match (&refusal, &second) {
        (Some(refusal), _) => format!("{} would refuse: {}", words.holder, refusal.message),
        (None, Some(second)) if would_move => format!("{second} would take over from {}", words.holder),
        (None, Some(second)) => format!("{second} would take over, if {} agrees", words.holder),
        (None, None) => nobody(&words.candidates, &words.holder),
    };
    let outage = second
        .as_ref()
        .filter(|_| refusal.is_none())
        .map(|second| outage(history, lines, second));
    let steps = steps(&words.holder, &words.candidates, second.as_deref(), giveback);
    Rehearsal {
        service: view.service.clone(),
        would_move,
        summary,
        first: Some(words.holder),
        second,
        steps: if refusal.is_none() { steps } else { Vec::new() },
        refusal,
        under_way: view.takeover.clone(),
        candidates: words.candidates,
        requests,
        outage,
        unknown,
    }
}

fn nobody(candidates: &[CandidateForecast], holder: &str) -> String {
    let why = |candidate: &CandidateForecast| {
        let because = candidate.refusal.as_ref().map(|refusal| refusal.message.clone());
        let because = because.or_else(|| candidate.because.clone()).unwrap_or_default();
        format!("{}: {because}", candidate.host)
    };
    let why: Vec<String> = candidates.iter().map(why).collect();
    format!("nobody would take over, {holder} would serve on ({})", why.join("; "))
}

fn outage(history: &[Takeover], lines: &[JournalLine], second: &str) -> OutageForecast {
    let done = history.iter().filter(|takeover| takeover.state == TakeoverState::Done);
    let measured: Vec<(u64, bool)> = done
        .filter_map(|takeover| Some((takeover.outage_ms?, takeover.second.as_deref() == Some(second))))
        .take(HISTORY)
        .collect();
    let same: Vec<u64> = measured.iter().filter(|(_, same)| *same).map(|(ms, _)| *ms).collect();
    if !same.is_empty() {
        return from_history(same, &format!("earlier takeovers by {second}"));
    }
    if !measured.is_empty() {
        let all = measured.into_iter().map(|(ms, _)| ms).collect();
        return from_history(all, "earlier takeovers of this service, by other hosts");
    }
    from_parts(lines)
}

fn from_history(mut measured: Vec<u64>, what: &str) -> OutageForecast {
    measured.sort_unstable();
    let (low_ms, high_ms) = (measured[0], measured[measured.len() - 1]);
    let ms = measured[measured.len() / 2];
    let count = measured.len();
    let sure = if count >= SURE {
        "measured often enough to be trusted"
    } else {
        "few measurements"
    };
    OutageForecast {
        ms,
        low_ms,
        high_ms,
        source: OutageSource::History,
        basis: format!("{count} {what}, the middle one; {sure}, and requests that must be completed may add to it"),
    }
}

/// The last start of the server, on any host; the stop, where one was seen.
fn from_parts(lines: &[JournalLine]) -> OutageForecast {
    let mut lines = lines.to_vec();
    lines.sort_by(|a, b| (&a.host, a.seq).cmp(&(&b.host, b.seq)));
    let start = duration(
        &lines,
        |line| line.to == Role::Activating && line.from != Role::Activating,
        "serving",
    );
    let stop = duration(&lines, |line| line.step == "server-stopping", "server-stopped");
    let Some(start) = start else {
        return OutageForecast {
            ms: 2000,
            low_ms: 0,
            high_ms: BOUND_MS,
            source: OutageSource::Bounds,
            basis: "no start or stop of this server was seen yet: no more than a guess".to_owned(),
        };
    };
    let (ms, seen) = match stop {
        Some(stop) => (
            start + stop + SETTLE_MS,
            "the last start and the last stop of the server",
        ),
        None => (
            2 * start + SETTLE_MS,
            "the last start of the server; a stop was never seen, and is taken to be as long",
        ),
    };
    OutageForecast {
        ms,
        low_ms: start,
        high_ms: 3 * ms,
        source: OutageSource::Parts,
        basis: format!("{seen}; not measured in a takeover yet, and requests that must be completed come on top"),
    }
}

fn duration(lines: &[JournalLine], begins: impl Fn(&JournalLine) -> bool, ends: &str) -> Option<u64> {
    let mut last = None;
    let mut begun: Option<&JournalLine> = None;
    for line in lines {
        if begins(line) {
            begun = Some(line);
        } else if line.step == ends
            && let Some(begun) = begun.take_if(|begun| begun.host == line.host)
        {
            last = Some(line.at_ms.saturating_sub(begun.at_ms));
        }
    }
    last
}

/// The way of a takeover that goes well, after the candidates that would not take it.
fn steps(first: &str, candidates: &[CandidateForecast], second: Option<&str>, giveback: bool) -> Vec<StepForecast> {
    let mut steps = Vec::new();
    let mut add = |host: &str, step: &str| {
        steps.push(StepForecast {
            host: host.to_owned(),
            step: step.to_owned(),
            reason: reason_of(step).unwrap_or_default().to_owned(),
        });
    };
    add(
        first,
        if giveback {
            "giveback-ordered"
        } else {
            "takeover-ordered"
        },
    );
    for candidate in candidates {
        match candidate.answer {
            CandidateAnswer::Accepts => break,
            CandidateAnswer::Declines => {
                add(&candidate.host, "declined");
                add(first, "candidate-declined");
            }
            // One that can't be heard would not be asked.
            CandidateAnswer::Silent => {}
        }
    }
    let Some(second) = second else { return steps };
    for (on_first, step) in WAY {
        add(if *on_first { first } else { second }, step);
    }
    steps
}

/// Whether it is the first's, and the step.
const WAY: &[(bool, &str)] = &[
    (false, "assessing"),
    (false, "shutdown-commanded"),
    (true, "drain-started"),
    (true, "admission-stopped"),
    (true, "drained"),
    (true, "compilation-sealed"),
    (false, "compilation-stored"),
    (true, "server-stopping"),
    (true, "server-stopped"),
    (true, "released"),
    (false, "grant-accepted"),
    (false, "server-serves"),
    (false, "serving"),
    (false, "took-over"),
    (true, "grant-settled"),
];

/// Older takeovers say little of today's data.
const HISTORY: usize = 10;
const SURE: usize = 5;
/// Between the drain's beginning and the server's stop, where nothing is under way: listing, sealing, storing.
const SETTLE_MS: u64 = 500;
/// The timers for drain, stop and start together, as they are by default.
const BOUND_MS: u64 = 75_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_the_way_is_in_the_table() {
        for step in WAY
            .iter()
            .map(|(_, step)| *step)
            .chain(["giveback-ordered", "takeover-ordered", "declined"])
        {
            assert!(reason_of(step).is_some(), "{step}");
        }
    }

    #[test]
    fn the_middle_of_what_was_measured_is_foreseen_and_its_source_is_said() {
        let forecast = from_history(vec![900, 300, 500], "earlier takeovers");
        assert_eq!((forecast.low_ms, forecast.ms, forecast.high_ms), (300, 500, 900));
        assert!(forecast.basis.contains("3 earlier takeovers") && forecast.basis.contains("few"));
        assert_eq!(from_parts(&[]).source, OutageSource::Bounds);
    }
}
