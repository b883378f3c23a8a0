//! What the operator settled about the API.

use std::fmt;
use std::net::SocketAddr;

/// The settings of the API.
#[derive(Clone)]
pub struct ApiConfig {
    /// Where it listens. On loopback only requests that name a loopback host are answered (DNS rebinding).
    pub listen: SocketAddr,
    /// The bearer token; none: everybody who can connect may do everything.
    pub token: Option<String>,
    /// More names under which the API may be asked for while it listens on loopback, for a proxy before it.
    pub allowed_hosts: Vec<String>,
}

/// Why settings of the API can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadConfig {
    /// Everybody on the network could give orders.
    #[error("the API listens on {listen}, which others can reach: set `token_file` in [api], or listen on 127.0.0.1")]
    OpenToAll {
        /// Where it would listen.
        listen: SocketAddr,
    },
    /// The token could be guessed, or can't be sent.
    #[error("the API's token must be at least {MIN_TOKEN_LENGTH} visible ASCII characters without spaces")]
    WeakToken,
}

impl ApiConfig {
    /// Whether these settings are safe to serve with.
    ///
    /// # Errors
    /// When others can reach the API without a token, or the token is no token.
    pub fn check(&self) -> Result<(), BadConfig> {
        match &self.token {
            None if !self.listens_on_loopback() => Err(BadConfig::OpenToAll { listen: self.listen }),
            Some(token) if token.len() < MIN_TOKEN_LENGTH || !token.chars().all(|c| c.is_ascii_graphic()) => {
                Err(BadConfig::WeakToken)
            }
            None | Some(_) => Ok(()),
        }
    }

    pub(crate) fn listens_on_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }
}

impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConfig")
            .field("listen", &self.listen)
            .field("token", &self.token.as_ref().map(|_| "(hidden)"))
            .field("allowed_hosts", &self.allowed_hosts)
            .finish()
    }
}

/// The shortest token that can't be guessed by trying: 16 characters of a random text.
const MIN_TOKEN_LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &str, token: Option<&str>) -> ApiConfig {
        ApiConfig {
            listen: listen.parse().unwrap(),
            token: token.map(str::to_owned),
            allowed_hosts: Vec::new(),
        }
    }

    #[test]
    fn only_loopback_goes_without_a_token() {
        assert_eq!(config("127.0.0.1:7420", None).check(), Ok(()));
        assert_eq!(config("[::1]:7420", None).check(), Ok(()));
        assert!(matches!(
            config("0.0.0.0:7420", None).check(),
            Err(BadConfig::OpenToAll { .. })
        ));
        assert_eq!(config("0.0.0.0:7420", Some("0123456789abcdef")).check(), Ok(()));
        assert_eq!(
            config("127.0.0.1:7420", Some("short")).check(),
            Err(BadConfig::WeakToken)
        );
    }

    #[test]
    fn the_token_is_not_printed() {
        assert!(!format!("{:?}", config("127.0.0.1:1", Some("0123456789abcdef"))).contains("0123"));
    }
}
