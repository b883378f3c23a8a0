//! What a plugin may use: right = asked by its manifest ∩ granted by the operator. Pure.
//!
//! Invariant: what the manifest does not ask for is never granted, whatever the operator wrote; what the
//! operator did not grant is never used, whatever the plugin asks. Every refusal says which of the two it
//! was and, where a line of configuration would help, that line.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// One thing a plugin can ask for, as written in its manifest and in the operator's grants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ask {
    /// Connect to the endpoint of this name.
    Endpoint(String),
    /// Run the command of this name.
    Command(String),
    /// Read the secret of this name.
    Secret(String),
    /// List the connections of the service's ports.
    Sockets,
    /// Read what the machine says of itself.
    System,
}

/// Why a text is not an [`Ask`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is nothing a plugin can be granted: write `endpoint:NAME`, `command:NAME`, `secret:NAME`, `sockets` or `system`"
)]
pub struct BadAsk {
    /// The text that was refused.
    pub text: String,
}

impl FromStr for Ask {
    type Err = BadAsk;

    fn from_str(text: &str) -> Result<Self, BadAsk> {
        let bad = || BadAsk {
            text: text.chars().take(80).collect(),
        };
        let named = |name: &str| if is_name(name) { Ok(name.to_owned()) } else { Err(bad()) };
        match text.split_once(':') {
            Some(("endpoint", name)) => named(name).map(Ask::Endpoint),
            Some(("command", name)) => named(name).map(Ask::Command),
            Some(("secret", name)) => named(name).map(Ask::Secret),
            Some(_) => Err(bad()),
            None if text == "sockets" => Ok(Ask::Sockets),
            None if text == "system" => Ok(Ask::System),
            None => Err(bad()),
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Endpoint(name) => write!(f, "endpoint:{name}"),
            Ask::Command(name) => write!(f, "command:{name}"),
            Ask::Secret(name) => write!(f, "secret:{name}"),
            Ask::Sockets => f.write_str("sockets"),
            Ask::System => f.write_str("system"),
        }
    }
}

/// Why something is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// The plugin's manifest does not ask for it.
    NotAsked(Ask),
    /// The operator has not granted it.
    NotGranted {
        /// What was wanted.
        ask: Ask,
        /// The configuration line that would allow it.
        line: String,
    },
    /// Granted, but nothing of that name is declared for this target.
    NotDeclared {
        /// What was wanted.
        ask: Ask,
        /// The configuration line that would declare it.
        line: String,
    },
    /// The call is one of those at install, where nothing is granted.
    AtInstall(Ask),
}

/// What one plugin may use for one target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rights {
    plugin: String,
    service: Option<String>,
    asked: BTreeSet<Ask>,
    granted: BTreeSet<Ask>,
}

impl Rights {
    /// Nothing at all: for the calls at install.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }

    pub(crate) fn new(plugin: &str, service: &str, asked: &BTreeSet<Ask>, granted: &BTreeSet<Ask>) -> Self {
        Self {
            plugin: plugin.to_owned(),
            service: Some(service.to_owned()),
            asked: asked.clone(),
            granted: granted.clone(),
        }
    }

    pub(crate) fn check(&self, ask: &Ask) -> Result<(), Denial> {
        let Some(service) = &self.service else {
            return Err(Denial::AtInstall(ask.clone()));
        };
        if !self.asked.contains(ask) {
            return Err(Denial::NotAsked(ask.clone()));
        }
        if !self.granted.contains(ask) {
            let mut wanted = self.granted.clone();
            wanted.insert(ask.clone());
            return Err(Denial::NotGranted {
                ask: ask.clone(),
                line: grant_line(service, &self.plugin, &wanted),
            });
        }
        Ok(())
    }

    /// The denial of something granted that nobody declared.
    pub(crate) fn not_declared(&self, ask: &Ask) -> Denial {
        let service = self.service.as_deref().unwrap_or_default();
        Denial::NotDeclared {
            ask: ask.clone(),
            line: declare_line(service, &self.plugin, ask),
        }
    }
}

/// The line that grants exactly these things to a plugin for a service. The one place that knows how the
/// configuration spells a grant.
pub fn grant_line(service: &str, plugin: &str, granted: &BTreeSet<Ask>) -> String {
    let list: Vec<String> = granted.iter().map(|ask| format!("\"{ask}\"")).collect();
    format!(
        "service \"{service}\", in the [[service.plugin]] of {plugin}: grant = [{}]",
        list.join(", ")
    )
}

/// The line that declares what a grant names. The one place that knows how the configuration spells it.
pub fn declare_line(service: &str, plugin: &str, ask: &Ask) -> String {
    let line = match ask {
        Ask::Endpoint(name) => format!("[service.plugin.endpoints.{name}] with tcp = \"HOST:PORT\""),
        Ask::Command(name) => format!("[service.plugin.commands.{name}] with argv = [\"/path/to/program\"]"),
        Ask::Secret(name) => format!("[service.plugin.secrets.{name}] with file = \"/path/to/file\""),
        Ask::Sockets => "ports = [PORT] of the service".to_owned(),
        Ask::System => "disks = [\"/path\"]".to_owned(),
    };
    format!("service \"{service}\", in the [[service.plugin]] of {plugin}: {line}")
}

fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(allowed)
}

/// As for every other name of the configuration.
const LONGEST_NAME: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(texts: &[&str]) -> BTreeSet<Ask> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_ask_reads_as_it_is_written() {
        for text in [
            "endpoint:admin",
            "command:reload",
            "secret:password",
            "sockets",
            "system",
        ] {
            assert_eq!(text.parse::<Ask>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "endpoint",
            "endpoint:",
            "endpoint:A",
            "endpoint:a b",
            "file:/etc",
            "system:x",
            "command:a/b",
        ] {
            assert!(bad.parse::<Ask>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_right_is_asked_and_granted() {
        let rights = Rights::new(
            "redis",
            "cache",
            &asks(&["endpoint:admin", "system"]),
            &asks(&["system", "command:reload"]),
        );
        assert_eq!(rights.check(&Ask::System), Ok(()));
        let reload = Ask::Command("reload".into());
        assert_eq!(
            rights.check(&reload),
            Err(Denial::NotAsked(reload)),
            "granted, but never asked for"
        );
        assert!(matches!(rights.check(&Ask::Sockets), Err(Denial::NotAsked(_))));
    }

    #[test]
    fn a_denial_says_the_whole_line() {
        let rights = Rights::new(
            "redis",
            "cache",
            &asks(&["endpoint:admin", "system"]),
            &asks(&["system"]),
        );
        let admin = Ask::Endpoint("admin".into());
        let Err(Denial::NotGranted { line, .. }) = rights.check(&admin) else {
            panic!("it was granted")
        };
        assert_eq!(
            line,
            "service \"cache\", in the [[service.plugin]] of redis: grant = [\"endpoint:admin\", \"system\"]"
        );
    }

    #[test]
    fn nothing_is_granted_at_install() {
        assert_eq!(
            Rights::nothing().check(&Ask::System),
            Err(Denial::AtInstall(Ask::System))
        );
    }
}
