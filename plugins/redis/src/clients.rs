//! What each client is doing, read from `CLIENT LIST`. Knows no connection.
//!
//! What `CLIENT PAUSE … WRITE` makes of a client was looked up on the real server (7.0): one whose write is held has the flag
//! `b` and its command in `cmd`, exactly as one that waits in `BLPOP`; further commands it sent lie in its query buffer.

use understudy_plugin::prelude::*;

/// The name that this plugin gives to its own connections, to tell them from clients.
pub(crate) const OWN_NAME: &str = "understudy";

/// One line of `CLIENT LIST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) id: u64,
    pub(crate) address: String,
    name: String,
    user: String,
    flags: String,
    database: u64,
    /// The last command that was begun, lower case; empty before the first.
    command: String,
    age_s: u64,
    idle_s: u64,
    /// Bytes sent by the client and not yet read as a command.
    query_bytes: u64,
    /// Commands queued in `MULTI`; none outside of it.
    in_transaction: Option<u64>,
    subscriptions: u64,
    /// Bytes of answers that the client has not taken yet.
    pub(crate) unsent_bytes: u64,
}

/// Reads the list, without replicas, masters, monitors and this plugin's own connections.
pub(crate) fn parse(list: &str) -> Vec<Client> {
    list.lines().filter_map(client).filter(Client::is_clients).collect()
}

fn client(line: &str) -> Option<Client> {
    let field = |name: &str| {
        line.split(' ')
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    };
    let count = |name: &str| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    let command = field("cmd").filter(|command| *command != "NULL").unwrap_or_default();
    Some(Client {
        id: field("id")?.parse().ok()?,
        address: field("addr")?.to_owned(),
        name: field("name").unwrap_or_default().to_owned(),
        user: field("user").unwrap_or_default().to_owned(),
        flags: field("flags").unwrap_or_default().to_owned(),
        database: count("db"),
        command: command.replace('|', " "),
        age_s: count("age"),
        idle_s: count("idle"),
        query_bytes: count("qbuf"),
        in_transaction: field("multi").and_then(|value| value.parse().ok()),
        subscriptions: count("sub") + count("psub") + count("ssub"),
        unsent_bytes: count("obl") + count("omem"),
    })
}

impl Client {
    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    /// Not a replica (`S`), our master (`M`), a monitor (`O`), nor one of ours.
    fn is_clients(&self) -> bool {
        !['S', 'M', 'O'].into_iter().any(|flag| self.has(flag)) && self.name != OWN_NAME
    }

    /// Whether it waits in a command that may wait by its nature, so that it is not the pause that holds it.
    fn waits_by_nature(&self) -> bool {
        const WAITING: [&str; 10] = [
            "blpop",
            "brpop",
            "blmove",
            "brpoplpush",
            "blmpop",
            "bzpopmin",
            "bzpopmax",
            "bzmpop",
            "xread",
            "xreadgroup",
        ];
        self.has('b') && (WAITING.contains(&self.command.as_str()) || self.command == "wait")
    }

