//! The ways to move an address, and one round of each.

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use understudy_protocol::HostName;

use super::calls::Calls;
use super::clients::{Clients, Load, Sample};
use super::daemons::{Daemons, Mode};
use super::harsh::Harsh;
use super::keepalived::{Keepalived, wait_for_address};
use super::web::Web;
use crate::cluster::{Built, HOSTS};
use crate::lan::{CLIENT, INTERFACE, Lan, PREFIX, PREFIX6, VIPS, WEB_VIP6};
use crate::servers::wait_until;

/// A way to move, or not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Nothing moves.
    Control,
    /// Two real daemons.
    Daemons(Mode),
    /// Both servers run; the address crate's calls in order.
    Overlap(Option<Harsh>),
    /// The same over IPv6.
    Overlap6,
    /// The same, and the first host loses its link while its connections end.
    FirstDies,
    /// The same, and the second host loses its link before it appears.
    SecondDies,
    /// keepalived as installed, or as quick as it can be.
    Keepalived {
        /// Advertisements each ten milliseconds, announcements at once.
        tuned: bool,
    },
}

/// What one round showed.
#[derive(Debug, Clone)]
pub(super) struct Round {
    pub(super) samples: Vec<Sample>,
    /// When the clients began.
    pub(super) began: Instant,
    /// When the move was ordered, and what happened when, in its order.
    pub(super) steps: Vec<(String, Instant)>,
}

/// What is prepared for a round.
struct Stage<'a> {
    lan: &'a Lan,
    folder: &'a Path,
    webs: [Web; 2],
    target: IpAddr,
    load: Load,
    /// How long the clients ask before the move.
    before: Duration,
    steps: Vec<(String, Instant)>,
}

/// Clients at work, and since when.
type Running = (Clients, Instant);

impl Subject {
    /// The rows of the ordinary table.
    pub(super) const PLAIN: [Subject; 7] = [
        Subject::Control,
        Subject::Overlap(None),
        Subject::Daemons(Mode::Overlap),
        Subject::Daemons(Mode::Exclusive),
        Subject::Daemons(Mode::Proxy),
        Subject::Keepalived { tuned: false },
        Subject::Keepalived { tuned: true },
    ];
    /// The rows of hard conditions.
    pub(super) const HARSH: [Subject; 6] = [
        Subject::Overlap6,
        Subject::Overlap(Some(Harsh::Firewall)),
        Subject::Overlap(Some(Harsh::StrictReversePath)),
        Subject::Overlap(Some(Harsh::StaleNeighbour)),
        Subject::FirstDies,
        Subject::SecondDies,
    ];

    /// The row's name.
    pub(super) fn label(self) -> &'static str {
        match self {
            Subject::Control => "control: nothing moves",
            Subject::Overlap(None) => "**overlap** (the address crate's calls)",
            Subject::Overlap(Some(Harsh::Firewall)) => "overlap, host firewalls drop forwarded and invalid",
            Subject::Overlap(Some(Harsh::StrictReversePath)) => "overlap, strict rp_filter",
            Subject::Overlap(Some(Harsh::StaleNeighbour)) => "overlap, the client never learns that the address moved",
            Subject::Overlap6 => "overlap, IPv6",
            Subject::FirstDies => "overlap, the first dies half way",
            Subject::SecondDies => "overlap, the second dies half way, the first takes back",
            Subject::Daemons(Mode::Overlap) => "**overlap** (two daemons)",
            Subject::Daemons(Mode::Exclusive) => "**exclusive** (two daemons)",
            Subject::Daemons(Mode::Proxy) => "**proxy** (two daemons on one host)",
            Subject::Keepalived { tuned: false } => "keepalived, default",
            Subject::Keepalived { tuned: true } => "keepalived, adverts each 10 ms",
        }
    }

    /// Whether clients wait for one server to stop and the other to start.
    pub(super) fn waits(self) -> bool {
        matches!(self, Subject::Daemons(Mode::Exclusive | Mode::Proxy))
    }

    /// Plays one round.
    pub(super) fn play(self, built: &Built, load: Load, before: Duration) -> Result<Round> {
        let folder = tempfile::Builder::new().prefix("usbench-").tempdir()?;
        let lan = Lan::new()?;
        lan.widen()?;
        let ports = match self {
            Subject::Daemons(Mode::Proxy) => [8081, 8082],
            _ => [80, 80],
        };
        let stage = Stage {
            lan: &lan,
            folder: folder.path(),
            webs: [
                Web::configure(folder.path(), HOSTS[0], ports[0])?,
                Web::configure(folder.path(), HOSTS[1], ports[1])?,
            ],
            target: match self {
                Subject::Overlap6 => WEB_VIP6.into(),
                _ => VIPS[1].into(),
            },
            load,
            before,
            steps: Vec::new(),
        };
        match self {
            Subject::Control => stage.control(),
            Subject::Overlap(_) | Subject::Overlap6 | Subject::FirstDies | Subject::SecondDies => stage.overlap(self),
            Subject::Daemons(mode) => stage.daemons(mode, built),
            Subject::Keepalived { tuned } => stage.keepalived(tuned),
        }
    }
}

