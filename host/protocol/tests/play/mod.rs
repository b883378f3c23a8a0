//! Plays scenario files: lines that begin with `> ` are commands, `#` are comments, everything else is the journal.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, missing_docs)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use understudy_protocol::{Event, Fault, FaultKind, Giveback, Order, PluginRefusal, ServerState, Severity, Verdict};

use crate::world::{World, name, plan};

/// All scenario files, in order.
pub fn files() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Plays a file: lines that begin with `> ` are commands, `#` are comments, everything else is the journal.
pub fn play(text: &str) -> (String, BTreeSet<usize>) {
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
    let taken = world.map(|world| world.taken).unwrap_or_default();
    (out, taken)
}

fn step(world: &mut World, words: &[&str]) {
    let rest = |from: usize| words.get(from..).map(|w| w.join(" ")).unwrap_or_default();
    match (words[0], words.get(1).copied().unwrap_or_default()) {
        ("start", who) => world.start(&name(who)),
        ("crash", who) => world.crash(&name(who)),
        ("power-off", who) => world.power_off(&name(who)),
        ("run", duration) => world.run_for(parse(duration)),
        ("cut", a) => world.partition(&name(a), &name(words[2])),
        ("lose", who) => drop(world.lost.insert((name(who), words[2].into()))),
        ("break", who) => drop(world.host(&name(who)).broken.insert(words[2].into())),
        ("mend", who) => drop(world.host(&name(who)).broken.remove(words[2])),
        ("again", who) => {
            let found = world
                .last
                .iter()
                .find(|((from, named), _)| from.as_str() == who && *named == words[2]);
            let (to, envelope) = found.map(|(_, message)| message.clone()).expect("it was said before");
            let to = words.get(3).map_or(to, |other| name(other));
            world.network.push_front((to, envelope));
        }
        ("tell-ignored", what) => world.chatty = what == "on",
        ("lose-nothing", _) => world.lost.clear(),
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
        ("bootstrap", who) => {
            let at = world.wall(&name(who));
            order(world, who, Order::Bootstrap { by: "anna".into(), at });
        }
        ("clock", who) => drop(world.skew.insert(name(who), words[2].parse().unwrap())),
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
            let at = world.wall(&name(who));
            order(
                world,
                who,
                Order::Force {
                    stopped,
                    by: "anna".into(),
                    reason: "it burns".into(),
                    at,
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
