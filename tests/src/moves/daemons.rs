//! Two real daemons that look after nginx: with an address that moves between the hosts, or with a forwarding one on
//! the first.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};

use super::web::{QUICK, Web};
use crate::cluster::{Built, HOSTS, JournalLine};
use crate::lan::{INTERFACE, Lan, OWN, PREFIX, VIPS};
use crate::servers::{run_to_end, wait_until};

/// How the service's address moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// From host to host; both servers at a time.
    Overlap,
    /// From host to host; one server at a time.
    Exclusive,
    /// Both daemons on the first host forward to a server of their own.
    Proxy,
}

/// Two daemons, started, with the service on the first.
pub(super) struct Daemons {
    processes: Vec<Child>,
    built: Built,
    mode: Mode,
}

impl Daemons {
    pub(super) fn start(lan: &Lan, folder: &Path, webs: &[Web; 2], built: &Built, mode: Mode) -> Result<Self> {
        identities(folder, built)?;
        let mut daemons = Daemons {
            processes: Vec::new(),
            built: built.clone(),
            mode,
        };
        for (place, web) in webs.iter().enumerate() {
            let host = HOSTS[place];
            let file = folder.join(format!("{host}.toml"));
            fs::write(&file, daemons.config(folder, place, web)).context("writing a configuration")?;
            let log = File::create(folder.join(format!("{host}.log")))?;
            let mut command = lan.command(daemons.node_of(place), &built.daemon());
            command.args(["run", "--config"]).arg(&file).stdin(Stdio::null());
            command.env("NO_COLOR", "1").stdout(log.try_clone()?).stderr(log);
            daemons.processes.push(command.spawn().context("starting a daemon")?);
        }
        let ready = wait_until(Duration::from_secs(30), || {
            (0..HOSTS.len()).all(|place| daemons.ask(lan, place, "status").is_ok())
        });
        ensure!(ready, "the daemons do not answer");
        let served = wait_until(Duration::from_secs(30), || {
            daemons.ask(lan, 0, "bootstrap web --wait --timeout 10").is_ok()
        });
        ensure!(
            served,
            "the service can't be started: {:?}",
            daemons.ask(lan, 0, "bootstrap web --wait")
        );
        Ok(daemons)
    }

    /// Moves the service and waits until it is done.
    pub(super) fn take_over(&self, lan: &Lan, to: &str) -> Result<()> {
        self.ask(lan, 0, &format!("takeover web --to {to} --wait")).map(drop)
    }

    /// What both hosts' journals say since the order.
    pub(super) fn steps(&self, lan: &Lan, ordered: Instant) -> Result<Vec<(String, Instant)>> {
        let now = (Instant::now(), SystemTime::now());
        let mut steps = Vec::new();
        for (place, host) in HOSTS.into_iter().enumerate() {
            let said = self.ask(lan, place, "history --json --service web")?;
            let lines: Vec<JournalLine> = serde_json::from_str(&said).context("reading a journal")?;
            for line in lines.into_iter().filter(|line| line.host == host) {
                let at = SystemTime::UNIX_EPOCH + Duration::from_millis(line.at_ms);
                let ago = now.1.duration_since(at).unwrap_or_default();
                steps.extend(now.0.checked_sub(ago).map(|at| (line.step, at)));
            }
        }
        // The journal's times have no fractions of a millisecond.
        let ordered = ordered - Duration::from_millis(1);
        steps.retain(|(_, at)| *at >= ordered);
        Ok(steps)
    }

    fn ask(&self, lan: &Lan, place: usize, words: &str) -> Result<String> {
        let program = self.built.daemon().display().to_string();
        let url = format!("http://127.0.0.1:{}", api(place));
        lan.run(self.node_of(place), &format!("{program} {words} --url {url}"))
    }

