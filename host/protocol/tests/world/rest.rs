//! What must come of every storm once everything works again.

use understudy_protocol::{HostName, PauseScope, RoleName};

use super::World;

impl World {
    /// Once everything works, one host serves and nobody waits for anything.
    pub fn restless(&self) -> Option<String> {
        let disks = || self.hosts.values().filter_map(|host| host.disk.as_ref());
        let machines: Vec<_> = self.hosts.values().filter_map(|host| host.machine.as_ref()).collect();
        let roles: Vec<_> = machines
            .iter()
            .map(|machine| (machine.plan().me.as_str(), machine.role()))
            .collect();
        let alerts: Vec<_> = machines
            .iter()
            .flat_map(|machine| machine.view(self.now).alerts)
            // That a host once stood down stays told until it serves again; used up givebacks until one is ordered.
            .filter(|alert| !alert.contains("this host stood down") && !alert.contains("and did not stay"))
            .collect();
        let mut words = machines.iter().map(|machine| {
            let in_force = machine.durable().pauses.in_force(self.now);
            let told = in_force.filter(|(scope, _)| *scope != PauseScope::Host);
            told.map(|(scope, pause)| (scope, pause.clone())).collect::<Vec<_>>()
        });
        let first = words.next();
        if words.any(|other| Some(&other) != first.as_ref()) {
            return Some("the hosts do not agree on what is paused".to_owned());
        }
        if self.hosts.values().any(|host| host.lost_disks > 0) {
            // Somebody serves, or somebody says why not.
            let told = self.admitting().len() == 1 || !alerts.is_empty();
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
            let admitting: Vec<_> = self.admitting().into_iter().map(HostName::as_str).collect();
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
