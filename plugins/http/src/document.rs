//! The JSON that the server says of its requests, and that it is given of another's. Pure.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use understudy_plugin::{
    Attributes, AttributesExt, Disposition, Outcome, PluginError, PluginErrorExt, Progress, RequestState, RequestStatus,
};

/// The bytes that the host takes of an entry's `id`.
const MAX_ID: usize = 256;
/// The bytes that the host keeps of `resume`.
const MAX_RESUME: usize = 64 * 1024;

/// One request, as the server lists it and as its successor gets it. Only `id` must be there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Entry {
    id: Value,
    client: String,
    operation: String,
    state: State,
    started_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Done>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
    /// Whatever the successor needs to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    resume: Option<Value>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Done {
    done: u64,
    #[serde(default)]
    total: Option<u64>,
    #[serde(default)]
    unit: String,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Queued,
    #[default]
    Running,
    Completed,
    Failed,
    Cut,
    Refused,
}

/// Reads the server's list.
pub(crate) fn requests(body: &[u8]) -> Result<Vec<RequestStatus>, PluginError> {
    let entries: Vec<Entry> = serde_json::from_slice(body).map_err(|error| bad("the list of requests", &error))?;
    entries.into_iter().map(request).collect()
}

fn request(entry: Entry) -> Result<RequestStatus, PluginError> {
    let id = match &entry.id {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => {
            return Err(PluginError::permanent(
                "bad-answer",
                "the list of requests: an entry has no `id`",
            ));
        }
    };
    if id.is_empty() || id.len() > MAX_ID {
        return Err(PluginError::permanent(
            "bad-answer",
            format!("the list of requests: an `id` has from 1 to {MAX_ID} bytes"),
        ));
    }
    let resume = entry
        .resume
        .as_ref()
        .and_then(|resume| serde_json::to_vec(resume).ok())
        .filter(|it| it.len() <= MAX_RESUME);
    Ok(RequestStatus {
        id,
        client: entry.client,
        operation: entry.operation,
        state: entry.state.into(),
        started_at_ms: entry.started_at_ms,
        progress: entry
            .progress
            .map(|Done { done, total, unit }| Progress { done, total, unit }),
        idempotency_key: entry.idempotency_key,
        resume,
        attributes: Attributes::new().with("kind", "request"),
    })
}

/// Requests of the first's compilation, for the second's server.
pub(crate) fn offer(requests: &[RequestStatus]) -> Vec<u8> {
    let entries: Vec<_> = requests.iter().map(entry).collect();
    serde_json::to_vec(&entries).unwrap_or_default()
}