    /// Where a host's daemon runs.
    fn node_of(&self, place: usize) -> &'static str {
        match self.mode {
            Mode::Overlap | Mode::Exclusive => HOSTS[place],
            Mode::Proxy => HOSTS[0],
        }
    }

    /// What clients connect to, and the server behind it.
    fn address(&self, place: usize) -> (String, String) {
        let vip = VIPS[1];
        if self.mode == Mode::Proxy {
            let server = format!("127.0.0.1:{}", 8081 + place);
            let address =
                format!("mode = \"proxy\"\nlisten = [\"{vip}:80\"]\nserver = \"{server}\"\ncarry_idle = true\n");
            return (address, server);
        }
        let mut address = format!("mode = \"vip\"\naddresses = [\"{vip}/{PREFIX}\"]\ninterface = \"{INTERFACE}\"\n");
        if self.mode == Mode::Overlap {
            let hosts = (HOSTS.iter().zip(OWN)).map(|(host, own)| format!("{host} = [\"{own}\"]"));
            let hosts: Vec<_> = hosts.collect();
            let _infallible = writeln!(address, "hosts = {{ {} }}", hosts.join(", "));
        }
        (address, "127.0.0.1:80".to_owned())
    }

    fn config(&self, folder: &Path, place: usize, web: &Web) -> String {
        let (me, other) = (HOSTS[place], HOSTS[1 - place]);
        let host = |place: usize| match self.mode {
            Mode::Overlap | Mode::Exclusive => OWN[place].to_string(),
            Mode::Proxy => "127.0.0.1".to_owned(),
        };
        let (address, server) = self.address(place);
        let at = folder.display();
        let plugins = self.built.plugins.display();
        format!(
            "[host]\nname = \"{me}\"\nstate_dir = \"{at}/{me}-state\"\nplugin_dir = \"{plugins}\"\n\n\
             [api]\nlisten = \"127.0.0.1:{api}\"\n\n[cluster]\nlisten = \"{mine}:{peer}\"\nidentity = \"{at}/{me}-identity\"\n\n\
             [[cluster.peer]]\nname = \"{other}\"\naddress = \"{theirs}:{other_peer}\"\n\n\
             [[service]]\nname = \"web\"\nserver_type = \"nginx\"\ncandidates = [\"{first}\", \"{second}\"]\n\
             {mode}ports = [{port}]\n\n\
             [service.address]\n{address}\n\
             [[service.plugin]]\ncomponent = \"nginx.wasm\"\ngrant = [\"endpoint:server\", \"endpoint:status\", \"command:test\", \
             \"command:start\", \"command:quit\", \"command:stop\", \"command:status\", \"system\", \"sockets\"]\n\n\
             [service.plugin.config]\nhealth-path = \"{health}\"\nstatus-path = \"/status\"\n\n\
             [service.plugin.endpoints.server]\ntcp = \"{server}\"\n\n[service.plugin.endpoints.status]\ntcp = \"{server}\"\n\n\
             {commands}[service.drain]\ndeadline = \"20s\"\n",
            api = api(place),
            peer = api(place) + 1,
            other_peer = api(1 - place) + 1,
            first = HOSTS[0],
            second = HOSTS[1],
            mode = if self.mode == Mode::Overlap {
                "mode = \"overlap\"\n"
            } else {
                ""
            },
            mine = host(place),
            theirs = host(1 - place),
            port = server.rsplit(':').next().unwrap_or("80"),
            health = QUICK.0,
            commands = commands(web),
        )
    }
}

impl Drop for Daemons {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _gone = process.kill();
            let _ended = process.wait();
        }
    }
}

/// REST's port; the one for peers is the next.
fn api(place: usize) -> usize {
    7420 + place * 10
}

fn commands(web: &Web) -> String {
    let pid = web.pid_file();
    let script = format!(
        "grep -q 'nginx: master' \"/proc/$(cat '{}')/cmdline\" 2>/dev/null",
        pid.display()
    );
    let status = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
    let all = [
        ("test", web.command(&["-t", "-q"]), false),
        ("start", web.command(&[]), true),
        ("quit", web.command(&["-s", "quit"]), true),
        ("stop", web.command(&["-s", "stop"]), true),
        ("status", status, false),
    ];
    let lines = all.map(|(name, argv, changes)| {
        let argv = toml::Value::from(argv);
        format!("[service.plugin.commands.{name}]\nargv = {argv}\ntimeout = \"10s\"\nchanges = {changes}\n\n")
    });
    lines.concat()
}

/// As an operator would found a cluster of two.
fn identities(folder: &Path, built: &Built) -> Result<()> {
    let program = built.daemon().display().to_string();
    let at = |name: &str| folder.join(name).display().to_string();
    let (first, second, bundle) = (
        at(&format!("{}-identity", HOSTS[0])),
        at(&format!("{}-identity", HOSTS[1])),
        at("invitation"),
    );
    for words in [
        vec!["init", "--host", HOSTS[0], "--identity", &first],
        vec!["invite", "--host", HOSTS[1], "--identity", &first, "--out", &bundle],
        vec!["join", "--from", &bundle, "--identity", &second],
    ] {
        let fixed = [program.as_str(), "cluster"];
        let argv: Vec<String> = fixed.iter().chain(&words).map(|word| (*word).to_owned()).collect();
        run_to_end(&argv)?;
    }
    Ok(())
}
