//! A plugin's lines are in the daemon's log, with whose they are.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::{probe, target};

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_line_says_whose_it_is() {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    // The only test of this program that looks at the log.
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();
    probe(target("logging", json!({"do": "log", "lines": 1, "bytes": 3}))).await;
    let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("service=\"logging\""))
        .expect("a line of this service");
    for part in [
        "INFO",
        " plugin: ",
        "xxx",
        "plugin=\"hostile\"",
        "function=\"check\"",
        "from=hostile",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
}
