//! A service's addresses on an interface, which move from host to host.
//!
//! Files, from the outside in: this one carries out the commands; `keeper` keeps the addresses in place while they are
//! held; `kernel` adds and removes them; `syn_hold` lets new connections wait, and `waiting`, `knocks` and `openings` keep
//! them for the successor; `overlap` moves them while both hosts' servers run; `rules` is what the packet filter is told; `wire` and `frames` announce.
//!
//! Invariant: an address is on the interface only between `take` and `drop_address`, or because a killed daemon left it,
//! until `clear`. The daemon's end does not remove it: the server goes on while the daemon is replaced.

mod frames;
mod keeper;
mod kernel;
mod knocks;
mod openings;
mod overlap;
mod rules;
mod sockets;
mod syn_hold;
mod traces;
mod waiting;
mod wire;

use std::fs;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, broadcast, watch};
use understudy_protocol::ServiceName;

use crate::config::{VipAddress, VipConfig};
use crate::nft::{self, Batch};
use crate::privilege::{self, NET_ADMIN, NET_RAW};
use crate::{AddressError, AddressEvent, Holding};
pub use traces::{Trace, TraceKind, remove_strangers, traces};

use keeper::Keeper;
use kernel::{Changes, Interface, Kernel};
use rules::{Rules, Step};
use syn_hold::SynHold;

/// The commands of addresses on an interface.
pub(crate) struct Vip {
    service: ServiceName,
    config: VipConfig,
    kernel: Arc<Kernel>,
    rules: Rules,
    filter: nft::Link,
    syn_hold: SynHold,
    events: broadcast::Sender<AddressEvent>,
    holding: watch::Sender<Holding>,
    /// Somebody who knows has said that this host does not have the addresses.
    absent: AtomicBool,
    /// The kernel was asked whether it can do a move with both servers running, and it can.
    kernel_overlaps: AtomicBool,
    keeper: Mutex<Option<Keeper>>,
}

impl Vip {
    pub(crate) async fn new(
        config: VipConfig,
        service: ServiceName,
        events: broadcast::Sender<AddressEvent>,
    ) -> Result<Self, AddressError> {
        check(&config, &service)?;
        for (capability, what) in [(NET_ADMIN, "moving an address"), (NET_RAW, "announcing an address")] {
            if !privilege::has(capability) {
                return Err(AddressError::Privilege {
                    what,
                    capability: capability.name,
                });
            }
        }
        let kernel = Kernel::connect().map_err(|error| AddressError::System {
            what: "asking the kernel (rtnetlink)",
            error,
        })?;
        let filter = nft::Link::connect().map_err(|error| AddressError::System {
            what: "asking the kernel (nftables)",
            error,
        })?;
        let rules = Rules::new(service.as_str(), &config);
        let vip = Vip {
            syn_hold: SynHold::new(service.as_str(), &config, rules.clone(), filter.clone(), events.clone()),
            service,
            rules,
            filter,
            config,
            kernel: Arc::new(kernel),
            events,
            holding: watch::Sender::new(Holding::Dropped),
            absent: AtomicBool::new(false),
            kernel_overlaps: AtomicBool::new(false),
            keeper: Mutex::default(),
        };
        let interface = vip.interface().await?;
        vip.syn_hold.check().await?;
        vip.check_overlap(interface).await?;
        Ok(vip)
    }

    pub(crate) async fn take(&self) -> Result<(), AddressError> {
        let mut keeper = self.keeper.lock().await;
        self.absent.store(false, Ordering::SeqCst);
        let interface = self.usable_interface().await?;
        self.put_on_interface(interface).await?;
        self.end_move().await?;
        match keeper.as_ref() {
            Some(keeper) => keeper.announce(),
            None => *keeper = Some(self.keep(interface, None)?),
        }
        self.syn_hold.remove().await?;
        self.change(Holding::Admitting, AddressEvent::Taken);
        Ok(())
    }

    pub(crate) async fn hold(&self) -> Result<(), AddressError> {
        let keeper = self.keeper.lock().await;
        if keeper.is_some() {
            self.syn_hold.install().await?;
            self.change(Holding::Held, AddressEvent::Held);
        }
        Ok(())
    }

    pub(crate) async fn admit(&self) -> Result<(), AddressError> {
        let keeper = self.keeper.lock().await;
        if keeper.is_some() {
            self.syn_hold.remove().await?;
            self.change(Holding::Admitting, AddressEvent::Admitted);
        }
        Ok(())
    }

    pub(crate) async fn drop_address(&self) -> Result<(), AddressError> {
        let mut keeper = self.keeper.lock().await;
        if let Some(keeper) = keeper.take() {
            // Whoever comes between this and the successor's announcement waits as well.
            self.syn_hold.install().await?;
            keeper.stop().await;
        }
        self.remove_all().await?;
        // The drain stays for those who have not heard of the other host; it goes with the hold.
        self.change_filter(self.rules.without(&[Step::Back, Step::Hide]))
            .await?;
        self.take_from_loopback().await?;
        self.syn_hold.leave().await;
        self.absent.store(true, Ordering::SeqCst);
        self.change(Holding::Dropped, AddressEvent::Dropped);
        Ok(())
    }

    pub(crate) async fn clear(&self) -> Result<(), AddressError> {
        let keeper = self.keeper.lock().await;
        if keeper.is_some() {
            return Ok(());
        }
        for address in self.remove_all().await? {
            let _ = self.events.send(AddressEvent::LeftoverRemoved { address });
        }
        self.take_from_loopback().await?;
        self.change_filter(self.rules.without(&[Step::Back, Step::Hide]))
            .await?;
        self.absent.store(true, Ordering::SeqCst);
        self.syn_hold.clear().await
    }

