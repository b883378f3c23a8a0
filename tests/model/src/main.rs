//! The proof of the protocol: the production machine, explored by a model checker.
//!
//! `make model` runs it; `docs/proof.md` says what is proven, how, and what is not. `ONLY=`, `HOSTS=`, `TROUBLES=`,
//! `TICKS=`, `DEPTH=` (0: none) and `CALM=` change the bounds of what is explored.
#![allow(clippy::unwrap_used, clippy::panic)]

mod calm;
mod config;
mod host;
mod model;
mod report;
mod rules;
mod search;
mod stages;
mod turn;
// The world of the walks and of the scenarios.
#[path = "../../../host/protocol/tests/world/mod.rs"]
mod world;

use std::process::ExitCode;
use std::sync::Mutex;

use crate::report::Outcome;

/// Each exploration is one thread's, so that it is breadth first to the step: the machine runs as many as it has cores.
fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("search") {
        std::panic::set_hook(Box::new(|_| {}));
        let found = search::search();
        println!("{}", found.as_deref().unwrap_or("nothing"));
        return ExitCode::from(u8::from(found.is_some()));
    }
    let (configs, changed) = config::chosen();
    if configs.is_empty() {
        let names: Vec<_> = config::all().iter().map(|config| config.name).collect();
        eprintln!("model: there is no such configuration; there are: {}", names.join(", "));
        return ExitCode::from(2);
    }
    // A machine that panics is a finding with a trace, not a report of its own.
    std::panic::set_hook(Box::new(|_| {}));
    let waiting = Mutex::new(configs.into_iter());
    let outcomes: Mutex<Vec<Outcome>> = Mutex::default();
    println!("{}", report::HEAD);
    std::thread::scope(|scope| {
        for _ in 0..threads() {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some(config) = next else { return };
                    let outcome = report::explore(config);
                    println!("{}", outcome.line());
                    outcomes.lock().unwrap().push(outcome);
                }
            });
        }
    });
    let _ = std::panic::take_hook();
    report::close(&outcomes.into_inner().unwrap(), changed)
}
