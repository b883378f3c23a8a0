//! `log`: lines of plugins in the daemon's own log, under the target `plugin`.

use crate::bindings::understudy::plugin::log::{Host, Level};
use crate::failure::Ended;
use crate::state::CallState;

impl Host for CallState {
    async fn write(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let size = message.len() + fields.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        let (lines, bytes) = self.trace.count_log(size);
        if lines > self.limits.log_lines || bytes > self.limits.log_bytes {
            return Err(Ended::LogFlood.into());
        }
        self.emit(level, &one_line(&message), &fields_text(&fields));
        Ok(())
    }
}

impl CallState {
    fn emit(&self, level: Level, message: &str, fields: &str) {
        let plugin = &*self.plugin;
        let service = self.target.as_ref().map_or("-", |target| target.service.as_str());
        let function = self.function;
        // The macro wants its level at compile time.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(target: "plugin", service, plugin, function, fields, "{message}")
            };
        }
        match level {
            Level::Trace => line!(trace),
            Level::Debug => line!(debug),
            Level::Info => line!(info),
            Level::Warn => line!(warn),
            Level::Error => line!(error),
        }
    }
}

fn fields_text(fields: &[(String, String)]) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(key, value)| format!("{}={}", one_line(key), one_line(value)))
        .collect();
    pairs.join(" ")
}

/// A plugin can't forge lines or colours in the log, nor fill a screen with one line.
fn one_line(text: &str) -> String {
    text.chars()
        .take(LONGEST_PIECE)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Of a message or a field; the rest is cut off.
const LONGEST_PIECE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_one_line() {
        assert_eq!(one_line("a\nERROR forged\x1b[31m"), "a ERROR forged [31m");
    }
}
