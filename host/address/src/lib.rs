//! How clients find a service, and how that moves: an address on an interface (`vip`) or a listening socket that
//! forwards to the local server (`proxy`).
//!
//! Read [`Address`] first: its methods are the whole crate. Each is idempotent and may be repeated at any time, also
//! after the daemon died half way. The crate obeys; it knows nothing of terms, rounds or who ought to hold the
//! service. It is the only crate that names netlink, nftables, ARP or neighbour discovery.
//!
//! Invariant: between [`Address::hold`] and the successor's [`Address::take`] no client's attempt to connect is
//! refused; it waits.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod config;
mod error;
mod event;
mod flow;
mod nft;
mod privilege;
mod proxy;
mod troubles;
mod vip;

pub use address::{Address, Holding};
pub use config::{AddressConfig, BadVipAddress, ProxyConfig, VipAddress, VipConfig};
pub use error::AddressError;
pub use event::AddressEvent;
pub use flow::{Flow, Quiet, Remaining, Spoke};
pub use vip::{Trace, TraceKind, remove_strangers, traces};
