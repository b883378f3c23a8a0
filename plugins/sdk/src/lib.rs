//! Writes an Understudy plugin in Rust.
//!
//! A plugin is a WebAssembly component. It looks after one type of server: a [`Probe`] says whether the server is well, a
//! [`Drain`] empties it, shuts it down and takes it over on another host. It reaches the world only by names that the
//! operator gave to things: endpoints, commands, secrets.
//!
//! A whole probe:
//!
//! ```
//! use understudy_plugin::prelude::*;
//!
//! struct Greeter;
//!
//! #[derive(Deserialize)]
//! #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
//! struct Config { path: String }
//! impl Default for Config { fn default() -> Self { Self { path: "/healthz".into() } } }
//!
//! impl Plugin for Greeter {
//!     type Config = Config;
//!     fn describe() -> Description {
//!         Description::new("greeter", "0.1.0", "Asks a greeter whether it still greets").looks_after("greeter").asks("endpoint:server")
//!     }
//! }
//!
//! impl Probe for Greeter {
//!     fn check(_call: &Call, config: &Config) -> Result<Report, PluginError> {
//!         Ok(match http::get("server", &config.path).send() {
//!             Ok(answer) if answer.status == 200 => Report::healthy(),
//!             Ok(answer) => Report::failing(Fault::shutdown_required("greeter-sulks", FaultKind::Software, "The greeter does not greet")
//!                 .evidence("http-status", answer.status)),
//!             Err(error) => Report::failing(Fault::shutdown_required("greeter-gone", FaultKind::Software, "The greeter does not answer")
//!                 .evidence("error", error.message)),
//!         })
//!     }
//! }
//!
//! understudy_plugin::export!(probe: Greeter);
//! # fn main() {}
//! ```
//!
//! `Cargo.toml` needs `crate-type = ["cdylib"]`; `cargo build --release --target wasm32-wasip2` gives the component.
//! `export!(drain: Type)` exports a [`Drain`], `export!(server: Type)` a type that is both.
//!
//! The code outside of `export!` also compiles for the machine you sit at, so that everything which does not call the host
//! can be tested with a plain `cargo test`. A call to the host panics there.
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[doc(hidden)]
pub mod bindings;
#[doc(hidden)]
pub mod glue;

mod attributes;
mod call;
mod configuration;
mod drain;
mod error;
mod fault;
mod plugin;
mod probe;
mod state;
mod stream;

pub mod host;
pub mod http;
pub mod prelude;

pub use attributes::{Attributes, AttributesExt};
pub use call::Call;
pub use configuration::parse as parse_config;
pub use drain::{Assessment, Drain, Manner, Refusal, ServerState, Status, Step};
pub use error::PluginErrorExt;
pub use fault::FaultExt;
pub use plugin::{Description, Diagnostic, Plugin};
pub use probe::{Probe, Report, Verdict};
pub use state::State;
pub use stream::Stream;

pub use bindings::understudy::plugin::types::{
    CallContext, Disposition, Expectation, Fault, FaultKind, HostError, Outcome, PluginError, Progress, RequestState,
    RequestStatus, SavedState, Severity, Target,
};

/// Makes the component out of a type: `export!(probe: Type)`, `export!(drain: Type)`, or `export!(server: Type)` for both.
///
/// It does nothing when the crate is built for another target than WebAssembly.
#[macro_export]
macro_rules! export {
    (probe: $plugin:ty) => {
        $crate::export!(@component $plugin, FAULT_PROBE,
            manifest __export_understudy_plugin_manifest_0_1_0_cabi,
            probe __export_understudy_plugin_probe_0_1_0_cabi);
    };
    (drain: $plugin:ty) => {
        $crate::export!(@component $plugin, DRAIN,
            manifest __export_understudy_plugin_manifest_0_1_0_cabi,
            drainer __export_understudy_plugin_drainer_0_1_0_cabi);
    };
    (server: $plugin:ty) => {
        $crate::export!(@component $plugin, SERVER,
            manifest __export_understudy_plugin_manifest_0_1_0_cabi,
            probe __export_understudy_plugin_probe_0_1_0_cabi,
            drainer __export_understudy_plugin_drainer_0_1_0_cabi);
    };
    (@component $plugin:ty, $world:ident, $($interface:ident $export:ident),*) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(missing_docs, unsafe_code)]
        mod understudy_component {
            use super::*;
            type Component = $crate::glue::Component<$plugin>;
            $($crate::bindings::exports::understudy::plugin::$interface::$export!(
                Component with_types_in $crate::bindings::exports::understudy::plugin::$interface
            );)*
            #[unsafe(link_section = "component-type:understudy-plugin")]
            pub static WORLD: [u8; $crate::bindings::worlds::$world.len()] = $crate::bindings::worlds::$world;
        }
    };
}
