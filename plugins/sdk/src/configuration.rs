//! The operator's JSON as a type, with the place of every error.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::Diagnostic;

/// Reads the configuration.
///
/// # Errors
/// What is wrong, and a JSON pointer to where.
pub fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Diagnostic> {
    let json = if json.trim().is_empty() { "{}" } else { json };
    let deserializer = &mut serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(deserializer).map_err(|error| Diagnostic {
        path: pointer(error.path()),
        message: error.inner().to_string(),
    })
}

/// RFC 6901: `~` and `/` in a key are escaped.
fn pointer(path: &Path) -> String {
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { variant } => Some(format!("/{variant}")),
            Segment::Unknown => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Config {
        #[serde(default)]
        max_lag: u64,
        #[serde(default)]
        hosts: BTreeMap<String, Vec<u16>>,
    }

    #[test]
    fn an_error_names_its_place() {
        let error = parse::<Config>(r#"{"hosts": {"a/b": [1, "x"]}}"#).unwrap_err();
        assert_eq!(error.path, "/hosts/a~1b/1");
        let error = parse::<Config>(r#"{"max-lagg": 1}"#).unwrap_err();
        assert_eq!(error.path, "/max-lagg");
        assert!(error.message.contains("max-lag"), "{}", error.message);
    }

    #[test]
    fn nothing_is_an_empty_configuration() {
        let config = parse::<Config>("").unwrap();
        assert_eq!((config.max_lag, config.hosts.len()), (0, 0));
    }
}
