//! A link of its own for one round: a client and two hosts, each in a network namespace, on a bridge in a fourth.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The service's addresses.
pub(super) const VIP4: &str = "192.0.2.10";
pub(super) const VIP6: &str = "2001:db8::10";
const NODES: [&str; 4] = ["client", "a", "b", "switch"];

/// The namespaces of one round.
pub(super) struct Lan {
    prefix: String,
}

impl Lan {
    pub(super) fn new() -> Result<Self> {
        ensure!(rustix::process::geteuid().is_root(), "network namespaces need root");
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("usbench-{}-{number}-", std::process::id());
        let lan = Lan { prefix };
        for node in NODES {
            run(&["ip", "netns", "add", &lan.name(node)])?;
            lan.run(node, "ip link set lo up")?;
        }
        lan.run("switch", "ip link add br0 type bridge forward_delay 0 mcast_snooping 0")?;
        lan.run("switch", "ip link set br0 up")?;
        for (node, number) in [("client", 1), ("a", 2), ("b", 3)] {
            let there = lan.name(node);
            lan.run(
                "switch",
                &format!("ip link add to-{node} type veth peer name eth0 netns {there}"),
            )?;
            lan.run("switch", &format!("ip link set to-{node} master br0 up"))?;
            lan.run(node, &format!("ip link set eth0 address 02:00:00:00:00:0{number}"))?;
            lan.run(node, &format!("ip address add 192.0.2.{number}/24 dev eth0"))?;
            lan.run(node, &format!("ip address add 2001:db8::{number}/64 dev eth0 nodad"))?;
            lan.run(node, "ip link set eth0 up")?;
            // A client that opens many connections must not run out of ports, nor a server out of its queue.
            lan.run(
                node,
                "sysctl -qw net.ipv4.ip_local_port_range=10000\t65000 net.core.somaxconn=8192",
            )?;
        }
        Ok(lan)
    }

    /// The namespace's full name.
    pub(super) fn name(&self, node: &str) -> String {
        format!("{}{node}", self.prefix)
    }

    /// Runs a program in a node and gives its output; blanks part its words. It must succeed.
    pub(super) fn run(&self, node: &str, command: &str) -> Result<String> {
        let words: Vec<_> = command.split(' ').collect();
        self.run_words(node, &words)
    }

    /// The same, of words.
    pub(super) fn run_words(&self, node: &str, words: &[&str]) -> Result<String> {
        let name = self.name(node);
        run(&[&["ip", "netns", "exec", &name], words].concat())
    }

    /// A command that runs in a node.
    pub(super) fn command(&self, node: &str, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name(node), program]);
        command
    }

    /// Runs the closure on a thread of its own within the node's namespace.
    pub(super) fn within<T: Send + 'static>(
        &self,
        node: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let path = format!("/run/netns/{}", self.name(node));
        let namespace = File::open(&path).with_context(|| format!("opening {path}"))?;
        Ok(std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        }))
    }

    /// Whether the node's interface has the address.
    pub(super) fn has(&self, node: &str, ip: &str) -> bool {
        self.run(node, "ip -o address show dev eth0")
            .is_ok_and(|text| text.contains(&format!(" {ip}/")))
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for node in NODES {
            let _gone = run(&["ip", "netns", "delete", &self.name(node)]);
        }
    }
}

fn run(words: &[&str]) -> Result<String> {
    let [program, arguments @ ..] = words else {
        bail!("no program")
    };
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("running {program}"))?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{}: {text}", words.join(" "));
    Ok(text)
}
