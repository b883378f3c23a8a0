//! From connections to requests, and what became of them. Pure.
//!
//! nginx can't say which requests it has. The host knows every connection of the service's ports and who spoke last on it: where it
//! was the client, a request is under way.

use understudy_plugin::host::sockets::ConnectionInfo;
use understudy_plugin::prelude::*;

/// A connection on which nginx can still owe an answer.
fn is_open(connection: &ConnectionInfo) -> bool {
    // Closed by one side, a connection may still carry an answer to the other.
    ["established", "close-wait", "fin-wait-1", "last-ack", "closing"].contains(&connection.state.as_str())
}

/// Whether a request is under way, where it can be said.
fn is_awaiting(connection: &ConnectionInfo) -> Option<bool> {
    if connection.receive_queue > 0 || connection.send_queue > 0 {
        return Some(true);
    }
    Some(connection.attributes.value("awaiting-answer")? == "true")
}

/// Milliseconds since the client last sent something.
fn received_ms_ago(connection: &ConnectionInfo) -> Option<u64> {
    connection.attributes.value("last-received-ms-ago")?.parse().ok()
}

/// Milliseconds since nginx last sent something.
fn sent_ms_ago(connection: &ConnectionInfo) -> Option<u64> {
    connection.attributes.value("last-sent-ms-ago")?.parse().ok()
}

/// An answer may take breath (a slow backend, a rate limit), but not longer than this.
const BREATH_MS: u64 = 1_000;

/// Whether nginx has spoken last and may go on: an answer under way looks like one that has just ended.
fn may_go_on(connection: &ConnectionInfo) -> bool {
    is_open(connection) && sent_ms_ago(connection).is_some_and(|ago| ago < BREATH_MS)
}

/// Those on which the client has said nothing for `ms`, and nginx is still speaking, or has stopped just now.
pub(crate) fn speaking_for(connections: &[ConnectionInfo], ms: u64) -> Vec<&ConnectionInfo> {
    let speaks =
        |connection: &&ConnectionInfo| may_go_on(connection) && received_ms_ago(connection).is_none_or(|ago| ago >= ms);
    connections.iter().filter(speaks).collect()
}

/// Those that wait for an answer now, and already did `ms` ago: a request that came later is not counted, for on a connection
/// that is kept alive there may always be one more.
pub(crate) fn awaiting_for(connections: &[ConnectionInfo], ms: u64) -> Vec<&ConnectionInfo> {
    let waits = |connection: &&ConnectionInfo| {
        is_open(connection)
            && is_awaiting(connection) == Some(true)
            && received_ms_ago(connection)
                .or(connection.age_ms)
                .is_none_or(|ago| ago >= ms)
    };
    connections.iter().filter(waits).collect()
}

/// The connections that a process of nginx still holds. What is in another state is the kernel's to end.
pub(crate) fn held(connections: &[ConnectionInfo]) -> Vec<&ConnectionInfo> {
    connections
        .iter()
        .filter(|connection| ["established", "close-wait"].contains(&connection.state.as_str()))
        .collect()
}

/// A connection as an entry of the compilation; none where nothing can be owed on it. `all_answered`: nginx says that it
/// has no request under way at all.
pub(crate) fn entry(connection: &ConnectionInfo, now_ms: u64, all_answered: bool) -> Option<RequestStatus> {
    if !is_open(connection) {
        return None;
    }
    let (state, operation) = match is_awaiting(connection) {
        Some(true) if connection.receive_queue > 0 => (RequestState::Queued, "request not read yet"),
        Some(true) => (RequestState::Running, "request being answered"),
        Some(false) if !all_answered && may_go_on(connection) => {
            (RequestState::Running, "being answered, or answered just now")
        }
        Some(false) => (RequestState::Completed, "kept alive, every request answered"),
        None => (RequestState::Running, "connection; who spoke last is not known"),
    };
    let began_ms_ago = received_ms_ago(connection).or(connection.age_ms);
    let mut attributes = connection
        .attributes
        .clone()
        .with("server", &connection.local)
        .with("state", &connection.state);
    attributes = attributes
        .with("receive-queue", connection.receive_queue)
        .with("send-queue", connection.send_queue);
    Some(RequestStatus {
        id: format!("{}-{}", connection.remote, connection.local),
        client: connection
            .attributes
            .value("client")
            .unwrap_or(&connection.remote)
            .to_owned(),
        operation: operation.to_owned(),
        state,
        started_at_ms: began_ms_ago.map_or(0, |ago| now_ms.saturating_sub(ago)),
        progress: None,
        idempotency_key: None,
        resume: None,
        attributes: attributes.with_some("age-ms", connection.age_ms),
    })
}