fn entry(request: &RequestStatus) -> Entry {
    Entry {
        id: Value::String(request.id.clone()),
        client: request.client.clone(),
        operation: request.operation.clone(),
        state: request.state.into(),
        started_at_ms: request.started_at_ms,
        progress: request.progress.as_ref().map(|it| Done {
            done: it.done,
            total: it.total,
            unit: it.unit.clone(),
        }),
        idempotency_key: request.idempotency_key.clone(),
        resume: request
            .resume
            .as_ref()
            .and_then(|resume| serde_json::from_slice(resume).ok()),
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Answer {
    id: Value,
    outcome: Became,
    #[serde(default)]
    message: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Became {
    Completed,
    Resumed,
    Replayed,
    ClientRetries,
    Refused,
    Lost,
}

/// What the second's server says became of those it was offered; for each that it does not name, what follows from its state.
pub(crate) fn dispositions(requests: &[RequestStatus], answer: Option<&[u8]>) -> Result<Vec<Disposition>, PluginError> {
    let answers: Vec<Answer> = match answer {
        Some(body) => serde_json::from_slice(body).map_err(|error| bad("what became of the requests", &error))?,
        None => Vec::new(),
    };
    let said = |id: &str| answers.iter().find(|answer| answer.id.as_str() == Some(id));
    let dispositions = requests.iter().map(|request| match said(&request.id) {
        Some(answer) => Disposition {
            id: request.id.clone(),
            outcome: answer.outcome.into(),
            message: answer.message.clone(),
        },
        None => unsaid(request),
    });
    Ok(dispositions.collect())
}

fn unsaid(request: &RequestStatus) -> Disposition {
    let (outcome, message) = match request.state {
        RequestState::Completed => (Outcome::Completed, "It was answered"),
        RequestState::Failed => (Outcome::Completed, "It was answered with an error"),
        RequestState::Refused => (Outcome::Refused, "It was turned away"),
        RequestState::Queued | RequestState::Running | RequestState::Cut => {
            (Outcome::ClientRetries, "It was not answered; the client asks again")
        }
    };
    Disposition {
        id: request.id.clone(),
        outcome,
        message: message.to_owned(),
    }
}

/// The number at `pointer`.
pub(crate) fn number(body: &[u8], pointer: &str) -> Result<u64, PluginError> {
    let document: Value = serde_json::from_slice(body).map_err(|error| bad("the number of requests", &error))?;
    let value = document.pointer(pointer);
    value.and_then(Value::as_u64).ok_or_else(|| {
        let found = value.map_or_else(|| "nothing".to_owned(), Value::to_string);
        PluginError::permanent(
            "bad-answer",
            format!("/in-flight/pointer: at `{pointer}` is {found}, and not a number of requests"),
        )
    })
}

fn bad(what: &str, error: &serde_json::Error) -> PluginError {
    PluginError::permanent("bad-answer", format!("{what}: {error}"))
}

macro_rules! same {
    ($($name:ident),* : $ours:ty, $theirs:ty) => {
        impl From<$ours> for $theirs {
            fn from(ours: $ours) -> Self {
                match ours { $(<$ours>::$name => <$theirs>::$name),* }
            }
        }
    };
}
same!(Queued, Running, Completed, Failed, Cut, Refused: State, RequestState);
same!(Queued, Running, Completed, Failed, Cut, Refused: RequestState, State);
same!(Completed, Resumed, Replayed, ClientRetries, Refused, Lost: Became, Outcome);

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"[
        {"id": 7, "client": "10.0.0.9:1", "operation": "PUT /a", "state": "queued", "started-at-ms": 5,
         "progress": {"done": 1, "total": 4, "unit": "bytes"}, "idempotency-key": "k", "resume": {"part": 3}},
        {"id": "x", "surprise": true}
    ]"#;

    #[test]
    fn a_list_is_read_and_offered_again() {
        let requests = requests(LIST.as_bytes()).unwrap();
        assert_eq!(
            (requests[0].id.as_str(), requests[0].state, requests[0].started_at_ms),
            ("7", RequestState::Queued, 5)
        );
        assert_eq!(
            requests[0].progress.as_ref().map(|it| (it.done, it.total)),
            Some((1, Some(4)))
        );
        assert_eq!(
            (requests[1].id.as_str(), requests[1].state),
            ("x", RequestState::Running)
        );
        let offered: Value = serde_json::from_slice(&offer(&requests)).unwrap();
        assert_eq!(offered[0]["resume"]["part"], 3);
        assert_eq!(offered[0]["idempotency-key"], "k");
        assert_eq!(offered[1]["id"], "x");
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for bad in ["{}", "[1]", r#"[{"client": "x"}]"#, r#"[{"id": ""}]"#, "no"] {
            assert!(requests(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_server_says_what_became_and_the_rest_follows() {
        let mut offered = requests(LIST.as_bytes()).unwrap();
        offered[1].state = RequestState::Completed;
        let answer = br#"[{"id": "7", "outcome": "resumed", "message": "from part 3"}]"#;
        let became = dispositions(&offered, Some(answer)).unwrap();
        assert_eq!(
            (became[0].outcome, became[0].message.as_str()),
            (Outcome::Resumed, "from part 3")
        );
        assert_eq!(became[1].outcome, Outcome::Completed);
        assert_eq!(dispositions(&offered, None).unwrap()[0].outcome, Outcome::ClientRetries);
        assert!(dispositions(&offered, Some(b"[{}]")).is_err());
    }

    #[test]
    fn a_number_is_found_by_its_pointer() {
        assert_eq!(number(br#"{"requests": {"now": 3}}"#, "/requests/now").unwrap(), 3);
        assert_eq!(number(b"12", "").unwrap(), 12);
        let error = number(br#"{"now": "three"}"#, "/now").unwrap_err();
        assert!(error.message.contains("\"three\""), "{}", error.message);
    }
}
