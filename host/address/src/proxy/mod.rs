//! A service's address where no address can move: this process listens, and forwards to the local server.
//!
//! Files, from the outside in: this one carries out the commands; `door` accepts; `offer` and `handover` pass a dropped
//! listening socket to the successor; `table` and `ledger` keep account of the flows; `forward`, `pump` and `through` move
//! their bytes.
//!
//! Invariant: the listening socket is open from `take` until a successor has it or the linger time is over, whatever
//! else happens in between. What can't be kept: the process that holds a connection is killed, and the connection
//! breaks with it.

mod capacity;
mod descriptors;
mod door;
mod forward;
mod handover;
mod ledger;
mod listen;
mod offer;
mod origin;
mod pump;
mod speech;
mod table;
mod through;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{Mutex, broadcast, watch};
use tokio::time::{Instant, sleep};
use understudy_protocol::{HostName, ServiceName};

use crate::config::ProxyConfig;
use crate::privilege::{self, NET_BIND_SERVICE};
use crate::{AddressError, AddressEvent, Flow, Holding, Quiet};
use door::Door;
use forward::Context;
use handover::{Client, Goods, Parties};
use offer::Offer;
use table::{FlowTable, Parked, Stage};

/// The commands of a forwarding address.
pub(crate) struct Proxy {
    service: ServiceName,
    host: HostName,
    context: Arc<Context>,
    table: Arc<FlowTable>,
    holding: watch::Sender<Holding>,
    sockets: Mutex<Sockets>,
}

#[derive(Default)]
struct Sockets {
    doors: Vec<Door>,
    offers: Vec<Offer>,
}

impl Proxy {
    pub(crate) fn new(
        config: ProxyConfig,
        service: ServiceName,
        host: HostName,
        events: broadcast::Sender<AddressEvent>,
    ) -> Result<Self, AddressError> {
        check(&config, &service)?;
        capacity::raise();
        Ok(Proxy {
            service,
            host,
            context: Arc::new(Context { config, events }),
            table: Arc::new(FlowTable::new()),
            holding: watch::Sender::new(Holding::Dropped),
            sockets: Mutex::default(),
        })
    }

    pub(crate) fn service(&self) -> &ServiceName {
        &self.service
    }

    pub(crate) async fn take(&self) -> Result<(), AddressError> {
        let mut sockets = self.sockets.lock().await;
        let mut arrived = Vec::new();
        for listen in &self.context.config.listen {
            if sockets.doors.iter().any(|door| door.listen == *listen) {
                continue;
            }
            let goods = self.obtain(*listen, &mut sockets.offers).await?;
            let door =
                Door::new(*listen, goods.listener).map_err(|error| AddressError::Listen { listen: *listen, error })?;
            sockets.doors.push(door);
            arrived.extend(goods.clients.into_iter().map(|client| (*listen, client)));
        }
        self.open(&mut sockets);
        for (listen, client) in arrived {
            self.receive(listen, client);
        }
        self.change(Holding::Admitting, AddressEvent::Taken);
        Ok(())
    }

    pub(crate) async fn hold(&self) -> Result<(), AddressError> {
        let mut sockets = self.sockets.lock().await;
        if sockets.doors.is_empty() {
            return Ok(());
        }
        for door in &mut sockets.doors {
            door.close().await;
        }
        self.table.set_stage(Stage::Held);
        self.change(Holding::Held, AddressEvent::Held);
        Ok(())
    }

    pub(crate) async fn admit(&self) -> Result<(), AddressError> {
        let mut sockets = self.sockets.lock().await;
        if !sockets.doors.is_empty() {
            self.open(&mut sockets);
            self.change(Holding::Admitting, AddressEvent::Admitted);
        }
        Ok(())
    }

    pub(crate) async fn drop_address(&self) -> Result<(), AddressError> {
        let mut sockets = self.sockets.lock().await;
        if sockets.doors.is_empty() {
            return Ok(());
        }
        for door in &mut sockets.doors {
            door.close().await;
        }
        let mut parked = self.empty_table().await;
        for door in std::mem::take(&mut sockets.doors) {
            let listen = door.listen;
            let clients = parked
                .extract_if(.., |parked| parked.listen == listen)
                .filter_map(client)
                .collect();
            match door.into_listener().await {
                Ok(listener) => sockets.offers.push(self.offer(listen, Goods { listener, clients })),
                Err(error) => {
                    let error = error.to_string();
                    let _ = self.context.events.send(AddressEvent::OfferFailed { listen, error });
                }
            }
        }
        self.change(Holding::Dropped, AddressEvent::Dropped);
        Ok(())
    }

    pub(crate) async fn shutdown(&self) {
        let mut sockets = self.sockets.lock().await;
        for door in &mut sockets.doors {
            door.close().await;
        }
        self.empty_table().await;
        sockets.doors.clear();
        for offer in std::mem::take(&mut sockets.offers) {
            offer.reclaim().await;
        }
        self.holding.send_replace(Holding::Dropped);
    }

    pub(crate) async fn quiesce(&self, within: Duration) -> Quiet {
        // Where every answer stands for itself, a client may be held back after any of them; elsewhere it may be in the
        // middle of a dialogue, and gets half the time to come to its end.
        let patience = if self.context.config.carry_idle {
            Duration::ZERO
        } else {
            within / 2
        };
        self.table.quiesce(within, patience).await
    }

