//! The account of one flow: who said how much and when, and whether its client is held back.
//!
//! Invariant: "is it idle?" and "hold it back" are one step under one lock, and so are "is it held back?" and "take the
//! client's next bytes". So no bytes are taken from a client that is held back, and no flow that has taken a request
//! counts as idle.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

use super::speech;
use crate::flow::{Flow, Spoke};

/// One flow's account.
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) client: SocketAddr,
    pub(super) listen: SocketAddr,
    ledger: Mutex<Ledger>,
    gate: watch::Sender<Gate>,
}

/// Whether the client's bytes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// They are.
    Open,
    /// They wait in the kernel; whether the server has said all it will is not clear yet.
    Settling,
    /// They wait in the kernel, because the flow is idle.
    Quiet,
    /// They wait in the kernel, whatever was in progress: the server is gone.
    Shut,
}

/// What of a flow's account moves along to a successor's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct History {
    pub(super) opened_at: SystemTime,
    pub(super) from_client: u64,
    pub(super) from_server: u64,
}

impl History {
    pub(super) fn new() -> Self {
        History {
            opened_at: SystemTime::now(),
            from_client: 0,
            from_server: 0,
        }
    }

    /// No byte was said by either side.
    pub(super) fn untouched(&self) -> bool {
        self.from_client == 0 && self.from_server == 0
    }
}

struct Ledger {
    history: History,
    server_side_local: Option<SocketAddr>,
    spoke_last: Option<Spoke>,
    client_at: Instant,
    server_at: Instant,
    /// Bytes of the server are read and not yet given to the client.
    delivering: bool,
    /// The client has said its last byte.
    client_finished: bool,
    /// The server spoke since the flow was found idle.
    spoke_since_quiet: bool,
    /// The server's last word was an interim answer.
    interim: bool,
    /// The connection has a state that only its server knows.
    session: bool,
    /// The client is to be held back as soon as the server has spoken last.
    rest_wanted: bool,
}

impl Account {
    pub(super) fn new(id: u64, client: SocketAddr, listen: SocketAddr, history: History) -> Self {
        let now = Instant::now();
        let ledger = Ledger {
            spoke_last: (!history.untouched()).then_some(Spoke::Server),
            history,
            server_side_local: None,
            client_at: now,
            server_at: now,
            delivering: false,
            client_finished: false,
            spoke_since_quiet: false,
            interim: false,
            session: false,
            rest_wanted: false,
        };
        Account {
            id,
            client,
            listen,
            ledger: Mutex::new(ledger),
            gate: watch::Sender::new(Gate::Open),
        }
    }

    pub(super) fn history(&self) -> History {
        self.ledger().history
    }

    pub(super) fn gate(&self) -> watch::Receiver<Gate> {
        self.gate.subscribe()
    }

    pub(super) fn connected(&self, local: Option<SocketAddr>) {
        let mut ledger = self.ledger();
        ledger.server_side_local = local;
        ledger.delivering = false;
    }

    /// Takes the client's next bytes by `read`, unless the client is held back; none then.
    pub(super) fn take_from_client<T>(
        &self,
        read: impl FnOnce() -> T,
        said: impl FnOnce(&T) -> Option<usize>,
    ) -> Option<T> {
        let mut ledger = self.ledger();
        if *self.gate.borrow() != Gate::Open {
            return None;
        }
        let result = read();
        match said(&result) {
            Some(0) => ledger.client_finished = true,
            Some(bytes) => {
                ledger.history.from_client += bytes as u64;
                ledger.spoke_last = Some(Spoke::Client);
                ledger.client_at = Instant::now();
            }
            None => {}
        }
        Some(result)
    }

    /// Takes note of the client's first bytes.
    pub(super) fn opened_with(&self, first: &[u8]) {
        if speech::opens_a_session(first) {
            self.ledger().session = true;
        }
    }

    /// The server said so many bytes; `copied` are those that this process saw, if they may be more than an answer's body.
    pub(super) fn server_said(&self, copied: &[u8], bytes: usize) {
        let mut ledger = self.ledger();
        ledger.interim = speech::is_interim(copied);
        ledger.session |= speech::upgrades(copied);
        ledger.history.from_server += bytes as u64;
        ledger.spoke_last = Some(Spoke::Server);
        ledger.server_at = Instant::now();
        ledger.delivering = true;
        ledger.spoke_since_quiet = true;
    }

    pub(super) fn delivered(&self) {
        let mut ledger = self.ledger();
        ledger.delivering = false;
        let open = *self.gate.borrow() == Gate::Open;
        if open && ledger.rest_wanted && ledger.calm() {
            self.gate.send_replace(Gate::Settling);
        }
    }

    /// Holds the client back if nothing is in progress; says whether nothing is, and the client is held back.
    ///
    /// `eager`: a client that pauses for less than [`PAUSE`] is held back as soon as the server has spoken last; the
    /// pause is then waited for while nobody can end it but the server. If an answer is under way now, that holds for
    /// its end.
    pub(super) fn quiesce_if_idle(&self, eager: bool) -> bool {
        let mut ledger = self.ledger();
        ledger.rest_wanted |= eager;
        let gate = *self.gate.borrow();
        match gate {
            Gate::Quiet | Gate::Shut => true,
            Gate::Open | Gate::Settling if !ledger.calm() => false,
            Gate::Open | Gate::Settling if ledger.silent() => {
                ledger.spoke_since_quiet = false;
                self.gate.send_replace(Gate::Quiet);
                true
            }
            Gate::Open if eager => {
                self.gate.send_replace(Gate::Settling);
                false
            }
            Gate::Open | Gate::Settling => false,
        }
    }

