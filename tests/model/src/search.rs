//! Whether the model finds a rule broken by this machine: every configuration with smaller budgets, one after the other
//! until one does. For machines that were broken on purpose (`mutants.txt`); the sound one must come through.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::config::{self, Config};
use crate::report;

/// What was found, and after how many states; none when nothing was.
pub(crate) fn search() -> Option<String> {
    let mut states = 0;
    for config in config::all() {
        let config = smaller(config);
        let name = config.name;
        // A machine that does not even come to where an exploration begins.
        let outcome = match catch_unwind(AssertUnwindSafe(|| report::explore(config))) {
            Ok(outcome) => outcome,
            Err(why) => {
                let why = why.downcast_ref::<String>().map_or("", String::as_str);
                let why = why.lines().next().unwrap_or_default();
                return Some(format!("model, {name} can't begin, after {states} states: {why}"));
            }
        };
        states += outcome.unique();
        if let Some(rule) = outcome.broken() {
            return Some(format!("model, {name}, after {states} states: {rule}"));
        }
    }
    None
}

/// What is broken is mostly found at once.
fn smaller(config: Config) -> Config {
    let ticks = u8::from(config.name == "takeover");
    Config {
        budget: match config.name {
            // Two first starts at once.
            "first-start-any" => (2, 0),
            _ => (1, ticks),
        },
        depth: config.depth.map(|depth| depth.min(5)),
        calm_every: 50,
        ..config
    }
}
