//! Whatever plugins write into a compilation, in whatever order the pages come: it is read back as it was, and every
//! host makes the same seal of it.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use support::{host, open, round, service};
use understudy_protocol::{Progress, RequestState, RequestStatus};
use understudy_store::seal_of;

/// Text with what databases and JSON like to get wrong: zero bytes, quotes, escapes, non-characters, emptiness.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::collection::vec(prop::sample::select(vec!['\0', 'a', 'B', '"', '\\', '\n', 'é', '\u{1f600}', '\u{ffff}']), 0..5)
            .prop_map(|letters| letters.into_iter().collect()),
        1 => any::<String>(),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(0),
        Just(u64::MAX),
        Just(1 << 63),
        Just((1 << 63) - 1),
        Just(1 << 53)
    ]
}

prop_compose! {
    fn status()(
        id in text(), client in text(), operation in text(), unit in text(),
        state in prop::sample::select(vec![
            RequestState::Queued, RequestState::Running, RequestState::Completed,
            RequestState::Failed, RequestState::Cut, RequestState::Refused,
        ]),
        started_at_ms in number(), done in number(), total in prop::option::of(number()), has_progress in any::<bool>(),
        idempotency_key in prop::option::of(text()),
        resume in prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
        attributes in prop::collection::vec((text(), text()), 0..3),
    ) -> RequestStatus {
        let progress = has_progress.then_some(Progress { done, total, unit });
        RequestStatus { id, client, operation, state, started_at_ms, progress, idempotency_key, resume, attributes }
    }
}

fn in_a_runtime(test: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

proptest! {
    // Each case makes two stores on the disk.
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn both_hosts_agree_whatever_the_order(
        pages in prop::collection::vec(prop::collection::vec(status(), 0..6), 0..5),
        seed in any::<u64>(),
    ) {
        in_a_runtime(async {
            // The first sees states change from page to page: the last word on an id counts.
            let last: BTreeMap<String, RequestStatus> =
                pages.iter().flatten().map(|status| (status.id.clone(), status.clone())).collect();
            let expected: Vec<_> = last.into_values().collect();

            let folder = tempfile::tempdir().unwrap();
            let first = open(&folder).await;
            first.begin_compilation(&service("web"), round(1), &host("a"), None, 1).await.unwrap();
            for page in &pages {
                first.put_requests(round(1), page).await.unwrap();
            }
            let seal = first.seal_compilation(round(1), 2).await.unwrap();
            prop_assert_eq!(seal, seal_of(&expected));

            let mut read = Vec::new();
            let mut walk = first.all_requests(round(1)).await.unwrap();
            while let Some(page) = walk.next_page().await.unwrap() {
                read.extend(page);
            }
            prop_assert_eq!(&read, &expected);

            // The second is sent the end of it, cut elsewhere and in another order.
            let folder = tempfile::tempdir().unwrap();
            let second = open(&folder).await;
            second.begin_compilation(&service("web"), round(1), &host("a"), Some(&host("b")), 1).await.unwrap();
            let turn = if read.is_empty() { 0 } else { (seed % read.len() as u64) as usize };
            read.rotate_left(turn);
            for page in read.chunks(1 + (seed % 3) as usize) {
                second.put_requests(round(1), page).await.unwrap();
            }
            prop_assert_eq!(second.seal_compilation(round(1), 3).await.unwrap(), seal);
            Ok(())
        })?;
    }
}
