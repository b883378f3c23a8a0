//! The sandbox's engine: how it runs guests, where their memories come from, what is linked.
//!
//! Every call has an instance of its own. Making one from nothing is a handful of mappings that the kernel makes, fills page
//! by page and takes away again, and that costs several times what a probe does; so memories and stacks come from a pool
//! whose places are wiped and used again. The pool is address space, hardly memory; a machine that does not even have
//! that much of it goes without the pool.
//!
//! Invariant: the pool's bounds are never what a guest meets first: those of `limits.rs` and `state.rs` are.

use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::bindings::Server;
use crate::limits::CALLS_AT_ONCE;
use crate::state::CallState;

pub(crate) fn engine() -> wasmtime::Result<Engine> {
    let mut pooled = settings();
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    Engine::new(&pooled).or_else(|error| {
        tracing::info!(error = %format_args!("{error:#}"), "no pool for the plugins' memories: calls cost more");
        Engine::new(&settings())
    })
}

pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Server::add_to_linker::<_, HasSelf<CallState>>(&mut linker, |state| state)?;
    Ok(linker)
}

fn settings() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES))
        .max_wasm_stack(GUEST_STACK_BYTES)
        .async_stack_size(CALL_STACK_BYTES);
    config
}

fn pool() -> PoolingAllocationConfig {
    let calls = u32::try_from(CALLS_AT_ONCE).unwrap_or(u32::MAX);
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls * CORE_INSTANCES)
        .total_memories(calls * MEMORIES)
        .total_tables(calls * TABLES)
        .total_stacks(calls)
        .max_component_instance_size(METADATA_BYTES)
        .max_core_instance_size(METADATA_BYTES)
        .max_memories_per_module(MEMORIES)
        .max_tables_per_module(TABLES)
        .table_elements(TABLE_ELEMENTS)
        .pagemap_scan(Enabled::Auto);
    // Where the kernel can say which pages were written, only those are wiped; elsewhere all of them would be.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        pool.linear_memory_keep_resident(KEPT_BYTES)
            .table_keep_resident(KEPT_BYTES);
    }
    pool
}

/// Kept of a trap.
const BACKTRACE_FRAMES: usize = 32;
/// What a guest may use of the stack.
const GUEST_STACK_BYTES: usize = 512 << 10;
/// The guest's stack and the host functions' on top of it.
const CALL_STACK_BYTES: usize = 2 << 20;

/// Core instances of a component for which there is room in every call at once; languages' runtimes have about twenty.
const CORE_INSTANCES: u32 = 64;
/// Memories of a component, as above: nearly all have one. Each takes 4 GiB of addresses.
const MEMORIES: u32 = 4;
/// Tables of a component, as above.
const TABLES: u32 = 8;
/// The largest table known, of a large program in a language with many small functions, has some ten thousand.
const TABLE_ELEMENTS: usize = 1 << 18;
/// The engine's own notes of one instance: 1 MiB by default, which large components come near to.
const METADATA_BYTES: usize = 16 << 20;
/// Written pages that stay with their place in the pool: what a small plugin writes in one call.
const KEPT_BYTES: usize = 2 << 20;
