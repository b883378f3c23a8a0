//! A move while both hosts' servers run: the second gets the new connections, the first keeps those that it has until
//! they end, and no client sees that anything happens.
//!
//! In order: second [`Vip::arm`], first [`Vip::yield_to`], second [`Vip::appear`], first [`Vip::settled`] and, after its
//! server was told to stop, [`Vip::drained`], first `drop_address`, second `take`.
//!
//! Invariants: each step may be repeated, also by a daemon that was started anew; the kernel's tables are what says how
//! far it came. Between steps every connection belongs to one host: the sets of the tables say to which.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use understudy_protocol::HostName;

use super::frames::{self, Link};
use super::kernel::Interface;
use super::rules::{OURS, Peer, Step};
use super::wire::Wire;
use super::{Vip, sockets};
use crate::flow::Remaining;
use crate::nft::{Batch, Refused};
use crate::{AddressError, AddressEvent, Holding, VipAddress};

impl Vip {
    /// Whether the kernel and the configuration allow such a move with that host.
    pub(crate) async fn can_overlap(&self, with: &HostName) -> Result<(), AddressError> {
        let interface = self.interface().await?;
        let addresses = self.addresses_of(with)?;
        let own = self.own_addresses(interface).await?;
        if self.kernel_overlaps.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.check_kernel(interface, addresses, &own).await
    }

    /// Where hosts are configured for such a move: whether the kernel could do it, whatever is on the interface now.
    pub(super) async fn check_overlap(&self, interface: Interface) -> Result<(), AddressError> {
        let host = self.config.hosts.first_key_value();
        // Where an address is missing, such a move is refused when it is asked for.
        match host.map(|(host, own)| (self.addresses_of(host), own)) {
            Some((Ok(addresses), own)) => self.check_kernel(interface, addresses, own).await,
            _ => Ok(()),
        }
    }