    /// Removes, for as long as anybody uses `vip`, addresses that somebody put here although this host does not have
    /// them: two hosts would answer for them.
    pub(crate) async fn keep_away(vip: Weak<Vip>) {
        let Ok(mut changes) = Changes::subscribe() else { return };
        loop {
            let _either = tokio::time::timeout(LOOK, changes.next()).await;
            let Some(vip) = vip.upgrade() else { return };
            let keeper = vip.keeper.lock().await;
            if keeper.is_none()
                && vip.absent.load(Ordering::SeqCst)
                && let Ok(removed) = vip.remove_all().await
            {
                for address in removed {
                    let _ = vip.events.send(AddressEvent::LeftoverRemoved { address });
                }
            }
        }
    }

    pub(crate) async fn shutdown(&self) {
        if let Some(keeper) = self.keeper.lock().await.take() {
            keeper.stop().await;
        }
        self.syn_hold.stop().await;
    }

    pub(crate) fn holding(&self) -> Holding {
        *self.holding.borrow()
    }

    /// Adds the addresses; those that are there stay.
    async fn put_on_interface(&self, interface: Interface) -> Result<(), AddressError> {
        for address in &self.config.addresses {
            let added = self.kernel.add(interface.index, *address).await;
            added.map_err(|error| self.change_error("adding", address.ip, error))?;
        }
        Ok(())
    }

    /// Begins to keep the addresses, and to announce them or, with a transaction that hides them, not to.
    fn keep(&self, interface: Interface, hide: Option<Batch>) -> Result<Keeper, AddressError> {
        let (config, kernel) = (self.config.clone(), (self.kernel.clone(), self.filter.clone()));
        Keeper::start(config, interface, kernel, self.events.clone(), hide).map_err(|error| AddressError::System {
            what: "watching the interface",
            error,
        })
    }

    /// Removes the addresses and looks whether they are gone; says which were there.
    async fn remove_all(&self) -> Result<Vec<IpAddr>, AddressError> {
        let found = self.kernel.interface(&self.config.interface).await;
        let Some(interface) = found.map_err(|error| self.interface_error(error.to_string()))? else {
            // Its addresses went with it.
            return Ok(Vec::new());
        };
        let mut removed = Vec::new();
        for address in &self.config.addresses {
            let was_there = self.kernel.remove(interface.index, address.ip).await;
            if was_there.map_err(|error| self.change_error("removing", address.ip, error))? {
                removed.push(address.ip);
            }
        }
        let left = self
            .kernel
            .addresses(interface.index)
            .await
            .map_err(|error| self.interface_error(error.to_string()))?;
        match left
            .iter()
            .find(|left| self.config.addresses.iter().any(|address| address.ip == left.ip))
        {
            Some(left) => Err(self.change_error(
                "removing",
                left.ip,
                "somebody put it back at once; stop whoever manages it",
            )),
            None => Ok(removed),
        }
    }

    async fn interface(&self) -> Result<Interface, AddressError> {
        let found = self.kernel.interface(&self.config.interface).await;
        let found = found.map_err(|error| self.interface_error(error.to_string()))?;
        found.ok_or_else(|| self.interface_error("does not exist: `ip link` lists those that do".to_owned()))
    }

    async fn usable_interface(&self) -> Result<Interface, AddressError> {
        let interface = self.interface().await?;
        if interface.up {
            return Ok(interface);
        }
        let problem = format!("is down: ip link set {} up", self.config.interface);
        Err(self.interface_error(problem))
    }

    fn interface_error(&self, problem: String) -> AddressError {
        AddressError::Interface {
            interface: self.config.interface.clone(),
            problem,
        }
    }

    fn change_error(&self, doing: &'static str, address: IpAddr, error: impl ToString) -> AddressError {
        AddressError::Change {
            doing,
            address,
            interface: self.config.interface.clone(),
            error: error.to_string(),
        }
    }

    fn change(&self, to: Holding, event: AddressEvent) {
        if self.holding.send_replace(to) != to {
            let _ = self.events.send(event);
        }
    }
}

fn check(config: &VipConfig, service: &ServiceName) -> Result<(), AddressError> {
    let refuse = |problem: String| {
        Err(AddressError::Config {
            service: service.to_string(),
            problem,
        })
    };
    if config.addresses.is_empty() {
        return refuse("addresses is empty: name at least one like 192.0.2.10/24".to_owned());
    }
    let plain = |c: char| c.is_ascii_graphic() && c != '/';
    if config.interface.is_empty() || config.interface.len() > LONGEST_INTERFACE || !config.interface.chars().all(plain)
    {
        return refuse(format!("{:?} is not the name of an interface", config.interface));
    }
    let ipv6 = config.addresses.iter().find(|address| address.ip.is_ipv6());
    match ipv6 {
        Some(address) => check_ipv6(&config.interface, *address),
        None => Ok(()),
    }
}

fn check_ipv6(interface: &str, address: VipAddress) -> Result<(), AddressError> {
    let sysctl = format!("net.ipv6.conf.{interface}.disable_ipv6");
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
    if fs::read_to_string(path).is_ok_and(|text| text.trim() == "1") {
        return Err(AddressError::Kernel {
            what: format!("adding {address}"),
            error: format!("{sysctl} is 1"),
            mend: format!("sysctl -w {sysctl}=0, and in /etc/sysctl.d for the next boot"),
        });
    }
    Ok(())
}

/// Between looks for what should not be here, in case that the kernel's notice of a change was lost.
const LOOK: Duration = Duration::from_secs(5);
/// `IFNAMSIZ` without its closing zero.
const LONGEST_INTERFACE: usize = 15;
