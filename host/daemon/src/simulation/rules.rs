//! What must hold after every step, over all hosts, as the world sees it.
//!
//! Servers that somebody started by hand are the operator's, not the daemon's: they are not counted, and they have no
//! address.

use std::collections::BTreeSet;

use understudy_address::Holding;
use understudy_protocol::{Durable, Entry, HostName, RequestState, ServerState, ServiceName, Term};

use super::server::request_name;
use super::world::State;

impl State {
    pub(super) fn check(&mut self) {
        if self.wrong.is_some() || self.hosts.is_empty() {
            return;
        }
        let services: Vec<_> = self
            .hosts
            .values()
            .next()
            .map(|host| host.servers.keys().cloned().collect())
            .unwrap_or_default();
        for service in services {
            if let Some(wrong) = self.wrong_with(&service) {
                self.broken(wrong);
            }
        }
    }

    fn wrong_with(&self, service: &ServiceName) -> Option<String> {
        let admitting = self.admitting(service);
        if admitting.len() > 1 {
            return Some(format!("{service}: several hosts admit clients: {admitting:?}"));
        }
        let held: Vec<(&HostName, Term)> = self
            .hosts
            .iter()
            .filter_map(|(name, host)| Some((name, host.held(service)?)))
            .collect();
        let terms: BTreeSet<Term> = held.iter().map(|(_, term)| *term).collect();
        if terms.len() < held.len() {
            return Some(format!("{service}: two hosts hold one term: {held:?}"));
        }
        let who = admitting.first()?;
        if self.is_yielded(who, service) {
            return None;
        }
        let mine = self.hosts[who].held(service);
        // Where clocks differ, a forced term may be below one that is not known there; it must do no other harm.
        if mine.is_none() || (self.clocks_agree && mine != terms.last().copied()) {
            return Some(format!(
                "{service}: {who} admits clients with {mine:?}, and the terms are {held:?}"
            ));
        }
        let released = self.seen.released.get(&(who.clone(), service.clone()));
        if released.is_some_and(|released| mine.is_none_or(|mine| mine <= *released)) {
            return Some(format!(
                "{service}: {who} has released {released:?} and admits clients with {mine:?}"
            ));
        }
        None
    }

    /// Whether this host has yielded, and does not send new clients on yet, or they come to it, and it has not heard why.
    fn is_yielded(&self, who: &HostName, service: &ServiceName) -> bool {
        self.hosts.iter().any(|(name, host)| {
            let grant = host.durable.get(service).and_then(|durable| durable.grant.as_ref());
            grant.is_some_and(|grant| grant.seal.is_none() && (grant.to == *who || name == who))
        })
    }

    /// An entry has reached the disk, whatever the daemon is told.
    pub(super) fn written(&mut self, who: &HostName, entry: &Entry) {
        let what = format_args!(
            "{} {}: {} -> {}, term {} ({})",
            entry.service, entry.step, entry.from, entry.to, entry.term, entry.detail
        );
        self.say(who.as_str(), what);
        let Some(durable) = &entry.durable else { return };
        self.check_release(who, &entry.service, durable);
        self.check_grant(who, &entry.service, durable);
        self.check_resolved(who, &entry.service, durable);
        self.host(who).durable.insert(entry.service.clone(), durable.clone());
    }

