//! `sockets`: the connections of the service's own ports.

use std::collections::VecDeque;

use wasmtime::component::Resource;

use crate::bindings::understudy::plugin::sockets::{ConnectionInfo, Host, HostListing};
use crate::bindings::understudy::plugin::types::HostError;
use crate::capability::Ask;
use crate::convert;
use crate::imports::ledger::PAGE;
use crate::imports::refuse;
use crate::sockets::{self, Connection};
use crate::state::CallState;

/// A listing, as of when it was asked for.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Listing {
    total: u64,
    left: VecDeque<Connection>,
}

impl Host for CallState {
    async fn list_connections(&mut self) -> wasmtime::Result<Result<Resource<Listing>, HostError>> {
        let _entered = self.enter("sockets.list-connections".to_owned());
        let target = match self.granted(&Ask::Sockets) {
            Ok(target) => target,
            Err(denial) => return Ok(Err(refuse::denied(denial))),
        };
        let listed = tokio::task::spawn_blocking(move || {
            let mut listed = sockets::of_ports(&target.ports)?;
            if let Some(annotator) = &target.annotator {
                for connection in &mut listed {
                    // What the daemon knows is nearer to the truth than what the kernel's counters suggest.
                    let known = annotator.annotate(connection.local, connection.remote);
                    connection
                        .attributes
                        .retain(|(key, _)| known.iter().all(|(better, _)| better != key));
                    connection.attributes.extend(known);
                }
            }
            Ok::<_, std::io::Error>(listed)
        });
        match listed.await {
            Ok(Ok(listed)) => {
                let listing = Listing {
                    total: listed.len() as u64,
                    left: listed.into(),
                };
                Ok(Ok(self.table.push(listing)?))
            }
            Ok(Err(error)) => Ok(Err(refuse::failed(format!("the kernel's list of sockets: {error}")))),
            Err(error) => Ok(Err(refuse::failed(format!("the list of sockets: {error}")))),
        }
    }
}

impl HostListing for CallState {
    async fn total(&mut self, listing: Resource<Listing>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&listing)?.total)
    }

    async fn next(&mut self, listing: Resource<Listing>, max: u32) -> wasmtime::Result<Vec<ConnectionInfo>> {
        let max = usize::try_from(max).unwrap_or(PAGE).clamp(1, PAGE);
        let left = &mut self.table.get_mut(&listing)?.left;
        let page = left.drain(..max.min(left.len()));
        Ok(page.map(convert::connection_to_guest).collect())
    }

    async fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.table.delete(listing)?;
        Ok(())
    }
}
