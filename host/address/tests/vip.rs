//! Addresses that move between two hosts of a link, in network namespaces. Needs root.
#![allow(clippy::unwrap_used)]

mod bed;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bed::lan::{Lan, VIP4, VIP6, What, eventually};
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
use understudy_address::{Address, AddressConfig, AddressError, AddressEvent, Holding, VipConfig};
use understudy_protocol::{HostName, ServiceName};

const BOTH: [&str; 2] = ["192.0.2.10/24", "2001:db8::10/64"];
const LINK_A: &str = "02:00:00:00:00:02";
const LINK_B: &str = "02:00:00:00:00:03";

#[test]
fn addresses_move_and_neighbours_learn_it() {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", &BOTH), lan.host("b", &BOTH));
    a.tell(What::Clear);
    b.tell(What::Clear);
    assert_eq!(a.tell(What::Take), Holding::Admitting);
    assert_eq!(a.tell(What::Take), Holding::Admitting);
    for ip in [VIP4, VIP6] {
        assert!(lan.has("a", ip));
        lan.run("client", &format!("ping -c 1 -W 2 {ip}"));
        assert_eq!(lan.neighbour(ip).as_deref(), Some(LINK_A));
    }
    assert_eq!(a.tell(What::Drop), Holding::Dropped);
    assert_eq!(a.tell(What::Drop), Holding::Dropped);
    assert!(!lan.has("a", VIP4) && !lan.has("a", VIP6));
    b.tell(What::Take);
    for ip in [VIP4, VIP6] {
        assert!(lan.has("b", ip));
        // Without any traffic: only the announcement can have told the client.
        eventually("the client's table names b", || {
            lan.neighbour(ip).as_deref() == Some(LINK_B)
        });
        lan.run("client", &format!("ping -c 1 -W 2 {ip}"));
    }
    // The hosts' own addresses are untouched.
    assert!(lan.has("a", "192.0.2.2") && lan.has("b", "2001:db8::3"));
}

#[test]
fn a_killed_daemons_addresses_are_cleared_or_taken_over_by_the_next() {
    let lan = Lan::new();
    let a = lan.host("a", &BOTH);
    a.tell(What::Take);
    a.tell(What::Hold);
    drop(a);
    let mut next = lan.host("a", &BOTH);
    assert!(
        lan.has("a", VIP4) && lan.has("a", VIP6),
        "the server goes on without a daemon"
    );
    assert!(lan.run("a", "nft list tables").contains("us_hold_web-1"));
    next.tell(What::Clear);
    assert!(!lan.has("a", VIP4) && !lan.has("a", VIP6));
    assert!(!lan.run("a", "nft list tables").contains("us_hold"));
    for ip in [VIP4, VIP6] {
        next.expect(|event| {
            *event
                == AddressEvent::LeftoverRemoved {
                    address: ip.parse().unwrap(),
                }
        });
    }
    next.tell(What::Take);
    drop(next);
    let next = lan.host("a", &BOTH);
    next.tell(What::Take);
    next.tell(What::Clear);
    assert!(lan.has("a", VIP4), "what is held is not a leftover");
}

#[test]
fn what_somebody_removes_comes_back() {
    let lan = Lan::new();
    let mut a = lan.host("a", &BOTH);
    a.tell(What::Take);
    lan.ip("a", "address del 192.0.2.10/24 dev eth0");
    lan.ip("a", "address del 2001:db8::10/64 dev eth0");
    for ip in [VIP4, VIP6] {
        a.expect(|event| {
            *event
                == AddressEvent::Restored {
                    address: ip.parse().unwrap(),
                }
        });
        assert!(lan.has("a", ip));
    }
    lan.ip("a", "address flush dev eth0");
    eventually("flushed addresses are back", || {
        lan.has("a", VIP4) && lan.has("a", VIP6)
    });
    a.tell(What::Drop);
    std::thread::sleep(Duration::from_millis(300));
    assert!(!lan.has("a", VIP4) && !lan.has("a", VIP6), "what is dropped stays away");
}