    /// The driver has been told that the entry is on the disk, and is about to act on it.
    pub(super) fn acting(&mut self, who: &HostName, entry: &Entry) {
        let Some(durable) = &entry.durable else { return };
        let host = self.host(who);
        let before = host.acted.insert(entry.service.clone(), durable.clone());
        if host.durable.get(&entry.service) != Some(durable) {
            self.broken(format!(
                "{who} acts on {} of {}, which is not on its disk",
                entry.step, entry.service
            ));
        }
        let held_before = before.as_ref().and_then(|before| before.held);
        if let (Some(held), Some(round)) = (durable.held, durable.tenure.as_ref().and_then(|tenure| tenure.round))
            && held_before != Some(held)
            && !self.seen.used.insert(round)
        {
            self.broken(format!(
                "{who} uses the release of {} in round {round} again",
                entry.service
            ));
        }
        let Some(before) = before else { return };
        if before.known > durable.known || before.promised > durable.promised {
            self.broken(format!(
                "{who} forgets a term of {}: {before:?}, then {durable:?}",
                entry.service
            ));
        }
        if let (Some(held), None, Some(_)) = (before.held, durable.held, &durable.grant) {
            self.seen.released.insert((who.clone(), entry.service.clone()), held);
        }
    }

    fn check_release(&mut self, who: &HostName, service: &ServiceName, durable: &Durable) {
        let Some(grant) = &durable.grant else { return };
        if durable.held.is_some() {
            self.broken(format!("{who} holds {service} and has released it"));
        }
        self.seen
            .granted
            .insert((grant.round, grant.new_term, grant.to.clone()));
        let known = self.hosts[who]
            .durable
            .get(service)
            .and_then(|durable| durable.grant.as_ref());
        if known.is_some_and(|known| known.round == grant.round && known.seal == grant.seal) {
            return;
        }
        let Some(seal) = grant.seal else {
            return self.count("yields");
        };
        self.count("releases");
        let server = self.server(who, service);
        let (runs, address) = (server.state != ServerState::Stopped && !server.by_hand, server.address);
        let cut: Vec<String> = server.cut.iter().map(|id| request_name(*id)).collect();
        if runs || address != Holding::Dropped {
            self.broken(format!(
                "{who} releases {service}: its server runs {runs}, its address is {address:?}"
            ));
        }
        let second = self.hosts[&grant.to].disk.clone();
        if second.sealed(grant.round) != Some(seal) {
            let there = second.sealed(grant.round);
            self.broken(format!(
                "{who} releases {service} with {seal:?}, and {} has {there:?}",
                grant.to
            ));
        }
        let there = second.requests(grant.round);
        for id in cut {
            let listed = there.iter().find(|(request, _)| request.id == id);
            if listed.is_none_or(|(request, _)| request.state != RequestState::Cut) {
                self.broken(format!(
                    "{service}: {id} was cut by {who} and is not listed as cut for {}",
                    grant.to
                ));
            }
        }
    }

    fn check_grant(&mut self, who: &HostName, service: &ServiceName, durable: &Durable) {
        let before = self.hosts[who].durable.get(service).and_then(|durable| durable.held);
        let (Some(held), Some(tenure)) = (durable.held, &durable.tenure) else {
            return;
        };
        if before == Some(held) {
            return;
        }
        self.count("terms taken");
        let (Some(round), Some(_)) = (tenure.round, &tenure.from) else {
            return;
        };
        if !self.seen.granted.contains(&(round, held, who.clone())) {
            self.broken(format!(
                "{who} takes the term {held} of {service}, and nobody has released it"
            ));
        }
    }

    fn check_resolved(&mut self, who: &HostName, service: &ServiceName, durable: &Durable) {
        let Some(tenure) = durable.tenure.as_ref().filter(|tenure| tenure.resolved) else {
            return;
        };
        let Some(round) = tenure.round else { return };
        let before = self.hosts[who]
            .durable
            .get(service)
            .and_then(|durable| durable.tenure.as_ref());
        if before.is_some_and(|before| before.resolved) {
            return;
        }
        let requests = self.hosts[who].disk.clone().requests(round);
        *self.counts.entry("requests resolved").or_default() += requests.len() as u64;
        let unsaid: Vec<_> = requests
            .iter()
            .filter(|(_, said)| said.is_none())
            .map(|(request, _)| &request.id)
            .collect();
        if !unsaid.is_empty() {
            self.broken(format!(
                "{who} has resolved {service}, and nothing was said of {unsaid:?}"
            ));
        }
    }
}
