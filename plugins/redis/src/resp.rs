//! The bytes of Redis' protocol (RESP2): how a command is written, how an answer is read. Knows no connection.

/// An answer may nest no deeper: Redis' own never do, and a parser that recurses must end.
const MAX_DEPTH: u8 = 8;
/// No single value of what this plugin asks for is longer (`CLIENT LIST` of 100,000 clients is about 35 MB).
const MAX_BULK: usize = 64 << 20;

/// One value of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    Array(Option<Vec<Value>>),
}

impl Value {
    /// What it says, where it is text.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Simple(text) => Some(text.clone()),
            Self::Bulk(Some(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Error(_) | Self::Bulk(None) | Self::Array(_) => None,
        }
    }
}

/// These bytes are not the protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotRedis(pub(crate) String);

/// A command and its arguments.
pub(crate) fn encode(command: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", command.len()).into_bytes();
    for argument in command {
        bytes.extend_from_slice(format!("${}\r\n{argument}\r\n", argument.len()).as_bytes());
    }
    bytes
}

/// The first whole value in `bytes` and how many of them it takes; none where some are still to come.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Value, usize)>, NotRedis> {
    value(bytes, 0, MAX_DEPTH)
}

fn value(bytes: &[u8], at: usize, depth: u8) -> Result<Option<(Value, usize)>, NotRedis> {
    let Some((line, next)) = line(bytes, at)? else {
        return Ok(None);
    };
    let Some((&kind, rest)) = line.split_first() else {
        return Err(NotRedis("an empty line".into()));
    };
    let text = || String::from_utf8_lossy(rest).into_owned();
    match kind {
        b'+' => Ok(Some((Value::Simple(text()), next))),
        b'-' => Ok(Some((Value::Error(text()), next))),
        b':' => Ok(Some((Value::Integer(number(rest)?), next))),
        b'$' => bulk(bytes, next, number(rest)?),
        b'*' if depth > 0 => array(bytes, next, number(rest)?, depth - 1),
        _ => Err(NotRedis(format!("an answer that begins with byte {kind}"))),
    }
}

/// Lines of the protocol are short; a longer one is something else's.
const MAX_LINE: usize = 64 * 1024;

fn line(bytes: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, NotRedis> {
    let rest = bytes.get(at..).unwrap_or_default();
    match rest.windows(2).take(MAX_LINE).position(|pair| pair == b"\r\n") {
        Some(end) => Ok(Some((&rest[..end], at + end + 2))),
        None if rest.len() > MAX_LINE => Err(NotRedis(format!("a line of more than {MAX_LINE} bytes"))),
        None => Ok(None),
    }
}

fn number(text: &[u8]) -> Result<i64, NotRedis> {
    std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| NotRedis(format!("`{}` where a number was due", String::from_utf8_lossy(text))))
}

fn bulk(bytes: &[u8], at: usize, length: i64) -> Result<Option<(Value, usize)>, NotRedis> {
    if length == -1 {
        return Ok(Some((Value::Bulk(None), at)));
    }
    let length = usize::try_from(length).ok().filter(|&length| length <= MAX_BULK);
    let length = length.ok_or_else(|| NotRedis("a value of an impossible length".into()))?;
    let Some(content) = bytes.get(at..at + length + 2) else {
        return Ok(None);
    };
    match content.strip_suffix(b"\r\n") {
        Some(content) => Ok(Some((Value::Bulk(Some(content.to_vec())), at + length + 2))),
        None => Err(NotRedis("a value that does not end where it should".into())),
    }
}

fn array(bytes: &[u8], mut at: usize, length: i64, depth: u8) -> Result<Option<(Value, usize)>, NotRedis> {
    if length == -1 {
        return Ok(Some((Value::Array(None), at)));
    }
    let length = usize::try_from(length).map_err(|_| NotRedis("a list of an impossible length".into()))?;
    let mut items = Vec::new();
    for _ in 0..length {
        let Some((item, next)) = value(bytes, at, depth)? else {
            return Ok(None);
        };
        items.push(item);
        at = next;
    }
    Ok(Some((Value::Array(Some(items)), at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Value {
        let (value, taken) = parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(taken, text.len());
        value
    }

    #[test]
    fn a_command_is_written() {
        assert_eq!(encode(&["CLIENT", "LIST"]), b"*2\r\n$6\r\nCLIENT\r\n$4\r\nLIST\r\n");
    }

    #[test]
    fn every_kind_is_read() {
        assert_eq!(whole("+OK\r\n"), Value::Simple("OK".into()));
        assert_eq!(whole("-ERR no\r\n"), Value::Error("ERR no".into()));
        assert_eq!(whole(":-7\r\n"), Value::Integer(-7));
        assert_eq!(whole("$4\r\na\r\nb\r\n"), Value::Bulk(Some(b"a\r\nb".to_vec())));
        assert_eq!(whole("$-1\r\n"), Value::Bulk(None));
        assert_eq!(whole("*-1\r\n"), Value::Array(None));
        let expected = vec![Value::Integer(1), Value::Array(Some(vec![Value::Simple("x".into())]))];
        assert_eq!(whole("*2\r\n:1\r\n*1\r\n+x\r\n"), Value::Array(Some(expected)));
    }

    #[test]
    fn a_value_cut_anywhere_is_waited_for() {
        let answer = b"*3\r\n$3\r\nabc\r\n:12\r\n*1\r\n+ok\r\n";
        for end in 0..answer.len() {
            assert_eq!(parse(&answer[..end]), Ok(None), "cut at {end}");
        }
        assert!(parse(answer).unwrap().is_some());
    }

    #[test]
    fn what_follows_is_left_alone() {
        assert_eq!(parse(b"+a\r\n+b\r\n").unwrap().unwrap(), (Value::Simple("a".into()), 4));
    }

    #[test]
    fn nonsense_is_refused_and_ends() {
        for nonsense in [
            "HTTP/1.1 200 OK\r\n",
            "$x\r\n",
            "$-5\r\n",
            "$99999999999\r\n",
            ":\r\n",
            "\r\n",
            "$1\r\nabcd",
        ] {
            assert!(parse(nonsense.as_bytes()).is_err(), "{nonsense:?}");
        }
        assert!(parse("*1\r\n".repeat(50).as_bytes()).is_err(), "too deep");
        assert!(parse(&[b'+'; MAX_LINE + 2]).is_err(), "a line without end");
    }
}
