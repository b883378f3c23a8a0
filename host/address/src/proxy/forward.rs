//! The life of one flow: find a server, forward, and end or wait for another server.
//!
//! Invariant: a client whose request no server has seen is never cut while another server may come; a client whose
//! request is in progress is never given to another server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::ledger::{Account, Gate};
use super::origin;
use super::pump::{self, End};
use super::table::{Entry, Stage};
use crate::{AddressEvent, ProxyConfig};

/// What every flow of a proxy shares.
pub(super) struct Context {
    pub(super) config: ProxyConfig,
    pub(super) events: broadcast::Sender<AddressEvent>,
}

/// Forwards one client until its end, or parks it for the successor.
pub(super) async fn run(entry: Entry, client: TcpStream, context: Arc<Context>, mut stage: watch::Receiver<Stage>) {
    let account = entry.account().clone();
    let _ = client.set_nodelay(true);
    // An idle client that came from a predecessor needs a server only when it speaks; a new one may be spoken to first.
    let mut lazily = !account.history().untouched();
    loop {
        let server = match attach(&account, &client, &context, &mut stage, lazily).await {
            Attached::Server(server) => server,
            Attached::Leave => return entry.park(client),
            Attached::ClientGone => return,
            Attached::Unreachable(error) => {
                let _ = context.events.send(AddressEvent::ServerUnreachable {
                    client: account.client,
                    error: error.to_string(),
                });
                return close_in_order(&context, &account, client);
            }
        };
        match forward(&entry, &client, server, &context, &mut stage).await {
            After::Again => lazily = !account.history().untouched(),
            After::Close => return close_in_order(&context, &account, client),
            After::Reset => return pump::reset(client),
        }
        account.connected(None);
    }
}

enum Attached {
    Server(TcpStream),
    Leave,
    ClientGone,
    Unreachable(io::Error),
}

async fn attach(
    account: &Account,
    client: &TcpStream,
    context: &Context,
    stage: &mut watch::Receiver<Stage>,
    lazily: bool,
) -> Attached {
    let mut gate = account.gate();
    loop {
        let now = *stage.borrow_and_update();
        match now {
            Stage::Leaving => return Attached::Leave,
            Stage::Held => {
                let _ = stage.changed().await;
                continue;
            }
            Stage::Open => {}
        }
        if *gate.borrow_and_update() != Gate::Open {
            tokio::select! { _ = gate.changed() => {}, _ = stage.changed() => {} }
            continue;
        }
        tokio::select! {
            attached = connect_when_wanted(account, client, context, lazily) => return attached,
            _ = gate.changed() => {}
            _ = stage.changed() => {}
        }
    }
}

async fn connect_when_wanted(account: &Account, client: &TcpStream, context: &Context, lazily: bool) -> Attached {
    if lazily && !matches!(client.peek(&mut [0]).await, Ok(1..)) {
        return Attached::ClientGone;
    }
    match connect(&context.config).await {
        Ok(server) => {
            let _ = server.set_nodelay(true);
            if context.config.proxy_protocol
                && let Err(error) = pump::write_all(&server, &origin::header(account.client, account.listen)).await
            {
                return Attached::Unreachable(error);
            }
            account.connected(server.local_addr().ok());
            Attached::Server(server)
        }
        Err(error) => Attached::Unreachable(error),
    }
}

