//! The clients that wait during a hold: keeps the frame with which each wants in, and gives it, when the wait is over,
//! to whoever serves then. So nobody waits for its own kernel to try again, which takes a second.
//!
//! While this host has the addresses, the frames are kept. After it gave them up they go to the host that announces
//! them; clients that did not hear the announcement are still passed on for a while.
//!
//! Invariant: bounded in number and time; a client that does not fit tries again by itself, as without all this.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::frames::Link;
use super::knocks::{Inward, Knocks};
use super::openings::Opening;
use super::rules::Rules;
use super::syn_hold::LEFT_BEHIND;
use super::wire::Wire;
use crate::nft;
use crate::{AddressEvent, VipConfig};

/// The running keeper of clients that wait.
pub(super) struct Waiting {
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

enum Order {
    /// The wait is over, and this host serves.
    Here(oneshot::Sender<()>),
    /// This host has given the addresses up.
    Elsewhere,
    /// Forget everybody.
    Stop,
}

impl Waiting {
    /// Starts to keep the clients of these addresses.
    pub(super) fn start(
        config: VipConfig,
        rules: Rules,
        filter: nft::Link,
        events: broadcast::Sender<AddressEvent>,
    ) -> io::Result<Self> {
        let (orders, asked) = mpsc::channel(4);
        let room = Room {
            knocks: Knocks::open(&config.interface)?,
            config,
            rules,
            filter,
            events,
            waiting: HashMap::new(),
            arrivals: 0,
            successor: None,
        };
        let task = tokio::spawn(room.run(asked));
        Ok(Waiting { orders, task })
    }

    /// Lets everybody in here; the filter must let frames pass again.
    pub(super) async fn let_in(self) {
        let (done, wait) = oneshot::channel();
        if self.orders.send(Order::Here(done)).await.is_ok() {
            let _ = wait.await;
        }
        let _ = self.task.await;
    }

    /// From now on everybody goes to the host that announces the addresses. Ends by itself after a while and then takes
    /// the hold's rules away.
    pub(super) async fn send_elsewhere(&self) {
        let _ = self.orders.send(Order::Elsewhere).await;
    }

    /// It has nobody to wait for any more.
    pub(super) fn is_over(&self) -> bool {
        self.task.is_finished()
    }

    pub(super) async fn stop(self) {
        let _ = self.orders.send(Order::Stop).await;
        let _ = self.task.await;
    }
}

struct Room {
    config: VipConfig,
    rules: Rules,
    filter: nft::Link,
    events: broadcast::Sender<AddressEvent>,
    knocks: Knocks,
    /// The last frame of each, and when it came first.
    waiting: HashMap<Opening, (u64, Vec<u8>)>,
    arrivals: u64,
    successor: Option<Link>,
}

impl Room {
    async fn run(mut self, mut asked: mpsc::Receiver<Order>) {
        let mut wire = None;
        let mut until = None;
        loop {
            tokio::select! {
                biased;
                order = asked.recv() => match order {
                    Some(Order::Here(done)) => {
                        self.let_in().await;
                        let _ = done.send(());
                        return;
                    }
                    Some(Order::Elsewhere) => {
                        wire = self.listen();
                        until = Some(Instant::now() + PATIENCE);
                    }
                    // The daemon ends: the rules stay, as the addresses do.
                    Some(Order::Stop) | None => return,
                },
                link = claim(wire.as_ref(), &self.config) => {
                    if self.successor.replace(link) != Some(link) {
                        until = Some(Instant::now() + AFTERCARE);
                        self.pass_on(link).await;
                    }
                }
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                    // An error is one that the next hold will meet again, and say.
                    let _ = self.filter.apply(self.rules.without(&LEFT_BEHIND)).await;
                    return;
                }
                knock = self.knocks.next() => match knock {
                    Ok((opening, frame)) => self.knock(opening, frame),
                    // The interface is down or gone; so are its clients.
                    Err(_) => sleep(BREATH).await,
                },
            }
        }
    }

    fn listen(&self) -> Option<Wire> {
        let with_ipv6 = self.config.addresses.iter().any(|address| address.ip.is_ipv6());
        Wire::open(&self.config.interface, with_ipv6).ok().flatten()
    }

    fn knock(&mut self, opening: Opening, frame: Vec<u8>) {
        if !self.is_ours(opening) {
            return;
        }
        if let Some(link) = self.successor {
            let _ = self.knocks.pass_on(&frame, link);
            return;
        }
        if let Some((_, known)) = self.waiting.get_mut(&opening) {
            *known = frame;
        } else if self.waiting.len() < MOST_WAITING {
            self.arrivals += 1;
            self.waiting.insert(opening, (self.arrivals, frame));
        }
    }

    fn is_ours(&self, opening: Opening) -> bool {
        let ports = &self.config.ports;
        (ports.is_empty() || ports.contains(&opening.service.port())) && is_one(&self.config, opening.service.ip())
    }

    async fn pass_on(&mut self, link: Link) {
        let frames = self.in_order();
        let clients = frames.len();
        for burst in frames.chunks(BURST) {
            for frame in burst {
                let _ = self.knocks.pass_on(frame, link);
            }
            sleep(BETWEEN_BURSTS).await;
        }
        if clients > 0 {
            self.report(AddressEvent::WaitersPassed {
                to: Some(link),
                clients,
            });
        }
    }

    async fn let_in(&mut self) {
        while let Some((opening, frame)) = self.knocks.at_once() {
            self.knock(opening, frame);
        }
        let frames = self.in_order();
        let Ok(inward) = Inward::open() else { return };
        for burst in frames.chunks(BURST) {
            for frame in burst {
                let _ = inward.deliver(frame);
            }
            sleep(BETWEEN_BURSTS).await;
        }
        if !frames.is_empty() {
            self.report(AddressEvent::WaitersPassed {
                to: None,
                clients: frames.len(),
            });
        }
    }

    /// Whoever came first goes first.
    fn in_order(&mut self) -> Vec<Vec<u8>> {
        let mut all: Vec<_> = self.waiting.drain().map(|(_, waiting)| waiting).collect();
        all.sort_by_key(|(arrival, _)| *arrival);
        all.into_iter().map(|(_, frame)| frame).collect()
    }

    fn report(&self, event: AddressEvent) {
        let _ = self.events.send(event);
    }
}

/// The next link-layer address under which somebody else has one of the addresses.
async fn claim(wire: Option<&Wire>, config: &VipConfig) -> Link {
    loop {
        match wire {
            Some(wire) => match wire.claim().await {
                Ok((ip, link)) if is_one(config, ip) => return link,
                Ok(_) => {}
                Err(_) => sleep(BREATH).await,
            },
            None => std::future::pending().await,
        }
    }
}

fn is_one(config: &VipConfig, ip: IpAddr) -> bool {
    config.addresses.iter().any(|address| address.ip == ip)
}

/// Ten seconds of a busy service; a few hundred bytes each.
const MOST_WAITING: usize = 65_536;
/// How long a successor may take to announce the addresses: longer than most servers' start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long clients that did not hear of the successor are passed on: longer than neighbours take to look again.
const AFTERCARE: Duration = Duration::from_secs(30);
/// A server accepts a good ten thousand connections a second; more at once would fill its queue.
const BURST: usize = 16;
const BETWEEN_BURSTS: Duration = Duration::from_millis(1);
/// Between attempts on an interface that fails.
const BREATH: Duration = Duration::from_millis(100);
