//! A connection to Redis, and what can go wrong with it.

use understudy_plugin::host::{self, clock};
use understudy_plugin::prelude::*;

use crate::clients::OWN_NAME;
use crate::config::Config;
use crate::info::Info;
use crate::resp::{self, NotRedis, Value};

/// Left of a call for what comes after Redis' answer.
const MARGIN_MS: u64 = 100;

/// A connection to Redis, authenticated and named.
pub(crate) struct Server {
    stream: Stream,
    /// Goes out with the next command: a way to the server and back is most of what a look costs.
    unsent: Vec<u8>,
    /// How many answers come before the next command's.
    unread: usize,
}

/// Why Redis could not be asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing listens: no process serves there.
    Gone(HostError),
    /// It listens, and does not answer: busy, stopped, or saving.
    Silent(HostError),
    /// It answered with an error.
    Error(String),
    /// What answers is not Redis.
    NotRedis(String),
    /// The host refused.
    Host(HostError),
}

impl Trouble {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Gone(error) => format!("nothing listens: {}", error.message),
            Self::Silent(error) => format!("no answer: {}", error.message),
            Self::Error(message) => format!("it answered `{message}`"),
            Self::NotRedis(what) => format!("what answers is not Redis: {what}"),
            Self::Host(error) => error.message.clone(),
        }
    }
}

impl From<HostError> for Trouble {
    fn from(error: HostError) -> Self {
        match error.code.as_str() {
            "unreachable" => Self::Gone(error),
            "timed-out" | "closed" => Self::Silent(error),
            _ => Self::Host(error),
        }
    }
}

impl From<NotRedis> for Trouble {
    fn from(NotRedis(what): NotRedis) -> Self {
        Self::NotRedis(what)
    }
}

impl From<Trouble> for PluginError {
    fn from(trouble: Trouble) -> Self {
        let message = format!("Redis: {}", trouble.describe());
        match trouble {
            Trouble::Gone(_) => Self::retryable("redis-gone", message),
            Trouble::Silent(_) => Self::retryable("redis-silent", message),
            Trouble::Error(_) => Self::retryable("redis-refused", message),
            Trouble::NotRedis(_) => Self::permanent("not-redis", message),
            Trouble::Host(error) => error.into(),
        }
    }
}

impl Server {
    /// This host's Redis.
    pub(crate) fn connect(config: &Config) -> Result<Self, Trouble> {
        Self::at("server", config)
    }

    /// The other host's, where the operator granted an endpoint to it.
    pub(crate) fn connect_to_peer(config: &Config) -> Option<Result<Self, Trouble>> {
        match Self::at("peer", config) {
            Err(Trouble::Host(error)) if host::is_absent(&error) => None,
            result => Some(result),
        }
    }

    fn at(endpoint: &str, config: &Config) -> Result<Self, Trouble> {
        let timeout_ms = bounded(config.timeout_ms);
        let mut server = Self {
            stream: Stream::connect(endpoint, timeout_ms)?,
            unsent: Vec::new(),
            unread: 0,
        };
        server.authenticate(config)?;
        // Refused to a user who may not: then our own connections are listed like a client's, and that is all.
        server.unsent = resp::encode(&["CLIENT", "SETNAME", OWN_NAME]);
        server.unread = 1;
        Ok(server)
    }

    fn authenticate(&mut self, config: &Config) -> Result<(), Trouble> {
        let Some(password) = host::secret("password")? else {
            return Ok(());
        };
        match &config.username {
            Some(user) => self.command(&["AUTH", user, &password])?,
            None => self.command(&["AUTH", &password])?,
        };
        Ok(())
    }

    /// One command and its answer.
    pub(crate) fn command(&mut self, command: &[&str]) -> Result<Value, Trouble> {
        let mut bytes = std::mem::take(&mut self.unsent);
        bytes.extend(resp::encode(command));
        self.stream.write(&bytes)?;
        while self.unread > 0 {
            self.answer()?;
            self.unread -= 1;
        }
        match self.answer()? {
            Value::Error(message) => Err(Trouble::Error(message)),
            value => Ok(value),
        }
    }

    /// The next answer, whatever it says.
    fn answer(&mut self) -> Result<Value, Trouble> {
        loop {
            if let Some((value, taken)) = resp::parse(self.stream.buffered())? {
                self.stream.consume(taken);
                return Ok(value);
            }
            if !self.stream.fill()? {
                let message = "Redis closed the connection".to_owned();
                return Err(Trouble::Silent(HostError {
                    code: "closed".into(),
                    message,
                    hint: None,
                }));
            }
        }
    }

    pub(crate) fn info(&mut self) -> Result<Info, Trouble> {
        let answer = self.command(&["INFO"])?;
        answer
            .text()
            .map(Info::parse)
            .ok_or_else(|| Trouble::NotRedis("INFO is not text".into()))
    }

    /// Holds every write for `ms`, counted from now; a longer hold that is in force stays. Reads go on.
    ///
    /// Holding everything (`ALL`) would hold this plugin too, even its `UNPAUSE`.
    pub(crate) fn hold_writes(&mut self, ms: u64) -> Result<(), Trouble> {
        self.command(&["CLIENT", "PAUSE", &ms.to_string(), "WRITE"]).map(drop)
    }

    pub(crate) fn release_writes(&mut self) -> Result<(), Trouble> {
        self.command(&["CLIENT", "UNPAUSE"]).map(drop)
    }

    /// Waits until `count` replicas have acknowledged what was written before, or for `ms`: an acknowledgement ends it at once.
    pub(crate) fn wait_for_replicas(&mut self, count: usize, ms: u64) -> Result<(), Trouble> {
        let ms = ms.min(clock::remaining_ms().saturating_sub(2 * MARGIN_MS));
        self.stream
            .set_timeout(bounded(u32::try_from(ms + 1000).unwrap_or(u32::MAX)));
        self.command(&["WAIT", &count.to_string(), &ms.max(1).to_string()])
            .map(drop)
    }

    /// Shuts Redis down; what it says when it can't. A Redis that shuts down closes the connection, or is long in saving.
    pub(crate) fn shut_down(&mut self, arguments: &[&str]) -> Result<ShutDown, Trouble> {
        self.stream.set_timeout(bounded(u32::MAX));
        let command: Vec<&str> = std::iter::once("SHUTDOWN").chain(arguments.iter().copied()).collect();
        match self.command(&command) {
            Err(Trouble::Silent(_) | Trouble::Gone(_)) => Ok(ShutDown::Begun),
            Err(Trouble::Error(message)) => Ok(ShutDown::Refused(message)),
            Err(other) => Err(other),
            Ok(answer) => Ok(ShutDown::Refused(format!("an unexpected answer: {answer:?}"))),
        }
    }
}

/// What became of a `SHUTDOWN`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ShutDown {
    /// It goes on; whether it is over shows when nothing listens any more.
    Begun,
    /// Redis stays up, and said why.
    Refused(String),
}

/// At most what the call has left.
fn bounded(ms: u32) -> u32 {
    let left = clock::remaining_ms().saturating_sub(MARGIN_MS).max(1);
    ms.min(u32::try_from(left).unwrap_or(u32::MAX))
}
