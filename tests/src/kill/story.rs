//! Stories: each drives a pair through a part of the protocol, and gives up quietly where the pair does not follow (a
//! daemon may die in its middle). What a story leaves behind is undone by [`Pair::calm`].

use anyhow::{Result, bail};
use rustix::process::Signal;
use serde_json::json;

use super::pair::Pair;
use super::plot::{
    A, B, ask, declined, fault, first_start, forced, moved, pause, power_failure, refusals, refusals_while_busy, rest,
    serves, started_by_hand, turn, until, until_step,
};
use super::scenes;
use crate::cluster::{Knob, Policies};

/// A story.
pub struct Story {
    /// Its name.
    pub name: &'static str,
    /// About which service.
    pub service: &'static str,
    /// With which policies.
    pub policies: Policies,
    /// Whether it needs two hosts that have never served.
    pub unborn: bool,
    /// Whether it starts servers past their daemons.
    pub by_hand: bool,
    /// Whether an operator says in it that a host is stopped which is not.
    pub vouched_wrongly: bool,
}

const PLAIN: Policies = Policies {
    on_fault: "force",
    on_request: "abort",
    on_unknown: "alert",
    auto_giveback: false,
    reboot: false,
    shutdown_within_ms: None,
};
const BY_ITSELF: Policies = Policies {
    on_fault: "abort",
    on_request: "extend",
    on_unknown: "take-over",
    auto_giveback: true,
    reboot: true,
    shutdown_within_ms: None,
};

/// Both hosts grant a drain more time: alpha three times, beta once.
const EXTENDS: Policies = Policies {
    on_fault: "extend",
    on_request: "extend",
    ..PLAIN
};
const MUST_BE_DOWN: Policies = Policies {
    shutdown_within_ms: Some(2_500),
    ..EXTENDS
};

const fn plain(name: &'static str) -> Story {
    Story {
        name,
        service: "web",
        policies: PLAIN,
        unborn: false,
        by_hand: false,
        vouched_wrongly: false,
    }
}

const fn by_itself(name: &'static str) -> Story {
    Story {
        policies: BY_ITSELF,
        ..plain(name)
    }
}

const fn extends(name: &'static str) -> Story {
    Story {
        policies: EXTENDS,
        ..plain(name)
    }
}

const fn must_be_down(name: &'static str) -> Story {
    Story {
        policies: MUST_BE_DOWN,
        ..plain(name)
    }
}

/// All stories. Those that reach the most come first: a row is a case of the first story that takes it.
pub const STORIES: &[Story] = &[
    Story {
        unborn: true,
        ..plain("first start")
    },
    Story {
        unborn: true,
        ..plain("first start, while the other stands still")
    },
    Story {
        unborn: true,
        ..plain("first start on both at once")
    },
    plain("fault"),
    plain("requested at the standby"),
    plain("requested, then given back"),
    plain("declined, then not"),
    plain("cancelled while asking"),
    plain("cancelled while draining"),
    plain("drain too long for an order"),
    plain("drain too long for a fault"),
    plain("the server can't drain"),
    plain("the server can't drain, and must"),
    plain("the server does not stop"),
    plain("nothing stops the server"),
    plain("the candidate stands still"),
    plain("the second stands still while draining"),
    plain("the holder is gone for a while"),
    plain("the second can't start"),
    plain("nobody can start"),
    plain("the fault goes while asking"),
    plain("what became of a request can't be said"),
    Story {
        // Refused only as long as the hosts hear each other.
        vouched_wrongly: true,
        ..plain("refusals")
    },
    plain("refusals while busy"),
    plain("nobody knows how it is"),
    plain("power failure of both"),
    plain("restart of the active daemon"),
    plain("forced"),
    Story {
        vouched_wrongly: true,
        ..plain("forced against a living host")
    },
    plain("the standby is not well"),
    plain("cured by order"),
    plain("the releaser is gone for a while"),
    plain("the assessment hangs"),
    plain("the second is never well"),
    plain("paused"),
    plain("the second's answer is lost"),
    Story {
        by_hand: true,
        ..plain("started by hand")
    },
    Story {
        by_hand: true,
        ..plain("started and ended by hand")
    },
    Story {
        by_hand: true,
        vouched_wrongly: true,
        ..plain("wrongly said to be stopped")
    },
    extends("too long for a fault"),
    extends("too long for an order"),
    extends("too long for a fault, away from home"),
    extends("no word on more time, for a fault"),
    extends("no word on more time, for an order"),
    must_be_down("must be down, and nobody takes over"),
    must_be_down("must be down, and gets well meanwhile"),
    by_itself("home by itself"),
    by_itself("drain extended"),
    by_itself("aborted for a fault"),
    by_itself("the reboot fails"),
    by_itself("the reboot hangs"),
    by_itself("unknown moves it"),
    by_itself("unknown, and paused"),
    Story {
        service: "redis",
        ..plain("redis requested")
    },
    Story {
        service: "redis",
        ..plain("redis, power failure of both")
    },
];

