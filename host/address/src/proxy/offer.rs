//! Keeps a dropped listening socket open, and offers it until a successor takes it or the time is over.
//!
//! Invariant: nobody who waits in the socket is cut off before the linger time is over, unless a successor took them.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::UnixStream;
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
    async fn run(mut self, mut goods: Goods) -> Option<Goods> {
        let socket = match self.open().await {
            Ok(socket) => socket,
            Err(over) => return self.end(over, goods),
        };
        loop {
            let stream = tokio::select! {
                biased;
                over = self.over() => return self.end(over, goods),
                accepted = socket.accept() => match accepted.and_then(|(stream, _)| stream.into_std()) {
                    Ok(stream) => stream,
                    Err(error) => {
                        self.report(&error);
                        sleep(OPEN_AGAIN).await;
                        continue;
                    }
                },
            };
            let connections = goods.clients.len();
            let (result, back) = match self.pass(stream, goods).await {
                Ok(ended) => ended,
                Err(error) => {
                    self.report(&error);
                    return None;
                }
            };
            match result {
                Ok(to) => {
                    let _ = self.events.send(AddressEvent::Passed {
                        listen: self.parties.listen,
                        to,
                        connections,
                    });
                    return None;
                }
                Err(error) => self.report(&error),
            }
            goods = back;
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

    /// Gives the goods to one that asks. They come back with the result; they are no longer ours if it is a success.
    async fn pass(&mut self, stream: UnixStream, goods: Goods) -> io::Result<(io::Result<String>, Goods)> {
        let handle = stream.try_clone()?;
        let (done, mut ended) = oneshot::channel();
        let parties = self.parties.clone();
        // Not one of the runtime's threads: a successor that stands still must not keep the daemon from ending.
        std::thread::Builder::new().name("handover".to_owned()).spawn(move || {
            let result = handover::give(&stream, &parties, &goods);
            let _ = done.send((result, goods));
        })?;
        let finished = tokio::select! {
            finished = &mut ended => finished,
            _ = self.over() => {
                // Either the successor's word is there already, or it will learn that it got nothing.
                let _ = handle.shutdown(Shutdown::Both);
                ended.await
            }
        };
        finished.map_err(|_| io::Error::other("the hand-over's thread died"))
    }

    async fn over(&mut self) -> Over {
        tokio::select! {
            biased;
            _ = &mut self.stopped, if !self.stopped.is_terminated() => Over::Stopped,
            () = sleep_until(self.until) => Over::TimeIsUp,
        }
    }

    fn end(&self, over: Over, goods: Goods) -> Option<Goods> {
        match over {
            Over::Stopped => Some(goods),
            Over::TimeIsUp => {
                let listen = self.parties.listen;
                let waiting = listen::waiting(listen).map(|waiting| waiting + goods.clients.len() as u64);
                let _ = self.events.send(AddressEvent::Unclaimed { listen, waiting });
                None
            }
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

enum Over {
    Stopped,
    TimeIsUp,
}

/// Between attempts to open the offer's socket.
const OPEN_AGAIN: Duration = Duration::from_millis(20);
