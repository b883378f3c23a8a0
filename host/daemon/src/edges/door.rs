//! A service's address on this host, as far as the effects move it.

use std::time::Duration;

use async_trait::async_trait;
use understudy_address::{Address, AddressError, Flow, Holding, Quiet, Remaining};
use understudy_protocol::HostName;

/// Lets clients in, or not. Every call means what the method of [`Address`] with its name means.
#[async_trait]
pub(crate) trait Door: Send + Sync {
    async fn take(&self) -> Result<(), AddressError>;
    async fn hold(&self) -> Result<(), AddressError>;
    async fn quiesce(&self, within: Duration) -> Quiet;
    async fn drop_address(&self) -> Result<(), AddressError>;
    async fn can_overlap(&self, with: &HostName) -> Result<(), AddressError>;
    async fn arm(&self, first: &HostName) -> Result<(), AddressError>;
    async fn disarm(&self) -> Result<(), AddressError>;
    async fn yield_to(&self, second: &HostName) -> Result<(), AddressError>;
    async fn appear(&self) -> Result<(), AddressError>;
    async fn settled(&self, within: Duration) -> Result<Vec<Remaining>, AddressError>;
    async fn drained(&self, within: Duration) -> Result<Vec<Remaining>, AddressError>;
    fn holding(&self) -> Holding;
    fn flows(&self) -> Vec<Flow>;
    /// What is wrong with it now, in words.
    fn troubles(&self) -> Vec<String> {
        Vec::new()
    }
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

    async fn can_overlap(&self, with: &HostName) -> Result<(), AddressError> {
        Address::can_overlap(self, with).await
    }

    async fn arm(&self, first: &HostName) -> Result<(), AddressError> {
        Address::arm(self, first).await
    }

    async fn disarm(&self) -> Result<(), AddressError> {
        Address::disarm(self).await
    }

    async fn yield_to(&self, second: &HostName) -> Result<(), AddressError> {
        Address::yield_to(self, second).await
    }

    async fn appear(&self) -> Result<(), AddressError> {
        Address::appear(self).await
    }

    async fn settled(&self, within: Duration) -> Result<Vec<Remaining>, AddressError> {
        Address::settled(self, within).await
    }

    async fn drained(&self, within: Duration) -> Result<Vec<Remaining>, AddressError> {
        Address::drained(self, within).await
    }

    fn holding(&self) -> Holding {
        Address::holding(self)
    }

    fn flows(&self) -> Vec<Flow> {
        Address::flows(self)
    }

    fn troubles(&self) -> Vec<String> {
        Address::troubles(self)
    }
}
