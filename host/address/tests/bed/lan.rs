//! A link of its own for one test: a client and two hosts, each in a network namespace, on a bridge in a fourth.
//!
//! Invariant: the namespaces' names start with `ustest-addr-<pid>-`, and they are deleted however the test ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use understudy_address::{Address, AddressConfig, AddressError, AddressEvent, Holding, Remaining, VipConfig};
use understudy_protocol::{HostName, ServiceName};

pub const VIP4: &str = "192.0.2.10";
pub const VIP6: &str = "2001:db8::10";

/// The namespaces of one test.
pub struct Lan {
    prefix: String,
}

impl Lan {
    pub fn new() -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test makes network namespaces: run it as root (sudo -E cargo test -p understudy-address)"
        );
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let lan = Lan {
            prefix: format!("ustest-addr-{}-{number}-", std::process::id()),
        };
        lan.add("switch");
        lan.ip("switch", "link add br0 type bridge forward_delay 0 mcast_snooping 0");
        lan.ip("switch", "link set br0 up");
        for (node, number) in [("client", 1), ("a", 2), ("b", 3)] {
            lan.add(node);
            let there = lan.name(node);
            lan.ip(
                "switch",
                &format!("link add to-{node} type veth peer name eth0 netns {there}"),
            );
            lan.ip("switch", &format!("link set to-{node} master br0 up"));
            lan.ip(node, &format!("link set eth0 address 02:00:00:00:00:0{number}"));
            lan.ip(node, "link set lo up");
            lan.ip(node, &format!("address add 192.0.2.{number}/24 dev eth0"));
            lan.ip(node, &format!("address add 2001:db8::{number}/64 dev eth0 nodad"));
            lan.ip(node, "link set eth0 up");
        }
        lan
    }

    /// The namespace's full name.
    pub fn name(&self, node: &str) -> String {
        format!("{}{node}", self.prefix)
    }

    /// Runs `ip` in a node and gives its output.
    pub fn ip(&self, node: &str, arguments: &str) -> String {
        self.run(node, &format!("ip {arguments}"))
    }

    /// Runs a program in a node and gives its output; it must succeed.
    pub fn run(&self, node: &str, command: &str) -> String {
        let (ok, output) = self.attempt(node, command);
        assert!(ok, "{node}: {command}: {output}");
        output
    }

    /// Runs a program in a node.
    pub fn attempt(&self, node: &str, command: &str) -> (bool, String) {
        let mut words = vec!["netns", "exec"];
        let name = self.name(node);
        words.push(&name);
        words.extend(command.split_whitespace());
        let output = Command::new("ip")
            .args(&words)
            .output()
            .expect("this test needs the program ip (package iproute2)");
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    /// The address is on the node's interface.
    pub fn has(&self, node: &str, ip: &str) -> bool {
        self.ip(node, "-o address show dev eth0").contains(&format!(" {ip}/"))
    }

    /// The link-layer address that the client has for an address.
    pub fn neighbour(&self, ip: &str) -> Option<String> {
        let text = self.ip("client", &format!("neighbour show {ip}"));
        text.split_whitespace()
            .skip_while(|word| *word != "lladdr")
            .nth(1)
            .map(str::to_owned)
    }

    /// How many TCP segments a node has sent again so far.
    pub fn repeated_segments(&self, node: &str) -> u64 {
        let text = self.run(node, "cat /proc/net/snmp");
        let mut lines = text.lines().filter(|line| line.starts_with("Tcp: "));
        let names = lines.next().unwrap().split_whitespace();
        let values = lines.next().unwrap().split_whitespace();
        let (_, value) = names.zip(values).find(|(name, _)| *name == "RetransSegs").unwrap();
        value.parse().unwrap()
    }

    /// A server on port 80 of every address of a node, which says the node's name and then echoes.
    pub fn serve(&self, node: &'static str) {
        let (ready, wait) = mpsc::channel();
        self.within(node, move || {
            let listener = TcpListener::bind("[::]:80").unwrap();
            ready.send(()).unwrap();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    stream.write_all(node.as_bytes())?;
                    let mut bytes = [0; 64];
                    loop {
                        match stream.read(&mut bytes)? {
                            0 => return Ok::<_, std::io::Error>(()),
                            length => stream.write_all(&bytes[..length])?,
                        }
                    }
                });
            }
        });
        wait.recv().unwrap();
    }

    /// Runs the closure on a thread of its own within the node's namespace.
    pub fn within<T: Send + 'static>(
        &self,
        node: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let namespace = File::open(format!("/run/netns/{}", self.name(node))).unwrap();
        std::thread::spawn(move || {
            move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        })
    }

    /// A daemon's address handle on a node, with the given addresses.
    pub fn host(&self, node: &str, addresses: &[&str]) -> Host {
        let config = VipConfig {
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            interface: "eth0".to_owned(),
            ports: Vec::new(),
            hosts: own_addresses(),
        };
        self.host_with(node, config).unwrap()
    }

    pub fn host_with(&self, node: &str, config: VipConfig) -> Result<Host, AddressError> {
        let (commands, mut asked) = unbounded_channel::<Ask>();
        let (event, events) = mpsc::channel();
        let (started, start) = mpsc::channel();
        let name = HostName::new(node).unwrap();
        let thread = self.within(node, move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let service = ServiceName::new("web-1").unwrap();
                let address = match Address::new(AddressConfig::Vip(config), service, name).await {
                    Ok(address) => address,
                    Err(error) => return started.send(Err(error)).unwrap(),
                };
                started.send(Ok(())).unwrap();
                let mut seen = address.events();
                loop {
                    tokio::select! {
                        command = asked.recv() => match command {
                            Some(Ask { what, answer }) => {
                                answer.send((do_it(&address, what).await, address.holding())).unwrap();
                            }
                            // The daemon is killed: nothing is tidied up.
                            None => return,
                        },
                        Ok(seen) = seen.recv() => drop(event.send(seen)),
                    }
                }
            });
        });
        start.recv().unwrap()?;
        Ok(Host {
            commands: Some(commands),
            thread: Some(thread),
            events,
            seen: Vec::new(),
        })
    }

    fn add(&self, node: &str) {
        let name = self.name(node);
        let output = Command::new("ip").args(["netns", "add", &name]).output().unwrap();
        assert!(
            output.status.success(),
            "ip netns add {name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        for node in ["client", "a", "b", "switch"] {
            let _ = Command::new("ip").args(["netns", "delete", &self.name(node)]).output();
        }
    }
}

