//! The hosts' configuration files, as an operator would write them.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::knobs::{self, Policies};
use super::{Built, HOSTS, SERVICES, Site};
use crate::lan::{self, Lan};
use crate::servers::{QUICK_FILE, STATUS_PATH};

/// The ports of two hosts.
#[derive(Debug, Clone)]
pub struct Ports {
    /// Where clients find the services, in the order of [`SERVICES`].
    pub clients: [Ipv4Addr; 2],
    /// Where clients find the Redis service, on whichever host.
    pub redis: u16,
    /// Where clients find the web service.
    pub web: u16,
    /// The hosts' own.
    pub hosts: [HostPorts; 2],
}

/// One host's own ports.
#[derive(Debug, Clone, Copy)]
pub struct HostPorts {
    /// Where the host is.
    pub ip: Ipv4Addr,
    /// Its Redis server.
    pub redis: u16,
    /// Its web server.
    pub web: u16,
    /// REST and the page.
    pub api: u16,
    /// The other host.
    pub peer: u16,
}

impl Ports {
    /// Where clients find a service.
    pub fn service(&self, service: &str) -> SocketAddr {
        if service == SERVICES[0] {
            (self.clients[0], self.redis).into()
        } else {
            (self.clients[1], self.web).into()
        }
    }

    /// Every host with all ports for itself, on a link of its own.
    pub fn on_a_lan() -> Ports {
        let host = |ip| HostPorts {
            ip,
            redis: LAN_REDIS,
            web: LAN_WEB,
            api: LAN_API,
            peer: LAN_PEER,
        };
        Ports {
            clients: lan::VIPS,
            redis: LAN_REDIS,
            web: LAN_WEB,
            hosts: lan::OWN.map(host),
        }
    }
}

/// What differs between the demo and the tests.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// Of [`SERVICES`].
    pub services: Vec<&'static str>,
    /// When services go home.
    pub giveback: Giveback,
    /// How large each host's disk is.
    pub disk_mebibytes: u32,
    /// How long a cured server must look healthy, for example `3s`.
    pub hold: &'static str,
    /// How long a drain may take.
    pub drain: &'static str,
    /// The hosts' own link, where addresses move; none: both hosts on loopback, with a proxy before each server.
    pub lan: Option<Arc<Lan>>,
    /// Both servers may run while a service moves; only on a link of the hosts' own.
    pub overlap: bool,
    /// Makes every answer of the web servers and of its commands a matter of files, and all timers short.
    pub knobs: Option<Policies>,
}

/// When services go home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Giveback {
    /// When the operator says so.
    Manual,
    /// By themselves, after so many seconds.
    AutoAfter(u32),
}

/// The ports on a host of its own.
const LAN_REDIS: u16 = 6379;
const LAN_WEB: u16 = 80;
const LAN_API: u16 = 7420;
const LAN_PEER: u16 = 7421;

/// Less than this left, and the disk is full for the servers.
const MIN_DISK_FREE: u64 = 4_000_000;

