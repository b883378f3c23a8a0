//! The fencing number in JSON.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The fencing number of a service. Compare `value`, show `text`.
///
/// `value` is a plain JSON number: below 2^53 until the year 2106, so exact in every reader. `text` is what people read: `5`, or
/// `2026-11-23T16:08:47Z-1.0` after a takeover forced by the host at place 1 of the candidates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Term {
    /// The number.
    #[schema(example = 5)]
    pub value: u64,
    /// The number as it is shown.
    #[schema(example = "5")]
    pub text: String,
}
