//! What is wrong with an address now, as far as its events tell: what an operator must see although it happened earlier.
//!
//! Invariant: a trouble goes when its end is told, when the address is given up, or, where nobody tells an end, some
//! time after it was told last.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::AddressEvent;

/// The standing troubles of one address. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Troubles(Arc<Mutex<Vec<Trouble>>>);

#[derive(Debug)]
struct Trouble {
    about: About,
    text: String,
    /// None: until its end is told.
    until: Option<Instant>,
}

/// Troubles about the same are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Duplicate(IpAddr, [u8; 6]),
    Missing(IpAddr),
    Leftover(IpAddr),
    Announcing(IpAddr),
    Accepting(SocketAddr),
    Link,
}

impl Troubles {
    /// Follows the events for as long as there are any. Must be called within a tokio runtime.
    pub(crate) fn follow(&self, mut events: broadcast::Receiver<AddressEvent>) {
        let troubles = self.clone();
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    Ok(event) => troubles.note(&event, Instant::now()),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }

    /// Each in words, in the order in which they began.
    pub(crate) fn standing(&self, now: Instant) -> Vec<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|trouble| trouble.until.is_none_or(|until| now < until));
        all.iter().map(|trouble| trouble.text.clone()).collect()
    }

    fn note(&self, event: &AddressEvent, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            AddressEvent::Dropped => all.clear(),
            AddressEvent::Restored { address } => all.retain(|trouble| trouble.about != About::Missing(*address)),
            AddressEvent::LinkChanged { up: true } => all.retain(|trouble| trouble.about != About::Link),
            _ => {}
        }
        let Some((about, lasts)) = about(event) else { return };
        let trouble = Trouble {
            about,
            text: format!("{}: {event}", event.name()),
            until: lasts.map(|lasts| now + lasts),
        };
        if let Some(known) = all.iter_mut().find(|known| known.about == about) {
            *known = trouble;
        } else if all.len() < MOST {
            all.push(trouble);
        }
    }
}

/// What a trouble is about, and how long it counts; none: no trouble.
fn about(event: &AddressEvent) -> Option<(About, Option<Duration>)> {
    match event {
        AddressEvent::DuplicateSeen { address, link } => Some((About::Duplicate(*address, *link), Some(REPEATED))),
        AddressEvent::RestoreFails { address, .. } => Some((About::Missing(*address), None)),
        AddressEvent::LeftoverRemoved { address } => Some((About::Leftover(*address), Some(TOLD_ONCE))),
        AddressEvent::AnnounceFails { address, .. } => Some((About::Announcing(*address), Some(REPEATED))),
        AddressEvent::AcceptFails { listen, .. } => Some((About::Accepting(*listen), Some(TOLD_ONCE))),
        AddressEvent::LinkChanged { up: false } => Some((About::Link, None)),
        _ => None,
    }
}

/// What lasts is told again at least every ten seconds; a lost frame or two must not hide it.
const REPEATED: Duration = Duration::from_secs(35);
/// Long enough to be seen by somebody who looks every minute or so.
const TOLD_ONCE: Duration = Duration::from_secs(120);
/// A flood of invented duplicates must not fill the page.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn troubles_stand_until_they_end() {
        let troubles = Troubles::default();
        let address: IpAddr = "192.0.2.10".parse().unwrap();
        let now = Instant::now();
        let duplicate = AddressEvent::DuplicateSeen { address, link: [2; 6] };
        troubles.note(&duplicate, now);
        troubles.note(&duplicate, now + Duration::from_secs(10));
        let missing = AddressEvent::RestoreFails {
            address,
            error: "no".to_owned(),
        };
        troubles.note(&missing, now);
        let standing = troubles.standing(now + Duration::from_secs(40));
        assert_eq!(standing.len(), 2, "{standing:?}");
        assert!(standing[0].starts_with("address-duplicate: ") && standing[0].contains("02:02:02:02:02:02"));
        assert_eq!(troubles.standing(now + Duration::from_secs(46)).len(), 1);
        troubles.note(&AddressEvent::Restored { address }, now);
        assert_eq!(troubles.standing(now), [""; 0]);
        troubles.note(&AddressEvent::LinkChanged { up: false }, now);
        assert_eq!(troubles.standing(now + Duration::from_secs(9999)).len(), 1);
        troubles.note(&AddressEvent::Dropped, now);
        assert_eq!(troubles.standing(now), [""; 0]);
    }
}
