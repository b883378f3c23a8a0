//! What the host knows of the server's connections, for a server that can't list its requests. Pure.

use understudy_plugin::host::sockets::ConnectionInfo;
use understudy_plugin::{Attributes, AttributesExt, RequestState, RequestStatus};

/// The connections that a process still holds. What is in another state is the kernel's to end.
pub(crate) fn held(connections: &[ConnectionInfo]) -> impl Iterator<Item = &ConnectionInfo> {
    connections
        .iter()
        .filter(|connection| ["established", "close-wait"].contains(&connection.state.as_str()))
}

/// Whether the client spoke last; unknown is not answered.
pub(crate) fn is_awaiting(connection: &ConnectionInfo) -> bool {
    connection.receive_queue > 0
        || connection.send_queue > 0
        || connection.attributes.value("awaiting-answer") != Some("false")
}

pub(crate) fn client(connection: &ConnectionInfo) -> &str {
    connection.attributes.value("client").unwrap_or(&connection.remote)
}

/// A connection as an entry of the compilation.
pub(crate) fn entry(connection: &ConnectionInfo, now_ms: u64) -> RequestStatus {
    let ago = connection
        .attributes
        .value("last-received-ms-ago")
        .and_then(|ms| ms.parse().ok())
        .or(connection.age_ms);
    let (state, operation) = match is_awaiting(connection) {
        true => (RequestState::Running, "request being answered"),
        false => (RequestState::Completed, "kept alive, every request answered"),
    };
    RequestStatus {
        id: format!("{}-{}", connection.remote, connection.local),
        client: client(connection).to_owned(),
        operation: operation.to_owned(),
        state,
        started_at_ms: ago.map_or(0, |ago| now_ms.saturating_sub(ago)),
        progress: None,
        idempotency_key: None,
        resume: None,
        attributes: Attributes::new()
            .with("kind", "connection")
            .with("state", &connection.state)
            .with("server", &connection.local),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_not_answered() {
        let mut connection = ConnectionInfo {
            local: "10.0.0.1:80".into(),
            remote: "10.0.0.9:5".into(),
            state: "established".into(),
            receive_queue: 0,
            send_queue: 0,
            age_ms: None,
            attributes: Attributes::new(),
        };
        assert_eq!(entry(&connection, 9).state, RequestState::Running);
        connection.attributes = connection
            .attributes
            .with("awaiting-answer", "false")
            .with("client", "203.0.113.1:2");
        assert_eq!(
            (entry(&connection, 9).state, client(&connection)),
            (RequestState::Completed, "203.0.113.1:2")
        );
        connection.send_queue = 1;
        assert!(is_awaiting(&connection), "the answer is still on its way");
        connection.state = "fin-wait-2".into();
        assert_eq!(held(&[connection]).count(), 0);
    }
}
