//! The handle that the daemon's effector holds: one service's address, whatever its kind.
//!
//! Invariant: the methods may be called in any order, at any time, repeatedly and concurrently; they are carried out
//! one after another, each to its end. It must not know why it is told to do something.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use understudy_protocol::{HostName, ServiceName};

use crate::config::AddressConfig;
use crate::proxy::Proxy;
use crate::troubles::Troubles;
use crate::vip::Vip;
use crate::{AddressError, AddressEvent, Flow, Quiet, Remaining};

/// One service's address on this host. Cheap to clone; all clones are the same address.
#[derive(Clone)]
pub struct Address {
    kind: Kind,
    events: broadcast::Sender<AddressEvent>,
    troubles: Troubles,
}

/// Whether this host has the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holding {
    /// It has not.
    Dropped,
    /// It has, and clients are admitted.
    Admitting,
    /// It has, and new clients wait.
    Held,
    /// It has, new clients go to another host, and connections that were under way stay until they end.
    Yielding,
}

impl Holding {
    /// The state's name in the UI.
    pub fn as_str(self) -> &'static str {
        match self {
            Holding::Dropped => "dropped",
            Holding::Admitting => "admitting",
            Holding::Held => "held",
            Holding::Yielding => "yielding",
        }
    }
}

#[derive(Clone)]
enum Kind {
    Proxy(Arc<Proxy>),
    Vip(Arc<Vip>),
}

impl Address {
    /// Checks the configuration, the privileges and the kernel. Moves nothing yet: call [`Address::clear`] next.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// A contradiction in the configuration, or the exact capability, module or sysctl that is missing.
    pub async fn new(config: AddressConfig, service: ServiceName, host: HostName) -> Result<Self, AddressError> {
        let (events, heard) = broadcast::channel(EVENTS_KEPT);
        let troubles = Troubles::default();
        troubles.follow(heard);
        let kind = match config {
            AddressConfig::Proxy(config) => Kind::Proxy(Arc::new(Proxy::new(config, service, host, events.clone())?)),
            AddressConfig::Vip(config) => {
                let vip = Arc::new(Vip::new(config, service, events.clone()).await?);
                tokio::spawn(Vip::keep_away(Arc::downgrade(&vip)));
                Kind::Vip(vip)
            }
        };
        Ok(Address { kind, events, troubles })
    }

    /// From now on this host admits clients. Undoes a hold as well.
    ///
    /// Proxy: asks the predecessor on this machine for its listening sockets, or makes new ones; then accepts.
    /// Vip: puts the addresses on the interface, announces them, and keeps them there.
    ///
    /// # Errors
    /// The address is in use by somebody else (named where possible), the interface is missing or down. Repeat it.
    pub async fn take(&self) -> Result<(), AddressError> {
        match self.kind.clone() {
            Kind::Proxy(proxy) => to_its_end(async move { proxy.take().await }).await,
            Kind::Vip(vip) => to_its_end(async move { vip.take().await }).await,
        }
    }

    /// From now on new clients wait, unanswered; flows that exist go on. Does nothing where the address is not held.
    ///
    /// # Errors
    /// Vip: the packet filter refuses.
    pub async fn hold(&self) -> Result<(), AddressError> {
        match self.kind.clone() {
            Kind::Proxy(proxy) => to_its_end(async move { proxy.hold().await }).await,
            Kind::Vip(vip) => to_its_end(async move { vip.hold().await }).await,
        }
    }

    /// Undoes [`Address::hold`] and [`Address::quiesce`]. Does nothing where the address is not held.
    ///
    /// # Errors
    /// Vip: the packet filter refuses.
    pub async fn admit(&self) -> Result<(), AddressError> {
        match self.kind.clone() {
            Kind::Proxy(proxy) => to_its_end(async move { proxy.admit().await }).await,
            Kind::Vip(vip) => to_its_end(async move { vip.admit().await }).await,
        }
    }

    /// Holds back what idle clients say next, so that no request reaches a server that is about to stop; waits until
    /// every flow is idle or ended, at most for `within`. Flows that are busy then are held back when their answer has
    /// come, until [`Address::admit`] or [`Address::take`]; it may be called again to look. Call it after
    /// [`Address::hold`] and before the server is told to stop.
    ///
    /// Where idle connections are not carried, a client that never pauses gets half of `within` to come to the end of
    /// its dialogue.
    ///
    /// Vip: flows do not pass through the daemon; does nothing and reports nothing.
    pub async fn quiesce(&self, within: Duration) -> Quiet {
        match &self.kind {
            Kind::Proxy(proxy) => proxy.quiesce(within).await,
            Kind::Vip(_) => Quiet::default(),
        }
    }

    /// Gives the address up. To be called when the server is stopped: flows that still have no end are ended.
    ///
    /// Proxy: the listening sockets stay open and are offered to the successor on this machine; nobody is refused. When
    /// nobody asks for them within `release_linger`, they are closed and that is reported.
    /// Vip: the addresses are removed, and it is verified that they are gone.
    ///
    /// # Errors
    /// Vip: an address can't be removed.
    pub async fn drop_address(&self) -> Result<(), AddressError> {
        match self.kind.clone() {
            Kind::Proxy(proxy) => to_its_end(async move { proxy.drop_address().await }).await,
            Kind::Vip(vip) => to_its_end(async move { vip.drop_address().await }).await,
        }
    }

