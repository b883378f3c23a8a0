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

/// How many pairs at once; three keep two cores busy, most of a pair's time is waiting.
const WORKERS: usize = 3;

/// How many pairs at once, as far as `UNDERSTUDY_KILL_WORKERS` does not say otherwise.
pub fn workers() -> usize {
    let said = std::env::var("UNDERSTUDY_KILL_WORKERS").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(WORKERS)
}

/// Plays every story once (or only one), without a crash; what each took is in the answer.
///
/// # Errors
/// When a pair does not come to rest after a story.
pub fn survey_all(only: Option<&str>, mut tell: impl FnMut(&str) + Send) -> Result<Survey> {
    let wanted = |story: &&'static Story| only.is_none_or(|name| story.name == name);
    let stories: Vec<&'static Story> = STORIES.iter().filter(wanted).collect();
    let (surveyed, after) = (Mutex::new(Vec::new()), Mutex::new(BTreeSet::new()));
    let tell = Mutex::new(&mut tell);
    in_parallel(
        stories,
        |story| story,
        async |pair: &mut Pair, story: &'static Story| {
            let (taken, later, wrong) = survey(pair, story).await;
            lock(&after).extend(later);
            let count = taken.len();
            let text = match &wrong {
                None => format!("{}: {count} rows", story.name),
                Some(wrong) => format!("{}: {count} rows, and then: {wrong}", story.name),
            };
            (tell.lock().unwrap_or_else(PoisonError::into_inner))(&text);
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
        pair.exclusive(!story.by_hand)?;
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

/// Plays all cases, in any order; `tell` hears each verdict. A case whose row was not reached is played once more.
///
/// # Errors
/// When no pair can be made.
pub fn play_all(cases: &[Case], tell: impl Fn(&Verdict) + Sync) -> Result<Vec<Verdict>> {
    let verdicts = Mutex::new(Vec::new());
    let story_of = |case: &Case| STORIES.iter().find(|story| story.name == case.story);
    let mut known = Vec::new();
    for case in cases {
        let story = story_of(case).with_context(|| format!("no story is called {}", case.story))?;
        known.push((case.clone(), story));
    }
    // A pair is made anew for other policies: the cases of one kind follow each other.
    known.sort_by_key(|(_, story)| (story.unborn, story.service, story.policies));
    in_parallel(
        known,
        |(_, story)| story,
        async |pair: &mut Pair, (case, story): (Case, &'static Story)| {
            let mut verdict = case.play(pair, story).await;
            if !verdict.reached && verdict.wrong.is_none() && !story.unborn {
                verdict = case.play(pair, story).await;
            }
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
