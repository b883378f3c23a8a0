//! A listening socket that is open (clients are accepted) or closed (they wait in the kernel's queue).
//!
//! Invariant: closing never closes the socket; every client that was accepted before is in the flow table.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::capacity;
use super::forward::{self, Context};
use super::ledger::History;
use super::table::{FlowTable, open_flows};
use crate::AddressEvent;

/// One listening socket.
pub(super) struct Door {
    pub(super) listen: SocketAddr,
    listener: Arc<TcpListener>,
    accepting: Option<Accepting>,
}

struct Accepting {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Door {
    pub(super) fn new(listen: SocketAddr, listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Door {
            listen,
            listener: Arc::new(TcpListener::from_std(listener)?),
            accepting: None,
        })
    }

    /// Accepts from now on.
    pub(super) fn open(&mut self, table: &Arc<FlowTable>, context: &Arc<Context>) {
        if self
            .accepting
            .as_ref()
            .is_some_and(|accepting| !accepting.task.is_finished())
        {
            return;
        }
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(accept(
            self.listener.clone(),
            self.listen,
            table.clone(),
            context.clone(),
            stopped,
        ));
        self.accepting = Some(Accepting { stop, task });
    }

    /// Accepts nobody any more once this returns.
    pub(super) async fn close(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.stop.send_replace(true);
            let _ = accepting.task.await;
        }
    }

    /// The socket, of a closed door.
    pub(super) async fn into_listener(mut self) -> io::Result<StdListener> {
        self.close().await;
        match Arc::try_unwrap(self.listener) {
            Ok(listener) => listener.into_std(),
            Err(shared) => std::os::fd::AsFd::as_fd(&*shared)
                .try_clone_to_owned()
                .map(StdListener::from),
        }
    }
}

/// Begins a flow of a client that was accepted.
pub(super) fn begin(
    stream: TcpStream,
    client: SocketAddr,
    listen: SocketAddr,
    history: History,
    table: &Arc<FlowTable>,
    context: &Arc<Context>,
) {
    let entry = table.enter(client, listen, history);
    tokio::spawn(forward::run(entry, stream, context.clone(), table.stage()));
}

async fn accept(
    listener: Arc<TcpListener>,
    listen: SocketAddr,
    table: Arc<FlowTable>,
    context: Arc<Context>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return,
            accepted = accept_one(&listener) => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                failing = false;
                begin(stream, client, listen, History::new(), &table, &context);
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                // The clients wait in the queue until some flow ends.
                if !std::mem::replace(&mut failing, true) {
                    let _ = context.events.send(AddressEvent::AcceptFails {
                        listen,
                        error: error.to_string(),
                    });
                }
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}

async fn accept_one(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let capacity = capacity::flows();
    if open_flows() >= capacity {
        let problem = format!("no more than {capacity} flows fit into RLIMIT_NOFILE: raise LimitNOFILE of understudy");
        return Err(io::Error::other(problem));
    }
    listener.accept().await
}

/// The error is one client's, which went away before it was accepted, and not the socket's.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | HostUnreachable | Interrupted | NetworkDown | NetworkUnreachable
    )
}

/// Long enough not to spin, short enough that nobody notices.
const BREATH: Duration = Duration::from_millis(20);
