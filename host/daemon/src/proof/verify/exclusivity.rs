//! Did one host only admit clients, at every moment? First without any clock, by what had to happen before what; then
//! by the clocks, which also say for how long nobody did.

use understudy_api::wire::ProofOutage;

use super::findings::Findings;
use super::overlap;
use super::story::{Course, Story, clocks_between};
use crate::proof::statement::{Direction, Statement};

pub(super) fn check(story: &Story<'_>, findings: &mut Findings) -> Option<ProofOutage> {
    match (story.course, story.first, story.second) {
        (Course::Moved, Some(first), Some(second)) if story.overlaps => overlap::exclusive(first, second, findings),
        (Course::Moved, Some(first), Some(second)) => moved(first, second, findings),
        (Course::Moved, ..) => {
            findings.unproven("exclusivity", "it takes both hosts' words");
            None
        }
        (Course::Kept, _, second) => {
            let serves =
                second.and_then(|second| Some((second, second.step("serving").or(second.step("server-serves"))?)));
            let against = serves.map(|(second, (event, _))| {
                format!(
                    "{}.events[{}]: it serves, and nothing was released to it",
                    second.host, event.n
                )
            });
            findings.judge(
                "exclusivity",
                against.into_iter().collect(),
                "nobody else began to serve",
            );
            None
        }
        (Course::Forced, ..) => {
            findings.unproven(
                "exclusivity",
                "nobody but the operator can say that the silent hosts did not serve",
            );
            None
        }
    }
}

fn moved(first: &Statement, second: &Statement, findings: &mut Findings) -> Option<ProofOutage> {
    let mut against = Vec::new();
    against.extend(before_release(first));
    against.extend(before_grant(second));
    let gap = gap(first, second);
    if let Some((ms, Some(uncertainty_ms))) = gap
        && ms + i64::try_from(uncertainty_ms).unwrap_or(i64::MAX) < 0
    {
        against.push(format!(
            "{} admitted clients {} ms before {} had stopped, by clocks compared to within {uncertainty_ms} ms",
            second.host, -ms, first.host
        ));
    }
    let by_clock = match gap {
        Some((ms, Some(uncertainty))) => format!("; by the clocks, {ms} ms apart, give or take {uncertainty} ms"),
        Some((_, None)) | None => String::new(),
    };
    let found = format!(
        "{} had stopped its server before it released, and {} accepted that release before it served{by_clock}",
        first.host, second.host
    );
    findings.judge("exclusivity", against, found);
    let (ms, uncertainty_ms) = gap?;
    Some(ProofOutage {
        ms,
        address_ms: address_gap(first, second),
        uncertainty_ms,
    })
}

/// The first: server stopped, then released, and nothing served again.
fn before_release(first: &Statement) -> Option<String> {
    let (released, _) = first.step("released")?;
    let says = |n: u64, what: &str| Some(format!("{}.events[{n}]: {what}", first.host));
    let stopped = first.step("server-stopped").map(|(event, _)| event.n);
    if stopped.is_none_or(|n| n > released.n) {
        return says(released.n, "it released before its server was stopped");
    }
    let again = first
        .steps()
        .find(|(event, step)| event.n > released.n && SERVES.contains(&step.name.as_str()));
    again.and_then(|(event, _)| says(event.n, "it serves again after its release"))
}

/// The second: a release that names it, heard and made durable before anything served.
fn before_grant(second: &Statement) -> Option<String> {
    let serves = second.steps().find(|(_, step)| SERVES.contains(&step.name.as_str()));
    let (event, _) = serves?;
    let accepted = second.step("grant-accepted").map(|(accepted, _)| accepted.n);
    let heard = second
        .message(Direction::Received, "Released")
        .map(|(heard, _)| heard.n);
    let before = heard.is_some() && accepted > heard && accepted < Some(event.n);
    (!before).then(|| format!("{}.events[{}]: it serves before it was granted", second.host, event.n))
}

/// From the first's closing to the second's opening, in milliseconds of the first's clock, and how sure that is.
fn gap(first: &Statement, second: &Statement) -> Option<(i64, Option<u64>)> {
    let (closed, _) = first.last_step("drain-started")?;
    let (opened, _) = second.step("serving")?;
    Some(between(first, second, closed.at_ms, opened.at_ms))
}

fn address_gap(first: &Statement, second: &Statement) -> Option<i64> {
    let held = first.address.iter().find(|moment| moment.event == "address-held")?;
    let taken = second.address.iter().rfind(|moment| moment.event == "address-taken")?;
    Some(between(first, second, held.at_ms, taken.at_ms).0)
}

pub(super) fn between(first: &Statement, second: &Statement, closed_ms: u64, opened_ms: u64) -> (i64, Option<u64>) {
    let clocks = clocks_between(first, second);
    let offset_us = i128::from(clocks.map_or(0, |(offset, _)| offset));
    let us = (i128::from(opened_ms) - i128::from(closed_ms)) * 1000 - offset_us;
    let uncertainty = clocks.map(|(_, uncertainty)| u64::try_from(uncertainty / 1000).unwrap_or(0) + ROUNDING_MS);
    (i64::try_from(us.div_euclid(1000)).unwrap_or(i64::MAX), uncertainty)
}

/// Steps with which a host begins to admit clients.
pub(super) const SERVES: [&str; 2] = ["server-serves", "serving"];
/// Times are whole milliseconds.
const ROUNDING_MS: u64 = 2;
