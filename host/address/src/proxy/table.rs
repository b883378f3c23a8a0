//! All flows of one proxy, and the stage that they are in together.
//!
//! Invariant: a flow is in the table from its acceptance until its end, or until it is parked for a successor.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::ledger::{Account, History};
use crate::flow::{Flow, Quiet};

/// What the flows may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Everything.
    Open,
    /// Go on, but connect to no server.
    Held,
    /// End, or be parked for the successor.
    Leaving,
}

/// A client connection without a server, waiting for one.
pub(super) struct Parked {
    pub(super) stream: TcpStream,
    pub(super) client: SocketAddr,
    pub(super) listen: SocketAddr,
    pub(super) history: History,
}

/// All flows of one proxy.
pub(super) struct FlowTable {
    flows: Mutex<BTreeMap<u64, Arc<Account>>>,
    parked: Mutex<Vec<Parked>>,
    stage: watch::Sender<Stage>,
    count: watch::Sender<usize>,
    next_id: AtomicU64,
}

/// Takes the flow off the table when it ends, however it ends.
pub(super) struct Entry {
    table: Arc<FlowTable>,
    account: Arc<Account>,
    off: AtomicBool,
}

impl FlowTable {
    pub(super) fn new() -> Self {
        FlowTable {
            flows: Mutex::default(),
            parked: Mutex::default(),
            stage: watch::Sender::new(Stage::Held),
            count: watch::Sender::new(0),
            next_id: AtomicU64::new(1),
        }
    }

    pub(super) fn enter(self: &Arc<Self>, client: SocketAddr, listen: SocketAddr, history: History) -> Entry {
        OPEN.fetch_add(1, Ordering::Relaxed);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let account = Arc::new(Account::new(id, client, listen, history));
        lock(&self.flows).insert(id, account.clone());
        self.count.send_modify(|count| *count += 1);
        Entry {
            table: self.clone(),
            account,
            off: AtomicBool::new(false),
        }
    }

    pub(super) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    pub(super) fn set_stage(&self, stage: Stage) {
        self.stage.send_replace(stage);
    }

    pub(super) fn snapshots(&self) -> Vec<Flow> {
        self.accounts().iter().map(|account| account.snapshot()).collect()
    }

    /// Ends the hold of every quiet client.
    pub(super) fn reopen_all(&self) {
        for account in self.accounts() {
            account.reopen();
        }
    }

    /// Holds every client back, whatever is in progress.
    pub(super) fn shut_all(&self) {
        for account in self.accounts() {
            account.shut();
        }
    }

    /// Holds idle clients back until all are, or the time is over. After `patience` also clients that never pause.
    pub(super) async fn quiesce(&self, within: Duration, patience: Duration) -> Quiet {
        let began = Instant::now();
        let deadline = began + within;
        loop {
            let eager = began.elapsed() >= patience;
            let (quiet, busy): (Vec<_>, Vec<_>) = self
                .accounts()
                .into_iter()
                .partition(|account| account.quiesce_if_idle(eager));
            if busy.is_empty() || Instant::now() >= deadline {
                let busy = busy.iter().map(|account| account.snapshot()).collect();
                return Quiet {
                    quiesced: quiet.len(),
                    busy,
                };
            }
            tokio::time::sleep(LOOK_AGAIN.min(deadline - Instant::now())).await;
        }
    }

    /// Waits until no flow is busy, or the time is over; says which are.
    pub(super) async fn wait_idle(&self, within: Duration) -> Vec<Flow> {
        let deadline = Instant::now() + within;
        loop {
            let mut busy = self.accounts();
            busy.retain(|account| account.busy());
            if busy.is_empty() || Instant::now() >= deadline {
                return busy.iter().map(|account| account.snapshot()).collect();
            }
            tokio::time::sleep(LOOK_AGAIN.min(deadline - Instant::now())).await;
        }
    }

    /// Waits until there is no flow, or the time is over; says which there are.
    pub(super) async fn wait_empty(&self, within: Duration) -> Vec<Flow> {
        let mut count = self.count.subscribe();
        let _ = tokio::time::timeout(within, count.wait_for(|count| *count == 0)).await;
        self.snapshots()
    }

    /// Everybody who was parked, oldest first.
    pub(super) fn unpark_all(&self) -> Vec<Parked> {
        let mut parked = std::mem::take(&mut *lock(&self.parked));
        parked.sort_by_key(|parked| parked.history.opened_at);
        parked
    }

    fn accounts(&self) -> Vec<Arc<Account>> {
        lock(&self.flows).values().cloned().collect()
    }
}

impl Entry {
    pub(super) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// Takes the flow off the table before its end: all that is left to do is to deliver what the server has said.
    pub(super) fn leave(&self) {
        if !self.off.swap(true, Ordering::Relaxed) {
            lock(&self.table.flows).remove(&self.account.id);
            self.table.count.send_modify(|count| *count -= 1);
        }
    }

    /// The flow has no server and the stage is [`Stage::Leaving`]: keep its client for whoever comes next.
    pub(super) fn park(self, stream: TcpStream) {
        let account = &self.account;
        let parked = Parked {
            stream,
            client: account.client,
            listen: account.listen,
            history: account.history(),
        };
        lock(&self.table.parked).push(parked);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.leave();
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Flows of all proxies of this process: they share its descriptors.
pub(super) fn open_flows() -> usize {
    OPEN.load(Ordering::Relaxed)
}

static OPEN: AtomicUsize = AtomicUsize::new(0);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Idleness depends on the clock, so it is looked for rather than waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
