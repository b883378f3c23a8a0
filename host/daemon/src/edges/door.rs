//! A service's address on this host, as far as the effects move it.

use std::time::Duration;

use async_trait::async_trait;
use understudy_address::{Address, AddressError, Flow, Holding, Quiet};

/// Lets clients in, or not. Every call means what the method of [`Address`] with its name means.
#[async_trait]
pub(crate) trait Door: Send + Sync {
    async fn take(&self) -> Result<(), AddressError>;
    async fn hold(&self) -> Result<(), AddressError>;
    async fn quiesce(&self, within: Duration) -> Quiet;
    async fn drop_address(&self) -> Result<(), AddressError>;
    fn holding(&self) -> Holding;
    fn flows(&self) -> Vec<Flow>;
}

#[async_trait]
impl Door for Address {
    async fn take(&self) -> Result<(), AddressError> {
        Address::take(self).await
    }

    async fn hold(&self) -> Result<(), AddressError> {
        Address::hold(self).await
    }

    async fn quiesce(&self, within: Duration) -> Quiet {
        Address::quiesce(self, within).await
    }

    async fn drop_address(&self) -> Result<(), AddressError> {
        Address::drop_address(self).await
    }

    fn holding(&self) -> Holding {
        Address::holding(self)
    }

    fn flows(&self) -> Vec<Flow> {
        Address::flows(self)
    }
}
