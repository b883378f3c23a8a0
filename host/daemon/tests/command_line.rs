//! The program itself, as scripts and operators use it: exit codes, standard output, and one running daemon.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

fn understudy(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_understudy"));
    for variable in ["UNDERSTUDY_URL", "UNDERSTUDY_CONFIG", "UNDERSTUDY_TOKEN_FILE"] {
        command.env_remove(variable);
    }
    command.args(arguments).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A folder with an identity and a configuration without services.
fn site() -> (TempDir, String, u16) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let made = understudy(&["cluster", "init", "--host", "alpha", "--identity", &path("id")]);
    assert_eq!(code(&made), 0, "{}", err(&made));
    let (api, peers) = (free_port(), free_port());
    let text = format!(
        "[host]\nname = \"alpha\"\nstate_dir = {:?}\n[api]\nlisten = \"127.0.0.1:{api}\"\n\
         [cluster]\nlisten = \"127.0.0.1:{peers}\"\nidentity = {:?}\n",
        path("state"),
        path("id"),
    );
    fs::write(path("understudy.toml"), text).unwrap();
    let config = path("understudy.toml");
    (folder, config, api)
}

/// Ends the process whatever happens.
struct Daemon(Child);

impl Daemon {
    fn start(config: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_understudy"));
        command
            .args(["run", "--config", config])
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        Daemon(command.spawn().unwrap())
    }

    fn terminate(&mut self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap().code().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_daemon_runs_answers_and_stops_in_order() {
    let (_folder, config, api) = site();
    let mut daemon = Daemon::start(&config);
    let deadline = Instant::now() + Duration::from_secs(60);
    let status = loop {
        let status = understudy(&["status", "--config", &config, "--json"]);
        if code(&status) == 0 || Instant::now() > deadline {
            break status;
        }
        assert_eq!(code(&status), 69, "until it runs it is unreachable: {}", err(&status));
        std::thread::sleep(Duration::from_millis(200));
    };
    let status: serde_json::Value =
        serde_json::from_slice(&status.stdout).expect("the daemon must answer within a minute");
    assert_eq!(status["hosts"][0]["host"], "alpha");
    assert_eq!(status["services"], serde_json::json!([]));

    let url = format!("http://127.0.0.1:{api}");
    let status = out(&understudy(&["status", "--url", &url]));
    assert!(
        status.contains("alpha (answers)") && status.contains("No service is configured."),
        "{status}"
    );
    assert_eq!(out(&understudy(&["history", "--url", &url])), "Nothing happened yet.\n");
    let refused = understudy(&["takeover", "redis", "--url", &url]);
    assert_eq!(code(&refused), 1);
    assert!(
        err(&refused).contains("What there is: `understudy status`"),
        "{}",
        err(&refused)
    );
    assert_eq!(out(&refused), "", "an error is nothing for a program to read");

    assert_eq!(daemon.terminate(), 0);
    assert_eq!(code(&understudy(&["status", "--url", &url])), 69);
}

#[test]
fn each_failure_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("understudy.toml");
    fs::write(&config, "[host]\nnmae = \"alpha\"\n[cluster]\n").unwrap();
    let config = config.display().to_string();
    for arguments in [
        ["run", "--config", &config].as_slice(),
        &["config", "check", "--config", &config],
    ] {
        let wrong = understudy(arguments);
        assert_eq!(code(&wrong), 78, "{}", err(&wrong));
        assert!(
            err(&wrong).contains("understudy.toml:2:1: unknown key `nmae` in [host]"),
            "{}",
            err(&wrong)
        );
    }
    let unreachable = understudy(&["status", "--url", &format!("http://127.0.0.1:{}", free_port())]);
    assert_eq!(code(&unreachable), 69);
    assert!(err(&unreachable).contains("systemctl status understudy"));
    assert_eq!(code(&understudy(&["status", "--url", "https://alpha:7420"])), 2);
    assert_eq!(code(&understudy(&["takeover"])), 2);
    assert_eq!(code(&understudy(&["takeover", "NOT A NAME"])), 2);
    assert_eq!(code(&understudy(&["--version"])), 0);
}

#[test]
fn every_command_teaches_by_example() {
    for command in [
        ["run"].as_slice(),
        &["status"],
        &["takeover"],
        &["giveback"],
        &["cure"],
        &["cancel"],
        &["bootstrap"],
        &["pause"],
        &["unpause"],
        &["requests"],
        &["history"],
        &["fsm"],
        &["cluster"],
        &["config", "check"],
    ] {
        let help = out(&understudy(&[command, &["--help"]].concat()));
        assert!(
            help.contains("Example") && help.contains(&format!("understudy {}", command.join(" "))),
            "{help}"
        );
    }
}

#[test]
fn a_cluster_is_founded_and_joined_by_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: &[&str]| understudy(&[&["cluster"], arguments].concat());
    assert_eq!(code(&run(&["init", "--host", "alpha", "--identity", &path("a")])), 0);
    let again = run(&["init", "--host", "alpha", "--identity", &path("a")]);
    assert_eq!(code(&again), 1);
    assert!(err(&again).contains("--force"), "{}", err(&again));
    assert_eq!(
        code(&run(&[
            "invite",
            "--host",
            "beta",
            "--identity",
            &path("a"),
            "--out",
            &path("bundle")
        ])),
        0
    );
    assert_eq!(code(&run(&["join", "--from", &path("bundle"), "--dir", &path("b")])), 0);
    let show = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&run(&["show", "--json", "--identity", &path(name)]).stdout).unwrap()
    };
    let (alpha, beta) = (show("a"), show("b"));
    assert_eq!(alpha["cluster"], beta["cluster"]);
    assert_eq!((&alpha["host"], &beta["host"]), (&"alpha".into(), &"beta".into()));
    assert!(!Path::new(&path("b")).join("ca-key.pem").exists());
}

#[test]
fn the_protocols_table_is_printed() {
    assert!(out(&understudy(&["fsm"])).starts_with("stateDiagram-v2\n"));
    let table = out(&understudy(&["fsm", "--table"]));
    assert!(table.contains("released"), "{table}");
}
