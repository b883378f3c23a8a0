//! Random walks: everything that can happen to two or three hosts, in any order, with the rules of `world/rules.rs`
//! checked after every step; then everything is mended, and somebody must serve.
//!
//! `WALK_SEEDS=1000000` walks more, `WALK_SEED=17` replays one with its log. Seeds that once failed are in
//! `failed-seeds.txt` and are always replayed.
#![allow(clippy::unwrap_used, clippy::panic)]

mod play;
mod walk;
mod world;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Enough to take every row of the table many times, in a few seconds.
const SEEDS: u64 = 3_000;

fn threads() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| u64::try_from(n.get()).unwrap_or(1))
}

struct Tally {
    taken: BTreeSet<usize>,
    turns: u64,
    failed: Vec<(u64, String)>,
}

/// Walks the seeds that `mine` picks, quietly.
fn walk_all(seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally {
        taken: BTreeSet::new(),
        turns: 0,
        failed: Vec::new(),
    };
    for seed in seeds {
        match catch_unwind(AssertUnwindSafe(|| walk::walk(seed, true))) {
            Ok(world) => {
                tally.taken.extend(world.taken);
                tally.turns += world.turns;
            }
            Err(why) => tally.failed.push((seed, first_line(why.as_ref()))),
        }
    }
    tally
}

fn first_line(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map_or("a panic without a word", String::as_str);
    text.lines().next().unwrap_or_default().to_owned()
}

fn once_failed() -> Vec<u64> {
    let lines = include_str!("failed-seeds.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .map(|seed| seed.parse().unwrap())
        .collect()
}

#[test]
fn walks() {
    if let Ok(seed) = std::env::var("WALK_SEED") {
        let world = walk::walk(seed.parse().unwrap(), false);
        println!("{}", world.log.join("\n"));
        return;
    }
    let seeds = std::env::var("WALK_SEEDS").map_or(SEEDS, |text| text.parse().unwrap());
    let begun = std::time::Instant::now();
    // A walk that fails is replayed below, where it may say why.
    std::panic::set_hook(Box::new(|_| {}));
    let again = walk_all(once_failed().into_iter());
    let walkers = threads();
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let walker = |first: u64| {
            scope.spawn(move || {
                walk_all(
                    (0..seeds)
                        .skip(usize::try_from(first).unwrap())
                        .step_by(usize::try_from(walkers).unwrap()),
                )
            })
        };
        let all: Vec<_> = (0..walkers).map(walker).collect();
        all.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    let _ = std::panic::take_hook();
    let turns: u64 = tallies.iter().map(|tally| tally.turns).sum();
    let mut failed: Vec<(u64, String)> = tallies
        .iter()
        .chain([&again])
        .flat_map(|tally| tally.failed.clone())
        .collect();
    failed.sort_unstable();
    println!(
        "{seeds} walks, {turns} turns in {:?}; failed: {}",
        begun.elapsed(),
        failed.len()
    );
    if let Some((seed, _)) = failed.first() {
        failed
            .iter()
            .take(40)
            .for_each(|(seed, why)| println!("  seed {seed}: {why}"));
        println!("the walk of seed {seed}:");
        walk::walk(*seed, false);
        panic!("the walk of seed {seed} fails only without its log");
    }
    let mut taken: BTreeSet<usize> = tallies
        .into_iter()
        .chain([again])
        .flat_map(|tally| tally.taken)
        .collect();
    for file in play::files() {
        taken.extend(play::play(&std::fs::read_to_string(file).unwrap()).1);
    }
    let names = understudy_protocol::row_names().into_iter().enumerate();
    let never: Vec<_> = names
        .filter(|(place, _)| !taken.contains(place))
        .map(|(_, name)| name)
        .collect();
    // Fewer walks than usual are asked for to find something else.
    assert!(
        never.is_empty() || seeds < SEEDS,
        "no walk and no scenario takes these rows of the table:\n{}",
        never.join("\n")
    );
}
