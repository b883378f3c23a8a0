//! `[service.address]`: how clients find the service.

use std::collections::BTreeMap;
use std::net::IpAddr;

use understudy_address::{AddressConfig, ProxyConfig, VipAddress, VipConfig};
use understudy_protocol::HostName;

use super::reader::Table;
use super::value::{self, Wrong, word};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Proxy,
    Vip,
}

/// Reads the section; `ports` are the service's.
pub(super) fn address(table: &Table<'_>, ports: &[u16]) -> Option<AddressConfig> {
    let words = [("proxy", Mode::Proxy), ("vip", Mode::Vip)];
    let mode = table.required("mode", "\"proxy\" (or \"vip\")", word(&words));
    let config = match mode {
        Some(Mode::Proxy) => proxy(table),
        Some(Mode::Vip) => vip(table, ports),
        None => return None,
    };
    table.finish();
    config
}

/// The ports that the local server certainly has.
pub(super) fn server_ports(address: &AddressConfig) -> Vec<u16> {
    match address {
        AddressConfig::Proxy(proxy) => vec![proxy.server.port()],
        AddressConfig::Vip(vip) => vip.ports.clone(),
    }
}

fn proxy(table: &Table<'_>) -> Option<AddressConfig> {
    table.require("listen", "add listen = [\"127.0.0.1:7001\"]: where clients connect");
    let listen = table.list("listen", value::socket);
    let server = table.required(
        "server",
        "\"127.0.0.1:7101\" (where the local server listens)",
        value::socket,
    );
    let carry_idle = table.optional("carry_idle", value::flag).unwrap_or(false);
    let proxy_protocol = table.optional("proxy_protocol", value::flag).unwrap_or(false);
    let patience = |key| table.optional(key, value::duration);
    let (connect, take, linger) = (
        patience("connect_patience"),
        patience("take_patience"),
        patience("release_linger"),
    );
    not_of_this_mode(table, &["addresses", "interface", "hosts"], "vip");
    let usual = ProxyConfig::new(listen, server?);
    Some(AddressConfig::Proxy(ProxyConfig {
        carry_idle,
        proxy_protocol,
        connect_patience: connect.unwrap_or(usual.connect_patience),
        take_patience: take.unwrap_or(usual.take_patience),
        release_linger: linger.unwrap_or(usual.release_linger),
        ..usual
    }))
}

fn vip(table: &Table<'_>, ports: &[u16]) -> Option<AddressConfig> {
    table.require(
        "addresses",
        "add addresses = [\"192.0.2.10/24\"]: what moves between the hosts",
    );
    let addresses = table.list("addresses", |value| {
        value::text(value)?
            .parse::<VipAddress>()
            .map_err(|error| Wrong::new(error.to_string()))
    });
    let interface = table.required("interface", "\"eth0\" (the interface to put them on)", value::text);
    let of_proxy = [
        "listen",
        "server",
        "carry_idle",
        "proxy_protocol",
        "connect_patience",
        "take_patience",
        "release_linger",
    ];
    not_of_this_mode(table, &of_proxy, "proxy");
    Some(AddressConfig::Vip(VipConfig {
        addresses,
        interface: interface?,
        ports: ports.to_vec(),
        hosts: hosts(table),
    }))
}

/// What each candidate's own addresses on the service's link are.
fn hosts(table: &Table<'_>) -> BTreeMap<HostName, Vec<IpAddr>> {
    let named = table.named("hosts", value::addresses);
    let mut hosts = BTreeMap::new();
    for (name, addresses) in named {
        match HostName::new(&name) {
            Ok(host) => {
                hosts.insert(host, addresses);
            }
            Err(error) => table.notes().problem(table.problem("hosts", error.to_string())),
        }
    }
    hosts
}

/// Known keys in the wrong mode: a better answer than "unknown".
fn not_of_this_mode(table: &Table<'_>, keys: &[&'static str], other: &str) {
    for key in keys {
        if table.has(key) {
            // Read for its place only.
            let _ = table.optional(key, |_| Ok(()));
            let problem = table.problem(key, format!("`{key}` belongs to mode \"{other}\""));
            table
                .notes()
                .problem(problem.mend(format!("remove it, or set mode = \"{other}\"")));
        }
    }
}
