//! Prints the story: plain lines, coloured on a terminal.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use crate::cluster::{Cluster, JournalLine};
use crate::load::Report;

use super::account::Account;
use super::checks::Checks;

/// Where and how the story is told.
#[derive(Debug)]
pub(crate) struct Teller {
    started: Instant,
    started_ms: u64,
    colours: bool,
}

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";
const BLUE: &str = "34";
const MAGENTA: &str = "35";

impl Teller {
    pub(crate) fn new() -> Teller {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Teller {
            started: Instant::now(),
            started_ms: u64::try_from(since.as_millis()).unwrap_or(0),
            colours: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    pub(crate) fn chapter(&self, title: &str, lines: &[&str]) {
        println!("\n{}", self.paint(BOLD, &format!("■ {title}")));
        for line in lines {
            self.say(line);
        }
    }

    pub(crate) fn say(&self, line: &str) {
        println!("  {line}");
    }

    /// One step of the protocol, as a host wrote it into its journal.
    pub(crate) fn step(&self, line: &JournalLine) {
        let colour = if line.host == crate::cluster::HOSTS[0] {
            BLUE
        } else {
            MAGENTA
        };
        let at = (line.at_ms as f64 - self.started_ms as f64) / 1e3;
        let role = if line.from == line.to {
            line.to.clone()
        } else {
            format!("{} → {}", line.from, line.to)
        };
        let why = if line.detail.is_empty() {
            line.reason.clone()
        } else {
            format!("{} — {}", line.reason, line.detail)
        };
        println!(
            "  {} {} {:<6} {} {:<24} {}",
            self.paint(DIM, &format!("{at:8.3}")),
            self.paint(colour, &format!("{:<6}", line.host)),
            line.service,
            self.paint(step_colour(&line.step), &format!("{:<21}", line.step)),
            role,
            self.paint(DIM, &why),
        );
    }

    pub(crate) fn reachable(&self, host: &str, reachable: bool) {
        let what = if reachable { "answers again" } else { "does not answer" };
        println!(
            "  {} {host} {what}",
            self.paint(DIM, &format!("{:8.3}", self.started.elapsed().as_secs_f64()))
        );
    }

    pub(crate) fn report(&self, report: &Report) {
        for line in report.to_string().lines() {
            println!("  {line}");
        }
    }

    pub(crate) fn account(&self, account: &Account) {
        self.say(&account.to_string());
    }

    pub(crate) fn failed(&self, error: &anyhow::Error) {
        println!("\n{}", self.paint(RED, &format!("The story ends here: {error:#}")));
    }

    pub(crate) fn stays_up(&self, cluster: &Cluster) {
        println!("\n{}", self.paint(BOLD, "Both hosts stay up until Ctrl-C."));
        self.addresses(cluster);
    }

    pub(crate) fn addresses(&self, cluster: &Cluster) {
        for host in cluster.hosts() {
            let address = self.paint(BOLD, &format!("http://{}/", host.rest.address()));
            self.say(&format!(
                "{:<6} {address}  ({})",
                host.site.name,
                host.site.folder.display()
            ));
        }
    }

    pub(crate) fn cleaning_up(&self, folder: &Path) {
        println!("\nEnding everything that was started, removing {}", folder.display());
    }

    pub(crate) fn verdict(&self, checks: &Checks, played: bool) {
        println!();
        for check in checks.all() {
            let (mark, colour) = if check.holds { ("✓", GREEN) } else { ("✗", RED) };
            println!(
                "  {} {:<58} {}",
                self.paint(colour, mark),
                check.what,
                self.paint(DIM, &check.detail)
            );
        }
        let (text, colour) = match (played, checks.all_well()) {
            (true, true) => ("All went well.", GREEN),
            (true, false) => ("Not all went well: see the checks above.", RED),
            (false, _) => ("The story did not come to its end.", RED),
        };
        println!("\n{}", self.paint(colour, text));
    }
}

fn step_colour(step: &str) -> &'static str {
    match step {
        "fault-indicated" | "fault-reported" | "started-by-hand" | "declined" | "candidate-declined" => RED,
        "released" | "grant-accepted" | "serving" | "took-over" => GREEN,
        "drain-started" | "compilation-sealed" | "compilation-stored" | "server-stopped" => YELLOW,
        _ => BOLD,
    }
}
