//! One transaction: tables, chains, sets and rules that come and go together.
//!
//! Invariant: nothing is sent here; [`super::Link`] does that.

use std::time::Duration;

use super::attribute::Attributes;
use super::expression::Expression;

/// A transaction in the making.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(super) messages: Vec<Message>,
    sets: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) family: u8,
    pub(super) body: Vec<u8>,
    /// For the error that names it.
    pub(super) what: String,
}

/// Which packets a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Family {
    /// ARP frames.
    Arp,
    /// IPv6 packets.
    Ipv6,
    /// Everything that comes in on one interface, before the rest of the host sees it.
    Netdev,
}

/// A table's family and name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) family: Family,
    pub(crate) table: String,
}

/// Where a chain is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook<'a> {
    /// By frames that come in on the interface, at a priority: lower is earlier.
    Ingress(&'a str, i32),
    /// By what is for this host.
    Input,
    /// By what this host sends.
    Output,
    /// By rules of other chains only.
    None,
}

/// A part of a set's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyPart {
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A port.
    Port,
}

/// A set that rules fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Set<'a> {
    pub(crate) name: &'a str,
    pub(crate) key: &'a [KeyPart],
    pub(crate) size: u32,
    /// How long an element stays after it was seen last.
    pub(crate) timeout: Duration,
}

impl Place {
    pub(crate) fn new(family: Family, table: impl Into<String>) -> Self {
        Place {
            family,
            table: table.into(),
        }
    }
}

impl Batch {
    pub(crate) fn new() -> Self {
        Batch::default()
    }

    /// An empty table, whatever was in it; `comment` says to people and to the next daemon what it is for.
    pub(crate) fn fresh_table(&mut self, place: &Place, comment: &str) -> &mut Self {
        self.no_table(place);
        self.table(place, Some(comment))
    }

    /// No such table, whether there was one or not: naming it first makes that deleting can't fail.
    pub(crate) fn no_table(&mut self, place: &Place) -> &mut Self {
        self.table(place, None);
        let body = Attributes::new().text(1, &place.table);
        self.push(DELETE_TABLE, 0, place, body, "the removal of the table")
    }

    pub(crate) fn chain(&mut self, place: &Place, name: &str, hook: Hook<'_>) -> &mut Self {
        let mut body = Attributes::new().text(1, &place.table).text(3, name);
        let (number, priority, interface) = match hook {
            Hook::None => return self.push(NEW_CHAIN, CREATE, place, body, "a chain"),
            Hook::Ingress(interface, priority) => (0, priority, Some(interface)),
            Hook::Input if place.family == Family::Arp => (0, 0, None),
            Hook::Output if place.family == Family::Arp => (1, 0, None),
            Hook::Input => (1, 0, None),
            Hook::Output => (3, 0, None),
        };
        let mut called = Attributes::new()
            .number(1, number)
            .bytes(2, &i32::to_be_bytes(priority));
        if let Some(interface) = interface {
            called = called.text(3, interface);
        }
        body = body.nested(4, called).number(5, POLICY_ACCEPT).text(7, "filter");
        self.push(NEW_CHAIN, CREATE, place, body, "a chain at a hook")
    }

    pub(crate) fn set(&mut self, place: &Place, set: Set<'_>) -> &mut Self {
        self.sets += 1;
        let kind = set.key.iter().fold(0, |kind, part| kind << 6 | part.kind());
        let length = set.key.iter().map(|part| part.length()).sum();
        let milliseconds = u64::try_from(set.timeout.as_millis()).unwrap_or(u64::MAX);
        let body = Attributes::new()
            .text(1, &place.table)
            .text(2, set.name)
            .number(3, FILLED_BY_RULES | WITH_TIMEOUT)
            .number(4, kind)
            .number(5, length)
            .nested(9, Attributes::new().number(1, set.size))
            .number(10, self.sets)
            .number64(11, milliseconds);
        self.push(NEW_SET, CREATE, place, body, "a set that rules fill")
    }

    /// Appends a rule.
    pub(crate) fn rule(&mut self, place: &Place, chain: &str, parts: &[Vec<Expression>]) -> &mut Self {
        let expressions = parts
            .iter()
            .flatten()
            .fold(Attributes::new(), |all, one| all.nested(1, one.encode()));
        let body = Attributes::new()
            .text(1, &place.table)
            .text(2, chain)
            .nested(4, expressions);
        self.push(NEW_RULE, CREATE | APPEND, place, body, "a rule")
    }

