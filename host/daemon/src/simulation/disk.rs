//! A host's disk: slow at times, failing at times, before or after the write took effect, and now and then the daemon
//! dies in the middle of one.

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use async_trait::async_trait;
use understudy_protocol::{
    Boot, CompilationSeal, Disposition, Durable, Entry, Fault, HostName, Outcome, RequestStatus, RoundId, ServiceName,
    StoreId, Verdict,
};
use understudy_store::{
    CompilationSummary, JournalFilter, JournalLine, RequestFilter, Retention, Said, Store, StoreError,
};

use super::memory::{Memory, place};
use super::orders;
use super::world::World;
use crate::edges::{Records, StoredPages};

/// What a host's disk holds; outlives its daemons.
#[derive(Clone)]
pub(super) enum Disk {
    Memory(Arc<Memory>, StoreId),
    Real(Store),
}

/// What is wrong with a disk now.
#[derive(Debug, Clone, Default)]
pub(super) struct DiskTrouble {
    /// Every write fails until it is mended.
    pub(super) full: bool,
    /// The same, with another word.
    pub(super) read_only: bool,
    /// Everything takes seconds.
    pub(super) slow: bool,
    /// What becomes of the next write, or of the next of this name.
    pub(super) next: Option<(Fate, Option<&'static str>)>,
}

impl DiskTrouble {
    fn fate(&mut self, what: &str) -> Option<Fate> {
        let meant = self.next.take_if(|(_, only)| only.is_none_or(|only| only == what));
        meant.map(|(fate, _)| fate)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    FailsBefore,
    FailsAfter,
    DiesBefore,
    DiesAfter,
}

/// One start of a daemon, as its disk knows it.
pub(super) struct Start {
    pub(super) boot: Boot,
    pub(super) same_machine_boot: bool,
    pub(super) store: StoreId,
}

impl Disk {
    pub(super) fn memory(ordinal: usize) -> Disk {
        Disk::Memory(Arc::default(), StoreId((ordinal as u128 + 1) << 96))
    }

    pub(super) fn real(path: &std::path::Path) -> Disk {
        Disk::Real(finish(Store::open(path, Retention::default())).expect("a store in a folder of its own"))
    }

    pub(super) fn records(&self) -> Arc<dyn Records> {
        match self {
            Disk::Memory(memory, _) => memory.clone(),
            Disk::Real(store) => Arc::new(store.clone()),
        }
    }

    pub(super) fn start(&self, machine_boot: u64) -> Start {
        match self {
            Disk::Memory(memory, store) => {
                let mut kept = memory.lock();
                kept.boots += 1;
                let same_machine_boot = kept.machine_boot.replace(machine_boot) == Some(machine_boot);
                Start {
                    boot: Boot(kept.boots),
                    same_machine_boot,
                    store: *store,
                }
            }
            Disk::Real(store) => {
                let start = finish(store.next_boot(&machine_boot.to_string())).expect("the real disk works");
                Start {
                    boot: start.boot,
                    same_machine_boot: start.same_machine_boot,
                    store: finish(store.store_id()).expect("the real disk works"),
                }
            }
        }
    }

    pub(super) fn durable(&self, service: &ServiceName) -> Option<Durable> {
        match self {
            Disk::Memory(memory, _) => memory.lock().durable.get(service).cloned(),
            Disk::Real(store) => finish(store.durable(service)).expect("the real disk works"),
        }
    }

    pub(super) fn sealed(&self, round: RoundId) -> Option<CompilationSeal> {
        match self {
            Disk::Memory(memory, _) => memory.sealed(round),
            Disk::Real(store) => finish(store.sealed(round)).expect("the real disk works"),
        }
    }

