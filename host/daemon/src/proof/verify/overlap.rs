//! A takeover in which both servers ran: admission moved first, and requests under way stayed where they were.
//!
//! The same questions as of every takeover, with other marks: when new clients were sent on, and when the second was
//! told; when the first's server was stopped matters only to its own requests.

use understudy_api::wire::ProofOutage;

use super::exclusivity::{SERVES, between};
use super::findings::Findings;
use super::order::Chain;
use super::order::Mark::{Did, Heard, Says};
use crate::proof::statement::{Direction, Statement};

/// Until the second was told, the first admitted. Then the first's own requests come to their end; without the second it
/// stops its server before the compilation is stored.
pub(super) const FIRST: [Chain; 2] = [
    Chain {
        marks: &[
            Heard("ShutdownCommanded"),
            Did("drain-started"),
            Did("admission-yielded"),
            Did("redirected"),
            Says("AdmissionYielded"),
        ],
        open_from: 3,
    },
    Chain {
        marks: &[
            Did("admission-yielded"),
            Did("compilation-sealed"),
            Says("Compilation"),
            Heard("CompilationStored"),
            Did("released"),
            Says("Released"),
        ],
        open_from: 1,
    },
];
pub(super) const SECOND: [Chain; 2] = [
    Chain {
        marks: &[
            Heard("FaultReported"),
            Did("arming"),
            Did("warming-up"),
            Did("shutdown-commanded"),
            Says("ShutdownCommanded"),
            Heard("AdmissionYielded"),
            Did("grant-accepted"),
            Did("server-serves"),
            Did("serving"),
        ],
        open_from: 5,
    },
    Chain {
        marks: &[
            Heard("Compilation"),
            Did("compilation-stored"),
            Says("CompilationStored"),
            Did("overlap-ended"),
        ],
        open_from: 0,
    },
];

/// One host only admitted new clients, at every moment.
pub(super) fn exclusive(first: &Statement, second: &Statement, findings: &mut Findings) -> Option<ProofOutage> {
    let mut against = Vec::new();
    against.extend(told_before_redirected(first));
    against.extend(serves_after_the_yield(first));
    against.extend(serves_before_the_grant(second));
    let (redirected, _) = first.step("redirected")?;
    let (serves, _) = second.step("serving")?;
    let (ms, uncertainty_ms) = between(first, second, redirected.at_ms, serves.at_ms);
    if let Some(uncertainty) = uncertainty_ms
        && ms + i64::try_from(uncertainty).unwrap_or(i64::MAX) < 0
    {
        against.push(format!(
            "{} announced the address {} ms before {} sent new clients on, by clocks compared to within {uncertainty} ms",
            second.host, -ms, first.host
        ));
    }
    let found = format!(
        "{} sent new clients on to {}, whose server ran already, before it said so; {} announced the address after that",
        first.host, second.host, second.host
    );
    findings.judge("exclusivity", against, found);
    // New clients found a running server at every moment: first here, then there.
    Some(ProofOutage {
        ms: 0,
        address_ms: None,
        uncertainty_ms,
    })
}

fn told_before_redirected(first: &Statement) -> Option<String> {
    let (said, _) = first.message(Direction::Sent, "AdmissionYielded")?;
    let redirected = first.step("redirected").map(|(event, _)| event.n);
    let late = redirected.is_none_or(|n| n > said.n);
    late.then(|| {
        format!(
            "{}.events[{}]: it says that it yielded before new clients were sent on",
            first.host, said.n
        )
    })
}

fn serves_after_the_yield(first: &Statement) -> Option<String> {
    let (yielded, _) = first.step("admission-yielded")?;
    let (event, _) = first
        .steps()
        .find(|(event, step)| event.n > yielded.n && SERVES.contains(&step.name.as_str()))?;
    Some(format!(
        "{}.events[{}]: it serves again after its yield",
        first.host, event.n
    ))
}

fn serves_before_the_grant(second: &Statement) -> Option<String> {
    let (event, _) = second.steps().find(|(_, step)| SERVES.contains(&step.name.as_str()))?;
    let heard = ["AdmissionYielded", "Released"]
        .into_iter()
        .filter_map(|name| Some(second.message(Direction::Received, name)?.0.n))
        .min();
    let accepted = second.step("grant-accepted").map(|(accepted, _)| accepted.n);
    let before = heard.is_some() && accepted > heard && accepted < Some(event.n);
    (!before).then(|| format!("{}.events[{}]: it serves before it was granted", second.host, event.n))
}