/// What became of one.
pub(crate) fn disposition(request: &RequestStatus) -> Disposition {
    let (outcome, message) = match request.state {
        RequestState::Completed => (Outcome::Completed, "Every request of this connection was answered"),
        RequestState::Failed => (Outcome::Completed, "It was answered with an error"),
        RequestState::Refused => (Outcome::Refused, "It was turned away"),
        RequestState::Queued => (
            Outcome::ClientRetries,
            "The server had not read the request; the client asks again",
        ),
        RequestState::Running | RequestState::Cut => {
            // What was asked, and whether doing it twice does harm, only the client knows.
            (
                Outcome::ClientRetries,
                "The answer did not arrive whole; its method is unknown, and the client decides whether to ask again",
            )
        }
    };
    Disposition {
        id: request.id.clone(),
        outcome,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(state: &str, attributes: &[(&str, &str)]) -> ConnectionInfo {
        ConnectionInfo {
            local: "10.0.0.1:80".into(),
            remote: "10.0.0.9:5000".into(),
            state: state.into(),
            receive_queue: 0,
            send_queue: 0,
            age_ms: Some(9000),
            attributes: attributes
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn who_spoke_last_decides() {
        let running = connection(
            "established",
            &[
                ("awaiting-answer", "true"),
                ("client", "203.0.113.1:77"),
                ("last-received-ms-ago", "40"),
            ],
        );
        let entry = entry(&running, 1000, false).unwrap();
        assert_eq!(
            (entry.state, entry.client.as_str(), entry.started_at_ms),
            (RequestState::Running, "203.0.113.1:77", 960)
        );
        let idle = connection("established", &[("awaiting-answer", "false")]);
        assert_eq!(super::entry(&idle, 0, false).unwrap().state, RequestState::Completed);
        assert_eq!(super::entry(&connection("time-wait", &[]), 0, false), None);
        assert_eq!(
            super::entry(&connection("established", &[]), 0, false).unwrap().state,
            RequestState::Running,
            "unknown is not done"
        );
        let unread = ConnectionInfo {
            receive_queue: 9,
            ..idle
        };
        assert_eq!(super::entry(&unread, 0, false).unwrap().state, RequestState::Queued);
    }

    #[test]
    fn a_request_that_came_later_is_not_waited_for() {
        let old = connection(
            "established",
            &[("awaiting-answer", "true"), ("last-received-ms-ago", "500")],
        );
        let new = connection(
            "established",
            &[("awaiting-answer", "true"), ("last-received-ms-ago", "20")],
        );
        let all = [
            old.clone(),
            new,
            connection("established", &[("awaiting-answer", "false")]),
        ];
        assert_eq!(awaiting_for(&all, 100), [&old]);
        assert_eq!(awaiting_for(&all, 0).len(), 2);
        assert_eq!(held(&all).len(), 3);
    }

    #[test]
    fn an_answer_that_may_go_on_is_under_way_until_nginx_says_otherwise() {
        let told = [
            ("awaiting-answer", "false"),
            ("last-sent-ms-ago", "300"),
            ("last-received-ms-ago", "900"),
        ];
        let speaking = connection("established", &told);
        assert_eq!(entry(&speaking, 0, false).unwrap().state, RequestState::Running);
        assert_eq!(entry(&speaking, 0, true).unwrap().state, RequestState::Completed);
        let all = [speaking];
        assert_eq!((speaking_for(&all, 500).len(), speaking_for(&all, 1000).len()), (1, 0));
    }

    #[test]
    fn every_state_has_an_outcome() {
        let mut request = entry(&connection("established", &[]), 0, false).unwrap();
        let mut outcome = |state| {
            request.state = state;
            disposition(&request).outcome
        };
        assert_eq!(outcome(RequestState::Completed), Outcome::Completed);
        assert_eq!(outcome(RequestState::Running), Outcome::ClientRetries);
        assert_eq!(outcome(RequestState::Cut), Outcome::ClientRetries);
        assert_eq!(outcome(RequestState::Queued), Outcome::ClientRetries);
        assert_eq!(outcome(RequestState::Refused), Outcome::Refused);
    }
}
