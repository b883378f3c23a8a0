//! The ways to move an address, and one round of each.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::calls::Calls;
use super::clients::{Clients, Load, Sample};
use super::daemons::{Daemons, Mode};
use super::harsh::Harsh;
use super::keepalived::{Keepalived, wait_for_address};
use super::lan::{Lan, VIP4, VIP6};
use super::web::Web;
use crate::cluster::Built;
use crate::servers::wait_until;
use understudy_protocol::HostName;

/// A way to move, or not to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Nothing moves.
    Control,
    /// Both servers run; the address crate's calls in order.
    Overlap(Option<Harsh>),
    /// The same over IPv6.
    Overlap6,
    /// The same, and the first host loses its link while its connections end.
    FirstDies,
    /// The same, and the second host loses its link before it appears.
    SecondDies,
    /// One server at a time; two real daemons.
    Exclusive,
    /// One server at a time behind a forwarding daemon on one host; two real daemons.
    Proxy,
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
    /// When the move was ordered, and what happened when.
    pub(super) steps: Vec<(&'static str, Instant)>,
}

/// What is prepared for a round.
struct Stage<'a> {
    lan: &'a Lan,
    webs: &'a [Web; 2],
    steps: Vec<(&'static str, Instant)>,
}

impl Subject {
    /// The rows of the ordinary table.
    pub(super) const PLAIN: [Subject; 6] = [
        Subject::Control,
        Subject::Overlap(None),
        Subject::Exclusive,
        Subject::Proxy,
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
            Subject::Overlap(None) => "overlap (the address crate's calls)",
            Subject::Overlap(Some(Harsh::Firewall)) => "overlap, host firewalls drop forwarded and invalid",
            Subject::Overlap(Some(Harsh::StrictReversePath)) => "overlap, strict rp_filter",
            Subject::Overlap(Some(Harsh::StaleNeighbour)) => "overlap, the client never learns",
            Subject::Overlap6 => "overlap, IPv6",
            Subject::FirstDies => "overlap, the first dies half way",
            Subject::SecondDies => "overlap, the second dies half way",
            Subject::Exclusive => "exclusive (two daemons)",
            Subject::Proxy => "proxy (two daemons on one host)",
            Subject::Keepalived { tuned: false } => "keepalived, default",
            Subject::Keepalived { tuned: true } => "keepalived, adverts each 10 ms",
        }
    }

    /// Plays one round.
    pub(super) fn play(self, built: &Built, load: Load, before: Duration) -> Result<Round> {
        let folder = tempfile::Builder::new().prefix("usbench-").tempdir()?;
        let lan = Lan::new()?;
        let ports = if self == Subject::Proxy { [8081, 8082] } else { [80, 80] };
        let webs = [
            Web::configure(folder.path(), "a", ports[0])?,
            Web::configure(folder.path(), "b", ports[1])?,
        ];
        let mut stage = Stage {
            lan: &lan,
            webs: &webs,
            steps: Vec::new(),
        };
        let target = if self == Subject::Overlap6 { VIP6 } else { VIP4 };
        let clients = || -> Result<(Clients, Instant)> {
            // A first exchange, so that neighbours know each other.
            let ping = format!("ping -c 1 -W 2 {target}");
            let _seen = wait_until(Duration::from_secs(5), || lan.run("client", &ping).is_ok());
            if let Subject::Overlap(Some(harsh)) = self {
                harsh.apply(&lan)?;
            }
            let began = Instant::now();
            let clients = Clients::start(&lan, target, load)?;
            std::thread::sleep(before);
            Ok((clients, began))
        };
        let (clients, began) = match self {
            Subject::Control => {
                stage.serve_both()?;
                lan.run("a", &format!("ip address add {VIP4}/24 dev eth0"))?;
                let running = clients()?;
                stage.step("(nothing)");
                std::thread::sleep(BESIDE);
                running
            }
            Subject::Overlap(_) | Subject::Overlap6 | Subject::FirstDies | Subject::SecondDies => {
                stage.overlap(self, clients)?
            }
            Subject::Exclusive => {
                let daemons = Daemons::start(&lan, folder.path(), &webs, built, Mode::Vip)?;
                let running = clients()?;
                stage.step("ordered");
                daemons.take_over(&lan, "b")?;
                stage.step("done");
                std::thread::sleep(AFTER);
                let finished = running.0.finish()?;
                drop(daemons);
                return Ok(stage.round(finished, running.1));
            }
            Subject::Proxy => {
                lan.run("a", &format!("ip address add {VIP4}/24 dev eth0"))?;
                let daemons = Daemons::start(&lan, folder.path(), &webs, built, Mode::Proxy)?;
                let running = clients()?;
                stage.step("ordered");
                daemons.take_over(&lan, "b")?;
                stage.step("done");
                std::thread::sleep(AFTER);
                let finished = running.0.finish()?;
                drop(daemons);
                return Ok(stage.round(finished, running.1));
            }
            Subject::Keepalived { tuned } => {
                stage.serve_both()?;
                let mut first = Keepalived::start(&lan, folder.path(), "a", tuned)?;
                wait_for_address(&lan, "a")?;
                let _second = Keepalived::start(&lan, folder.path(), "b", tuned)?;
                let running = clients()?;
                stage.step("ordered");
                first.stop();
                webs[0].quit();
                webs[0].wait_ended(Duration::from_secs(10));
                stage.step("first is down");
                std::thread::sleep(AFTER);
                let finished = running.0.finish()?;
                return Ok(stage.round(finished, running.1));
            }
        };
        std::thread::sleep(AFTER);
        let finished = clients.finish()?;
        Ok(stage.round(finished, began))
    }
}

