//! Every variant survives the wire, and no bytes make the decoder panic. Values come from a small seeded generator, so
//! that a failure names the seed that shows it again.

mod samples;

use understudy_protocol::Message;

use super::*;
use samples::{Dice, messages, packets, service};

#[test]
fn every_variant_survives_the_wire() {
    for seed in 1..200u64 {
        for packet in packets(&mut Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))) {
            let bytes = encode(&packet);
            assert_eq!(decode(&bytes).unwrap(), Decoded::Packet(packet), "seed {seed}");
        }
    }
}

#[test]
fn every_message_has_its_sample() {
    // A new message must be added to the samples above: this counts the names they have.
    let names: std::collections::BTreeSet<_> = messages(&mut Dice(1)).iter().map(Message::name).collect();
    assert_eq!(names.len(), 26, "{names:?}");
}

#[test]
fn damaged_bytes_are_refused_and_never_panic() {
    let mut dice = Dice(42);
    for packet in packets(&mut Dice(7)) {
        let whole = encode(&packet);
        for _ in 0..200 {
            let mut bytes = whole.clone();
            for _ in 0..=dice.roll() % 4 {
                let place = (dice.roll() % bytes.len() as u64) as usize;
                match dice.roll() % 3 {
                    0 => bytes[place] = dice.roll() as u8,
                    1 => bytes.truncate(place.max(1)),
                    _ => bytes.insert(place, dice.roll() as u8),
                }
            }
            let _ = decode(&bytes);
        }
    }
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..dice.roll() % 200).map(|_| dice.roll() as u8).collect();
        assert!(decode(&bytes).is_err(), "random bytes are no frame");
    }
    let deep = format!(
        "{{\"kind\":\"host-view\",\"body\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(
        !matches!(decode(deep.as_bytes()), Ok(Decoded::Packet(_))),
        "a bomb of brackets must not be taken"
    );
}

#[test]
fn what_a_newer_peer_says_is_unknown_not_an_error() {
    let kinds = [
        r#"{"kind":"horoscope","body":{"sign":"leo"}}"#,
        r#"{"kind":"protocol","body":{"service":"redis","envelope":{"from":"beta","store":"00","boot":1,"known":1,"message":{"says":"sing"}}}}"#,
        r#"{"kind":"heartbeat"}"#,
        r#"{"kind":"protocol","body":{"service":"NOT A NAME","envelope":null}}"#,
    ];
    for bytes in kinds {
        assert!(
            matches!(decode(bytes.as_bytes()), Ok(Decoded::Unknown { .. })),
            "{bytes}"
        );
    }
    let grown = r#"{"kind":"heartbeat","body":{"hears_you":true,"load":0.3},"sent_at":12}"#;
    assert_eq!(
        decode(grown.as_bytes()).unwrap(),
        Decoded::Packet(Packet::Heartbeat(Heartbeat { hears_you: true }))
    );
}

#[test]
fn names_and_numbers_are_checked() {
    let envelope = |from: &str, store: &str| {
        let text = format!(
            r#"{{"kind":"protocol","body":{{"service":"redis","envelope":{{"from":"{from}","store":"{store}","boot":1,"known":1,"message":{{"says":"took-over","held":2}}}}}}}}"#
        );
        decode(text.as_bytes()).unwrap()
    };
    let store = "0".repeat(32);
    assert!(matches!(envelope("beta", &store), Decoded::Packet(_)));
    for (from, store) in [
        ("Beta!", store.as_str()),
        ("beta", "12"),
        ("beta", &"+".repeat(32)),
        ("beta", &"é".repeat(16)),
    ] {
        assert!(
            matches!(envelope(from, store), Decoded::Unknown { .. }),
            "{from} {store}"
        );
    }
}

