//! What a plugin keeps from one call to the next: each call has a fresh instance, so nothing else lasts.

use serde::Serialize;

use crate::SavedState;

/// What the host keeps for the next call.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum State {
    /// What was kept before stays.
    #[default]
    Same,
    /// This instead.
    New(SavedState),
    /// Nothing.
    Forgotten,
}

impl State {
    /// `value` in the plugin's own `format`, for [`Call::state`](crate::Call::state). A value that JSON can't say changes nothing.
    pub fn keep<T: Serialize>(format: u32, value: &T) -> Self {
        serde_json::to_vec(value).map_or(Self::Same, |data| Self::New(SavedState { format, data }))
    }

    pub(crate) fn into_saved(self, before: Option<SavedState>) -> Option<SavedState> {
        match self {
            Self::Same => before,
            Self::New(state) => Some(state),
            Self::Forgotten => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let kept = State::keep(1, &"old").into_saved(None);
        assert_eq!(State::Same.into_saved(kept.clone()), kept);
        assert_eq!(State::Forgotten.into_saved(kept.clone()), None);
        assert_ne!(State::keep(1, &"new").into_saved(kept.clone()), kept);
    }
}
