//! Single values: each function says what it wants, and a refusal says how to write it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;
use understudy_protocol::{HostName, ServiceName};

use super::suggest::nearest;

/// Why a value is not what it should be.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) message: String,
    pub(super) mend: Option<String>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Wrong {
            message: message.into(),
            mend: None,
        }
    }

    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    /// Another kind of value was written.
    pub(super) fn kind(wanted: &str, value: &DeValue<'_>) -> Self {
        let kind = match value {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Wrong::new(format!("this must be {wanted}, and it is {kind}"))
    }
}

/// A text that is not empty.
pub(super) fn text(value: &DeValue<'_>) -> Result<String, Wrong> {
    match value.as_str() {
        Some("") => Err(Wrong::new("this is empty")),
        Some(text) => Ok(text.to_owned()),
        None => Err(Wrong::kind("a text in quotes", value)),
    }
}

/// True or false.
pub(super) fn flag(value: &DeValue<'_>) -> Result<bool, Wrong> {
    value.as_bool().ok_or_else(|| Wrong::kind("true or false", value))
}

/// A host's name.
pub(super) fn host(value: &DeValue<'_>) -> Result<HostName, Wrong> {
    HostName::new(&text(value)?).map_err(|error| Wrong::new(error.to_string()))
}

/// A service's name.
pub(super) fn service(value: &DeValue<'_>) -> Result<ServiceName, Wrong> {
    ServiceName::new(&text(value)?).map_err(|error| Wrong::new(error.to_string()))
}

/// One of some words.
pub(super) fn word<T: Copy>(words: &[(&'static str, T)]) -> impl Fn(&DeValue<'_>) -> Result<T, Wrong> {
    move |value| {
        let text = text(value)?;
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meant);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let wrong = Wrong::new(format!("{text:?} is none of {}", quoted(&known)));
        Err(match nearest(&text, &known) {
            Some(near) => wrong.mend(format!("did you mean \"{near}\"?")),
            None => wrong,
        })
    }
}

/// A whole number between two bounds.
pub(super) fn number(least: u32, most: u32) -> impl Fn(&DeValue<'_>) -> Result<u32, Wrong> + Copy {
    move |value| {
        let DeValue::Integer(integer) = value else {
            return Err(Wrong::kind("a whole number", value));
        };
        let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok();
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| Wrong::new(format!("this must be between {least} and {most}")))
    }
}

/// A port.
pub(super) fn port(value: &DeValue<'_>) -> Result<u16, Wrong> {
    let number = number(1, u32::from(u16::MAX))(value)?;
    u16::try_from(number).map_err(|_| Wrong::new("this is no port"))
}

/// A length of time like `500ms`, `10s`, `2m` or `1h`: not zero, and not longer than a year.
pub(super) fn duration(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    match pause(value)? {
        Duration::ZERO => Err(Wrong::new("this must be longer than nothing").mend(TIME_HOW)),
        duration => Ok(duration),
    }
}

/// As [`duration`], or `0s`.
pub(super) fn pause(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    let Some(text) = value.as_str() else {
        return Err(Wrong::kind("a length of time in quotes", value).mend(TIME_HOW));
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms: Option<u64> = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let milliseconds = digits
        .parse::<u64>()
        .ok()
        .zip(unit_ms)
        .and_then(|(number, unit)| number.checked_mul(unit));
    match milliseconds {
        None => Err(Wrong::new(format!("{text:?} is no length of time")).mend(TIME_HOW)),
        Some(ms) if ms > YEAR_MS => Err(Wrong::new(format!("{text:?} is longer than a year")).mend(TIME_HOW)),
        Some(ms) => Ok(Duration::from_millis(ms)),
    }
}

/// A length of time in days, or shorter, that may be many years.
pub(super) fn age(value: &DeValue<'_>) -> Result<Duration, Wrong> {
    let how = "write a number of days, like \"90d\", or hours, like \"12h\"";
    let Some(text) = value.as_str() else {
        return Err(Wrong::kind("a length of time in quotes", value).mend(how));
    };
    let hours = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(days), _) => days.parse::<u64>().ok().and_then(|days| days.checked_mul(24)),
        (_, Some(hours)) => hours.parse().ok(),
        _ => None,
    };
    match hours.filter(|hours| (1..=AGE_HOURS).contains(hours)) {
        Some(hours) => Ok(Duration::from_secs(hours * 3600)),
        None => Err(Wrong::new(format!("{text:?} is no age of records")).mend(how)),
    }
}

