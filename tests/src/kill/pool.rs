//! Plays stories and cases on a few pairs at once, each pair on a link of its own.
//!
//! Invariant: a pair with which something went wrong is thrown away; the next case gets a new one.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use super::case::{Case, Verdict};
use super::pair::Pair;
use super::plan::{Survey, Taken};
use super::story::{STORIES, Story};
use crate::cluster::{Built, HOSTS};
use crate::lan::{Lan, stay_and_play};
use crate::servers::Guard;

/// How many pairs at once; four keep two cores busy, most of a pair's time is waiting.
const WORKERS: usize = 4;
/// So often a case is tried whose row was not reached.
const ROUNDS: usize = 3;
/// With this in the environment, a story that stops says what both hosts were doing.
const WHY: &str = "UNDERSTUDY_KILL_WHY";

/// How many pairs at once, as far as `UNDERSTUDY_KILL_WORKERS` does not say otherwise.
pub fn workers() -> usize {
    let said = std::env::var("UNDERSTUDY_KILL_WORKERS").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(WORKERS)
}

/// Plays every story (or only one) so many times, without a crash; what each took is in the answer.
///
/// # Errors
/// When a pair does not come to rest after a story.
pub fn survey_all(only: Option<&str>, times: usize, tell: impl Fn(&str) + Sync) -> Result<Survey> {
    let wanted = |story: &&'static Story| only.is_none_or(|name| story.name == name);
    let mut stories: Vec<&'static Story> = STORIES
        .iter()
        .filter(wanted)
        .flat_map(|story| vec![story; times])
        .collect();
    // A pair is made anew for other policies: the stories of one kind follow each other.
    stories.sort_by_key(|story| (story.unborn, story.service, story.policies));
    let (surveyed, after) = (Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    in_parallel(
        stories,
        |story| story,
        async |pair: &mut Pair, story: &'static Story| {
            let (taken, later, wrong) = survey(pair, story).await;
            lock(&after).extend(later);
            let count = taken.len();
            tell(&match &wrong {
                None => format!("{}: {count} rows", story.name),
                Some(wrong) => format!("{}: {count} rows, and then: {wrong}", story.name),
            });
            lock(&surveyed).push((story.name.to_owned(), taken, wrong.clone()));
            wrong.is_none()
        },
    )?;
    let mut stories = surveyed.into_inner().unwrap_or_else(PoisonError::into_inner);
    stories.sort_by_key(|(name, ..)| STORIES.iter().position(|story| story.name == name));
    if let Some((name, _, Some(wrong))) = stories.iter().find(|(.., wrong)| wrong.is_some()) {
        anyhow::bail!("{name}: {wrong}");
    }
    Ok(Survey {
        stories: stories.into_iter().map(|(name, taken, _)| (name, taken)).collect(),
        after: after.into_inner().unwrap_or_else(PoisonError::into_inner),
    })
}

/// What the story took, what was taken on the way back, and what was wrong.
async fn survey(pair: &mut Pair, story: &Story) -> (Vec<Taken>, Vec<String>, Option<String>) {
    let told = story.play(pair).await;
    if told.is_err() && std::env::var_os(WHY).is_some() {
        println!("{}", pair.cluster.describe().await);
    }
    let mut taken = Vec::new();
    for host in HOSTS {
        let host_took = |row| Taken {
            host: host.to_owned(),
            row,
        };
        taken.extend(pair.taken(host).into_iter().map(host_took));
    }
    let recovered = async {
        pair.calm().await?;
        pair.recover().await?;
        pair.exclusive(story)?;
        pair.journals_are_whole().await
    };
    let wrong = recovered.await.err().map(|error| format!("{error:#}"));
    if let Err(error) = told {
        // What it then does not reach shows in the list.
        println!("survey: {} stops: {error:#}", story.name);
    }
    let later = HOSTS.into_iter().flat_map(|host| pair.taken(host)).collect();
    (taken, later, wrong)
}

