//! Keeps addresses where they were put: announces them, puts them back when somebody removes them, and reports
//! whoever else uses them. Runs from `take` until `drop_address`.
//!
//! Invariant: it only ever adds addresses; after `stop` has returned it adds none.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::frames::{self, Link as LinkAddress};
use super::kernel::{Changes, Interface, Kernel};
use super::wire::Wire;
use crate::nft::{Batch, Link};
use crate::{AddressEvent, VipConfig};

/// The running keeper of one service's addresses.
pub(super) struct Keeper {
    stop: oneshot::Sender<()>,
    announce: mpsc::Sender<()>,
    yielded: Arc<Mutex<Option<Batch>>>,
    speaks: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Keeper {
    /// Starts keeping addresses that were just put in place, and announces them at once. With a transaction that hides
    /// them it is silent: see [`Keeper::fall_silent`].
    pub(super) fn start(
        config: VipConfig,
        interface: Interface,
        (kernel, filter): (Arc<Kernel>, Link),
        events: broadcast::Sender<AddressEvent>,
        hide: Option<Batch>,
    ) -> io::Result<Self> {
        let speaks = Arc::new(AtomicBool::new(hide.is_none()));
        let yielded = Arc::new(Mutex::new(hide));
        let (stop, stopped) = oneshot::channel();
        let (announce, asked) = mpsc::channel(1);
        let mut round = Round {
            wire: None,
            speaks: speaks.clone(),
            yielded: yielded.clone(),
            speaks_since: Instant::now(),
            announcement: 0,
            next_announcement: None,
            running: interface.up && interface.running,
            failing: HashMap::new(),
            reported: HashMap::new(),
            config,
            kernel,
            filter,
            events,
        };
        let changes = Changes::subscribe()?;
        round.open_wire();
        round.announce_afresh();
        let task = tokio::spawn(round.run(changes, asked, stopped));
        Ok(Keeper {
            stop,
            announce,
            yielded,
            speaks,
            task,
        })
    }

    /// Neither announces nor defends the addresses from now on. Neighbours that ask are still answered until another
    /// host shows that it answers; then `hide` is carried out.
    pub(super) fn fall_silent(&self, hide: Batch) {
        *self.yielded.lock().unwrap_or_else(PoisonError::into_inner) = Some(hide);
        self.speaks.store(false, Ordering::SeqCst);
    }

    /// Announces again, from the beginning.
    pub(super) fn announce(&self) {
        self.yielded.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.speaks.store(true, Ordering::SeqCst);
        // A full queue means that it is about to be done.
        let _ = self.announce.try_send(());
    }

    pub(super) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

struct Round {
    config: VipConfig,
    kernel: Arc<Kernel>,
    filter: Link,
    events: broadcast::Sender<AddressEvent>,
    wire: Option<Wire>,
    speaks: Arc<AtomicBool>,
    /// What hides the addresses when another host answers for them.
    yielded: Arc<Mutex<Option<Batch>>>,
    speaks_since: Instant,
    /// How many of [`ANNOUNCEMENTS`] are made.
    announcement: usize,
    next_announcement: Option<Instant>,
    running: bool,
    /// The addresses that can't be put back, with the error that was reported.
    failing: HashMap<IpAddr, String>,
    /// When which duplicate was reported last.
    reported: HashMap<(IpAddr, LinkAddress), Instant>,
}

impl Round {
    async fn run(mut self, mut changes: Changes, mut asked: mpsc::Receiver<()>, mut stopped: oneshot::Receiver<()>) {
        let mut look = Instant::now() + LOOK;
        loop {
            let next = self.next_announcement;
            tokio::select! {
                biased;
                _ = &mut stopped => return,
                Some(()) = asked.recv() => {
                    self.speaks_since = Instant::now();
                    self.announce_afresh();
                }
                () = sleep_until(next.unwrap_or(look)), if next.is_some() => self.announce(),
                () = changes.next() => self.reconcile().await,
                () = sleep_until(look) => {
                    look = Instant::now() + LOOK;
                    self.reconcile().await;
                    self.probe();
                }
                claim = claim(self.wire.as_ref()) => match claim {
                    Ok((ip, link)) => self.claimed(ip, link).await,
                    Err(_) => {
                        // The interface went away or down; the next look opens it again.
                        self.wire = None;
                        sleep(BREATH).await;
                    }
                },
            }
        }
    }

    /// Puts back what is missing.
    async fn reconcile(&mut self) {
        let interface = match self.kernel.interface(&self.config.interface).await {
            Ok(Some(interface)) => interface,
            Ok(None) => {
                self.wire = None;
                return self.all_fail(format!("interface {} does not exist any more", self.config.interface));
            }
            Err(error) => return self.all_fail(error.to_string()),
        };
        if self
            .wire
            .as_ref()
            .is_some_and(|wire| wire.index() != interface.index as usize)
        {
            // Another interface of the same name.
            self.wire = None;
        }
        self.note_link(interface);
        let present = match self.kernel.addresses(interface.index).await {
            Ok(present) => present,
            Err(error) => return self.all_fail(error.to_string()),
        };
        let mut restored = false;
        for address in self.config.addresses.clone() {
            if present.contains(&address) {
                if self.failing.remove(&address.ip).is_some() {
                    self.report(AddressEvent::Restored { address: address.ip });
                }
                continue;
            }
            match self.kernel.add(interface.index, address).await {
                Ok(()) => {
                    restored = true;
                    self.failing.remove(&address.ip);
                    self.report(AddressEvent::Restored { address: address.ip });
                }
                Err(error) => self.fail(address.ip, error.to_string()),
            }
        }
        if self.wire.is_none() && interface.running {
            self.open_wire();
        }
        if restored {
            self.announce_afresh();
        }
    }

    fn note_link(&mut self, interface: Interface) {
        let running = interface.up && interface.running;
        if std::mem::replace(&mut self.running, running) != running {
            self.report(AddressEvent::LinkChanged { up: running });
            // The interface may be another one of the same name by now.
            self.wire = None;
            if running {
                self.open_wire();
                self.announce_afresh();
            }
        }
    }

    /// Another host answers for the addresses, as it should.
    async fn hide(&mut self) {
        let hide = self.yielded.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(batch) = hide
            && let Err(refused) = self.filter.apply(batch).await
        {
            tracing::warn!(%refused, "the address could not be hidden; neighbours may still come here first");
        }
    }

    fn announce_afresh(&mut self) {
        self.announcement = 0;
        self.announce();
    }

    fn announce(&mut self) {
        if let Some(wire) = &self.wire
            && self.speaks()
        {
            for address in &self.config.addresses {
                let router = forwards(&self.config.interface);
                let mut frames = frames::announcements(address.ip, wire.link(), router);
                // Not while the host before may still have the address: it would answer to everybody (IPv6), and
                // neighbours that have just come here would go back to it in the middle of a connection.
                if self.speaks_since.elapsed() >= GRACE {
                    frames.push(frames::probe(address.ip, wire.link()));
                }
                if let Err(error) = frames.iter().try_for_each(|frame| wire.send(frame)) {
                    let event = AddressEvent::AnnounceFails {
                        address: address.ip,
                        error: error.to_string(),
                    };
                    self.report(event);
                }
            }
        }
        self.next_announcement = ANNOUNCEMENTS
            .get(self.announcement)
            .map(|pause| Instant::now() + *pause);
        self.announcement += 1;
    }

    /// Makes another owner show itself.
    fn probe(&self) {
        if let Some(wire) = &self.wire
            && self.speaks()
        {
            for address in &self.config.addresses {
                // A failure here is the link's, and reported as such.
                let _ = wire.send(&frames::probe(address.ip, wire.link()));
            }
        }
    }

    /// Somebody else says that it has an address.
    async fn claimed(&mut self, ip: IpAddr, link: LinkAddress) {
        if !self.config.addresses.iter().any(|address| address.ip == ip) {
            return;
        }
        if !self.speaks() {
            return self.hide().await;
        }
        if self.speaks_since.elapsed() < GRACE {
            return;
        }
        let now = Instant::now();
        self.reported.retain(|_, at| now - *at < QUIET_ABOUT_DUPLICATE);
        if self.reported.len() < MOST_DUPLICATES && !self.reported.contains_key(&(ip, link)) {
            self.reported.insert((ip, link), now);
            self.report(AddressEvent::DuplicateSeen { address: ip, link });
            // Neighbours have just been told otherwise.
            self.announce_afresh();
        }
    }

    fn speaks(&self) -> bool {
        self.speaks.load(Ordering::SeqCst)
    }

    fn open_wire(&mut self) {
        let with_ipv6 = self.config.addresses.iter().any(|address| address.ip.is_ipv6());
        match Wire::open(&self.config.interface, with_ipv6) {
            Ok(wire) => self.wire = wire,
            Err(error) => {
                for address in &self.config.addresses {
                    self.report(AddressEvent::AnnounceFails {
                        address: address.ip,
                        error: error.to_string(),
                    });
                }
            }
        }
    }

    fn all_fail(&mut self, error: String) {
        for address in self.config.addresses.clone() {
            self.fail(address.ip, error.clone());
        }
    }

    fn fail(&mut self, address: IpAddr, error: String) {
        if self
            .failing
            .insert(address, error.clone())
            .is_none_or(|before| before != error)
        {
            self.report(AddressEvent::RestoreFails { address, error });
        }
    }

    fn report(&self, event: AddressEvent) {
        let _ = self.events.send(event);
    }
}

async fn claim(wire: Option<&Wire>) -> io::Result<(IpAddr, LinkAddress)> {
    match wire {
        Some(wire) => wire.claim().await,
        None => std::future::pending().await,
    }
}

/// Whether this host is a router on the interface; neighbours that are told otherwise would forget it as a router.
fn forwards(interface: &str) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{interface}/forwarding");
    fs::read_to_string(path).is_ok_and(|text| text.trim() != "0")
}

/// Pauses after each announcement: three at once, since a frame may be lost, then for neighbours that were slow or away.
const ANNOUNCEMENTS: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(5),
    Duration::from_secs(20),
];
/// Between looks whether everything is in place, in case that the kernel's notice of a change was lost.
const LOOK: Duration = Duration::from_secs(5);
/// The host that had the address before may still be answering somebody; a real duplicate goes on.
const GRACE: Duration = Duration::from_millis(500);
/// A duplicate repeats itself; defending an address more often than this is a storm (RFC 5227, 2.4).
const QUIET_ABOUT_DUPLICATE: Duration = Duration::from_secs(10);
/// A flood of invented duplicates must not fill memory or journal.
const MOST_DUPLICATES: usize = 16;
/// Between attempts on an interface that fails.
const BREATH: Duration = Duration::from_millis(100);
