//! What Redis says of itself in `INFO`. Knows no connection.

/// The answer to `INFO`: what is missing in it (an old or a new version) is none, never a guess.
///
/// Kept as it came: of its two hundred lines some twenty are looked at, and to find those is cheaper than to copy all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Info {
    text: String,
    lines: Vec<Line>,
}

/// Where `key:value` lies in the text.
#[derive(Debug, Clone)]
struct Line {
    begin: usize,
    colon: usize,
    end: usize,
}

/// A replica as its master sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replica {
    pub(crate) ip: String,
    pub(crate) port: u16,
    /// `online` once the first copy is through.
    pub(crate) online: bool,
    /// The last offset that it acknowledged; it does so once a second.
    pub(crate) offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Master,
    Replica,
}

impl Info {
    pub(crate) fn parse(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut lines = Vec::with_capacity(USUAL_LINES);
        let mut begin = 0;
        for line in text.split_inclusive('\n') {
            if let Some(colon) = line.find(':').filter(|_| !line.starts_with('#')) {
                lines.push(Line {
                    begin,
                    colon: begin + colon,
                    end: begin + line.trim_end().len(),
                });
            }
            begin += line.len();
        }
        Self { text, lines }
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        // The length first: it alone tells most keys apart.
        let is_it =
            |line: &&Line| line.colon - line.begin == key.len() && self.text.get(line.begin..line.colon) == Some(key);
        let line = self.lines.iter().find(is_it)?;
        self.text.get(line.colon + 1..line.end)
    }

    pub(crate) fn number(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok()
    }

    pub(crate) fn count(&self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok()
    }

    pub(crate) fn flag(&self, key: &str) -> bool {
        self.number(key) == Some(1)
    }

    pub(crate) fn role(&self) -> Option<Role> {
        match self.text("role")? {
            "master" => Some(Role::Master),
            "slave" | "replica" => Some(Role::Replica),
            _ => None,
        }
    }

    /// Whether the data is still being read, from disk or from a master.
    pub(crate) fn is_loading(&self) -> bool {
        self.flag("loading") || self.flag("async_loading")
    }

    /// How much of the data has been read, for people.
    pub(crate) fn loaded(&self) -> String {
        self.text("loading_loaded_perc")
            .map_or_else(|| "some".into(), |percent| format!("{percent} %"))
    }

    /// The end of the stream of writes: a master's own, a replica's of what it has processed.
    pub(crate) fn offset(&self) -> Option<u64> {
        match self.role()? {
            Role::Master => self.count("master_repl_offset"),
            Role::Replica => self.count("slave_repl_offset"),
        }
    }

    pub(crate) fn is_link_up(&self) -> bool {
        self.text("master_link_status") == Some("up")
    }

    /// Whether this replica's copy was complete at some time since its process started.
    pub(crate) fn was_ever_linked(&self) -> bool {
        self.is_link_up()
            || self
                .number("master_link_down_since_seconds")
                .is_some_and(|seconds| seconds >= 0)
    }

    pub(crate) fn master(&self) -> Option<(&str, u16)> {
        Some((self.text("master_host")?, self.text("master_port")?.parse().ok()?))
    }

    pub(crate) fn replicas(&self) -> Vec<Replica> {
        (0..)
            .map_while(|index| self.text(&format!("slave{index}")))
            .filter_map(replica)
            .collect()
    }

    /// Which of the ways to keep the data have failed at last, in Redis' own words. Empty when none has.
    pub(crate) fn persistence_failures(&self) -> Vec<(&'static str, &str)> {
        [
            "rdb_last_bgsave_status",
            "aof_last_write_status",
            "aof_last_bgrewrite_status",
        ]
        .into_iter()
        .filter_map(|key| Some((key, self.text(key)?)))
        .filter(|(key, value)| *value != "ok" && (key.starts_with("rdb") || self.flag("aof_enabled")))
        .collect()
    }
}

/// `ip=10.0.0.2,port=6379,state=online,offset=123,lag=0`
fn replica(text: &str) -> Option<Replica> {
    let field = |name: &str| {
        text.split(',')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    Some(Replica {
        ip: field("ip")?.to_owned(),
        port: field("port")?.parse().ok()?,
        online: field("state") == Some("online"),
        offset: field("offset")?.parse().ok()?,
    })
}

/// A Redis 7 has about this many.
const USUAL_LINES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_is_read() {
        let info = Info::parse(
            "# Replication\r\nrole:master\r\nconnected_slaves:2\r\nslave0:ip=10.0.0.2,port=6380,state=online,offset=90,lag=0\r\n\
             slave1:ip=::1,port=6381,state=wait_bgsave,offset=0,lag=0\r\nmaster_repl_offset:100\r\n\r\nloading:0\r\n",
        );
        assert_eq!(info.role(), Some(Role::Master));
        assert_eq!(info.offset(), Some(100));
        let replicas = info.replicas();
        assert_eq!(
            replicas[0],
            Replica {
                ip: "10.0.0.2".into(),
                port: 6380,
                online: true,
                offset: 90
            }
        );
        assert_eq!(
            (replicas.len(), replicas[1].online, replicas[1].ip.as_str()),
            (2, false, "::1")
        );
        assert!(!info.is_loading());
    }

    #[test]
    fn a_replica_is_read() {
        let info = Info::parse(
            "role:slave\r\nmaster_host:10.0.0.1\r\nmaster_port:6379\r\nmaster_link_status:up\r\nslave_repl_offset:7\r\nmaster_repl_offset:9\r\n",
        );
        assert_eq!(
            (info.role(), info.offset(), info.is_link_up()),
            (Some(Role::Replica), Some(7), true)
        );
        assert_eq!(info.master(), Some(("10.0.0.1", 6379)));
    }

    #[test]
    fn a_copy_that_never_was_complete_shows() {
        let replica = |rest: &str| Info::parse(format!("role:slave\r\nmaster_link_status:{rest}"));
        assert!(replica("up").was_ever_linked());
        assert!(replica("down\r\nmaster_link_down_since_seconds:3").was_ever_linked());
        assert!(!replica("down\r\nmaster_link_down_since_seconds:-1").was_ever_linked());
        assert!(!replica("down").was_ever_linked());
    }

    #[test]
    fn only_what_is_in_use_can_fail() {
        let info = Info::parse("rdb_last_bgsave_status:err\r\naof_enabled:0\r\naof_last_write_status:err\r\n");
        assert_eq!(info.persistence_failures(), [("rdb_last_bgsave_status", "err")]);
        let info = Info::parse("rdb_last_bgsave_status:ok\r\naof_enabled:1\r\naof_last_write_status:err\r\n");
        assert_eq!(info.persistence_failures(), [("aof_last_write_status", "err")]);
        assert!(Info::parse("").persistence_failures().is_empty());
    }
}