/// Plays all cases, in any order; `tell` hears each verdict. A case whose row was not reached is played again, in another
/// story where there is one; its last verdict counts.
///
/// # Errors
/// When no pair can be made.
pub fn play_all(cases: &[Case], tell: impl Fn(&Verdict) + Sync) -> Result<Vec<Verdict>> {
    let mut open: Vec<Case> = cases.to_vec();
    let mut verdicts = Vec::new();
    for round in 0..ROUNDS {
        let last = round + 1 == ROUNDS;
        let (judged, missed): (Vec<_>, Vec<_>) = play_round(&open, round, &tell)?
            .into_iter()
            .partition(|verdict| last || verdict.reached || verdict.wrong.is_some());
        verdicts.extend(judged);
        open = missed.into_iter().map(|verdict| verdict.case).collect();
    }
    Ok(verdicts)
}

fn play_round(cases: &[Case], round: usize, tell: &(impl Fn(&Verdict) + Sync)) -> Result<Vec<Verdict>> {
    let mut jobs = Vec::new();
    for case in cases {
        let name = case.stories.get(round % case.stories.len().max(1));
        let story = STORIES
            .iter()
            .find(|story| Some(story.name) == name.map(String::as_str));
        jobs.push((
            case.clone(),
            story.with_context(|| format!("no story is called {name:?}"))?,
        ));
    }
    // A pair is made anew for other policies: the cases of one kind follow each other.
    jobs.sort_by_key(|(_, story)| (story.unborn, story.service, story.policies));
    let verdicts = Mutex::new(Vec::new());
    in_parallel(
        jobs,
        |(_, story)| story,
        async |pair: &mut Pair, (case, story): (Case, &'static Story)| {
            let verdict = case.play(pair, story).await;
            tell(&verdict);
            let well = verdict.wrong.is_none();
            lock(&verdicts).push(verdict);
            well
        },
    )?;
    Ok(verdicts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Each job on a pair that fits its story; a job answers whether its pair is still good.
fn in_parallel<J: Send>(
    jobs: Vec<J>,
    story_of: impl Fn(&J) -> &'static Story + Sync,
    job: impl AsyncFn(&mut Pair, J) -> bool + Sync,
) -> Result<()> {
    let queue = Mutex::new(VecDeque::from(jobs));
    let (queue, story_of, job) = (&queue, &story_of, &job);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers())
            .map(|_| scope.spawn(move || stay_and_play(async |lan| work(lan, queue, story_of, job).await)))
            .collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

async fn work<J: Send>(
    lan: Arc<Lan>,
    queue: &Mutex<VecDeque<J>>,
    story_of: &impl Fn(&J) -> &'static Story,
    job: &impl AsyncFn(&mut Pair, J) -> bool,
) -> Result<()> {
    // The link outlives its pairs: it has a folder and a guard of its own.
    let folder = tempfile::tempdir()?;
    lan.note_in(folder.path())?;
    let _guard = Guard::start(&Built::for_tests()?.guard(), folder.path())?;
    let mut kept: Option<(&'static Story, Pair)> = None;
    loop {
        let Some(next) = lock(queue).pop_front() else {
            return Ok(());
        };
        let story = story_of(&next);
        let fits = |had: &Story| !story.unborn && had.service == story.service && had.policies == story.policies;
        let (_, mut pair) = match kept.take().filter(|(had, _)| fits(had)) {
            Some(kept) => kept,
            None => (story, fresh(&lan, story).await?),
        };
        if job(&mut pair, next).await {
            kept = Some((story, pair));
        }
    }
}

async fn fresh(lan: &Arc<Lan>, story: &Story) -> Result<Pair> {
    // What a pair left behind on the link goes with its processes and addresses.
    for host in HOSTS {
        lan.lose_power(host)?;
    }
    let mut pair = Pair::unborn(lan, story).await?;
    if !story.unborn {
        pair.recover().await?;
    }
    for host in HOSTS {
        pair.taken(host);
    }
    Ok(pair)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
