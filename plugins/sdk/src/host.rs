//! What the host offers, as `wit/host.wit` has it: the functions behind the friendlier types of this crate.

pub use crate::bindings::understudy::plugin::{clock, commands, config, endpoints, ledger, log, sockets, system};

/// The secret `name`; none where the operator declared or granted none.
///
/// # Errors
/// What the host says, where the secret is there and can't be read.
pub fn secret(name: &str) -> Result<Option<String>, crate::HostError> {
    match config::secret(name) {
        Ok(value) => Ok(Some(
            String::from_utf8_lossy(&value)
                .trim_end_matches(['\n', '\r'])
                .to_owned(),
        )),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the host has no such name, or did not grant it.
pub fn is_absent(error: &crate::HostError) -> bool {
    matches!(error.code.as_str(), "unknown-name" | "not-granted")
}
