//! `understudy status`: who serves what, what is under way, and what is waited for.

use serde_json::json;
use understudy_api::wire::{
    HostView, PauseScope, PauseView, Reading, Role, ServiceOnHost, ServiceOverview, TakeoverView, Verdict,
};
use understudy_protocol::ServiceName;

use super::args::Daemon;
use super::client::Client;
use super::failure::{Failure, Outcome};
use super::out::{self, plain, word};
use super::table::Table;
use super::time::{instant, length};

/// Asks and shows.
pub(super) async fn status(daemon: &Daemon, service: Option<&ServiceName>) -> Outcome {
    let client = Client::find(daemon)?;
    if let Some(service) = service {
        let overview: Option<ServiceOverview> = client.find_one(&format!("/api/v1/services/{service}")).await?;
        let overview = overview.ok_or_else(|| Failure::failed(format!("no service {service} is configured there")))?;
        return if daemon.json {
            out::json(&overview)
        } else {
            out::text(&one(&overview))
        };
    }
    let hosts: Vec<HostView> = client.get("/api/v1/hosts").await?;
    let services: Vec<ServiceOverview> = client.get("/api/v1/services").await?;
    if daemon.json {
        return out::json(&json!({ "hosts": hosts, "services": services }));
    }
    out::text(&format!(
        "{}\n{}{}",
        host_table(&hosts),
        service_table(&services),
        notices(&hosts, &services)
    ))
}

