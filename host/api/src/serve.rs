//! The listening socket: accepts, bounds, and ends in order.
//!
//! HTTP/1.1 only: browsers speak HTTP/2 over TLS alone, and telling the two apart would let a silent client wait
//! for ever.
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
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
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
    serve_within(LIMITS, listener, router, shutdown).await
}

/// The bounds of the listening socket.
#[derive(Clone, Copy)]
struct Limits {
    connections: usize,
    header_time: Duration,
    grace: Duration,
}

async fn serve_within(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    listener.local_addr()?;
    let (close, closing) = watch::channel(false);
    let server = Server {
        limits,
        router,
        closing: Closing(closing),
        graceful: GracefulShutdown::new(),
    };
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => match accepted {
                Ok((stream, address, slot)) => server.connection(stream, address, slot),
                Err(error) => {
                    tracing::warn!(%error, "the API can't accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    close.send_replace(true);
    if tokio::time::timeout(limits.grace, server.graceful.shutdown())
        .await
        .is_err()
    {
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
    // Events are small writes that must not wait for more. It fails when the client is gone already.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%address, %error, "a client left at once");
    }
    Ok((stream, address, slot))
}

struct Server {
    limits: Limits,
    router: Router,
    closing: Closing,
    graceful: GracefulShutdown,
}

impl Server {
    fn connection(&self, stream: TcpStream, address: SocketAddr, slot: OwnedSemaphorePermit) {
        let (router, closing) = (self.router.clone(), self.closing.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(RemoteAddress(address));
            request.extensions_mut().insert(closing.clone());
            let answer = router.clone().oneshot(request.map(Body::new));
            async move { answer.await.map_err(|never: Infallible| never) }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_time);
        let connection = self
            .graceful
            .watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%address, %error, "a connection ended");
            }
            drop(slot);
        });
    }
}

const LIMITS: Limits = Limits {
    // More than all operators, tools and load balancers of one host need; each costs a few kilobytes.
    connections: 512,
    // A client that does not finish its headers by then is not one; an idle connection is given back as well.
    header_time: Duration::from_secs(10),
    // How long requests under way may take once the daemon ends.
    grace: Duration::from_secs(3),
};

/// After an error of `accept` (out of descriptors): try again, without a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    async fn served(limits: Limits) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(async || "here");
        tokio::spawn(serve_within(limits, listener, router, std::future::pending()));
        address
    }

    /// Everything the server says until it closes.
    async fn said(stream: &mut TcpStream, request: &str) -> String {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        let closed = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await;
        closed.expect("the server closes").unwrap();
        text
    }

    #[tokio::test]
    async fn clients_that_say_nothing_are_sent_away() {
        let address = served(Limits {
            header_time: Duration::from_millis(100),
            ..LIMITS
        })
        .await;
        for beginning in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: local"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            assert!(!said(&mut stream, beginning).await.contains("here"), "{beginning:?}");
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        let answer = said(&mut stream, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        assert!(
            answer.ends_with("here"),
            "an idle connection is closed after its answer: {answer}"
        );
    }

    #[tokio::test]
    async fn one_more_than_allowed_waits_until_another_leaves() {
        let address = served(Limits {
            connections: 1,
            ..LIMITS
        })
        .await;
        let first = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        let asked = tokio::spawn(async move { said(&mut second, "GET / HTTP/1.0\r\n\r\n").await });
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!asked.is_finished(), "there is one place, and it is taken");
        drop(first);
        assert!(asked.await.unwrap().ends_with("here"));
    }
}
