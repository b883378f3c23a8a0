//! What a plugin says of itself at install.

use std::collections::BTreeSet;

use crate::answer;
use crate::bindings::exports::understudy::plugin::manifest;
use crate::capability::{Ask, BadAsk};

/// A plugin's description, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Kebab-case.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// The server types it looks after.
    pub server_types: Vec<String>,
    /// What it asks for.
    pub asks: BTreeSet<Ask>,
    /// One line for people.
    pub summary: String,
}

/// Which rule a description breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadDescription {
    /// The name.
    #[error("the name {0:?} is not kebab-case")]
    Name(String),
    /// The version.
    #[error("the version {0:?} is not a semantic version like 1.2.3")]
    Version(String),
    /// A server type.
    #[error("the server type {0:?} is not kebab-case")]
    ServerType(String),
    /// Nothing to look after.
    #[error("it names no server type")]
    NoServerType,
    /// Something it asks for.
    #[error("it asks for {0}")]
    Ask(#[from] BadAsk),
}

impl Description {
    pub(crate) fn check(description: manifest::Description) -> Result<Self, BadDescription> {
        let manifest::Description {
            name,
            version,
            server_types,
            asks,
            summary,
        } = description;
        if !answer::is_kebab_case(&name) {
            return Err(BadDescription::Name(name));
        }
        if !is_version(&version) {
            return Err(BadDescription::Version(version));
        }
        if server_types.is_empty() {
            return Err(BadDescription::NoServerType);
        }
        if let Some(bad) = server_types.iter().find(|text| !answer::is_kebab_case(text)) {
            return Err(BadDescription::ServerType(bad.clone()));
        }
        let asks = asks.iter().map(|ask| ask.parse()).collect::<Result<_, _>>()?;
        let summary = summary
            .chars()
            .filter(|c| !c.is_control())
            .take(LONGEST_SUMMARY)
            .collect();
        Ok(Self {
            name,
            version,
            server_types,
            asks,
            summary,
        })
    }
}

/// `1.2.3`, with anything printable behind `-` or `+`.
fn is_version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let printable = text.chars().all(|c| c.is_ascii_graphic());
    numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u32>().is_ok()) && printable && text.len() <= 64
}

/// One line of a table.
const LONGEST_SUMMARY: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> manifest::Description {
        manifest::Description {
            name: "redis".into(),
            version: "1.2.3-rc.1".into(),
            server_types: vec!["redis".into()],
            asks: vec!["endpoint:admin".into()],
            summary: "Looks after\nRedis".into(),
        }
    }

    #[test]
    fn a_good_one_is_taken() {
        let checked = Description::check(description()).unwrap();
        assert_eq!(checked.summary, "Looks afterRedis");
        assert!(checked.asks.contains(&Ask::Endpoint("admin".into())));
    }

    #[test]
    fn each_rule_has_its_own_error() {
        let changed = |change: fn(&mut manifest::Description)| {
            let mut bad = description();
            change(&mut bad);
            Description::check(bad).unwrap_err()
        };
        assert_eq!(
            changed(|d| d.name = "Redis".into()),
            BadDescription::Name("Redis".into())
        );
        assert_eq!(
            changed(|d| d.version = "1.2".into()),
            BadDescription::Version("1.2".into())
        );
        assert_eq!(changed(|d| d.server_types.clear()), BadDescription::NoServerType);
        assert!(matches!(
            changed(|d| d.asks = vec!["root".into()]),
            BadDescription::Ask(_)
        ));
    }
}
