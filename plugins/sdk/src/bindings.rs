//! What `wit-bindgen` writes from `wit/`, for the world `server`, which has all the others in it.
//!
//! A component must say which world it is of. [`worlds`] has that sentence for each, encoded by `build.rs`: `export!` puts the
//! right one into the component, and of the exports below only those of that world.
//!
//! Nobody outside this crate needs to name this module: `export!` does.
#![allow(missing_docs, unreachable_pub, clippy::all)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "server",
    pub_export_macro: true,
    export_macro_name: "export_every_interface",
    default_bindings_module: "understudy_plugin::bindings",
    additional_derives: [PartialEq],
});

/// The encoded worlds, for the component's `component-type` section.
pub mod worlds {
    include!(concat!(env!("OUT_DIR"), "/worlds.rs"));
}
