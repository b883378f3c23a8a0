//! What the host says with each call.

use serde::de::DeserializeOwned;

use crate::{AttributesExt, CallContext, Expectation, Target, host::clock};

/// One call of the host: whom it is about, what is expected, and what the plugin kept from the last one.
#[derive(Debug, Clone)]
pub struct Call(CallContext);

impl Call {
    /// What the plugin is looking after.
    pub fn target(&self) -> &Target {
        &self.0.target
    }

    /// The name of the host this runs on.
    pub fn host(&self) -> &str {
        &self.0.target.host
    }

    /// The service's fencing number.
    pub fn term(&self) -> u64 {
        self.0.term
    }

    /// What the host expects of the server now.
    pub fn expected(&self) -> Expectation {
        self.0.expected
    }

    /// 1 on the first try of this step.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Milliseconds that this call may still take, asked of the host now.
    pub fn remaining_ms(&self) -> u64 {
        clock::remaining_ms()
    }

    /// Milliseconds that the call could take when it began.
    pub fn allowed_ms(&self) -> u64 {
        self.0.remaining_ms
    }

    /// A fact of this call, for example `active-host`; else what the operator added to the target under that name.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        self.0
            .attributes
            .value(key)
            .or_else(|| self.0.target.attributes.value(key))
    }

    /// The host that serves, where it is another one.
    pub fn active_host(&self) -> Option<&str> {
        self.attribute("active-host").filter(|host| *host != self.host())
    }

    /// Milliseconds that the whole step may still take, where the host said so.
    pub fn deadline_ms(&self) -> Option<u64> {
        self.attribute("deadline-ms").and_then(|value| value.parse().ok())
    }

    /// What an earlier call kept in this `format`; state of another format, or that can't be read, is as good as none.
    pub fn state<T: DeserializeOwned>(&self, format: u32) -> Option<T> {
        let state = self.0.state.as_ref().filter(|state| state.format == format)?;
        serde_json::from_slice(&state.data).ok()
    }
}

impl From<CallContext> for Call {
    fn from(context: CallContext) -> Self {
        Self(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SavedState, State};

    fn call(state: Option<SavedState>) -> Call {
        Call(CallContext {
            target: Target {
                service: "cache".into(),
                server_type: "redis".into(),
                host: "a".into(),
                attributes: vec![("rack".into(), "7".into())],
            },
            term: 3,
            expected: Expectation::Serving,
            attempt: 1,
            remaining_ms: 1000,
            state,
            attributes: vec![("active-host".into(), "a".into()), ("deadline-ms".into(), "250".into())],
        })
    }

    #[test]
    fn facts_of_the_call_come_before_the_operators() {
        let call = call(None);
        assert_eq!(call.attribute("rack"), Some("7"));
        assert_eq!(call.deadline_ms(), Some(250));
        assert_eq!(call.active_host(), None, "this host is not another one");
    }

    #[test]
    fn state_comes_back_in_its_own_format_only() {
        let kept = call(State::keep(2, &[1, 2, 3]).into_saved(None));
        assert_eq!(kept.state::<Vec<u8>>(2), Some(vec![1, 2, 3]));
        assert_eq!(kept.state::<Vec<u8>>(1), None);
        assert_eq!(kept.state::<String>(2), None);
    }
}
