//! Chance damage to texts and JSON, the same from the same seed: for tests that what is read never panics.
//!
//! The decoders of `host/wire` and `host/store` have a fuzzer (`tests/fuzz`). What is read here in the daemon can't have
//! one without building the plugins' compiler with its instruments; this is blind, and many throws make up for it.

use serde_json::{Value, json};

/// Throws from a seed (SplitMix64).
pub(crate) struct Damage(pub(crate) u64);

impl Damage {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % bound.max(1) as u64).unwrap()
    }

    /// The text with some pieces lost, doubled, put elsewhere or replaced by what may mean something.
    pub(crate) fn text(&mut self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        for _ in 0..=self.below(3) {
            let (from, to) = (self.below(letters.len() + 1), self.below(letters.len() + 1));
            let piece = letters
                .get(from..(from + self.below(24)).min(letters.len()))
                .unwrap_or_default()
                .to_vec();
            match self.below(4) {
                0 => drop(letters.drain(from..(from + piece.len()))),
                1 => drop(letters.splice(to..to, piece)),
                _ => {
                    let word = WORDS[self.below(WORDS.len())];
                    letters.splice(from..(from + self.below(8)).min(letters.len()), word.chars());
                }
            }
        }
        letters.into_iter().collect()
    }

    /// One place in it, any, becomes something else, goes away, or takes what stands elsewhere.
    pub(crate) fn json(&mut self, value: &mut Value) {
        let mut places = Vec::new();
        pointers(value, String::new(), &mut places);
        let elsewhere = value.pointer(&places[self.below(places.len())]).unwrap().clone();
        let place = value.pointer_mut(&places[self.below(places.len())]).unwrap();
        match (self.below(4), place) {
            (0, Value::Object(map)) => {
                let key = map.keys().nth(self.below(map.len())).cloned();
                key.and_then(|key| map.remove(&key));
            }
            (0, Value::Array(items)) if !items.is_empty() => drop(items.remove(self.below(items.len()))),
            (1, Value::Array(items)) if items.len() > 1 => {
                let (one, other) = (self.below(items.len()), self.below(items.len()));
                items.swap(one, other);
            }
            (2, place) => *place = elsewhere,
            (_, place) => {
                *place = match self.below(10) {
                    0 => json!(u64::MAX),
                    1 => json!(i64::MIN),
                    2 => json!(i64::MAX),
                    3 => json!(-1),
                    4 => json!(0),
                    5 => json!(null),
                    6 => json!([]),
                    7 => json!({}),
                    8 => json!(true),
                    _ => json!(WORDS[self.below(WORDS.len())]),
                }
            }
        }
    }
}

fn pointers(value: &Value, path: String, all: &mut Vec<String>) {
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| pointers(value, format!("{path}/{key}"), all)),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.for_each(|(place, value)| pointers(value, format!("{path}/{place}"), all));
        }
        _ => {}
    }
    all.push(path);
}

/// Signs, and edges of numbers, names and times.
const WORDS: [&str; 28] = [
    "",
    "\"",
    "'",
    "\\",
    "\n",
    "[",
    "]]",
    "[[",
    "{",
    "}",
    "=",
    ".",
    ",",
    "#",
    "\0",
    "é",
    "\u{10ffff}",
    "-",
    "0",
    "18446744073709551615",
    "99999999999999999999",
    "-9223372036854775808",
    "1e999",
    "nan",
    "100000000y",
    "5s",
    "::1",
    "forced-web-18446744073709551615",
];
