//! What the operator configures, and its defaults.

use understudy_plugin::prelude::*;

/// The plugin's configuration. Paths are asked on the endpoint `server`, or on `admin` where that is granted; the health path is
/// always asked on `server`, as a client would.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Config {
    /// What a client would ask.
    pub(crate) health_path: String,
    /// The `Host` header of that request, where the server needs one.
    pub(crate) health_host: Option<String>,
    /// The answers that are good. None: every one below 500.
    pub(crate) health_statuses: Vec<u16>,
    /// How many of the last looks count …
    pub(crate) window: usize,
    /// … and how many of them must have failed. One that doesn't listen at all fails at once.
    pub(crate) max_failures: usize,
    /// How long a server that fails so may go on before it must be down. None: as long as nobody takes over.
    pub(crate) shutdown_within_ms: Option<u64>,
    /// Where the server says how many requests it is working on.
    pub(crate) in_flight: Option<InFlight>,
    /// Where it lists them: a JSON array of objects, see the README.
    pub(crate) requests_path: Option<String>,
    /// What makes it refuse new requests.
    pub(crate) stop_admitting: Option<Action>,
    /// What undoes that.
    pub(crate) resume: Option<Action>,
    /// What the second's server is given of the first's requests, and answers with what became of them.
    pub(crate) resolve: Option<Action>,
    /// The folders it writes to: their disks are watched. Without any, none.
    pub(crate) disk_paths: Vec<String>,
    /// Less free than this is a full disk.
    pub(crate) min_disk_free_bytes: u64,
    /// Whether only one host's server may run: a standby is then stopped.
    pub(crate) exclusive: bool,
    /// How long it may take to answer.
    pub(crate) timeout_ms: u32,
}

/// Where a number is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct InFlight {
    pub(crate) path: String,
    /// A JSON pointer to it; empty where the whole answer is the number.
    #[serde(default)]
    pub(crate) pointer: String,
    /// Whether the request that asks is in it.
    #[serde(default)]
    pub(crate) counts_itself: bool,
}

/// A request that changes something.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Action {
    #[serde(default = "post")]
    pub(crate) method: String,
    pub(crate) path: String,
}

fn post() -> String {
    "POST".to_owned()
}

impl Default for Config {
    fn default() -> Self {
        Self {
            health_path: "/".into(),
            health_host: None,
            health_statuses: Vec::new(),
            window: 5,
            max_failures: 3,
            shutdown_within_ms: None,
            in_flight: None,
            requests_path: None,
            stop_admitting: None,
            resume: None,
            resolve: None,
            disk_paths: Vec::new(),
            min_disk_free_bytes: 64 << 20,
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
        let action = |action: &Option<Action>| action.as_ref().map(|action| action.path.clone());
        let paths = [
            ("/health-path", Some(self.health_path.clone())),
            (
                "/in-flight/path",
                self.in_flight.as_ref().map(|in_flight| in_flight.path.clone()),
            ),
            ("/requests-path", self.requests_path.clone()),
            ("/stop-admitting/path", action(&self.stop_admitting)),
            ("/resume/path", action(&self.resume)),
            ("/resolve/path", action(&self.resolve)),
        ];
        for (place, path) in paths {
            if let Some(path) = path.filter(|path| !path.starts_with('/')) {
                wrong.push(Diagnostic::new(
                    place,
                    format!("a path begins with `/`, and this is `{path}`"),
                ));
            }
        }
        if let Some(pointer) = self
            .in_flight
            .as_ref()
            .map(|it| &it.pointer)
            .filter(|it| !it.is_empty() && !it.starts_with('/'))
        {
            let message = format!("a JSON pointer is empty or begins with `/`, and this is `{pointer}`");
            wrong.push(Diagnostic::new("/in-flight/pointer", message));
        }
        if self.stop_admitting.is_some() && self.resume.is_none() {
            wrong.push(Diagnostic::new(
                "/resume",
                "what `stop-admitting` does must be undone when a drain is given up",
            ));
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
        wrong
    }

    pub(crate) fn is_good(&self, status: u16) -> bool {
        match self.health_statuses.is_empty() {
            true => status < 500,
            false => self.health_statuses.contains(&status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contradictions_are_found() {
        let json = r#"{"health-path": "x", "in-flight": {"path": "/s", "pointer": "a/b"}, "stop-admitting": {"path": "/drain"}}"#;
        let config: Config = understudy_plugin::parse_config(json).unwrap();
        let places: Vec<_> = config.check().into_iter().map(|wrong| wrong.path).collect();
        assert_eq!(places, ["/health-path", "/in-flight/pointer", "/resume"]);
        assert!(Config::default().check().is_empty());
        let error =
            understudy_plugin::parse_config::<Config>(r#"{"in-flight": {"path": "/s", "pinter": ""}}"#).unwrap_err();
        assert_eq!(error.path, "/in-flight/pinter");
    }

    #[test]
    fn the_operator_says_which_answers_are_good() {
        assert!(Config::default().is_good(404) && !Config::default().is_good(500));
        let strict = Config {
            health_statuses: vec![204],
            ..Config::default()
        };
        assert!(strict.is_good(204) && !strict.is_good(200));
    }
}
