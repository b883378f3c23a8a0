//! One turn of the machine: a working copy, the event, and what has come of it so far. The transitions in the role
//! files change the copy and collect actions through here.
//!
//! Invariant: a turn only adds actions; the order in which they were added is the order in which they run.

use std::fmt::Write as _;
use std::time::Duration;

use crate::machine::{Machine, Peer};
use crate::role::Role;
use crate::{
    Action, Alert, Envelope, Event, Finish, HostName, Message, Order, Refusal, RoundId, Standing, Time, TimerName, Work,
};

pub(crate) struct Turn<'a> {
    pub(crate) m: Machine,
    pub(crate) now: Time,
    pub(crate) event: &'a Event,
    pub(crate) actions: Vec<Action>,
    pub(crate) detail: String,
    /// The round the entry is about, where the role does not say.
    pub(crate) round: Option<RoundId>,
    /// A hello is answered at the turn's end: with what is on the disk by then, not with what the turn gave up.
    pub(crate) owes_reply: bool,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(m: Machine, now: Time, event: &'a Event) -> Self {
        Turn {
            m,
            now,
            event,
            actions: Vec::new(),
            detail: String::new(),
            round: None,
            owes_reply: false,
        }
    }

    /// What every event of a kind does, whatever the role: drop the stale, note what it teaches.
    pub(crate) fn preamble(&mut self) -> Result<(), &'static str> {
        match self.event {
            Event::Received(envelope) => self.receive(envelope)?,
            Event::PeerConnected(host) => {
                self.peer(host).connected = true;
                crate::guard::tell(self, host);
            }
            Event::PeerLost(host) => self.peer(host).connected = false,
            Event::Health { verdict, fault } => {
                self.m.verdict = *verdict;
                self.m.fault.clone_from(fault);
            }
            Event::Started { .. } => crate::guard::started(self),
            Event::Ordered(_) | Event::Finished { .. } | Event::Progressed { .. } | Event::TimeReached => {}
        }
        Ok(())
    }

    /// The name under which the table knows the event; a passed deadline is named for its timer, which is stopped.
    pub(crate) fn event_name(&mut self) -> Option<&'static str> {
        if matches!(self.event, Event::TimeReached) {
            let timer = self.m.due(self.now)?;
            self.m.timers.stop(timer);
            return Some(timer.event());
        }
        Some(self.event.name())
    }

    fn peer(&mut self, host: &HostName) -> &mut Peer {
        self.m.peers.entry(host.clone()).or_default()
    }

    fn receive(&mut self, envelope: &Envelope) -> Result<(), &'static str> {
        if !self.m.plan.candidates.contains(&envelope.from) || envelope.from == self.m.plan.me {
            return Err("the sender is no candidate of this service");
        }
        let my_boot = self.m.boot;
        let peer = self.peer(&envelope.from);
        if let Some((store, boot)) = peer.session
            && store == envelope.store
            && envelope.boot < boot
        {
            return Err("it was sent before the sender's last start");
        }
        let is_hello = matches!(envelope.message, Message::Hello(_) | Message::HelloReply { .. });
        if is_hello {
            peer.session = Some((envelope.store, envelope.boot));
        }
        match &envelope.message {
            Message::Hello(standing) => peer.standing = Some(standing.clone()),
            Message::HelloReply { echo, standing } => {
                if *echo != my_boot {
                    return Err("it answers a hello of an earlier start");
                }
                peer.heard = true;
                peer.standing = Some(standing.clone());
            }
            Message::TookOver { held } | Message::StayDown { held } => {
                let standing = peer.standing.get_or_insert_with(|| unknown_standing(*held));
                standing.held = Some(*held);
                standing.known = standing.known.max(*held);
                standing.grant = None;
            }
            Message::Released(grant) | Message::AdmissionYielded(grant) => {
                if let Some(standing) = &mut peer.standing {
                    standing.held = None;
                    standing.grant = Some(grant.clone());
                }
            }
            Message::StayingDown { ready, down_for, .. } => {
                if let Some(standing) = &mut peer.standing {
                    standing.ready = *ready;
                    standing.down_for.clone_from(down_for);
                    standing.held = None;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The message of this turn and its sender.
    pub(crate) fn received(&self) -> Option<(&'a HostName, &'a Message)> {
        match self.event {
            Event::Received(envelope) => Some((&envelope.from, &envelope.message)),
            _ => None,
        }
    }

    /// The order of this turn.
    pub(crate) fn order(&self) -> Option<&'a Order> {
        match self.event {
            Event::Ordered(order) => Some(order),
            _ => None,
        }
    }

    /// The ended work of this turn.
    pub(crate) fn finished(&self) -> Option<(&'a Work, &'a Finish)> {
        match self.event {
            Event::Finished { work, result } => Some((work, result)),
            _ => None,
        }
    }

    /// What went wrong with the work of this turn.
    pub(crate) fn error(&self) -> String {
        match self.event {
            Event::Finished {
                result: Finish::Failed { error },
                ..
            } => error.clone(),
            Event::TimeReached => "it took too long".to_owned(),
            _ => "unknown".to_owned(),
        }
    }

    pub(crate) fn send(&mut self, to: &HostName, message: Message) {
        self.actions.push(Action::Send {
            to: to.clone(),
            message,
        });
    }

    pub(crate) fn send_all(&mut self, message: &Message) {
        let others: Vec<_> = self.m.plan.others().cloned().collect();
        others.iter().for_each(|host| self.send(host, message.clone()));
    }

    pub(crate) fn work(&mut self, work: Work) {
        self.actions.push(Action::Do(work));
    }

    pub(crate) fn abandon(&mut self) {
        self.actions.push(Action::Abandon);
    }

    pub(crate) fn raise(&mut self, alert: Alert) {
        if self.m.alerts.get(alert.kind()) != Some(&alert) {
            self.actions.push(Action::Alert(alert.clone()));
            self.m.alerts.insert(alert.kind(), alert);
        }
    }

    pub(crate) fn clear(&mut self, kinds: &[&'static str]) {
        kinds.iter().for_each(|kind| {
            self.m.alerts.remove(kind);
        });
    }

    /// Answers the order of this turn.
    pub(crate) fn answer(&mut self, answer: Result<(), Refusal>) {
        if let Some(order) = self.order() {
            self.answer_order(order.clone(), answer);
        }
    }

    pub(crate) fn answer_order(&mut self, order: Order, answer: Result<(), Refusal>) {
        if let Err(refusal) = &answer {
            self.note(refusal);
        }
        self.actions.push(Action::Answer { order, answer });
    }

    pub(crate) fn start_timer(&mut self, timer: TimerName, after: Duration) {
        self.m.timers.set(timer, self.now + after);
    }

    pub(crate) fn stop_timers(&mut self, timers: &[TimerName]) {
        timers.iter().for_each(|timer| self.m.timers.stop(*timer));
    }

    /// Adds to the journal entry's detail.
    pub(crate) fn note(&mut self, text: impl std::fmt::Display) {
        if !self.detail.is_empty() {
            self.detail.push_str("; ");
        }
        // Writing to a String can't fail.
        let _ = write!(self.detail, "{text}");
    }

    /// Says what this host is after the turn to whoever said hello.
    pub(crate) fn pay_reply(&mut self) {
        if let Event::Received(envelope) = self.event
            && std::mem::take(&mut self.owes_reply)
        {
            let (echo, standing) = (envelope.boot, self.m.standing());
            self.send(&envelope.from, Message::HelloReply { echo, standing });
        }
    }

    pub(crate) fn become_role(&mut self, role: Role) {
        self.m.role = role;
    }
}

fn unknown_standing(held: crate::Term) -> Standing {
    Standing {
        fresh: false,
        known: held,
        promised: crate::Term::NONE,
        held: Some(held),
        grant: None,
        ready: false,
        down_for: None,
    }
}
