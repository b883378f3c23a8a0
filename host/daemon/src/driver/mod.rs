//! The one task that owns the machines.
//!
//! ```text
//!  probes ─┐
//!  peers ──┤                    ┌─ store (the entry, first)
//!  API ────┼─► Input ─► driver ─┼─ effects, peers, answers (the actions, then)
//!  effects ┤           machines └─ published view, journal feed
//!  time ───┘
//! ```
//!
//! Invariants: nobody else sees a machine; a turn's entry is stored before the machine is replaced and its actions run;
//! a turn that could not be stored did not happen, and is tried again unless it was a message (its sender repeats it).
//! The driver must not know: plugins, addresses, sockets.

mod clock;
mod crash;
mod evidence;
mod input;
mod pending;
mod publish;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{debug, info, warn};
use understudy_protocol::{
    Action, Entry, Envelope, Event, HostName, Machine, Refusal, RoundId, ServiceName, Stored, Time,
};
use understudy_store::{JournalFilter, Order, StoreError};

#[cfg(test)]
pub(crate) use clock::Ticks;
pub(crate) use clock::{Clock, wall_ms};
pub(crate) use evidence::{forced_id, parse_forced_id};
pub(crate) use input::{Input, Look};
pub(crate) use publish::{Publisher, ServiceInfo};

use crate::edges::{Audience, Links, Records};
use crate::effects::{Context, Effector};
use crate::peers::{Frame, PeerEvent};
use crate::reload::Settings;
use crash::Moment;
use pending::PendingOrders;

/// How long to wait before a turn that could not be stored is tried again: long enough not to hammer a full disk.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How many turns are kept for another try: more than all works and probes of a service can have under way.
const UNSTORED_MAX: usize = 64;
/// The view is published at least this often, so that timers and ages move.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// Lines of the journal that a peer is told when it connects.
const HISTORY_LINES: u32 = 300;
/// A wake-up this late means that the daemon or its machine stood still.
const STALL: Duration = Duration::from_secs(1);

/// One service as the driver has it.
pub(crate) struct Service {
    pub(crate) machine: Machine,
    pub(crate) effector: Effector,
    /// Events whose turn could not be stored.
    unstored: Vec<Event>,
    /// No turn before this, because the store failed.
    stalled_until: Option<Time>,
    /// A write failed, which leaves open what is on the disk: the next entry carries the durable record in any case.
    disk_unsure: bool,
    orders: PendingOrders,
}

impl Service {
    pub(crate) fn new(machine: Machine, effector: Effector) -> Self {
        Service {
            machine,
            effector,
            unstored: Vec::new(),
            stalled_until: None,
            disk_unsure: false,
            orders: PendingOrders::default(),
        }
    }
}

/// The driver: see the module's head.
pub(crate) struct Driver {
    pub(crate) clock: Clock,
    pub(crate) store: Arc<dyn Records>,
    pub(crate) peers: Arc<dyn Links>,
    pub(crate) services: BTreeMap<ServiceName, Service>,
    pub(crate) publisher: Arc<dyn Audience>,
}

impl Driver {
    /// The first event of a service's machine.
    pub(crate) async fn begin(&mut self, service: &ServiceName, event: Event) {
        self.turn(service, event).await;
    }

