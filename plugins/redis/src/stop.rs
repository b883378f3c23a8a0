//! How the first host's Redis is shut down: what is sent depends on who has the data.

use understudy_plugin::prelude::*;

use crate::config::Config;
use crate::first::{copies, held};
use crate::info::{Info, Role};
use crate::memory::{Copy, FORMAT, Memory};
use crate::probe::machine;
use crate::process;
use crate::readiness::Copies;
use crate::server::{Server, ShutDown, Trouble};

pub(crate) fn shut_down(call: &Call, config: &Config, manner: Manner) -> Result<Step, PluginError> {
    let memory = Memory::of(call);
    let mut server = match held(call, config) {
        Ok(server) => server,
        Err(Trouble::Gone(_)) => return gone(memory, manner),
        Err(Trouble::Silent(_)) if memory.shut_down_sent_at_ms.is_some() => {
            return Ok(Step::working("Redis is saving its data, to shut down", 200));
        }
        Err(trouble @ (Trouble::Silent(_) | Trouble::Error(_))) if manner == Manner::Forced => {
            return stop_by_command(memory, &trouble.describe());
        }
        Err(trouble) => return Err(trouble.into()),
    };
    let info = server.info()?;
    let copies = match info.role() {
        Some(Role::Master) => copies(call, config, &mut server, &info)?,
        // A replica has nothing of its own to lose.
        _ => Copies::Complete,
    };
    let can_save =
        info.persistence_failures().is_empty() && machine(config)?.disk.is_none_or(|disk| !disk.is_full(config));
    let plan = plan(&Situation {
        copies,
        manner,
        should_save: can_save && config.save_on_shutdown,
        is_alone: config.others(call.host()).next().is_none(),
        is_ordered_down: call.expected() == Expectation::Down,
        is_old: memory.what_disk_lacks().is_some(),
    });
    carry_out(plan, &mut server, &info, memory)
}

/// What the way to shut down depends on.
struct Situation {
    copies: Copies,
    manner: Manner,
    should_save: bool,
    /// No other host is configured that could have a copy.
    is_alone: bool,
    /// It should not run: somebody started it by hand, or the host may no longer serve.
    is_ordered_down: bool,
    /// What it has is known to be older than what another host has.
    is_old: bool,
}

/// How to shut down: what to send, one after the other until Redis obeys; or what to wait for.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    Send(Vec<&'static [&'static str]>),
    Wait(String),
}

const SAVE: &[&str] = &["SAVE", "NOW"];
/// Gives the replicas Redis' own `shutdown-timeout` to catch up.
const SAVE_AND_WAIT: &[&str] = &["SAVE"];
const NO_SAVE: &[&str] = &["NOSAVE", "NOW", "FORCE"];
/// For a Redis before 7.0, which knows neither `NOW` nor `FORCE`.
const NO_SAVE_OLD: &[&str] = &["NOSAVE"];

/// Nothing that would lose a write is sent while anything else is possible.
fn plan(situation: &Situation) -> Plan {
    let Situation {
        copies,
        manner,
        should_save,
        is_alone,
        is_ordered_down,
        is_old,
    } = situation;
    match (copies, manner) {
        (Copies::Complete, _) if *should_save => Plan::Send(vec![SAVE, NO_SAVE, NO_SAVE_OLD]),
        (Copies::Complete, _) => Plan::Send(vec![NO_SAVE, NO_SAVE_OLD]),
        // Nobody has a copy, so the disk is all there is: saving may take the whole call, and is tried whatever it says of itself.
        (_, Manner::Forced) => Plan::Send(vec![SAVE_AND_WAIT, NO_SAVE, NO_SAVE_OLD]),
        // The service's data is elsewhere: what this one has been given since is kept if it can be, and is not waited for.
        (_, Manner::Graceful) if *is_ordered_down && *is_old => Plan::Send(vec![SAVE, NO_SAVE, NO_SAVE_OLD]),
        (_, Manner::Graceful) if *is_ordered_down => Plan::Send(vec![SAVE_AND_WAIT]),
        (Copies::Missing { .. }, Manner::Graceful) if *is_alone => Plan::Send(vec![SAVE_AND_WAIT]),
        (Copies::Missing { who }, Manner::Graceful) => {
            Plan::Wait(format!("no complete copy: not connected as a replica is {who}"))
        }
        (Copies::Behind { bytes, who }, Manner::Graceful) => {
            Plan::Wait(format!("the replica {who} lacks {bytes} bytes of writes"))
        }
    }
}