/// An absolute path.
pub(super) fn path(value: &DeValue<'_>) -> Result<PathBuf, Wrong> {
    let path = PathBuf::from(text(value)?);
    if path.is_absolute() {
        return Ok(path);
    }
    Err(
        Wrong::new(format!("{:?} is not an absolute path", path.display().to_string()))
            .mend("the daemon may be started anywhere: begin the path with /"),
    )
}

/// An address and a port to listen on or connect to.
pub(super) fn socket(value: &DeValue<'_>) -> Result<SocketAddr, Wrong> {
    let text = text(value)?;
    let how = "write an address and a port, like \"127.0.0.1:7420\" or \"[::1]:7420\"";
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => Err(Wrong::new("port 0 is no port that others could know").mend(how)),
        Ok(address) => Ok(address),
        Err(_) => Err(Wrong::new(format!("{text:?} is no address with a port")).mend(how)),
    }
}

/// `host:port`, where the host may be a name.
pub(super) fn host_port(value: &DeValue<'_>) -> Result<String, Wrong> {
    let text = text(value)?;
    let fits = text.rsplit_once(':').is_some_and(|(host, port)| {
        let port_fits = port.parse::<u16>().is_ok_and(|port| port != 0);
        let bracketed = host.starts_with('[') && host.ends_with(']') && text.parse::<SocketAddr>().is_ok();
        let plain = !host.is_empty() && !host.contains([':', '[', ']', '/', ' ']);
        port_fits && (bracketed || plain)
    });
    if fits {
        return Ok(text);
    }
    Err(Wrong::new(format!("{text:?} is no host with a port"))
        .mend("write a name or an address with a port, like \"db.example:5432\", \"192.0.2.2:7421\" or \"[2001:db8::2]:7421\""))
}

/// Addresses without a port.
pub(super) fn addresses(value: &DeValue<'_>) -> Result<Vec<IpAddr>, Wrong> {
    let how = "write [\"192.0.2.2\", \"2001:db8::2\"]";
    let Some(items) = value.as_array() else {
        return Err(Wrong::kind("a list of addresses", value).mend(how));
    };
    let parsed = items
        .iter()
        .map(|item| item.get_ref().as_str().and_then(|text| text.parse().ok()));
    parsed
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Wrong::new("not all of these are addresses").mend(how))
}

/// A program and its arguments, the program with its absolute path.
pub(super) fn argv(value: &DeValue<'_>) -> Result<Vec<String>, Wrong> {
    let how = "write argv = [\"/usr/bin/systemctl\", \"start\", \"redis\"]; there is no shell";
    let Some(items) = value.as_array() else {
        return Err(Wrong::kind("a list of texts", value).mend(how));
    };
    let argv: Option<Vec<String>> = items
        .iter()
        .map(|item| item.get_ref().as_str().map(str::to_owned))
        .collect();
    match argv {
        None => Err(Wrong::new("every argument must be a text in quotes").mend(how)),
        Some(argv) if !argv.first().is_some_and(|program| program.starts_with('/')) => {
            Err(Wrong::new("this must begin with the program's absolute path").mend(how))
        }
        Some(argv) => Ok(argv),
    }
}

/// Anything that JSON can say, for a plugin's own configuration.
pub(super) fn json(value: &DeValue<'_>) -> Result<serde_json::Value, Wrong> {
    use serde_json::Value;
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(date) => Value::from(date.to_string()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map(Value::from)
            .map_err(|_| Wrong::new(format!("{} is too large", integer.as_str())))?,
        DeValue::Float(float) => float
            .as_str()
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number)
            .ok_or_else(|| Wrong::new(format!("{} can't be given to a plugin", float.as_str())))?,
        DeValue::Array(items) => items
            .iter()
            .map(|item| json(item.get_ref()))
            .collect::<Result<_, _>>()?,
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| Ok((key.get_ref().to_string(), json(value.get_ref())?)))
            .collect::<Result<serde_json::Map<_, _>, Wrong>>()
            .map(Value::Object)?,
    })
}

/// Words in quotes, with commas.
pub(super) fn quoted(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("\"{word}\""))
        .collect::<Vec<_>>()
        .join(", ")
}

const TIME_HOW: &str = "write a number with a unit: \"500ms\", \"10s\", \"2m\" or \"1h\"";
/// A century.
const AGE_HOURS: u64 = 100 * 365 * 24;
const YEAR_MS: u64 = 365 * 24 * 3_600_000;
