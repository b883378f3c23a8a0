//! What the packet filter is to do, as transactions. Pure.
//!
//! Invariant: every table's name is made of a step and the service's name, and its comment says the rest: a table that a
//! killed daemon left is found by it, goes on working meanwhile, and can be undone by the next one.

use std::net::IpAddr;
use std::time::Duration;

use super::frames::Link;
use crate::VipConfig;
use crate::nft::{Batch, Expression, Family, Hook, KeyPart, Place, Set};

/// All tables of this program begin so.
pub(super) const OURS: &str = "us_";

/// One service's rules.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    service: String,
    config: VipConfig,
}

/// The other host of a move, as seen on the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    /// Its own addresses, at most one of a family: frames for the service are sent to them.
    pub(super) addresses: Vec<IpAddr>,
    /// Its link-layer address.
    pub(super) link: Link,
}

/// What a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// New connections wait.
    Hold,
    /// New connections go to the other host, the others stay.
    Drain,
    /// Connections that are not ours go back to the other host.
    Back,
    /// The addresses are not shown to neighbours.
    Hide,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Step::Hold => "hold",
            Step::Drain => "drain",
            Step::Back => "back",
            Step::Hide => "hide",
        }
    }
}

impl Rules {
    pub(super) fn new(service: &str, config: &VipConfig) -> Self {
        Rules {
            service: service.to_owned(),
            config: config.clone(),
        }
    }

    /// Packets that open a connection are dropped before the host sees them.
    pub(super) fn hold(&self) -> Batch {
        let mut batch = Batch::new();
        let place = self.place(Family::Netdev, Step::Hold);
        batch.fresh_table(&place, &self.comment("new connections wait"));
        batch.chain(&place, GATE, Hook::Ingress(&self.config.interface, HOLD_PRIORITY));
        for matches in self.matches() {
            let parts = [matches, Expression::opens(), Expression::count(), Expression::drop()];
            batch.rule(&place, GATE, &[parts.concat()]);
        }
        batch
    }

    /// New connections go to `second`, and whatever belongs to them; what is under way stays. `kept`: the table is there
    /// and its connections stay known.
    pub(super) fn drain(&self, second: &Peer, interface: u32, kept: bool) -> Batch {
        let mut batch = Batch::new();
        let place = self.place(Family::Netdev, Step::Drain);
        self.table_of_flows(&mut batch, &place, "new connections go to the other host", kept);
        for (family, to) in self.families(second) {
            let key = Expression::flow_key(family.ipv6);
            let opens = [Expression::opens(), key.clone(), Expression::remember(family.set)];
            batch.rule(&place, family.opening, &opens);
            batch.rule(&place, family.chain, &[Expression::call(family.opening)]);
            let known = [key, Expression::in_set(family.set), Expression::remember(family.set)];
            let pass_on = [Expression::count(), Expression::forward(interface, to)];
            batch.rule(&place, family.chain, &[known.concat(), pass_on.concat()]);
        }
        self.gate(&mut batch, &place);
        batch
    }

    /// Undoes [`Rules::drain`] for connections to come; those that went to the other host go on there. A client that still
    /// tries to open one got no answer there, and comes here from now on.
    pub(super) fn drain_no_more(&self) -> Batch {
        let mut batch = Batch::new();
        let place = self.place(Family::Netdev, Step::Drain);
        for family in self.used_families() {
            batch.flush(&place, family.opening);
            let key = Expression::flow_key(family.ipv6);
            let tries_again = [Expression::opens(), key, Expression::forget(family.set)];
            batch.rule(&place, family.opening, &tries_again);
        }
        batch
    }

    /// Connections that did not begin here go back to `first`, unless they come from there. `kept` as with a drain.
    pub(super) fn back(&self, first: &Peer, interface: u32, kept: bool) -> Batch {
        let mut batch = Batch::new();
        let place = self.place(Family::Netdev, Step::Back);
        self.table_of_flows(&mut batch, &place, "connections of the other host go back to it", kept);
        for (family, to) in self.families(first) {
            let key = Expression::flow_key(family.ipv6);
            let remember = Expression::remember(family.set);
            let opens = [Expression::opens(), key.clone(), remember.clone(), Expression::accept()];
            batch.rule(&place, family.chain, &opens);
            let known = [key, Expression::in_set(family.set), remember, Expression::accept()];
            batch.rule(&place, family.chain, &known);
            let returned = [
                Expression::from_link(first.link),
                Expression::count(),
                Expression::accept(),
            ];
            batch.rule(&place, family.chain, &returned);
            let forward = [Expression::count(), Expression::forward(interface, to)];
            batch.rule(&place, family.chain, &forward);
        }
        self.gate(&mut batch, &place);
        batch
    }

