//! Scenario files: what happens, in words, and the journal it must lead to. `UPDATE_SCENARIOS=1 cargo test` writes
//! the journals anew; the difference is then read like code.
#![allow(clippy::unwrap_used, clippy::panic)]

mod world;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use understudy_protocol::{Event, Fault, FaultKind, Giveback, Order, PluginRefusal, ServerState, Severity, Verdict};
use world::{World, name, plan};

#[test]
fn scenarios() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let played = play(&text);
        if update {
            std::fs::write(&file, played).unwrap();
        } else if played != text {
            wrong.push(format!("{}:\n{played}", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "these scenarios went another way:\n{}",
        wrong.join("\n")
    );
}

/// Plays a file: lines that begin with `> ` are commands, `#` are comments, everything else is the journal.
fn play(text: &str) -> String {
    let mut world: Option<World> = None;
    let mut out = String::new();
    for line in text.lines() {
        if line.starts_with('#') || line.is_empty() {
            writeln!(out, "{line}").unwrap();
        } else if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").unwrap();
            let words: Vec<&str> = command.split_whitespace().collect();
            if words[0] == "hosts" {
                world = Some(World::new(plan(&words[1..])));
                continue;
            }
            let world = world.as_mut().expect("begin with `> hosts`");
            step(world, &words);
            world.log.drain(..).for_each(|line| writeln!(out, "{line}").unwrap());
        }
    }
    out
}

fn step(world: &mut World, words: &[&str]) {
    let rest = |from: usize| words.get(from..).map(|w| w.join(" ")).unwrap_or_default();
    match (words[0], words.get(1).copied().unwrap_or_default()) {
        ("start", who) => world.start(&name(who)),
        ("crash", who) => world.crash(&name(who)),
        ("power-off", who) => world.power_off(&name(who)),
        ("run", duration) => world.run_for(parse(duration)),
        ("cut", a) => world.partition(&name(a), &name(words[2])),
        ("heal", a) => world.heal(&name(a), &name(words[2])),
        ("auto-giveback", delay) => {
            world.plan.giveback = Giveback::Auto {
                delay: parse(delay),
                attempts: 2,
            }
        }
        ("no-reboot", _) => world.plan.reboot = false,
        ("verdict", who) => {
            let event = match words[2] {
                "healthy" => Event::Health {
                    verdict: Verdict::Healthy,
                    fault: None,
                },
                "unknown" => Event::Health {
                    verdict: Verdict::Unknown,
                    fault: None,
                },
                code => Event::Health {
                    verdict: Verdict::Failing,
                    fault: Some(fault(code, words.get(3))),
                },
            };
            world.handle(&name(who), &event);
        }
        ("bootstrap", who) => order(world, who, Order::Bootstrap { by: "anna".into() }),
        ("takeover", who) => {
            let to = words.get(2).map(|host| name(host));
            order(
                world,
                who,
                Order::TakeOver {
                    to,
                    by: "anna".into(),
                    reason: "maintenance".into(),
                },
            );
        }
        ("giveback", who) => order(world, who, Order::Giveback { by: "anna".into() }),
        ("cancel", who) => order(world, who, Order::Cancel),
        ("cure", who) => order(world, who, Order::Cure { by: "anna".into() }),
        ("force", who) => {
            let stopped = words[2..].iter().map(|host| name(host)).collect();
            order(
                world,
                who,
                Order::Force {
                    stopped,
                    by: "anna".into(),
                    reason: "it burns".into(),
                },
            );
        }
        ("by-hand", who) => world.host(&name(who)).server = ServerState::Serving,
        ("hold", who) => drop(world.host(&name(who)).held_back.insert(words[2].into())),
        ("let", who) => drop(world.host(&name(who)).held_back.remove(words[2])),
        ("fail", who) => drop(world.host(&name(who)).fails.insert(words[2].into(), rest(3))),
        ("refuse", who) => {
            let would_accept_if = Some("replication lag < 10 MB".to_owned());
            let refusal = PluginRefusal {
                code: words[2].into(),
                message: rest(3),
                would_accept_if,
            };
            world.host(&name(who)).refuses = Some(refusal);
        }
        ("store", who) => world.host(&name(who)).store_broken = words[2] == "broken",
        ("serving", _) => {
            let line = format!("         serving: {:?}", world.admitting());
            world.log.push(line);
        }
        (other, _) => panic!("unknown command {other}"),
    }
}

fn order(world: &mut World, who: &str, order: Order) {
    world.handle(&name(who), &Event::Ordered(order));
}

fn fault(code: &str, within: Option<&&str>) -> Fault {
    Fault {
        code: code.to_owned(),
        kind: FaultKind::Storage,
        severity: Severity::ShutdownRequired,
        message: "the probe says so".to_owned(),
        shutdown_within: within.map(|w| parse(w)),
        evidence: Vec::new(),
    }
}

fn parse(text: &str) -> Duration {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = digits.parse().unwrap_or_else(|_| panic!("not a duration: {text}"));
    match unit {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        other => panic!("unknown unit {other:?}"),
    }
}