    pub(super) fn requests(&self, round: RoundId) -> Vec<(RequestStatus, Option<Disposition>)> {
        match self {
            Disk::Memory(memory, _) => memory.requests(round),
            Disk::Real(store) => match finish(store.requests(round, &RequestFilter::default(), None, 4096)) {
                Ok(lines) => lines.into_iter().map(|line| (line.status, line.disposition)).collect(),
                Err(StoreError::NoCompilation { .. }) => Vec::new(),
                Err(error) => panic!("{error}"),
            },
        }
    }
}

/// What one daemon's driver and effects write to.
pub(super) struct SimulatedRecords {
    pub(super) world: Arc<World>,
    pub(super) who: HostName,
    pub(super) life: u64,
    pub(super) disk: Disk,
}

impl SimulatedRecords {
    async fn read<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        self.wait().await;
        finish(work)
    }

    async fn wait(&self) {
        let length = self.world.aside(|state| {
            let slow = state.hosts[&self.who].disk_trouble.slow;
            if slow {
                state.dice.mostly((20, 300), (1_000, 9_000), 6)
            } else {
                state.dice.millis(0, 2)
            }
        });
        self.world.pass(&self.who, self.life, length).await;
    }

    async fn write<T>(
        &self,
        what: &str,
        service: Option<&ServiceName>,
        work: impl Future<Output = Result<T, StoreError>>,
        applied: impl FnOnce(&T),
    ) -> Result<T, StoreError> {
        self.wait().await;
        let (full, read_only, fate) = self.world.aside(|state| {
            let host = state.host(&self.who);
            let trouble = &mut host.disk_trouble;
            let (full, read_only, fate) = (trouble.full, trouble.read_only, trouble.fate(what));
            if full || read_only || fate.is_some() {
                state.count("writes that failed, or in which the daemon died");
                state.say(
                    self.who.as_str(),
                    format_args!("disk: {what}: {fate:?} full {full} read-only {read_only}"),
                );
            }
            (full, read_only, fate)
        });
        if full {
            return Err(StoreError::DiskFull { path: place() });
        }
        let error = |detail: &str| StoreError::Io {
            path: place(),
            detail: detail.to_owned(),
        };
        if read_only {
            return Err(StoreError::ReadOnly {
                path: place(),
                detail: "simulated".to_owned(),
            });
        }
        if fate.is_some() {
            orders::hurry(&self.world, &self.who, service);
        }
        match fate {
            None => {
                let done = finish(work)?;
                applied(&done);
                self.world.pass(&self.who, self.life, Duration::from_millis(1)).await;
                Ok(done)
            }
            Some(Fate::FailsBefore) => Err(error("simulated, nothing was written")),
            Some(Fate::FailsAfter) => {
                applied(&finish(work)?);
                Err(error("simulated, and yet it was written"))
            }
            Some(Fate::DiesBefore) => self.die().await,
            Some(Fate::DiesAfter) => {
                applied(&finish(work)?);
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        let _ = self.world.crashes.send(self.who.clone());
        std::future::pending().await
    }
}

#[async_trait]
impl Records for SimulatedRecords {
    async fn append(&self, entry: &Entry, at_ms: i64) -> Result<JournalLine, StoreError> {
        self.append_with(entry, &[], at_ms).await
    }

    async fn append_with(&self, entry: &Entry, said: &[Said], at_ms: i64) -> Result<JournalLine, StoreError> {
        let records = self.disk.records();
        let applied = |_: &JournalLine| self.world.step(|state| state.written(&self.who, entry));
        self.write(
            entry.step,
            Some(&entry.service),
            records.append_with(entry, said, at_ms),
            applied,
        )
        .await
    }

    async fn keep_messages(&self, service: &ServiceName, said: &[Said], at_ms: i64) -> Result<(), StoreError> {
        let records = self.disk.records();
        self.write(
            "keep-messages",
            None,
            records.keep_messages(service, said, at_ms),
            |()| {},
        )
        .await
    }

    async fn journal(&self, filter: &JournalFilter, limit: u32) -> Result<Vec<JournalLine>, StoreError> {
        self.read(self.disk.records().journal(filter, limit)).await
    }

    async fn begin_compilation(
        &self,
        service: &ServiceName,
        round: RoundId,
        first: &HostName,
        second: Option<&HostName>,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        let records = self.disk.records();
        let work = records.begin_compilation(service, round, first, second, at_ms);
        self.write("begin-compilation", None, work, |()| {}).await
    }

    async fn put_requests(&self, round: RoundId, page: &[RequestStatus]) -> Result<(), StoreError> {
        let records = self.disk.records();
        self.write("put-requests", None, records.put_requests(round, page), |()| {})
            .await
    }

    async fn all_requests(&self, round: RoundId) -> Result<Box<dyn StoredPages>, StoreError> {
        let pages = self.read(self.disk.records().all_requests(round)).await?;
        Ok(Box::new(Pages(pages)))
    }

    async fn seal_compilation(&self, round: RoundId, at_ms: i64) -> Result<CompilationSeal, StoreError> {
        let records = self.disk.records();
        self.write("seal-compilation", None, records.seal_compilation(round, at_ms), |_| {})
            .await
    }

    async fn close_compilation(&self, round: RoundId, why: &str, at_ms: i64) -> Result<(), StoreError> {
        let records = self.disk.records();
        self.write(
            "close-compilation",
            None,
            records.close_compilation(round, why, at_ms),
            |()| {},
        )
        .await
    }

    async fn compilation(&self, round: RoundId) -> Result<Option<CompilationSummary>, StoreError> {
        self.read(self.disk.records().compilation(round)).await
    }

    async fn record_dispositions(
        &self,
        round: RoundId,
        page: &[Disposition],
        at_ms: i64,
    ) -> Result<Vec<String>, StoreError> {
        let records = self.disk.records();
        self.write(
            "dispositions",
            None,
            records.record_dispositions(round, page, at_ms),
            |_| {},
        )
        .await
    }

    async fn resolve_rest(
        &self,
        round: RoundId,
        outcome: Outcome,
        message: &str,
        at_ms: i64,
    ) -> Result<u64, StoreError> {
        let records = self.disk.records();
        self.write(
            "resolve-rest",
            None,
            records.resolve_rest(round, outcome, message, at_ms),
            |_| {},
        )
        .await
    }

    async fn plugin_state(&self, service: &ServiceName, plugin: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(self.disk.records().plugin_state(service, plugin)).await
    }

    async fn put_plugin_state(&self, service: &ServiceName, plugin: &str, state: &[u8]) -> Result<(), StoreError> {
        let records = self.disk.records();
        self.write(
            "plugin-state",
            None,
            records.put_plugin_state(service, plugin, state),
            |()| {},
        )
        .await
    }

    async fn record_fault(
        &self,
        service: &ServiceName,
        host: &HostName,
        fault: &Fault,
        verdict: Verdict,
        at_ms: i64,
    ) -> Result<(), StoreError> {
        let records = self.disk.records();
        self.write(
            "record-fault",
            None,
            records.record_fault(service, host, fault, verdict, at_ms),
            |()| {},
        )
        .await
    }

    async fn end_faults(&self, service: &ServiceName, host: &HostName, at_ms: i64) -> Result<(), StoreError> {
        let records = self.disk.records();
        self.write("end-faults", None, records.end_faults(service, host, at_ms), |()| {})
            .await
    }
}

/// Pages of a disk that has said already that it can be read.
struct Pages(Box<dyn StoredPages>);

#[async_trait]
impl StoredPages for Pages {
    async fn next_page(&mut self) -> Result<Option<Vec<RequestStatus>>, StoreError> {
        finish(self.0.next_page())
    }
}

/// The real store works on threads of its own: simulated time stands still until it is done.
pub(super) fn finish<T>(work: impl Future<Output = T>) -> T {
    static STORE: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime for the stores")
    });
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut work = pin!(work);
    let entered = STORE.enter();
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let done = loop {
        match work.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => break done,
            Poll::Pending => std::thread::park(),
        }
    };
    drop(entered);
    done
}
