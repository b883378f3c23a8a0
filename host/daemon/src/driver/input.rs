//! Everything that can wake the driver, as one closed list.

use tokio::sync::oneshot;
use understudy_protocol::{Event, Machine, Order, Refusal, ServiceName, Time};

use crate::peers::PeerEvent;
use crate::reload::Settings;

/// A look at a machine, which can't change it.
pub(crate) struct Look(Box<Looking>);

type Looking = dyn FnOnce(&Machine, Time) + Send;

impl Look {
    pub(crate) fn new(look: impl FnOnce(&Machine, Time) + Send + 'static) -> Self {
        Look(Box::new(look))
    }

    pub(super) fn take(self, machine: &Machine, now: Time) {
        (self.0)(machine, now);
    }
}

impl std::fmt::Debug for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Look")
    }
}

/// What the driver is woken by; time is the only thing that is not in this list.
#[derive(Debug)]
pub(crate) enum Input {
    /// A connection was made, broke, or brought a frame.
    Peer(PeerEvent),
    /// The probes or a piece of work have something to say about a service.
    Service(ServiceName, Event),
    /// An operator's order, and where its answer goes.
    Order {
        service: ServiceName,
        order: Order,
        answer: oneshot::Sender<Result<(), Refusal>>,
    },
    /// Somebody wants to know what the machine would do; nothing comes of it.
    Look(ServiceName, Look),
    /// The operator has changed the settings of these services.
    Reloaded(Vec<Settings>),
    /// Something that is shown has changed (a probe's reading, an address): publish the view again.
    Shown,
    /// End in order: publish a last view and stop.
    Stop,
}
