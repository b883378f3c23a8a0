//! A good bundle holds; after any change of any field it does not; and hosts that sign what can't be true are found.

mod sample;

use serde_json::{Value, json};
use understudy_api::wire::{ProofReport, ProofResult};

use super::*;
use crate::damage::Damage;
use sample::{Sample, numbered, step};

fn verified(sample: &Sample, bundle: &ProofBundle) -> ProofReport {
    let trusted = Trusted::pem(&sample.authority(), "the test".into()).unwrap();
    verify(&serde_json::to_string(bundle).unwrap(), &trusted).unwrap()
}

/// The checks that fail, with what they found.
fn failing(report: &ProofReport) -> Vec<(&str, &str)> {
    let failing = report.checks.iter().filter(|check| check.result == ProofResult::Fails);
    failing
        .map(|check| (check.check.as_str(), check.found.as_str()))
        .collect()
}

#[test]
fn a_takeover_that_went_as_it_must_is_proven() {
    let sample = Sample::new();
    let report = verified(&sample, &sample.bundle());
    assert_eq!(report.verdict, ProofVerdict::Holds, "{report:#?}");
    let outage = report.outage.unwrap();
    // 1030 to 1260, and beta's clock is 70 ms ahead.
    assert_eq!((outage.ms, outage.uncertainty_ms), (160, Some(2)));
}

#[test]
fn no_damage_makes_the_verifier_panic() {
    let sample = Sample::new();
    let trusted = Trusted::pem(&sample.authority(), "the test".into()).unwrap();
    let text = serde_json::to_string(&sample.bundle()).unwrap();
    let (mut read, mut unread) = (0, 0);
    for seed in 0..1000 {
        let mut damage = Damage(seed);
        let _ = verify(&damage.text(&text), &trusted);
        // Signed as it is, so that the checks behind the signature see it.
        let (mut alpha, mut beta) = (sample.alpha.clone(), sample.beta.clone());
        damage.json(&mut alpha);
        if seed % 2 == 0 {
            damage.json(&mut beta);
        }
        let bundle = sample.assembled(vec![sample.half(0, &alpha), sample.half(1, &beta)]);
        match verify(&serde_json::to_string(&bundle).unwrap(), &trusted) {
            Ok(report) if failing(&report).iter().all(|(check, _)| *check != "signatures") => read += 1,
            _ => unread += 1,
        }
    }
    assert!(read > 100, "{read} were looked at as a whole, {unread} were not");
}

/// Every leaf of the document, and every list and object, by its path.
fn places(value: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| places(value, &format!("{path}/{key}"), all)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(place, value)| places(value, &format!("{path}/{place}"), all)),
        _ => {}
    }
}

/// The smallest change of a value that is one.
fn change(value: &mut Value, way: usize) {
    *value = match value.clone() {
        Value::Null => json!("x"),
        Value::Bool(flag) => json!(!flag),
        Value::Number(number) => json!(number.as_i64().unwrap() + 1),
        Value::String(text) if text.is_empty() => json!("x"),
        Value::String(text) => {
            let mut bytes = text.into_bytes();
            let place = [0, bytes.len() / 2, bytes.len() - 1][way];
            bytes[place] = if bytes[place] == b'7' { b'8' } else { b'7' };
            json!(String::from_utf8(bytes).unwrap())
        }
        Value::Array(mut items) => {
            if items.pop().is_none() {
                items.push(json!({}));
            }
            Value::Array(items)
        }
        Value::Object(mut map) => {
            let last = map.keys().next_back().unwrap().clone();
            map.remove(&last);
            Value::Object(map)
        }
    };
}

#[test]
fn a_change_of_any_field_is_found_and_its_place_is_named() {
    let sample = Sample::new();
    let trusted = Trusted::pem(&sample.authority(), "the test".into()).unwrap();
    let good = serde_json::to_value(sample.bundle()).unwrap();
    let mut all = Vec::new();
    places(&good, "", &mut all);
    assert!(all.len() > 400, "{}", all.len());
    for path in &all {
        // What is stated is one signed whole: one change of each field is enough.
        let ways = if path.contains("/statement/") { 1..2 } else { 0..3 };
        for way in ways {
            let mut bad = good.clone();
            let place = bad.pointer_mut(path).unwrap();
            change(place, way);
            if bad == good {
                continue;
            }
            // One that is not read at all is found too, with line and column or the field's name.
            let Ok(report) = verify(&bad.to_string(), &trusted) else {
                continue;
            };
            assert_eq!(report.verdict, ProofVerdict::Fails, "{path} ({way})");
            let said = failing(&report)
                .iter()
                .map(|(_, found)| *found)
                .collect::<Vec<_>>()
                .join("; ");
            let named = match path.split('/').nth(1) {
                Some("halves") => match path.split('/').nth(2) {
                    Some(number) => format!("halves[{number}]"),
                    None => "signature (the whole)".to_owned(),
                },
                Some("assembled") => "assembled".to_owned(),
                Some("authority") => "authority".to_owned(),
                _ => "signature (the whole)".to_owned(),
            };
            assert!(
                said.contains(&named) || said.contains("signature (the whole)"),
                "{path} ({way}): {said}"
            );
        }
    }
}

