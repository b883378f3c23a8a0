//! Skeleton.
mod bindings;
mod imports {
    pub mod endpoints { pub struct Connection; }
    pub mod sockets { pub struct Listing; }
    pub mod ledger { pub struct RequestSink; pub struct RequestSource; pub struct DispositionSink; }
}
