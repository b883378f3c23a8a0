//! The seal of a compilation: how two hosts prove to each other that they hold the same list.
//!
//! Pure, and the same on every host: nothing here depends on SQL, on the order of arrival or on the machine.
//!
//! # The canonical form
//!
//! SHA-256 over, in this order:
//! 1. the text `understudy compilation 1`, as a *text* (below), so that no other digest can be mistaken for this one
//!    and a later form gets another number;
//! 2. every request, ordered by the bytes of its id, its fields in the order of [`RequestStatus`];
//! 3. the number of requests.
//!
//! A number is 8 bytes, the least significant first. A text or a blob is its length in bytes as a number, then its
//! bytes. An optional field is one byte, 0 or 1, then, after a 1, the field. A list is its length as a number, then
//! its items. A state is its word in the journal, as a text. Because every length comes first, no two different lists
//! have the same form.

use sha2::{Digest as _, Sha256};
use understudy_protocol::{CompilationSeal, Digest, Progress, RequestStatus};

use crate::sql::request_state_to_sql;

/// Makes a seal from requests as they come. They must come ordered by id, each id once.
#[derive(Debug, Clone)]
pub struct Sealer {
    hash: Sha256,
    count: u64,
}

/// The seal of a whole list, ordered by id, each id once.
pub fn seal_of<'a>(sorted: impl IntoIterator<Item = &'a RequestStatus>) -> CompilationSeal {
    let mut sealer = Sealer::new();
    sorted.into_iter().for_each(|request| sealer.add(request));
    sealer.seal()
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}

impl Sealer {
    /// Begins with an empty list.
    pub fn new() -> Self {
        let mut sealer = Sealer {
            hash: Sha256::new(),
            count: 0,
        };
        sealer.text(FORM);
        sealer
    }

    /// Adds the next request.
    pub fn add(&mut self, request: &RequestStatus) {
        // No `..`: a new field must be decided about here, with a new number for the form.
        let RequestStatus {
            id,
            client,
            operation,
            state,
            started_at_ms,
            progress,
            idempotency_key,
            resume,
            attributes,
        } = request;
        self.text(id);
        self.text(client);
        self.text(operation);
        self.text(request_state_to_sql(*state));
        self.number(*started_at_ms);
        self.optional(progress.as_ref(), |sealer, Progress { done, total, unit }| {
            sealer.number(*done);
            sealer.optional(total.as_ref(), |sealer, total| sealer.number(*total));
            sealer.text(unit);
        });
        self.optional(idempotency_key.as_ref(), |sealer, key| sealer.text(key));
        self.optional(resume.as_ref(), |sealer, resume| sealer.blob(resume));
        self.number(attributes.len() as u64);
        for (key, value) in attributes {
            self.text(key);
            self.text(value);
        }
        self.count += 1;
    }

    /// Ends the list.
    pub fn seal(mut self) -> CompilationSeal {
        self.number(self.count);
        CompilationSeal {
            count: self.count,
            digest: Digest(self.hash.finalize().into()),
        }
    }

    fn number(&mut self, number: u64) {
        self.hash.update(number.to_le_bytes());
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.hash.update(bytes);
    }

    fn text(&mut self, text: &str) {
        self.blob(text.as_bytes());
    }

    fn optional<T: ?Sized>(&mut self, value: Option<&T>, add: impl FnOnce(&mut Self, &T)) {
        self.hash.update([u8::from(value.is_some())]);
        if let Some(value) = value {
            add(self, value);
        }
    }
}

/// Names the form: change it with every change of what is hashed.
const FORM: &str = "understudy compilation 1";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use understudy_protocol::RequestState;

    use super::*;

    fn request(id: &str) -> RequestStatus {
        RequestStatus {
            id: id.into(),
            client: "10.0.0.7".into(),
            operation: "GET /".into(),
            state: RequestState::Queued,
            started_at_ms: 5,
            progress: Some(Progress {
                done: 1,
                total: Some(2),
                unit: "bytes".into(),
            }),
            idempotency_key: None,
            resume: Some(vec![1, 2]),
            attributes: vec![("a".into(), "b".into())],
        }
    }

    /// Hosts of different versions must agree: whoever breaks this must change [`FORM`], and think of a takeover
    /// between the two versions. The numbers were computed by another program, from the description above.
    #[test]
    fn the_form_does_not_change_unnoticed() {
        let none = seal_of([]);
        assert_eq!(
            none.digest.to_string(),
            "973cccfeb31e783b9e513d2bc054475e4efd30bf66a082b9d71ef9860686b377"
        );
        let two = seal_of(&[request("1"), request("2")]);
        assert_eq!(
            (two.count, two.digest.to_string().as_str()),
            (2, "61ae807124946971656c4fd902fae69618af37e6de54f470c66d4f633d0f395f")
        );
    }

    type Change = fn(&mut RequestStatus);

    /// One for each field, and for what a careless form would confuse.
    const CHANGES: [Change; 15] = [
        |r| r.id.push('x'),
        |r| r.client.push('x'),
        |r| r.operation.push('x'),
        |r| {
            r.state = if r.state == RequestState::Cut {
                RequestState::Failed
            } else {
                RequestState::Cut
            }
        },
        |r| r.started_at_ms ^= 1,
        |r| {
            r.progress = r.progress.take().xor(Some(Progress {
                done: 0,
                total: None,
                unit: String::new(),
            }))
        },
        |r| r.idempotency_key = r.idempotency_key.take().xor(Some(String::new())),
        |r| r.resume = r.resume.take().xor(Some(Vec::new())),
        |r| r.resume.get_or_insert_default().push(0),
        |r| r.attributes.push((String::new(), String::new())),
        |r| r.attributes.insert(0, ("x".into(), "y".into())),
        |r| r.idempotency_key.get_or_insert_default().push('x'),
        |r| {
            r.progress
                .get_or_insert(Progress {
                    done: 1,
                    total: None,
                    unit: String::new(),
                })
                .unit
                .push('x')
        },
        |r| {
            let progress = r.progress.get_or_insert(Progress {
                done: 1,
                total: None,
                unit: "u".into(),
            });
            progress.total = progress.total.take().xor(Some(0));
        },
        // The same letters, with the border between two fields moved.
        |r| r.operation = format!("{}{}", r.client.drain(..).as_str(), r.operation) + "!",
    ];

    proptest! {
        #[test]
        fn every_change_changes_the_digest(
            text in ".{0,4}",
            state in prop::sample::select(vec![RequestState::Running, RequestState::Completed, RequestState::Cut]),
            resume in prop::option::of(prop::collection::vec(any::<u8>(), 0..3)),
            key in prop::option::of(".{0,3}"),
            change in 0..CHANGES.len(),
        ) {
            let mut request = RequestStatus { client: text, state, resume, idempotency_key: key, ..request("1") };
            let before = seal_of([&request]);
            prop_assert_eq!(before, seal_of([&request]));
            CHANGES[change](&mut request);
            prop_assert_ne!(before, seal_of([&request]));
        }

        #[test]
        fn a_request_more_or_less_changes_the_digest(ids in prop::collection::btree_set("[a-c]{0,3}", 1..8)) {
            let all: Vec<_> = ids.iter().map(|id| request(id)).collect();
            let seal = seal_of(&all);
            for left_out in 0..all.len() {
                let rest = all.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, request)| request);
                prop_assert_ne!(seal, seal_of(rest));
            }
        }
    }
}