#[test]
fn a_key_said_twice_is_refused() {
    let sample = Sample::new();
    let text = serde_json::to_string(&sample.bundle()).unwrap();
    let twice = text.replacen("\"service\":", "\"service\":\"web\",\"service\":", 1);
    let error = verify(&twice, &Trusted::Nobody).unwrap_err();
    assert!(error.contains("twice"), "{error}");
    assert!(verify("{}", &Trusted::Nobody).is_err());
}

#[test]
fn who_vouches_for_nobody_proves_only_in_part() {
    let sample = Sample::new();
    let text = serde_json::to_string(&sample.bundle()).unwrap();
    let report = verify(&text, &Trusted::Nobody).unwrap();
    assert_eq!(report.verdict, ProofVerdict::HoldsInPart);
    let other = Trusted::pem(&Sample::new().authority(), "another cluster".into()).unwrap();
    let report = verify(&text, &other).unwrap();
    assert_eq!(failing(&report)[0].0, "authority");
}

#[test]
fn one_half_is_one_hosts_word_only() {
    let sample = Sample::new();
    for (host, statement) in [(0, &sample.alpha), (1, &sample.beta)] {
        let report = verified(&sample, &sample.assembled(vec![sample.half(host, statement)]));
        assert_eq!(report.verdict, ProofVerdict::HoldsInPart, "{report:#?}");
        assert!(report.summary.starts_with("one host's word only"), "{}", report.summary);
    }
}

#[test]
fn one_host_can_not_speak_for_the_other() {
    let sample = Sample::new();
    let mut bundle = sample.bundle();
    bundle.halves[1] = ProofHalfOf::alpha_as_beta(&sample);
    let report = verified(&sample, &sample.assembled(bundle.halves));
    assert!(
        failing(&report)[0].1.contains("it names alpha, not beta"),
        "{report:#?}"
    );
}

struct ProofHalfOf;

impl ProofHalfOf {
    fn alpha_as_beta(sample: &Sample) -> understudy_api::wire::ProofHalf {
        let mut half = sample.half(0, &sample.beta);
        half.host = "beta".into();
        half
    }
}

#[test]
fn a_takeover_in_which_both_servers_ran_is_proven() {
    let sample = Sample::overlapping();
    let report = verified(&sample, &sample.bundle());
    assert_eq!(report.verdict, ProofVerdict::Holds, "{report:#?}");
    let outage = report.outage.unwrap();
    assert_eq!((outage.ms, outage.uncertainty_ms), (0, Some(2)));
}

#[test]
fn a_yield_that_was_said_or_used_too_early_is_caught() {
    type Lie = fn(&mut Value, &mut Value);
    let lies: [(&str, Lie); 6] = [
        ("exclusivity", |alpha, _| {
            move_event(alpha, "message", "AdmissionYielded", 6)
        }),
        ("exclusivity", |alpha, _| {
            let events = alpha["events"].as_array_mut().unwrap();
            events.push(step(1400, "serving", "released", "active", 1));
            alpha["events"] = numbered(std::mem::take(events)).into();
        }),
        ("exclusivity", |_, beta| move_event(beta, "step", "serving", 4)),
        ("order", |_, beta| move_event(beta, "step", "warming-up", 9)),
        ("order", |alpha, _| move_event(alpha, "step", "released", 9)),
        ("terms", |alpha, _| {
            let place = index_of(alpha, "message", "AdmissionYielded");
            alpha["events"][place]["message"]["body"]["grant"]["new_term"] = 1.into();
        }),
    ];
    for (check, lie) in lies {
        let found = caught_in(Sample::overlapping(), lie);
        assert!(found.iter().any(|(name, _)| name == check), "{check}: {found:?}");
    }
}

/// Signs what the hosts state after `lie`, and says which check finds it.
fn caught(lie: impl FnOnce(&mut Value, &mut Value)) -> Vec<(String, String)> {
    caught_in(Sample::new(), lie)
}

fn caught_in(mut sample: Sample, lie: impl FnOnce(&mut Value, &mut Value)) -> Vec<(String, String)> {
    let (mut alpha, mut beta) = (sample.alpha.clone(), sample.beta.clone());
    lie(&mut alpha, &mut beta);
    (sample.alpha, sample.beta) = (alpha, beta);
    let report = verified(&sample, &sample.bundle());
    assert_eq!(report.verdict, ProofVerdict::Fails, "{report:#?}");
    let owned = |(check, found): (&str, &str)| (check.to_owned(), found.to_owned());
    failing(&report).into_iter().map(owned).collect()
}

