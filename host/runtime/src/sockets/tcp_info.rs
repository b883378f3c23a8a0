//! The parts of the kernel's `struct tcp_info` that say who spoke last. Read by offset and by length: the struct has
//! grown with every few kernels, and what an older one lacks is simply not known.

/// What is known of a connection's past.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TcpInfo {
    last_sent_ms_ago: Option<u32>,
    last_received_ms_ago: Option<u32>,
    bytes_received: Option<u64>,
    bytes_sent: Option<u64>,
}

impl TcpInfo {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self {
            last_sent_ms_ago: u32_at(bytes, LAST_DATA_SENT),
            last_received_ms_ago: u32_at(bytes, LAST_DATA_RECEIVED),
            bytes_received: u64_at(bytes, BYTES_RECEIVED),
            bytes_sent: u64_at(bytes, BYTES_SENT),
        }
    }

    pub(super) fn attributes(&self, receive_queue: u64) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        let mut add = |key: &str, value: Option<String>| pairs.extend(value.map(|value| (key.to_owned(), value)));
        add(
            "awaiting-answer",
            self.awaits_answer(receive_queue).map(|awaits| awaits.to_string()),
        );
        // A side that never spoke has no last time, whatever the kernel's counter says.
        let spoke = |bytes: Option<u64>, ago: Option<u32>| ago.filter(|_| bytes != Some(0)).map(|ago| ago.to_string());
        add(
            "last-received-ms-ago",
            spoke(self.bytes_received, self.last_received_ms_ago),
        );
        add("last-sent-ms-ago", spoke(self.bytes_sent, self.last_sent_ms_ago));
        add("bytes-received", self.bytes_received.map(|bytes| bytes.to_string()));
        add("bytes-sent", self.bytes_sent.map(|bytes| bytes.to_string()));
        pairs
    }

    /// Whether the client spoke last. Times have the kernel's grain (some milliseconds): equal ones count as answered,
    /// for an answer follows its question.
    fn awaits_answer(&self, receive_queue: u64) -> Option<bool> {
        if receive_queue > 0 {
            return Some(true);
        }
        match (self.bytes_received?, self.bytes_sent?) {
            (0, _) => Some(false),
            (_, 0) => Some(true),
            _ => Some(self.last_received_ms_ago? < self.last_sent_ms_ago?),
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_ne_bytes)
}

/// Offsets in `struct tcp_info` (linux/tcp.h): eight bytes, then 32-bit fields, then 64-bit ones.
const LAST_DATA_SENT: usize = 8 + 4 * 9;
const LAST_DATA_RECEIVED: usize = 8 + 4 * 11;
const BYTES_RECEIVED: usize = 8 + 4 * 24 + 8 * 3;
const BYTES_SENT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn info(received: u64, sent: u64, received_ago: u32, sent_ago: u32) -> TcpInfo {
        TcpInfo {
            last_sent_ms_ago: Some(sent_ago),
            last_received_ms_ago: Some(received_ago),
            bytes_received: Some(received),
            bytes_sent: Some(sent),
        }
    }

    #[test]
    fn who_spoke_last() {
        assert_eq!(info(0, 0, 5, 5).awaits_answer(0), Some(false), "nobody spoke");
        assert_eq!(
            info(9, 0, 5, 5).awaits_answer(0),
            Some(true),
            "a question, never an answer"
        );
        assert_eq!(info(9, 9, 5, 80).awaits_answer(0), Some(true));
        assert_eq!(info(9, 9, 80, 5).awaits_answer(0), Some(false));
        assert_eq!(info(9, 9, 80, 5).awaits_answer(1), Some(true), "not even read yet");
        assert_eq!(TcpInfo::default().awaits_answer(0), None);
    }

    #[test]
    fn an_older_kernels_shorter_struct_is_read_as_far_as_it_goes() {
        let mut bytes = vec![0; 104];
        bytes[LAST_DATA_RECEIVED..LAST_DATA_RECEIVED + 4].copy_from_slice(&7u32.to_ne_bytes());
        let info = TcpInfo::parse(&bytes);
        assert_eq!(info.last_received_ms_ago, Some(7));
        assert_eq!(info.bytes_received, None);
        assert_eq!(TcpInfo::parse(&[]), TcpInfo::default());
    }
}
