//! What a signal asks of the daemon: SIGHUP reads the configuration again, SIGTERM and SIGINT end it in order.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Reload,
    Stop,
}

/// The signals that are watched; one that can't be is told once, and never comes.
pub(crate) struct Signals {
    term: Option<Signal>,
    int: Option<Signal>,
    hup: Option<Signal>,
}

/// Wishes to read the configuration again, from the first moment on: one that comes during the start is kept for its end.
pub(crate) struct Reloads(Option<Signal>);

impl Reloads {
    pub(crate) fn watch() -> Reloads {
        Reloads(watched(SignalKind::hangup()))
    }
}

impl Signals {
    /// The others end a daemon that still starts at once.
    pub(crate) fn watch(reloads: Reloads) -> Signals {
        Signals {
            term: watched(SignalKind::terminate()),
            int: watched(SignalKind::interrupt()),
            hup: reloads.0,
        }
    }

    /// The next one.
    pub(crate) async fn next(&mut self) -> Wanted {
        tokio::select! {
            biased;
            () = comes(&mut self.term) => Wanted::Stop,
            () = comes(&mut self.int) => Wanted::Stop,
            () = comes(&mut self.hup) => Wanted::Reload,
        }
    }
}

fn watched(kind: SignalKind) -> Option<Signal> {
    signal(kind)
        .inspect_err(|error| tracing::warn!(?kind, %error, "this signal can't be watched"))
        .ok()
}

async fn comes(signal: &mut Option<Signal>) {
    let came = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if came.is_none() {
        std::future::pending().await
    }
}
