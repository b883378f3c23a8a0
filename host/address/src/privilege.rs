//! What this process may do, asked of the kernel before the first move, so that a missing privilege is found at start.

use std::fs;

/// A capability by its number in `linux/capability.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capability {
    number: u32,
    pub(crate) name: &'static str,
}

/// To listen on a port below `net.ipv4.ip_unprivileged_port_start`.
pub(crate) const NET_BIND_SERVICE: Capability = Capability {
    number: 10,
    name: "CAP_NET_BIND_SERVICE",
};
/// To change addresses and packet filters.
pub(crate) const NET_ADMIN: Capability = Capability {
    number: 12,
    name: "CAP_NET_ADMIN",
};
/// To send and see link-layer frames.
pub(crate) const NET_RAW: Capability = Capability {
    number: 13,
    name: "CAP_NET_RAW",
};

/// Whether this process has the capability now. Where the kernel does not say, it is assumed: the move itself will tell.
pub(crate) fn has(capability: Capability) -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    effective(&status).is_none_or(|bits| bits & (1 << capability.number) != 0)
}

/// The lowest port that anybody may listen on.
pub(crate) fn first_unprivileged_port() -> u16 {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    text.trim().parse().unwrap_or(1024)
}

fn effective(status: &str) -> Option<u64> {
    let bits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(bits.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_set_is_read() {
        assert_eq!(
            effective("Name:\tx\nCapPrm:\t0\nCapEff:\t0000000000003000\n"),
            Some(1 << 12 | 1 << 13)
        );
        assert_eq!(effective("Name:\tx\n"), None);
    }
}
