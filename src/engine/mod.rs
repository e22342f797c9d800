//! The engine: runs wasm, counts points, and knows nothing of contracts.
//!
//! A contract's bytes are checked ([`validation`]), rewritten so that they count their own points and stack slots
//! ([`instrument`]), and compiled by an [`Engine`]. What is counted is written into the wasm itself, so every engine
//! counts the same.
//!
//! Who owns what: an [`Instance`] is owned by the code that runs it, never by the host, and a running instance owns the
//! host: [`Instance::call`] takes it and gives it back. So a host function has the host and its own instance, both
//! mutably, without shared state or unsafe code, and may run other instances meanwhile.

mod border;
pub mod cache;
pub(crate) mod compile_cost;
pub mod disk;
pub(crate) mod failure;
mod frames;
pub mod function_names;
pub mod instrument;
mod interface;
pub mod opcode_costs;
pub mod tiers;
pub mod validation;
pub mod wasmer;
pub(crate) mod wasmi_engine;

#[cfg(test)]
mod tests;

pub use border::{
    Abort, ExportedFunction, HostCalls, ImportTable, ImportedFunction, InstanceAccess,
    MAXIMUM_MEMORY_PAGES, ModuleIdentity, OutOfBounds, ValueType,
};
pub use failure::{EngineError, InstantiationError, MachineFailure};
pub use interface::{
    CallEnd, CompiledModule, Engine, Instance, InstanceCounters, ModuleState, TierCounters,
};
