//! One service over all hosts: whose word is what, how old, and where the words differ.
//!
//! Invariant: nothing is smoothed over. A host that can't be reached keeps its last word, with its age; two hosts that
//! disagree are shown as such.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::wire::{HostView, Role, ServiceOnHost, ServiceOverview, ServiceView, TakeoverView};

/// The views with their ages as of now.
pub(crate) fn aged(hosts: &[HostView]) -> Vec<HostView> {
    let now_ms = now_ms();
    let age = |host: &HostView| host.seen_at_ms.map(|seen| now_ms.saturating_sub(seen));
    hosts
        .iter()
        .map(|host| HostView {
            age_ms: age(host),
            ..host.clone()
        })
        .collect()
}

/// Every service that any host knows, by name.
pub(crate) fn services(hosts: &[HostView]) -> Vec<ServiceOverview> {
    let mut names: Vec<&str> = hosts
        .iter()
        .flat_map(|host| host.services.iter().map(|s| s.service.as_str()))
        .collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(|name| service(hosts, name)).collect()
}

/// One service; none when no host knows it.
pub(crate) fn service(hosts: &[HostView], name: &str) -> Option<ServiceOverview> {
    let words: Vec<ServiceOnHost> = aged(hosts).into_iter().filter_map(|host| word(host, name)).collect();
    let first = &words.first()?.view;
    let active = words
        .iter()
        .filter(|word| says_active(&word.view))
        .max_by_key(|word| word.view.held_term.clone());
    let term = words
        .iter()
        .map(|word| word.view.held_term.clone().max(Some(word.view.known_term.clone())))
        .max()??;
    Some(ServiceOverview {
        service: first.service.clone(),
        server_type: first.server_type.clone(),
        candidates: first.candidates.clone(),
        home: first.home.clone(),
        active: active.map(|word| word.host.clone()),
        term,
        disagreement: disagreement(&words),
        takeover: takeover(&words),
        hosts: words,
    })
}

fn word(host: HostView, name: &str) -> Option<ServiceOnHost> {
    let HostView {
        host,
        reachable,
        age_ms,
        services,
        ..
    } = host;
    let view = services.into_iter().find(|view| view.service == name)?;
    Some(ServiceOnHost {
        host,
        reachable,
        age_ms,
        view,
    })
}

fn says_active(view: &ServiceView) -> bool {
    let in_role = matches!(
        view.role,
        Role::Active | Role::Asking | Role::Draining | Role::Activating
    );
    view.serves || (view.held_term.is_some() && in_role)
}

/// The giving host's word on the takeover under way comes first: it alone opens rounds.
fn takeover(words: &[ServiceOnHost]) -> Option<TakeoverView> {
    let seen = || {
        words
            .iter()
            .filter_map(|word| word.view.takeover.as_ref().map(|takeover| (word, takeover)))
    };
    let gives = |(word, takeover): &(&ServiceOnHost, &TakeoverView)| takeover.first.as_deref() == Some(&word.host);
    let reachable = || seen().filter(|(word, _)| word.reachable);
    reachable()
        .find(gives)
        .or_else(|| reachable().next())
        .map(|(_, takeover)| takeover.clone())
}

fn disagreement(words: &[ServiceOnHost]) -> Option<String> {
    let reachable: Vec<&ServiceOnHost> = words.iter().filter(|word| word.reachable).collect();
    let serving: Vec<&str> = reachable
        .iter()
        .filter(|word| word.view.serves)
        .map(|word| word.host.as_str())
        .collect();
    if serving.len() > 1 {
        return Some(format!("{} all say that they serve", serving.join(" and ")));
    }
    let differs = |pair: &[&ServiceOnHost]| match pair {
        [a, b] => match (&a.view.active, &b.view.active) {
            (Some(x), Some(y)) if x != y => Some(format!("{} says that {x} is active, {} says {y}", a.host, b.host)),
            _ if a.view.candidates != b.view.candidates => {
                Some(format!("{} and {} have different candidate lists", a.host, b.host))
            }
            _ => None,
        },
        _ => None,
    };
    reachable.windows(2).find_map(differs)
}

/// By the clock of this machine.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
