//! Lets new connections to the addresses wait during a switch. The packet filter drops the packets that open them, and
//! `waiting` keeps these for whoever serves next. Established connections are not touched.
//!
//! Invariant: the rules are in place whenever a frame could reach a host that must not answer, and they are gone before
//! the frames are let in here.

use tokio::sync::{Mutex, broadcast};

use super::rules::{Rules, Step};
use super::waiting::Waiting;
use crate::nft::{Link, Refused};
use crate::{AddressError, AddressEvent, VipConfig};

/// The hold of one service's addresses.
pub(super) struct SynHold {
    service: String,
    config: VipConfig,
    rules: Rules,
    filter: Link,
    events: broadcast::Sender<AddressEvent>,
    waiting: Mutex<Option<Waiting>>,
}

impl SynHold {
    pub(super) fn new(
        service: &str,
        config: &VipConfig,
        rules: Rules,
        filter: Link,
        events: broadcast::Sender<AddressEvent>,
    ) -> Self {
        SynHold {
            service: service.to_owned(),
            config: config.clone(),
            rules,
            filter,
            events,
            waiting: Mutex::default(),
        }
    }

    /// Asks the kernel whether it could, without doing it.
    pub(super) async fn check(&self) -> Result<(), AddressError> {
        let checked = self.filter.check(self.rules.hold()).await;
        checked.map_err(|refused| self.refused(&refused))
    }

    pub(super) async fn install(&self) -> Result<(), AddressError> {
        let mut waiting = self.waiting.lock().await;
        if waiting.as_ref().is_none_or(Waiting::is_over) {
            // First, so that no frame is dropped unseen.
            let (config, rules) = (self.config.clone(), self.rules.clone());
            match Waiting::start(config, rules, self.filter.clone(), self.events.clone()) {
                Ok(started) => *waiting = Some(started),
                Err(error) => {
                    let error = error.to_string();
                    let _ = self.events.send(AddressEvent::WaitersNotKept { error });
                }
            }
        }
        let held = self.filter.apply(self.rules.hold()).await;
        held.map_err(|refused| self.refused(&refused))
    }

    /// The wait is over: this host serves.
    pub(super) async fn remove(&self) -> Result<(), AddressError> {
        let mut waiting = self.waiting.lock().await;
        let lifted = self.filter.apply(self.rules.without(&[Step::Hold])).await;
        lifted.map_err(|refused| self.refused(&refused))?;
        if let Some(waiting) = waiting.take() {
            waiting.let_in().await;
        }
        Ok(())
    }

    /// Takes away what a killed daemon left; a wait that goes on stays.
    pub(super) async fn clear(&self) -> Result<(), AddressError> {
        let waiting = self.waiting.lock().await;
        if waiting.as_ref().is_some_and(|waiting| !waiting.is_over()) {
            return Ok(());
        }
        let lifted = self.filter.apply(self.rules.without(&LEFT_BEHIND)).await;
        lifted.map_err(|refused| self.refused(&refused))
    }

    /// Takes everything away and forgets whoever waits.
    pub(super) async fn forget(&self) -> Result<(), AddressError> {
        self.stop().await;
        self.clear().await
    }

    /// The addresses are gone from here: whoever waits, and whoever still comes, goes to the host that announces them.
    pub(super) async fn leave(&self) {
        if let Some(waiting) = self.waiting.lock().await.as_ref() {
            waiting.send_elsewhere().await;
        }
    }

    /// For the end of the daemon: the rules stay.
    pub(super) async fn stop(&self) {
        if let Some(waiting) = self.waiting.lock().await.take() {
            waiting.stop().await;
        }
    }

    fn refused(&self, refused: &Refused) -> AddressError {
        AddressError::Filter {
            service: self.service.clone(),
            error: refused.to_string(),
            mend: ENABLE,
        }
    }
}

/// What stays for a while on a host that gave the addresses up.
pub(super) const LEFT_BEHIND: [Step; 2] = [Step::Hold, Step::Drain];
const ENABLE: &str = "the kernel needs nf_tables with netdev tables (CONFIG_NF_TABLES_NETDEV; modprobe nf_tables) and the process \
     CAP_NET_ADMIN; without them use mode = \"proxy\"";
