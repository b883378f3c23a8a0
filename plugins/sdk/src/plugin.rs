//! What every plugin is: a description, and a configuration of its own type.

use serde::de::DeserializeOwned;

/// A plugin. It is also a [`Probe`](crate::Probe), a [`Drain`](crate::Drain), or both.
pub trait Plugin: 'static {
    /// What the operator configures. Give it `deny_unknown_fields`, so that a misspelt key is an error and not a surprise.
    type Config: DeserializeOwned;

    /// What the plugin is and what it asks for.
    fn describe() -> Description;

    /// What is wrong with a configuration that could be read; empty when nothing is.
    fn check_config(config: &Self::Config) -> Vec<Diagnostic> {
        let _ = config;
        Vec::new()
    }
}

/// What the plugin is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Kebab-case.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// The server types it looks after.
    pub server_types: Vec<String>,
    /// `endpoint:NAME`, `command:NAME`, `secret:NAME`, `system`, `sockets`.
    pub asks: Vec<String>,
    /// One line for people.
    pub summary: String,
}

impl Description {
    /// A plugin that looks after nothing and asks for nothing yet.
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            server_types: Vec::new(),
            asks: Vec::new(),
            summary: summary.to_owned(),
        }
    }

    /// Looks after this server type too.
    #[must_use]
    pub fn looks_after(mut self, server_type: &str) -> Self {
        self.server_types.push(server_type.to_owned());
        self
    }

    /// Asks for this too. What is not asked for is never granted.
    #[must_use]
    pub fn asks(mut self, right: &str) -> Self {
        self.asks.push(right.to_owned());
        self
    }
}

/// What is wrong with the configuration, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A JSON pointer into the configuration, for example `/max-lag`.
    pub path: String,
    /// What is wrong, and how to mend it.
    pub message: String,
}

impl Diagnostic {
    /// What is wrong at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}
