//! The plugin could not do its work: how to say so.

use crate::{Attributes, AttributesExt, HostError, PluginError};

/// Building a [`PluginError`].
pub trait PluginErrorExt {
    /// Trying the same again can't help.
    #[must_use]
    fn permanent(code: &str, message: impl Into<String>) -> Self;
    /// Trying the same again could help.
    #[must_use]
    fn retryable(code: &str, message: impl Into<String>) -> Self;
    /// With what was seen.
    #[must_use]
    fn seen(self, key: &str, value: impl ToString) -> Self;
}

impl PluginErrorExt for PluginError {
    fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            retryable: false,
            attributes: Attributes::new(),
        }
    }

    fn retryable(code: &str, message: impl Into<String>) -> Self {
        Self {
            retryable: true,
            ..Self::permanent(code, message)
        }
    }

    fn seen(mut self, key: &str, value: impl ToString) -> Self {
        self.attributes = self.attributes.with(key, value);
        self
    }
}

/// What the host refused for good; everything else may go better next time.
const PERMANENT: [&str; 4] = ["not-granted", "unknown-name", "fenced", "too-large"];

impl From<HostError> for PluginError {
    fn from(error: HostError) -> Self {
        let retryable = !PERMANENT.contains(&error.code.as_str());
        let attributes = Attributes::new().with_some("hint", error.hint);
        Self {
            code: format!("host-{}", error.code),
            message: error.message,
            retryable,
            attributes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_is_permanent_and_keeps_its_hint() {
        let denied = HostError {
            code: "not-granted".into(),
            message: "no".into(),
            hint: Some("grant = 1".into()),
        };
        let error = PluginError::from(denied);
        assert!(!error.retryable);
        assert_eq!(error.code, "host-not-granted");
        assert_eq!(error.attributes.value("hint"), Some("grant = 1"));
        let late = HostError {
            code: "timed-out".into(),
            message: "late".into(),
            hint: None,
        };
        assert!(PluginError::from(late).retryable);
    }
}
