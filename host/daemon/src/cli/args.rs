//! The command line, and the help that teaches it. Every command's help ends with examples.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use understudy_protocol::{HostName, ServiceName};

use super::examples::*;
use crate::config;

/// Every server can have an understudy: one daemon beside each server, which hands the service to another host before a
/// fault takes it down.
#[derive(Debug, Parser)]
#[command(name = "understudy", version, max_term_width = 100, after_help = FIRST_STEPS)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the daemon of this host, in the foreground
    #[command(after_help = RUN)]
    Run {
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Found a cluster, invite hosts, join
    #[command(after_help = CLUSTER)]
    Cluster {
        #[command(subcommand)]
        command: ClusterCommand,
    },
    /// What services' addresses left in this machine's kernel; needs no running daemon
    #[command(after_help = ADDRESS)]
    Address {
        #[command(subcommand)]
        command: AddressCommand,
    },
    /// Who serves what, what is under way, and what is waited for
    #[command(after_help = STATUS)]
    Status {
        /// Only this service, with everything known of it
        service: Option<ServiceName>,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Move a service to another host
    #[command(after_help = TAKEOVER)]
    Takeover {
        /// The service to move
        service: ServiceName,
        /// To whom; default: the first candidate that can
        #[arg(long, value_name = "HOST")]
        to: Option<HostName>,
        /// Why: kept in the journal
        #[arg(long, default_value = "asked for by an operator")]
        reason: String,
        /// Only say what would come of it; nothing is changed
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        force: Force,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Move a service back to its home, the first of its candidates
    #[command(after_help = GIVEBACK)]
    Giveback {
        /// The service to move
        service: ServiceName,
        /// Only say what would come of it; nothing is changed
        #[arg(long)]
        dry_run: bool,
        /// Why: kept in the journal
        #[arg(long)]
        reason: Option<String>,
        /// Pass over soft vetoes of the home host
        #[arg(long, requires = "reason")]
        override_vetoes: bool,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Say that this host's fault is cured, so that it may come back as a standby
    #[command(after_help = CURE)]
    Cure {
        /// The service whose server was at fault
        service: ServiceName,
        /// What was done: kept in the journal
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// End the takeover under way; possible until the service is released
    #[command(after_help = CANCEL)]
    Cancel {
        /// The service
        service: ServiceName,
        /// Why: kept in the journal
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Start a service for the first time, on this host
    #[command(after_help = BOOTSTRAP)]
    Bootstrap {
        /// The service
        service: ServiceName,
        /// Why here: kept in the journal
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        waiting: Waiting,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Let nothing move by itself: during maintenance, or while somebody looks for a cause
    #[command(after_help = PAUSE)]
    Pause {
        #[command(flatten)]
        what: What,
        /// Why: everybody sees it
        #[arg(long)]
        reason: String,
        /// For how long, like `30m` or `2h`; default: until `understudy unpause`
        #[arg(long = "for", value_name = "TIME", value_parser = span)]
        lasts: Option<Duration>,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// End a pause, the flap guard's too
    #[command(after_help = UNPAUSE)]
    Unpause {
        #[command(flatten)]
        what: What,
        /// Why: kept in the journal
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// What was under way in a takeover, and what became of each request
    #[command(after_help = REQUESTS)]
    Requests {
        /// The takeover (its round, as `status` and `history` show it); default: the last one
        round: Option<String>,
        /// The last takeover of this service
        #[arg(long, conflicts_with = "round")]
        service: Option<ServiceName>,
        /// Only requests that got so far on the first host
        #[arg(long)]
        state: Option<State>,
        /// Only requests that ended so on the second
        #[arg(long)]
        outcome: Option<Outcome>,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// The proof of a takeover: what each host recorded, signed by each, as one JSON document
    #[command(after_help = BUNDLE)]
    Bundle {
        /// The takeover (its round, as `status` and `history` show it); default: the last one
        takeover: Option<String>,
        #[arg(long, conflicts_with = "takeover", help = "The last takeover of this service")]
        service: Option<ServiceName>,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// Check a takeover's proof, without any daemon
    #[command(after_help = VERIFY)]
    Verify {
        /// The bundle; `-` reads it from the terminal
        file: PathBuf,
        /// The cluster's authority; default: that of the identity's directory
        #[arg(long, value_name = "CA.PEM")]
        ca: Option<PathBuf>,
        /// As JSON, for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        identity: Directory,
    },
    /// The journal: every step, with its reason
    #[command(after_help = HISTORY)]
    History {
        /// Only this service
        #[arg(long)]
        service: Option<ServiceName>,
        /// Only this takeover
        #[arg(long)]
        round: Option<String>,
        /// Of this peer, as far as it has told; default: the answering host
        #[arg(long)]
        host: Option<HostName>,
        /// How many of the last lines
        #[arg(long, short = 'n', default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        lines: u32,
        /// Go on with new lines as they come
        #[arg(long, short)]
        follow: bool,
        #[command(flatten)]
        daemon: Daemon,
    },
    /// The protocol's transition table as a diagram, from the very table that runs
    #[command(after_help = FSM)]
    Fsm {
        /// The whole table as text, with the reason of each row
        #[arg(long)]
        table: bool,
    },
}

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Find every error in it, with place and mend
    #[command(after_help = CONFIG_CHECK)]
    Check {
        /// Only the text: don't look for the files, programs and disks that it names
        #[arg(long)]
        text_only: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
}

/// Commands about addresses that move between hosts (`mode = "vip"`). They look at the kernel and at this host's records.
#[derive(Debug, Subcommand)]
pub(super) enum AddressCommand {
    /// Show addresses and packet filter rules, and whether they belong here
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
    /// Remove what a dead daemon left, where this host does not hold the service. Refused while a daemon runs
    Clean {
        /// Only this service; default: all
        service: Option<ServiceName>,
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        file: ConfigFile,
    },
}

/// Commands about the cluster's identities. None of them needs a running daemon.
#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// Found a cluster on the first host: an authority, and this host's identity
    Init {
        /// This host's name, as in `host.name`
        #[arg(long)]
        host: HostName,
        /// Replace what is there; every other host must be invited anew
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        identity: Directory,
    },
    /// Make another host's identity (on the host where `init` ran)
    Invite {
        /// The other host's name, as in its `host.name`
        #[arg(long)]
        host: HostName,
        /// Where to write the bundle; default: to the terminal. The file can be read by you alone
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        identity: Directory,
    },
    /// Install a bundle as this host's identity
    Join {
        /// The bundle; `-` reads it from the terminal
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Replace what is there
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        identity: Directory,
    },
    /// Whose identity this is, its fingerprints, and when it ends
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        identity: Directory,
    },
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigFile {
    /// The configuration; `conf.d/*.toml` beside it adds services
    #[arg(long, value_name = "FILE", env = "UNDERSTUDY_CONFIG", default_value = config::DEFAULT_PATH)]
    pub(super) config: PathBuf,
}

/// Where the identity is.
#[derive(Debug, Clone, Args)]
pub(super) struct Directory {
    /// The identity's directory, as in `cluster.identity`
    #[arg(long, visible_alias = "dir", value_name = "DIR", default_value = config::IDENTITY)]
    pub(super) identity: PathBuf,
}

/// What is passed over in a takeover; each needs a reason.
#[derive(Debug, Clone, Args)]
pub(super) struct Force {
    /// Pass over soft vetoes of the candidate: a replica that lags, a host that is paused. Hard ones hold
    #[arg(long, requires = "reason", conflicts_with_all = ["confirm_stopped", "force", "override_stay_down"])]
    pub(super) override_vetoes: bool,
    /// This host is stopped for certain: take the service although it can't be asked. Repeat it for each silent host.
    /// If it is not true, two hosts serve, and nothing can detect that
    #[arg(long, value_name = "HOST")]
    pub(super) confirm_stopped: Vec<HostName>,
    /// Nobody holds the service: take it here, with the promise of every host that is not confirmed as stopped
    #[arg(long)]
    pub(super) force: bool,
    /// Take it here by force although this host is ordered to stay down for a fault
    #[arg(long, requires = "reason")]
    pub(super) override_stay_down: bool,
}

/// What is paused.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub(super) struct What {
    /// This service, on every host
    pub(super) service: Option<ServiceName>,
    /// Every service on the answering host: nothing moves to it or away from it
    #[arg(long)]
    pub(super) host: bool,
    /// Every service of the cluster that the answering host knows
    #[arg(long)]
    pub(super) all: bool,
}

/// Which daemon to ask, and how to show the answer.
#[derive(Debug, Clone, Args)]
pub(super) struct Daemon {
    /// The daemon's address; default: what the configuration says, else http://127.0.0.1:7420
    #[arg(long, env = "UNDERSTUDY_URL", help_heading = "Daemon")]
    pub(super) url: Option<String>,
    /// The file with the API's token; default: what the configuration says
    #[arg(long, value_name = "FILE", env = "UNDERSTUDY_TOKEN_FILE", help_heading = "Daemon")]
    pub(super) token_file: Option<PathBuf>,
    /// The configuration to find them in
    #[arg(long, value_name = "FILE", env = "UNDERSTUDY_CONFIG", default_value = config::DEFAULT_PATH, help_heading = "Daemon")]
    pub(super) config: PathBuf,
    /// JSON, as of the REST API, for programs
    #[arg(long, help_heading = "Daemon")]
    pub(super) json: bool,
}

/// Whether to wait for the end.
#[derive(Debug, Clone, Args)]
pub(super) struct Waiting {
    /// Wait until it is done, and show the steps
    #[arg(long)]
    pub(super) wait: bool,
    /// How long to wait; it goes on without you
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(super) timeout: Duration,
    /// In whose name; default: $SUDO_USER or $USER
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
}

/// How far a request got on the first host.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum State {
    Queued,
    Running,
    Completed,
    Failed,
    Cut,
    Refused,
}

/// What became of a request on the second.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Outcome {
    Completed,
    Resumed,
    Replayed,
    ClientRetries,
    Refused,
    Lost,
    Unsettled,
}

/// A word as it is typed and as REST wants it.
pub(super) fn word<T: ValueEnum>(value: &T) -> String {
    value
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// `90s`, `30m`, `2h` or `3d`.
fn span(text: &str) -> Result<Duration, String> {
    let how = || "write a number with a unit, like 90s, 30m, 2h or 3d".to_owned();
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).ok_or_else(how)?);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(how()),
    };
    let number: u64 = digits.parse().map_err(|_| how())?;
    let whole = number.checked_mul(seconds).filter(|whole| *whole > 0).ok_or_else(how)?;
    Ok(Duration::from_secs(whole))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix('s').unwrap_or(text);
    number
        .parse()
        .map(Duration::from_secs)
        .map_err(|_| "write a number of seconds, like 300".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_span_has_a_unit() {
        assert_eq!(span("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        for wrong in [
            "",
            "2",
            "h",
            "0m",
            "2w",
            "99999999999999999999d",
            "18446744073709551615d",
        ] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_override_needs_a_reason() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' '));
        for line in [
            "understudy takeover redis --override-vetoes",
            "understudy takeover redis --override-stay-down",
            "understudy giveback redis --override-vetoes",
            "understudy takeover redis --reason x --override-vetoes --force",
            "understudy pause redis",
            "understudy pause --reason x",
            "understudy pause redis --host --reason x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
        for line in [
            "understudy takeover redis --reason x --override-vetoes",
            "understudy takeover redis --reason x --override-stay-down --confirm-stopped beta",
            "understudy takeover redis --force",
            "understudy pause redis --reason x --for 2h",
            "understudy unpause --all",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn words_are_those_of_rest() {
        assert_eq!(word(&Outcome::ClientRetries), "client-retries");
        assert_eq!(word(&State::Cut), "cut");
    }
}
