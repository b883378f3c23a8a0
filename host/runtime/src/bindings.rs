//! What `wit/` says, as Rust: generated, never written by hand.
//!
//! One set of bindings serves every world: `server` is the union, and a component that exports only a part
//! of it is bound interface by interface (`exports::…::GuestIndices`). Only `convert.rs`, the imports and the
//! calls may name these types; nothing of them leaves the crate.

#![allow(missing_docs, unreachable_pub, clippy::all)]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "server",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "understudy:plugin/endpoints.connection": crate::imports::endpoints::Connection,
        "understudy:plugin/sockets.listing": crate::imports::sockets::Listing,
        "understudy:plugin/ledger.request-sink": crate::imports::ledger::RequestSink,
        "understudy:plugin/ledger.request-source": crate::imports::ledger::RequestSource,
        "understudy:plugin/ledger.disposition-sink": crate::imports::ledger::DispositionSink,
    },
});
