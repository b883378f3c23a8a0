//! One story with one crash point, and what became of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::pair::Pair;
use super::story::Story;
use crate::cluster::HOSTS;
use crate::load::{Load, Plan, RedisPlan, read_back};

/// The hosts are left with what the story did to them for this long after the restart.
const STILL_WRONG: Duration = Duration::from_millis(700);
/// From the crash to the restart, as `RestartSec=` of the unit.
const RESTART: Duration = Duration::from_millis(100);
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

/// What happens to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Its daemon is killed, and started again.
    Killed,
    /// Its daemon stands still for longer than every timer.
    Frozen,
    /// It and the other host don't hear each other.
    Parted,
    /// The other host does not hear it.
    Mute,
    /// Nothing can be written to the disk of its store.
    DiskFull,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 5] = [
        Fault::Killed,
        Fault::Frozen,
        Fault::Parted,
        Fault::Mute,
        Fault::DiskFull,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::Killed => "killed",
            Fault::Frozen => "frozen",
            Fault::Parted => "parted",
            Fault::Mute => "mute",
            Fault::DiskFull => "disk full",
        }
    }
}

/// How long whatever is not a kill lasts: longer than every timer of a pair with knobs.
const LASTS: Duration = Duration::from_millis(3_500);

/// One crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The story's name.
    pub story: String,
    /// Whose daemon dies.
    pub host: String,
    /// At which row of the table.
    pub row: String,
    /// Where in the turn.
    pub moment: Moment,
    /// What happens to the host then.
    pub fault: Fault,
}

/// What became of a case.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verdict {
    /// The case.
    pub case: Case,
    /// Whether the story reached the row this time.
    pub reached: bool,
    /// Who was active when everything had come to rest.
    pub active: Option<String>,
    /// From the restart to that.
    pub recovered_ms: u64,
    /// What the hosts showed while it lasted, and right after it.
    pub alerts: Vec<String>,
    /// What was wrong, if anything.
    pub wrong: Option<String>,
}

impl Case {
    /// For a line of text.
    pub fn name(&self) -> String {
        let (fault, moment) = (self.fault.as_str(), self.moment.as_str());
        format!("{} [{}] {} {fault}, {moment}", self.row, self.story, self.host)
    }

    /// Plays it. An error is a verdict, too.
    pub(super) async fn play(&self, pair: &mut Pair, story: &Story) -> Verdict {
        let mut verdict = Verdict {
            case: self.clone(),
            reached: false,
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
        let began = match (verdict.reached, self.fault) {
            (true, fault) if fault != Fault::Killed => self.suffer(pair, verdict).await?,
            _ => self.come_back(pair, verdict).await?,
        };
        tokio::time::sleep(STILL_WRONG).await;
        for name in HOSTS {
            note_alerts(pair, name, &mut verdict.alerts).await;
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
        pair.exclusive(!story.by_hand)?;
        pair.journals_are_whole().await.context("reading the journals")
    }
}

impl Case {
    /// The daemon is dead, and is started again; when that was.
    async fn come_back(&self, pair: &mut Pair, verdict: &mut Verdict) -> Result<Instant> {
        tokio::time::sleep(RESTART).await;
        note_alerts(pair, self.other(), &mut verdict.alerts).await;
        let daemon = &mut pair.cluster.host_mut(&self.host).daemon;
        if !daemon.runs() {
            daemon.start()?;
        }
        Ok(Instant::now())
    }

    /// The daemon has stopped itself at the row; what is to happen is done, it goes on, and the cause ends after a time.
    async fn suffer(&self, pair: &mut Pair, verdict: &mut Verdict) -> Result<Instant> {
        let (me, other) = (&*self.host, self.other());
        match self.fault {
            Fault::Killed | Fault::Frozen => {}
            Fault::Parted => {
                pair.lan.cut(me, other)?;
                pair.lan.cut(other, me)?;
            }
            Fault::Mute => pair.lan.cut(me, other)?,
            Fault::DiskFull => pair.fill_store(me)?,
        }
        if self.fault != Fault::Frozen {
            pair.host(me).daemon.thaw()?;
        }
        tokio::time::sleep(LASTS).await;
        note_alerts(pair, other, &mut verdict.alerts).await;
        if self.fault != Fault::Frozen {
            note_alerts(pair, me, &mut verdict.alerts).await;
        }
        match self.fault {
            Fault::Killed | Fault::Frozen => pair.host(me).daemon.thaw()?,
            Fault::Parted => {
                pair.lan.heal(me, other)?;
                pair.lan.heal(other, me)?;
            }
            Fault::Mute => pair.lan.heal(me, other)?,
            Fault::DiskFull => pair.free_store(me)?,
        }
        Ok(Instant::now())
    }

    fn other(&self) -> &'static str {
        if self.host == HOSTS[0] { HOSTS[1] } else { HOSTS[0] }
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

async fn note_alerts(pair: &Pair, host: &str, into: &mut Vec<String>) {
    let Ok(view) = pair.view(host).await else { return };
    for alert in view.alerts {
        let said = format!("{host}: {alert}");
        if !into.contains(&said) {
            into.push(said);
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
