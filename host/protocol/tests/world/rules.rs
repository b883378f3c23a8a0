//! What must hold after every step, whatever happened.
//!
//! The servers that somebody started by hand are the operator's, not the daemon's: they are not counted.

use understudy_protocol::{
    Entry, Grant, HostName, Mode, RoleName, RoundId, ServerState, Step, StopPurpose, Term, Time, TimerName, Verdict,
    Work,
};

use super::{Host, World};

pub(super) fn journal_line(now: Time, who: &HostName, entry: &Entry) -> String {
    let detail = if entry.detail.is_empty() {
        String::new()
    } else {
        format!(" ({})", entry.detail)
    };
    format!(
        "{:>8} {who}: {}: {} -> {}, term {}{detail}",
        now.0, entry.step, entry.from, entry.to, entry.term
    )
}

impl Host {
    pub fn due(&self) -> Option<Time> {
        let deadline = self.machine.as_ref()?.next_deadline();
        let stalled = (!self.working.is_empty())
            .then_some(self.stalled_until)
            .filter(|at| *at > Time(0));
        let earliest = if self.store_broken { self.stalled_until } else { Time(0) };
        match (deadline, stalled.filter(|_| self.store_broken)) {
            (Some(a), Some(b)) => Some(a.min(b).max(earliest)),
            (Some(a), None) => Some(a.max(earliest)),
            (None, b) => b,
        }
    }

    /// Whether its server runs by the daemon's doing.
    pub fn runs(&self) -> bool {
        self.server == ServerState::Serving && !self.by_hand
    }

    pub fn held(&self) -> Option<Term> {
        self.disk.as_ref()?.held
    }
}

/// Work that makes a host serve needs the term on its disk.
pub(super) fn may_begin(host: &Host, work: &Work) {
    if let Work::Serve { term, .. }
    | Work::TakeAddress { term, .. }
    | Work::Appear { term, .. }
    | Work::Resume { term } = work
    {
        assert_eq!(
            host.held(),
            Some(*term),
            "{}: {} without the term on disk",
            host.name,
            work.name()
        );
    }
}

/// Work that must be undone, should its round come to nothing, is on the disk before it begins.
pub(super) fn must_be_noted(host: &Host, work: &Work) {
    let disk = host.disk.as_ref();
    let begun = disk.and_then(|disk| disk.begun).map(|begun| begun.step);
    let yielded = disk.is_some_and(|disk| disk.grant.is_some());
    let noted = match work {
        Work::StopAdmitting { .. } => begun >= Some(Step::Admission),
        Work::StopServer {
            purpose: StopPurpose::Release,
            ..
        } => yielded || begun >= Some(Step::Server),
        Work::Arm { .. } => begun == Some(Step::Arm),
        Work::WarmUp { .. } => begun == Some(Step::WarmUp),
        Work::Redirect { .. } | Work::EndFlows { .. } => yielded,
        _ => true,
    };
    assert!(noted, "{}: {} is not written down", host.name, work.name());
}

/// Whoever waits needs the timer that ends it.
pub fn timers_of(role: RoleName) -> &'static [TimerName] {
    match role {
        RoleName::Unsynced => &[TimerName::Hello],
        RoleName::Standby => &[TimerName::Observe, TimerName::Silence],
        RoleName::Preparing => &[TimerName::Observe, TimerName::Silence, TimerName::Offer],
        RoleName::Activating => &[TimerName::Serve, TimerName::StayDown],
        RoleName::Asking => &[TimerName::Answer, TimerName::StayDown],
        RoleName::Active | RoleName::Draining => &[TimerName::StayDown],
        RoleName::Stopped => &[TimerName::Stop, TimerName::StayDown],
        RoleName::Parked => &[TimerName::Retry, TimerName::StayDown],
        RoleName::Released => &[TimerName::Release, TimerName::Observe],
        RoleName::Yielded => &[],
        RoleName::Forcing => &[TimerName::Fence],
        RoleName::StandingDown => &[TimerName::Stop],
        RoleName::Fresh => &[],
    }
}

impl World {
    pub fn admitting(&self) -> Vec<&HostName> {
        let sent_to = |host: &&Host| {
            self.hosts
                .values()
                .any(|other| other.redirects.as_ref() == Some(&host.name))
        };
        self.hosts
            .values()
            .filter(|host| host.runs() && (host.address || (host.armed && host.redirects.is_none() && sent_to(host))))
            .map(|host| &host.name)
            .collect()
    }

    /// Whether this host has yielded and does not send new flows on yet, or they come to it and it has not heard of it.
    fn is_yielding(&self, who: &Host) -> bool {
        self.hosts.values().any(|host| {
            let grant = host.disk.as_ref().and_then(|disk| disk.grant.as_ref());
            let by = |grant: &Grant| grant.seal.is_none() && (grant.to == who.name || host.name == who.name);
            grant.is_some_and(by)
        })
    }

