//! One look, one verdict.

use super::*;

fn seen(health: Health) -> Seen {
    Seen {
        health,
        ..Seen::default()
    }
}

fn full() -> Disk {
    Disk {
        path: "/var/log".into(),
        available_bytes: 0.0,
        is_read_only: false,
        is_silent: false,
    }
}

fn look(config: &Config, expected: Expectation, seen: &Seen, before: &Memory) -> (Verdict, Vec<String>, Memory) {
    let after = before.after(seen);
    let report = report(config, expected, seen, before, &after);
    (
        report.verdict,
        report.faults.into_iter().map(|fault| fault.code).collect(),
        after,
    )
}

fn at(expected: Expectation, seen: &Seen) -> (Verdict, Vec<String>) {
    let (verdict, codes, _) = look(&Config::default(), expected, seen, &Memory::default());
    (verdict, codes)
}

#[test]
fn an_answer_below_500_is_health() {
    for status in [200, 301, 404] {
        assert_eq!(
            at(Expectation::Serving, &seen(Health::Status(status))),
            (Verdict::Healthy, vec![])
        );
    }
}

#[test]
fn errors_fail_only_when_they_last() {
    let (config, mut memory) = (Config::default(), Memory::default());
    let mut verdicts = Vec::new();
    for status in [500, 502, 200, 503, 200, 200, 200, 200, 500] {
        let (verdict, _, after) = look(&config, Expectation::Serving, &seen(Health::Status(status)), &memory);
        verdicts.push(verdict);
        memory = after;
    }
    use Verdict::{Failing, Healthy, Impaired};
    assert_eq!(
        verdicts,
        [
            Impaired, Impaired, Healthy, Failing, Healthy, Healthy, Healthy, Healthy, Impaired
        ]
    );
}

#[test]
fn one_that_does_not_listen_fails_at_once() {
    let gone = seen(Health::Gone("refused".into()));
    assert_eq!(
        at(Expectation::Serving, &gone),
        (Verdict::Failing, vec!["nginx-unreachable".into()])
    );
    assert_eq!(at(Expectation::Down, &gone), (Verdict::Healthy, vec![]));
    assert_eq!(at(Expectation::StandingBy, &gone), (Verdict::Healthy, vec![]));
}

#[test]
fn a_full_disk_requires_a_shutdown_until_it_is_cured() {
    let bad = Seen {
        disks: vec![full()],
        ..seen(Health::Status(200))
    };
    assert_eq!(
        at(Expectation::Serving, &bad),
        (Verdict::Failing, vec!["nginx-disk-full".into()])
    );
    assert_eq!(
        at(Expectation::Down, &bad),
        (Verdict::Failing, vec!["nginx-disk-full".into()])
    );
}

#[test]
fn a_disk_that_does_not_answer_has_a_code_of_its_own() {
    let silent = Disk {
        is_silent: true,
        ..full()
    };
    let bad = Seen {
        disks: vec![silent],
        ..seen(Health::Status(200))
    };
    assert_eq!(
        at(Expectation::Serving, &bad),
        (Verdict::Failing, vec!["nginx-disk-silent".into()])
    );
}

#[test]
fn a_standby_is_stopped_with_a_good_configuration() {
    let bad = Seen {
        bad_configuration: Some("unknown directive".into()),
        ..seen(Health::Gone("refused".into()))
    };
    assert_eq!(
        at(Expectation::StandingBy, &bad),
        (Verdict::Failing, vec!["nginx-config-broken".into()])
    );
    assert_eq!(
        at(Expectation::StandingBy, &seen(Health::Status(200))),
        (Verdict::Impaired, vec!["nginx-role-wrong".into()])
    );
    let overlap = Config {
        exclusive: false,
        ..Config::default()
    };
    let (verdict, ..) = look(
        &overlap,
        Expectation::StandingBy,
        &seen(Health::Status(200)),
        &Memory::default(),
    );
    assert_eq!(verdict, Verdict::Healthy);
}

#[test]
fn dropped_connections_are_counted_from_the_last_look() {
    let page = StatusPage {
        active: 1,
        accepts: 10,
        handled: 8,
        requests: 10,
        reading: 0,
        writing: 1,
        waiting: 0,
    };
    let seen = Seen {
        page: Some(page),
        ..seen(Health::Status(200))
    };
    let (verdict, codes, after) = look(&Config::default(), Expectation::Serving, &seen, &Memory::default());
    assert_eq!((verdict, codes.len(), after.dropped), (Verdict::Healthy, 0, Some(2)));
    let before = Memory {
        dropped: Some(1),
        ..Memory::default()
    };
    let (_, codes, _) = look(&Config::default(), Expectation::Serving, &seen, &before);
    assert_eq!(codes, ["nginx-dropping-connections"]);
}

#[test]
fn the_named_disks_count_and_else_all() {
    let reading = |path: &str, value| Reading {
        key: "disk.available".into(),
        value,
        unit: "B".into(),
        attributes: Attributes::new().with("path", path),
    };
    let readings = [reading("/", 9e9), reading("/var", 5.0)];
    assert_eq!(disks(&readings, &Config::default()).len(), 2);
    let named = Config {
        disk_paths: vec!["/var/log/nginx".into(), "/srv".into()],
        ..Config::default()
    };
    let found: Vec<_> = disks(&readings, &named).into_iter().map(|disk| disk.path).collect();
    assert_eq!(found, ["/var", "/"]);
}