    /// Neighbours do not learn from this host that it has the addresses: it answers nobody who asks for them, and asks
    /// for others under its `own` address.
    pub(super) fn hide(&self, own: &[IpAddr]) -> Batch {
        let mut batch = Batch::new();
        for place in self.hide_places() {
            batch.fresh_table(&place, &self.comment("neighbours do not see the addresses here"));
            match place.family {
                Family::Arp => self.hide_from_arp(&mut batch, &place, own),
                Family::Ipv6 => self.hide_from_discovery(&mut batch, &place, own),
                Family::Netdev => {
                    batch.chain(&place, GATE, Hook::Ingress(&self.config.interface, DRAIN_PRIORITY));
                    for ip in self.ipv6() {
                        let asked = [
                            Expression::icmpv6(NEIGHBOUR_SOLICITATION),
                            Expression::neighbour_target(ip),
                        ];
                        batch.rule(&place, GATE, &[asked.concat(), Expression::drop()]);
                    }
                }
            }
        }
        batch
    }

    /// No rules of these steps any more.
    pub(super) fn without(&self, steps: &[Step]) -> Batch {
        let mut batch = Batch::new();
        for step in steps {
            match step {
                Step::Hide => {
                    for place in self.hide_places() {
                        batch.no_table(&place);
                    }
                }
                Step::Hold | Step::Drain | Step::Back => {
                    batch.no_table(&self.place(Family::Netdev, *step));
                }
            }
        }
        batch
    }

    /// The set of connections that a drain has passed on, of each family.
    pub(super) fn passed_on(&self) -> Vec<(Place, &'static str)> {
        let place = self.place(Family::Netdev, Step::Drain);
        self.used_families().map(|family| (place.clone(), family.set)).collect()
    }

    /// The table that shows whether a step is in place.
    pub(super) fn sign_of(&self, step: Step) -> Place {
        match step {
            Step::Hide if !self.has(false) => self.place(Family::Ipv6, step),
            Step::Hide => self.place(Family::Arp, step),
            Step::Hold | Step::Drain | Step::Back => self.place(Family::Netdev, step),
        }
    }

    fn hide_from_arp(&self, batch: &mut Batch, place: &Place, own: &[IpAddr]) {
        batch.chain(place, "in", Hook::Input);
        batch.chain(place, "out", Hook::Output);
        for address in &self.config.addresses {
            let IpAddr::V4(ip) = address.ip else { continue };
            let asked = [Expression::arp_request(ip.octets(), false), Expression::drop()];
            batch.rule(place, "in", &asked);
            let asks = Expression::arp_request(ip.octets(), true);
            let own = own.iter().find_map(|own| match own {
                IpAddr::V4(own) => Some(own.octets()),
                IpAddr::V6(_) => None,
            });
            let instead = own.map_or_else(Expression::drop, Expression::set_arp_sender);
            batch.rule(place, "out", &[asks, instead]);
        }
    }

    fn hide_from_discovery(&self, batch: &mut Batch, place: &Place, own: &[IpAddr]) {
        batch.chain(place, "out", Hook::Output);
        for ip in self.ipv6() {
            let asks = [
                Expression::from_address(IpAddr::from(ip)),
                Expression::icmpv6(NEIGHBOUR_SOLICITATION),
            ];
            let own = own.iter().find_map(|own| match own {
                IpAddr::V6(own) => Some(own.octets()),
                IpAddr::V4(_) => None,
            });
            let instead = own.map_or_else(Expression::drop, Expression::set_ipv6_source);
            batch.rule(place, "out", &[asks.concat(), instead]);
            let says = [
                Expression::icmpv6(NEIGHBOUR_ADVERTISEMENT),
                Expression::neighbour_target(ip),
            ];
            batch.rule(place, "out", &[says.concat(), Expression::drop()]);
        }
    }

    /// A table with a set and an empty chain for each family, and an empty gate.
    fn table_of_flows(&self, batch: &mut Batch, place: &Place, does: &str, kept: bool) {
        if kept {
            batch.flush(place, GATE);
            for family in self.used_families() {
                batch.flush(place, family.chain);
                batch.flush(place, family.opening);
            }
            return;
        }
        batch.fresh_table(place, &self.comment(does));
        for family in self.used_families() {
            batch.set(place, family.set());
            batch.chain(place, family.opening, Hook::None);
            batch.chain(place, family.chain, Hook::None);
        }
        batch.chain(place, GATE, Hook::Ingress(&self.config.interface, DRAIN_PRIORITY));
    }