fn index_of(statement: &Value, kind: &str, name: &str) -> usize {
    let events = statement["events"].as_array().unwrap();
    events.iter().position(|event| event[kind]["name"] == name).unwrap()
}

fn move_event(statement: &mut Value, kind: &str, name: &str, to: usize) {
    let from = index_of(statement, kind, name);
    let events = statement["events"].as_array_mut().unwrap();
    let event = events.remove(from);
    events.insert(to, event);
    statement["events"] = numbered(std::mem::take(events)).into();
}

#[test]
fn serving_before_the_release_is_caught() {
    let checks = caught(|_, beta| move_event(beta, "step", "server-serves", 3));
    assert!(
        checks
            .iter()
            .any(|(check, found)| check == "exclusivity" && found.contains("beta.events[4]")),
        "{checks:?}"
    );
}

#[test]
fn serving_again_after_the_release_is_caught() {
    let checks = caught(|alpha, _| {
        let events = alpha["events"].as_array_mut().unwrap();
        events.push(step(1200, "serving", "released", "active", 1));
        alpha["events"] = numbered(std::mem::take(events)).into();
    });
    assert!(
        checks
            .iter()
            .any(|(check, found)| check == "exclusivity" && found.contains("alpha.events[15]")),
        "{checks:?}"
    );
}

#[test]
fn releasing_without_the_stored_compilation_is_caught() {
    let checks = caught(|alpha, _| move_event(alpha, "message", "CompilationStored", 13));
    assert!(checks.iter().any(|(check, _)| check == "order"), "{checks:?}");
    let checks = caught(|alpha, _| {
        let place = index_of(alpha, "message", "CompilationStored");
        let events = alpha["events"].as_array_mut().unwrap();
        events.remove(place);
        alpha["events"] = numbered(std::mem::take(events)).into();
    });
    assert!(
        checks
            .iter()
            .any(|(check, found)| check == "order" && found.contains("CompilationStored is missing")),
        "{checks:?}"
    );
}

#[test]
fn a_message_that_the_other_never_said_is_caught() {
    let checks = caught(|_, beta| {
        let place = index_of(beta, "message", "Released");
        beta["events"][place]["message"]["body"]["grant"]["new_term"] = 3.into();
    });
    assert!(
        checks
            .iter()
            .any(|(check, found)| check == "messages" && found.contains("never said this Released")),
        "{checks:?}"
    );
}

#[test]
fn an_order_that_can_not_have_been_is_caught_without_any_clock() {
    // Each heard the other's answer before it had spoken itself.
    let checks = caught(|alpha, beta| {
        move_event(alpha, "message", "ShutdownCommanded", 0);
        move_event(beta, "message", "ShutdownCommanded", 5);
        for statement in [alpha, beta] {
            statement["clocks"] = json!([]);
        }
    });
    assert!(
        checks
            .iter()
            .any(|(check, found)| check == "messages" && found.contains("before it can have been said")),
        "{checks:?}"
    );
}

#[test]
fn times_that_do_not_fit_the_clocks_are_caught() {
    let checks = caught(|_, beta| {
        let place = index_of(beta, "message", "Released");
        beta["events"][place]["at_ms"] = 1150.into();
    });
    assert!(checks.iter().any(|(check, _)| check == "clocks"), "{checks:?}");
    let checks = caught(|_, beta| {
        let place = index_of(beta, "step", "serving");
        beta["events"][place]["at_ms"] = 1050.into();
    });
    assert_eq!(checks[0].0, "exclusivity", "{checks:?}");
}

#[test]
fn wrong_terms_and_rounds_are_caught() {
    let checks = caught(|_, beta| {
        let place = index_of(beta, "step", "grant-accepted");
        beta["events"][place]["step"]["term"] = 9.into();
    });
    assert!(checks.iter().any(|(check, _)| check == "terms"), "{checks:?}");
    let checks = caught(|alpha, _| alpha["events"][0]["step"]["round"] = "another".into());
    assert_eq!(checks[0].0, "round", "{checks:?}");
}

#[test]
fn requests_that_are_missing_changed_or_unaccounted_for_are_caught() {
    let checks = caught(|alpha, _| drop(alpha["compilation"]["requests"].as_array_mut().unwrap().pop()));
    assert!(
        checks[0].0 == "compilation" && checks[0].1.contains("alpha.compilation.requests"),
        "{checks:?}"
    );
    let checks = caught(|_, beta| beta["compilation"]["requests"][1]["request"]["state"] = "completed".into());
    assert!(checks[0].1.contains("beta.compilation.requests"), "{checks:?}");
    let checks = caught(|_, beta| beta["compilation"]["requests"][1]["disposition"] = Value::Null);
    assert!(
        checks[0].0 == "requests" && checks[0].1.contains("requests[1]"),
        "{checks:?}"
    );
}
