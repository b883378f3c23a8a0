//! The published view as numbers, in Prometheus' text format.
//!
//! Invariant: only what the view shows; label values are names, which need no quoting beyond the quotes.

use std::fmt::Write as _;

use understudy_api::wire::{HostView, ServiceView, Verdict};

/// All metrics of this host.
pub(crate) fn text(hosts: &[HostView]) -> String {
    let mut out = String::new();
    let Some(me) = hosts.iter().find(|host| host.me) else {
        return out;
    };
    family(
        &mut out,
        me,
        "understudy_serves",
        "Whether this host admits clients of the service.",
        |s| u64::from(s.serves),
    );
    family(
        &mut out,
        me,
        "understudy_held_term",
        "The term this host holds; 0: none.",
        |s| s.held_term.as_ref().map_or(0, |term| term.value),
    );
    family(
        &mut out,
        me,
        "understudy_ready",
        "Whether the local server is ready to take over.",
        |s| u64::from(s.ready),
    );
    family(
        &mut out,
        me,
        "understudy_staying_down",
        "Whether a stay-down order is held.",
        |s| u64::from(s.stay_down.is_some()),
    );
    family(
        &mut out,
        me,
        "understudy_verdict",
        "0 healthy, 1 impaired, 2 unknown, 3 failing.",
        |s| match s.verdict {
            Verdict::Healthy => 0,
            Verdict::Impaired => 1,
            Verdict::Unknown => 2,
            Verdict::Failing => 3,
        },
    );
    head(
        &mut out,
        "understudy_peer_reachable",
        "Whether a connection to the host stands, both ways.",
    );
    for host in hosts.iter().filter(|host| !host.me) {
        // Writing to a String can't fail.
        let _ = writeln!(
            out,
            "understudy_peer_reachable{{host=\"{}\"}} {}",
            host.host,
            u64::from(host.reachable)
        );
    }
    probes(&mut out, me);
    out
}

fn head(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn family(out: &mut String, me: &HostView, name: &str, help: &str, value: impl Fn(&ServiceView) -> u64) {
    head(out, name, help);
    for service in &me.services {
        let _ = writeln!(out, "{name}{{service=\"{}\"}} {}", service.service, value(service));
    }
}

fn probes(out: &mut String, me: &HostView) {
    head(
        out,
        "understudy_probe_duration_seconds",
        "How long the last check took.",
    );
    for service in &me.services {
        for probe in &service.probes {
            let Some(micros) = probe.duration_us else { continue };
            let seconds = std::time::Duration::from_micros(micros).as_secs_f64();
            let _ = writeln!(
                out,
                "understudy_probe_duration_seconds{{service=\"{}\",plugin=\"{}\"}} {seconds}",
                service.service, probe.plugin
            );
        }
    }
}
