//! Target of the store: a page of a compilation, as a peer sends it, goes into the store and comes back as it was.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use understudy_protocol::{HostName, RequestStatus, RoundId, ServiceName, StoreId};
use understudy_store::{Retention, Store, StoreError, seal_of};
use understudy_wire::{Decoded, Frame, Packet, decode};

/// Any bytes as a packet; where it is a page of a compilation, the store gives back what it was given, and its seal is
/// the one that the other host makes of the same requests.
///
/// # Panics
/// When it does not.
pub fn store_page(bytes: &[u8]) {
    let Ok(Decoded::Packet(Packet::Frame(Frame::CompilationPage { requests, .. }))) = decode(bytes) else {
        return;
    };
    static BED: OnceLock<Mutex<Bed>> = OnceLock::new();
    let bed = BED.get_or_init(|| Mutex::new(Bed::new()));
    let bed = &mut *bed.lock().unwrap_or_else(PoisonError::into_inner);
    bed.runtime.block_on(through(&bed.store, &requests));
}

async fn through(store: &Store, page: &[RequestStatus]) {
    // Of two entries for one request the last counts, as where they are updated.
    let wanted: BTreeMap<&str, &RequestStatus> = page.iter().map(|request| (request.id.as_str(), request)).collect();
    let wanted: Vec<RequestStatus> = wanted.into_values().cloned().collect();
    done(store.clear_requests(ROUND).await);
    done(store.put_requests(ROUND, page).await);
    let mut pages = done(store.all_requests(ROUND).await);
    let mut kept = Vec::new();
    while let Some(page) = done(pages.next_page().await) {
        kept.extend(page);
    }
    assert_eq!(kept, wanted);
    assert_eq!(done(store.seal_compilation(ROUND, 0).await), seal_of(&wanted));
}

struct Bed {
    runtime: Runtime,
    store: Store,
    _folder: TempDir,
}

impl Bed {
    fn new() -> Bed {
        let (runtime, folder) = (runtime(), folder());
        let path = folder.path().join("store.db");
        let store = runtime.block_on(async {
            let store = done(Store::open(&path, Retention::default()).await);
            done(store.begin_compilation(&service(), ROUND, &host("a"), None, 0).await);
            store
        });
        Bed {
            runtime,
            store,
            _folder: folder,
        }
    }
}

pub(crate) fn runtime() -> Runtime {
    let made = Builder::new_current_thread().enable_all().build();
    made.unwrap_or_else(|error| panic!("no runtime: {error}"))
}

/// In memory where the machine has such a place: a disk would be waited for at every input.
pub(crate) fn folder() -> TempDir {
    let made = TempDir::with_prefix_in("understudy-fuzz-", "/dev/shm").or_else(|_| TempDir::new());
    made.unwrap_or_else(|error| panic!("no folder: {error}"))
}

/// A sound store and what it is asked never fail.
#[track_caller]
pub(crate) fn done<T>(result: Result<T, StoreError>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn service() -> ServiceName {
    ServiceName::new("web").unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn host(name: &str) -> HostName {
    HostName::new(name).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) const ROUND: RoundId = RoundId {
    store: StoreId(0x0123_4567_89ab_cdef_0011_2233_4455_6677),
    counter: 4,
};
