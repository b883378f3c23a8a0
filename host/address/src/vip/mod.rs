//! Addresses on an interface.
use crate::*;
use crate::config::VipConfig;
use understudy_protocol::ServiceName;
use tokio::sync::broadcast;
pub(crate) struct Vip;
impl Vip {
    pub(crate) async fn new(_c: VipConfig, s: ServiceName, _e: broadcast::Sender<AddressEvent>) -> Result<Self, AddressError> { Err(AddressError::Config { service: s.to_string(), problem: "mode vip does not exist yet".to_owned() }) }
    pub(crate) async fn take(&self) -> Result<(), AddressError> { Ok(()) }
    pub(crate) async fn hold(&self) -> Result<(), AddressError> { Ok(()) }
    pub(crate) async fn admit(&self) -> Result<(), AddressError> { Ok(()) }
    pub(crate) async fn clear(&self) -> Result<(), AddressError> { Ok(()) }
    pub(crate) async fn drop_address(&self) -> Result<(), AddressError> { Ok(()) }
    pub(crate) async fn shutdown(&self) {}
    pub(crate) fn holding(&self) -> Holding { Holding::Dropped }
}