#[test]
fn what_somebody_adds_where_it_does_not_belong_goes_away() {
    let lan = Lan::new();
    let (mut a, b) = (lan.host("a", &BOTH), lan.host("b", &BOTH));
    lan.ip("a", "address add 192.0.2.10/24 dev eth0");
    std::thread::sleep(Duration::from_millis(300));
    assert!(lan.has("a", VIP4), "nobody has said yet that it does not belong here");
    for how in [What::Clear, What::Drop] {
        a.tell(how);
        lan.ip("a", "address add 192.0.2.10/24 dev eth0");
        a.expect(|event| {
            *event
                == AddressEvent::LeftoverRemoved {
                    address: VIP4.parse().unwrap(),
                }
        });
        eventually("it is gone", || !lan.has("a", VIP4));
        a.tell(What::Take);
        assert!(lan.has("a", VIP4));
    }
    drop(b);
}

#[test]
fn an_interface_may_go_down_and_come_back() {
    let lan = Lan::new();
    let mut a = lan.host("a", &BOTH);
    a.tell(What::Take);
    lan.ip("a", "link set eth0 down");
    a.expect(|event| *event == AddressEvent::LinkChanged { up: false });
    lan.ip("a", "link set eth0 up");
    a.expect(|event| *event == AddressEvent::LinkChanged { up: true });
    for ip in [VIP4, VIP6] {
        eventually("the address answers again", || {
            lan.attempt("client", &format!("ping -c 1 -W 1 {ip}")).0
        });
    }
}

#[test]
fn a_duplicate_on_the_wire_is_reported_with_its_link_address() {
    let lan = Lan::new();
    let mut a = lan.host("a", &BOTH);
    a.tell(What::Take);
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        !a.seen()
            .iter()
            .any(|event| matches!(event, AddressEvent::DuplicateSeen { .. })),
        "{:?}",
        a.seen()
    );
    lan.ip("b", "address add 192.0.2.10/24 dev eth0");
    lan.ip("b", "address add 2001:db8::10/64 dev eth0 nodad");
    for ip in [VIP4, VIP6] {
        let seen = AddressEvent::DuplicateSeen {
            address: ip.parse().unwrap(),
            link: [2, 0, 0, 0, 0, 3],
        };
        eventually("the duplicate is reported", || a.seen().contains(&seen));
    }
    let reports = a
        .seen()
        .iter()
        .filter(|event| matches!(event, AddressEvent::DuplicateSeen { .. }))
        .count();
    assert_eq!(reports, 2, "each once: {:?}", a.seen());
}

#[test]
fn new_clients_wait_for_the_successor_and_established_ones_go_on() {
    let lan = Lan::new();
    let (mut a, mut b) = (lan.host("a", &BOTH), lan.host("b", &BOTH));
    lan.serve("a");
    lan.serve("b");
    a.tell(What::Take);
    let talk = |ip: &'static str| {
        lan.within("client", move || {
            let mut stream = TcpStream::connect((ip, 80))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            let mut name = [0; 1];
            stream.read_exact(&mut name)?;
            Ok::<_, std::io::Error>((stream, name[0]))
        })
    };
    let (mut old, name) = talk(VIP4).join().unwrap().unwrap();
    assert_eq!(name, b'a');
    a.tell(What::Hold);
    let waiting = [talk(VIP4), talk(VIP6)];
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        waiting.iter().all(|client| !client.is_finished()),
        "a held client was answered"
    );
    old.write_all(b"x").unwrap();
    old.read_exact(&mut [0]).unwrap();
    let repeats = lan.repeated_segments("client");
    let began = Instant::now();
    a.tell(What::Drop);
    b.tell(What::Take);
    for client in waiting {
        assert_eq!(client.join().unwrap().unwrap().1, b'b');
    }
    let passed = |to, clients| move |event: &AddressEvent| *event == AddressEvent::WaitersPassed { to, clients };
    a.expect(passed(Some([2, 0, 0, 0, 0, 3]), 2));
    if began.elapsed() < Duration::from_millis(500) {
        // Nobody had to try again: the first tries were kept.
        assert_eq!(lan.repeated_segments("client"), repeats);
    }
    // And a hold that is undone.
    for ip in [VIP4, VIP6] {
        b.tell(What::Hold);
        let waiting = talk(ip);
        std::thread::sleep(Duration::from_millis(100));
        b.tell(What::Admit);
        assert_eq!(waiting.join().unwrap().unwrap().1, b'b');
        b.expect(passed(None, 1));
    }
}

