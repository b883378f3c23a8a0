//! What must come of every run once nothing goes wrong any more: every service is served by one host and nobody waits
//! for anything, or somebody says what an operator must do.

use std::sync::Arc;
use std::time::Duration;

use understudy_protocol::{HostName, PauseScope, RoleName, ServiceName, ServiceView};

use super::orders;
use super::world::{State, World};

/// The longest way to a final state: all timers of one service after each other, as often as they are tried again.
const CALM: Duration = Duration::from_secs(900);
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Waits for the final state; says what is wrong when it does not come.
pub(super) async fn settles(world: &Arc<World>) -> Option<String> {
    world.time.sleep(LOOK_EVERY).await;
    end_pauses(world);
    let mut wrong = None;
    for _ in 0..CALM.as_secs() / LOOK_EVERY.as_secs() {
        world.time.sleep(LOOK_EVERY).await;
        wrong = world.step(|state| {
            let broken = state.wrong.clone();
            let services = world.settings.plans.iter().map(|plan| &plan.service);
            broken.map_or_else(
                || services.filter_map(|service| state.unsettled(service)).next(),
                |_| None,
            )
        });
        wrong.as_ref()?;
    }
    wrong
}

/// An operator who sees that all is well ends every pause.
fn end_pauses(world: &Arc<World>) {
    for who in &world.settings.hosts {
        for plan in &world.settings.plans {
            for scope in [PauseScope::Service, PauseScope::Flapping] {
                orders::give(world, who, &plan.service, orders::unpause(scope));
            }
        }
    }
}

impl State {
    fn unsettled(&self, service: &ServiceName) -> Option<String> {
        let views: Option<Vec<&ServiceView>> = self
            .hosts
            .values()
            .map(|host| host.daemon.as_ref()?.views.get(service))
            .collect();
        let Some(views) = views else {
            return Some(format!("{service}: a daemon does not publish how it is"));
        };
        let roles: Vec<_> = views.iter().map(|view| (view.me.as_str(), view.role)).collect();
        let alerts: Vec<_> = views.iter().flat_map(|view| &view.alerts).collect();
        let admitting = self.admitting(service);
        let what = format!("{service}: {roles:?}, admitting {admitting:?}, alerts {alerts:?}");
        let token = self.hosts.values().filter_map(|host| host.durable.get(service));
        let token = token
            .filter(|durable| durable.held.is_some() || durable.grant.is_some())
            .count();
        if token == 0 {
            let rest = [RoleName::Standby, RoleName::Fresh, RoleName::Unsynced];
            let rests = roles.iter().all(|(_, role)| rest.contains(role));
            let begun = roles.iter().any(|(_, role)| *role != RoleName::Fresh);
            return (!rests || (begun && alerts.is_empty())).then(|| format!("nobody holds {what}"));
        }
        let active: Vec<HostName> = views
            .iter()
            .filter(|view| view.role == RoleName::Active)
            .map(|view| view.me.clone())
            .collect();
        let rests = roles
            .iter()
            .all(|(_, role)| matches!(role, RoleName::Active | RoleName::Standby));
        let served = admitting.len() == 1 && admitting == active && rests;
        (!served).then(|| format!("not at rest: {what}"))
    }
}
