//! What one call owns: everything its host functions may reach, and the memory it may have.
//!
//! Invariant: made for one call and dropped with its store; nothing in it outlives the call.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use crate::call::Cancellation;
use crate::capability::{Ask, Denial, Rights};
use crate::disks::Disks;
use crate::limits::Limits;
use crate::target::Target;
use crate::trace::{Entered, Trace};

/// Which function of the plugin is called: decides what is fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `describe`, `check-config`: nothing is granted.
    Install,
    /// It only looks.
    Look,
    /// It may change the server: fenced by the term.
    Change,
}

pub(crate) struct CallState {
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) plugin: Arc<str>,
    pub(crate) function: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) target: Option<Arc<Target>>,
    pub(crate) rights: Rights,
    pub(crate) term: u64,
    pub(crate) limits: Limits,
    pub(crate) deadline: Instant,
    pub(crate) cancellation: Cancellation,
    pub(crate) trace: Arc<Trace>,
    pub(crate) disks: Arc<Disks>,
    pub(crate) open_connections: usize,
    wasi: WasiCtx,
}

/// What a state is made of.
pub(crate) struct Setup {
    pub(crate) plugin: Arc<str>,
    pub(crate) function: &'static str,
    pub(crate) purpose: Purpose,
    pub(crate) target: Option<Arc<Target>>,
    pub(crate) rights: Rights,
    pub(crate) term: u64,
    pub(crate) limits: Limits,
    pub(crate) deadline: Instant,
    pub(crate) cancellation: Cancellation,
    pub(crate) trace: Arc<Trace>,
    pub(crate) disks: Arc<Disks>,
}

impl CallState {
    pub(crate) fn new(setup: Setup) -> Self {
        let Setup {
            plugin,
            function,
            purpose,
            target,
            rights,
            term,
            limits,
            deadline,
            cancellation,
            trace,
            disks,
        } = setup;
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Self {
            table,
            limiter: Limiter {
                left_bytes: limits.memory_bytes,
                trace: trace.clone(),
            },
            plugin,
            function,
            purpose,
            target,
            rights,
            term,
            limits,
            deadline,
            cancellation,
            disks,
            open_connections: 0,
            wasi: no_wasi(&trace),
            trace,
        }
    }

    /// The target, if this right is granted for it.
    pub(crate) fn granted(&self, ask: &Ask) -> Result<Arc<Target>, Denial> {
        self.rights.check(ask)?;
        self.target.clone().ok_or_else(|| Denial::AtInstall(ask.clone()))
    }

    /// Whether the service's term has moved on since the call's.
    pub(crate) fn is_fenced(&self) -> bool {
        self.target
            .as_ref()
            .is_some_and(|target| self.term < target.fence.load(Ordering::SeqCst))
    }

    /// How long a host call may take that the guest gave `timeout_ms`: never beyond the call's own end.
    pub(crate) fn allowed(&self, timeout_ms: u32) -> Duration {
        Duration::from_millis(u64::from(timeout_ms)).min(self.remaining())
    }

    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    pub(crate) fn enter(&self, call: String) -> Entered {
        self.trace.enter(call, self.deadline)
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

/// WASI is linked, because every language's runtime wants it, and nothing is behind it: no files, no sockets, no
/// names, no environment, no arguments. Only what a guest writes to standard error is kept, as evidence.
fn no_wasi(trace: &Trace) -> WasiCtx {
    WasiCtxBuilder::new()
        .stderr(trace.stderr_pipe())
        .allow_tcp(false)
        .allow_udp(false)
        .max_random_size(RANDOM_BYTES)
        .build()
}

/// Counts the guest's memory down. It grows only, so what is granted is never given back within a call.
pub(crate) struct Limiter {
    left_bytes: usize,
    trace: Arc<Trace>,
}

impl Limiter {
    fn take(&mut self, bytes: usize) -> bool {
        match self.left_bytes.checked_sub(bytes) {
            Some(left) => {
                self.left_bytes = left;
                true
            }
            None => {
                self.trace.refuse_memory();
                false
            }
        }
    }
}

impl wasmtime::ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.take(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.take(desired.saturating_sub(current).saturating_mul(TABLE_ELEMENT_BYTES)))
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}

/// Handles of all kinds that a guest may hold at once: connections, listings, WASI's own.
const RESOURCES: usize = 1024;
/// Random bytes at once: made in the host's memory. Seeds are far smaller.
const RANDOM_BYTES: u64 = 64 << 10;
/// A table's element is a pointer.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();
/// A component made of several modules has some dozens of each.
const INSTANCES: usize = 1024;