/// A command to a daemon's address.
#[derive(Debug, Clone, Copy)]
pub enum What {
    Take,
    Hold,
    Admit,
    Drop,
    Clear,
    Arm(&'static str),
    Disarm,
    YieldTo(&'static str),
    Appear,
    Settled,
    Drained,
}

struct Ask {
    what: What,
    answer: mpsc::Sender<(Result<Vec<Remaining>, AddressError>, Holding)>,
}

fn own_addresses() -> BTreeMap<HostName, Vec<IpAddr>> {
    let of = |node, number| {
        let addresses = [format!("192.0.2.{number}"), format!("2001:db8::{number}")];
        let parsed = addresses.iter().map(|text| text.parse().unwrap()).collect();
        (HostName::new(node).unwrap(), parsed)
    };
    BTreeMap::from([of("a", 2), of("b", 3)])
}

async fn do_it(address: &Address, what: What) -> Result<Vec<Remaining>, AddressError> {
    let host = |name| HostName::new(name).unwrap();
    let done = match what {
        What::Take => address.take().await,
        What::Hold => address.hold().await,
        What::Admit => address.admit().await,
        What::Drop => address.drop_address().await,
        What::Clear => address.clear().await,
        What::Arm(first) => address.arm(&host(first)).await,
        What::Disarm => address.disarm().await,
        What::YieldTo(second) => address.yield_to(&host(second)).await,
        What::Appear => address.appear().await,
        What::Settled => return address.settled(Duration::from_secs(5)).await,
        What::Drained => return address.drained(Duration::from_millis(200)).await,
    };
    done.map(|()| Vec::new())
}

/// A daemon's address handle in a namespace. Dropping it is killing the daemon.
pub struct Host {
    commands: Option<UnboundedSender<Ask>>,
    thread: Option<std::thread::JoinHandle<()>>,
    events: mpsc::Receiver<AddressEvent>,
    seen: Vec<AddressEvent>,
}

impl Host {
    pub fn tell(&self, what: What) -> Holding {
        self.ask(what).unwrap_or_else(|error| panic!("{what:?}: {error}"))
    }

    pub fn ask(&self, what: What) -> Result<Holding, AddressError> {
        let (result, holding) = self.answer(what);
        result.map(|_| holding)
    }

    /// The connections that are left, of a command that says so.
    pub fn left(&self, what: What) -> Vec<Remaining> {
        self.answer(what).0.unwrap_or_else(|error| panic!("{what:?}: {error}"))
    }

    fn answer(&self, what: What) -> (Result<Vec<Remaining>, AddressError>, Holding) {
        let (answer, answered) = mpsc::channel();
        assert!(self.commands.as_ref().unwrap().send(Ask { what, answer }).is_ok());
        answered.recv().unwrap()
    }

    /// Waits until the event is reported.
    pub fn expect(&mut self, wanted: impl Fn(&AddressEvent) -> bool) -> AddressEvent {
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Ok(event) = self
            .events
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            self.seen.push(event.clone());
            if wanted(&event) {
                return event;
            }
        }
        panic!("the event did not come; seen: {:?}", self.seen)
    }

    pub fn seen(&mut self) -> &[AddressEvent] {
        self.seen.extend(self.events.try_iter());
        &self.seen
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.thread.take().unwrap().join();
    }
}

/// Waits until it holds; panics with the words if it does not within ten seconds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "it never came true: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
