//! What must fit together within the configuration. Pure: the machine is not asked.

use std::net::SocketAddr;
use std::time::Duration;

use understudy_address::AddressConfig;
use understudy_protocol::{HostName, Mode, Term};

use super::error::Problem;
use super::load::Parts;
use super::reader::Notes;
use super::service::Service;

/// Notes everything that does not fit.
pub(super) fn check(parts: &Parts, notes: &Notes) {
    api(parts, notes);
    peers(parts, notes);
    service_names(parts, notes);
    listeners(parts, notes);
    virtual_addresses(parts, notes);
    for (number, service) in numbered(parts) {
        let at = format!("service[{number}]");
        candidates(parts, service, &at, notes);
        overlap(service, &at, notes);
        probe(service, &at, notes);
        timing(service, &at, notes);
        components(service, &at, notes);
    }
}

fn numbered(parts: &Parts) -> impl Iterator<Item = (usize, &Service)> {
    parts
        .services
        .iter()
        .enumerate()
        .filter_map(|(number, service)| Some((number, service.as_ref()?)))
}

fn api(parts: &Parts, notes: &Notes) {
    let listen = parts.api.listen;
    if !listen.ip().to_canonical().is_loopback() && parts.api.token_file.is_none() {
        let message = format!("the API would listen on {listen}, where others can reach it, without a token");
        let mend = "add token_file = \"/etc/understudy/token\" to [api], or listen on 127.0.0.1";
        notes.problem(Problem::new(notes.place("api.listen"), message).mend(mend));
    }
}

fn peers(parts: &Parts, notes: &Notes) {
    let Some(cluster) = &parts.cluster else { return };
    for (number, peer) in cluster.peers.iter().enumerate() {
        let place = |key: &str| notes.place(&format!("cluster.peer[{number}].{key}"));
        if parts.host.as_ref().is_some_and(|host| host.name == peer.name) {
            let problem = Problem::new(
                place("name"),
                format!("{} is this host, and no peer of itself", peer.name),
            );
            notes.problem(problem.mend("remove it: [[cluster.peer]] is for the other hosts"));
        }
        for (earlier, other) in cluster.peers.iter().enumerate().take(number) {
            let other_place = |key: &str| notes.place(&format!("cluster.peer[{earlier}].{key}"));
            if other.name == peer.name {
                let problem = Problem::new(place("name"), format!("the peer {} is here twice", peer.name));
                notes.problem(problem.also("first", other_place("name")).mend("remove one"));
            } else if other.address == peer.address {
                let message = format!("{} and {} can't have one address", other.name, peer.name);
                notes.problem(Problem::new(place("address"), message).also("first", other_place("address")));
            }
        }
    }
}

fn service_names(parts: &Parts, notes: &Notes) {
    let all: Vec<_> = numbered(parts).collect();
    for (index, (number, service)) in all.iter().enumerate() {
        if let Some((earlier, _)) = all.iter().take(index).find(|(_, other)| other.name == service.name) {
            let place = |number: &usize| notes.place(&format!("service[{number}].name"));
            let problem = Problem::new(place(number), format!("the service {} is here twice", service.name));
            notes.problem(problem.also("first", place(earlier)).mend("rename one, or remove it"));
        }
    }
}

/// Every address that this daemon would listen on: no two may clash, and no local server may be one of them.
fn listeners(parts: &Parts, notes: &Notes) {
    let mut taken: Vec<(String, String, SocketAddr)> = vec![("api.listen".into(), "the API".into(), parts.api.listen)];
    if let Some(cluster) = &parts.cluster {
        claim(
            &mut taken,
            notes,
            ("cluster.listen".into(), "the cluster's listener".into(), cluster.listen),
        );
    }
    for (number, service) in numbered(parts) {
        let AddressConfig::Proxy(proxy) = &service.address else {
            continue;
        };
        for (index, listen) in proxy.listen.iter().enumerate() {
            let path = format!("service[{number}].address.listen[{index}]");
            claim(
                &mut taken,
                notes,
                (path, format!("the service {}", service.name), *listen),
            );
        }
    }
    for (number, service) in numbered(parts) {
        let AddressConfig::Proxy(proxy) = &service.address else {
            continue;
        };
        if let Some((path, owner, _)) = taken.iter().find(|(_, _, address)| clash(*address, proxy.server)) {
            let place = notes.place(&format!("service[{number}].address.server"));
            let message = format!("{} can't be the local server: {owner} listens there", proxy.server);
            notes.problem(Problem::new(place, message).also("there", notes.place(path)));
        }
    }
}

fn claim(taken: &mut Vec<(String, String, SocketAddr)>, notes: &Notes, new: (String, String, SocketAddr)) {
    if let Some((path, owner, _)) = taken.iter().find(|(_, _, address)| clash(*address, new.2)) {
        let message = format!("{} is taken: {owner} listens there", new.2);
        let problem = Problem::new(notes.place(&new.0), message).also("there", notes.place(path));
        notes.problem(problem.mend("use another port"));
    }
    taken.push(new);
}

fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && (everywhere || one.ip().to_canonical() == other.ip().to_canonical())
}