    /// Takes all rules out of a chain.
    pub(crate) fn flush(&mut self, place: &Place, chain: &str) -> &mut Self {
        let body = Attributes::new().text(1, &place.table).text(2, chain);
        self.push(DELETE_RULE, 0, place, body, "the removal of rules")
    }

    fn table(&mut self, place: &Place, comment: Option<&str>) -> &mut Self {
        let mut body = Attributes::new().text(1, &place.table);
        if let Some(comment) = comment {
            body = body.bytes(6, &comment_bytes(comment));
        }
        self.push(NEW_TABLE, CREATE, place, body, "the table")
    }

    fn push(&mut self, kind: u16, flags: u16, place: &Place, body: Attributes, what: &str) -> &mut Self {
        self.messages.push(Message {
            kind,
            flags,
            family: place.family.number(),
            body: body.into_bytes(),
            what: format!("{what} in {} {}", place.family.name(), place.table),
        });
        self
    }
}

impl Family {
    pub(super) fn number(self) -> u8 {
        match self {
            Family::Arp => 3,
            Family::Netdev => 5,
            Family::Ipv6 => 10,
        }
    }

    pub(super) fn of_number(number: u8) -> Option<Self> {
        [Family::Arp, Family::Netdev, Family::Ipv6]
            .into_iter()
            .find(|family| family.number() == number)
    }

    /// As the program `nft` calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Arp => "arp",
            Family::Netdev => "netdev",
            Family::Ipv6 => "ip6",
        }
    }
}

impl KeyPart {
    /// The number by which the program `nft` knows how to print it.
    fn kind(self) -> u32 {
        match self {
            KeyPart::Ipv4 => 7,
            KeyPart::Ipv6 => 8,
            KeyPart::Port => 13,
        }
    }

    /// In whole registers.
    fn length(self) -> u32 {
        match self {
            KeyPart::Ipv4 | KeyPart::Port => 4,
            KeyPart::Ipv6 => 16,
        }
    }
}

/// As the program `nft` keeps a table's comment: a kind, a length, a text with its zero.
fn comment_bytes(comment: &str) -> Vec<u8> {
    let mut text: String = comment.to_owned();
    while text.len() > LONGEST_COMMENT {
        text.pop();
    }
    let length = u8::try_from(text.len() + 1).unwrap_or(u8::MAX);
    [&[COMMENT, length], text.as_bytes(), &[0]].concat()
}

/// The comment in what the kernel keeps with a table for its owner.
pub(super) fn comment_of(userdata: &[u8]) -> Option<String> {
    let (head, text) = userdata.split_at_checked(2)?;
    (head[0] == COMMENT).then(|| super::attribute::text(text))
}

pub(super) const NEW_TABLE: u16 = 0;
const DELETE_TABLE: u16 = 2;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const DELETE_RULE: u16 = 8;
const NEW_SET: u16 = 9;
/// `NLM_F_CREATE` and `NLM_F_APPEND`.
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;
const POLICY_ACCEPT: u32 = 1;
/// `NFT_SET_EVAL` and `NFT_SET_TIMEOUT`.
const FILLED_BY_RULES: u32 = 0x20;
const WITH_TIMEOUT: u32 = 0x10;
const COMMENT: u8 = 0;
/// The kernel keeps 256 bytes; the program `nft` shows 128 of them.
const LONGEST_COMMENT: usize = 127;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_kept_and_cut_between_characters() {
        assert_eq!(comment_of(&comment_bytes("web holds")).as_deref(), Some("web holds"));
        let long = "ä".repeat(200);
        let kept = comment_of(&comment_bytes(&long)).unwrap();
        assert_eq!(kept, "ä".repeat(63));
        assert_eq!(comment_of(&[]), None);
        assert_eq!(comment_of(&[7, 1, 0]), None);
    }

    #[test]
    fn a_failing_message_can_be_named() {
        let mut batch = Batch::new();
        let place = Place::new(Family::Netdev, "us_hold_web");
        batch.fresh_table(&place, "x").chain(&place, "in", Hook::None);
        let names: Vec<_> = batch.messages.iter().map(|message| message.what.as_str()).collect();
        assert_eq!(names.last(), Some(&"a chain in netdev us_hold_web"));
    }
}
