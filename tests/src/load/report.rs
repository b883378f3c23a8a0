//! What clients saw, in figures, a phase at a time.
//!
//! A request counts in the phase in which it was due; a gap between answers in the phase in which it began.

use std::collections::BTreeMap;

use serde::Serialize;

use super::record::{Kind, Mark, Outcome, Recorder, Request, Service};

/// What clients of all services saw.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// One entry a service.
    pub services: Vec<ServiceReport>,
}

/// What clients of one service saw.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceReport {
    /// The service.
    pub service: Service,
    /// One entry a phase, in order of time.
    pub phases: Vec<PhaseReport>,
    /// All phases together.
    pub total: PhaseReport,
    /// The requests that were not answered, those of one phase and one reason together.
    pub unanswered: Vec<Unanswered>,
}

/// Requests that were not answered for the same reason.
#[derive(Debug, Clone, Serialize)]
pub struct Unanswered {
    /// In which phase they were due.
    pub phase: String,
    /// What came instead of an answer.
    pub why: String,
    /// How many.
    pub count: usize,
    /// When the first of them was due, in microseconds since the load's start.
    pub first: u64,
    /// When the last of them was due.
    pub last: u64,
}

/// Figures of one phase. Times are in milliseconds; latencies count from the time a request was due, and leave out the
/// requests that are slow by design.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseReport {
    /// The phase's name.
    pub phase: String,
    /// How long it lasted, in seconds.
    pub seconds: f64,
    /// Requests made.
    pub sent: usize,
    /// Answered as they should be.
    pub answered: usize,
    /// Refused, answered with an error, or cut short.
    pub failed: usize,
    /// Sent, and the connection ended before the answer.
    pub in_doubt: usize,
    /// Asked again on a new connection, because a kept one was closed before a byte of the answer.
    pub retried: usize,
    /// The longest time without any answer.
    pub worst_stall_ms: f64,
    /// The longest time one request waited.
    pub longest_ms: f64,
    /// Half of the requests were answered within this.
    pub p50_ms: f64,
    /// 99 of 100 requests were answered within this.
    pub p99_ms: f64,
    /// Which host's server answered how many, where answers say so.
    pub answered_by: BTreeMap<String, usize>,
}

impl Report {
    /// Works the record through.
    pub fn of(recorder: &Recorder) -> Report {
        let (requests, marks, until) = (recorder.requests(), recorder.marks(), recorder.until());
        let services = [Service::Redis, Service::Web]
            .into_iter()
            .map(|service| {
                (
                    service,
                    requests.iter().filter(|r| r.service == service).collect::<Vec<_>>(),
                )
            })
            .filter(|(_, requests)| !requests.is_empty())
            .map(|(service, requests)| ServiceReport::of(service, &requests, &marks, until))
            .collect();
        Report { services }
    }

    /// The figures of one service.
    pub fn service(&self, service: Service) -> Option<&ServiceReport> {
        self.services.iter().find(|s| s.service == service)
    }
}

impl ServiceReport {
    fn of(service: Service, requests: &[&Request], marks: &[Mark], end: u64) -> ServiceReport {
        let gaps = Gaps::between_answers(requests, end);
        let ends = marks.iter().skip(1).map(|m| m.at).chain([end]);
        let phases = marks.iter().zip(ends).map(|(mark, until)| {
            // The last phase has no end: a request that was due in its last moment belongs to it, too.
            let is_last = marks.last().is_some_and(|last| last.at == mark.at);
            let within = |at: u64| at >= mark.at && (is_last || at < until);
            let requests: Vec<_> = requests.iter().copied().filter(|r| within(r.due)).collect();
            PhaseReport::of(
                &mark.phase,
                until.saturating_sub(mark.at),
                &requests,
                gaps.longest(within),
            )
        });
        ServiceReport {
            service,
            phases: phases.collect(),
            total: PhaseReport::of("total", end, requests, gaps.longest(|_| true)),
            unanswered: unanswered(requests, marks),
        }
    }
}

