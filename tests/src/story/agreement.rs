//! Whether the two hosts' journals tell the same story of a round: every step there, in the order that the protocol
//! wants, under the same round and term. Both run on one machine, so that their clocks are one.

use crate::cluster::JournalLine;

/// Which of the two hosts writes a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    First,
    Second,
}

/// The steps of a round that came to its end, in order. Each must be there, not before the one above it.
const ORDER: [(Side, &str); 14] = [
    (Side::First, "fault-reported"),
    (Side::Second, "assessing"),
    (Side::Second, "shutdown-commanded"),
    (Side::First, "drain-started"),
    (Side::First, "admission-stopped"),
    (Side::First, "drained"),
    (Side::First, "compilation-sealed"),
    (Side::Second, "compilation-stored"),
    (Side::First, "server-stopping"),
    (Side::First, "server-stopped"),
    (Side::First, "released"),
    (Side::Second, "grant-accepted"),
    (Side::Second, "server-serves"),
    (Side::Second, "serving"),
];

/// A round that is opened by an order says why it was opened at once: there is nothing to diagnose.
const ONLY_FOR_FAULTS: &str = "fault-reported";

/// Where the journals of both hosts disagree about one round; empty: they agree. Who released is the first.
pub fn disagreements(lines: &[JournalLine], service: &str, round: &str) -> Vec<String> {
    let of_round = |line: &&JournalLine| line.service == service && line.round.as_deref() == Some(round);
    let lines: Vec<&JournalLine> = lines.iter().filter(of_round).collect();
    let Some(released) = lines.iter().find(|line| line.step == "released") else {
        return vec![format!("{service}: nobody wrote `released` of round {round}")];
    };
    let first = released.host.as_str();
    let is_fault = lines.iter().any(|line| line.step == "fault-indicated");
    let mut wrong = Vec::new();
    let mut before: Option<&JournalLine> = None;
    for (side, step) in ORDER {
        if step == ONLY_FOR_FAULTS && !is_fault {
            continue;
        }
        let on_side = |line: &&&JournalLine| line.step == step && (line.host == first) == (side == Side::First);
        let Some(found) = lines.iter().find(on_side) else {
            wrong.push(format!(
                "{service}: `{step}` of round {round} is missing in the journal of the {side:?}"
            ));
            continue;
        };
        if let Some(before) = before.filter(|before| before.at_ms > found.at_ms) {
            wrong.push(format!(
                "{service}: `{step}` was written before `{}`, which it follows",
                before.step
            ));
        }
        before = Some(found);
    }
    let served = lines.iter().find(|line| line.step == "serving");
    if let Some(served) = served.filter(|served| served.term.value <= released_term(&lines, first)) {
        wrong.push(format!(
            "{service}: serves with term {}, which is not above the released one",
            served.term.text
        ));
    }
    wrong
}

/// The term under which the first served last.
fn released_term(lines: &[&JournalLine], first: &str) -> u64 {
    let drained = lines
        .iter()
        .find(|line| line.host == first && line.step == "drain-started");
    drained.map_or(0, |line| line.term.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Term;

    fn line(host: &str, step: &str, at_ms: u64, term: u64) -> JournalLine {
        JournalLine {
            seq: at_ms,
            at_ms,
            host: host.into(),
            service: "redis".into(),
            step: step.into(),
            reason: String::new(),
            detail: String::new(),
            from: String::new(),
            to: String::new(),
            term: Term {
                value: term,
                text: term.to_string(),
            },
            round: Some("r-1".into()),
        }
    }

    fn good() -> Vec<JournalLine> {
        let mut at = 0;
        let steps = ORDER.iter().map(|(side, step)| {
            at += 1;
            let (host, term) = if *side == Side::First {
                ("alpha", 1)
            } else {
                ("beta", 2)
            };
            line(host, step, at, term)
        });
        std::iter::once(line("alpha", "fault-indicated", 0, 1))
            .chain(steps)
            .collect()
    }

    #[test]
    fn a_whole_round_agrees() {
        assert_eq!(disagreements(&good(), "redis", "r-1"), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_or_in_the_wrong_order_is_named() {
        let without: Vec<_> = good().into_iter().filter(|l| l.step != "compilation-stored").collect();
        assert!(disagreements(&without, "redis", "r-1")[0].contains("compilation-stored"));
        let mut early = good();
        early.iter_mut().find(|l| l.step == "serving").unwrap().at_ms = 1;
        assert!(disagreements(&early, "redis", "r-1")[0].contains("before"));
        let mut low = good();
        low.iter_mut().find(|l| l.step == "serving").unwrap().term.value = 1;
        assert!(disagreements(&low, "redis", "r-1")[0].contains("not above"));
        assert!(disagreements(&good(), "redis", "r-2")[0].contains("nobody"));
    }
}
