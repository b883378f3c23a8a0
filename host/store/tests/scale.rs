//! A long compilation from its first page to its last disposition. Times are printed (`--nocapture`), never asserted;
//! `UNDERSTUDY_STORE_REQUESTS=1000000` makes it a million.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Instant;

use support::{host, open, request, round, service};
use understudy_protocol::{Disposition, Outcome, RequestStatus};
use understudy_store::{RequestFilter, Store, StoreError};

const PAGE: u64 = 4096;

/// Ids that arrive in no order, as hashes or UUIDs do: the worst case for a tree.
fn scattered(number: u64) -> RequestStatus {
    request(&format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

async fn timed<T>(what: &str, work: impl Future<Output = Result<T, StoreError>>) -> T {
    let began = Instant::now();
    let value = work.await.unwrap();
    println!("{what:<24} {:>8.2?}", began.elapsed());
    value
}

async fn put_all(store: &Store, requests: u64) -> Result<(), StoreError> {
    for first in (0..requests).step_by(PAGE as usize) {
        let page: Vec<_> = (first..requests.min(first + PAGE)).map(scattered).collect();
        store.put_requests(round(1), &page).await?;
    }
    Ok(())
}

async fn resolve_half(store: &Store) -> Result<u64, StoreError> {
    let mut pages = store.all_requests(round(1)).await?;
    let mut resolved = 0;
    while let Some(page) = pages.next_page().await? {
        let half: Vec<_> = page.into_iter().step_by(2).collect();
        let said = half.into_iter().map(|request| Disposition {
            id: request.id,
            outcome: Outcome::ClientRetries,
            message: "no answer was sent".into(),
        });
        let said: Vec<_> = said.collect();
        store.record_dispositions(round(1), &said, 3).await?;
        resolved += said.len() as u64;
    }
    Ok(resolved)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_compilation_goes_all_the_way() {
    let wanted = std::env::var("UNDERSTUDY_STORE_REQUESTS").map(|text| text.parse().expect("a number of requests"));
    let requests = wanted.unwrap_or(100_000);
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder).await;
    store
        .begin_compilation(&service("web"), round(1), &host("a"), Some(&host("b")), 1)
        .await
        .unwrap();

    println!("{requests} requests");
    timed("put", put_all(&store, requests)).await;
    timed("put again, unchanged", put_all(&store, requests)).await;
    let seal = timed("seal", store.seal_compilation(round(1), 2)).await;
    assert_eq!(seal.count, requests);
    let said = timed("dispositions of half", resolve_half(&store)).await;
    let page = timed(
        "page in the middle",
        store.requests(round(1), &RequestFilter::default(), Some("8"), 100),
    )
    .await;
    assert_eq!(page.len(), 100);
    let rest = timed(
        "resolve the rest",
        store.resolve_rest(round(1), Outcome::Lost, "unknown", 4),
    )
    .await;
    assert_eq!(said + rest, requests);
    let listed = timed("list with counts", store.compilations(None, 10)).await;
    assert_eq!((listed[0].requests, listed[0].unresolved), (requests, 0));
    timed("clear", store.clear_requests(round(1))).await;
}
