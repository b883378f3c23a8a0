//! The little that must be known of protocols to carry an idle connection to another server, which is meant for
//! HTTP/1.x: what shows that a connection is not idle although the server spoke last, or that it has a state that
//! only its first server knows. Everything else about the bytes is nobody's business here.

/// The client's first bytes begin something that only one server can continue: TLS, or HTTP/2.
pub(super) fn opens_a_session(first: &[u8]) -> bool {
    first.starts_with(TLS_HANDSHAKE) || first.starts_with(HTTP_2)
}

/// The server agreed to another protocol (a websocket, for example).
pub(super) fn upgrades(said: &[u8]) -> bool {
    said.starts_with(SWITCHING)
}

/// The server has said nothing but an interim answer like `100 Continue`: the client, or the server, goes on.
pub(super) fn is_interim(said: &[u8]) -> bool {
    let whole = said
        .windows(END.len())
        .position(|four| four == END)
        .map(|at| at + END.len());
    said.starts_with(INTERIM) && !upgrades(said) && whole.is_none_or(|length| length == said.len())
}

const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];
const HTTP_2: &[u8] = b"PRI * HTTP/2";
const SWITCHING: &[u8] = b"HTTP/1.1 101";
/// With what an interim answer and an upgrade begin.
pub(super) const INTERIM: &[u8] = b"HTTP/1.1 1";
const END: &[u8] = b"\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lone_interim_answer_is_interim() {
        assert!(is_interim(b"HTTP/1.1 100 Continue\r\n\r\n"));
        assert!(is_interim(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n"));
        assert!(!is_interim(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"));
        assert!(!is_interim(b"HTTP/1.1 200 OK\r\n\r\n"));
        assert!(
            !is_interim(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            "nothing final follows"
        );
        assert!(upgrades(b"HTTP/1.1 101 Switching Protocols\r\n\r\n") && !upgrades(b"HTTP/1.1 200 OK"));
        assert!(opens_a_session(&[0x16, 3, 1, 0]) && opens_a_session(b"PRI * HTTP/2.0\r\n"));
        assert!(!opens_a_session(b"GET / HTTP/1.1\r\n"));
    }
}