    /// What the two steps that move the token must find.
    pub(super) fn check_step(&mut self, who: &HostName, step: &str, round: Option<RoundId>) {
        let host = &self.hosts[who];
        match step {
            "released" => {
                let grant = host
                    .disk
                    .as_ref()
                    .and_then(|disk| disk.grant.clone())
                    .expect("a release is a grant");
                let down = host.server == ServerState::Stopped || host.by_hand;
                assert!(down, "{who} released with its server running\n{}", self.text());
                assert!(!host.address, "{who} released with its address\n{}", self.text());
                let second = &self.hosts[&grant.to];
                let stored = second.stored.get(&grant.round);
                let what = format_args!("{who} released what {} has not stored", grant.to);
                // A disk that is lost after it confirmed can't be known of.
                if second.lost_disks == 0 {
                    assert_eq!(stored, grant.seal.as_ref(), "{what}\n{}", self.text());
                }
            }
            "fault-indicated" | "asked-again" | "giveback-begun" => {
                let view = host.machine.as_ref().map(|machine| machine.view(self.now));
                let paused = view.is_some_and(|view| !view.pauses.is_empty());
                assert!(!paused, "{who} begins a move by itself, and is paused\n{}", self.text());
            }
            "grant-accepted" => {
                let round = round.expect("a grant has a round");
                assert!(
                    self.used.insert(round),
                    "{who} uses the grant of {round} again\n{}",
                    self.text()
                );
            }
            _ => {}
        }
    }

    fn text(&self) -> String {
        self.log.join("\n")
    }

    pub(super) fn check(&self, who: &HostName, changed: bool) {
        let admitting = self.admitting();
        assert!(
            admitting.len() <= 1,
            "two hosts admit clients: {admitting:?}\n{}",
            self.text()
        );
        let running = self.hosts.values().filter(|host| host.runs()).count();
        assert!(
            running <= 1 || self.plan.mode == Mode::Overlap,
            "two servers run, and only one may\n{}",
            self.text()
        );
        let mut terms: Vec<Term> = self.hosts.values().filter_map(Host::held).collect();
        terms.sort_unstable();
        assert!(
            terms.windows(2).all(|pair| pair[0] != pair[1]),
            "two hosts hold one term\n{}",
            self.text()
        );
        if let Some(host) = admitting.first().map(|name| &self.hosts[*name]) {
            // Where clocks differ, a forced term may be below one that is not known there; it must do no other harm.
            let highest = terms.last().copied();
            assert!(
                host.held() == highest || !self.skew.is_empty() || self.is_yielding(host),
                "{} serves without the highest term\n{}",
                host.name,
                self.text()
            );
        }
        for (name, host) in &self.hosts {
            let Some(disk) = &host.disk else { continue };
            assert!(
                disk.held.is_none() || disk.grant.is_none(),
                "{name} holds and has released\n{}",
                self.text()
            );
        }
        if changed {
            self.check_waiting(who);
        }
    }

    /// Nothing waits without a timer, and nothing that the probes said is forgotten.
    fn check_waiting(&self, who: &HostName) {
        let Some(machine) = &self.hosts[who].machine else {
            return;
        };
        let role = machine.role();
        let view = machine.view(self.now);
        let runs = |timer| view.timers.iter().any(|(name, _)| *name == timer);
        for timer in timers_of(role) {
            assert!(
                runs(*timer),
                "{who} is {role}: its timer {} does not run\n{}",
                timer.as_str(),
                self.text()
            );
        }
        let waits = [TimerName::Drain, TimerName::Compilation, TimerName::Stop];
        assert!(
            role != RoleName::Yielded || waits.into_iter().any(runs),
            "{who} has yielded and waits without a timer\n{}",
            self.text()
        );
        let must_move = view.verdict == Verdict::Failing
            && view
                .fault
                .as_ref()
                .is_some_and(|f| f.severity == understudy_protocol::Severity::ShutdownRequired);
        if role == RoleName::Active && must_move {
            assert!(
                runs(TimerName::Retry),
                "{who} serves on with a fault and asks nobody\n{}",
                self.text()
            );
        }
        if matches!(role, RoleName::Active | RoleName::Asking)
            && machine.serves()
            && must_move
            && view.fault.is_some_and(|f| f.shutdown_within.is_some())
        {
            assert!(
                runs(TimerName::ShutdownWithin),
                "{who} forgets when it must be down\n{}",
                self.text()
            );
        }
        let faulty = view
            .stay_down
            .is_some_and(|order| order.phase == understudy_protocol::DownPhase::Faulty);
        if matches!(role, RoleName::Standby | RoleName::Released) && faulty && view.verdict == Verdict::Healthy {
            assert!(
                runs(TimerName::Hold),
                "{who} is healthy and nothing cures it\n{}",
                self.text()
            );
        }
    }
}
