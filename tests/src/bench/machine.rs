//! The machine in one line: figures without it mean little.

use std::fs;

/// Processor, cores, kernel, system.
pub(super) fn line() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = value("/proc/cpuinfo", "model name", ':').unwrap_or_else(|| "an unknown processor".into());
    let system = value("/etc/os-release", "PRETTY_NAME", '=').unwrap_or_else(|| "an unknown system".into());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} × {processor}, Linux {}, {system}", kernel.trim())
}

/// How many tasks wanted to run, over the last minute.
pub(super) fn load() -> Option<f64> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// The value of the first line that begins with the key.
fn value(file: &str, key: &str, separator: char) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(separator)?.1.trim().trim_matches('"').to_owned())
}
