//! Addresses that move while both hosts' servers run, in network namespaces, under connections that never stop. Needs root.
#![allow(clippy::unwrap_used)]

mod bed;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bed::lan::{Host, Lan, VIP4, VIP6, What, eventually};
use understudy_address::{AddressEvent, Holding};

const BOTH: [&str; 2] = ["192.0.2.10/24", "2001:db8::10/64"];
const LINK_B: &str = "02:00:00:00:00:03";

#[test]
fn a_move_under_load_breaks_nothing() {
    let (lan, a, b) = serving();
    let load = Load::start(&lan);
    let start = Instant::now();
    let mut steps = Vec::new();
    let mut step = |what| steps.push((what, start.elapsed()));
    let mut kept = [VIP4, VIP6].map(|ip| Kept::open(&lan, ip));
    b.tell(What::Arm("a"));
    b.tell(What::Arm("a"));
    step("armed");
    for ip in [VIP4, VIP6] {
        assert_eq!(Kept::open(&lan, ip).name, b'a', "nobody sees an armed host");
    }
    assert_eq!(a.tell(What::YieldTo("b")), Holding::Yielding);
    let yielded = Instant::now();
    step("yielded");
    let mut young = [VIP4, VIP6].map(|ip| Kept::open(&lan, ip));
    assert!(young.iter().all(|kept| kept.name == b'b'));
    a.tell(What::YieldTo("b"));
    assert_eq!(b.tell(What::Appear), Holding::Admitting);
    step("appeared");
    b.tell(What::Appear);
    for ip in [VIP4, VIP6] {
        eventually("the client's table names b", || {
            lan.neighbour(ip).as_deref() == Some(LINK_B)
        });
    }
    assert_eq!(a.left(What::Settled), []);
    for kept in kept.iter_mut().chain(&mut young) {
        kept.talk().unwrap();
    }
    let left = a.left(What::Drained);
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|left| left.state == "established"));
    drop(kept);
    eventually("the first has no connection left", || a.left(What::Drained).is_empty());
    step("drained");
    a.tell(What::Drop);
    step("dropped");
    b.tell(What::Take);
    step("taken");
    b.tell(What::Take);
    assert!(!lan.has("a", VIP4) && lan.has("b", VIP4) && lan.has("b", VIP6));
    assert!(!lan.ip("b", "address show dev lo").contains(VIP4));
    assert!(!lan.run("b", "nft list tables").contains("us_"));
    for kept in &mut young {
        kept.talk().unwrap();
    }
    let seen = load.end();
    assert!(seen.len() > 50, "{}", seen.len());
    for one in &seen {
        let name = one.result.as_ref().unwrap_or_else(|error| {
            let [began, ended] = [one.began, one.ended].map(|at| at.duration_since(start));
            panic!(
                "a connection to {} of {began:?} to {ended:?} failed: {error}; steps {steps:?}",
                one.ip
            )
        });
        let expected: &[u8] = if one.began > yielded { b"b" } else { b"ab" };
        assert!(expected.contains(name));
    }
}

#[test]
fn daemons_that_die_half_way_go_on_where_they_were() {
    let (lan, a, b) = serving();
    let mut old = Kept::open(&lan, VIP4);
    b.tell(What::Arm("a"));
    drop(b);
    assert_eq!(Kept::open(&lan, VIP4).name, b'a');
    let b = lan.host("b", &BOTH);
    b.tell(What::Arm("a"));
    a.tell(What::YieldTo("b"));
    let mut young = Kept::open(&lan, VIP4);
    drop(a);
    // Nobody looks after the rules now; they go on.
    assert_eq!((Kept::open(&lan, VIP6).name, Kept::open(&lan, VIP4).name), (b'b', b'b'));
    old.talk().unwrap();
    let a = lan.host("a", &BOTH);
    a.tell(What::YieldTo("b"));
    b.tell(What::Appear);
    drop(b);
    old.talk().unwrap();
    young.talk().unwrap();
    let b = lan.host("b", &BOTH);
    b.tell(What::Arm("a"));
    b.tell(What::Appear);
    old.talk().unwrap();
    young.talk().unwrap();
    drop(old);
    eventually("the first has no connection left", || a.left(What::Drained).is_empty());
    a.tell(What::Drop);
    b.tell(What::Take);
    young.talk().unwrap();
    assert_eq!(Kept::open(&lan, VIP4).name, b'b');
}