fn virtual_addresses(parts: &Parts, notes: &Notes) {
    let mut seen: Vec<(std::net::IpAddr, String)> = Vec::new();
    for (number, service) in numbered(parts) {
        let AddressConfig::Vip(vip) = &service.address else {
            continue;
        };
        for (index, address) in vip.addresses.iter().enumerate() {
            let path = format!("service[{number}].address.addresses[{index}]");
            if let Some((ip, earlier)) = seen.iter().find(|(ip, _)| *ip == address.ip) {
                let problem = Problem::new(notes.place(&path), format!("{ip} is here twice"));
                let mend = "each service needs addresses of its own: they move by themselves";
                notes.problem(problem.also("first", notes.place(earlier)).mend(mend));
            }
            seen.push((address.ip, path));
        }
        if vip.ports.is_empty() {
            let message = "without `ports` every connection to these addresses would wait in a takeover, also ssh's";
            let problem = Problem::new(notes.place(&format!("service[{number}].address")), message);
            notes.problem(problem.mend("add ports = [6379] to [[service]]: the service's own ports"));
        }
    }
}

/// Both servers may run only where the address can send flows from one host to the other.
fn overlap(service: &Service, at: &str, notes: &Notes) {
    if service.plan.mode != Mode::Overlap {
        return;
    }
    let place = notes.place(&format!("{at}.mode"));
    let AddressConfig::Vip(vip) = &service.address else {
        let problem = Problem::new(
            place,
            "mode = \"overlap\" needs an address that moves between the hosts".to_owned(),
        );
        let mend = "set mode = \"vip\" in [service.address], or mode = \"exclusive\" here";
        return notes.problem(problem.mend(mend));
    };
    let missing: Vec<&str> = (service.plan.candidates.iter())
        .filter(|host| vip.hosts.get(host).is_none_or(Vec::is_empty))
        .map(HostName::as_str)
        .collect();
    if !missing.is_empty() {
        let message = format!(
            "mode = \"overlap\" needs to know the own addresses of {}",
            missing.join(", ")
        );
        let mend = "add hosts = { alpha = [\"192.0.2.2\"], … } to [service.address], each candidate's own addresses on that link";
        notes.problem(Problem::new(place, message).mend(mend));
    }
}

fn candidates(parts: &Parts, service: &Service, at: &str, notes: &Notes) {
    let list = &service.plan.candidates;
    let place = |index: usize| notes.place(&format!("{at}.candidates[{index}]"));
    let me = &service.plan.me;
    if !list.contains(me) {
        let message = format!("this host, {me}, is no candidate of {}", service.name);
        let mend = format!("add \"{me}\" (the list is equal on all hosts), or remove the service from this host");
        notes.problem(Problem::new(notes.place(&format!("{at}.candidates")), message).mend(mend));
    }
    let known = |host: &HostName| {
        host == me
            || parts
                .cluster
                .as_ref()
                .is_none_or(|cluster| cluster.peers.iter().any(|peer| peer.name == *host))
    };
    if list.len() > Term::MOST_CANDIDATES {
        let message = format!(
            "{} candidates: a term can tell {} apart",
            list.len(),
            Term::MOST_CANDIDATES
        );
        notes.problem(Problem::new(notes.place(&format!("{at}.candidates")), message).mend("name fewer hosts"));
    }
    for (index, host) in list.iter().enumerate() {
        if !known(host) {
            let problem = Problem::new(place(index), format!("{host} is neither this host nor a peer"));
            notes.problem(problem.mend(format!("add [[cluster.peer]] with name = \"{host}\" and its address")));
        }
        if list.iter().take(index).any(|earlier| earlier == host) {
            notes.problem(Problem::new(place(index), format!("{host} is here twice")).mend("remove one"));
        }
    }
}

fn probe(service: &Service, at: &str, notes: &Notes) {
    let probe = &service.probe;
    let patience = probe.interval * probe.fall;
    if probe.timeout > patience {
        let message = format!(
            "a probe that hangs for {:?} takes longer than the {} failures in a row ({patience:?}) that make a fault",
            probe.timeout, probe.fall
        );
        let problem = Problem::new(notes.place(&format!("{at}.probe.timeout")), message);
        notes.problem(problem.mend("make `timeout` at most `interval` times `fall`"));
    }
}

fn timing(service: &Service, at: &str, notes: &Notes) {
    let timing = &service.plan.timing;
    let below = |less: (&str, Duration), more: (&str, Duration), why: &str| {
        if less.1 >= more.1 {
            let path = |key: &str| notes.place(&format!("{at}.timing.{key}"));
            let message = format!(
                "`{}` ({:?}) must be shorter than `{}` ({:?}): {why}",
                less.0, less.1, more.0, more.1
            );
            notes.problem(Problem::new(path(less.0), message).also(format!("`{}`", more.0), path(more.0)));
        }
    };
    below(
        ("assessment", timing.assessment),
        ("answer", timing.answer),
        "the holder would give up while the candidate still assesses",
    );
    below(
        ("stay_down", timing.stay_down),
        ("silence", timing.silence),
        "the order to stay down is also the active host's sign of life",
    );
    below(
        ("release", timing.release),
        ("offer", timing.offer),
        "the offer would be forgotten before the release is repeated",
    );
}

fn components(service: &Service, at: &str, notes: &Notes) {
    for (index, plugin) in service.plugins.iter().enumerate() {
        let earlier = service
            .plugins
            .iter()
            .take(index)
            .position(|other| other.component == plugin.component);
        if let Some(earlier) = earlier {
            let place = |index: usize| notes.place(&format!("{at}.plugin[{index}].component"));
            let problem = Problem::new(place(index), format!("the plugin {} is here twice", plugin.name()));
            notes.problem(
                problem
                    .also("first", place(earlier))
                    .mend("one target per plugin and service: remove one"),
            );
        }
    }
}
