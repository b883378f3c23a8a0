//! Everything that can wake the driver, as one closed list.

use tokio::sync::oneshot;
use understudy_protocol::{Event, Order, Refusal, ServiceName};

use crate::peers::PeerEvent;

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
    /// Something that is shown has changed (a probe's reading, an address): publish the view again.
    Shown,
    /// End in order: publish a last view and stop.
    Stop,
}
