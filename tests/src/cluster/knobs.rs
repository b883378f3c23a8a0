//! A web service whose every answer is a matter of files: a real nginx, looked after by the `http` plugin, whose health,
//! number of requests under way and commands can be made to say or do anything at any moment. With it a story reaches
//! rows of the protocol's table that a well-behaved server never shows.
//!
//! Invariant: with no knob turned, it is a plain nginx.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::Site;
use super::config::argv;

/// The policies of a service with knobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Policies {
    /// At the deadline of a drain for a fault: `force`, `abort` or `extend`.
    pub on_fault: &'static str,
    /// The same for an operator's order.
    pub on_request: &'static str,
    /// `alert` or `take-over`.
    pub on_unknown: &'static str,
    /// Whether the service goes home by itself.
    pub auto_giveback: bool,
    /// Whether a cure needs a command.
    pub reboot: bool,
    /// How long an unhealthy server may go on, in milliseconds.
    pub shutdown_within_ms: Option<u32>,
}

/// Something that can be made to go wrong on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knob {
    /// The health path answers 404: a fault that requires a shutdown.
    Unhealthy,
    /// Requests are under way, and do not end.
    Busy,
    /// `test` fails: this host can't take over, and does not stand by.
    TestFails,
    /// `test` takes longer than any answer is waited for.
    TestHangs,
    /// `start` fails.
    StartFails,
    /// `stop` does nothing; `kill` still works.
    StopHangs,
    /// Neither `stop` nor `kill` does anything.
    KillHangs,
    /// The command of the cure fails.
    RebootFails,
    /// The command of the cure does not end.
    RebootHangs,
    /// What became of the first's requests can't be said.
    ResolveFails,
    /// The number of requests under way can't be read.
    SettleFails,
}

const ALL: [Knob; 11] = [
    Knob::Unhealthy,
    Knob::Busy,
    Knob::TestFails,
    Knob::TestHangs,
    Knob::StartFails,
    Knob::StopHangs,
    Knob::KillHangs,
    Knob::RebootFails,
    Knob::RebootHangs,
    Knob::ResolveFails,
    Knob::SettleFails,
];

const HEALTH: &str = "health";
const IN_FLIGHT: &str = "in-flight.json";
const REQUESTS: &str = "requests.json";
const RESOLVED: &str = "resolved.json";
/// One request, so that there is something to hand over and to resolve.
const LISTED: &str = r#"[{"id":"one","client":"192.0.2.1:4000","operation":"GET /slow","state":"running"}]"#;
const RESOLUTION: &str = r#"[{"id":"one","outcome":"client-retries","message":"the client asks again"}]"#;

impl Knob {
    fn file(self) -> &'static str {
        match self {
            Knob::Unhealthy => "unhealthy",
            Knob::Busy => "busy",
            Knob::TestFails => "test-fails",
            Knob::TestHangs => "test-hangs",
            Knob::StartFails => "start-fails",
            Knob::StopHangs => "stop-hangs",
            Knob::KillHangs => "kill-hangs",
            Knob::RebootFails => "reboot-fails",
            Knob::RebootHangs => "reboot-hangs",
            Knob::ResolveFails => "resolve-fails",
            Knob::SettleFails => "settle-fails",
        }
    }
}

impl Site {
    /// Turns a knob.
    pub fn turn(&self, knob: Knob) -> Result<()> {
        fs::write(knob_folder(self).join(knob.file()), "").context("turning a knob")?;
        self.follow_knob(knob, true)
    }

    /// Turns it back.
    pub fn turn_back(&self, knob: Knob) -> Result<()> {
        // One that was not turned is turned back already.
        let _ = fs::remove_file(knob_folder(self).join(knob.file()));
        self.follow_knob(knob, false)
    }

    /// Turns all back.
    pub fn turn_all_back(&self) -> Result<()> {
        fs::create_dir_all(knob_folder(self)).context("making the knobs' folder")?;
        fs::write(self.web.content().join(REQUESTS), LISTED).context("writing the list of requests")?;
        ALL.into_iter().try_for_each(|knob| self.turn_back(knob))
    }

    /// The knobs that are files of the web server.
    fn follow_knob(&self, knob: Knob, on: bool) -> Result<()> {
        let content = self.web.content();
        let (file, text) = match knob {
            Knob::Unhealthy => (HEALTH, (!on).then_some("well\n")),
            Knob::Busy => (IN_FLIGHT, Some(if on { "1" } else { "0" })),
            Knob::SettleFails => (IN_FLIGHT, Some(if on { "nobody knows" } else { "0" })),
            Knob::ResolveFails => (RESOLVED, (!on).then_some(RESOLUTION)),
            _ => return Ok(()),
        };
        let path = content.join(file);
        match text {
            // Replaced as a whole: nobody reads half of it.
            Some(text) => {
                let whole = content.join(format!(".{file}"));
                fs::write(&whole, text)?;
                fs::rename(whole, path)
            }
            None => match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
        }
        .with_context(|| format!("writing {file}"))
    }
}

