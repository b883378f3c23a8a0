//! What an exploration came to: its numbers, its traces, and which rows of the table were taken.
//!
//! Invariant: a row that no configuration takes fails the run, unless `unreached.txt` says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use stateright::{Checker, Model};
use understudy_protocol::row_names;

use crate::config::Config;
use crate::host::Parcel;
use crate::model::{State, Step, Whole};
use crate::rules::Rule;
use crate::turn::Stimulus;

pub(crate) const HEAD: &str = "configuration      hosts  network  begins  budget  depth       states       unique  \
    deepest  rows    calm   time  broken\n";

/// One exploration's end.
pub(crate) struct Outcome {
    config: Config,
    states: usize,
    unique: usize,
    deepest: usize,
    rows: BTreeSet<usize>,
    calm: u64,
    time: Duration,
    traces: Vec<String>,
    begins: usize,
}

/// Explores until nothing new is found within the bounds, or a rule is broken.
pub(crate) fn explore(config: Config) -> Outcome {
    let begun = Instant::now();
    let name = config.name;
    let whole = catch_unwind(AssertUnwindSafe(|| Whole::new(config.clone())));
    let whole = whole.unwrap_or_else(|why| {
        eprintln!(
            "{name} can't begin: {}",
            why.downcast_ref::<String>().cloned().unwrap_or_default()
        );
        std::panic::resume_unwind(why)
    });
    let begins = whole.first.len();
    let builder = whole.checker().finish_when(stateright::HasDiscoveries::Any);
    let builder = match config.depth {
        // The checker counts states along a path: one more than steps, and it stops before it takes the last.
        Some(depth) => builder.target_max_depth(depth + 1),
        None => builder,
    };
    let checker = builder.spawn_bfs().join();
    let whole = checker.model();
    let found = checker.discoveries().into_iter();
    let traces = found.map(|(name, path)| trace(whole, name, path.into_vec())).collect();
    let tally = whole.calm.lock().unwrap();
    Outcome {
        states: checker.state_count(),
        unique: checker.unique_state_count(),
        deepest: checker.max_depth() - 1,
        rows: whole.rows.lock().unwrap().clone(),
        calm: tally.tried,
        time: begun.elapsed(),
        traces,
        begins,
        config,
    }
}

impl Outcome {
    pub(crate) fn unique(&self) -> usize {
        self.unique
    }

    /// The rule that was broken first.
    pub(crate) fn broken(&self) -> Option<&str> {
        let trace = self.traces.first()?;
        trace.lines().next()?.split_once("broken: ").map(|(_, rule)| rule)
    }

    /// One line of the table.
    pub(crate) fn line(&self) -> String {
        let config = &self.config;
        let depth = config.depth.map_or("-".to_owned(), |depth| depth.to_string());
        let budget = format!("{}+{}", config.budget.0, config.budget.1);
        format!(
            "{:<20} {:>3}  {:<8} {:>5}  {budget:>6}  {depth:>5} {:>12} {:>12}  {:>7}  {:>4}  {:>6}  {:>3} s  {}",
            config.name,
            config.hosts,
            format!("{:?}", config.network).to_lowercase(),
            self.begins,
            self.states,
            self.unique,
            self.deepest,
            self.rows.len(),
            self.calm,
            self.time.as_secs(),
            if self.traces.is_empty() { "none" } else { "BROKEN" }
        )
    }
}

fn trace(whole: &Whole, name: &str, path: Vec<(State, Option<Step>)>) -> String {
    let mut text = format!("{}: broken: {name}\n", whole.config.name);
    for (state, step) in path {
        if let Some(step) = step {
            writeln!(text, "  {}", told(whole, &state, step)).unwrap();
        }
    }
    if let Some(wrong) = &whole.calm.lock().unwrap().wrong {
        writeln!(text, "  and then, calmly: {}", wrong.lines().next().unwrap_or_default()).unwrap();
    }
    text
}

/// One step in words.
fn told(whole: &Whole, state: &State, (who, stimulus): Step) -> String {
    let host = state.hosts[usize::from(who)];
    let turned = whole.turned(host, stimulus);
    let what = match stimulus {
        Stimulus::Arrives(number) => parcel(whole, number, "arrives"),
        Stimulus::Vanishes(number) => parcel(whole, number, "is lost"),
        Stimulus::Ends(at, ending) => {
            format!("{:?} {ending:?}", whole.known(host).host.work[usize::from(at)])
        }
        other => format!("{other:?}"),
    };
    let role = whole
        .known(turned.after)
        .host
        .role()
        .map_or("down", |role| role.as_str());
    let step = turned.effects.step.map(|step| format!(": {step}")).unwrap_or_default();
    let broken = turned.effects.broken.as_ref();
    let broken = broken
        .map(|(rule, how)| format!("\n    {}: {how}", rule.text()))
        .unwrap_or_default();
    format!(
        "{}: {what}{step}, now {role}{broken}",
        whole.plan.candidates[usize::from(who)]
    )
}

fn parcel(whole: &Whole, number: u32, verb: &str) -> String {
    match &whole.parcel(number).2 {
        Parcel::Message(envelope) => format!("{:?} {verb} from {}", envelope.message, envelope.from),
        Parcel::Pages { round, .. } => format!("the pages of {round} {verb}"),
    }
}

/// Rows that no configuration takes, each with its reason.
fn unreached() -> BTreeMap<&'static str, &'static str> {
    let lines = include_str!("../unreached.txt").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" -- "))
        .collect()
}

/// The end of a run: what was checked, what was broken, what was never taken.
pub(crate) fn close(outcomes: &[Outcome], changed: bool) -> ExitCode {
    println!("\nChecked in every state of each:");
    Rule::ALL.iter().for_each(|rule| println!("  {}", rule.text()));
    println!(
        "  {} (in as many states as the column `calm` says)\n",
        crate::calm::TEXT
    );
    let traces: Vec<_> = outcomes.iter().flat_map(|outcome| &outcome.traces).collect();
    traces.iter().for_each(|trace| println!("{trace}"));
    let mut failed = !traces.is_empty();
    let taken: BTreeSet<usize> = outcomes.iter().flat_map(|outcome| outcome.rows.clone()).collect();
    let names = row_names();
    let known = unreached();
    let never: Vec<_> = (0..names.len())
        .filter(|at| !taken.contains(at))
        .map(|at| names[at].as_str())
        .collect();
    println!("Rows of the table: {} of {} were taken.", taken.len(), names.len());
    let news: Vec<_> = never.iter().filter(|name| !known.contains_key(**name)).collect();
    if changed {
        println!("The bounds were changed: rows that were not taken are no failure.");
    } else if !news.is_empty() {
        failed = true;
        println!("No configuration takes these, and unreached.txt gives no reason:");
        news.iter().for_each(|name| println!("  {name}"));
    }
    let wrong: Vec<_> = known.keys().filter(|name| !never.contains(name)).collect();
    if !changed && !wrong.is_empty() {
        failed = true;
        println!("unreached.txt names rows that were taken, or that are not in the table:");
        wrong.iter().for_each(|name| println!("  {name}"));
    }
    let states: usize = outcomes.iter().map(|outcome| outcome.unique).sum();
    println!("{states} different states; broken rules: {}", traces.len());
    println!(
        "{} passed, {} failed",
        outcomes.len() - traces.len().min(outcomes.len()),
        traces.len() + usize::from(failed && traces.is_empty())
    );
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
