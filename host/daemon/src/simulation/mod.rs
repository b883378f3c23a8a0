//! The whole daemon in a world of chance: the real driver, effects, probes and store of two or three hosts, with the
//! network, the disks, the plugins, the servers and the clocks simulated, and everything that can go wrong going wrong.
//!
//! ```text
//!  storm.rs ── faults, orders ──►  world.rs  (every host's machine, server, disk; what has happened so far)
//!                                     │  ▲
//!   hosts.rs: real driver + effects ──┘  └── network.rs   disk.rs, memory.rs   server.rs, door.rs, plugin.rs
//!                                              (behind the traits of `edges/`)
//!  rules.rs after every step; calm.rs when the storm is over
//! ```
//! Invariants: a run depends on nothing but its seed; what is checked is what the world sees (who admits clients, what
//! is on the disks), never what a machine believes.
//!
//! `SEEDS=n` runs so many, `SEED=n` replays one with its trace. Seeds that once failed are in `failed-seeds.txt` and
//! are always replayed.

mod alike;
mod calm;
mod clients;
mod dice;
mod disk;
mod door;
mod hosts;
mod memory;
mod network;
mod orders;
mod plugin;
mod rules;
mod run;
mod server;
mod settings;
mod storm;
mod time;
mod trace;
mod world;