#[test]
fn an_armed_host_that_is_not_needed_leaves_no_trace() {
    let (lan, mut a, b) = serving();
    b.tell(What::Arm("a"));
    b.tell(What::Disarm);
    assert!(!lan.run("b", "nft list tables").contains("us_"));
    assert!(!lan.ip("b", "address show").contains(VIP4));
    b.tell(What::Arm("a"));
    drop(b);
    let b = lan.host("b", &BOTH);
    b.tell(What::Clear);
    assert!(!lan.run("b", "nft list tables").contains("us_"));
    assert!(!lan.ip("b", "address show").contains(VIP6));
    let duplicate = a
        .seen()
        .iter()
        .any(|event| matches!(event, AddressEvent::DuplicateSeen { .. }));
    assert!(!duplicate, "{:?}", a.seen());
}

#[test]
fn a_first_that_takes_back_keeps_what_it_passed_on_where_it_is() {
    let (lan, a, b) = serving();
    let mut old = Kept::open(&lan, VIP4);
    b.tell(What::Arm("a"));
    a.tell(What::YieldTo("b"));
    let mut young = [VIP4, VIP6].map(|ip| Kept::open(&lan, ip));
    assert_eq!(a.tell(What::Take), Holding::Admitting);
    for ip in [VIP4, VIP6] {
        assert_eq!(Kept::open(&lan, ip).name, b'a');
    }
    old.talk().unwrap();
    for kept in &mut young {
        assert_eq!(kept.name, b'b');
        kept.talk().unwrap();
    }
}

#[test]
fn whoever_got_no_answer_of_a_dead_second_comes_back() {
    let (lan, a, b) = serving();
    Kept::open(&lan, VIP4);
    b.tell(What::Arm("a"));
    a.tell(What::YieldTo("b"));
    lan.ip("b", "link set eth0 down");
    let connecting = [VIP4, VIP6].map(|ip| lan.within("client", move || connect(ip).unwrap().name));
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        connecting.iter().all(|client| !client.is_finished()),
        "the second is dead"
    );
    a.tell(What::Take);
    for client in connecting {
        assert_eq!(client.join().unwrap(), b'a');
    }
}

#[test]
fn what_a_move_needs_is_named() {
    let (_lan, a, _b) = serving();
    let error = a.ask(What::YieldTo("c")).unwrap_err().to_string();
    assert!(error.contains("hosts = { c = [\"192.0.2.2\"] }"), "{error}");
}

/// A link with both servers running, where a has the addresses.
fn serving() -> (Lan, Host, Host) {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", &BOTH), lan.host("b", &BOTH));
    lan.serve("a");
    lan.serve("b");
    a.tell(What::Take);
    (lan, a, b)
}

/// A connection that stays open.
struct Kept {
    stream: TcpStream,
    name: u8,
}

impl Kept {
    fn open(lan: &Lan, ip: &'static str) -> Self {
        lan.within("client", move || connect(ip)).join().unwrap().unwrap()
    }

    fn talk(&mut self) -> io::Result<()> {
        self.stream.write_all(b"x")?;
        self.stream.read_exact(&mut [0])
    }
}

fn connect(ip: &str) -> io::Result<Kept> {
    let mut stream = TcpStream::connect((ip, 80))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut name = [0; 1];
    stream.read_exact(&mut name)?;
    Ok(Kept { stream, name: name[0] })
}

/// Clients that come one after the other, each for one exchange.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Visit>>>,
}

struct Visit {
    ip: &'static str,
    began: Instant,
    ended: Instant,
    result: io::Result<u8>,
}

impl Load {
    fn start(lan: &Lan) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = [VIP4, VIP6, VIP4, VIP6].map(|ip| {
            let stop = stop.clone();
            lan.within("client", move || {
                let mut visits = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let began = Instant::now();
                    let result = connect(ip).and_then(|mut kept| kept.talk().map(|()| kept.name));
                    visits.push(Visit {
                        ip,
                        began,
                        ended: Instant::now(),
                        result,
                    });
                    std::thread::sleep(Duration::from_millis(2));
                }
                visits
            })
        });
        Load {
            stop,
            threads: threads.into(),
        }
    }

    fn end(self) -> Vec<Visit> {
        self.stop.store(true, Ordering::SeqCst);
        self.threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    }
}