#[test]
fn a_client_that_comes_after_the_hold_is_passed_on_too() {
    let lan = Lan::new();
    let (mut a, b) = (lan.host("a", &BOTH), lan.host("b", &BOTH));
    lan.serve("b");
    a.tell(What::Take);
    lan.run("client", &format!("ping -c 1 -W 2 {VIP4}"));
    // Without a hold before it.
    a.tell(What::Drop);
    let connecting = lan.within("client", || {
        let mut name = [0; 1];
        TcpStream::connect((VIP4, 80)).unwrap().read_exact(&mut name).unwrap();
        name[0]
    });
    std::thread::sleep(Duration::from_millis(100));
    b.tell(What::Take);
    assert_eq!(connecting.join().unwrap(), b'b');
    let to = Some([2, 0, 0, 0, 0, 3]);
    a.expect(|event| *event == AddressEvent::WaitersPassed { to, clients: 1 });
    assert!(
        lan.run("a", "nft list tables").contains("us_hold"),
        "late clients are passed on"
    );
}

#[test]
fn only_the_services_ports_are_held() {
    let lan = Lan::new();
    let config = VipConfig {
        addresses: vec![BOTH[0].parse().unwrap()],
        interface: "eth0".to_owned(),
        ports: vec![81],
        hosts: BTreeMap::new(),
    };
    let a = lan.host_with("a", config).unwrap();
    lan.serve("a");
    a.tell(What::Take);
    a.tell(What::Hold);
    let began = Instant::now();
    lan.within("client", || TcpStream::connect((VIP4, 80)).unwrap())
        .join()
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "port 80 is another service's"
    );
}

#[test]
fn what_is_missing_is_named() {
    let lan = Lan::new();
    let config = |interface: &str| VipConfig {
        addresses: vec![BOTH[0].parse().unwrap(), BOTH[1].parse().unwrap()],
        interface: interface.to_owned(),
        ports: Vec::new(),
        hosts: BTreeMap::new(),
    };
    let error = lan.host_with("a", config("eth9")).err().unwrap();
    assert!(
        matches!(error, AddressError::Interface { .. }) && error.to_string().contains("eth9"),
        "{error}"
    );
    lan.ip("b", "link set eth0 down");
    let error = lan.host("b", &BOTH).ask(What::Take).unwrap_err();
    assert!(error.to_string().contains("ip link set eth0 up"), "{error}");
}

#[test]
fn a_missing_privilege_is_named() {
    let lan = Lan::new();
    let config = VipConfig {
        addresses: vec![BOTH[0].parse().unwrap()],
        interface: "eth0".to_owned(),
        ports: Vec::new(),
        hosts: BTreeMap::new(),
    };
    let attempt = lan.within("a", || {
        let none = CapabilitySet::empty();
        // Of this thread only.
        set_capabilities(
            None,
            CapabilitySets {
                effective: none,
                permitted: none,
                inheritable: none,
            },
        )
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (service, host) = (ServiceName::new("web").unwrap(), HostName::new("a").unwrap());
        runtime
            .block_on(Address::new(AddressConfig::Vip(config), service, host))
            .err()
            .map(|error| error.to_string())
    });
    let error = attempt.join().unwrap().unwrap();
    assert!(
        error.contains("CAP_NET_ADMIN") && error.contains("AmbientCapabilities"),
        "{error}"
    );
}