    /// What is for the service goes on to the chain of its family.
    fn gate(&self, batch: &mut Batch, place: &Place) {
        for (matches, ipv6) in self.matches().into_iter().zip(self.matched_families()) {
            let chain = if ipv6 { V6.chain } else { V4.chain };
            batch.rule(place, GATE, &[matches, Expression::go_to(chain)]);
        }
    }

    /// One list of conditions for each address and port.
    fn matches(&self) -> Vec<Vec<Expression>> {
        let each = self.config.addresses.iter().flat_map(|address| {
            let to = [Expression::to_address(address.ip), Expression::tcp()].concat();
            match self.config.ports.as_slice() {
                [] => vec![to],
                ports => ports
                    .iter()
                    .map(|port| [to.clone(), Expression::to_port(*port)].concat())
                    .collect(),
            }
        });
        each.collect()
    }

    fn matched_families(&self) -> impl Iterator<Item = bool> {
        let times = self.config.ports.len().max(1);
        let addresses = self.config.addresses.iter();
        addresses.flat_map(move |address| std::iter::repeat_n(address.ip.is_ipv6(), times))
    }

    /// The families that the service has, with the other host's address of each.
    fn families(&self, other: &Peer) -> Vec<(Flows, IpAddr)> {
        let with_other = self.used_families().filter_map(|family| {
            let ip = other.addresses.iter().find(|ip| ip.is_ipv6() == family.ipv6)?;
            Some((family, *ip))
        });
        with_other.collect()
    }

    fn used_families(&self) -> impl Iterator<Item = Flows> {
        [V4, V6].into_iter().filter(|family| self.has(family.ipv6))
    }

    fn hide_places(&self) -> Vec<Place> {
        let mut places = Vec::new();
        if self.has(false) {
            places.push(self.place(Family::Arp, Step::Hide));
        }
        if self.has(true) {
            places.push(self.place(Family::Ipv6, Step::Hide));
            places.push(self.place(Family::Netdev, Step::Hide));
        }
        places
    }

    fn has(&self, ipv6: bool) -> bool {
        self.config.addresses.iter().any(|address| address.ip.is_ipv6() == ipv6)
    }

    fn ipv6(&self) -> impl Iterator<Item = [u8; 16]> {
        self.config.addresses.iter().filter_map(|address| match address.ip {
            IpAddr::V6(ip) => Some(ip.octets()),
            IpAddr::V4(_) => None,
        })
    }

    fn place(&self, family: Family, step: Step) -> Place {
        Place::new(family, format!("{OURS}{}_{}", step.name(), self.service))
    }

    fn comment(&self, does: &str) -> String {
        let addresses: Vec<_> = self.config.addresses.iter().map(ToString::to_string).collect();
        format!(
            "understudy: {does}: {} {} {}",
            self.service,
            self.config.interface,
            addresses.join(" ")
        )
    }
}

/// The flows of one family in a table.
#[derive(Clone, Copy)]
struct Flows {
    ipv6: bool,
    set: &'static str,
    /// What happens to the service's packets.
    chain: &'static str,
    /// What happens to those that open a connection, before.
    opening: &'static str,
    key: [KeyPart; 4],
}

impl Flows {
    fn set(&self) -> Set<'_> {
        Set {
            name: self.set,
            key: &self.key,
            size: MOST_FLOWS,
            timeout: FLOW_TIMEOUT,
        }
    }
}

const V4: Flows = Flows {
    ipv6: false,
    set: "flows4",
    chain: "service4",
    opening: "opening4",
    key: [KeyPart::Ipv4, KeyPart::Port, KeyPart::Ipv4, KeyPart::Port],
};
const V6: Flows = Flows {
    ipv6: true,
    set: "flows6",
    chain: "service6",
    opening: "opening6",
    key: [KeyPart::Ipv6, KeyPart::Port, KeyPart::Ipv6, KeyPart::Port],
};
/// The chain that all packets meet first.
const GATE: &str = "gate";
/// Before connection tracking, the reverse path filter and the host's firewall, which need not hear of what goes on.
const DRAIN_PRIORITY: i32 = -500;
/// After a drain's rules: what these send elsewhere does not wait.
const HOLD_PRIORITY: i32 = -490;
/// 1,700 new connections a second for the whole timeout; a hundred bytes each, taken only when they come.
const MOST_FLOWS: u32 = 1 << 20;
/// A connection that is silent for longer than this during a drain counts as the other host's.
const FLOW_TIMEOUT: Duration = Duration::from_secs(600);
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
