//! Keeps a dropped listening socket open, and offers it until a successor takes it or the time is over.
//!
//! Invariant: nobody who waits in the socket is cut off before the linger time is over, unless a successor took them.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::handover::{self, Goods, Parties};
use super::listen;
use crate::AddressEvent;

/// One dropped listening socket.
pub(super) struct Offer {
    pub(super) listen: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Option<Goods>>,
}

impl Offer {
    pub(super) fn start(
        parties: Parties,
        goods: Goods,
        linger: Duration,
        events: broadcast::Sender<AddressEvent>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let listen = parties.listen;
        let until = Instant::now() + linger;
        let task = tokio::spawn(
            Offering {
                parties,
                events,
                until,
                stopped,
            }
            .run(goods),
        );
        Offer { listen, stop, task }
    }

    /// Ends the offer; the goods, unless they are somebody else's or closed by now.
    pub(super) async fn reclaim(self) -> Option<Goods> {
        let _ = self.stop.send(());
        self.task.await.ok().flatten()
    }
}

struct Offering {
    parties: Parties,
    events: broadcast::Sender<AddressEvent>,
    until: Instant,
    stopped: oneshot::Receiver<()>,
}

impl Offering {
    /// The goods if the offer was stopped; none if they were taken or the time is over.
    async fn run(mut self, goods: Goods) -> Option<Goods> {
        let goods = Arc::new(goods);
        let over = match self.open().await {
            Ok(socket) => self.serve(socket, &goods).await,
            Err(over) => over,
        };
        // No thread has the goods any more.
        let goods = Arc::into_inner(goods)?;
        match over {
            Over::Stopped => Some(goods),
            Over::Given { to, stream } => {
                let (listen, connections) = (self.parties.listen, goods.clients.len());
                drop(goods);
                // The successor waits for this: from now on it has the only copies.
                drop(stream);
                let _ = self.events.send(AddressEvent::Passed {
                    listen,
                    to,
                    connections,
                });
                None
            }
            Over::TimeIsUp => {
                let listen = self.parties.listen;
                let waiting = listen::waiting(listen).map(|waiting| waiting + goods.clients.len() as u64);
                let _ = self.events.send(AddressEvent::Unclaimed { listen, waiting });
                None
            }
        }
    }

    /// Gives the goods to the first that asks rightly.
    async fn serve(&mut self, socket: UnixListener, goods: &Arc<Goods>) -> Over {
        loop {
            let accepted = tokio::select! {
                biased;
                over = self.over() => return over,
                accepted = socket.accept() => accepted.and_then(|(stream, _)| stream.into_std()),
            };
            let ended = match accepted {
                Ok(stream) => self.give(stream, goods).await,
                Err(error) => {
                    sleep(OPEN_AGAIN).await;
                    Err(error)
                }
            };
            match ended {
                Ok(over) => return over,
                Err(error) => self.report(&error),
            }
        }
    }

    /// The socket of the offer. An earlier offer of the same address may still be closing in another process.
    async fn open(&mut self) -> Result<UnixListener, Over> {
        let mut reported = false;
        loop {
            match handover::open_offer(self.parties.listen).and_then(UnixListener::from_std) {
                Ok(socket) => return Ok(socket),
                Err(error) if !reported => {
                    reported = true;
                    if error.kind() != io::ErrorKind::AddrInUse {
                        self.report(&error);
                    }
                }
                Err(_) => {}
            }
            tokio::select! {
                biased;
                over = self.over() => return Err(over),
                () = sleep(OPEN_AGAIN) => {}
            }
        }
    }

    /// Gives the goods to one that asks; an error means that they are still ours.
    async fn give(&mut self, stream: UnixStream, goods: &Arc<Goods>) -> io::Result<Over> {
        let stream = Arc::new(stream);
        let (done, mut ended) = oneshot::channel();
        let (theirs, parties, goods) = (stream.clone(), self.parties.clone(), goods.clone());
        // Not one of the runtime's threads: a successor that stands still must not keep the daemon from ending.
        std::thread::Builder::new().name("handover".to_owned()).spawn(move || {
            let result = handover::give(&theirs, &parties, &goods);
            drop((theirs, goods));
            let _ = done.send(result);
        })?;
        let (result, over) = tokio::select! {
            result = &mut ended => (result, None),
            over = self.over() => {
                // Either the successor's word is there already, or it will learn that it got nothing.
                let _ = stream.shutdown(Shutdown::Both);
                (ended.await, Some(over))
            }
        };
        match (
            result
                .map_err(|_| io::Error::other("the hand-over's thread died"))
                .flatten(),
            over,
        ) {
            (Ok(to), _) => Ok(Over::Given { to, stream }),
            (Err(_), Some(over)) => Ok(over),
            (Err(error), None) => Err(error),
        }
    }

    async fn over(&mut self) -> Over {
        tokio::select! {
            biased;
            _ = &mut self.stopped, if !self.stopped.is_terminated() => Over::Stopped,
            () = sleep_until(self.until) => Over::TimeIsUp,
        }
    }

    fn report(&self, error: &io::Error) {
        let event = AddressEvent::OfferFailed {
            listen: self.parties.listen,
            error: error.to_string(),
        };
        let _ = self.events.send(event);
    }
}

/// How an offer ended.
enum Over {
    Stopped,
    TimeIsUp,
    Given { to: String, stream: Arc<UnixStream> },
}

/// Between attempts to open the offer's socket.
const OPEN_AGAIN: Duration = Duration::from_millis(20);
