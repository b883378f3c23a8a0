//! The fencing number in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The fencing number of a service. Compare `value`, show `text`.
///
/// `value` is a plain JSON number: exact in every reader below 2^53, which takes more than eight million forced
/// takeovers of one service to pass. `text` is what people read: `5`, or `64.5` after a forced takeover.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Term {
    /// The number.
    #[schema(example = 5)]
    pub value: u64,
    /// The number as it is shown.
    #[schema(example = "5")]
    pub text: String,
}
