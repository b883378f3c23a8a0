//! What `docs/faults.md` says of each fault.

use super::fault::Fault;

/// Its title, and how it is done.
pub(super) fn describe(fault: Fault) -> (&'static str, &'static str) {
    match fault {
        Fault::Killed => (
            "The host's daemon is killed",
            "SIGKILL right after the journal's line is durable, and once more right after the actions have begun. The daemon is \
             started again after a tenth of a second.",
        ),
        Fault::Frozen => (
            "The host's daemon stands still",
            "SIGSTOP right after the line is durable, SIGCONT after 3.5 s: longer than every timer of the pair.",
        ),
        Fault::Parted => (
            "The hosts don't hear each other",
            "Every packet between them is dropped for 3.5 s, in both directions; clients reach both.",
        ),
        Fault::Mute => (
            "The other host does not hear it",
            "Packets are dropped in that one direction for 3.5 s.",
        ),
        Fault::Deaf => (
            "It does not hear the other host",
            "Packets are dropped in the other direction for 3.5 s.",
        ),
        Fault::DiskFull => (
            "The disk of the host's store is full",
            "From the moment in which the line is durable, for 3.5 s. What can't be stored did not happen.",
        ),
        Fault::ReadOnly => (
            "The disk of the host's store is read-only",
            "SIGKILL right after the line is durable; for 3.5 s the daemon is started again and again and finds the disk \
             read-only. It refuses each time; then the disk is writable again.",
        ),
        Fault::Damaged => (
            "Bytes of the host's store are overwritten while it is down",
            "SIGKILL right after the line is durable; 64 bytes of every page of the database and of its log are overwritten, \
             and the daemon is started. Where it refuses, the operator does as it says and moves the store away, after the \
             other host serves. Where the right to serve was lost with the store, the operator switches the machine off and \
             tells the other one so.",
        ),
        Fault::Overwritten => (
            "Bytes of the host's store are overwritten while it runs",
            "The same bytes, right after the line is durable, under the running daemon. After 3.5 s it is killed and started \
             again; where it refuses, the operator does the same.",
        ),
        Fault::Reloaded => (
            "The configuration is read again",
            "A setting is changed and SIGHUP sent, right after the line is durable; once for every role of each host.",
        ),
    }
}
