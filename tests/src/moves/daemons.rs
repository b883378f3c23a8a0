//! Two real daemons that look after nginx: with an address that moves between the hosts, or with a forwarding one on
//! the first.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::lan::{Lan, VIP4};
use super::web::{QUICK, Web};
use crate::cluster::Built;
use crate::servers::{run_to_end, wait_until};

/// How the service's address moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// From host to host; one server at a time.
    Vip,
    /// Both daemons on the first host forward to a server of their own.
    Proxy,
}

/// Two daemons, started, with the service on `a`.
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
        for (place, (node, web)) in ["a", "b"].into_iter().zip(webs).enumerate() {
            let file = folder.join(format!("{node}.toml"));
            fs::write(&file, daemons.config(folder, place, web)).context("writing a configuration")?;
            let log = File::create(folder.join(format!("{node}.log")))?;
            let mut command = lan.command(daemons.node_of(node), &built.daemon().display().to_string());
            command.args(["run", "--config"]).arg(&file).stdin(Stdio::null());
            command.env("NO_COLOR", "1").stdout(log.try_clone()?).stderr(log);
            daemons.processes.push(command.spawn().context("starting a daemon")?);
        }
        let ready = wait_until(Duration::from_secs(30), || {
            ["a", "b"].iter().all(|node| daemons.ask(lan, node, "status").is_ok())
        });
        ensure!(ready, "the daemons do not answer");
        let served = wait_until(Duration::from_secs(30), || {
            daemons.ask(lan, "a", "bootstrap web --wait --timeout 10").is_ok()
        });
        ensure!(
            served,
            "the service can't be started: {:?}",
            daemons.ask(lan, "a", "bootstrap web --wait")
        );
        Ok(daemons)
    }

    /// Moves the service and waits until it is done.
    pub(super) fn take_over(&self, lan: &Lan, to: &str) -> Result<()> {
        self.ask(lan, "a", &format!("takeover web --to {to} --wait")).map(drop)
    }

    fn ask(&self, lan: &Lan, node: &str, words: &str) -> Result<String> {
        let program = self.built.daemon().display().to_string();
        let url = format!("http://127.0.0.1:{}", 7420 + u16::from(node == "b") * 10);
        lan.run(self.node_of(node), &format!("{program} {words} --url {url}"))
    }

    /// Where a host's daemon runs.
    fn node_of<'a>(&self, node: &'a str) -> &'a str {
        match self.mode {
            Mode::Vip => node,
            Mode::Proxy => "a",
        }
    }

    fn config(&self, folder: &Path, place: usize, web: &Web) -> String {
        let names = ["a", "b"];
        let (me, other) = (names[place], names[1 - place]);
        let port = |place: usize| 7420 + place * 10;
        let host = |place: usize| match self.mode {
            Mode::Vip => format!("192.0.2.{}", place + 2),
            Mode::Proxy => "127.0.0.1".to_owned(),
        };
        let (address, server) = match self.mode {
            Mode::Vip => (
                format!("mode = \"vip\"\naddresses = [\"{VIP4}/24\"]\ninterface = \"eth0\""),
                "127.0.0.1:80".to_owned(),
            ),
            Mode::Proxy => {
                let server = format!("127.0.0.1:{}", 8081 + place);
                (
                    format!("mode = \"proxy\"\nlisten = [\"{VIP4}:80\"]\nserver = \"{server}\"\ncarry_idle = true"),
                    server,
                )
            }
        };
        let at = folder.display();
        let plugins = self.built.plugins.display();
        format!(
            "[host]\nname = \"{me}\"\nstate_dir = \"{at}/{me}-state\"\nplugin_dir = \"{plugins}\"\n\n\
             [api]\nlisten = \"127.0.0.1:{api}\"\n\n[cluster]\nlisten = \"{mine}:{peer}\"\nidentity = \"{at}/{me}-identity\"\n\n\
             [[cluster.peer]]\nname = \"{other}\"\naddress = \"{theirs}:{other_peer}\"\n\n\
             [[service]]\nname = \"web\"\nserver_type = \"nginx\"\ncandidates = [\"a\", \"b\"]\nports = [{port}]\n\n\
             [service.address]\n{address}\n\n\
             [[service.plugin]]\ncomponent = \"nginx.wasm\"\ngrant = [\"endpoint:server\", \"endpoint:status\", \"command:test\", \
             \"command:start\", \"command:quit\", \"command:stop\", \"command:status\", \"system\", \"sockets\"]\n\n\
             [service.plugin.config]\nhealth-path = \"{health}\"\nstatus-path = \"/status\"\n\n\
             [service.plugin.endpoints.server]\ntcp = \"{server}\"\n\n[service.plugin.endpoints.status]\ntcp = \"{server}\"\n\n\
             {commands}[service.drain]\ndeadline = \"20s\"\n",
            api = port(place),
            peer = port(place) + 1,
            other_peer = port(1 - place) + 1,
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
    let (first, second, bundle) = (at("a-identity"), at("b-identity"), at("invitation"));
    for words in [
        vec!["init", "--host", "a", "--identity", &first],
        vec!["invite", "--host", "b", "--identity", &first, "--out", &bundle],
        vec!["join", "--from", &bundle, "--identity", &second],
    ] {
        let fixed = [program.as_str(), "cluster"];
        let argv: Vec<String> = fixed.iter().chain(&words).map(|word| (*word).to_owned()).collect();
        run_to_end(&argv)?;
    }
    Ok(())
}
