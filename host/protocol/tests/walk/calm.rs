//! What must come of every walk once everything works again.

use std::time::Duration;

use understudy_protocol::{Event, HostName, Order, PauseScope, RoleName, Verdict};

use super::Walk;

/// Longer than every timer's way to a final state, one after the other, with the attempts that each allows.
const CALM: Duration = Duration::from_secs(900);

impl Walk {
    /// Everything works again.
    pub(super) fn mend(&mut self) {
        self.say(|| "the storm is over".to_owned());
        self.world.lose_pages = false;
        let names = self.names.clone();
        for who in &names {
            self.world.host(who).refuses = None;
            self.mend_store(who);
            names.iter().for_each(|other| self.heal(who, other));
            self.restart(who);
            for scope in PauseScope::ALL {
                let (by, reason) = ("walk".to_owned(), "the storm is over".to_owned());
                self.order(who, Order::Unpause { scope, by, reason });
            }
            self.say(|| format!("{who} is healthy"));
            self.world.handle(
                who,
                &Event::Health {
                    verdict: Verdict::Healthy,
                    fault: None,
                },
            );
        }
        for _ in 0..CALM.as_secs() / 15 {
            self.world.run_for(Duration::from_secs(15));
            if self.wrong().is_none() {
                break;
            }
        }
    }

    pub(super) fn settle(&mut self) {
        if let Some(wrong) = self.wrong() {
            panic!("{wrong}\n{}", self.world.log.join("\n"));
        }
    }

    /// Once everything works, one host serves and nobody waits for anything.
    fn wrong(&self) -> Option<String> {
        let disks = || self.world.hosts.values().filter_map(|host| host.disk.as_ref());
        let machines: Vec<_> = self
            .world
            .hosts
            .values()
            .filter_map(|host| host.machine.as_ref())
            .collect();
        let roles: Vec<_> = machines
            .iter()
            .map(|machine| (machine.plan().me.as_str(), machine.role()))
            .collect();
        let alerts: Vec<_> = machines
            .iter()
            .flat_map(|machine| machine.view(self.world.now).alerts)
            // That a host once stood down stays told until it serves again; used up givebacks until one is ordered.
            .filter(|alert| !alert.contains("this host stood down") && !alert.contains("and did not stay"))
            .collect();
        let mut words = machines.iter().map(|machine| {
            let in_force = machine.durable().pauses.in_force(self.world.now);
            let told = in_force.filter(|(scope, _)| *scope != PauseScope::Host);
            told.map(|(scope, pause)| (scope, pause.clone())).collect::<Vec<_>>()
        });
        let first = words.next();
        if words.any(|other| Some(&other) != first.as_ref()) {
            return Some("the hosts do not agree on what is paused".to_owned());
        }
        if self.world.hosts.values().any(|host| host.lost_disks > 0) {
            // Somebody serves, or somebody says why not.
            let told = self.world.admitting().len() == 1 || !alerts.is_empty();
            let fresh = roles
                .iter()
                .all(|(_, role)| matches!(role, RoleName::Fresh | RoleName::Unsynced));
            return (!told && !fresh).then(|| format!("a disk was lost, nobody serves and nobody is told: {roles:?}"));
        }
        if disks().any(|disk| disk.held.is_some() || disk.grant.is_some()) {
            let active: Vec<_> = roles
                .iter()
                .filter(|(_, role)| *role == RoleName::Active)
                .map(|(who, _)| *who)
                .collect();
            let admitting: Vec<_> = self.world.admitting().into_iter().map(HostName::as_str).collect();
            if admitting.len() != 1 || admitting != active {
                return Some(format!("{admitting:?} admit clients, and the roles are {roles:?}"));
            }
            if roles
                .iter()
                .any(|(_, role)| !matches!(role, RoleName::Active | RoleName::Standby))
            {
                return Some(format!("somebody did not come to rest: {roles:?}"));
            }
            return (!alerts.is_empty()).then(|| format!("alerts stand although all is well: {alerts:?}"));
        }
        let rest = [RoleName::Standby, RoleName::Fresh, RoleName::Unsynced];
        if roles.iter().any(|(_, role)| !rest.contains(role)) {
            return Some(format!("nobody holds the service, and somebody waits: {roles:?}"));
        }
        let begun = roles.iter().any(|(_, role)| *role != RoleName::Fresh);
        (begun && alerts.is_empty()).then(|| format!("nobody holds the service, {roles:?}, and nobody is told"))
    }
}
