//! How much a plugin may use in one call. Every bound has its reason beside it.
//!
//! Invariant: whatever a plugin does, a call ends, and what it cost is bounded by these numbers.

use std::time::Duration;

/// The bounds of one call of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory that the guest may own, over all its linear memories and tables.
    pub memory_bytes: usize,
    /// The longest a call may take, whatever its caller allows.
    pub call_time: Duration,
    /// Bytes that cross the boundary from the guest in one host call or in the answer.
    pub answer_bytes: usize,
    /// Log lines in one call.
    pub log_lines: u32,
    /// Bytes of log in one call.
    pub log_bytes: usize,
    /// Connections open at once in one call.
    pub connections: usize,
    /// Requests that one listing may hold.
    pub requests: u64,
    /// When a plugin that keeps failing is left alone for a while.
    pub breaker: BreakerPolicy,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: MEMORY_BYTES,
            call_time: CALL_TIME,
            answer_bytes: ANSWER_BYTES,
            log_lines: LOG_LINES,
            log_bytes: LOG_BYTES,
            connections: CONNECTIONS,
            requests: REQUESTS,
            breaker: BreakerPolicy::default(),
        }
    }
}

/// After how many failures in a row a plugin is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Failures of the plugin itself, in a row, that open the breaker; at least 1.
    pub failures: u32,
    /// How long it stays open the first time; each further failure doubles it.
    pub first: Duration,
    /// The longest it stays open.
    pub longest: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self {
            failures: BREAKER_FAILURES,
            first: BREAKER_FIRST,
            longest: BREAKER_LONGEST,
        }
    }
}

/// Drain calls are never left alone for longer: a takeover waits for them.
pub(crate) const DRAIN_BREAKER_LONGEST: Duration = Duration::from_secs(5);

/// Calls that run at once, over all plugins: bounds the memory of all guests together.
pub(crate) const CALLS_AT_ONCE: usize = 64;

/// A Python guest, the largest kind measured, needs about 60 MB.
const MEMORY_BYTES: usize = 128 << 20;
/// Calls are meant to be short: what takes longer answers `working` and is called again.
const CALL_TIME: Duration = Duration::from_secs(60);
/// A full page of 4096 requests takes about 2 MB.
const ANSWER_BYTES: usize = 8 << 20;
/// Far above what a person would read of one call, far below what hurts the journal.
const LOG_LINES: u32 = 1_000;
/// 256 bytes for each of the lines.
const LOG_BYTES: usize = 256 << 10;
/// The number that the interface promises.
const CONNECTIONS: usize = 16;
/// A server with more requests in progress than this is described by a sample, not by a list.
const REQUESTS: u64 = 1_000_000;
/// One lost answer is noise, three in a row are the plugin's.
const BREAKER_FAILURES: u32 = 3;
/// About one probe interval.
const BREAKER_FIRST: Duration = Duration::from_secs(5);
/// A mended plugin is noticed within this time.
const BREAKER_LONGEST: Duration = Duration::from_secs(300);