    pub(crate) async fn wait_flows_idle(&self, within: Duration) -> Vec<Flow> {
        self.table.wait_idle(within).await
    }

    pub(crate) async fn wait_flows_closed(&self, within: Duration) -> Vec<Flow> {
        self.table.wait_empty(within).await
    }

    pub(crate) fn flows(&self) -> Vec<Flow> {
        self.table.snapshots()
    }

    pub(crate) fn holding(&self) -> Holding {
        *self.holding.borrow()
    }

    /// The listening socket: our own that is still on offer, the predecessor's, or a new one.
    async fn obtain(&self, listen: SocketAddr, offers: &mut Vec<Offer>) -> Result<Goods, AddressError> {
        if let Some(at) = offers.iter().position(|offer| offer.listen == listen)
            && let Some(goods) = offers.swap_remove(at).reclaim().await
        {
            return Ok(goods);
        }
        let deadline = Instant::now() + self.context.config.take_patience;
        loop {
            let asked = self.ask(listen).await;
            if let Ok(Some(goods)) = asked {
                let connections = goods.clients.len();
                let _ = self.context.events.send(AddressEvent::Received { listen, connections });
                return Ok(goods);
            }
            match listen::bind(listen, self.context.config.backlog) {
                Ok(listener) => {
                    return Ok(Goods {
                        listener,
                        clients: Vec::new(),
                    });
                }
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    return Err(AddressError::Listen { listen, error });
                }
                Err(_) if Instant::now() < deadline => sleep(ASK_AGAIN).await,
                Err(_) => {
                    return Err(match asked {
                        Err(error) => AddressError::Handover {
                            listen,
                            error: error.to_string(),
                        },
                        Ok(_) => AddressError::InUse {
                            listen,
                            holder: listen::holder(listen),
                        },
                    });
                }
            }
        }
    }

    async fn ask(&self, listen: SocketAddr) -> io::Result<Option<Goods>> {
        let parties = self.parties(listen);
        tokio::task::spawn_blocking(move || handover::ask(&parties))
            .await
            .map_err(io::Error::other)?
    }

    fn open(&self, sockets: &mut Sockets) {
        self.table.set_stage(Stage::Open);
        self.table.reopen_all();
        for door in &mut sockets.doors {
            door.open(&self.table, &self.context);
        }
    }

    fn receive(&self, listen: SocketAddr, client: Client) {
        let stream = client
            .stream
            .set_nonblocking(true)
            .and_then(|()| TcpStream::from_std(client.stream));
        // The stream of a client that is gone already may fail here; there is nobody to tell.
        if let Ok(stream) = stream {
            door::begin(
                stream,
                client.address,
                listen,
                client.history,
                &self.table,
                &self.context,
            );
        }
    }

    /// Ends every flow; those that another server may continue are returned.
    async fn empty_table(&self) -> Vec<Parked> {
        self.table.shut_all();
        self.table.set_stage(Stage::Leaving);
        let left = self.table.wait_empty(LEAVE).await;
        if !left.is_empty() {
            tracing::warn!(service = %self.service, flows = left.len(), "flows did not end in time");
        }
        self.table.set_stage(Stage::Held);
        self.table.unpark_all()
    }

    fn offer(&self, listen: SocketAddr, goods: Goods) -> Offer {
        let linger = self.context.config.release_linger;
        Offer::start(self.parties(listen), goods, linger, self.context.events.clone())
    }

    fn parties(&self, listen: SocketAddr) -> Parties {
        Parties {
            listen,
            service: self.service.to_string(),
            host: self.host.to_string(),
        }
    }

    fn change(&self, to: Holding, event: AddressEvent) {
        if self.holding.send_replace(to) != to {
            let _ = self.context.events.send(event);
        }
    }
}

fn client(parked: Parked) -> Option<Client> {
    let stream = parked.stream.into_std().ok()?;
    Some(Client {
        stream,
        address: parked.client,
        history: parked.history,
    })
}

fn check(config: &ProxyConfig, service: &ServiceName) -> Result<(), AddressError> {
    let refuse = |problem: String| {
        Err(AddressError::Config {
            service: service.to_string(),
            problem,
        })
    };
    if config.listen.is_empty() {
        return refuse("listen is empty: name at least one address like 127.0.0.1:7001".to_owned());
    }
    for (at, listen) in config.listen.iter().enumerate() {
        if listen.port() == 0 {
            return refuse(format!("{listen} has no port: a successor could not find it"));
        }
        if config.listen.iter().take(at).any(|earlier| earlier == listen) {
            return refuse(format!("{listen} is listed twice"));
        }
        if *listen == config.server {
            return refuse(format!(
                "{listen} is both where clients connect and the server: give the server its own port"
            ));
        }
        if listen.port() < privilege::first_unprivileged_port() && !privilege::has(NET_BIND_SERVICE) {
            let what = "listening on a port below net.ipv4.ip_unprivileged_port_start";
            return Err(AddressError::Privilege {
                what,
                capability: NET_BIND_SERVICE.name,
            });
        }
    }
    Ok(())
}

/// Between two attempts to get a listening socket that somebody still has.
const ASK_AGAIN: Duration = Duration::from_millis(20);
/// Flows leave by themselves within half a second; this bounds an error of ours.
const LEAVE: Duration = Duration::from_secs(3);
