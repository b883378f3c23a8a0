//! Why a command ends without success: what to say, and which exit code.

use crate::exit::Exit;

/// A message for people and the program's exit code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure {
            exit,
            message: message.into(),
        }
    }

    /// It failed, or was refused.
    pub(super) fn failed(error: impl std::fmt::Display) -> Self {
        Failure::new(Exit::Failed, error.to_string())
    }
}

/// What a command says of itself.
pub(super) type Outcome = Result<(), Failure>;