#[test]
fn a_large_compilation_goes_in_pages_that_fit() {
    let mut dice = Dice(3);
    let request = |number: u32, d: &mut Dice| RequestStatus {
        id: format!("request-{number}"),
        resume: Some(vec![0xAB; 60 * 1024]),
        operation: "\"\\\n".repeat(200),
        ..d.request()
    };
    let requests: Vec<_> = (0..40).map(|number| request(number, &mut dice)).collect();
    let round = dice.round();
    let pages = Frame::compilation_pages(&service(), round, requests.clone());
    assert!(pages.len() > 2, "{}", pages.len());
    let mut back = Vec::new();
    for (number, page) in pages.into_iter().enumerate() {
        let bytes = encode(&Packet::Frame(page));
        assert!(bytes.len() <= FRAME_LIMIT as usize, "{}", bytes.len());
        match decode(&bytes).unwrap() {
            Decoded::Packet(Packet::Frame(Frame::CompilationPage { page, requests, .. })) => {
                assert_eq!(page as usize, number);
                back.extend(requests);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(back, requests);
    assert_eq!(
        Frame::compilation_pages(&service(), round, Vec::new()).len(),
        1,
        "an empty compilation is a page too"
    );
}

/// The fuzzer begins with real encodings: of a new message or frame some must be added.
#[test]
fn the_fuzzer_begins_with_every_packet() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds/wire-packet");
    let seeds = std::fs::read_dir(&folder).unwrap();
    let kept: std::collections::BTreeSet<String> = seeds
        .map(|seed| match decode(&std::fs::read(seed.unwrap().path()).unwrap()) {
            Ok(Decoded::Packet(packet)) => name(&packet).to_owned(),
            other => format!("{other:?}"),
        })
        .collect();
    let mut missing = std::collections::BTreeSet::new();
    for (number, packet) in packets(&mut Dice(1)).iter().enumerate() {
        if !kept.contains(name(packet)) {
            missing.insert(name(packet));
            if std::env::var_os("UNDERSTUDY_WRITE_SEEDS").is_some() {
                std::fs::write(folder.join(format!("{}-{number}", name(packet))), encode(packet)).unwrap();
            }
        }
    }
    assert!(
        missing.is_empty(),
        "no seed is a {missing:?}: run this with UNDERSTUDY_WRITE_SEEDS=1, and commit what it adds to {}",
        folder.display()
    );
}

fn name(packet: &Packet) -> &'static str {
    match packet {
        Packet::Greeting(_) => "greeting",
        Packet::Turned(_) => "turned-away",
        Packet::Heartbeat(_) => "heartbeat",
        Packet::Frame(Frame::Protocol { envelope, .. }) => envelope.message.name(),
        Packet::Frame(frame) => frame.kind(),
    }
}

/// What a host of version 1 of the wire format said, each message once: it must be understood for as long as version 1
/// is spoken. Never edit the file: add one for each version.
const VERSION_1: &str = include_str!("tests/version-1.jsonl");

#[test]
fn what_a_host_of_the_version_before_says_is_understood() {
    let mut names = std::collections::BTreeSet::new();
    for line in VERSION_1.lines() {
        match decode(line.as_bytes()).unwrap() {
            Decoded::Packet(Packet::Frame(Frame::Protocol { envelope, .. })) => {
                names.insert(envelope.message.name());
            }
            Decoded::Packet(_) => {}
            Decoded::Unknown { kind, because } => panic!("{kind}: {because}: {line}"),
        }
    }
    assert_eq!(names.len(), 22, "{names:?}");
}

#[test]
fn a_reason_of_a_newer_version_is_still_a_no() {
    use understudy_protocol::{Decline, Refusal};
    let (head, tail) = (
        r#"{"kind":"protocol","body":{"service":"redis","envelope":{"from":"beta","store":"00000000000000000000000000000001","boot":1,"known":1,"message":"#,
        "}}}",
    );
    let round = r#"{"store":"00000000000000000000000000000001","counter":1}"#;
    let declined =
        format!(r#"{head}{{"says":"declined","round":{round},"reason":{{"is":"moon-phase","moon":"full"}}}}{tail}"#);
    let refused = format!(r#"{head}{{"says":"ask-refused","refusal":{{"is":"moon-phase"}}}}{tail}"#);
    let message = |text: &str| match decode(text.as_bytes()).unwrap() {
        Decoded::Packet(Packet::Frame(Frame::Protocol { envelope, .. })) => envelope.message,
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        message(&declined),
        Message::Declined {
            reason: Decline::Unfamiliar,
            ..
        }
    ));
    assert!(matches!(
        message(&refused),
        Message::AskRefused {
            refusal: Refusal::Unfamiliar
        }
    ));
}
