//! One story with one crash point, and what became of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::fault::{self, Fault};
use super::pair::Pair;
use super::story::Story;
use crate::cluster::HOSTS;
use crate::load::{Load, Plan, RedisPlan, read_back};

/// The hosts are left with what the story did to them for this long after the restart.
const STILL_WRONG: Duration = Duration::from_millis(700);
/// Between looks whether the daemon has died.
const LOOK: Duration = Duration::from_millis(10);

/// Where in the turn the daemon dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// The journal's line is durable, no action has begun.
    Stored,
    /// The actions have begun.
    Acted,
}

impl Moment {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Moment::Stored => "stored",
            Moment::Acted => "acted",
        }
    }
}

/// One crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The stories that took the row, the surest first. The first one is told, and another one where that is in vain.
    pub stories: Vec<String>,
    /// To whom it happens.
    pub host: String,
    /// At which row of the table.
    pub row: String,
    /// Where in the turn.
    pub moment: Moment,
    /// What happens to the host then.
    pub fault: Fault,
    /// Whether every telling of the first story took the row.
    pub sure: bool,
}

/// What became of a case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// The case.
    pub case: Case,
    /// In which story.
    pub story: String,
    /// Whether the story reached the row this time.
    pub reached: bool,
    /// Who served while it lasted, as far as the hosts could be asked.
    pub meanwhile: Option<String>,
    /// Who was active when everything had come to rest.
    pub active: Option<String>,
    /// From the restart to that.
    pub recovered_ms: u64,
    /// What the hosts showed while it lasted, and right after it; and what an operator had to do.
    pub alerts: Vec<String>,
    /// What was wrong, if anything.
    pub wrong: Option<String>,
}

impl Verdict {
    /// Notes what an operator saw, once.
    pub(super) fn note(&mut self, said: String) {
        if !self.alerts.contains(&said) {
            self.alerts.push(said);
        }
    }
}

impl Case {
    /// For a line of text.
    pub fn name(&self) -> String {
        let (fault, moment) = (self.fault.as_str(), self.moment.as_str());
        format!("{} {} {fault}, {moment}", self.row, self.host)
    }

    /// Plays it. An error is a verdict, too.
    pub(super) async fn play(&self, pair: &mut Pair, story: &Story) -> Verdict {
        let mut verdict = Verdict {
            case: self.clone(),
            story: story.name.to_owned(),
            reached: false,
            meanwhile: None,
            active: None,
            recovered_ms: 0,
            alerts: Vec::new(),
            wrong: None,
        };
        if let Err(error) = self.try_to_play(pair, story, &mut verdict).await {
            verdict.wrong = Some(format!("{error:#}"));
        }
        verdict
    }

    async fn try_to_play(&self, pair: &mut Pair, story: &Story, verdict: &mut Verdict) -> Result<()> {
        pair.arm(&self.host, self.moment, self.fault, &self.row)?;
        let writes = (story.service == "redis").then(|| start_writing(pair));
        play_until_death(pair, story, &self.host).await;
        verdict.reached = pair.disarm(&self.host);
        let mut began = Instant::now();
        if verdict.reached {
            began = fault::suffer(self.fault, &self.host, pair, verdict).await?;
            tokio::time::sleep(STILL_WRONG).await;
            for name in HOSTS {
                fault::note_alerts(pair, name, verdict).await;
            }
        }
        pair.calm().await?;
        let active = pair.recover().await;
        verdict.recovered_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        verdict.active = Some(active?.to_owned());
        if let Some(writes) = writes {
            let recorder = writes.finish().await;
            let acknowledged = recorder.acknowledged_writes();
            let found = read_back(pair.host(HOSTS[0]).site.redis.address(), &acknowledged).await?;
            ensure!(
                found.lost() == 0,
                "{} of {} acknowledged writes are lost",
                found.lost(),
                acknowledged.len()
            );
        }
        pair.exclusive(story)?;
        pair.requests_are_accounted_for().await?;
        pair.journals_are_whole().await.context("reading the journals")
    }
}

/// Plays the story until it ends or the crash point was reached.
async fn play_until_death(pair: &mut Pair, story: &Story, host: &str) {
    let sign = pair.death_sign(host);
    let dead = async {
        while !sign.exists() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        biased;
        () = dead => {}
        _ends = story.play(pair) => {
            // A row may be taken in the story's last moment.
            tokio::time::sleep(LOOK * 5).await;
        }
    }
}

fn start_writing(pair: &Pair) -> Load {
    let plan = RedisPlan {
        rate: 60,
        connections: 3,
        ..RedisPlan::at(pair.cluster.ports().service(pair.service))
    };
    Load::start(
        &Plan {
            redis: Some(plan),
            web: None,
        },
        "all",
    )
}
