//! The project's own plugins against real servers: every function of both sides, in the real sandbox.
//!
//! Needs the components in `plugins/dist` (made by `plugins/build`), `redis-server` and `nginx`. Each test has its own servers, on
//! free ports and in a folder of its own, and ends only what it started.

#![allow(clippy::unwrap_used)]

mod bed;
mod c_tcp;
mod http;
mod nginx;

mod redis;
mod redis_faults;
mod redis_load;
mod side;