fn carry_out(plan: Plan, server: &mut Server, info: &Info, memory: Memory) -> Result<Step, PluginError> {
    let commands = match plan {
        Plan::Wait(blocker) => return Ok(Step::working(blocker, 100)),
        Plan::Send(commands) => commands,
    };
    let keeps_a_log = info.flag("aof_enabled") && info.persistence_failures().is_empty();
    let mut refusals = Vec::new();
    for arguments in commands {
        let saves = arguments.contains(&"SAVE");
        let copy = match memory.copy {
            Copy::Own if saves || keeps_a_log => Copy::Own,
            Copy::Own => Copy::LeftWithoutSaving,
            // Saving what is old does not make it new.
            old => old,
        };
        let memory = Memory {
            copy,
            shut_down_sent_at_ms: Some(clock::now_ms()),
            ..memory.clone()
        };
        match server.shut_down(arguments)? {
            ShutDown::Begun => return Ok(process::until_gone().keep(FORMAT, &memory)),
            ShutDown::Refused(message) => {
                let line = format!("SHUTDOWN {} was refused: {message}", arguments.join(" "));
                log::write(log::Level::Warn, &line, &Vec::new());
                refusals.push(line);
            }
        }
    }
    Err(PluginError::retryable("redis-stays-up", refusals.join("; ")))
}

/// Nothing listens; where the operator said how to see the process, it must be gone too.
fn gone(memory: Memory, manner: Manner) -> Result<Step, PluginError> {
    match process::runs()? {
        Some(true) if manner == Manner::Forced => {
            stop_by_command(memory, "nothing listens, and its process is still there")
        }
        Some(true) => Ok(Step::working("Redis' process has not ended yet", 50)),
        Some(false) | None => Ok(Step::done().keep(
            FORMAT,
            &Memory {
                shut_down_sent_at_ms: None,
                ..memory
            },
        )),
    }
}

/// The last means: the operator's own command, for a Redis that doesn't listen to anybody.
fn stop_by_command(memory: Memory, why: &str) -> Result<Step, PluginError> {
    log::write(
        log::Level::Warn,
        "Redis is stopped by the operator's command",
        &Attributes::new().with("because", why),
    );
    process::run("stop", &Attributes::new())?;
    let memory = Memory {
        copy: Copy::LeftWithoutSaving,
        shut_down_sent_at_ms: Some(clock::now_ms()),
        ..memory
    };
    Ok(process::until_gone().keep(FORMAT, &memory))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Copies {
        Copies::Missing { who: "b".into() }
    }

    fn behind() -> Copies {
        Copies::Behind {
            bytes: 1,
            who: "b".into(),
        }
    }

    fn planned(copies: Copies, manner: Manner, change: impl FnOnce(&mut Situation)) -> Plan {
        let mut situation = Situation {
            copies,
            manner,
            should_save: true,
            is_alone: false,
            is_ordered_down: false,
            is_old: false,
        };
        change(&mut situation);
        plan(&situation)
    }

    #[test]
    fn with_a_complete_copy_it_stops_saving_where_it_can() {
        for manner in [Manner::Graceful, Manner::Forced] {
            let saving = planned(Copies::Complete, manner, |_| ());
            assert_eq!(saving, Plan::Send(vec![SAVE, NO_SAVE, NO_SAVE_OLD]));
            let not_saving = planned(Copies::Complete, manner, |it| it.should_save = false);
            assert_eq!(not_saving, Plan::Send(vec![NO_SAVE, NO_SAVE_OLD]));
        }
    }

    #[test]
    fn gracefully_it_never_stops_with_a_write_that_only_it_has() {
        assert!(matches!(planned(missing(), Manner::Graceful, |_| ()), Plan::Wait(_)));
        assert!(matches!(planned(behind(), Manner::Graceful, |_| ()), Plan::Wait(_)));
        let alone = planned(missing(), Manner::Graceful, |it| it.is_alone = true);
        assert_eq!(alone, Plan::Send(vec![SAVE_AND_WAIT]));
        let parked = planned(missing(), Manner::Graceful, |it| it.is_ordered_down = true);
        assert_eq!(
            parked,
            Plan::Send(vec![SAVE_AND_WAIT]),
            "it may be the last to have them: it is saved, or it stays"
        );
    }

    #[test]
    fn one_that_is_ordered_down_with_old_data_stops_whoever_started_it() {
        let started_by_hand = planned(missing(), Manner::Graceful, |it| {
            (it.is_ordered_down, it.is_old) = (true, true)
        });
        assert_eq!(started_by_hand, Plan::Send(vec![SAVE, NO_SAVE, NO_SAVE_OLD]));
    }

    #[test]
    fn forced_it_saves_before_it_lets_go() {
        for copies in [missing(), behind()] {
            let Plan::Send(commands) = planned(copies, Manner::Forced, |it| it.should_save = false) else {
                panic!("it must stop")
            };
            assert_eq!(commands[0], SAVE_AND_WAIT, "even a disk that looks broken is tried");
        }
    }
}
