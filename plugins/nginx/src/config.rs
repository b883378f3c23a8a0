//! What the operator configures, and its defaults.

use understudy_plugin::prelude::*;

/// The plugin's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// Where `stub_status` is, on the endpoint `status`.
    pub(crate) status_path: String,
    /// What is asked of the service itself, on the endpoint `server`. Any answer below 500 is a good one.
    pub(crate) health_path: String,
    /// The `Host` header of that request, where the service tells its sites apart by it.
    pub(crate) health_host: Option<String>,
    /// How many of the last looks count …
    pub(crate) window: usize,
    /// … and how many of them must have failed to call nginx unhealthy. One that doesn't listen at all fails at once.
    pub(crate) max_failures: usize,
    /// The folders nginx writes to: their disks are watched. Without any, every disk that the host reports.
    pub(crate) disk_paths: Vec<String>,
    /// Less free than this is a full disk.
    pub(crate) min_disk_free_bytes: u64,
    /// How often the configuration is tested while nginx runs well; 0 for never.
    pub(crate) config_test_every_s: u64,
    /// Whether only one host's nginx may run: a standby is then stopped. Otherwise it may run, as when both serve for a while.
    pub(crate) exclusive: bool,
    /// How long nginx may take to answer.
    pub(crate) timeout_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            status_path: "/nginx_status".into(),
            health_path: "/".into(),
            health_host: None,
            window: 5,
            max_failures: 3,
            disk_paths: Vec::new(),
            min_disk_free_bytes: 64 << 20,
            config_test_every_s: 60,
            exclusive: true,
            timeout_ms: 2_000,
        }
    }
}

/// The last looks are kept as the bits of one number.
const MAX_WINDOW: usize = 64;

impl Config {
    pub(crate) fn check(&self) -> Vec<Diagnostic> {
        let mut wrong = Vec::new();
        for (place, path) in [("/status-path", &self.status_path), ("/health-path", &self.health_path)] {
            if !path.starts_with('/') {
                wrong.push(Diagnostic::new(
                    place,
                    format!("a path begins with `/`, and this is `{path}`"),
                ));
            }
        }
        if !(1..=MAX_WINDOW).contains(&self.window) {
            wrong.push(Diagnostic::new("/window", format!("from 1 to {MAX_WINDOW} looks")));
        }
        if !(1..=self.window).contains(&self.max_failures) {
            wrong.push(Diagnostic::new(
                "/max-failures",
                "at least 1, and no more than `window`",
            ));
        }
        if self.timeout_ms == 0 {
            wrong.push(Diagnostic::new(
                "/timeout-ms",
                "nginx needs some time to answer: at least 1",
            ));
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_found() {
        let json = r#"{"status-path": "x", "window": 2, "max-failures": 3}"#;
        let config: Config = understudy_plugin::parse_config(json).unwrap();
        let places: Vec<_> = config.check().into_iter().map(|wrong| wrong.path).collect();
        assert_eq!(places, ["/status-path", "/max-failures"]);
        assert!(Config::default().check().is_empty());
    }
}
