//! Runs one call in a store of its own, within its bounds.
//!
//! Three clocks end a call, because none alone does: the epoch ends a guest that computes, the outer time-out ends one
//! that is in a host call, and a host call that reaches outside (a connection, a command) ends by itself at the
//! guest's own time-out or the call's deadline, so that what it began outside is ended too.
//!
//! Invariant: the store is dropped with the call, whatever became of it; it is never used again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tracing::Instrument;
use wasmtime::component::{Instance, InstancePre};
use wasmtime::{Store, UpdateDeadline};

use crate::call::Cancellation;
use crate::capability::Rights;
use crate::failure::{Bounds, CallFailure, Ended, classify, timed_out};
use crate::limits::Limits;
use crate::runtime::Shared;
use crate::state::{CallState, Purpose, Setup};
use crate::target::Target;
use crate::trace::Trace;

/// Which call, of what, for whom.
pub(crate) struct Entry {
    pub(crate) plugin: Arc<str>,
    pub(crate) function: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) target: Option<Arc<Target>>,
    pub(crate) rights: Rights,
    pub(crate) term: u64,
    pub(crate) limits: Limits,
    pub(crate) time: Duration,
    pub(crate) cancellation: Cancellation,
}

/// What a call's body works with.
pub(crate) struct Guest {
    pub(crate) store: Store<CallState>,
    pub(crate) instance: Instance,
}

/// Runs `body` with a fresh instance on the guests' threads.
pub(crate) async fn run<T, B>(
    shared: &Arc<Shared>,
    instance: &InstancePre<CallState>,
    entry: Entry,
    body: B,
) -> Result<T, CallFailure>
where
    T: Send + 'static,
    B: for<'a> FnOnce(&'a mut Guest) -> BoxFuture<'a, wasmtime::Result<T>> + Send + 'static,
{
    let host = |message: String| CallFailure::Host { message };
    // Waiting for a turn is not the plugin's time.
    let turn = shared
        .calls
        .clone()
        .acquire_owned()
        .await
        .map_err(|closed| host(closed.to_string()))?;
    let call = {
        let (shared, instance) = (shared.clone(), instance.clone());
        async move {
            let _turn = turn;
            let _ticking = shared.ticker.tick();
            one_call(&shared, &instance, entry, body).await
        }
    };
    match shared.threads.run(call.in_current_span()).await {
        Ok(answer) => answer,
        Err(error) => Err(host(error.to_string())),
    }
}

async fn one_call<T, B>(
    shared: &Shared,
    instance: &InstancePre<CallState>,
    entry: Entry,
    body: B,
) -> Result<T, CallFailure>
where
    B: for<'a> FnOnce(&'a mut Guest) -> BoxFuture<'a, wasmtime::Result<T>> + Send + 'static,
{
    let trace = Arc::new(Trace::new());
    let cancellation = entry.cancellation.clone();
    let mut bounds = Bounds {
        time: entry.time,
        memory_bytes: entry.limits.memory_bytes,
        answer_bytes: entry.limits.answer_bytes,
        cancelled: false,
    };
    let store = store(shared, entry, trace.clone());
    let deadline = store.data().deadline;
    let call = async {
        let mut store = store;
        let instance = instance.instantiate_async(&mut store).await?;
        let mut guest = Guest { store, instance };
        body(&mut guest).await
    };
    let ended = tokio::select! {
        ended = tokio::time::timeout_at(deadline, call) => ended.ok(),
        () = grace_is_over(&cancellation) => None,
    };
    bounds.cancelled = cancellation.is_cancelled();
    match ended {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(error)) => Err(classify(&error, &trace, &bounds)),
        None => Err(timed_out(&trace, &bounds)),
    }
}

async fn grace_is_over(cancellation: &Cancellation) {
    cancellation.cancelled().await;
    tokio::time::sleep(CANCEL_GRACE).await;
}

fn store(shared: &Shared, entry: Entry, trace: Arc<Trace>) -> Store<CallState> {
    let Entry {
        plugin,
        function,
        purpose,
        target,
        rights,
        term,
        limits,
        time,
        cancellation,
    } = entry;
    let answer_bytes = limits.answer_bytes;
    let state = CallState::new(Setup {
        plugin,
        function,
        purpose,
        target,
        rights,
        term,
        limits,
        deadline: Instant::now() + time,
        cancellation,
        trace,
        disks: shared.disks.clone(),
    });
    let mut store = Store::new(&shared.engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(answer_bytes);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|context| {
        if Instant::now() < context.data().deadline {
            Ok(UpdateDeadline::Yield(1))
        } else {
            Err(Ended::TimeUp.into())
        }
    });
    store
}

/// What a guest has left once its answer is no longer wanted.
const CANCEL_GRACE: Duration = Duration::from_secs(1);