impl PhaseReport {
    fn of(phase: &str, duration: u64, requests: &[&Request], worst_gap: u64) -> PhaseReport {
        let count = |is: fn(&Outcome) -> bool| requests.iter().filter(|r| is(&r.outcome)).count();
        let mut waited: Vec<u64> = requests
            .iter()
            .filter(|r| r.outcome == Outcome::Answered && r.kind != Kind::Slow)
            .map(|r| r.end.saturating_sub(r.due))
            .collect();
        waited.sort_unstable();
        let mut answered_by = BTreeMap::new();
        for host in requests.iter().filter_map(|r| r.answered_by.clone()) {
            *answered_by.entry(host).or_insert(0) += 1;
        }
        PhaseReport {
            phase: phase.to_owned(),
            seconds: duration as f64 / 1e6,
            sent: requests.len(),
            answered: count(|o| *o == Outcome::Answered),
            failed: count(|o| matches!(o, Outcome::Failed(_))),
            in_doubt: count(|o| matches!(o, Outcome::InDoubt(_))),
            retried: requests.iter().filter(|r| r.retried_from.is_some()).count(),
            worst_stall_ms: milliseconds(worst_gap),
            longest_ms: milliseconds(waited.last().copied().unwrap_or(0)),
            p50_ms: milliseconds(quantile(&waited, 50)),
            p99_ms: milliseconds(quantile(&waited, 99)),
            answered_by,
        }
    }
}

/// The times without any answer, as (when it began, how long).
struct Gaps(Vec<(u64, u64)>);

impl Gaps {
    fn between_answers(requests: &[&Request], until: u64) -> Gaps {
        let answered = requests
            .iter()
            .filter(|r| r.outcome == Outcome::Answered && r.end <= until);
        let mut ends: Vec<u64> = answered.map(|r| r.end).collect();
        ends.sort_unstable();
        Gaps(ends.windows(2).map(|pair| (pair[0], pair[1] - pair[0])).collect())
    }

    fn longest(&self, within: impl Fn(u64) -> bool) -> u64 {
        self.0
            .iter()
            .filter(|(began, _)| within(*began))
            .map(|(_, length)| *length)
            .max()
            .unwrap_or(0)
    }
}

fn unanswered(requests: &[&Request], marks: &[Mark]) -> Vec<Unanswered> {
    let mut told: Vec<Unanswered> = Vec::new();
    for request in requests {
        let why = match &request.outcome {
            Outcome::Answered => continue,
            Outcome::Failed(why) => format!("{:?} failed: {why}", request.kind),
            Outcome::InDoubt(why) => format!("{:?} in doubt: {why}", request.kind),
        };
        let phase = marks
            .iter()
            .rev()
            .find(|m| m.at <= request.due)
            .map_or("", |m| &m.phase);
        match told.iter_mut().find(|t| t.phase == phase && t.why == why) {
            Some(same) => {
                same.count += 1;
                same.first = same.first.min(request.due);
                same.last = same.last.max(request.due);
            }
            None => {
                let (first, last) = (request.due, request.due);
                told.push(Unanswered {
                    phase: phase.to_owned(),
                    why,
                    count: 1,
                    first,
                    last,
                });
            }
        }
    }
    told
}

fn quantile(sorted: &[u64], percent: usize) -> u64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(0)
}

fn milliseconds(microseconds: u64) -> f64 {
    microseconds as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(due: u64, end: u64) -> Request {
        Request {
            id: due,
            service: Service::Web,
            kind: Kind::Fresh,
            client: None,
            retried_from: None,
            due,
            sent: due,
            first_byte: None,
            end,
            outcome: Outcome::Answered,
            answered_by: None,
        }
    }

    #[test]
    fn a_stall_is_seen_in_the_phase_in_which_it_began() {
        let requests = [
            answered(0, 1_000),
            answered(10_000, 11_000),
            answered(20_000, 911_000),
            answered(900_000, 912_000),
        ];
        let requests: Vec<&Request> = requests.iter().collect();
        let marks = [
            Mark {
                phase: "before".into(),
                at: 0,
            },
            Mark {
                phase: "after".into(),
                at: 500_000,
            },
        ];
        let report = ServiceReport::of(Service::Web, &requests, &marks, 1_000_000);
        assert_eq!(report.phases[0].worst_stall_ms, 900.0);
        assert_eq!(report.phases[0].longest_ms, 891.0);
        assert_eq!(report.phases[1].worst_stall_ms, 1.0);
        assert_eq!(
            (report.phases[0].sent, report.phases[1].sent, report.total.sent),
            (3, 1, 4)
        );
    }

    #[test]
    fn quantiles_of_few_values() {
        assert_eq!(quantile(&[], 99), 0);
        assert_eq!(quantile(&[7], 50), 7);
        assert_eq!(quantile(&[1, 2, 3, 4], 50), 2);
        assert_eq!(quantile(&[1, 2, 3, 4], 99), 4);
    }
}