    /// What kind of waiting this is: the second host decides by it what became of the request.
    fn kind(&self) -> &'static str {
        if self.waits_by_nature() {
            "blocking-command"
        } else if self.has('b') {
            "held"
        } else if self.in_transaction.is_some() {
            "open-transaction"
        } else if self.unsent_bytes > 0 {
            "answer-not-taken"
        } else if self.query_bytes > 0 {
            "incomplete-command"
        } else if self.subscriptions > 0 {
            "subscriber"
        } else {
            "answered"
        }
    }

    fn state(&self) -> RequestState {
        match self.kind() {
            "answered" | "subscriber" => RequestState::Completed,
            "blocking-command" | "open-transaction" | "answer-not-taken" => RequestState::Running,
            _ => RequestState::Queued,
        }
    }

    fn operation(&self) -> String {
        let command = if self.command.is_empty() {
            "(no command yet)"
        } else {
            &self.command
        };
        match self.in_transaction {
            Some(queued) => format!("{command} (in a transaction of {queued} queued)"),
            None if self.subscriptions > 0 => format!("{command} ({} subscriptions)", self.subscriptions),
            None => command.to_owned(),
        }
    }

    /// As an entry of the compilation. `now_ms` is the time; `seen` is what the host knows of the client's connection.
    pub(crate) fn request(&self, now_ms: u64, seen: Option<&Attributes>) -> RequestStatus {
        let mut state = self.state();
        let mut kind = self.kind();
        if kind == "answered" && seen.and_then(|seen| seen.value("awaiting-answer")) == Some("true") {
            // The client spoke last and Redis has nothing of it: its command is still on the way.
            (state, kind) = (RequestState::Queued, "in-the-socket");
        }
        let real = seen.and_then(|seen| seen.value("client"));
        RequestStatus {
            id: format!("client-{}", self.id),
            client: real.unwrap_or(&self.address).to_owned(),
            operation: self.operation(),
            state,
            started_at_ms: now_ms.saturating_sub(self.idle_s * 1000),
            progress: None,
            idempotency_key: None,
            resume: None,
            attributes: Attributes::new()
                .with("kind", kind)
                .with("address", &self.address)
                .with_some("name", (!self.name.is_empty()).then_some(&self.name))
                .with_some("user", (!self.user.is_empty()).then_some(&self.user))
                .with("database", self.database)
                .with("age-s", self.age_s)
                .with("idle-s", self.idle_s)
                .with("query-bytes", self.query_bytes)
                .with("unsent-bytes", self.unsent_bytes)
                .with("blocked", self.has('b')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Taken from a Redis 7.0 under `CLIENT PAUSE … WRITE`.
    const LIST: &str = "\
id=10 addr=127.0.0.1:45182 laddr=127.0.0.1:16379 fd=16 name= age=0 idle=0 flags=b db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=20474 argv-mem=35 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22331 events=r cmd=eval user=default redir=-1 resp=2
id=12 addr=127.0.0.1:45198 laddr=127.0.0.1:16379 fd=18 name= age=0 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=1 qbuf-free=20473 argv-mem=3 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22283 events=r cmd=NULL user=default redir=-1 resp=2
id=6 addr=127.0.0.1:54946 laddr=127.0.0.1:16379 fd=12 name=worker age=3 idle=3 flags=b db=2 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=7 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=1831 events=r cmd=blpop user=default redir=-1 resp=2
id=7 addr=127.0.0.1:54962 laddr=127.0.0.1:16379 fd=13 name= age=3 idle=3 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=1800 events=r cmd=get user=default redir=-1 resp=2
id=8 addr=127.0.0.1:54966 laddr=127.0.0.1:16379 fd=14 name= age=3 idle=3 flags=P db=0 sub=1 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=1856 events=r cmd=subscribe user=default redir=-1 resp=2
id=9 addr=127.0.0.1:54976 laddr=127.0.0.1:16379 fd=15 name= age=3 idle=0 flags=x db=0 sub=0 psub=0 ssub=0 multi=2 qbuf=0 qbuf-free=20460 argv-mem=5 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22301 events=r cmd=set user=default redir=-1 resp=2
id=3 addr=127.0.0.1:54920 laddr=127.0.0.1:16379 fd=8 name= age=5 idle=0 flags=S db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=20474 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22272 events=r cmd=replconf user=default redir=-1 resp=2
id=4 addr=127.0.0.1:54926 laddr=127.0.0.1:16379 fd=9 name=understudy age=3 idle=0 flags=N db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=26 qbuf-free=20448 argv-mem=10 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=22298 events=r cmd=client|list user=default redir=-1 resp=2
";

    fn request(id: u64) -> RequestStatus {
        parse(LIST)
            .into_iter()
            .find(|client| client.id == id)
            .unwrap()
            .request(10_000, None)
    }

    #[test]
    fn replicas_and_our_own_are_left_out() {
        let ids: Vec<_> = parse(LIST).iter().map(|client| client.id).collect();
        assert_eq!(ids, [10, 12, 6, 7, 8, 9]);
    }

    #[test]
    fn each_kind_of_waiting_is_told_apart() {
        let seen: Vec<_> = [10, 12, 6, 7, 8, 9]
            .into_iter()
            .map(request)
            .map(|request| (request.attributes.value("kind").unwrap().to_owned(), request.state))
            .collect();
        let expected = [
            ("held", RequestState::Queued),
            ("incomplete-command", RequestState::Queued),
            ("blocking-command", RequestState::Running),
            ("answered", RequestState::Completed),
            ("subscriber", RequestState::Completed),
            ("open-transaction", RequestState::Running),
        ];
        assert_eq!(seen, expected.map(|(kind, state)| (kind.to_owned(), state)));
    }

    #[test]
    fn a_request_says_who_and_what_and_since_when() {
        let held = request(6);
        assert_eq!(
            (held.id.as_str(), held.client.as_str(), held.operation.as_str()),
            ("client-6", "127.0.0.1:54946", "blpop")
        );
        assert_eq!(held.started_at_ms, 7_000);
        assert_eq!(
            (held.attributes.value("name"), held.attributes.value("database")),
            (Some("worker"), Some("2"))
        );
    }

    #[test]
    fn the_host_knows_the_real_client_and_who_spoke_last() {
        let seen = Attributes::new()
            .with("client", "203.0.113.9:5555")
            .with("awaiting-answer", "true");
        let request = parse(LIST)
            .into_iter()
            .find(|client| client.id == 7)
            .unwrap()
            .request(10_000, Some(&seen));
        assert_eq!(
            (request.client.as_str(), request.state),
            ("203.0.113.9:5555", RequestState::Queued)
        );
        assert_eq!(request.attributes.value("address"), Some("127.0.0.1:54962"));
    }

    #[test]
    fn a_broken_line_is_passed_over() {
        assert!(parse("\nid=x addr=1\nid=5\nnonsense\n").is_empty());
    }
}
