//! One run, and many: the seeds, their replay, and what they covered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use understudy_protocol::Order;

use super::dice::Dice;
use super::disk::Disk;
use super::server::Server;
use super::settings::Settings;
use super::time::VirtualTime;
use super::trace::Trace;
use super::world::{Host, World};
use super::{calm, clients, hosts, network, orders, storm};

/// As many as fit into the tests' time.
const SEEDS: u64 = 2_000;
/// Seeds that once failed, each with its reason.
const FAILED: &str = include_str!("failed-seeds.txt");

/// What came of a run.
struct Outcome {
    wrong: Option<String>,
    hash: u64,
    trace: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
    rows: BTreeSet<usize>,
    simulated_ms: u64,
}

fn play(seed: u64, keep: bool) -> Outcome {
    let time = VirtualTime::default();
    let runtime = time.runtime();
    let done = runtime.block_on(run(seed, keep, time));
    runtime.shutdown_background();
    done
}

async fn run(seed: u64, keep: bool, time: VirtualTime) -> Outcome {
    let mut dice = Dice::of(seed);
    let settings = Settings::of(seed, &mut dice);
    let (crashes, dying) = mpsc::unbounded_channel();
    let world = Arc::new(World::new(settings, time, dice, Trace::new(keep), crashes));
    furnish(&world);
    tokio::spawn(bury(world.clone(), dying));
    world.settings.hosts.iter().for_each(|who| hosts::start(&world, who));
    world.time.sleep(Duration::from_secs(3)).await;
    for plan in &world.settings.plans {
        let by = "operator".to_owned();
        let at = world.step(|state| state.wall(plan.home()));
        orders::give(
            &world,
            plan.home(),
            &plan.service,
            Order::Bootstrap {
                by,
                at,
                reason: "first start".to_owned(),
            },
        );
        tokio::spawn(clients::come(world.clone(), plan.service.clone()));
    }
    world.time.sleep(Duration::from_secs(6)).await;
    storm::rage(&world).await;
    storm::calm_down(&world);
    let unsettled = calm::settles(&world).await;
    world.step(|state| Outcome {
        wrong: state.wrong.clone().or(unsettled),
        hash: state.trace.hash(),
        trace: state.trace.lines().to_vec(),
        counts: std::mem::take(&mut state.counts),
        rows: std::mem::take(&mut state.rows),
        simulated_ms: state.now_ms,
    })
}

/// Machines, connections and what watches them.
fn furnish(world: &Arc<World>) {
    let settings = &world.settings;
    for (ordinal, who) in settings.hosts.iter().enumerate() {
        let disk = if settings.real_store {
            Disk::real(&world.folder.path().join(format!("{who}.sqlite")))
        } else {
            Disk::memory(ordinal)
        };
        let servers = settings.plans.iter().map(|plan| (plan.service.clone(), Server::new()));
        world.step(|state| state.hosts.insert(who.clone(), Host::new(disk, servers.collect())));
    }
    for a in &settings.hosts {
        for b in settings.hosts.iter().filter(|b| *b != a) {
            let way = (a.clone(), b.clone());
            world.step(|state| state.ways.insert(way.clone(), network::Way::default()));
            tokio::spawn(network::carry(world.clone(), way));
        }
    }
    for (at, a) in settings.hosts.iter().enumerate() {
        for b in &settings.hosts[at + 1..] {
            tokio::spawn(network::watch(world.clone(), a.clone(), b.clone()));
        }
    }
}

/// A daemon that died in the middle of a write.
async fn bury(world: Arc<World>, mut dying: mpsc::UnboundedReceiver<understudy_protocol::HostName>) {
    while let Some(who) = dying.recv().await {
        world.step(|state| state.kill_daemon(&who, world.settings.addresses_outlive));
    }
}

fn once_failed() -> Vec<u64> {
    let lines = FAILED.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .map(|seed| seed.parse().unwrap())
        .collect()
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, u64>,
    rows: BTreeSet<usize>,
    simulated_ms: u64,
    failed: Vec<(u64, String)>,
}

impl Tally {
    fn add(&mut self, seed: u64, done: Outcome) {
        for (what, count) in done.counts {
            *self.counts.entry(what).or_default() += count;
        }
        self.rows.extend(done.rows);
        self.simulated_ms += done.simulated_ms;
        self.failed.extend(done.wrong.map(|wrong| (seed, wrong)));
    }

    fn merge(mut self, other: Tally) -> Tally {
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
        self.rows.extend(other.rows);
        self.simulated_ms += other.simulated_ms;
        self.failed.extend(other.failed);
        self
    }
}

fn play_all(seeds: &[u64]) -> Tally {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let player = || {
        let mut tally = Tally::default();
        loop {
            let place = usize::try_from(next.fetch_add(1, Ordering::SeqCst)).unwrap();
            let Some(seed) = seeds.get(place) else { return tally };
            tally.add(*seed, play(*seed, false));
        }
    };
    std::thread::scope(|scope| {
        let players: Vec<_> = (0..threads).map(|_| scope.spawn(player)).collect();
        let tallies = players.into_iter().map(|player| player.join().unwrap());
        tallies.fold(Tally::default(), Tally::merge)
    })
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn tell(seed: u64) {
    let done = play(seed, true);
    println!("{}", done.trace.join("\n"));
    match done.wrong {
        Some(wrong) => panic!("seed {seed}: {wrong}"),
        None => println!("seed {seed}: nothing is wrong"),
    }
}

#[test]
fn seeds() {
    if let Some(seed) = from_environment("SEED") {
        return tell(seed);
    }
    let begun = Instant::now();
    let count = from_environment("SEEDS").unwrap_or(SEEDS);
    let first = from_environment("FROM").unwrap_or(0);
    let seeds: Vec<u64> = once_failed().into_iter().chain(first..first + count).collect();
    let mut tally = play_all(&seeds);
    tally.failed.sort();
    let names = understudy_protocol::row_names();
    println!(
        "{} runs in {:?}, {} hours of simulated time, {} of {} rows of the table taken",
        seeds.len(),
        begun.elapsed(),
        tally.simulated_ms / 3_600_000,
        tally.rows.len(),
        names.len()
    );
    tally
        .counts
        .iter()
        .for_each(|(what, count)| println!("{count:>10} {what}"));
    let never = names
        .iter()
        .enumerate()
        .filter(|(place, _)| !tally.rows.contains(place));
    never.for_each(|(_, name)| println!("never taken: {name}"));
    if let Some((seed, _)) = tally.failed.first() {
        let shown = tally.failed.iter().take(60);
        shown.for_each(|(seed, wrong)| println!("seed {seed}: {wrong}"));
        println!("{} of {} seeds failed", tally.failed.len(), seeds.len());
        tell(*seed);
    }
}

#[test]
fn a_seed_is_the_whole_run() {
    for seed in [1, 2, 19] {
        let (once, again) = (play(seed, true), play(seed, true));
        let different = once.trace.iter().zip(&again.trace).find(|(a, b)| a != b);
        assert_eq!(different, None, "seed {seed}");
        assert_eq!(once.hash, again.hash, "seed {seed}");
        assert_eq!(once.hash, play(seed, false).hash, "a kept trace changes nothing");
    }
}