    /// For the start of the daemon on a host that does not hold the service: removes what a killed daemon left.
    /// Does nothing once this handle has taken the address. Vip: from now on, as after [`Address::drop_address`],
    /// addresses that somebody else puts here are removed again.
    ///
    /// # Errors
    /// Vip: an address can't be removed.
    pub async fn clear(&self) -> Result<(), AddressError> {
        match self.kind.clone() {
            // The kernel closed a killed daemon's sockets; nothing can be left.
            Kind::Proxy(_) => Ok(()),
            Kind::Vip(vip) => to_its_end(async move { vip.clear().await }).await,
        }
    }

    /// Whether the address can move to or from that host while both servers run. Changes nothing.
    ///
    /// # Errors
    /// Proxy: it can't. Vip: what the kernel, the privileges or the configuration lack.
    pub async fn can_overlap(&self, with: &HostName) -> Result<(), AddressError> {
        self.vip()?.can_overlap(with).await
    }

    /// Second of a move while both servers run: this host can serve under the address, and no client sees it yet.
    ///
    /// # Errors
    /// As [`Address::can_overlap`]; `first` does not answer on the link.
    pub async fn arm(&self, first: &HostName) -> Result<(), AddressError> {
        let (vip, first) = (self.vip()?, first.clone());
        to_its_end(async move { vip.arm(&first).await }).await
    }

    /// Second: undoes [`Address::arm`]. Does nothing after [`Address::appear`] or [`Address::take`].
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn disarm(&self) -> Result<(), AddressError> {
        let vip = self.vip()?;
        to_its_end(async move { vip.disarm().await }).await
    }

    /// First: from its end on this host admits nobody new: new connections go to `second`, which is armed; those that
    /// exist stay. [`Address::take`] undoes it, but for the connections that went to `second`.
    ///
    /// # Errors
    /// As [`Address::can_overlap`]; `second` does not answer on the link.
    pub async fn yield_to(&self, second: &HostName) -> Result<(), AddressError> {
        let (vip, second) = (self.vip()?, second.clone());
        to_its_end(async move { vip.yield_to(&second).await }).await
    }

    /// Second: answers for the address and announces it; connections that began on the first go there until
    /// [`Address::take`].
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn appear(&self) -> Result<(), AddressError> {
        let vip = self.vip()?;
        to_its_end(async move { vip.appear().await }).await
    }

    /// First, before its server is told to stop: waits until the server has accepted everybody who came before the
    /// yield, at most for `within`; says whom it has not.
    ///
    /// # Errors
    /// The kernel does not list its connections.
    pub async fn settled(&self, within: Duration) -> Result<Vec<Remaining>, AddressError> {
        self.vip()?.settled(within).await
    }

    /// First: waits until no connection is left, at most for `within`; says which are.
    ///
    /// # Errors
    /// The kernel does not list its connections.
    pub async fn drained(&self, within: Duration) -> Result<Vec<Remaining>, AddressError> {
        self.vip()?.drained(within).await
    }

    fn vip(&self) -> Result<Arc<Vip>, AddressError> {
        match &self.kind {
            Kind::Vip(vip) => Ok(vip.clone()),
            Kind::Proxy(proxy) => Err(AddressError::Config {
                service: proxy.service().to_string(),
                problem: "both servers may run during a move only with mode = \"vip\"".to_owned(),
            }),
        }
    }

    /// Whether this host has the address, as far as this handle arranged it.
    pub fn holding(&self) -> Holding {
        match &self.kind {
            Kind::Proxy(proxy) => proxy.holding(),
            Kind::Vip(vip) => vip.holding(),
        }
    }

    /// The client connections through this daemon, oldest first. Vip: none, they do not pass through the daemon.
    pub fn flows(&self) -> Vec<Flow> {
        match &self.kind {
            Kind::Proxy(proxy) => proxy.flows(),
            Kind::Vip(_) => Vec::new(),
        }
    }

    /// Waits until no flow awaits an answer, at most for `within`; says which still do.
    pub async fn wait_flows_idle(&self, within: Duration) -> Vec<Flow> {
        match &self.kind {
            Kind::Proxy(proxy) => proxy.wait_flows_idle(within).await,
            Kind::Vip(_) => Vec::new(),
        }
    }

    /// Waits until every flow has ended, at most for `within`; says which have not.
    pub async fn wait_flows_closed(&self, within: Duration) -> Vec<Flow> {
        match &self.kind {
            Kind::Proxy(proxy) => proxy.wait_flows_closed(within).await,
            Kind::Vip(_) => Vec::new(),
        }
    }

    /// What happens from now on. A receiver that does not keep up loses the oldest events and is told so.
    pub fn events(&self) -> broadcast::Receiver<AddressEvent> {
        self.events.subscribe()
    }

    /// What is wrong with the address now, in words that begin with the event's name: somebody else has it too, it can't
    /// be put back, its link is down, and the like.
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.standing(Instant::now())
    }

    /// The daemon ends.
    ///
    /// Proxy: every listening socket and connection is closed; nothing else can be done, they live in this process.
    /// Vip: the addresses stay as they are, so that the server goes on while the daemon is replaced; the next daemon
    /// calls [`Address::take`] or [`Address::clear`].
    pub async fn shutdown(&self) {
        match &self.kind {
            Kind::Proxy(proxy) => proxy.shutdown().await,
            Kind::Vip(vip) => vip.shutdown().await,
        }
    }
}

/// A command that has begun is carried to its end even if the caller stops waiting for it: half a move is no state.
async fn to_its_end(
    command: impl Future<Output = Result<(), AddressError>> + Send + 'static,
) -> Result<(), AddressError> {
    let task = tokio::spawn(command);
    task.await.map_err(|error| AddressError::System {
        what: "moving the address",
        error: error.into(),
    })?
}

/// A burst of one event per flow should not push out the few that matter.
const EVENTS_KEPT: usize = 1024;