    /// Holds the client back, whatever is in progress.
    pub(super) fn shut(&self) {
        if !self.quiesce_if_idle(false) {
            let _ledger = self.ledger();
            self.gate.send_replace(Gate::Shut);
        }
    }

    pub(super) fn reopen(&self) {
        let mut ledger = self.ledger();
        ledger.rest_wanted = false;
        self.gate.send_replace(Gate::Open);
    }

    /// The flow was idle when its client was held back, and nothing was said since: another server may continue it.
    pub(super) fn still_quiet(&self) -> bool {
        let ledger = self.ledger();
        let gate = *self.gate.borrow();
        match gate {
            Gate::Quiet => !ledger.spoke_since_quiet && !ledger.delivering && !ledger.client_finished,
            Gate::Settling => ledger.calm() && ledger.silent(),
            Gate::Open | Gate::Shut => false,
        }
    }

    /// Nothing of the connection is known to its server alone.
    pub(super) fn has_no_session(&self) -> bool {
        !self.ledger().session
    }

    /// Bytes of the server are on their way to the client.
    pub(super) fn delivering(&self) -> bool {
        self.ledger().delivering
    }

    /// Something is in progress: an answer is awaited or under way to the client.
    pub(super) fn busy(&self) -> bool {
        let ledger = self.ledger();
        ledger.spoke_last == Some(Spoke::Client) || ledger.delivering
    }

    /// How long the client said nothing.
    pub(super) fn client_silence(&self) -> Duration {
        self.ledger().client_at.elapsed()
    }

    pub(super) fn snapshot(&self) -> Flow {
        let ledger = self.ledger();
        Flow {
            id: self.id,
            client: self.client,
            listen: self.listen,
            server_side_local: ledger.server_side_local,
            opened_at: ledger.history.opened_at,
            from_client: ledger.history.from_client,
            from_server: ledger.history.from_server,
            spoke_last: ledger.spoke_last,
            awaiting_answer: ledger.spoke_last == Some(Spoke::Client),
            client_silent_for: ledger.client_at.elapsed(),
            server_silent_for: ledger.server_at.elapsed(),
            quiesced: *self.gate.borrow() != Gate::Open,
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Nobody is known to wait for anything.
    fn calm(&self) -> bool {
        self.spoke_last != Some(Spoke::Client) && !self.delivering && !self.client_finished && !self.interim
    }

    /// Nothing was said for so long that nothing more of the last answer will come. Where nothing was said at all, there
    /// is nothing to come.
    fn silent(&self) -> bool {
        self.spoke_last.is_none() || self.client_at.max(self.server_at).elapsed() > PAUSE
    }
}

/// An answer that comes in pieces rarely pauses for longer than this.
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let any: SocketAddr = "127.0.0.1:1".parse().unwrap();
        Account::new(1, any, any, History::new())
    }

    fn speak(account: &Account, bytes: &[u8]) {
        account.server_said(bytes, bytes.len());
    }

    fn say(account: &Account, bytes: usize) -> Option<usize> {
        account.take_from_client(|| bytes, |n| Some(*n))
    }

    #[test]
    fn a_request_in_progress_is_not_idle_and_a_quiet_client_is_not_read() {
        let account = account();
        assert_eq!(say(&account, 10), Some(10));
        assert!(!account.quiesce_if_idle(false), "the client waits for an answer");
        speak(&account, &[b'x'; 20]);
        account.delivered();
        assert!(!account.quiesce_if_idle(false), "the answer may go on");
        std::thread::sleep(PAUSE * 2);
        assert!(account.quiesce_if_idle(false));
        assert_eq!(say(&account, 5), None);
        assert!(account.still_quiet());
        speak(&account, b"x");
        account.delivered();
        assert!(!account.still_quiet(), "it was a pause within an answer");
        account.reopen();
        assert_eq!(say(&account, 5), Some(5));
        let flow = account.snapshot();
        assert_eq!(
            (flow.from_client, flow.from_server, flow.awaiting_answer),
            (15, 21, true)
        );
    }

    #[test]
    fn an_eager_look_holds_a_client_that_never_pauses() {
        let account = account();
        say(&account, 1);
        assert!(!account.quiesce_if_idle(true));
        speak(&account, b"HTTP/1.1 100 Continue\r\n\r\n");
        account.delivered();
        assert!(!account.quiesce_if_idle(true));
        assert_eq!(
            say(&account, 1),
            Some(1),
            "the client must go on after an interim answer"
        );
        speak(&account, b"HTTP/1.1 200 OK");
        account.delivered();
        assert!(!account.quiesce_if_idle(true));
        assert_eq!(say(&account, 1), None, "held back, though the answer may go on");
        speak(&account, b"more");
        account.delivered();
        std::thread::sleep(PAUSE * 2);
        assert!(account.quiesce_if_idle(true) && account.still_quiet());
    }

    #[test]
    fn a_busy_client_is_held_back_at_the_end_of_its_answer() {
        let account = account();
        say(&account, 1);
        assert!(!account.quiesce_if_idle(true));
        speak(&account, b"answer");
        account.delivered();
        assert_eq!(say(&account, 1), None);
        assert!(!account.still_quiet(), "the answer may go on");
        std::thread::sleep(PAUSE * 2);
        assert!(account.still_quiet());
        account.reopen();
        say(&account, 1);
        speak(&account, b"answer");
        account.delivered();
        assert_eq!(say(&account, 1), Some(1), "that ended with the hold");
    }

    #[test]
    fn a_shut_flow_in_progress_is_never_taken_for_quiet() {
        let account = account();
        say(&account, 1);
        account.shut();
        assert_eq!(say(&account, 1), None);
        assert!(!account.still_quiet());
    }
}
