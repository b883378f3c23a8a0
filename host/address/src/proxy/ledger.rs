//! The account of one flow: who said how much and when, and whether its client is held back.
//!
//! Invariant: "is it idle?" and "hold it back" are one step under one lock, and so are "is it held back?" and "take the
//! client's next bytes". So no bytes are taken from a client that is held back, and no flow that has taken a request
//! counts as idle.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

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
    /// They wait in the kernel, because the flow was idle.
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
    /// The server spoke since the gate was closed on an idle flow.
    spoke_since_quiet: bool,
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

    pub(super) fn server_said(&self, bytes: usize) {
        let mut ledger = self.ledger();
        ledger.history.from_server += bytes as u64;
        ledger.spoke_last = Some(Spoke::Server);
        ledger.server_at = Instant::now();
        ledger.delivering = true;
        ledger.spoke_since_quiet = true;
    }

    pub(super) fn delivered(&self) {
        self.ledger().delivering = false;
    }

    /// Holds the client back if nothing is in progress; says whether it is held back now.
    pub(super) fn quiesce_if_idle(&self) -> bool {
        let mut ledger = self.ledger();
        if *self.gate.borrow() != Gate::Open {
            return true;
        }
        if !ledger.idle() {
            return false;
        }
        ledger.spoke_since_quiet = false;
        self.gate.send_replace(Gate::Quiet);
        true
    }

    /// Holds the client back, whatever is in progress.
    pub(super) fn shut(&self) {
        if !self.quiesce_if_idle() {
            let _ledger = self.ledger();
            self.gate.send_replace(Gate::Shut);
        }
    }

    pub(super) fn reopen(&self) {
        let _ledger = self.ledger();
        self.gate.send_replace(Gate::Open);
    }

    /// The flow was idle when its client was held back, and nothing was said since: another server may continue it.
    pub(super) fn still_quiet(&self) -> bool {
        let ledger = self.ledger();
        *self.gate.borrow() == Gate::Quiet && !ledger.spoke_since_quiet && !ledger.delivering && !ledger.client_finished
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
    fn idle(&self) -> bool {
        let nobody_waits = self.spoke_last != Some(Spoke::Client) && !self.delivering && !self.client_finished;
        let silent_for = self.client_at.max(self.server_at).elapsed();
        // Nothing can be in progress where nothing was said.
        nobody_waits && (self.spoke_last.is_none() || silent_for > PAUSE)
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

    fn say(account: &Account, bytes: usize) -> Option<usize> {
        account.take_from_client(|| bytes, |n| Some(*n))
    }

    #[test]
    fn a_request_in_progress_is_not_idle_and_a_quiet_client_is_not_read() {
        let account = account();
        assert_eq!(say(&account, 10), Some(10));
        assert!(!account.quiesce_if_idle(), "the client waits for an answer");
        account.server_said(20);
        account.delivered();
        assert!(!account.quiesce_if_idle(), "the answer may go on");
        std::thread::sleep(PAUSE * 2);
        assert!(account.quiesce_if_idle());
        assert_eq!(say(&account, 5), None);
        assert!(account.still_quiet());
        account.server_said(1);
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
    fn a_shut_flow_in_progress_is_never_taken_for_quiet() {
        let account = account();
        say(&account, 1);
        account.shut();
        assert_eq!(say(&account, 1), None);
        assert!(!account.still_quiet());
    }
}
