//! What is known of one peer: which directions stand, and what waits to be sent.
//!
//! Invariants: the peer is up exactly while our connection stands, its connection stands, and its last heartbeat says
//! that it hears us; every change of that is one event, in order; a queue belongs to one connection and dies with it,
//! so that nothing stale is sent after a reconnect.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use understudy_protocol::HostName;

use super::error::LinkError;
use super::{Frame, PeerEvent};
use understudy_wire::Packet;

/// A framed packet that waits to be written. A page's permit is given back when it has been.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) framed: Bytes,
    _permit: Option<OwnedSemaphorePermit>,
}

/// One peer.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) name: HostName,
    pub(super) address: String,
    events: mpsc::Sender<PeerEvent>,
    stop: CancellationToken,
    state: tokio::sync::Mutex<State>,
    up: AtomicBool,
    queue: Mutex<Option<mpsc::Sender<Queued>>>,
    pages: Arc<Semaphore>,
    hears: watch::Sender<bool>,
    trouble: Mutex<Option<String>>,
}

#[derive(Debug, Default)]
struct State {
    /// Our connection stands.
    outgoing: bool,
    /// The connection it speaks on: its number, and how to end it.
    incoming: Option<(u64, CancellationToken)>,
    /// It says that it hears us.
    heard: bool,
    next_number: u64,
    /// What was last told to the daemon.
    up: bool,
}

impl Link {
    pub(super) fn new(
        name: HostName,
        address: String,
        events: mpsc::Sender<PeerEvent>,
        stop: CancellationToken,
    ) -> Self {
        Link {
            name,
            address,
            events,
            stop,
            state: tokio::sync::Mutex::default(),
            up: AtomicBool::new(false),
            queue: Mutex::new(None),
            pages: Arc::new(Semaphore::new(PAGES_IN_FLIGHT)),
            hears: watch::Sender::new(false),
            trouble: Mutex::new(None),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Why it is not up, in words.
    pub(super) fn trouble(&self) -> String {
        lock(&self.trouble)
            .clone()
            .unwrap_or_else(|| "not connected yet".to_owned())
    }

    /// Notes why a connection ended or was not made. Each new reason is logged once, not with every attempt.
    pub(super) fn note(&self, direction: &'static str, error: &LinkError) {
        let text = format!("{direction}: {error}");
        let before = lock(&self.trouble).replace(text.clone());
        if before.as_ref() == Some(&text) {
            tracing::debug!(peer = %self.name, direction, %error, "still no connection");
        } else {
            tracing::warn!(peer = %self.name, direction, %error, "connection lost or not made");
        }
    }

    /// Queues a frame if there is a connection and room.
    pub(super) fn send(&self, frame: &Frame) -> bool {
        let Some(framed) = self.framed(frame) else { return false };
        let queue = lock(&self.queue).clone();
        queue.is_some_and(|queue| queue.try_send(Queued { framed, _permit: None }).is_ok())
    }

    /// Queues a frame when there is room. Few at a time, so that they never fill the queue for the protocol's messages.
    pub(super) async fn send_waiting(&self, frame: &Frame) -> bool {
        let Some(framed) = self.framed(frame) else { return false };
        let Some(queue) = lock(&self.queue).clone() else {
            return false;
        };
        let permit = tokio::select! {
            permit = self.pages.clone().acquire_owned() => permit.ok(),
            () = queue.closed() => return false,
        };
        queue
            .send(Queued {
                framed,
                _permit: permit,
            })
            .await
            .is_ok()
    }

    fn framed(&self, frame: &Frame) -> Option<Bytes> {
        let framed = understudy_wire::frame(&Packet::Frame(frame.clone()));
        if framed.is_none() {
            tracing::error!(peer = %self.name, kind = frame.kind(), limit = understudy_wire::FRAME_LIMIT, "a frame is too large to be sent");
        }
        framed
    }

    /// Hands a frame on; waits until the daemon takes it.
    pub(super) async fn deliver(&self, frame: Frame) {
        self.tell(PeerEvent::Frame(self.name.clone(), frame)).await;
    }

    /// Our connection stands: here is what is to be sent on it.
    pub(super) async fn outgoing_stands(&self) -> mpsc::Receiver<Queued> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        *lock(&self.queue) = Some(sender);
        self.change(|state| state.outgoing = true).await;
        receiver
    }

    /// Our connection is gone, and its queue with it.
    pub(super) async fn outgoing_ended(&self) {
        *lock(&self.queue) = None;
        self.change(|state| state.outgoing = false).await;
    }

    /// It speaks on a new connection; an older one is ended, for a peer that restarted without a farewell.
    pub(super) async fn incoming_stands(&self, end: CancellationToken) -> u64 {
        self.change(|state| {
            if let Some((_, older)) = state.incoming.take() {
                older.cancel();
            }
            state.heard = false;
        })
        .await;
        let mut number = 0;
        self.change(|state| {
            state.next_number += 1;
            number = state.next_number;
            state.incoming = Some((number, end));
        })
        .await;
        self.hears.send_replace(true);
        number
    }

    /// The connection of that number is gone.
    pub(super) async fn incoming_ended(&self, number: u64) {
        let mut current = false;
        self.change(|state| {
            current = state.incoming.as_ref().is_some_and(|(standing, _)| *standing == number);
            if current {
                state.incoming = None;
                state.heard = false;
            }
        })
        .await;
        if current {
            self.hears.send_replace(false);
        }
    }

    /// A heartbeat on the connection of that number.
    pub(super) async fn heard(&self, number: u64, hears_us: bool) {
        self.change(|state| {
            if state.incoming.as_ref().is_some_and(|(standing, _)| *standing == number) {
                state.heard = hears_us;
            }
        })
        .await;
    }

    /// Whether we hear it, to be told in our heartbeats.
    pub(super) fn hears(&self) -> watch::Receiver<bool> {
        self.hears.subscribe()
    }

    /// Every change of the state goes through here; an event is sent under the lock, so that events keep their order.
    async fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().await;
        change(&mut state);
        let up = state.outgoing && state.incoming.is_some() && state.heard;
        if up == state.up {
            return;
        }
        state.up = up;
        self.up.store(up, Ordering::Release);
        let event = if up {
            *lock(&self.trouble) = None;
            tracing::info!(peer = %self.name, "connected");
            PeerEvent::Connected(self.name.clone())
        } else {
            lock(&self.trouble).get_or_insert_with(|| "it does not hear this host".to_owned());
            PeerEvent::Lost(self.name.clone())
        };
        self.tell(event).await;
    }

    /// Waits for the daemon to take it, but not when everything is being stopped: the daemon may have stopped taking.
    async fn tell(&self, event: PeerEvent) {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            _ = self.events.send(event) => {}
        }
    }
}

/// None of these locks is held across anything that could fail halfway, so a poisoned one is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Protocol messages of all services that may wait for one peer; timers repeat what finds no room.
const QUEUE: usize = 256;
/// Pages (of half a mebibyte) that may wait for one peer: enough to keep the line busy, little enough to hold.
const PAGES_IN_FLIGHT: usize = 8;
