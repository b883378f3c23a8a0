//! Plays scenario files: lines that begin with `> ` are commands, `#` are comments, everything else is the journal.
#![allow(clippy::unwrap_used, clippy::panic, unreachable_pub, missing_docs)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use understudy_protocol::{
    DrainPolicy, Event, Fault, FaultKind, FlapGuard, Giveback, Mode, Order, PauseScope, PluginRefusal, ServerState,
    Severity, Verdict,
};

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
        ("overlap", _) => world.plan.mode = Mode::Overlap,
        ("on-deadline", what) => {
            let policy = match what {
                "force" => DrainPolicy::Force,
                "extend" => DrainPolicy::Extend,
                _ => DrainPolicy::Abort,
            };
            (world.plan.on_deadline_fault, world.plan.on_deadline_request) = (policy, policy);
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
        ("clock", who) => drop(world.skew.insert(name(who), words[2].parse().unwrap())),
        (
            "takeover" | "giveback" | "cancel" | "cure" | "force" | "override" | "bootstrap" | "pause" | "unpause",
            who,
        ) => {
            let at = world.wall(&name(who));
            world.handle(&name(who), &Event::Ordered(order(words, at)));
        }
        ("flap-guard", takeovers) => {
            world.plan.flap = FlapGuard {
                takeovers: takeovers.parse().unwrap(),
                window: parse(words[2]),
            };
        }
        ("extend", most) => {
            world.plan.on_deadline_fault = DrainPolicy::Extend;
            world.plan.on_deadline_request = DrainPolicy::Extend;
            world.plan.extend_at_most = parse(most);
        }
        ("progress", who) => {
            let work = world
                .host(&name(who))
                .working
                .front()
                .cloned()
                .expect("work is under way");
            let (remaining, blocker) = (words[2].parse().ok(), Some(rest(3)));
            world.handle(
                &name(who),
                &Event::Progressed {
                    work,
                    remaining,
                    blocker,
                },
            );
        }
        ("by-hand", who) => {
            let host = world.host(&name(who));
            (host.server, host.by_hand) = (ServerState::Serving, true);
        }
        ("hold", who) => drop(world.host(&name(who)).held_back.insert(words[2].into())),
        ("let", who) => drop(world.host(&name(who)).held_back.remove(words[2])),
        ("fail", who) => drop(world.host(&name(who)).fails.insert(words[2].into(), rest(3))),
        ("refuse-nothing", who) => world.host(&name(who)).refuses = None,
        ("refuse" | "refuse-hard", who) => {
            let would_accept_if = Some("replication lag < 10 MB".to_owned());
            let refusal = PluginRefusal {
                code: words[2].into(),
                message: rest(3),
                would_accept_if,
                hard: words[0] == "refuse-hard",
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

/// `takeover beta [to gamma] [overriding]`, `pause alpha service [for 10s]`, and so on.
fn order(words: &[&str], at: u64) -> Order {
    let by = || "anna".to_owned();
    let reason = |text: &str| text.to_owned();
    let override_vetoes = words.last() == Some(&"overriding");
    let named = |from: usize| words.get(from..).unwrap_or_default().iter();
    let scope = || {
        let word = words.get(2).copied().unwrap_or("service");
        let found = PauseScope::ALL.into_iter().find(|scope| scope.as_str() == word);
        found.unwrap_or_else(|| panic!("unknown scope {word}"))
    };
    match words[0] {
        "takeover" => Order::TakeOver {
            to: named(2).find(|word| **word != "overriding").map(|host| name(host)),
            by: by(),
            reason: reason("maintenance"),
            override_vetoes,
        },
        "giveback" => Order::Giveback {
            by: by(),
            reason: reason("all is well"),
            override_vetoes,
        },
        "cancel" => Order::Cancel {
            by: by(),
            reason: reason("not now"),
        },
        "cure" => Order::Cure {
            by: by(),
            reason: reason("a new disk"),
        },
        "force" | "override" => Order::Force {
            stopped: named(2).map(|host| name(host)).collect(),
            by: by(),
            reason: reason("it burns"),
            override_stay_down: words[0] == "override",
            at,
        },
        "bootstrap" => Order::Bootstrap {
            by: by(),
            reason: reason("the data is here"),
            at,
        },
        "pause" => Order::Pause {
            scope: scope(),
            by: by(),
            reason: reason("a new switch"),
            lasts: words.get(4).map(|text| parse(text)),
        },
        "unpause" => Order::Unpause {
            scope: scope(),
            by: by(),
            reason: reason("it is in"),
        },
        other => panic!("unknown order {other}"),
    }
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
