//! The exact bytes that are signed: JSON in the one form that RFC 8785 gives it, for the values that occur here.
//!
//! No white space; the keys of an object in the order of their bytes; strings with the shortest escapes; numbers are
//! whole and written in decimal, however large. A document with the same key twice in one object is refused, so that no
//! two readers can see different things in it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The canonical bytes.
///
/// # Errors
/// Where a number is not whole: such a value is never signed.
pub(super) fn canonical(value: &Value) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    write(value, &mut bytes)?;
    Ok(bytes)
}

/// Reads a document, and refuses one that says something twice.
///
/// # Errors
/// What is wrong, with line and column.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str::<Once>(text)
        .map(|once| once.0)
        .map_err(|error| error.to_string())
}

fn write(value: &Value, bytes: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            bytes.push(b'{');
            for (place, key) in keys.into_iter().enumerate() {
                if place > 0 {
                    bytes.push(b',');
                }
                bytes.extend(Value::String(key.clone()).to_string().into_bytes());
                bytes.push(b':');
                write(&map[key], bytes)?;
            }
            bytes.push(b'}');
        }
        Value::Array(items) => {
            bytes.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    bytes.push(b',');
                }
                write(item, bytes)?;
            }
            bytes.push(b']');
        }
        Value::Number(number) if number.is_f64() => return Err(format!("{number} is not a whole number")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            bytes.extend(value.to_string().into_bytes());
        }
    }
    Ok(())
}

/// A value in which no key is said twice.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Once)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Once(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Once(value))) = entries.next_entry::<String, Once>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("{key:?} is said twice in one object")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_the_one_of_rfc_8785() {
        let value = parse("{ \"b\" : [1, -2, null, true], \"a\": \"x\\u0000\\n\\u001f\\\"\\\\/ü\\u007f\", \"B\": {} }")
            .unwrap();
        let text = String::from_utf8(canonical(&value).unwrap()).unwrap();
        assert_eq!(
            text,
            "{\"B\":{},\"a\":\"x\\u0000\\n\\u001f\\\"\\\\/ü\u{7f}\",\"b\":[1,-2,null,true]}"
        );
        assert_eq!(canonical(&parse(&text).unwrap()).unwrap(), text.as_bytes());
        assert_eq!(
            canonical(&parse("18446744073709551615").unwrap()).unwrap(),
            b"18446744073709551615"
        );
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        assert!(canonical(&parse("[1.5]").unwrap()).is_err());
        let twice = parse("{\"a\": {\"x\": 1, \"x\": 2}}").unwrap_err();
        assert!(twice.contains("\"x\" is said twice"), "{twice}");
    }
}
