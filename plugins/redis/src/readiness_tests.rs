//! Who has which writes.

use super::*;
use crate::disk::Disk;

fn config() -> Config {
    let json = r#"{"addresses": {"a": "10.0.0.1:6379", "b": "10.0.0.2:6379", "c": "10.0.0.3:6379"}, "min-disk-free-bytes": 1000}"#;
    understudy_plugin::parse_config(json).unwrap()
}

fn replica(ip: &str, port: u16, offset: u64) -> Replica {
    Replica {
        ip: ip.into(),
        port,
        online: true,
        offset,
    }
}

#[test]
fn the_successor_alone_counts_where_it_is_known() {
    let replicas = [replica("10.0.0.2", 6379, 100), replica("10.0.0.3", 6379, 40)];
    assert_eq!(copies(&config(), "a", Some("b"), &replicas, 100), Copies::Complete);
    let behind = Copies::Behind {
        bytes: 60,
        who: "c (10.0.0.3:6379)".into(),
    };
    assert_eq!(copies(&config(), "a", Some("c"), &replicas, 100), behind);
    assert_eq!(
        copies(&config(), "a", None, &replicas, 100),
        behind,
        "anybody may be chosen"
    );
}

#[test]
fn a_third_hosts_copy_does_not_help_the_second() {
    let replicas = [replica("10.0.0.3", 6379, 100)];
    let missing = Copies::Missing {
        who: "b (10.0.0.2:6379), of the replicas 10.0.0.3:6379".into(),
    };
    assert_eq!(copies(&config(), "a", Some("b"), &replicas, 100), missing);
    assert!(matches!(
        copies(&config(), "a", None, &replicas, 100),
        Copies::Missing { .. }
    ));
}

#[test]
fn a_first_copy_under_way_is_no_copy() {
    let replicas = [Replica {
        online: false,
        ..replica("10.0.0.2", 6379, 100)
    }];
    assert!(matches!(
        copies(&config(), "a", Some("b"), &replicas, 100),
        Copies::Missing { .. }
    ));
}

#[test]
fn a_replica_is_known_by_its_whole_address() {
    let json = r#"{"addresses": {"a": "10.0.0.1:7001", "b": "10.0.0.2:7002"}}"#;
    let config: Config = understudy_plugin::parse_config(json).unwrap();
    assert_eq!(
        copies(&config, "a", None, &[replica("::ffff:10.0.0.2", 7002, 9)], 9),
        Copies::Complete
    );
    let foreign = [replica("10.9.9.9", 7002, 9)];
    assert!(
        matches!(copies(&config, "a", None, &foreign, 9), Copies::Missing { .. }),
        "the same port is not enough"
    );
}

#[test]
fn without_addresses_every_replica_counts_and_one_must_be_there() {
    let config = Config::default();
    assert!(matches!(
        copies(&config, "a", Some("b"), &[], 5),
        Copies::Missing { .. }
    ));
    let replicas = [replica("10.0.0.2", 1, 5), replica("10.0.0.3", 2, 4)];
    assert_eq!(
        copies(&config, "a", None, &replicas, 5),
        Copies::Behind {
            bytes: 1,
            who: "10.0.0.3:2".into()
        }
    );
    assert_eq!(copies(&config, "a", None, &replicas, 4), Copies::Complete);
}

const GOOD: &str = "role:slave\nmaster_host:10.0.0.1\nmaster_port:6379\nmaster_link_status:up\nslave_repl_offset:1000\n\
    used_memory:50\nmaxmemory:100\nrdb_last_bgsave_status:ok\n";

fn assessed(info: &str, change: impl FnOnce(&mut Candidate<'_>)) -> Option<String> {
    let (config, info, machine) = (config(), Info::parse(info), Machine::default());
    let mut candidate = Candidate {
        config: &config,
        first: Some("a"),
        info: &info,
        machine: &machine,
        first_offset: Some(1000),
        first_is_gone: false,
    };
    change(&mut candidate);
    match assess(&candidate) {
        Assessment::Can => None,
        Assessment::Cannot(refusal) => Some(refusal.code),
    }
}

#[test]
fn a_replica_with_all_the_data_can() {
    assert_eq!(assessed(GOOD, |_| ()), None);
}

#[test]
fn each_reason_against_it_has_its_code() {
    let refused = |info: &str| assessed(info, |_| ());
    assert_eq!(refused("role:master\n").as_deref(), Some("not-a-replica"));
    assert_eq!(refused(&format!("{GOOD}loading:1\n")).as_deref(), Some("syncing"));
    assert_eq!(
        refused(&format!("{GOOD}master_sync_in_progress:1\n")).as_deref(),
        Some("syncing")
    );
    assert_eq!(
        refused(&GOOD.replace("10.0.0.1", "10.0.0.3")).as_deref(),
        Some("replica-of-another")
    );
    let down = GOOD.replace("status:up", "status:down\nmaster_link_down_since_seconds:4");
    assert_eq!(refused(&down).as_deref(), Some("link-down"));
    assert_eq!(
        refused(&down.replace("seconds:4", "seconds:-1")).as_deref(),
        Some("never-synced")
    );
    assert_eq!(
        refused(&GOOD.replace("used_memory:50", "used_memory:101")).as_deref(),
        Some("maxmemory-too-small")
    );
    assert_eq!(
        refused(&GOOD.replace("status:ok", "status:err")).as_deref(),
        Some("persistence-failing")
    );
    assert_eq!(
        assessed(GOOD, |it| it.first_offset = Some(20_000_000)).as_deref(),
        Some("replication-lag")
    );
}

#[test]
fn a_link_that_broke_because_the_first_is_gone_is_no_reason() {
    let down = GOOD.replace("status:up", "status:down\nmaster_link_down_since_seconds:4");
    assert_eq!(assessed(&down, |it| it.first_is_gone = true), None);
    let never = down.replace("seconds:4", "seconds:-1");
    assert_eq!(
        assessed(&never, |it| it.first_is_gone = true).as_deref(),
        Some("never-synced")
    );
}

#[test]
fn the_machine_has_a_say() {
    let full = Machine {
        disk: Some(Disk {
            path: "/data".into(),
            available_bytes: 10.0,
            is_read_only: false,
            is_silent: false,
        }),
        ..Machine::default()
    };
    let short = Machine {
        memory_free: Some(0.001),
        ..Machine::default()
    };
    let (config, info) = (config(), Info::parse(GOOD));
    for (machine, code) in [(&full, "disk-full"), (&short, "memory-short")] {
        let candidate = Candidate {
            config: &config,
            first: None,
            info: &info,
            machine,
            first_offset: None,
            first_is_gone: false,
        };
        assert!(
            matches!(assess(&candidate), Assessment::Cannot(refusal) if refusal.code == code && refusal.would_accept_if.is_some())
        );
    }
}

#[test]
fn an_incomplete_copy_is_never_promoted() {
    assert_eq!(is_incomplete(&Info::parse(GOOD)), None);
    assert!(is_incomplete(&Info::parse(format!("{GOOD}master_sync_in_progress:1\n"))).is_some());
    assert!(
        is_incomplete(&Info::parse(
            "role:slave\nmaster_link_status:down\nmaster_link_down_since_seconds:-1\n"
        ))
        .is_some()
    );
    assert_eq!(
        is_incomplete(&Info::parse(
            "role:slave\nmaster_link_status:down\nmaster_link_down_since_seconds:9\n"
        )),
        None
    );
}