impl Story {
    /// Plays it, as far as the pair follows.
    pub async fn play(&self, pair: &mut Pair) -> Result<()> {
        match self.name {
            "first start" => first_start(pair).await,
            "fault" => fault(pair).await,
            "requested at the standby" => moved(pair, B).await,
            "requested, then given back" | "redis requested" => {
                moved(pair, A).await?;
                until(pair, A, |v| v.role == "standby" && v.ready).await?;
                pair.order(A, "giveback", json!({ "by": "test" })).await;
                until(pair, A, serves).await
            }
            "declined, then not" => declined(pair).await,
            "cancelled while asking" => {
                turn(pair, B, Knob::TestHangs)?;
                ask(pair, A).await;
                until(pair, A, |v| v.role == "asking").await?;
                pair.order(A, "cancel", json!({ "by": "test" })).await;
                rest().await
            }
            "cancelled while draining" => {
                turn(pair, A, Knob::Busy)?;
                ask(pair, A).await;
                until(pair, A, |v| v.role == "draining").await?;
                pair.order(A, "cancel", json!({ "by": "test" })).await;
                until(pair, A, serves).await
            }
            "drain too long for an order" | "the server can't drain" => {
                self.keep_from_draining(pair)?;
                ask(pair, A).await;
                until(pair, A, |v| v.role == "draining").await?;
                until(pair, A, serves).await
            }
            "drain too long for a fault" | "the server can't drain, and must" => {
                self.keep_from_draining(pair)?;
                turn(pair, A, Knob::Unhealthy)?;
                until(pair, B, serves).await
            }
            "the server does not stop" => {
                turn(pair, A, Knob::StopHangs)?;
                ask(pair, A).await;
                until(pair, B, serves).await
            }
            "nothing stops the server" => {
                turn(pair, A, Knob::KillHangs)?;
                ask(pair, A).await;
                until(pair, A, |v| v.role == "draining").await?;
                pause(4000).await;
                pair.host(A).site.turn_back(Knob::KillHangs)?;
                until(pair, B, serves).await
            }
            "the candidate stands still" => {
                pair.host(B).daemon.freeze()?;
                ask(pair, A).await;
                pause(2500).await;
                pair.host(B).daemon.thaw()?;
                rest().await
            }
            "the second stands still while draining" => {
                turn(pair, A, Knob::Busy)?;
                turn(pair, A, Knob::Unhealthy)?;
                until(pair, A, |v| v.role == "draining").await?;
                pair.host(B).daemon.freeze()?;
                pause(4500).await;
                pair.host(B).daemon.thaw()?;
                pair.host(A).site.turn_all_back()?;
                rest().await
            }
            "the holder is gone for a while" => {
                turn(pair, A, Knob::Busy)?;
                ask(pair, A).await;
                until(pair, A, |v| v.role == "draining").await?;
                pair.cluster.host_mut(A).daemon.kill()?;
                until(pair, B, |v| v.role == "standby").await?;
                pause(500).await;
                pair.cluster.host_mut(A).daemon.start()?;
                until(pair, A, serves).await
            }
            "the second can't start" => {
                turn(pair, B, Knob::StartFails)?;
                ask(pair, A).await;
                until(pair, B, |v| v.role == "parked").await?;
                until(pair, A, serves).await
            }
            "nobody can start" => {
                turn(pair, B, Knob::StartFails)?;
                turn(pair, A, Knob::TestFails)?;
                ask(pair, A).await;
                until(pair, B, |v| v.role == "parked").await?;
                pause(2500).await;
                pair.host(B).site.turn_back(Knob::StartFails)?;
                until(pair, B, serves).await
            }
            "the fault goes while asking" => {
                turn(pair, B, Knob::TestHangs)?;
                turn(pair, A, Knob::Unhealthy)?;
                until(pair, A, |v| v.role == "asking").await?;
                pair.host(A).site.turn_back(Knob::Unhealthy)?;
                rest().await
            }
            "what became of a request can't be said" => {
                turn(pair, B, Knob::ResolveFails)?;
                ask(pair, A).await;
                until(pair, B, serves).await?;
                pause(800).await;
                pair.host(B).site.turn_back(Knob::ResolveFails)?;
                pause(3500).await;
                rest().await
            }
            "refusals" => refusals(pair).await,
            "refusals while busy" => refusals_while_busy(pair).await,
            "nobody knows how it is" => {
                pair.signal_servers(A, Signal::STOP)?;
                until(pair, A, |v| v.verdict == "unknown").await?;
                pause(500).await;
                pair.signal_servers(A, Signal::CONT)?;
                until(pair, A, |v| v.verdict == "healthy").await
            }
            "unknown moves it" => {
                pair.signal_servers(A, Signal::STOP)?;
                until(pair, A, |v| v.role != "active").await?;
                pair.signal_servers(A, Signal::CONT)?;
                rest().await
            }
            "power failure of both" | "redis, power failure of both" => power_failure(pair).await,
            "restart of the active daemon" => {
                pair.cluster.host_mut(A).daemon.kill()?;
                pause(200).await;
                pair.cluster.host_mut(A).daemon.start()?;
                until(pair, A, serves).await?;
                rest().await
            }
            "forced" => forced(pair).await,
            "forced against a living host" => {
                pair.order(
                    B,
                    "takeover",
                    json!({ "confirm_stopped": ["alpha"], "reason": "a mistake", "by": "test" }),
                )
                .await;
                // Alpha stands still for so long that its connection is lost, and comes back.
                pair.host(A).daemon.freeze()?;
                pause(3500).await;
                pair.host(A).daemon.thaw()?;
                rest().await
            }
            "the standby is not well" => {
                turn(pair, B, Knob::TestFails)?;
                pair.cluster.host_mut(B).daemon.kill()?;
                pair.cluster.host_mut(B).daemon.start()?;
                until(pair, B, |v| v.role == "standby").await?;
                pause(1500).await;
                pair.host(B).site.turn_back(Knob::TestFails)?;
                until(pair, B, |v| v.ready).await
            }
            "cured by order" => {
                turn(pair, A, Knob::Unhealthy)?;
                until(pair, A, |v| v.role == "standby" || v.role == "released").await?;
                for _ in 0..10 {
                    pair.order(A, "cure", json!({ "by": "test" })).await;
                    pause(50).await;
                }
                rest().await
            }
            "started by hand" => started_by_hand(pair).await,
            "the releaser is gone for a while" => {
                turn(pair, A, Knob::StopHangs)?;
                ask(pair, A).await;
                until(pair, A, |v| v.role == "draining").await?;
                until_step(pair, A, "server-stopping").await?;
                pair.host(B).daemon.freeze()?;
                until(pair, A, |v| v.role == "released").await?;
                ask(pair, A).await;
                pair.order(A, "cancel", json!({ "by": "test" })).await;
                pair.cluster.host_mut(A).daemon.kill()?;
                pair.cluster.host_mut(A).daemon.start()?;
                until(pair, A, |v| v.role == "released").await?;
                pair.host(B).daemon.thaw()?;
                until(pair, B, serves).await
            }
            "the assessment hangs" => {
                turn(pair, B, Knob::TestHangs)?;
                ask(pair, A).await;
                pause(2500).await;
                rest().await
            }
            "the second is never well" => {
                turn(pair, B, Knob::Unhealthy)?;
                ask(pair, A).await;
                until(pair, B, |v| v.role == "parked").await?;
                until(pair, A, serves).await
            }
            "first start, while the other stands still" => scenes::first_start_waits(pair).await,
            "first start on both at once" => scenes::first_start_on_both(pair).await,
            "paused" => scenes::paused(pair).await,
            "unknown, and paused" => scenes::paused_and_unknown(pair).await,
            "the second's answer is lost" => scenes::answer_lost(pair).await,
            "started and ended by hand" => scenes::ended_by_hand(pair).await,
            "wrongly said to be stopped" => scenes::wrongly_said_to_be_stopped(pair).await,
            "too long for a fault" => scenes::too_long(pair, A, true).await,
            "too long for an order" => scenes::too_long(pair, A, false).await,
            "too long for a fault, away from home" => scenes::too_long_away(pair).await,
            "no word on more time, for a fault" => scenes::no_word_on_more_time(pair, true).await,
            "no word on more time, for an order" => scenes::no_word_on_more_time(pair, false).await,
            "must be down, and nobody takes over" => scenes::must_be_down(pair, false).await,
            "must be down, and gets well meanwhile" => scenes::must_be_down(pair, true).await,
            "home by itself" => {
                turn(pair, A, Knob::Unhealthy)?;
                until(pair, B, serves).await?;
                pair.host(A).site.turn_back(Knob::Unhealthy)?;
                until(pair, A, serves).await?;
                rest().await
            }
            "drain extended" => {
                turn(pair, A, Knob::Busy)?;
                ask(pair, A).await;
                until(pair, A, |v| v.role == "draining").await?;
                pause(2000).await;
                pair.host(A).site.turn_back(Knob::Busy)?;
                until(pair, B, serves).await
            }
            "aborted for a fault" => {
                turn(pair, A, Knob::Busy)?;
                turn(pair, A, Knob::Unhealthy)?;
                until(pair, A, |v| v.role == "draining").await?;
                pause(2500).await;
                rest().await
            }
            "the reboot fails" | "the reboot hangs" => {
                let (knob, length) = match self.name {
                    "the reboot fails" => (Knob::RebootFails, 1500),
                    _ => (Knob::RebootHangs, 3500),
                };
                turn(pair, A, knob)?;
                turn(pair, A, Knob::Unhealthy)?;
                until(pair, B, serves).await?;
                pause(length).await;
                pair.host(A).site.turn_all_back()?;
                until(pair, A, serves).await
            }
            other => bail!("no story is called {other}"),
        }
    }

    /// The server is busy for too long, or does not say whether it is.
    fn keep_from_draining(&self, pair: &Pair) -> Result<()> {
        let says_nothing = self.name.contains("can't");
        let knob = if says_nothing { Knob::SettleFails } else { Knob::Busy };
        turn(pair, A, knob)
    }
}
