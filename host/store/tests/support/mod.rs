//! What the tests have in common: short names for the protocol's things.
#![allow(dead_code, reason = "not every test file needs all of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use understudy_protocol::{
    Durable, Entry, HostName, Progress, RequestState, RequestStatus, RoleName, RoundId, ServiceName, StoreId, Term,
};
use understudy_store::{Retention, Store};

pub(crate) async fn open(folder: &TempDir) -> Store {
    Store::open(&folder.path().join("store.db"), Retention::default())
        .await
        .unwrap()
}

pub(crate) fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub(crate) fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

pub(crate) fn round(counter: u64) -> RoundId {
    RoundId {
        store: StoreId(0x0123_4567_89ab_cdef_0011_2233_4455_6677),
        counter,
    }
}

pub(crate) fn entry(name: &str, durable: Option<Durable>) -> Entry {
    Entry {
        service: service(name),
        step: "fault-indicated",
        reason: "the probe says so",
        detail: "disk-failing".into(),
        from: RoleName::Active,
        to: RoleName::Asking,
        term: Term(5),
        round: Some(round(4)),
        durable,
    }
}

pub(crate) fn request(id: &str) -> RequestStatus {
    RequestStatus {
        id: id.into(),
        client: "10.0.0.7:40112".into(),
        operation: "PUT /reports/2026".into(),
        state: RequestState::Running,
        started_at_ms: 1_795_000_000_000,
        progress: Some(Progress {
            done: 10,
            total: None,
            unit: "bytes".into(),
        }),
        idempotency_key: Some(format!("key-{id}")),
        resume: Some(vec![0, 255, 7]),
        attributes: vec![("user".into(), "ann".into()), ("user".into(), "".into())],
    }
}

const PLACE: &str = "UNDERSTUDY_STORE_OF_OTHER_PROCESS";

/// This test program again, as another process that runs only `test`, which sees that by [`other_process`].
pub(crate) fn in_other_process(test: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(PLACE, place);
    command
}

/// Where to work, in the other process; none in the first.
pub(crate) fn other_process() -> Option<PathBuf> {
    std::env::var_os(PLACE).map(PathBuf::from)
}