/// Connects to the server; repeats it for the whole patience, since the server may just be starting.
async fn connect(config: &ProxyConfig) -> io::Result<TcpStream> {
    let deadline = Instant::now() + config.connect_patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match timeout(ONE_ATTEMPT, TcpStream::connect(config.server)).await {
            Ok(Ok(server)) => return Ok(server),
            Ok(Err(error)) => error,
            Err(_) => io::Error::new(io::ErrorKind::TimedOut, format!("{} does not answer", config.server)),
        };
        if Instant::now() + pause >= deadline {
            return Err(error);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

enum After {
    /// Another server may continue.
    Again,
    /// The client is told that nothing more comes.
    Close,
    /// The client must see that something broke.
    Reset,
}

async fn forward(
    entry: &Entry,
    client: &TcpStream,
    server: TcpStream,
    context: &Context,
    stage: &mut watch::Receiver<Stage>,
) -> After {
    let account = entry.account();
    let after = {
        let upward = pump::upward(account, client, &server);
        let downward = pump::downward(account, client, &server);
        let leaving = leaving(stage.clone());
        tokio::pin!(upward, downward, leaving);
        let mut client_finished = false;
        let end = loop {
            tokio::select! {
                end = &mut downward => break Some(end),
                end = &mut upward, if !client_finished => match end {
                    // The server may still answer; so may one that takes nothing more (a refusal of a long upload).
                    End::Finished | End::ListenerBroke => client_finished = true,
                    End::SpeakerBroke => break Some(End::ListenerBroke),
                },
                // A server that stops in order waits for a connection on which nothing was ever said (nginx: a minute).
                () = held_back_unused(account) => return After::Again,
                () = &mut leaving => {
                    if !account.delivering() {
                        break None;
                    }
                    // A slow client still gets what its server said; nothing goes the other way any more.
                    entry.leave();
                    break timeout(DELIVERY, &mut downward).await.ok();
                }
            }
        };
        let stage_then = *stage.borrow();
        match server_ended(account, context, end, stage_then) {
            Some(after) => after,
            None => {
                pump::finish(client);
                let may_speak = *account.gate().borrow() == Gate::Open;
                if !client_finished && may_speak {
                    drain_client(account, stage.clone(), upward).await;
                }
                After::Close
            }
        }
    };
    if matches!(after, After::Reset) {
        pump::reset(server);
    }
    after
}

/// Ends when the client is held back and neither side has said anything: another server does as well.
async fn held_back_unused(account: &Account) {
    let mut gate = account.gate();
    loop {
        // The sender lives in the account, so waiting can't fail.
        let _ = gate.wait_for(|gate| *gate != Gate::Open).await;
        if account.history().untouched() {
            return;
        }
        let _ = gate.changed().await;
    }
}

/// What follows from the end of the server's side; none: the ordinary end of a flow. `end` is none where the proxy
/// leaves and the server has not ended the flow by itself.
fn server_ended(account: &Account, context: &Context, end: Option<End>, stage: Stage) -> Option<After> {
    let untouched = account.history().untouched();
    let nothing_lost = match stage {
        Stage::Open => account.still_quiet(),
        // A stopping server closes what it has not heard from; the client need not know.
        Stage::Held | Stage::Leaving => account.still_quiet() || untouched,
    };
    match end {
        Some(End::ListenerBroke) => Some(After::Reset),
        _ if nothing_lost && (untouched || (context.config.carry_idle && account.has_no_session())) => {
            Some(After::Again)
        }
        _ if nothing_lost => Some(After::Close),
        Some(End::Finished) => None,
        Some(End::SpeakerBroke) if !account.busy() => None,
        Some(End::SpeakerBroke) | None => Some(After::Reset),
    }
}

/// The server has finished: lets the client say what it still says, until it finishes or is silent for too long.
async fn drain_client(account: &Account, mut stage: watch::Receiver<Stage>, upward: impl Future<Output = End>) {
    tokio::pin!(upward);
    loop {
        tokio::select! {
            _ = &mut upward => return,
            _ = stage.wait_for(|stage| *stage == Stage::Leaving) => return,
            () = sleep(HALF_CLOSED) => if account.client_silence() >= HALF_CLOSED { return },
        }
    }
}

/// Ends when the proxy leaves and the server, which should be stopped, had time to say its last.
async fn leaving(mut stage: watch::Receiver<Stage>) {
    let _ = stage.wait_for(|stage| *stage == Stage::Leaving).await;
    sleep(LAST_WORDS).await;
}

/// Closes the client's side such that everything sent to it arrives: a close with unread bytes would be a reset.
fn close_in_order(context: &Context, account: &Account, client: TcpStream) {
    pump::finish(&client);
    let events = context.events.clone();
    let from = account.client;
    tokio::spawn(async move {
        let unread = discard(&client).await;
        if unread > 0 {
            let _ = events.send(AddressEvent::Unforwarded {
                client: from,
                bytes: unread,
            });
        }
    });
}

/// Reads until the client has closed too, or for [`CLOSING`]; says how much came.
async fn discard(client: &TcpStream) -> u64 {
    let deadline = Instant::now() + CLOSING;
    let mut sink = vec![0; 8 * 1024];
    let mut unread = 0;
    while let Ok(Ok(())) = timeout_at(deadline, client.readable()).await {
        match client.try_read(&mut sink) {
            Ok(0) => break,
            Ok(bytes) => unread += bytes as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
    }
    unread
}

/// A starting server is noticed quickly …
const FIRST_PAUSE: Duration = Duration::from_millis(5);
/// … and a missing one costs little.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// The server is on this machine: it answers at once or its queue is full.
const ONE_ATTEMPT: Duration = Duration::from_secs(2);
/// How long a slow client may take to read an answer whose server is gone.
const DELIVERY: Duration = Duration::from_secs(30);
/// How long a client may stay silent after the server has finished; the kernel gives up such a connection after 60 s too.
const HALF_CLOSED: Duration = Duration::from_secs(60);
/// The server is stopped when the proxy leaves: what it said is in the kernel already.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How long a closed client is read and ignored.
const CLOSING: Duration = Duration::from_secs(5);
