//! What `stub_status` says. Pure.

/// The page of `stub_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StatusPage {
    pub(crate) active: u64,
    /// Connections accepted since the start, and those that could be served: the difference was dropped.
    pub(crate) accepts: u64,
    pub(crate) handled: u64,
    pub(crate) requests: u64,
    /// Requests whose header is being read.
    pub(crate) reading: u64,
    /// Requests that are being worked on or answered, this one included.
    pub(crate) writing: u64,
    /// Connections that are kept alive.
    pub(crate) waiting: u64,
}

impl StatusPage {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let active = lines.next()?.strip_prefix("Active connections:")?.trim().parse().ok()?;
        let counts: Vec<u64> = lines
            .nth(1)?
            .split_whitespace()
            .map_while(|word| word.parse().ok())
            .collect();
        let [accepts, handled, requests] = counts[..] else {
            return None;
        };
        let words: Vec<&str> = lines.next()?.split_whitespace().collect();
        let named = |name: &str| {
            let at = words.iter().position(|word| word.strip_suffix(':') == Some(name))?;
            words.get(at + 1)?.parse().ok()
        };
        Some(Self {
            active,
            accepts,
            handled,
            requests,
            reading: named("Reading")?,
            writing: named("Writing")?,
            waiting: named("Waiting")?,
        })
    }

    /// Requests under way, without the one that asked for this page.
    pub(crate) fn under_way(&self) -> u64 {
        (self.reading + self.writing).saturating_sub(1)
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.accepts.saturating_sub(self.handled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "Active connections: 291 \nserver accepts handled requests\n 16630948 16630946 31070465 \n\
        Reading: 6 Writing: 179 Waiting: 106 \n";

    #[test]
    fn the_page_is_read() {
        let page = StatusPage::parse(PAGE).unwrap();
        assert_eq!((page.active, page.requests, page.waiting), (291, 31_070_465, 106));
        assert_eq!(page.under_way(), 184, "without our own");
        assert_eq!(page.dropped(), 2);
    }

    #[test]
    fn another_page_is_not_taken_for_it() {
        for other in [
            "",
            "<html>hello</html>",
            "Active connections: x\n\n 1 2 3\n",
            "Active connections: 1\nx\n1 2\nReading: 1",
        ] {
            assert_eq!(StatusPage::parse(other), None, "{other:?}");
        }
    }
}
