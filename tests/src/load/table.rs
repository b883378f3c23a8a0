//! A report as a table for people.

use std::fmt;

use super::report::{PhaseReport, Report, ServiceReport, Unanswered};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.services
            .iter()
            .try_for_each(|service| fmt::Display::fmt(service, f))
    }
}

impl fmt::Display for ServiceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12}{:>7} {:>7} {:>8} {:>7} {:>8} {:>8}  {:>9} {:>9} {:>8} {:>8}  answered by",
            self.service.as_str(),
            "seconds",
            "sent",
            "answered",
            "failed",
            "in doubt",
            "retried",
            "stall ms",
            "worst ms",
            "p50 ms",
            "p99 ms"
        )?;
        for phase in self.phases.iter().chain([&self.total]) {
            writeln!(f, "{}", Row(phase))?;
        }
        for Unanswered {
            phase,
            why,
            count,
            first,
            last,
        } in &self.unanswered
        {
            let (first, last) = (*first as f64 / 1e6, *last as f64 / 1e6);
            writeln!(f, "  {phase:<10}{count:>14} × {why} (due at {first:.3} to {last:.3} s)")?;
        }
        Ok(())
    }
}

struct Row<'a>(&'a PhaseReport);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p = self.0;
        let by: Vec<String> = p
            .answered_by
            .iter()
            .map(|(host, count)| format!("{host} {count}"))
            .collect();
        write!(
            f,
            "  {:<10}{:>7.1} {:>7} {:>8} {:>7} {:>8} {:>8}  {:>9.1} {:>9.1} {:>8.2} {:>8.2}  {}",
            p.phase,
            p.seconds,
            p.sent,
            p.answered,
            p.failed,
            p.in_doubt,
            p.retried,
            p.worst_stall_ms,
            p.longest_ms,
            p.p50_ms,
            p.p99_ms,
            by.join(", ")
        )
    }
}
