//! The connections between the hosts: in order while they stand, cut one way or both, broken, slow; on a wild network
//! also lossy, doubling and overtaking.
//!
//! Invariant: as `peers/` promises, `Connected` and `Lost` of one peer alternate, and `Connected` means both directions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, mpsc};
use understudy_protocol::HostName;

use super::world::{State, World};
use crate::driver::Input;
use crate::edges::Links;
use crate::peers::{Frame, PeerEvent};

/// One direction between two hosts.
#[derive(Default)]
pub(super) struct Way {
    /// Nothing comes through.
    pub(super) cut: bool,
    /// The sender's connection stands.
    up: bool,
    /// When something last came through.
    passed_ms: Option<u64>,
    /// What was sent and has not arrived, with its time.
    queue: VecDeque<(u64, Frame)>,
    pub(super) slow: bool,
    wake: Arc<Notify>,
}

/// As `peers::Pace` has it.
const DEAD_AFTER_MS: u64 = 3_000;
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Frames that a connection takes before a page has to wait.
const ROOM: usize = 16;

pub(super) struct SimulatedLinks {
    pub(super) world: Arc<World>,
    pub(super) who: HostName,
    pub(super) life: u64,
}

#[async_trait]
impl Links for SimulatedLinks {
    fn send(&self, to: &HostName, frame: Frame) -> bool {
        self.world
            .aside(|state| state.send(&self.who, self.life, to, frame, &self.world))
    }

    async fn send_waiting(&self, to: &HostName, frame: Frame) -> bool {
        loop {
            self.world.gate(&self.who, self.life).await;
            let way = (self.who.clone(), to.clone());
            let room = self
                .world
                .aside(|state| state.ways.get(&way).map(|way| way.up && way.queue.len() < ROOM));
            match room {
                Some(true) => return self.send(to, frame),
                Some(false) if self.connected_to(&way) => {
                    self.world.pass(&self.who, self.life, Duration::from_millis(20)).await;
                }
                _ => return false,
            }
        }
    }

    fn connected(&self) -> BTreeSet<HostName> {
        self.world.aside(|state| {
            let mine = state.told.iter().filter(|(who, _)| *who == self.who);
            mine.map(|(_, whom)| whom.clone()).collect()
        })
    }

    fn troubles(&self) -> BTreeMap<HostName, String> {
        BTreeMap::new()
    }
}

impl SimulatedLinks {
    fn connected_to(&self, way: &(HostName, HostName)) -> bool {
        self.world.aside(|state| state.ways[way].up)
    }
}

impl State {
    fn send(&mut self, from: &HostName, life: u64, to: &HostName, frame: Frame, world: &Arc<World>) -> bool {
        let way = (from.clone(), to.clone());
        if self.hosts[from].life != life || !self.ways.get(&way).is_some_and(|way| way.up) {
            return false;
        }
        let what = kind(&frame);
        if world.settings.wild_network && self.dice.one_in(15) {
            self.count("frames lost");
            self.say(from.as_str(), format_args!("-> {to}: {what}: lost"));
            return true;
        }
        let slow = self.ways[&way].slow;
        let delay = if slow {
            self.dice.mostly((50, 600), (1_000, 8_000), 8)
        } else {
            self.dice.mostly((1, 6), (20, 400), 30)
        };
        let mut at = self.now_ms + u64::try_from(delay.as_millis()).unwrap();
        if world.settings.wild_network && self.dice.one_in(10) {
            self.count("frames doubled and late");
            let late = at + self.dice.below(20_000);
            tokio::spawn(arrive_late(world.clone(), way.clone(), frame.clone(), late));
        }
        if world.settings.wild_network && self.dice.one_in(6) {
            self.count("frames overtaken");
            tokio::spawn(arrive_late(world.clone(), way, frame, at + 40));
            return true;
        }
        self.count("frames sent");
        if let Some(way) = self.ways.get_mut(&way) {
            at = at.max(way.queue.back().map_or(0, |(before, _)| *before));
            way.queue.push_back((at, frame));
            way.wake.notify_one();
        }
        true
    }

    /// Whether something that is on its way comes through now.
    fn comes_through(&self, way: &(HostName, HostName)) -> bool {
        let to = &self.hosts[&way.1];
        !self.ways[way].cut && to.daemon.is_some() && !to.frozen
    }

    /// Every connection of a daemon that is gone breaks; of a machine that is gone, only later, when it is noticed.
    pub(super) fn hang_up(&mut self, who: &HostName, noticed: bool) {
        self.told.retain(|(x, _)| x != who);
        for ((from, to), way) in &mut self.ways {
            if from == who || to == who {
                way.queue.clear();
                way.up &= from != who && !noticed;
                if noticed || from == who {
                    way.passed_ms = None;
                }
            }
        }
    }

    pub(super) fn reset(&mut self, a: &HostName, b: &HostName) {
        for way in [(a.clone(), b.clone()), (b.clone(), a.clone())] {
            if let Some(way) = self.ways.get_mut(&way) {
                way.queue.clear();
                (way.up, way.passed_ms) = (false, None);
            }
        }
    }

