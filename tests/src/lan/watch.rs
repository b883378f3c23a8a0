//! Sees where a service's address is and where its server runs, all the time, on both hosts at once.
//!
//! A look at two namespaces is never one moment. Each host is looked at by a thread of its own, which keeps for every
//! stretch the moments of the first and the last look that saw it: both hosts had it *at once* where two such stretches
//! overlap, and nothing that happened between two looks can make it seem so.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::ifaddrs::getifaddrs;

use super::Lan;
use crate::cluster::HOSTS;
use crate::servers::Owned;

/// Between two looks: shorter than any handing over.
const LOOK: Duration = Duration::from_millis(5);
/// After a longer pause on a busy machine a stretch is not known to have gone on: an address can go and come back.
const GAP: Duration = Duration::from_millis(60);

/// A stretch of time in which a host was seen with something at every look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The first look that saw it.
    pub from: Instant,
    /// The last one.
    pub to: Instant,
}

/// What one host was seen with.
#[derive(Debug, Clone, Default)]
struct Seen {
    address: Stretches,
    server: Stretches,
}

/// The stretches of one thing; the last one may still go on.
#[derive(Debug, Clone, Default)]
struct Stretches {
    all: Vec<Sighting>,
    open: bool,
}

/// A watch over one service; ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    hosts: [Arc<Mutex<Seen>>; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Watches an address, and the servers whose pid files these are; each belongs to the folder of its host.
    pub fn start(lan: &Lan, address: Ipv4Addr, servers: [(PathBuf, PathBuf); 2]) -> Result<Watch> {
        let stop = Arc::new(AtomicBool::new(false));
        let hosts: [Arc<Mutex<Seen>>; 2] = Default::default();
        let mut threads = Vec::new();
        for ((host, seen), (pid_file, folder)) in HOSTS.iter().zip(&hosts).zip(servers) {
            let (stop, seen) = (Arc::clone(&stop), Arc::clone(seen));
            threads.push(lan.within(host, move || {
                while !stop.load(Ordering::Relaxed) {
                    look(&seen, address, &pid_file, &folder);
                    std::thread::sleep(LOOK);
                }
            })?);
        }
        Ok(Watch { stop, hosts, threads })
    }

    /// How often both hosts had the address at once; each with how long.
    pub fn both_had_the_address(&self) -> Vec<Duration> {
        self.overlaps(|seen| &seen.address)
    }

    /// How often the servers of both hosts ran at once; each with how long.
    pub fn both_servers_ran(&self) -> Vec<Duration> {
        self.overlaps(|seen| &seen.server)
    }

    /// Forgets what was seen so far.
    pub fn forget(&self) {
        for seen in &self.hosts {
            *seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
        }
    }

    fn overlaps(&self, what: fn(&Seen) -> &Stretches) -> Vec<Duration> {
        let [alpha, beta] = &self.hosts;
        let alpha = what(&alpha.lock().unwrap_or_else(PoisonError::into_inner)).clone();
        let beta = what(&beta.lock().unwrap_or_else(PoisonError::into_inner)).clone();
        overlaps(&alpha.all, &beta.all)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ended = thread.join();
        }
    }
}

fn look(seen: &Mutex<Seen>, address: Ipv4Addr, pid_file: &Path, folder: &Path) {
    let began = Instant::now();
    let has = getifaddrs().is_ok_and(|mut all| {
        all.any(|found| {
            let ip = found
                .address
                .and_then(|a| a.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip())));
            ip == Some(IpAddr::V4(address))
        })
    });
    let runs = Owned::by_pid_file(pid_file, folder).is_some();
    let ended = Instant::now();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    note(&mut seen.address, has, began, ended);
    note(&mut seen.server, runs, began, ended);
}

/// A look takes time: what it saw was there at some moment between its beginning and its end. A stretch begins at the
/// end of its first look and ends at the beginning of its last one, so that it is never longer than what was there.
fn note(stretches: &mut Stretches, present: bool, began: Instant, ended: Instant) {
    if present {
        match stretches.all.last_mut().filter(|_| stretches.open) {
            Some(last) if began.saturating_duration_since(last.to) <= GAP => last.to = began.max(last.from),
            _ => stretches.all.push(Sighting { from: ended, to: ended }),
        }
    }
    stretches.open = present;
}

fn overlaps(first: &[Sighting], second: &[Sighting]) -> Vec<Duration> {
    let mut found = Vec::new();
    for a in first {
        for b in second {
            let (from, to) = (a.from.max(b.from), a.to.min(b.to));
            if to > from {
                found.push(to.duration_since(from));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_were_seen_with_at_once_counts() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let (mut alpha, mut beta) = (Stretches::default(), Stretches::default());
        // Alpha: looks that end at 10, 20, 30 see it, the one at 40 does not. Beta: from 35 on.
        for (ms, present) in [(10, true), (20, true), (30, true), (40, false), (50, false)] {
            note(&mut alpha, present, at(ms - 1), at(ms));
        }
        for (ms, present) in [(25, false), (35, true), (45, true)] {
            note(&mut beta, present, at(ms - 1), at(ms));
        }
        assert_eq!(overlaps(&alpha.all, &beta.all), []);
        // Alpha has it again, while beta has not let go.
        note(&mut alpha, true, at(59), at(60));
        note(&mut alpha, true, at(79), at(80));
        note(&mut beta, true, at(74), at(75));
        assert_eq!(overlaps(&alpha.all, &beta.all), [Duration::from_millis(14)]);
        // Nobody looked at alpha for long: it may have lost what it has, and got it back.
        note(&mut beta, true, at(124), at(125));
        note(&mut beta, false, at(174), at(175));
        note(&mut alpha, true, at(199), at(200));
        assert_eq!(overlaps(&alpha.all, &beta.all), [Duration::from_millis(19)]);
    }
}