/// The words as one line of a shell.
fn quoted(words: &[String]) -> String {
    let word = |word: &String| format!("'{}'", word.replace('\'', "'\\''"));
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

fn knob_folder(site: &Site) -> PathBuf {
    site.folder.join("knobs")
}

/// The plugin's table.
pub(super) fn plugin(policies: &Policies, site: &Site) -> String {
    let knobs = knob_folder(site);
    let unless = |knobs_that_prevent: &[(Knob, &str)], command: String| {
        let tests: String = knobs_that_prevent
            .iter()
            .map(|(knob, instead)| {
                format!(
                    "if test -e '{}'; then {instead}; fi; ",
                    knobs.join(knob.file()).display()
                )
            })
            .collect();
        ["/bin/sh", "-c", &format!("{tests}exec {command}")]
            .map(str::to_owned)
            .to_vec()
    };
    let nginx = |words: &[&str]| site.web.command(words).join(" ");
    let commands = [
        (
            "test",
            false,
            unless(
                &[
                    (Knob::TestFails, "echo said so >&2; exit 1"),
                    (Knob::TestHangs, "sleep 8"),
                ],
                nginx(&["-t", "-q"]),
            ),
        ),
        (
            "start",
            true,
            unless(&[(Knob::StartFails, "echo said so >&2; exit 1")], nginx(&[])),
        ),
        (
            "stop",
            true,
            unless(
                &[(Knob::StopHangs, "exit 0"), (Knob::KillHangs, "exit 0")],
                nginx(&["-s", "quit"]),
            ),
        ),
        (
            "kill",
            true,
            unless(&[(Knob::KillHangs, "exit 0")], quoted(&site.web.kill_command())),
        ),
        ("status", false, site.web.status_command()),
    ];
    let mut text = format!(
        "[[service.plugin]]\ncomponent = \"http.wasm\"\n\
         grant = [\"endpoint:server\", \"command:test\", \"command:start\", \"command:stop\", \"command:kill\", \
         \"command:status\"]\n\n\
         [service.plugin.config]\nhealth-path = \"/{HEALTH}\"\nhealth-statuses = [200]\nwindow = 1\nmax-failures = 1\n\
         timeout-ms = 1000\n{within}in-flight = {{ path = \"/{IN_FLIGHT}\" }}\nrequests-path = \"/{REQUESTS}\"\n\
         resolve = {{ method = \"GET\", path = \"/{RESOLVED}\" }}\n\n\
         [service.plugin.endpoints.server]\ntcp = \"{}\"\n",
        site.web.address(),
        within = policies
            .shutdown_within_ms
            .map(|ms| format!("shutdown-within-ms = {ms}\n"))
            .unwrap_or_default(),
    );
    for (name, changes, words) in commands {
        text.push_str(&format!(
            "\n[service.plugin.commands.{name}]\nargv = {}\ntimeout = \"10s\"\nchanges = {changes}\n",
            argv(&words)
        ));
    }
    text
}

/// The policies, and timers that end soon.
pub(super) fn settings(policies: &Policies, service: &str, site: &Site) -> String {
    let Policies {
        on_fault,
        on_request,
        on_unknown,
        auto_giveback,
        reboot,
        shutdown_within_ms: _,
    } = policies;
    // The hosts differ, so that each can be the one whose patience ends first.
    let at_most = if site.name == super::HOSTS[0] { 4500 } else { 1500 };
    let giveback = if *auto_giveback { "auto" } else { "manual" };
    let mut text = format!(
        "\n[service.probe]\ninterval = \"250ms\"\ntimeout = \"500ms\"\nrise = 1\nfall = 2\non_unknown = \"{on_unknown}\"\n\n\
         [service.drain]\ndeadline = \"1500ms\"\non_fault = \"{on_fault}\"\non_request = \"{on_request}\"\n\
         extend_at_most = \"{at_most}ms\"\n\n\
         [service.giveback]\npolicy = \"{giveback}\"\ndelay = \"300ms\"\nattempts = 20\n\n\
         # A pair is used for story after story: it would be taken for flapping.\n\
         [service.flap]\ntakeovers = 0\n\n\
         [service.timing]\nhello = \"200ms\"\ndiagnosis = \"1s\"\nanswer = \"1500ms\"\nretry = \"1s\"\nassessment = \"1s\"\n\
         offer = \"2s\"\ncompilation = \"2s\"\nstop = \"1500ms\"\nrelease = \"300ms\"\nserve = \"3s\"\nstay_down = \"500ms\"\n\
         observe = \"300ms\"\nhold = \"500ms\"\nsilence = \"2s\"\nfence = \"2s\"\nreboot = \"2s\"\n"
    );
    if *reboot && service != super::SERVICES[0] {
        let knobs = knob_folder(site);
        let script = format!(
            "test ! -e '{}' || exit 1; test ! -e '{}' || sleep 5",
            knobs.join(Knob::RebootFails.file()).display(),
            knobs.join(Knob::RebootHangs.file()).display()
        );
        let words = ["/bin/sh", "-c", &script].map(str::to_owned);
        text.push_str(&format!(
            "\n[service.reboot]\nargv = {}\nmachine = false\n",
            argv(&words)
        ));
    }
    text
}
