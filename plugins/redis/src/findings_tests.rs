//! One look, one verdict.

use super::*;
use crate::disk::Disk;

const GB: f64 = 1e9;

struct Look {
    config: Config,
    machine: Machine,
    memory: Memory,
}

fn look() -> Look {
    let config = r#"{"addresses": {"a": "10.0.0.1:6379", "b": "10.0.0.2:6379"}, "min-disk-free-bytes": 1000}"#;
    Look {
        config: understudy_plugin::parse_config(config).unwrap(),
        machine: Machine::default(),
        memory: Memory::default(),
    }
}

impl Look {
    fn with_disk(mut self, available_bytes: f64) -> Self {
        self.machine.disk = Some(Disk {
            path: "/data".into(),
            available_bytes,
            is_read_only: false,
            is_silent: false,
        });
        self
    }

    fn seen(&self) -> Seen<'_> {
        Seen {
            config: &self.config,
            host: "a",
            active_host: None,
            machine: &self.machine,
            memory: &self.memory,
        }
    }

    fn at(&self, expected: Expectation, info: &str) -> Report {
        of_running(&self.seen(), expected, &Info::parse(info))
    }

    fn standing_by(&self, info: &str) -> Report {
        let seen = Seen {
            host: "b",
            active_host: Some("a"),
            ..self.seen()
        };
        of_running(&seen, Expectation::StandingBy, &Info::parse(info))
    }
}

fn codes(report: &Report) -> Vec<&str> {
    report.faults.iter().map(|fault| fault.code.as_str()).collect()
}

const GOOD_MASTER: &str = "role:master\nmaster_repl_offset:100\nconnected_slaves:1\n\
    slave0:ip=10.0.0.2,port=6379,state=online,offset=100,lag=0\nrdb_last_bgsave_status:ok\naof_enabled:0\n";
const GOOD_REPLICA: &str = "role:slave\nmaster_host:10.0.0.1\nmaster_port:6379\nmaster_link_status:up\n\
    master_last_io_seconds_ago:1\nslave_repl_offset:100\nrdb_last_bgsave_status:ok\n";

#[test]
fn a_good_master_and_a_good_replica_are_healthy() {
    assert_eq!(look().at(Expectation::Serving, GOOD_MASTER).verdict, Verdict::Healthy);
    assert_eq!(look().standing_by(GOOD_REPLICA).verdict, Verdict::Healthy);
}

#[test]
fn a_full_disk_that_stops_the_saving_requires_a_shutdown() {
    let info = GOOD_MASTER.replace("bgsave_status:ok", "bgsave_status:err");
    let report = look().with_disk(0.0).at(Expectation::Serving, &info);
    assert_eq!(report.verdict, Verdict::Failing);
    assert_eq!(codes(&report), ["redis-persistence-failing", "redis-disk-full-soon"]);
    let fault = &report.faults[0];
    assert_eq!(
        (fault.kind, fault.severity),
        (FaultKind::Storage, Severity::ShutdownRequired)
    );
    assert_eq!(fault.evidence.value("rdb-last-bgsave-status"), Some("err"));
    assert_eq!(fault.evidence.value("disk-path"), Some("/data"));
    assert_eq!(fault.evidence.value("master-repl-offset"), Some("100"));
}

#[test]
fn a_disk_that_is_nearly_full_is_an_impairment() {
    let report = look().with_disk(999.0).at(Expectation::Serving, GOOD_MASTER);
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Impaired, vec!["redis-disk-full-soon"])
    );
}

#[test]
fn the_operator_may_accept_that_nothing_is_saved() {
    let mut look = look();
    look.config.persistence_failure = PersistenceFailure::Impaired;
    let report = look.at(
        Expectation::Serving,
        &GOOD_MASTER.replace("bgsave_status:ok", "bgsave_status:err"),
    );
    assert_eq!(report.verdict, Verdict::Impaired);
}

