//! The calls of the `drain` world. Every one is short, idempotent, and made again until it answers done.

use std::sync::Arc;

use understudy_protocol::{Fault, ServerState};
use wasmtime::Store;
use wasmtime::component::Resource;

use super::calling::{Answering, Job};
use super::{Plugin, World};
use crate::answer;
use crate::bindings::exports::understudy::plugin::drainer;
use crate::bindings::understudy::plugin::types;
use crate::call::{Assessment, CallContext, DispositionPagesSink, Manner, RequestPages, RequestPagesSink, Step};
use crate::convert;
use crate::failure::CallFailure;
use crate::imports::ledger::{DispositionSink, RequestSink, RequestSource};
use crate::state::{CallState, Purpose};
use crate::target::Target;

impl Plugin {
    /// First: refuses, or holds, new requests.
    ///
    /// # Errors
    /// When the plugin gave no answer, or says that it could not; so it is for every call here.
    pub async fn stop_admitting(&self, target: &Arc<Target>, context: CallContext) -> Result<Step, CallFailure> {
        let step = self.step(target, context, "stop-admitting", |drainer, store, context| {
            Box::pin(async move { drainer.call_stop_admitting(store, &context).await })
        });
        step.await
    }

    /// First: waits for what must finish: requests, flushes, checkpoints, the standby's copy.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`].
    pub async fn settle(&self, target: &Arc<Target>, context: CallContext) -> Result<Step, CallFailure> {
        let step = self.step(target, context, "settle", |drainer, store, context| {
            Box::pin(async move { drainer.call_settle(store, &context).await })
        });
        step.await
    }

    /// First: undoes `stop_admitting` and `settle`, before the release.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`].
    pub async fn resume(&self, target: &Arc<Target>, context: CallContext) -> Result<Step, CallFailure> {
        let step = self.step(target, context, "resume", |drainer, store, context| {
            Box::pin(async move { drainer.call_resume(store, &context).await })
        });
        step.await
    }

    /// Second, and a host that holds the service and restarts: makes the server serve; done once it answers clients.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`].
    pub async fn take_over(&self, target: &Arc<Target>, context: CallContext) -> Result<Step, CallFailure> {
        let step = self.step(target, context, "take-over", |drainer, store, context| {
            Box::pin(async move { drainer.call_take_over(store, &context).await })
        });
        step.await
    }

    /// Either: makes the server ready as a standby of the active host; working while it catches up.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`].
    pub async fn stand_by(&self, target: &Arc<Target>, context: CallContext) -> Result<Step, CallFailure> {
        let step = self.step(target, context, "stand-by", |drainer, store, context| {
            Box::pin(async move { drainer.call_stand_by(store, &context).await })
        });
        step.await
    }

    /// First: shuts the server down; done only once its processes are gone.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`].
    pub async fn shut_down(
        &self,
        target: &Arc<Target>,
        context: CallContext,
        manner: Manner,
    ) -> Result<Step, CallFailure> {
        let manner = convert::manner(manner);
        let step = self.step(target, context, "shut-down", move |drainer, store, context| {
            Box::pin(async move { drainer.call_shut_down(store, &context, manner).await })
        });
        step.await
    }

    /// First: lists every request that the server has accepted and not finished, in pages.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`]. Pages that came before an error are to be thrown away.
    pub async fn list_requests(
        &self,
        target: &Arc<Target>,
        context: CallContext,
        sink: RequestPagesSink,
    ) -> Result<(), CallFailure> {
        let drainer = self.drainer()?;
        let job = Job {
            function: "list-requests",
            purpose: Purpose::Look,
            world: World::Drain,
        };
        let answer = self.call(target, context, job, move |guest, context| {
            Box::pin(async move {
                let drainer = drainer.load(&mut guest.store, &guest.instance)?;
                let sink = lend(&mut guest.store, RequestSink::new(sink))?;
                drainer.call_list_requests(&mut guest.store, &context, sink).await
            })
        });
        self.judge(target, World::Drain, answer.await)
    }

    /// Second: works through the compilation and says what became of each request.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`]. What came before an error counts.
    pub async fn resolve_requests(
        &self,
        target: &Arc<Target>,
        context: CallContext,
        requests: RequestPages,
        sink: DispositionPagesSink,
    ) -> Result<Step, CallFailure> {
        let step = self.step(target, context, "resolve-requests", move |drainer, store, context| {
            Box::pin(async move {
                let requests = lend(store, RequestSource::new(requests))?;
                let sink = lend(store, DispositionSink::new(sink))?;
                drainer.call_resolve_requests(store, &context, requests, sink).await
            })
        });
        step.await
    }

    /// Second: whether this host's server could serve in place of the first's. Changes nothing.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`].
    pub async fn assess(
        &self,
        target: &Arc<Target>,
        context: CallContext,
        fault: &Fault,
    ) -> Result<Assessment, CallFailure> {
        let (drainer, fault) = (self.drainer()?, convert::fault_to_guest(fault));
        let job = Job {
            function: "assess",
            purpose: Purpose::Look,
            world: World::Drain,
        };
        let answer = self.call(target, context, job, move |guest, context| {
            Box::pin(async move {
                let drainer = drainer.load(&mut guest.store, &guest.instance)?;
                drainer.call_assess(&mut guest.store, &context, &fault).await
            })
        });
        let judged = answer.await.map(convert::assessment).and_then(answer::assessment);
        self.judge(target, World::Drain, judged)
    }

    /// Either: what the server does now. Changes nothing.
    ///
    /// # Errors
    /// As for [`Plugin::stop_admitting`].
    pub async fn observe(&self, target: &Arc<Target>, context: CallContext) -> Result<ServerState, CallFailure> {
        let drainer = self.drainer()?;
        let job = Job {
            function: "observe",
            purpose: Purpose::Look,
            world: World::Drain,
        };
        let answer = self.call(target, context, job, move |guest, context| {
            Box::pin(async move {
                let drainer = drainer.load(&mut guest.store, &guest.instance)?;
                drainer.call_observe(&mut guest.store, &context).await
            })
        });
        self.judge(target, World::Drain, answer.await.map(convert::server_state))
    }

    /// A call that may change the server and answers with a step.
    async fn step<B>(
        &self,
        target: &Arc<Target>,
        context: CallContext,
        function: &'static str,
        body: B,
    ) -> Result<Step, CallFailure>
    where
        B: for<'a> FnOnce(drainer::Guest, &'a mut Store<CallState>, types::CallContext) -> Answering<'a, drainer::Step>
            + Send
            + 'static,
    {
        let drainer = self.drainer()?;
        let job = Job {
            function,
            purpose: Purpose::Change,
            world: World::Drain,
        };
        let answer = self.call(target, context, job, move |guest, context| {
            Box::pin(async move {
                let drainer = drainer.load(&mut guest.store, &guest.instance)?;
                body(drainer, &mut guest.store, context).await
            })
        });
        self.judge(
            target,
            World::Drain,
            answer.await.and_then(|step| answer::step(convert::step(step))),
        )
    }

    fn drainer(&self) -> Result<drainer::GuestIndices, CallFailure> {
        let missing = CallFailure::NotExported {
            interface: "understudy:plugin/drainer",
        };
        self.exports.drainer.clone().ok_or(missing)
    }
}

/// Puts a resource of the host's into the call's table, to be lent to the guest for the call.
fn lend<T: Send + 'static>(store: &mut Store<CallState>, resource: T) -> wasmtime::Result<Resource<T>> {
    let owned = store.data_mut().table.push(resource)?;
    Ok(Resource::new_borrow(owned.rep()))
}
