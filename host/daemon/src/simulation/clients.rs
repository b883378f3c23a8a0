//! Clients: they come to whoever admits them, now and then, and their requests take a while.

use std::sync::Arc;

use understudy_protocol::{HostName, ServiceName};

use super::world::{State, World};

/// Comes and goes for as long as the world lasts.
pub(super) async fn come(world: Arc<World>, service: ServiceName) {
    loop {
        let pause = world.throw(|dice| dice.mostly((20, 400), (1_000, 4_000), 12));
        world.time.sleep(pause).await;
        world.aside(|state| state.client(&service));
    }
}

impl State {
    pub(super) fn admitting(&self, service: &ServiceName) -> Vec<HostName> {
        let server = |name: &HostName| &self.hosts[name].servers[service];
        let sent_to = |name: &HostName| {
            let mut hosts = self.hosts.values().map(|host| &host.servers[service]);
            hosts.any(|other| other.redirects.as_ref() == Some(name))
        };
        let admits =
            |name: &&HostName| server(name).admits_clients() || (server(name).admits_sent_on() && sent_to(name));
        self.hosts.keys().filter(admits).cloned().collect()
    }

    fn client(&mut self, service: &ServiceName) {
        let admitting = self.admitting(service);
        let Some(who) = admitting.first() else {
            self.count("clients that had to wait");
            return;
        };
        let length = self.dice.mostly((5, 800), (2_000, 25_000), 6);
        let ends = self.now_ms + u64::try_from(length.as_millis()).unwrap();
        self.next_request += 1;
        let id = self.next_request;
        self.server(who, service).in_progress.insert(id, ends);
        self.count("requests accepted");
    }
}
