//! Between the friendly traits and those that `wit-bindgen` wrote: only `export!` names this.

use std::marker::PhantomData;

use crate::bindings::exports::understudy::plugin::{drainer, manifest, probe};
use crate::host::{config, ledger};
use crate::{
    Assessment, CallContext, Description, Diagnostic, Drain, Fault, Manner, Plugin, PluginError, PluginErrorExt, Probe,
    Refusal, Report, SavedState, ServerState, Status, Step, Verdict, configuration,
};

/// The component made of the plugin `P`.
pub struct Component<P>(PhantomData<P>);

impl<P: Plugin> manifest::Guest for Component<P> {
    fn describe() -> manifest::Description {
        let Description {
            name,
            version,
            server_types,
            asks,
            summary,
        } = P::describe();
        manifest::Description {
            name,
            version,
            server_types,
            asks,
            summary,
        }
    }

    fn check_config(json: String) -> Vec<manifest::Diagnostic> {
        let wrong = match configuration::parse::<P::Config>(&json) {
            Ok(config) => P::check_config(&config),
            Err(diagnostic) => vec![diagnostic],
        };
        wrong
            .into_iter()
            .map(|Diagnostic { path, message }| manifest::Diagnostic { path, message })
            .collect()
    }
}

impl<P: Probe> probe::Guest for Component<P> {
    fn check(context: CallContext) -> Result<probe::Report, PluginError> {
        let before = context.state.clone();
        let Report {
            verdict,
            faults,
            readings,
            state,
        } = P::check(&context.into(), &configured::<P>()?)?;
        let state = state.into_saved(before);
        let verdict = match verdict {
            Verdict::Healthy => probe::Verdict::Healthy,
            Verdict::Impaired => probe::Verdict::Impaired,
            Verdict::Failing => probe::Verdict::Failing,
            Verdict::Unknown => probe::Verdict::Unknown,
        };
        Ok(probe::Report {
            verdict,
            faults,
            readings,
            state,
        })
    }
}

impl<P: Drain> drainer::Guest for Component<P> {
    fn stop_admitting(context: CallContext) -> Result<drainer::Step, PluginError> {
        let before = context.state.clone();
        P::stop_admitting(&context.into(), &configured::<P>()?).map(|answer| step(answer, before))
    }

    fn list_requests(context: CallContext, into: &ledger::RequestSink) -> Result<(), PluginError> {
        P::list_requests(&context.into(), &configured::<P>()?, into)
    }

    fn settle(context: CallContext) -> Result<drainer::Step, PluginError> {
        let before = context.state.clone();
        P::settle(&context.into(), &configured::<P>()?).map(|answer| step(answer, before))
    }

    fn shut_down(context: CallContext, manner: drainer::Manner) -> Result<drainer::Step, PluginError> {
        let manner = match manner {
            drainer::Manner::Graceful => Manner::Graceful,
            drainer::Manner::Forced => Manner::Forced,
        };
        let before = context.state.clone();
        P::shut_down(&context.into(), &configured::<P>()?, manner).map(|answer| step(answer, before))
    }

    fn resume(context: CallContext) -> Result<drainer::Step, PluginError> {
        let before = context.state.clone();
        P::resume(&context.into(), &configured::<P>()?).map(|answer| step(answer, before))
    }

    fn assess(context: CallContext, fault: Fault) -> Result<drainer::Assessment, PluginError> {
        Ok(match P::assess(&context.into(), &configured::<P>()?, &fault)? {
            Assessment::Can => drainer::Assessment::Can,
            Assessment::Cannot(Refusal {
                code,
                message,
                would_accept_if,
                attributes,
            }) => drainer::Assessment::Cannot(drainer::Refusal {
                code,
                message,
                would_accept_if,
                attributes,
            }),
        })
    }

    fn take_over(context: CallContext) -> Result<drainer::Step, PluginError> {
        let before = context.state.clone();
        P::take_over(&context.into(), &configured::<P>()?).map(|answer| step(answer, before))
    }

    fn resolve_requests(
        context: CallContext,
        requests: &ledger::RequestSource,
        into: &ledger::DispositionSink,
    ) -> Result<drainer::Step, PluginError> {
        let before = context.state.clone();
        P::resolve_requests(&context.into(), &configured::<P>()?, requests, into).map(|answer| step(answer, before))
    }

    fn observe(context: CallContext) -> Result<drainer::ServerState, PluginError> {
        Ok(match P::observe(&context.into(), &configured::<P>()?)? {
            ServerState::Stopped => drainer::ServerState::Stopped,
            ServerState::StandingBy => drainer::ServerState::StandingBy,
            ServerState::Serving => drainer::ServerState::Serving,
        })
    }

    fn stand_by(context: CallContext) -> Result<drainer::Step, PluginError> {
        let before = context.state.clone();
        P::stand_by(&context.into(), &configured::<P>()?).map(|answer| step(answer, before))
    }
}

fn step(step: Step, before: Option<SavedState>) -> drainer::Step {
    let status = match step.status {
        Status::Done => drainer::Status::Done,
        Status::Working {
            remaining,
            blocker,
            retry_in_ms,
        } => drainer::Status::Working(drainer::Working {
            remaining,
            blocker,
            retry_in_ms,
        }),
    };
    drainer::Step {
        status,
        state: step.state.into_saved(before),
    }
}

/// The configuration, read anew for each call: the host gives every call a fresh instance.
fn configured<P: Plugin>() -> Result<P::Config, PluginError> {
    configuration::parse::<P::Config>(&config::json())
        .map_err(|wrong| PluginError::permanent("bad-config", format!("{}: {}", wrong.path, wrong.message)))
}
