//! Declared commands: their parameters, their surroundings, their end.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use understudy_runtime::{CallFailure, CommandSpec, Pattern, Target};

use crate::servers::eventually;
use crate::support::{check, context, context_of, hostile, probe, target};

pub(crate) fn spec(argv: &[&str]) -> CommandSpec {
    CommandSpec {
        argv: argv.iter().map(|&text| text.to_owned()).collect(),
        parameters: BTreeMap::new(),
        timeout: Duration::from_secs(20),
        env: BTreeMap::new(),
        cwd: None,
        changes: false,
    }
}

pub(crate) fn running(name: &str, spec: CommandSpec, mut config: Value) -> Target {
    config["do"] = "run".into();
    config["command"] = name.into();
    let mut target = target("commands", config);
    spec.check().unwrap();
    target.commands.insert(name.into(), spec);
    target
}

/// A shell here is the operator's program, with its script in the declaration.
fn script(text: &str) -> CommandSpec {
    spec(&["/bin/sh", "-c", text])
}

#[tokio::test]
async fn a_parameter_is_one_argument_and_no_shell() {
    let mut echo = spec(&["/bin/echo", "unit={unit}", "{{x}"]);
    echo.parameters.insert("unit".into(), Pattern::Word);
    let seen = probe(running("echo", echo.clone(), json!({"parameters": {"unit": "web@1"}}))).await;
    assert_eq!(
        (seen["exit-code"].as_str(), seen["stdout"].as_str()),
        ("Some(0)", "unit=web@1 {x}\n")
    );
    for bad in [
        json!({}),
        json!({"unit": "a b"}),
        json!({"unit": "$(id)"}),
        json!({"unit": "-n"}),
        json!({"other": "x"}),
    ] {
        let seen = probe(running("echo", echo.clone(), json!({"parameters": bad}))).await;
        assert_eq!(seen["error"], "invalid", "{seen:?}");
    }
}

#[tokio::test]
async fn its_surroundings_are_plain() {
    let mut env = spec(&["/usr/bin/env"]);
    env.env.insert("FLAVOUR".into(), "vanilla".into());
    let seen = probe(running("echo", env, json!({}))).await;
    let mut lines: Vec<&str> = seen["stdout"].lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.contains(&"FLAVOUR=vanilla"));
    assert_eq!(
        probe(running("echo", script("pwd; cat"), json!({}))).await["stdout"],
        "/\n"
    );
    let mut elsewhere = script("pwd");
    elsewhere.cwd = Some("/tmp".into());
    assert_eq!(probe(running("echo", elsewhere, json!({}))).await["stdout"], "/tmp\n");
}

#[tokio::test]
async fn how_it_ended_is_said() {
    let seen = probe(running("echo", script("echo oh >&2; exit 3"), json!({}))).await;
    assert_eq!(
        (seen["exit-code"].as_str(), seen["stderr"].as_str()),
        ("Some(3)", "oh\n")
    );
    assert_eq!(
        probe(running("echo", script("kill -9 $$"), json!({}))).await["exit-code"],
        "None"
    );
    let missing = probe(running("echo", spec(&["/does/not/exist"]), json!({}))).await;
    assert_eq!(missing["error"], "failed", "{missing:?}");
}

#[tokio::test]
async fn its_output_is_bounded() {
    let loud = script("head -c 200000 /dev/zero | tr '\\0' x; exit 5");
    let seen = probe(running("loud", loud, json!({}))).await;
    assert_eq!((seen["length"].as_str(), seen["truncated"].as_str()), ("65536", "true"));
    assert_eq!(seen["exit-code"], "Some(5)", "it could write all of it");
}

/// A script that writes down the process that it leaves behind, and runs for ever.
fn endless(directory: &Path) -> CommandSpec {
    script(&format!(
        "sleep 1000 & echo $! > {0}/pid.new; mv {0}/pid.new {0}/pid; wait",
        directory.display()
    ))
}

fn is_alive(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is dead: whoever inherits it has only not looked yet.
    !status.is_empty() && !status.contains(") Z")
}

#[tokio::test]
async fn the_whole_group_is_killed_at_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut short = endless(directory.path());
    short.timeout = Duration::from_millis(500);
    assert_eq!(probe(running("sleep", short, json!({}))).await["error"], "timed-out");
    let pid = std::fs::read_to_string(directory.path().join("pid")).unwrap();
    eventually("the child is gone", || !is_alive(pid.trim())).await;
}

#[tokio::test]
async fn it_is_killed_with_its_call() {
    let directory = tempfile::tempdir().unwrap();
    let written = directory.path().join("pid");
    let target = running("sleep", endless(directory.path()), json!({"timeout-ms": u32::MAX}));
    let failure = check(target.clone(), context_of(Duration::from_millis(500)))
        .await
        .unwrap_err();
    assert!(matches!(&failure, CallFailure::TimedOut { waiting_for: Some(what), .. } if what == "commands.run(sleep)"));
    let pid = std::fs::read_to_string(&written).unwrap();
    eventually("the child is gone", || !is_alive(pid.trim())).await;

    std::fs::remove_file(&written).unwrap();
    let (plugin, target) = (hostile().await, Arc::new(target));
    let call = tokio::spawn(async move { plugin.check(&target, context()).await });
    eventually("the command runs", || written.exists()).await;
    call.abort();
    let pid = std::fs::read_to_string(&written).unwrap();
    eventually("the child is gone", || !is_alive(pid.trim())).await;
}

#[tokio::test]
async fn a_server_that_it_starts_stays() {
    // It holds the output open, as daemons do that were started carelessly.
    let seen = probe(running(
        "echo",
        script("sleep 300 & echo $!"),
        json!({"timeout-ms": 10_000}),
    ))
    .await;
    assert_eq!(seen["exit-code"], "Some(0)", "{seen:?}");
    let pid = seen["stdout"].trim();
    assert!(is_alive(pid));
    std::process::Command::new("/bin/kill").arg(pid).status().unwrap();
    eventually("the child is gone", || !is_alive(pid)).await;
}
