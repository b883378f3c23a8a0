//! A link of its own for one test: a client and two hosts, each in a network namespace, on a bridge in a fourth. What
//! runs in one of them has all ports for itself, and the cable between the hosts can be cut.
//!
//! Invariants: the namespaces' names start with `ustest-<pid>-`; they are deleted when the last handle is gone, and a
//! guard that finds their list in its folder (see [`Lan::note_in`]) deletes them when the test was killed.

mod watch;

use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::cluster::HOSTS;
use crate::servers::{is_root, run_to_end};

pub use watch::{Sighting, Watch};

/// Where the clients are.
pub const CLIENT: &str = "client";
/// The services' addresses, in the order of [`crate::cluster::SERVICES`].
pub const VIPS: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 11), Ipv4Addr::new(192, 0, 2, 10)];
/// The hosts' own addresses, in the order of [`HOSTS`].
pub const OWN: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 2), Ipv4Addr::new(192, 0, 2, 3)];
/// The web service's address beside [`VIPS`].
pub const WEB_VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);
/// The bits of the network that all addresses of IPv6 are in.
pub const PREFIX6: u8 = 64;
/// The interface on every node.
pub const INTERFACE: &str = "eth0";
/// The bits of the network that all addresses are in.
pub const PREFIX: u8 = 24;

const SWITCH: &str = "switch";
const CLIENT_OWN: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The file in a test's folder that names its namespaces.
const LIST: &str = "namespaces";

/// The namespaces of one test.
#[derive(Debug)]
pub struct Lan {
    prefix: String,
}

impl Lan {
    /// Makes the nodes and the link.
    ///
    /// # Errors
    /// Without root, and where `ip` is missing: says so.
    pub fn new() -> Result<Arc<Lan>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        ensure!(
            is_root(),
            "this test makes network namespaces, and only root may: run it as root (sudo -E cargo test -p understudy-tests)"
        );
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let lan = Lan {
            prefix: format!("ustest-{}-{number}-", std::process::id()),
        };
        lan.add(SWITCH)?;
        lan.run(SWITCH, "ip link add br0 type bridge forward_delay 0 mcast_snooping 0")?;
        lan.run(SWITCH, "ip link set br0 up")?;
        for (node, own) in [(CLIENT, CLIENT_OWN), (HOSTS[0], OWN[0]), (HOSTS[1], OWN[1])] {
            lan.plug_in(node, own)?;
        }
        Ok(Arc::new(lan))
    }

    fn plug_in(&self, node: &str, own: Ipv4Addr) -> Result<()> {
        self.add(node)?;
        let there = self.namespace(node);
        self.run(
            SWITCH,
            &format!("ip link add to-{node} type veth peer name {INTERFACE} netns {there}"),
        )?;
        self.run(SWITCH, &format!("ip link set to-{node} master br0 up"))?;
        let link = link_address(own);
        self.run(node, &format!("ip link set {INTERFACE} address {link}"))?;
        self.run(node, "ip link set lo up")?;
        self.run(node, &format!("ip address add {own}/{PREFIX} dev {INTERFACE}"))?;
        let own6 = own6(own);
        self.run(node, &format!("ip address add {own6}/{PREFIX6} dev {INTERFACE} nodad"))?;
        self.run(node, &format!("ip link set {INTERFACE} up")).map(drop)
    }

    fn add(&self, node: &str) -> Result<()> {
        run_to_end(&["ip", "netns", "add", &self.namespace(node)].map(str::to_owned))
            .map(drop)
            .context("network namespaces need root and the program `ip` (package iproute2)")
    }

    /// Leaves the namespaces' names in a test's folder, for its guard.
    pub fn note_in(&self, folder: &Path) -> Result<()> {
        let names: Vec<String> = nodes().map(|node| self.namespace(node)).collect();
        fs::write(folder.join(LIST), names.join("\n")).context("naming the namespaces for the guard")
    }

    /// A node's namespace.
    pub fn namespace(&self, node: &str) -> String {
        format!("{}{node}", self.prefix)
    }

    /// What a command begins with that is to run on a node.
    pub fn enter(&self, node: &str) -> Vec<String> {
        ["ip", "netns", "exec", &self.namespace(node)]
            .map(str::to_owned)
            .to_vec()
    }

    /// Runs a program on a node and gives its output; blanks part its words, and it must succeed.
    pub fn run(&self, node: &str, command: &str) -> Result<String> {
        let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        self.run_words(node, &words)
    }

    /// As [`Lan::run`], of words.
    pub fn run_words(&self, node: &str, words: &[String]) -> Result<String> {
        run_to_end(&[self.enter(node).as_slice(), words].concat())
    }

    /// A program that is to run on a node for a while.
    pub fn command(&self, node: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(node)]).arg(program);
        command
    }

    /// Clients can open many connections and servers can keep many waiting, on every node.
    pub fn widen(&self) -> Result<()> {
        let sysctl = [
            "sysctl",
            "-qw",
            "net.ipv4.ip_local_port_range=10000 65000",
            "net.core.somaxconn=8192",
        ]
        .map(str::to_owned);
        nodes().try_for_each(|node| self.run_words(node, &sysctl).map(drop))
    }

    /// Whether a node's interface has the address.
    pub fn has(&self, node: &str, ip: IpAddr) -> Result<bool> {
        let shown = self.run(node, &format!("ip -o address show dev {INTERFACE}"))?;
        Ok(shown.contains(&format!(" {ip}/")))
    }

    /// The link-layer address that the client has for an address.
    pub fn neighbour(&self, ip: IpAddr) -> Result<Option<String>> {
        let shown = self.run(CLIENT, &format!("ip neighbour show {ip}"))?;
        let mut words = shown.split_whitespace().skip_while(|word| *word != "lladdr");
        Ok(words.nth(1).map(str::to_owned))
    }

    /// From now on nothing that `from` sends reaches `to`; the other direction is not touched.
    pub fn cut(&self, from: &str, to: &str) -> Result<()> {
        let source = own_of(from)?;
        // A table of its own for each direction, so that healing one leaves the other.
        let table = format!("cut_{from}");
        self.run(to, &format!("nft add table ip {table}"))?;
        self.run(
            to,
            &format!("nft add chain ip {table} in {{ type filter hook input priority -300 ; }}"),
        )?;
        self.run(to, &format!("nft add rule ip {table} in ip saddr {source} drop"))
            .map(drop)
    }

    /// Undoes [`Lan::cut`].
    pub fn heal(&self, from: &str, to: &str) -> Result<()> {
        self.run(to, &format!("nft delete table ip cut_{from}")).map(drop)
    }

    /// Undoes every [`Lan::cut`] between the hosts.
    pub fn heal_all(&self) {
        for (from, to) in [(HOSTS[0], HOSTS[1]), (HOSTS[1], HOSTS[0])] {
            // Most of the time there is nothing to heal.
            let _not_cut = self.heal(from, to);
        }
    }

    /// Every process on a node.
    pub fn pids(&self, node: &str) -> Result<Vec<u32>> {
        let pids = run_to_end(&["ip", "netns", "pids", &self.namespace(node)].map(str::to_owned))?;
        Ok(pids.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
    }

    /// Ends every process on a node at once, as a power failure does, and takes its addresses but its own.
    pub fn lose_power(&self, node: &str) -> Result<()> {
        for pid in self.pids(node)? {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                // It may have ended with another one.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        for vip in VIPS
            .into_iter()
            .filter(|vip| self.has(node, (*vip).into()).unwrap_or(false))
        {
            self.run(node, &format!("ip address del {vip}/{PREFIX} dev {INTERFACE}"))?;
        }
        Ok(())
    }

    /// Runs the closure on a thread of its own, whose sockets are the node's.
    pub fn within<T: Send + 'static>(
        &self,
        node: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        let door = self.door(node)?;
        let thread = std::thread::Builder::new().name(format!("on {node}"));
        Ok(thread.spawn(move || {
            // A thread that stayed outside would talk to the machine's own network.
            go_through(&door).unwrap_or_else(|error| panic!("a namespace can't be entered: {error}"));
            work()
        })?)
    }

    fn door(&self, node: &str) -> Result<File> {
        let path = format!("/run/netns/{}", self.namespace(node));
        File::open(&path).with_context(|| format!("opening {path}"))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for node in nodes() {
            delete(&self.namespace(node));
        }
    }
}

