//! The listening socket: accepts, bounds, and ends in order.
//!
//! Invariant: streams of events are told to end first, so that a shutdown never waits for a reader who stays.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

/// Who is connected.
#[derive(Clone, Copy)]
pub(crate) struct RemoteAddress(pub(crate) SocketAddr);

/// Turns true when the daemon ends; streams end with it.
#[derive(Clone)]
pub(crate) struct Closing(pub(crate) watch::Receiver<bool>);

/// Serves until `shutdown` is ready, then lets the requests under way end.
///
/// # Errors
/// When the listening socket can't be used at all.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
    listener.local_addr()?;
    let (close, closing) = watch::channel(false);
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, address, slot) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the API can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        connection(
            stream,
            address,
            slot,
            router.clone(),
            Closing(closing.clone()),
            &graceful,
        );
    }
    drop(listener);
    close.send_replace(true);
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::info!("requests were still under way when the API ended");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.accept().await?;
    // Events are small writes that must not wait for more.
    stream.set_nodelay(true)?;
    Ok((stream, address, slot))
}

fn connection(
    stream: TcpStream,
    address: SocketAddr,
    slot: OwnedSemaphorePermit,
    router: Router,
    closing: Closing,
    graceful: &GracefulShutdown,
) {
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(RemoteAddress(address));
        request.extensions_mut().insert(closing.clone());
        let answer = router.clone().oneshot(request.map(Body::new));
        async move { answer.await.map_err(|never: Infallible| never) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION);
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%address, %error, "a connection ended");
        }
        drop(slot);
    });
}

/// More than all operators, peers' tools and load balancers of one host need; each costs a few kilobytes.
const MAX_CONNECTIONS: usize = 512;

/// A client that does not finish its headers by then is not one.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// How long requests under way may take once the daemon ends.
const GRACE: Duration = Duration::from_secs(3);

/// After an error of `accept` (out of descriptors): try again, without a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A page needs a handful.
const MAX_STREAMS_PER_CONNECTION: u32 = 32;
