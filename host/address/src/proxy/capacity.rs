//! How many flows fit into this process's descriptors.
//!
//! A flow needs two. If clients took them all, no flow would get its second, for the server, and all would wait for
//! each other: so clients beyond the capacity wait in the listening socket's queue.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process have as many descriptors as its hard limit permits.
pub(super) fn raise() {
    let limit = getrlimit(Resource::Nofile);
    // Without success there are simply fewer flows.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    );
}

/// How many flows this process can have at once.
pub(super) fn flows() -> usize {
    let descriptors = getrlimit(Resource::Nofile)
        .current
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    // The rest of the daemon opens files too.
    let reserve = (descriptors / 4).min(MOST_RESERVED);
    (descriptors - reserve) / 2
}

/// Enough for store, plugins, peers and API.
const MOST_RESERVED: usize = 512;