    /// Runs until [`Input::Stop`] or until nobody can send any more.
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let mut publish_at = self.clock.now();
        loop {
            let now = self.clock.now();
            if now >= publish_at {
                self.publish();
                publish_at = now + PUBLISH_EVERY;
            }
            let wake = self.next_deadline().map_or(publish_at, |at| at.min(publish_at));
            let input = tokio::select! {
                biased;
                input = inputs.recv() => Some(input),
                () = self.clock.until(wake) => None,
            };
            self.note_stall(wake, input.is_none());
            match input {
                None => self.time_reached().await,
                Some(None | Some(Input::Stop)) => break,
                Some(Some(input)) => self.handle(input).await,
            }
        }
        self.publish();
        info!("the driver has stopped");
    }

    fn note_stall(&self, wake: Time, by_time: bool) {
        let late = wake.until(self.clock.now());
        if by_time && late > STALL {
            warn!(late_ms = late.as_millis(), "this daemon stood still; timers are late");
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        self.services.values().filter_map(Service::due).min()
    }

    async fn handle(&mut self, input: Input) {
        match input {
            Input::Peer(PeerEvent::Connected(host)) => {
                self.tell_history(&host).await;
                self.tell_all(&Event::PeerConnected(host)).await;
            }
            Input::Peer(PeerEvent::Lost(host)) => self.tell_all(&Event::PeerLost(host)).await,
            Input::Peer(PeerEvent::Frame(host, frame)) => self.receive(host, frame).await,
            Input::Service(service, event) => self.turn(&service, event).await,
            Input::Order { service, order, answer } => {
                if let Some(known) = self.services.get_mut(&service) {
                    known.orders.push(order.clone(), answer);
                    self.turn(&service, Event::Ordered(order)).await;
                }
            }
            Input::Look(service, look) => {
                if let Some(known) = self.services.get(&service) {
                    look.take(&known.machine, self.clock.now());
                }
            }
            Input::Reloaded(settings) => self.reload(settings),
            Input::Shown => self.publish(),
            Input::Stop => {}
        }
    }

    async fn receive(&mut self, host: HostName, frame: Frame) {
        match frame {
            Frame::Protocol { service, envelope } => self.receive_message(host, service, envelope).await,
            Frame::CompilationPage {
                service,
                round,
                page,
                requests,
            } => {
                debug!(%host, %service, %round, page, requests = requests.len(), "a page of a compilation");
                if let Some(known) = self.services.get(&service) {
                    known.effector.keep_page(host, round, requests).await;
                }
            }
            Frame::HostView(view) => self.publisher.peer_view(&host, view),
            Frame::JournalLine(line) => self.publisher.peer_line(&host, line),
            // Questions between daemons are answered before they would come here.
            Frame::Asked { .. } | Frame::Told { .. } => {}
        }
    }

    async fn receive_message(&mut self, host: HostName, service: ServiceName, envelope: Envelope) {
        if envelope.from != host {
            warn!(%host, claims = %envelope.from, "a message with another sender than its connection was dropped");
            return;
        }
        if !self.services.contains_key(&service) {
            debug!(%host, %service, "a message about a service that is not configured here");
            return;
        }
        self.turn(&service, Event::Received(envelope)).await;
    }

    /// Other settings from now on; timers that run keep their ends.
    fn reload(&mut self, all: Vec<Settings>) {
        for settings in all {
            let Some(service) = self.services.get_mut(&settings.service) else {
                continue;
            };
            match service.machine.with_plan(settings.plan) {
                Ok(machine) => service.machine = machine,
                Err(why) => warn!(service = %settings.service, why, "these settings wait for a restart"),
            }
            service.effector.context().probe_with(settings.probing);
        }
        self.publish();
    }

    /// A peer shows this host's history beside its own: it gets what it may have missed.
    async fn tell_history(&self, host: &HostName) {
        let filter = JournalFilter {
            order: Order::NewestFirst,
            ..JournalFilter::default()
        };
        match self.store.journal(&filter, HISTORY_LINES).await {
            Ok(mut lines) => {
                lines.reverse();
                self.publisher.catch_up(&*self.peers, host, &lines);
            }
            Err(error) => warn!(%error, "the journal can't be read for a peer"),
        }
    }

    async fn tell_all(&mut self, event: &Event) {
        let services: Vec<_> = self.services.keys().cloned().collect();
        for service in services {
            self.turn(&service, event.clone()).await;
        }
    }

    async fn time_reached(&mut self) {
        let now = self.clock.now();
        let due: Vec<_> = self
            .services
            .iter()
            .filter(|(_, s)| s.due().is_some_and(|at| at <= now))
            .map(|(n, _)| n.clone())
            .collect();
        for service in due {
            let unstored = self
                .services
                .get_mut(&service)
                .map(Service::take_unstored)
                .unwrap_or_default();
            for event in unstored {
                self.turn(&service, event).await;
            }
            self.turn(&service, Event::TimeReached).await;
        }
    }

    /// One turn of one machine: decide, store, adopt, act.
    async fn turn(&mut self, name: &ServiceName, event: Event) {
        let now = self.clock.now();
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        let output = service.machine.handle(now, &event);
        if let Some(why) = output.ignored() {
            debug!(service = %name, event = event.name(), role = %service.machine.role(), why, "without effect");
        }
        let said = evidence::of_turn(name, &event, &output, |host| self.peers.clock_of(host));
        if let Some(entry) = output.entry() {
            let entry = service.certain(entry);
            match self.store.append_with(&entry, &said, self.clock.wall_ms()).await {
                Ok(line) => {
                    service.disk_unsure = false;
                    info!(service = %name, step = entry.step, from = %entry.from, to = %entry.to, term = %entry.term,
                        detail = entry.detail, "{}", entry.reason);
                    self.publisher.line(&*self.peers, &line);
                }
                Err(error) => {
                    warn!(service = %name, step = entry.step, %error, "a step could not be stored, so it did not happen");
                    self.publisher.store_failed(name, error.to_string());
                    service.put_off(event, now, &error.to_string());
                    return;
                }
            }
        } else if !said.is_empty()
            && let Err(error) = self.store.keep_messages(name, &said, self.clock.wall_ms()).await
        {
            // Nothing was decided that must be durable: the turn goes on, the evidence has a gap.
            warn!(service = %name, %error, "what was said could not be kept");
        }
        if output.entry().is_some() {
            crash::point(Moment::Stored, name, output.row());
        }
        self.publisher.store_works(name);
        self.publisher.turned(name, &output);
        let closing = output.entry().and_then(closing);
        let (quiet, row) = (output.entry().is_none(), output.row());
        let (machine, actions) = output.accept(Stored::confirmed());
        service.machine = machine;
        service.effector.follow(&service.machine.view(now));
        for action in actions {
            self.act(name, action);
        }
        if !quiet {
            crash::point(Moment::Acted, name, row);
        }
        if let Some((round, why)) = closing {
            self.close_compilation(round, why).await;
        }
        if !quiet {
            self.publish();
        }
    }

    async fn close_compilation(&self, round: RoundId, why: &str) {
        match self.store.close_compilation(round, why, self.clock.wall_ms()).await {
            Ok(()) | Err(StoreError::NoCompilation { .. }) => {}
            Err(error) => warn!(%round, %error, "a compilation can't be closed"),
        }
    }

    fn act(&mut self, name: &ServiceName, action: Action) {
        let Some(service) = self.services.get_mut(name) else {
            return;
        };
        match action {
            Action::Send { to, message } => {
                let envelope = service.machine.envelope(message);
                if !self.peers.send(
                    &to,
                    Frame::Protocol {
                        service: name.clone(),
                        envelope,
                    },
                ) {
                    debug!(service = %name, %to, "not connected: a message was not sent");
                }
            }
            Action::Do(work) => service.effector.begin(work),
            Action::Abandon => service.effector.abandon(),
            Action::Fence(term) => service.effector.fence(term),
            Action::Alert(alert) => warn!(service = %name, kind = alert.kind(), "{alert}"),
            Action::Answer { order, answer } => service.orders.answer(&order, answer),
        }
    }

    fn publish(&self) {
        let now = self.clock.now();
        let views = self
            .services
            .values()
            .map(|service| (service.machine.view(now), service.effector.context().clone()));
        self.publisher.publish(&*self.peers, views.collect());
    }
}

