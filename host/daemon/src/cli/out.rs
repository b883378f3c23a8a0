//! Standard output. A reader that has gone away (`| head`) is no error, and nothing panics on it.

use std::io::Write;

use serde::Serialize;

use super::failure::{Failure, Outcome};

/// Writes text as it is.
pub(super) fn text(text: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::failed(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes text and ends the line.
pub(super) fn line(line: &str) -> Outcome {
    text(&format!("{line}\n"))
}

/// Writes JSON for programs, readable.
pub(super) fn json<T: Serialize>(value: &T) -> Outcome {
    line(&serde_json::to_string_pretty(value).map_err(Failure::failed)?)
}

/// Writes one JSON document on one line.
pub(super) fn json_line<T: Serialize>(value: &T) -> Outcome {
    line(&serde_json::to_string(value).map_err(Failure::failed)?)
}

/// The word of a closed list, as REST and people write it.
pub(super) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => "?".to_owned(),
    }
}

/// Text that came over the network, fit for a terminal: on one line, without control characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
