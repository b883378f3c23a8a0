//! What makes a move harder, before it begins.

use anyhow::Result;

use crate::cluster::HOSTS;
use crate::lan::{CLIENT, INTERFACE, Lan, OWN, VIPS, link_address};

/// Something that real networks have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harsh {
    /// Both hosts' firewalls follow connections, and drop what is forwarded or does not belong to one.
    Firewall,
    /// Both hosts drop what comes in by another way than the answer would go.
    StrictReversePath,
    /// The client never learns that the address has moved.
    StaleNeighbour,
}

impl Harsh {
    /// Arranges it.
    pub(super) fn apply(self, lan: &Lan) -> Result<()> {
        match self {
            Harsh::Firewall => {
                for node in HOSTS {
                    lan.run(node, "sysctl -qw net.ipv4.ip_forward=1")?;
                    for rule in [
                        "add table inet firewall",
                        "add chain inet firewall input { type filter hook input priority 0 ; policy accept ; }",
                        "add rule inet firewall input ct state invalid drop",
                        "add rule inet firewall input tcp flags & (syn | ack) != syn ct state new drop",
                        "add chain inet firewall forward { type filter hook forward priority 0 ; policy drop ; }",
                    ] {
                        lan.run(node, &format!("nft {rule}"))?;
                    }
                    // Without this, the kernel takes up connections in their middle.
                    lan.run(node, "sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0")?;
                }
            }
            Harsh::StrictReversePath => {
                for node in HOSTS {
                    lan.run(
                        node,
                        "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1",
                    )?;
                }
            }
            Harsh::StaleNeighbour => {
                let (vip, first) = (VIPS[1], link_address(OWN[0]));
                lan.run(
                    CLIENT,
                    &format!("ip neighbour replace {vip} lladdr {first} dev {INTERFACE} nud permanent"),
                )?;
            }
        }
        Ok(())
    }
}
