//! `Idempotency-Key`: an order repeated with the same key is answered again, not carried out again.
//!
//! Invariant: the order runs in a task of its own, so that neither a client that hangs up nor the time limit can
//! separate an order from its kept answer. Answers that say nothing for certain (5xx) are not kept.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::host::{Host, KeptAnswer};
use crate::problem::{Answer, MEDIA_TYPE};
use crate::wire::Problem;

/// The keys whose orders are under way.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<HashSet<String>>>);

struct Claim {
    keys: UnderWay,
    key: String,
}

impl UnderWay {
    fn claim(&self, key: &str) -> Option<Claim> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.to_owned()).then(|| Claim {
            keys: self.clone(),
            key: key.to_owned(),
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.keys
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

/// What identifies a request beside its key.
pub(crate) fn fingerprint(method: &str, path: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    [method.as_bytes(), b"\0", path.as_bytes(), b"\0", body]
        .iter()
        .for_each(|part| hash.update(part));
    hex(&hash.finalize())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Carries an order out once for each key, or always where there is none.
pub(crate) async fn once<F>(
    host: Arc<dyn Host>,
    under_way: UnderWay,
    headers: &HeaderMap,
    fingerprint: String,
    order: F,
) -> Answer<Response>
where
    F: Future<Output = KeptAnswer> + Send + 'static,
{
    let Some(key) = key(headers)? else {
        return Ok(response(finished(tokio::spawn(order)).await?));
    };
    let Some(claim) = under_way.claim(&key) else {
        let detail = "a request with this key is being answered; ask again in a moment";
        return Err(Box::new(Problem::conflict(
            "key-busy",
            "The Idempotency-Key is in use",
            detail,
        )));
    };
    if let Some(kept) = host.kept_answer(&key).await? {
        return replay(kept, &fingerprint);
    }
    let work = async move {
        let answer = KeptAnswer {
            request_digest: fingerprint,
            ..order.await
        };
        if answer.status < 500
            && let Err(error) = host.keep_answer(&key, answer.clone()).await
        {
            tracing::warn!(%error, "an answer could not be kept for its Idempotency-Key: a repetition is a new order");
        }
        drop(claim);
        answer
    };
    Ok(response(finished(tokio::spawn(work)).await?))
}

async fn finished(task: tokio::task::JoinHandle<KeptAnswer>) -> Answer<KeptAnswer> {
    task.await.map_err(|error| {
        tracing::error!(%error, "carrying out an order failed");
        Box::new(Problem::broken())
    })
}

fn replay(kept: KeptAnswer, fingerprint: &str) -> Answer<Response> {
    if kept.request_digest != fingerprint {
        let detail = "this Idempotency-Key was used for a different request; take a new key for each order";
        return Err(Box::new(Problem::invalid(HEADER, detail)));
    }
    let mut answer = response(kept);
    answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(answer)
}

fn key(headers: &HeaderMap) -> Answer<Option<String>> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default().trim_matches('"');
    let fits = (1..=MAX_KEY_LENGTH).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
    let detail = || format!("an Idempotency-Key is 1 to {MAX_KEY_LENGTH} visible ASCII characters, for example a UUID");
    if fits {
        Ok(Some(text.to_owned()))
    } else {
        Err(Box::new(Problem::invalid(HEADER, detail())))
    }
}

fn response(answer: KeptAnswer) -> Response {
    if answer.content_type == MEDIA_TYPE
        && let Ok(problem) = serde_json::from_str::<Problem>(&answer.body)
    {
        return problem.into_response();
    }
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    let mut put = |name, text: Option<&str>| {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
            response.headers_mut().insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, Some(&answer.content_type));
    put(header::LOCATION, answer.location.as_deref());
    response
}

const HEADER: &str = "idempotency-key";

/// Marks an answer that was kept from before.
const REPLAYED: &str = "idempotent-replayed";

/// Long enough for any kind of unique id.
const MAX_KEY_LENGTH: usize = 128;
