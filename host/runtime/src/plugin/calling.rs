//! What every call for a target has in common: the breaker before and after it, its bounds, its rights.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::{Plugin, World};
use crate::bindings::understudy::plugin::types;
use crate::call::CallContext;
use crate::capability::Rights;
use crate::convert;
use crate::failure::CallFailure;
use crate::guest::{self, Entry, Guest};
use crate::limits::{BreakerPolicy, DRAIN_BREAKER_LONGEST, Limits};
use crate::state::Purpose;
use crate::target::Target;

/// Which function is called, and as what.
#[derive(Clone, Copy)]
pub(super) struct Job {
    pub(super) function: &'static str,
    pub(super) purpose: Purpose,
    pub(super) world: World,
}

/// A call under way: what the plugin answers, or its own error.
pub(super) type Answering<'a, T> = BoxFuture<'a, wasmtime::Result<Result<T, types::PluginError>>>;

impl Plugin {
    /// Runs one function for a target, if the breaker lets it. The answer is not judged yet: every caller ends with
    /// [`Plugin::judge`].
    pub(super) async fn call<T, B>(
        &self,
        target: &Arc<Target>,
        context: CallContext,
        job: Job,
        body: B,
    ) -> Result<T, CallFailure>
    where
        T: Send + 'static,
        B: for<'a> FnOnce(&'a mut Guest, types::CallContext) -> Answering<'a, T> + Send + 'static,
    {
        let limits = self.limits(target);
        let time = context.remaining.min(limits.call_time);
        self.admit(target, job.world, time)?;
        let asked = &self.description.asks;
        let entry = Entry {
            plugin: self.name.clone(),
            function: job.function,
            purpose: job.purpose,
            target: Some(target.clone()),
            rights: Rights::new(&self.name, target.service.as_str(), asked, &target.granted),
            term: context.term.0,
            limits,
            time,
            cancellation: context.cancellation.clone(),
        };
        let wit = convert::call_context(target, &context, time);
        let answer = guest::run(&self.shared, &self.instance, entry, move |guest| body(guest, wit));
        answer
            .await?
            .map_err(|error| CallFailure::Plugin(convert::plugin_error(error)))
    }

    /// Tells the breaker how a call ended, and hands the answer on.
    pub(super) fn judge<T>(
        &self,
        target: &Target,
        world: World,
        answer: Result<T, CallFailure>,
    ) -> Result<T, CallFailure> {
        let now = Instant::now();
        let policy = self.policy(target, world);
        self.with_breaker(target, world, |breaker| match &answer {
            Err(CallFailure::BreakerOpen { .. }) => {}
            Err(failure) if failure.is_plugins_own() => breaker.failed(now, &policy),
            Ok(_) | Err(CallFailure::Plugin(_)) => breaker.succeeded(),
            Err(_) => breaker.undecided(),
        });
        answer
    }

    fn admit(&self, target: &Target, world: World, time: Duration) -> Result<(), CallFailure> {
        let now = Instant::now();
        self.with_breaker(target, world, |breaker| {
            let failures = breaker.state(now).failures;
            breaker
                .admit(now, time)
                .map_err(|retry_in| CallFailure::BreakerOpen { retry_in, failures })
        })
    }

    fn with_breaker<R>(
        &self,
        target: &Target,
        world: World,
        action: impl FnOnce(&mut crate::breaker::Breaker) -> R,
    ) -> R {
        let mut breakers = self.breakers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        action(breakers.entry((target.service.clone(), world)).or_default())
    }

    fn limits(&self, target: &Target) -> Limits {
        target.limits.clone().unwrap_or_else(|| self.shared.limits.clone())
    }

    fn policy(&self, target: &Target, world: World) -> BreakerPolicy {
        let policy = self.limits(target).breaker;
        match world {
            World::Probe => policy,
            World::Drain => BreakerPolicy {
                first: policy.first.min(DRAIN_BREAKER_LONGEST),
                longest: policy.longest.min(DRAIN_BREAKER_LONGEST),
                ..policy
            },
        }
    }
}