    /// What both sides notice of their connections.
    fn look(&mut self, a: &HostName, b: &HostName) {
        let now = self.now_ms;
        for way in [(a.clone(), b.clone()), (b.clone(), a.clone())] {
            let speaks = self.hosts[&way.0].daemon.is_some() && !self.hosts[&way.0].frozen;
            let passes = speaks && self.comes_through(&way);
            let Some(way) = self.ways.get_mut(&way) else { continue };
            if passes {
                (way.up, way.passed_ms) = (true, Some(now));
            } else if way.passed_ms.is_none_or(|at| now >= at + DEAD_AFTER_MS) {
                way.up = false;
                way.passed_ms = None;
                way.queue.clear();
            }
        }
        let both = [(a, b), (b, a)]
            .iter()
            .all(|(x, y)| self.ways[&((*x).clone(), (*y).clone())].passed_ms.is_some());
        for (me, other) in [(a, b), (b, a)] {
            let pair = (me.clone(), other.clone());
            let host = &self.hosts[me];
            let Some(daemon) = host.daemon.as_ref().filter(|_| !host.frozen) else {
                continue;
            };
            if both == self.told.contains(&pair) {
                continue;
            }
            let event = if both {
                PeerEvent::Connected(other.clone())
            } else {
                PeerEvent::Lost(other.clone())
            };
            if daemon.inputs.try_send(Input::Peer(event)).is_ok() {
                self.say(
                    me.as_str(),
                    format_args!("{} {other}", if both { "hears" } else { "has lost" }),
                );
                if both {
                    self.told.insert(pair);
                } else {
                    self.told.remove(&pair);
                }
            }
        }
    }
}

/// Looks after the connection between two hosts, for as long as the world lasts.
pub(super) async fn watch(world: Arc<World>, a: HostName, b: HostName) {
    loop {
        world.aside(|state| state.look(&a, &b));
        world.time.sleep(LOOK_EVERY).await;
    }
}

/// Carries what is sent in one direction.
pub(super) async fn carry(world: Arc<World>, way: (HostName, HostName)) {
    let wake = world.aside(|state| state.ways[&way].wake.clone());
    loop {
        let Some(at) = world.aside(|state| state.ways[&way].queue.front().map(|(at, _)| *at)) else {
            wake.notified().await;
            continue;
        };
        world.time.until_ms(at).await;
        let arrived = world.aside(|state| {
            let due = state.ways[&way]
                .queue
                .front()
                .is_some_and(|(at, _)| *at <= state.now_ms);
            if !due || !state.comes_through(&way) {
                return None;
            }
            let queue = &mut state.ways.get_mut(&way)?.queue;
            let (_, frame) = queue.pop_front()?;
            Some((frame, state.hosts[&way.1].daemon.as_ref()?.inputs.clone()))
        });
        match arrived {
            Some((frame, inputs)) => hand_on(&world, &way, frame, &inputs).await,
            // Not lost yet: the sender's kernel tries again until somebody gives the connection up.
            None => world.time.sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn hand_on(world: &Arc<World>, way: &(HostName, HostName), frame: Frame, inputs: &mpsc::Sender<Input>) {
    let what = kind(&frame);
    world.aside(|state| state.say(way.1.as_str(), format_args!("<- {}: {what}", way.0)));
    let full = inputs.capacity() == 0;
    if full {
        world.time.sleep(Duration::from_millis(50)).await;
    }
    let _ = inputs.try_send(Input::Peer(PeerEvent::Frame(way.0.clone(), frame)));
}

/// A copy that comes when it comes, to whichever daemon runs there then.
async fn arrive_late(world: Arc<World>, way: (HostName, HostName), frame: Frame, at: u64) {
    world.time.until_ms(at).await;
    let inputs = world.aside(|state| {
        let through = state.comes_through(&way);
        state.hosts[&way.1]
            .daemon
            .as_ref()
            .filter(|_| through)
            .map(|daemon| daemon.inputs.clone())
    });
    if let Some(inputs) = inputs {
        hand_on(&world, &way, frame, &inputs).await;
    }
}

/// For the trace.
fn kind(frame: &Frame) -> String {
    match frame {
        Frame::Protocol { service, envelope } => {
            let message = &envelope.message;
            format!(
                "{service} {} (boot {}, known {})",
                message.name(),
                envelope.boot.0,
                envelope.known
            )
        }
        Frame::CompilationPage { service, requests, .. } => {
            let states: Vec<_> = requests
                .iter()
                .map(|request| format!("{} {:?}", request.id, request.state))
                .collect();
            format!("{service} page: {}", states.join(", "))
        }
        Frame::HostView(_) => "view".to_owned(),
        Frame::JournalLine(_) => "line".to_owned(),
        Frame::Asked { .. } | Frame::Told { .. } => "question or answer".to_owned(),
    }
}
