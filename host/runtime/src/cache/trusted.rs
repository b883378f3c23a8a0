//! The one place that turns bytes into machine code, and the crate's only `unsafe`.
#![allow(unsafe_code)]

use wasmtime::Engine;
use wasmtime::component::Component;

/// The component in bytes that [`super::Cache`] has read back; none where they were made for another engine.
pub(super) fn component(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: the bytes must be what `Engine::precompile_component` made, unchanged. They come from a directory
    // that only this user may write (checked when it is opened), in a file that this program wrote, behind a
    // SHA-256 that was compared a moment ago. The engine's own header check refuses another version or setting.
    unsafe { Component::deserialize(engine, code) }.ok()
}
