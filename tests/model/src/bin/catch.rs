//! Whether this machine is caught by a scenario, whose journal it changes, or by a random walk, in which it breaks a
//! rule. For machines that were broken on purpose (`mutants.txt`); the model is asked after these (`search.rs`).
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../../../../host/protocol/tests/play/mod.rs"]
mod play;
#[allow(dead_code)]
#[path = "../../../../host/protocol/tests/walk/mod.rs"]
mod walk;
#[path = "../../../../host/protocol/tests/world/mod.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

fn main() -> ExitCode {
    // What a broken machine says as it falls is not of interest, only that it does.
    std::panic::set_hook(Box::new(|_| {}));
    let (scenarios, walks) = (scenarios(), walks());
    if let Some(found) = &scenarios {
        println!("scenarios {found}");
    }
    if let Some(found) = &walks {
        println!("walks {found}");
    }
    ExitCode::from(u8::from(scenarios.is_some() || walks.is_some()))
}

/// How many don't go as they are written.
fn scenarios() -> Option<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../host/protocol/tests/scenarios");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let goes_well = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        catch_unwind(AssertUnwindSafe(|| play::play(&text).0 == text)).is_ok_and(|same| same)
    };
    let (well, otherwise): (Vec<_>, Vec<_>) = files.partition(goes_well);
    let all = well.len() + otherwise.len();
    (!otherwise.is_empty()).then(|| format!("{}/{all}", otherwise.len()))
}

/// The first seed that fails, on as many threads as there are cores.
fn walks() -> Option<String> {
    let asked = std::env::var("SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds = asked.unwrap_or(SEEDS);
    let (next, failed) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let walk = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds || seed > failed.load(Ordering::Relaxed) {
                return;
            }
            if catch_unwind(AssertUnwindSafe(|| drop(walk::walk(seed, true)))).is_err() {
                failed.fetch_min(seed, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(walk);
        }
    });
    let failed = failed.into_inner();
    (failed < seeds).then(|| format!("after {} seeds", failed + 1))
}

/// As many as `cargo test` walks, unless `SEEDS` says so.
const SEEDS: u64 = 3_000;
