//! The proof of a takeover: what both hosts recorded of a real one, signed, verified offline by the real program, and
//! worthless after the smallest change.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use understudy_tests::cluster::{Bed, Built, PATIENCE, Wishes, wait_for};
use understudy_tests::load::{Load, Plan, WebPlan};

struct Program {
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Program {
    fn new() -> Self {
        Program {
            program: Built::for_tests().unwrap().daemon(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.env_remove("UNDERSTUDY_URL").env_remove("UNDERSTUDY_CONFIG");
        command.args(arguments).output().unwrap()
    }

    fn bundle(&self, bed: &Bed, host: &str, takeover: &str) -> String {
        let url = format!("http://{}", bed.cluster.host(host).rest.address());
        let bundle = self.run(&["bundle", takeover, "--url", &url]);
        assert!(bundle.status.success(), "{}", String::from_utf8_lossy(&bundle.stderr));
        String::from_utf8(bundle.stdout).unwrap()
    }

    /// The exit code, and the report.
    fn verify(&self, bundle: &str, ca: &Path) -> (i32, Value) {
        let file = self.folder.path().join("bundle.json");
        std::fs::write(&file, bundle).unwrap();
        let verified = self.run(&["verify", file.to_str().unwrap(), "--json", "--ca", ca.to_str().unwrap()]);
        let report = serde_json::from_slice(&verified.stdout).unwrap_or(Value::Null);
        (verified.status.code().unwrap(), report)
    }
}

/// What would come of it, as the program says it.
fn rehearsed(program: &Program, bed: &Bed, host: &str, arguments: &[&str]) -> (i32, Value) {
    let url = format!("http://{}", bed.cluster.host(host).rest.address());
    let all = [arguments, &["--dry-run", "--json", "--url", &url]].concat();
    let answer = program.run(&all);
    let rehearsal = serde_json::from_slice(&answer.stdout);
    let said = String::from_utf8_lossy(&answer.stderr).into_owned();
    (
        answer.status.code().unwrap(),
        rehearsal.unwrap_or_else(|_| panic!("{said}")),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_foresees_the_takeover_and_changes_nothing() {
    let program = Program::new();
    let mut bed = Bed::serving(&Wishes::for_tests(&["web"])).await.unwrap();
    let load = Load::start(
        &Plan {
            redis: None,
            web: Some(WebPlan::at(bed.cluster.ports().service("web"))),
        },
        "all",
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = bed.cluster.alpha.rest.journal().await.unwrap().len();
    let mut foreseen = Value::Null;
    // Whoever is asked says the same.
    for host in ["alpha", "beta"] {
        let (code, rehearsal) = rehearsed(&program, &bed, host, &["takeover", "web"]);
        assert_eq!(
            (code, &rehearsal["would_move"]),
            (0, &Value::from(true)),
            "{rehearsal:#}"
        );
        assert_eq!(
            (&rehearsal["first"], &rehearsal["second"]),
            (&"alpha".into(), &"beta".into())
        );
        assert_eq!(rehearsal["outage"]["source"], "parts", "{rehearsal:#}");
        assert!(
            rehearsal["requests"]["under_way"].as_u64().unwrap() >= 1,
            "{rehearsal:#}"
        );
        foreseen = rehearsal;
    }
    let (code, refused) = rehearsed(&program, &bed, "beta", &["giveback", "web"]);
    assert_eq!(
        (code, &refused["refusal"]["code"]),
        (1, &"at-home".into()),
        "{refused:#}"
    );
    assert_eq!(
        bed.cluster.alpha.rest.journal().await.unwrap().len(),
        before,
        "no step was taken"
    );

    // A second that can't is foreseen with its reason.
    let config = bed.cluster.beta.site.web.config_file();
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, "this is no configuration;").unwrap();
    let failing = async || Ok(bed.cluster.beta.rest.service("web").await?.verdict == "failing");
    wait_for(&bed.cluster, "beta's probe sees it", PATIENCE, failing)
        .await
        .unwrap();
    let (code, vetoed) = rehearsed(&program, &bed, "alpha", &["takeover", "web"]);
    let answer = &vetoed["candidates"][0];
    assert_eq!((code, &answer["answer"]), (1, &"declines".into()), "{vetoed:#}");
    assert!(
        answer["refusal"]["message"].as_str().unwrap().contains("config"),
        "{vetoed:#}"
    );
    std::fs::write(&config, good).unwrap();
    let well = async || Ok(bed.cluster.beta.rest.service("web").await?.verdict == "healthy");
    wait_for(&bed.cluster, "beta is well again", PATIENCE, well)
        .await
        .unwrap();

    // Then it happens, and every step that was foreseen is taken, in that order on each host.
    bed.cluster
        .alpha
        .rest
        .takeover("web", None, "as rehearsed")
        .await
        .unwrap();
    bed.step("beta", "web", "took-over").await.unwrap();
    let round = bed.step("alpha", "web", "grant-settled").await.unwrap().round;
    for host in ["alpha", "beta"] {
        let lines = bed.cluster.host(host).rest.journal().await.unwrap();
        let taken: Vec<String> = lines
            .into_iter()
            .filter(|line| line.round == round)
            .map(|line| line.step)
            .collect();
        let steps = foreseen["steps"].as_array().unwrap().iter();
        let expected = steps
            .filter(|step| step["host"] == host)
            .map(|step| step["step"].as_str().unwrap());
        let mut rest = taken.iter();
        for step in expected {
            assert!(rest.any(|taken| taken == step), "{step} of {host}: {taken:?}");
        }
    }
    load.finish().await;
    // The next forecast rests on it.
    bed.cluster.wait_ready("alpha", "web", PATIENCE).await.unwrap();
    let (_, next) = rehearsed(&program, &bed, "beta", &["giveback", "web"]);
    assert_eq!(next["outage"]["source"], "history", "{next:#}");
    let takeovers = bed.cluster.beta.rest.takeovers("web").await.unwrap();
    let measured = takeovers
        .iter()
        .find(|takeover| takeover.outage_ms.is_some())
        .unwrap()
        .outage_ms
        .unwrap();
    assert_eq!(next["outage"]["ms"], measured, "{next:#}");
    println!("foreseen from parts: {}; it took {measured} ms", foreseen["outage"]);

    // A host that can't be heard is silent in the forecast.
    bed.cluster.alpha.daemon.kill().unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (code, silent) = rehearsed(&program, &bed, "beta", &["takeover", "web"]);
    assert_eq!(code, 1, "{silent:#}");
    assert!(
        silent["refusal"].is_object() || silent["candidates"][0]["answer"] == "silent",
        "{silent:#}"
    );
}

fn found<'a>(report: &'a Value, check: &str) -> &'a str {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|found| found["check"] == check);
    check.unwrap_or_else(|| panic!("{report:#}"))["found"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_takeover_and_its_giveback_are_proven_and_a_changed_proof_is_worthless() {
    let program = Program::new();
    let mut bed = Bed::serving(&Wishes::for_tests(&["web"])).await.unwrap();
    let load = Load::start(
        &Plan {
            redis: None,
            web: Some(WebPlan::at(bed.cluster.ports().service("web"))),
        },
        "all",
    );
    // The clocks are compared every two seconds.
    tokio::time::sleep(Duration::from_secs(4)).await;
    bed.cluster.alpha.site.disk.fill().unwrap();
    let taken = bed.step("beta", "web", "took-over").await.unwrap().round.unwrap();
    bed.cluster.alpha.site.disk.free().unwrap();
    bed.cluster.wait_ready("alpha", "web", PATIENCE).await.unwrap();
    bed.cluster.beta.rest.giveback("web").await.unwrap();
    let given_back = bed.step("alpha", "web", "took-over").await.unwrap().round.unwrap();
    bed.step("beta", "web", "grant-settled").await.unwrap();
    load.finish().await;

    let ca = bed.cluster.alpha.site.identity().join("ca.pem");
    for (takeover, second) in [(&taken, "beta"), (&given_back, "alpha")] {
        // Either host can put it together.
        for host in ["alpha", "beta"] {
            let bundle = program.bundle(&bed, host, takeover);
            let (code, report) = program.verify(&bundle, &ca);
            assert_eq!((code, &report["verdict"]), (0, &Value::from("holds")), "{report:#}");
            assert!(
                found(&report, "hosts").ends_with(&format!("gave web to {second}")),
                "{report:#}"
            );
            assert!(
                found(&report, "requests").contains("every request is accounted for"),
                "{report:#}"
            );
            let outage = &report["outage"];
            assert!(
                outage["ms"].as_i64().unwrap() > 0 && outage["uncertainty_ms"].is_u64(),
                "{outage}"
            );
            assert!(outage["address_ms"].as_i64().unwrap() > 0, "{outage}");
        }
    }

    let bundle = program.bundle(&bed, "alpha", &taken);
    if let Some(keep) = std::env::var_os("UNDERSTUDY_KEEP_BUNDLE") {
        std::fs::write(keep, &bundle).unwrap();
    }
    let words = [
        "\"released\"",
        "beta",
        "drain-started",
        "\"term\":",
        "running",
        "client-retries",
        "completed",
    ];
    let mut changed = 0;
    for word in words {
        for (place, _) in bundle.match_indices(word).take(3) {
            let mut bytes = bundle.clone().into_bytes();
            bytes[place + 1] = if bytes[place + 1] == b'x' { b'y' } else { b'x' };
            let (code, report) = program.verify(&String::from_utf8(bytes).unwrap(), &ca);
            assert_eq!(code, 1, "{word} at {place}: {report:#}");
            changed += 1;
        }
    }
    assert!(changed > 8);

    // Another cluster's authority vouches for nothing here.
    let strange = program.folder.path().join("strange");
    let made = program.run(&[
        "cluster",
        "init",
        "--host",
        "alpha",
        "--identity",
        strange.to_str().unwrap(),
    ]);
    assert!(made.status.success());
    let (code, report) = program.verify(&bundle, &strange.join("ca.pem"));
    assert_eq!(code, 1, "{report:#}");

    // With one host alone, it is that host's word, and says so.
    bed.journals.forget().await;
    bed.cluster.beta.daemon.kill().unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (code, report) = program.verify(&program.bundle(&bed, "alpha", &taken), &ca);
    assert_eq!(
        (code, &report["verdict"]),
        (3, &Value::from("holds-in-part")),
        "{report:#}"
    );
    assert!(
        report["summary"]
            .as_str()
            .unwrap()
            .starts_with("one host's word only: alpha"),
        "{report:#}"
    );
    assert!(found(&report, "hosts").contains("beta is not connected"), "{report:#}");
}