/// A compilation that nobody will resolve on this host any more need not be kept for ever.
fn closing(entry: &Entry) -> Option<(RoundId, &'static str)> {
    match entry.step {
        "drain-aborted" => Some((entry.round?, "the drain was aborted")),
        "grant-settled" => Some((entry.round?, "the second took over")),
        _ => None,
    }
}

impl Service {
    /// What its work is made of.
    pub(crate) fn context(&self) -> Arc<Context> {
        self.effector.context().clone()
    }

    fn due(&self) -> Option<Time> {
        match self.stalled_until {
            Some(until) => Some(until),
            None => self.machine.next_deadline(),
        }
    }

    fn take_unstored(&mut self) -> Vec<Event> {
        self.stalled_until = None;
        std::mem::take(&mut self.unstored)
    }

    /// What is to be stored. After a failed write the disk may hold a record that this daemon never acted on, and would
    /// take up again after a crash.
    fn certain<'a>(&self, entry: &'a Entry) -> Cow<'a, Entry> {
        if !self.disk_unsure || entry.durable.is_some() {
            return Cow::Borrowed(entry);
        }
        Cow::Owned(Entry {
            durable: Some(self.machine.durable().clone()),
            ..entry.clone()
        })
    }

    /// Keeps the event of a turn that could not be stored; messages are repeated by their senders, and an operator is
    /// told at once.
    fn put_off(&mut self, event: Event, now: Time, error: &str) {
        self.stalled_until = Some(now + STORE_RETRY);
        self.disk_unsure = true;
        match event {
            Event::Ordered(order) => {
                self.orders.answer(
                    &order,
                    Err(Refusal::StoreFailing {
                        error: error.to_owned(),
                    }),
                );
            }
            Event::Received(_) | Event::TimeReached => {}
            Event::Started { .. }
            | Event::PeerConnected(_)
            | Event::PeerLost(_)
            | Event::Health { .. }
            | Event::Finished { .. }
            | Event::Progressed { .. } => {
                if self.unstored.len() < UNSTORED_MAX {
                    self.unstored.push(event);
                }
            }
        }
    }
}