#[test]
fn down_is_right_and_only_the_cause_is_looked_at() {
    let gone = "connection refused";
    let cured = look().with_disk(GB);
    assert_eq!(
        of_unreachable(&cured.seen(), Expectation::Down, gone).verdict,
        Verdict::Healthy
    );
    let still_full = look().with_disk(0.0);
    let report = of_unreachable(&still_full.seen(), Expectation::Down, gone);
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-disk-full"])
    );
}

#[test]
fn a_server_that_does_not_answer_fails() {
    let look = look();
    let report = of_unreachable(&look.seen(), Expectation::Serving, "refused");
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-unreachable"])
    );
    assert_eq!(report.faults[0].severity, Severity::ShutdownRequired);
    let report = of_unreachable(&look.seen(), Expectation::StandingBy, "refused");
    assert_eq!(
        (report.verdict, report.faults[0].severity),
        (Verdict::Failing, Severity::Impaired)
    );
}

#[test]
fn a_role_that_is_not_the_expected_one_is_a_fault() {
    let report = look().at(Expectation::Serving, GOOD_REPLICA);
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-role-wrong"])
    );
    let report = look().standing_by(GOOD_MASTER);
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-role-wrong"])
    );
    assert_eq!(
        report.faults[0].severity,
        Severity::Impaired,
        "the active host's service is well"
    );
}

#[test]
fn a_standby_is_impaired_while_it_copies_and_fails_without_a_link() {
    let syncing = GOOD_REPLICA.replace("status:up", "status:down") + "master_sync_in_progress:1\n";
    let report = look().standing_by(&syncing);
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Impaired, vec!["redis-syncing"])
    );
    let report = look().standing_by(&GOOD_REPLICA.replace("status:up", "status:down"));
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-link-down"])
    );
    let report = look().standing_by(&GOOD_REPLICA.replace("ago:1", "ago:61"));
    assert_eq!(codes(&report), ["redis-link-down"]);
    let report = look().standing_by(&GOOD_REPLICA.replace("10.0.0.1", "10.0.0.9"));
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Failing, vec!["redis-replica-of-another"])
    );
}

#[test]
fn a_master_tells_of_replicas_that_are_missing_or_late() {
    let alone = "role:master\nmaster_repl_offset:100\nconnected_slaves:0\n";
    assert_eq!(codes(&look().at(Expectation::Serving, alone)), ["redis-no-replica"]);
    let late = GOOD_MASTER.replace("offset:100\nconnected", "offset:20000000\nconnected");
    assert_eq!(
        codes(&look().at(Expectation::Serving, &late)),
        ["redis-replica-lagging"]
    );
}

#[test]
fn memory_that_runs_out_is_an_impairment() {
    let full = format!("{GOOD_MASTER}used_memory:96\nmaxmemory:100\nmaxmemory_policy:noeviction\n");
    assert_eq!(codes(&look().at(Expectation::Serving, &full)), ["redis-memory"]);
    assert!(codes(&look().at(Expectation::Serving, &full.replace("noeviction", "allkeys-lru"))).is_empty());
    let mut look = look();
    look.machine.memory_free = Some(0.01);
    assert_eq!(codes(&look.at(Expectation::Serving, GOOD_MASTER)), ["redis-memory"]);
}

#[test]
fn connections_turned_away_are_counted_from_the_last_look() {
    let info = format!("{GOOD_MASTER}rejected_connections:5\n");
    assert!(
        codes(&look().at(Expectation::Serving, &info)).is_empty(),
        "the first look has nothing to compare"
    );
    let mut look = look();
    look.memory.rejected_connections = Some(3);
    assert_eq!(
        codes(&look.at(Expectation::Serving, &info)),
        ["redis-connections-rejected"]
    );
    look.memory.rejected_connections = Some(9);
    assert!(
        codes(&look.at(Expectation::Serving, &info)).is_empty(),
        "it was restarted in between"
    );
}

#[test]
fn loading_is_not_a_wrong_role() {
    let report = look().at(
        Expectation::Serving,
        "role:master\nloading:1\nloading_loaded_perc:42.00\n",
    );
    assert_eq!(
        (report.verdict, codes(&report)),
        (Verdict::Impaired, vec!["redis-loading"])
    );
}