/// Plays a test as a client of a link of its own: every connection that it opens is the client's.
///
/// # Errors
/// Where the link can't be made, and what the test says. A panic of the test goes on here.
pub fn play<T: Send + 'static, F: Future<Output = Result<T>>>(
    test: impl FnOnce(Arc<Lan>) -> F + Send + 'static,
) -> Result<T> {
    let lan = Lan::new()?;
    let its = Arc::clone(&lan);
    let thread = lan.within(CLIENT, move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(test(its))
    })?;
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// As [`play`], on this thread, which stays on the client's side of the link for ever.
///
/// # Errors
/// As [`play`].
pub fn stay_and_play<T>(test: impl AsyncFnOnce(Arc<Lan>) -> Result<T>) -> Result<T> {
    let lan = Lan::new()?;
    go_through(&lan.door(CLIENT)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(test(Arc::clone(&lan)))
}

fn go_through(door: &File) -> Result<()> {
    Ok(move_into_link_name_space(
        door.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

/// Deletes the namespaces that a test left, as far as its folder names them.
pub(crate) fn sweep(folder: &Path) {
    let list = fs::read_to_string(folder.join(LIST)).unwrap_or_default();
    list.lines().filter(|name| name.starts_with("ustest-")).for_each(delete);
}

/// The second address of the node with this one.
pub fn own6(own: Ipv4Addr) -> Ipv6Addr {
    let [.., last] = own.octets();
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into())
}

/// The link-layer address of the node with this address.
pub fn link_address(own: Ipv4Addr) -> String {
    let [.., last] = own.octets();
    format!("02:00:00:00:00:{last:02x}")
}

fn nodes() -> impl Iterator<Item = &'static str> {
    [CLIENT, HOSTS[0], HOSTS[1], SWITCH].into_iter()
}

fn own_of(node: &str) -> Result<Ipv4Addr> {
    let place = HOSTS.iter().position(|host| *host == node);
    match place {
        Some(place) => Ok(OWN[place]),
        None if node == CLIENT => Ok(CLIENT_OWN),
        None => bail!("{node} is no node"),
    }
}

fn delete(namespace: &str) {
    // One that is gone already is what is wanted.
    let _ = Command::new("ip").args(["netns", "delete", namespace]).output();
}