    /// Asks once: the kernel takes ten milliseconds and more to forget a transaction that is not carried out, and what it
    /// can it goes on to be able to.
    async fn check_kernel(
        &self,
        interface: Interface,
        addresses: Vec<IpAddr>,
        own: &[IpAddr],
    ) -> Result<(), AddressError> {
        let peer = Peer {
            addresses,
            link: [0; 6],
        };
        for batch in [
            self.rules.drain(&peer, interface.index, false),
            self.rules.back(&peer, interface.index, false),
            self.rules.hide(own),
        ] {
            self.filter
                .check(batch)
                .await
                .map_err(|refused| self.unable(&refused))?;
        }
        self.kernel_overlaps.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Second: ready to serve under the addresses, and hidden. Does nothing where they are shown already.
    pub(crate) async fn arm(&self, first: &HostName) -> Result<(), AddressError> {
        let keeper = self.keeper.lock().await;
        if keeper.is_some() {
            return Ok(());
        }
        let interface = self.usable_interface().await?;
        let peer = self.peer(first).await?;
        let own = self.own_addresses(interface).await?;
        // What is left of an earlier move of the other direction would send our own clients away.
        self.syn_hold.forget().await?;
        self.change_filter(self.rules.hide(&own)).await?;
        let kept = self.is_in_place(Step::Back).await?;
        self.change_filter(self.rules.back(&peer, interface.index, kept))
            .await?;
        self.put_on_loopback().await
    }

    /// Second: as before [`Vip::arm`].
    pub(crate) async fn disarm(&self) -> Result<(), AddressError> {
        let keeper = self.keeper.lock().await;
        if keeper.is_some() {
            return Ok(());
        }
        self.take_from_loopback().await?;
        self.change_filter(self.rules.without(&[Step::Back, Step::Hide])).await
    }

    /// First: new connections go to `second` from now on. Neighbours that ask are answered until the second appears.
    pub(crate) async fn yield_to(&self, second: &HostName) -> Result<(), AddressError> {
        let mut keeper = self.keeper.lock().await;
        self.absent.store(false, Ordering::SeqCst);
        let interface = self.usable_interface().await?;
        let peer = self.peer(second).await?;
        let own = self.own_addresses(interface).await?;
        let kept = self.is_in_place(Step::Drain).await?;
        self.change_filter(self.rules.drain(&peer, interface.index, kept))
            .await?;
        match keeper.as_ref() {
            Some(keeper) => keeper.fall_silent(self.rules.hide(&own)),
            None => *keeper = Some(self.keep(interface, Some(self.rules.hide(&own)))?),
        }
        self.change(Holding::Yielding, AddressEvent::Yielded { to: second.clone() });
        Ok(())
    }

    /// Second: answers for the addresses; connections that are not known here go back to the first.
    pub(crate) async fn appear(&self) -> Result<(), AddressError> {
        let mut keeper = self.keeper.lock().await;
        self.absent.store(false, Ordering::SeqCst);
        let interface = self.usable_interface().await?;
        self.put_on_interface(interface).await?;
        self.change_filter(self.rules.without(&[Step::Hide])).await?;
        match keeper.as_ref() {
            Some(keeper) => keeper.announce(),
            None => *keeper = Some(self.keep(interface, None)?),
        }
        self.take_from_loopback().await?;
        self.change(Holding::Admitting, AddressEvent::Taken);
        Ok(())
    }

    /// First: waits until the server has accepted everybody who was let in before the yield; says whom it has not.
    pub(crate) async fn settled(&self, within: Duration) -> Result<Vec<Remaining>, AddressError> {
        until_none(within, SETTLE_LOOK, || sockets::unaccepted(&self.config)).await
    }

    /// First: waits until no connection is left; says which are.
    pub(crate) async fn drained(&self, within: Duration) -> Result<Vec<Remaining>, AddressError> {
        until_none(within, DRAIN_LOOK, || sockets::unfinished(&self.config)).await
    }

    /// Undoes whatever a move left on the host that serves from now on, but for the connections that it has passed on.
    pub(super) async fn end_move(&self) -> Result<(), AddressError> {
        if self.is_in_place(Step::Drain).await? {
            self.change_filter(self.rules.drain_no_more()).await?;
            self.forget_passed_on();
        }
        self.change_filter(self.rules.without(&[Step::Back, Step::Hide]))
            .await?;
        self.take_from_loopback().await
    }

    /// Takes the drain's table away as soon as none of the connections that went to the other host is left.
    fn forget_passed_on(&self) {
        let (rules, filter) = (self.rules.clone(), self.filter.clone());
        tokio::spawn(async move {
            loop {
                sleep(FORGET_LOOK).await;
                let mut left = 0;
                for (place, set) in rules.passed_on() {
                    // No such set any more: somebody else took the table away.
                    left += filter.count(&place, set).await.unwrap_or(0);
                }
                if left == 0 {
                    let _ = filter.apply(rules.without(&[Step::Drain])).await;
                    return;
                }
            }
        });
    }

    pub(super) async fn change_filter(&self, batch: Batch) -> Result<(), AddressError> {
        let changed = self.filter.apply(batch).await;
        changed.map_err(|refused| self.unable(&refused))
    }

    async fn is_in_place(&self, step: Step) -> Result<bool, AddressError> {
        let tables = self
            .filter
            .tables(OURS)
            .await
            .map_err(|refused| self.unable(&refused))?;
        let sign = self.rules.sign_of(step);
        Ok(tables.iter().any(|found| found.place == sign))
    }

    fn unable(&self, refused: &Refused) -> AddressError {
        AddressError::Filter {
            service: self.service.to_string(),
            error: refused.to_string(),
            mend: ENABLE,
        }
    }

    /// The other host's own addresses, of each family that the service has.
    fn addresses_of(&self, host: &HostName) -> Result<Vec<IpAddr>, AddressError> {
        let known = self.config.hosts.get(host).cloned().unwrap_or_default();
        for (ipv6, example) in [(false, "192.0.2.2"), (true, "2001:db8::2")] {
            let wanted = self.config.addresses.iter().any(|address| address.ip.is_ipv6() == ipv6);
            if wanted && !known.iter().any(|ip| ip.is_ipv6() == ipv6) {
                let family = if ipv6 { "IPv6" } else { "IPv4" };
                return Err(AddressError::Config {
                    service: self.service.to_string(),
                    problem: format!(
                        "overlap needs the {family} address that {host} itself has on the service's link: add \
                         hosts = {{ {host} = [\"{example}\"] }}"
                    ),
                });
            }
        }
        Ok(known)
    }

    async fn peer(&self, host: &HostName) -> Result<Peer, AddressError> {
        let addresses = self.addresses_of(host)?;
        let found = link_of(&self.config.interface, &addresses).await;
        let link = found.map_err(|error| {
            let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            self.interface_error(format!(
                "{host} does not answer there under {}: {error}",
                addresses.join(" or ")
            ))
        })?;
        Ok(Peer { addresses, link })
    }

    /// The addresses of the interface that do not move.
    async fn own_addresses(&self, interface: Interface) -> Result<Vec<IpAddr>, AddressError> {
        let listed = self.kernel.addresses(interface.index).await;
        let all = listed.map_err(|error| self.interface_error(error.to_string()))?;
        let stays = |ip: IpAddr| !self.config.addresses.iter().any(|address| address.ip == ip);
        let own: Vec<_> = all.iter().map(|address| address.ip).filter(|ip| stays(*ip)).collect();
        let lacks = |ipv6| {
            self.config.addresses.iter().any(|address| address.ip.is_ipv6() == ipv6)
                && !own.iter().any(|ip| ip.is_ipv6() == ipv6)
        };
        if lacks(false) || lacks(true) {
            let problem = "overlap needs an address of this host's own beside the service's, of each family";
            return Err(self.interface_error(problem.to_owned()));
        }
        Ok(own)
    }

    async fn put_on_loopback(&self) -> Result<(), AddressError> {
        let loopback = self.loopback().await?;
        for address in &self.config.addresses {
            let alone = VipAddress {
                ip: address.ip,
                prefix: if address.ip.is_ipv4() { 32 } else { 128 },
            };
            let added = self.kernel.add(loopback.index, alone).await;
            added.map_err(|error| on_loopback("adding", address.ip, error))?;
        }
        Ok(())
    }

    pub(super) async fn take_from_loopback(&self) -> Result<(), AddressError> {
        let loopback = self.loopback().await?;
        for address in &self.config.addresses {
            let removed = self.kernel.remove(loopback.index, address.ip).await;
            removed.map_err(|error| on_loopback("removing", address.ip, error))?;
        }
        Ok(())
    }

    async fn loopback(&self) -> Result<Interface, AddressError> {
        let found = self.kernel.interface(LOOPBACK).await;
        let found = found.map_err(|error| self.interface_error(error.to_string()))?;
        found.ok_or_else(|| self.interface_error("this machine has no lo".to_owned()))
    }
}

fn on_loopback(doing: &'static str, address: IpAddr, error: impl ToString) -> AddressError {
    AddressError::Change {
        doing,
        address,
        interface: LOOPBACK.to_owned(),
        error: error.to_string(),
    }
}

/// Looks until there is nothing to find, or for `within`; the last finds.
async fn until_none<F>(
    within: Duration,
    every: Duration,
    mut look: impl FnMut() -> F,
) -> Result<Vec<Remaining>, AddressError>
where
    F: Future<Output = io::Result<Vec<Remaining>>>,
{
    let deadline = Instant::now() + within;
    loop {
        let found = look().await.map_err(|error| AddressError::System {
            what: "listing connections (sock_diag)",
            error,
        })?;
        if found.is_empty() || Instant::now() >= deadline {
            return Ok(found);
        }
        sleep(every).await;
    }
}

/// Asks the link who has one of these addresses.
async fn link_of(interface: &str, addresses: &[IpAddr]) -> io::Result<Link> {
    let wire = Wire::open(interface, addresses.iter().any(IpAddr::is_ipv6))?;
    let wire = wire.ok_or_else(|| io::Error::other("not an ethernet interface"))?;
    for _ in 0..QUESTIONS {
        for address in addresses {
            wire.send(&frames::probe(*address, wire.link()))?;
        }
        let answer = timeout(ANSWER, async {
            loop {
                match wire.claim().await {
                    Ok((ip, link)) if addresses.contains(&ip) => return Ok(link),
                    Ok(_) => {}
                    Err(error) => return Err(error),
                }
            }
        });
        if let Ok(found) = answer.await {
            return found;
        }
    }
    Err(io::Error::other("no answer to ARP or neighbour discovery"))
}

const LOOPBACK: &str = "lo";
/// The kernel completes and the server accepts within a few milliseconds.
const SETTLE_LOOK: Duration = Duration::from_millis(5);
const DRAIN_LOOK: Duration = Duration::from_millis(20);
const FORGET_LOOK: Duration = Duration::from_secs(1);
/// A question may be lost.
const QUESTIONS: usize = 5;
const ANSWER: Duration = Duration::from_millis(200);
const ENABLE: &str = "overlap needs netdev tables with sets that rules fill and with fwd (CONFIG_NF_TABLES_NETDEV, \
     CONFIG_NFT_FWD_NETDEV, CONFIG_NF_TABLES_ARP; modprobe nft_fwd_netdev) and CAP_NET_ADMIN; without them use mode = \"exclusive\", and leave \
     hosts out of [service.address]";
