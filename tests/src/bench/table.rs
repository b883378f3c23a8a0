//! The figures as a table for people.

use std::fmt;

use super::report::{AIM, Report, Row, Spread};
use super::subjects::Subject;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.machine)?;
        let load = |load: Option<f64>| load.map_or_else(|| "?".to_owned(), |load| format!("{load:.1}"));
        writeln!(
            f,
            "load {} before, {} after; {} rounds in turn after one to warm up; pause after each check {} ms\n",
            load(self.load_before),
            load(self.load_after),
            self.rounds,
            self.pause_ms,
        )?;
        writeln!(
            f,
            "{:<33}{:>7} {:>9}  {:<19}{:>11} {:>9} {:>9} {:>10}",
            "µs a check", "checks", "CPU", "least … most", "less than", "× native", "server's", "elapsed"
        )?;
        writeln!(f, "{:<33}{:>7} {:>9}  {:<19}{:>11}", "", "", "median", "", "sh, times")?;
        self.rows.iter().try_for_each(|row| self.row(f, row))?;
        let idle = self.idle_us_per_second;
        writeln!(f, "\nloaded, and nothing to check: {idle:.0} µs of CPU a second")?;
        writeln!(
            f,
            "aim: the Redis plugin's probe takes at least {AIM} times less CPU than `sh -c 'redis-cli ping'`"
        )?;
        self.aim(f, "asking Redis alone, as redis-cli does", Subject::RedisPluginMinimal)?;
        self.aim(
            f,
            "with the disk and the memory that the demo grants, too",
            Subject::RedisPlugin,
        )
    }
}

impl Report {
    fn aim(&self, f: &mut fmt::Formatter<'_>, what: &str, subject: Subject) -> fmt::Result {
        let verdict = if self.meets_aim(subject) { "MET" } else { "NOT MET" };
        writeln!(f, "  {what}: {verdict} ({:.1} times)", self.cheaper_than_shell(subject))
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
        let Spread { median, least, most } = row.cpu_us;
        let server = row.server_cpu_us;
        writeln!(
            f,
            "{:<33}{:>7} {median:>9.1}  {:<19}{:>11.1} {:>9.1} {:>9} {:>10.0}",
            row.subject.label(),
            row.checks,
            format!("{least:.1} … {most:.1}"),
            self.cheaper_than_shell(row.subject),
            self.dearer_than_native(row.subject),
            server.map_or_else(|| "?".to_owned(), |server| format!("{:.1}", server.median)),
            row.elapsed_us.median,
        )
    }
}
