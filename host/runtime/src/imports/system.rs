//! `system`: what the machine says of itself.

use crate::bindings::understudy::plugin::system::{Host, Reading};
use crate::bindings::understudy::plugin::types::HostError;
use crate::capability::Ask;
use crate::convert;
use crate::imports::refuse;
use crate::readings;
use crate::state::CallState;

impl Host for CallState {
    async fn read(&mut self, prefix: String) -> wasmtime::Result<Result<Vec<Reading>, HostError>> {
        let _entered = self.enter("system.read".to_owned());
        let target = match self.granted(&Ask::System) {
            Ok(target) => target,
            Err(denial) => return Ok(Err(refuse::denied(denial))),
        };
        let mut all = readings::of_machine(&prefix).await;
        if readings::may_begin_with("disk.", &prefix) {
            all.extend(self.disks.read(&target.disks, self.remaining()).await);
        }
        all.retain(|reading| reading.key.starts_with(&prefix));
        Ok(Ok(all.into_iter().map(convert::reading_to_guest).collect()))
    }
}