impl Stage<'_> {
    fn step(&mut self, what: &'static str) {
        self.steps.push((what, Instant::now()));
    }

    fn serve_both(&self) -> Result<()> {
        self.webs[0].start(self.lan, "a")?;
        self.webs[1].start(self.lan, "b")
    }

    /// The order of the protocol, with what may go wrong in it.
    fn overlap(
        &mut self,
        subject: Subject,
        clients: impl FnOnce() -> Result<(Clients, Instant)>,
    ) -> Result<(Clients, Instant)> {
        let (a, b) = (HostName::new("a")?, HostName::new("b")?);
        let address = if subject == Subject::Overlap6 {
            format!("{VIP6}/64")
        } else {
            format!("{VIP4}/24")
        };
        let first = Calls::start(self.lan, "a", std::slice::from_ref(&address))?;
        let second = Calls::start(self.lan, "b", std::slice::from_ref(&address))?;
        self.webs[0].start(self.lan, "a")?;
        first.call(|address| async move { address.take().await })?;
        let running = clients()?;
        self.step("ordered");
        second.call(move |address| async move { address.arm(&a).await })?;
        self.webs[1].start(self.lan, "b")?;
        self.step("second is armed");
        first.call(move |address| async move { address.yield_to(&b).await })?;
        self.step("first yields");
        if subject == Subject::SecondDies {
            std::thread::sleep(Duration::from_millis(100));
            self.lan.run("b", "ip link set eth0 down")?;
            self.step("second dies");
            std::thread::sleep(Duration::from_millis(500));
            // What an operator's force does: the first takes the service back.
            first.call(|address| async move { address.take().await })?;
            self.step("first takes back");
            std::thread::sleep(Duration::from_secs(2));
            return Ok(running);
        }
        second.call(|address| async move { address.appear().await })?;
        self.step("second appears");
        if subject == Subject::FirstDies {
            std::thread::sleep(Duration::from_millis(300));
            self.lan.run("a", "ip link set eth0 down")?;
            self.step("first dies");
            std::thread::sleep(Duration::from_secs(1));
            second.call(|address| async move { address.take().await })?;
            self.step("second alone");
            return Ok(running);
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
        // Both go on until the clients have ended.
        std::thread::sleep(AFTER);
        Ok(running)
    }

    fn round(self, samples: Vec<Sample>, began: Instant) -> Round {
        Round {
            samples,
            began,
            steps: self.steps,
        }
    }
}

/// How long the clients go on after the move.
const AFTER: Duration = Duration::from_secs(2);
/// How long nothing moves.
const BESIDE: Duration = Duration::from_secs(4);
const DRAIN: Duration = Duration::from_secs(15);