impl Stage<'_> {
    fn step(&mut self, what: &str) {
        self.steps.push((what.to_owned(), Instant::now()));
    }

    fn serve_both(&self) -> Result<()> {
        self.webs[0].start(self.lan, HOSTS[0])?;
        self.webs[1].start(self.lan, HOSTS[1])
    }

    fn put_address(&self) -> Result<()> {
        let vip = self.target;
        let command = format!("ip address add {vip}/{PREFIX} dev {INTERFACE}");
        self.lan.run(HOSTS[0], &command).map(drop)
    }

    /// Clients that have asked for a while.
    fn clients(&self, harsh: Option<Harsh>) -> Result<Running> {
        // A first exchange, so that neighbours know each other.
        let ping = format!("ping -c 1 -W 2 {}", self.target);
        let _seen = wait_until(Duration::from_secs(5), || self.lan.run(CLIENT, &ping).is_ok());
        if let Some(harsh) = harsh {
            harsh.apply(self.lan)?;
        }
        let began = Instant::now();
        let clients = Clients::start(self.lan, self.target, self.load)?;
        std::thread::sleep(self.before);
        Ok((clients, began))
    }

    /// Lets the clients go on after the move, and ends them.
    fn end(self, (clients, began): Running) -> Result<Round> {
        std::thread::sleep(AFTER);
        Ok(Round {
            samples: clients.finish()?,
            began,
            steps: self.steps,
        })
    }

    fn control(mut self) -> Result<Round> {
        self.serve_both()?;
        self.put_address()?;
        let running = self.clients(None)?;
        self.step("(nothing)");
        std::thread::sleep(BESIDE);
        self.end(running)
    }

    fn daemons(mut self, mode: Mode, built: &Built) -> Result<Round> {
        if mode == Mode::Proxy {
            self.put_address()?;
        }
        let daemons = Daemons::start(self.lan, self.folder, &self.webs, built, mode)?;
        let running = self.clients(None)?;
        self.step("ordered");
        daemons.take_over(self.lan, HOSTS[1])?;
        self.step("done");
        let ordered = self.steps[0].1;
        self.steps.extend(daemons.steps(self.lan, ordered)?);
        self.steps.sort_by_key(|(_, at)| *at);
        let round = self.end(running);
        drop(daemons);
        round
    }

    fn keepalived(mut self, tuned: bool) -> Result<Round> {
        self.serve_both()?;
        let mut first = Keepalived::start(self.lan, self.folder, HOSTS[0], tuned)?;
        wait_for_address(self.lan, HOSTS[0])?;
        let second = Keepalived::start(self.lan, self.folder, HOSTS[1], tuned)?;
        let running = self.clients(None)?;
        self.step("ordered");
        first.stop();
        self.webs[0].quit();
        self.webs[0].wait_ended(Duration::from_secs(10));
        self.step("first is down");
        let round = self.end(running);
        drop(second);
        round
    }

    /// The order of the protocol, with what may go wrong in it.
    fn overlap(mut self, subject: Subject) -> Result<Round> {
        let [a, b] = [HostName::new(HOSTS[0])?, HostName::new(HOSTS[1])?];
        let prefix = if self.target.is_ipv6() { PREFIX6 } else { PREFIX };
        let address = format!("{}/{prefix}", self.target);
        let first = Calls::start(self.lan, HOSTS[0], std::slice::from_ref(&address))?;
        let second = Calls::start(self.lan, HOSTS[1], std::slice::from_ref(&address))?;
        self.serve_both()?;
        first.call(|address| async move { address.take().await })?;
        let running = self.clients(match subject {
            Subject::Overlap(harsh) => harsh,
            _ => None,
        })?;
        self.step("ordered");
        second.call(move |address| async move { address.arm(&a).await })?;
        self.step("second is armed");
        first.call(move |address| async move { address.yield_to(&b).await })?;
        self.step("first yields");
        if subject == Subject::SecondDies {
            self.second_dies(&first)?;
            return self.end(running);
        }
        second.call(|address| async move { address.appear().await })?;
        self.step("second appears");
        if subject == Subject::FirstDies {
            self.first_dies(&second)?;
            return self.end(running);
        }
        first.call(|address| async move { address.settled(DRAIN).await })?;
        self.webs[0].quit();
        self.step("first drains");
        self.webs[0].wait_ended(DRAIN);
        first.call(|address| async move { address.drained(DRAIN).await })?;
        first.call(|address| async move { address.drop_address().await })?;
        self.step("first is down");
        second.call(|address| async move { address.take().await })?;
        self.step("second alone");
        self.end(running)
    }

    fn second_dies(&mut self, first: &Calls) -> Result<()> {
        std::thread::sleep(Duration::from_millis(100));
        self.lan.run(HOSTS[1], &format!("ip link set {INTERFACE} down"))?;
        self.step("second dies");
        std::thread::sleep(Duration::from_millis(500));
        // What an operator's force does: the first takes the service back.
        first.call(|address| async move { address.take().await })?;
        self.step("first takes back");
        std::thread::sleep(AFTER);
        Ok(())
    }

    fn first_dies(&mut self, second: &Calls) -> Result<()> {
        std::thread::sleep(Duration::from_millis(300));
        self.lan.run(HOSTS[0], &format!("ip link set {INTERFACE} down"))?;
        self.step("first dies");
        std::thread::sleep(Duration::from_secs(1));
        second.call(|address| async move { address.take().await })?;
        self.step("second alone");
        Ok(())
    }
}

/// How long the clients go on after the move.
const AFTER: Duration = Duration::from_secs(2);
/// How long nothing moves.
const BESIDE: Duration = Duration::from_secs(4);
const DRAIN: Duration = Duration::from_secs(15);