impl Wishes {
    /// Quick timers, no giveback by itself.
    pub fn for_tests(services: &[&'static str]) -> Wishes {
        Wishes {
            services: services.to_vec(),
            giveback: Giveback::Manual,
            disk_mebibytes: 64,
            hold: "1s",
            drain: "20s",
            lan: None,
            overlap: false,
            knobs: None,
        }
    }
}

/// Writes the configuration of `site`.
pub(crate) fn write(site: &Site, other: &Site, ports: &Ports, built: &Built, wishes: &Wishes) -> Result<()> {
    let mut text = host(site, other, built);
    for service in &wishes.services {
        text.push_str(&service_table(service, site, other, ports, wishes));
    }
    fs::write(site.config_file(), text).with_context(|| format!("writing {}", site.config_file().display()))
}

fn host(site: &Site, other: &Site, built: &Built) -> String {
    format!(
        "# {name}: one of two hosts on this machine.\n\
         [host]\nname = \"{name}\"\nstate_dir = {state}\nplugin_dir = {plugins}\ndata_disks = [{disk}]\n\n\
         [api]\nlisten = \"{api}\"\n{token}\n\
         [cluster]\nlisten = \"{peer}\"\nidentity = {identity}\n\n\
         [[cluster.peer]]\nname = \"{other}\"\naddress = \"{other_peer}\"\n",
        name = site.name,
        state = quoted(&site.state()),
        plugins = quoted(&built.plugins),
        disk = quoted(site.disk.path()),
        api = site.api(),
        token = site
            .token_file()
            .map(|file| format!("token_file = {}\n", quoted(&file)))
            .unwrap_or_default(),
        peer = site.peer(),
        identity = quoted(&site.identity()),
        other = other.name,
        other_peer = other.peer(),
    )
}

fn service_table(service: &str, site: &Site, other: &Site, ports: &Ports, wishes: &Wishes) -> String {
    let mut text = format!(
        "\n[[service]]\nname = \"{service}\"\nserver_type = \"{server_type}\"\n{mode}\
         candidates = [\"{}\", \"{}\"]\n\n\
         {own_ports}\n[service.address]\n{address}\n",
        HOSTS[0],
        HOSTS[1],
        mode = if wishes.overlap { "mode = \"overlap\"\n" } else { "" },
        own_ports = own_ports(service, site, wishes),
        address = address(service, site, ports, wishes),
        server_type = match service {
            "redis" => "redis",
            _ if wishes.knobs.is_some() => "http",
            _ => "nginx",
        },
    );
    text.push_str(&match &wishes.knobs {
        _ if service == SERVICES[0] => redis(site, other),
        Some(policies) => knobs::plugin(policies, site),
        None => nginx(site),
    });
    if let Some(policies) = wishes.knobs.as_ref() {
        text.push_str(&knobs::settings(policies, service, site));
        return text;
    }
    let (giveback, delay) = match wishes.giveback {
        Giveback::Manual => ("manual", 0),
        Giveback::AutoAfter(seconds) => ("auto", seconds),
    };
    let _infallible = write!(
        text,
        "\n[service.probe]\ninterval = \"500ms\"\ntimeout = \"1s\"\nrise = 2\nfall = 2\n\n\
         [service.drain]\ndeadline = \"{drain}\"\n\n\
         [service.giveback]\npolicy = \"{giveback}\"\ndelay = \"{delay}s\"\nattempts = 2\n\n\
         [service.timing]\nhold = \"{hold}\"\nstay_down = \"1s\"\nobserve = \"500ms\"\nretry = \"3s\"\n\n\
         # The server's own restart: here it is what a reboot would do for it.\n\
         [service.reboot]\nargv = {reboot}\nmachine = false\n",
        drain = wishes.drain,
        hold = wishes.hold,
        reboot = argv(&reboot(service, site, other)),
    );
    text
}

/// What moves an address must know the server's ports; a proxy knows them.
fn own_ports(service: &str, site: &Site, wishes: &Wishes) -> String {
    match wishes.lan {
        Some(_) => format!("ports = [{}]\n", site.server(service).port()),
        None => String::new(),
    }
}

fn address(service: &str, site: &Site, ports: &Ports, wishes: &Wishes) -> String {
    let clients = ports.service(service);
    match wishes.lan {
        Some(_) => format!(
            "mode = \"vip\"\naddresses = [\"{}/{}\"]\ninterface = \"{}\"\nhosts = {{ {} = [\"{}\"], {} = [\"{}\"] }}\n",
            clients.ip(),
            lan::PREFIX,
            lan::INTERFACE,
            HOSTS[0],
            lan::OWN[0],
            HOSTS[1],
            lan::OWN[1],
        ),
        None => format!(
            "mode = \"proxy\"\nlisten = [\"{clients}\"]\nserver = \"{}\"\n{carry_idle}",
            site.server(service),
            // Right for HTTP, where every request stands for itself; a connection to Redis has a memory.
            carry_idle = if service == SERVICES[0] {
                ""
            } else {
                "carry_idle = true\n"
            },
        ),
    }
}

fn redis(site: &Site, other: &Site) -> String {
    let start = site.redis.start_command();
    let replica = ["--replicaof", "{host}", "{port}"].map(str::to_owned);
    let start_replica: Vec<String> = start.iter().cloned().chain(replica).collect();
    format!(
        "[[service.plugin]]\ncomponent = \"redis.wasm\"\n\
         grant = [\"endpoint:server\", \"endpoint:peer\", \"command:start\", \"command:start-replica\", \
         \"command:status\", \"system\", \"sockets\"]\n\
         disks = [{disk}]\n\n\
         [service.plugin.config]\ndisk-path = {disk}\nmin-disk-free-bytes = {MIN_DISK_FREE}\n\
         addresses = {{ {me} = \"{mine}\", {they} = \"{theirs}\" }}\n\n\
         [service.plugin.endpoints.server]\ntcp = \"{mine}\"\n\n\
         [service.plugin.endpoints.peer]\ntcp = \"{theirs}\"\n\n\
         [service.plugin.commands.start]\nargv = {start}\ntimeout = \"10s\"\nchanges = true\n\n\
         [service.plugin.commands.start-replica]\nargv = {start_replica}\ntimeout = \"10s\"\nchanges = true\n\
         parameters = {{ host = \"word\", port = \"number\" }}\n\n\
         [service.plugin.commands.status]\nargv = {status}\ntimeout = \"2s\"\nchanges = false\n",
        disk = quoted(site.disk.path()),
        me = site.name,
        they = other.name,
        mine = site.redis.address(),
        theirs = other.redis.address(),
        start = argv(&start),
        start_replica = argv(&start_replica),
        status = argv(&status(&site.redis.pid_file(), "redis-server")),
    )
}

fn nginx(site: &Site) -> String {
    let mut text = format!(
        "[[service.plugin]]\ncomponent = \"nginx.wasm\"\n\
         grant = [\"endpoint:server\", \"endpoint:status\", \"command:test\", \"command:start\", \"command:quit\", \
         \"command:stop\", \"command:kill\", \"command:status\", \"system\", \"sockets\"]\n\
         disks = [{disk}]\n\n\
         [service.plugin.config]\nhealth-path = \"{health}\"\nstatus-path = \"{STATUS_PATH}\"\n\
         disk-paths = [{disk}]\nmin-disk-free-bytes = {MIN_DISK_FREE}\n\n\
         [service.plugin.endpoints.server]\ntcp = \"{server}\"\n\n\
         [service.plugin.endpoints.status]\ntcp = \"{server}\"\n",
        disk = quoted(site.disk.path()),
        health = QUICK_FILE.path,
        server = site.web.address(),
    );
    for (name, argv_, changes) in [
        ("test", site.web.command(&["-t", "-q"]), false),
        ("start", site.web.command(&[]), true),
        ("quit", site.web.command(&["-s", "quit"]), true),
        ("stop", site.web.command(&["-s", "stop"]), true),
        ("kill", site.web.kill_command(), true),
        ("status", site.web.status_command(), false),
    ] {
        let _infallible = write!(
            text,
            "\n[service.plugin.commands.{name}]\nargv = {}\ntimeout = \"10s\"\nchanges = {changes}\n",
            argv(&argv_)
        );
    }
    text
}

/// Whether the process that the pid file names runs. A dead one that nobody has waited for has no command line.
fn status(pid_file: &Path, title: &str) -> Vec<String> {
    let script = format!(
        "grep -q '{title}' \"/proc/$(cat '{}')/cmdline\" 2>/dev/null",
        pid_file.display()
    );
    ["/bin/sh", "-c", &script].map(str::to_owned).to_vec()
}

/// What cures the server once its disk has room again.
fn reboot(service: &str, site: &Site, other: &Site) -> Vec<String> {
    if service == SERVICES[0] {
        // As a replica from the first moment: nobody could write to it by mistake.
        let other = other.redis.address();
        let replica = [
            "--replicaof".to_owned(),
            other.ip().to_string(),
            other.port().to_string(),
        ];
        site.redis.start_command().into_iter().chain(replica).collect()
    } else {
        // An nginx that stands by is stopped: what can be cured is what it left on the disk.
        let temp = site.disk.path().join("web/temp");
        let script = format!(
            "rm -rf '{}'/*/* && exec {}",
            temp.display(),
            site.web.command(&["-t", "-q"]).join(" ")
        );
        ["/bin/sh", "-c", &script].map(str::to_owned).to_vec()
    }
}

pub(super) fn argv(words: &[String]) -> String {
    toml::Value::from(words.to_vec()).to_string()
}

fn quoted(path: &Path) -> String {
    toml::Value::from(path.display().to_string()).to_string()
}
