//! What happened, as lines: hashed always, kept where somebody will read them.

/// The trace of one run.
pub(super) struct Trace {
    hash: u64,
    kept: Option<Vec<String>>,
}

impl Trace {
    pub(super) fn new(keep: bool) -> Trace {
        Trace {
            hash: 0xCBF2_9CE4_8422_2325,
            kept: keep.then(Vec::new),
        }
    }

    /// FNV-1a over every line; what is not kept is hashed all the same.
    pub(super) fn line(&mut self, at_ms: u64, who: &str, what: std::fmt::Arguments<'_>) {
        let line = format!("{:>7}.{:03} {who:<6} {what}", at_ms / 1000, at_ms % 1000);
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(line);
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn lines(&self) -> &[String] {
        self.kept.as_deref().unwrap_or_default()
    }
}
