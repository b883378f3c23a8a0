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
