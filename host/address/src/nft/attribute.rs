//! Netlink attributes: a length, a number, a value, padded to four bytes; some hold further attributes.

/// A sequence of attributes in the making.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Attributes {
    bytes: Vec<u8>,
}

impl Attributes {
    pub(super) fn new() -> Self {
        Attributes::default()
    }

    pub(super) fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
        self.bytes.extend(length.to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
        self
    }

    /// A text with its closing zero.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        self.bytes(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// nftables writes its numbers in network order.
    pub(super) fn number(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn number64(self, kind: u16, value: u64) -> Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(super) fn nested(self, kind: u16, value: Attributes) -> Self {
        self.bytes(kind | NESTED, &value.bytes)
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The attributes in bytes of the kernel; ends where they make no sense.
pub(super) fn read(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let (head, _) = bytes.split_at_checked(HEADER)?;
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let kind = u16::from_ne_bytes([head[2], head[3]]) & KIND;
        let value = bytes.get(HEADER..length)?;
        bytes = bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The first attribute of a number.
pub(super) fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    read(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// A text that ends at its zero.
pub(super) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

const HEADER: usize = 4;
const ALIGNMENT: usize = 4;
const NESTED: u16 = 0x8000;
/// Without the flags.
const KIND: u16 = 0x3fff;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let inner = Attributes::new().text(3, "abcd").number(4, 7);
        let bytes = Attributes::new()
            .bytes(1, &[9])
            .nested(2, inner)
            .number64(5, 1)
            .into_bytes();
        assert_eq!(bytes.len() % ALIGNMENT, 0);
        assert_eq!(find(&bytes, 1), Some(&[9][..]));
        let inner = find(&bytes, 2).unwrap();
        assert_eq!(text(find(inner, 3).unwrap()), "abcd");
        assert_eq!(find(inner, 4), Some(&[0, 0, 0, 7][..]));
        assert_eq!(find(&bytes, 5), Some(&[0, 0, 0, 0, 0, 0, 0, 1][..]));
        for cut in 0..bytes.len() {
            let _ = read(&bytes[..cut]).count();
        }
    }
}