fn host_table(hosts: &[HostView]) -> String {
    let mut table = Table::new(&["HOST", "REACHABLE", "SEEN", "UP", "VERSION"]);
    for host in hosts {
        let name = if host.me {
            format!("{} (answers)", host.host)
        } else {
            host.host.clone()
        };
        let up = host
            .now_ms
            .zip(host.started_at_ms)
            .map(|(now, started)| length(now.saturating_sub(started)));
        table.row([
            name,
            if host.reachable || host.me { "yes" } else { "NO" }.to_owned(),
            host.age_ms
                .map_or_else(|| "never".to_owned(), |age| format!("{} ago", length(age))),
            up.unwrap_or_else(|| "-".to_owned()),
            host.version.clone().unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    table.render()
}

fn service_table(services: &[ServiceOverview]) -> String {
    if services.is_empty() {
        return "No service is configured.\n".to_owned();
    }
    let mut table = Table::new(&[
        "SERVICE",
        "ACTIVE",
        "TERM",
        "HOST",
        "ROLE",
        "SERVER",
        "READY",
        "WAITING FOR",
    ]);
    for service in services {
        for (number, on_host) in service.hosts.iter().enumerate() {
            let (name, active, term) = if number == 0 {
                (service.service.clone(), active(service), service.term.text.clone())
            } else {
                (String::new(), String::new(), String::new())
            };
            table.row([
                name,
                active,
                term,
                on_host.host.clone(),
                role(on_host),
                verdict(on_host.view.verdict),
                ready(on_host),
                on_host.view.waiting_for.clone().unwrap_or_default(),
            ]);
        }
    }
    table.render()
}

fn active(service: &ServiceOverview) -> String {
    match &service.active {
        Some(host) if *host == service.home => host.clone(),
        Some(host) => format!("{host} (home: {})", service.home),
        None => "NOBODY".to_owned(),
    }
}

/// A word of a host that can't be reached is old: it is shown as such.
fn role(on_host: &ServiceOnHost) -> String {
    let role = word(&on_host.view.role);
    if on_host.reachable { role } else { format!("{role}?") }
}

fn ready(on_host: &ServiceOnHost) -> String {
    let view = &on_host.view;
    if view.serves {
        return "serves".to_owned();
    }
    match &view.stay_down {
        Some(order) => format!("no: {} ({})", order.fault, word(&order.phase)),
        None if view.ready => "yes".to_owned(),
        None => "no".to_owned(),
    }
}

fn verdict(verdict: Verdict) -> String {
    match verdict {
        Verdict::Failing => "FAILING".to_owned(),
        Verdict::Healthy | Verdict::Impaired | Verdict::Unknown => word(&verdict),
    }
}

/// What somebody should look at, in whole sentences.
fn notices(hosts: &[HostView], services: &[ServiceOverview]) -> String {
    let mut lines = Vec::new();
    for host in hosts {
        lines.extend(
            host.alerts
                .iter()
                .map(|alert| format!("{}: {}", host.host, plain(alert))),
        );
    }
    for service in services {
        let name = &service.service;
        lines.extend(
            service
                .takeover
                .iter()
                .map(|takeover| format!("{name}: {}", under_way(takeover))),
        );
        lines.extend(
            service
                .disagreement
                .iter()
                .map(|text| format!("{name}: the hosts disagree: {}", plain(text))),
        );
        for on_host in &service.hosts {
            let host = &on_host.host;
            lines.extend(
                on_host
                    .view
                    .alerts
                    .iter()
                    .map(|alert| format!("{name} on {host}: {}", plain(alert))),
            );
            let told = |code: &str| on_host.view.alerts.iter().any(|alert| alert.starts_with(code));
            lines.extend(
                on_host
                    .view
                    .fault
                    .iter()
                    .filter(|fault| !told(&fault.code))
                    .map(|fault| {
                        format!(
                            "{name} on {host}: {} ({}): {}",
                            fault.code,
                            word(&fault.severity),
                            plain(&fault.message)
                        )
                    }),
            );
        }
        lines.extend(held_back(service));
        lines.extend(hint(service));
    }
    if lines.is_empty() {
        String::new()
    } else {
        format!("\n{}\n", lines.join("\n"))
    }
}

/// Pauses, each said once, and candidates that declined.
fn held_back(service: &ServiceOverview) -> Vec<String> {
    let name = &service.service;
    let mut lines: Vec<String> = Vec::new();
    for on_host in service.hosts.iter().filter(|on_host| on_host.reachable) {
        for pause in &on_host.view.pauses {
            let what = match pause.scope {
                PauseScope::Host => format!("{name} on {}", on_host.host),
                PauseScope::Cluster | PauseScope::Service | PauseScope::Flapping => name.clone(),
            };
            let line = format!("{what}: {}", paused(name, pause));
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let declined = on_host
            .view
            .declined
            .iter()
            .filter(|_| on_host.view.held_term.is_some());
        lines.extend(
            declined.map(|decline| format!("{name}: {} declined: {}", decline.host, plain(&decline.refusal.message))),
        );
    }
    lines
}

fn paused(service: &str, pause: &PauseView) -> String {
    let end = match pause.scope {
        PauseScope::Cluster => "understudy unpause --all".to_owned(),
        PauseScope::Host => "understudy unpause --host".to_owned(),
        PauseScope::Service | PauseScope::Flapping => format!("understudy unpause {service}"),
    };
    let until = pause
        .until_ms
        .map_or_else(String::new, |until| format!(" until {} UTC", instant(until)));
    format!(
        "does not move by itself: paused ({}) by {} since {} UTC{until}: {}; ends with `{end}`",
        word(&pause.scope),
        plain(&pause.by),
        instant(pause.since_ms),
        plain(&pause.reason)
    )
}

/// What to do about a service that nobody serves.
fn hint(service: &ServiceOverview) -> Option<String> {
    if service.active.is_some() || service.takeover.is_some() {
        return None;
    }
    let name = &service.service;
    if service.hosts.iter().all(|on_host| on_host.view.role == Role::Fresh) {
        return Some(format!(
            "{name}: was never started; on the host with the data: `understudy bootstrap {name}`"
        ));
    }
    let silent: Vec<&str> = service
        .candidates
        .iter()
        .map(String::as_str)
        .filter(|host| !reached(service, host))
        .collect();
    if silent.is_empty() && service.hosts.iter().all(|on_host| on_host.view.held_term.is_none()) {
        return Some(format!(
            "{name}: every host answers and none holds it; on the host with the newest data: `understudy takeover {name} \
             --force --reason …`"
        ));
    }
    if silent.is_empty() {
        return None;
    }
    let flags: Vec<String> = silent.iter().map(|host| format!("--confirm-stopped {host}")).collect();
    Some(format!(
        "{name}: {} can't be reached and may be serving; if certainly stopped: `understudy takeover {name} {}`",
        silent.join(", "),
        flags.join(" ")
    ))
}

fn reached(service: &ServiceOverview, host: &str) -> bool {
    service
        .hosts
        .iter()
        .any(|on_host| on_host.host == host && on_host.reachable)
}

fn under_way(takeover: &TakeoverView) -> String {
    let name = |host: &Option<String>| host.clone().unwrap_or_else(|| "?".to_owned());
    let mut text = format!(
        "{} → {}: {}",
        name(&takeover.first),
        name(&takeover.second),
        takeover.step
    );
    if let Some(remaining) = takeover.remaining {
        text.push_str(&format!(", {remaining} left"));
    }
    if let Some(blocker) = &takeover.blocker {
        text.push_str(&format!(", waits for {}", plain(blocker)));
    }
    if let Some(round) = &takeover.round {
        text.push_str(&format!(" (takeover {round})"));
    }
    text
}

/// Everything about one service.
fn one(service: &ServiceOverview) -> String {
    let mut text = service_table(std::slice::from_ref(service));
    for on_host in &service.hosts {
        text.push_str(&format!("\n{}", host_section(on_host)));
    }
    text.push_str(&notices(&[], std::slice::from_ref(service)));
    text
}

/// A measured value with no more digits than anybody reads.
fn reading(reading: &Reading) -> String {
    let (value, unit) = match reading.unit.as_str() {
        "B" => bytes(reading.value),
        "1" => (reading.value, ""),
        unit => (reading.value, unit),
    };
    let digits = if value.fract() == 0.0 || value.abs() >= 100.0 {
        0
    } else {
        2
    };
    let which: Vec<&str> = reading
        .attributes
        .iter()
        .map(|attribute| attribute.value.as_str())
        .collect();
    let which = if which.is_empty() {
        String::new()
    } else {
        format!(" ({})", which.join(", "))
    };
    plain(format!("{}{which} = {value:.digits$} {unit}", reading.key).trim_end())
}

fn bytes(value: f64) -> (f64, &'static str) {
    let steps = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    let step = steps.iter().find(|(size, _)| value.abs() >= *size);
    step.map_or((value, "B"), |(size, unit)| (value / size, unit))
}

fn host_section(on_host: &ServiceOnHost) -> String {
    let view = &on_host.view;
    let address = &view.address;
    let places: Vec<&str> = address
        .listen
        .iter()
        .chain(&address.addresses)
        .map(String::as_str)
        .collect();
    let mut lines = vec![
        on_host.host.clone(),
        format!(
            "  seen      {}",
            on_host
                .age_ms
                .map_or("never".to_owned(), |age| format!("{} ago", length(age)))
        ),
        format!(
            "  address   {} {}: {}",
            word(&address.mode),
            places.join(", "),
            address.state
        ),
    ];
    lines.extend(
        address
            .detail
            .iter()
            .map(|detail| format!("            {}", plain(detail))),
    );
    for probe in &view.probes {
        let took = probe.duration_us.map_or(String::new(), |us| {
            format!(", took {}.{} ms", us / 1000, us % 1000 / 100)
        });
        lines.push(format!(
            "  probe     {}: {}{took}",
            plain(&probe.plugin),
            word(&probe.verdict)
        ));
        lines.extend(probe.error.iter().map(|error| format!("            {}", plain(error))));
        lines.extend(
            probe
                .readings
                .iter()
                .map(|reading| format!("            {}", self::reading(reading))),
        );
    }
    for timer in &view.timers {
        lines.push(format!("  timer     {} in {}", timer.name, length(timer.remaining_ms)));
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_short() {
        let read = |key: &str, value, unit: &str| {
            reading(&Reading {
                key: key.into(),
                value,
                unit: unit.into(),
                attributes: Vec::new(),
            })
        };
        assert_eq!(
            read("disk.available", 61_541_744_640.0, "B"),
            "disk.available = 61.54 GB"
        );
        assert_eq!(read("memory.free", 0.859_229, "1"), "memory.free = 0.86");
        assert_eq!(read("redis.clients", 3.0, "1"), "redis.clients = 3");
        assert_eq!(read("lag", 0.5, "s"), "lag = 0.50 s");
        assert_eq!(read("x", f64::NAN, "s"), "x = NaN s");
    }
}
