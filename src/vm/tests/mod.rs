//! The VM as a node sees it, on both engines.

mod async_calls;
mod construction;
mod creation;
mod delegation;
mod deploy;
mod determinism;
mod faults;
mod gas;
mod gas_limits;
mod gas_vectors;
mod gas_vectors_async;
mod host_functions;
mod nested;
mod promises;
mod quirks_async;
mod quirks_ethereum;
mod quirks_gas;
mod quirks_host;
mod quirks_memory_and_api;
mod random_calls;
mod random_memory;
mod storage;
mod texts;
