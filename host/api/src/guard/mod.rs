//! What a request passes before it reaches a handler, and what every answer gets on its way out.
//!
//! Invariant: who may do what is decided here and nowhere else; handlers never look at tokens or origins.

mod origin;
mod outcome;
mod token;

use std::sync::Arc;

use crate::config::ApiConfig;

pub(crate) use origin::{require_local_host, require_own_origin};
pub(crate) use outcome::{RequestId, finish, limit_time, on_panic};
pub(crate) use token::{Secret, require_token};

/// What the guards need of the settings.
#[derive(Clone)]
pub(crate) struct Guard {
    /// None: no token is asked for.
    pub(crate) secret: Option<Secret>,
    /// None: any `Host` will do. Else these names, and every loopback name.
    pub(crate) local_names: Option<Arc<[String]>>,
}

impl Guard {
    pub(crate) fn new(config: &ApiConfig) -> Self {
        let names = || {
            config
                .allowed_hosts
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect()
        };
        Guard {
            secret: config.token.as_deref().map(Secret::new),
            local_names: config.listens_on_loopback().then(names),
        }
    }
}
