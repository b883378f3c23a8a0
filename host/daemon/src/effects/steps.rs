//! Calling the drain plugin until it says `done`.
//!
//! Invariant: a step that fails in a way that may pass is tried again a few times; the machine's timer, not this loop,
//! bounds the whole.

use std::time::Duration;

use understudy_protocol::{Term, Work};
use understudy_runtime::{CallFailure, Manner, Status, Step};

use super::Context;

/// The bound of one call; every call is short by contract.
pub(super) const CALL: Duration = Duration::from_secs(10);
/// Failures in a row before the work fails.
const FAILURES_MAX: u32 = 3;
/// Between failures.
const FAILURE_PAUSE: Duration = Duration::from_millis(200);
/// The plugin's wish when to be called again is kept within these.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(2));

/// The drain plugin's steps that are called until done.
#[derive(Debug, Clone, Copy)]
pub(super) enum StepName {
    StopAdmitting,
    ShutDown(Manner),
    Resume,
    TakeOver,
    StandBy,
    Settle,
}

impl Context {
    pub(super) async fn step(&self, name: StepName, term: Term, attempt: u32) -> Result<Step, CallFailure> {
        let plugin = &self.parts.drain;
        let call = self.call(term, attempt, CALL);
        match name {
            StepName::StopAdmitting => plugin.stop_admitting(call).await,
            StepName::ShutDown(manner) => plugin.shut_down(call, manner).await,
            StepName::Resume => plugin.resume(call).await,
            StepName::TakeOver => plugin.take_over(call).await,
            StepName::StandBy => plugin.stand_by(call).await,
            StepName::Settle => plugin.settle(call).await,
        }
    }

    /// Calls a step until it is done; reports what it waits for.
    pub(super) async fn until_done(&self, work: &Work, name: StepName, term: Term) -> Result<(), String> {
        let (mut attempt, mut failures) = (0, 0);
        loop {
            attempt += 1;
            match self.step(name, term, attempt).await {
                Ok(Step {
                    status: Status::Done,
                    state,
                }) => {
                    self.keep(state).await;
                    return Ok(());
                }
                Ok(Step {
                    status:
                        Status::Working {
                            remaining,
                            blocker,
                            retry_in,
                        },
                    state,
                }) => {
                    self.keep(state).await;
                    failures = 0;
                    self.progress(work, remaining, blocker).await;
                    self.parts.clock.sleep(pause(retry_in)).await;
                }
                Err(failure) => {
                    failures += 1;
                    tracing::warn!(service = %self.parts.service, work = work.name(), failures, %failure, "a step failed");
                    if failures >= FAILURES_MAX || !may_pass(&failure) {
                        return Err(failure.to_string());
                    }
                    self.parts.clock.sleep(FAILURE_PAUSE * failures).await;
                }
            }
        }
    }
}

/// Whether trying again may help.
pub(super) fn may_pass(failure: &CallFailure) -> bool {
    match failure {
        CallFailure::Plugin(error) => error.retryable,
        other => other.is_plugins_own(),
    }
}

pub(super) fn pause(wish: Duration) -> Duration {
    wish.clamp(PAUSE.0, PAUSE.1)
}
