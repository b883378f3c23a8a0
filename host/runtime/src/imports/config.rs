//! `config`: the operator's configuration of this plugin for this target, and its secrets.

use crate::bindings::understudy::plugin::config::Host;
use crate::bindings::understudy::plugin::types::HostError;
use crate::capability::Ask;
use crate::imports::refuse;
use crate::state::CallState;

impl Host for CallState {
    async fn json(&mut self) -> wasmtime::Result<String> {
        Ok(self
            .target
            .as_ref()
            .map_or_else(|| "{}".to_owned(), |target| target.config.clone()))
    }

    async fn secret(&mut self, name: String) -> wasmtime::Result<Result<Vec<u8>, HostError>> {
        Ok(self.find_secret(name).map_err(refuse::denied))
    }
}

impl CallState {
    fn find_secret(&self, name: String) -> Result<Vec<u8>, crate::capability::Denial> {
        let ask = Ask::Secret(name.clone());
        let target = self.granted(&ask)?;
        let secret = target
            .secrets
            .get(&name)
            .ok_or_else(|| self.rights.not_declared(&ask))?;
        Ok(secret.reveal().to_vec())
    }
}
