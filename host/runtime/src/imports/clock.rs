//! `clock`: how much time is left, and sleeping no longer than that.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::bindings::understudy::plugin::clock::Host;
use crate::state::CallState;

impl Host for CallState {
    async fn remaining_ms(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.remaining().as_millis()).unwrap_or(u64::MAX))
    }

    async fn now_ms(&mut self) -> wasmtime::Result<u64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    async fn sleep_ms(&mut self, ms: u64) -> wasmtime::Result<()> {
        let _entered = self.enter("clock.sleep-ms".to_owned());
        let pause = Duration::from_millis(ms).min(self.remaining());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.cancellation.cancelled() => {}
        }
        Ok(())
    }

    async fn cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.cancellation.is_cancelled())
    }
}
