//! The VM as a node sees it, on both engines.

mod async_calls;
mod base_rows;
mod big_int_rows;
mod construction;
mod creation;
mod delegation;
mod deploy;
mod determinism;
mod ethereum_calls;
mod ethereum_rows;
mod execution_rows;
mod fault_texts;
mod faults;
mod gas;
mod host_functions;
mod memory_edges;
mod nested;
mod promises;
mod quirks_async;
mod quirks_ethereum;
mod quirks_gas;
mod quirks_host;
mod quirks_memory_and_api;
mod rows;
mod storage;
mod texts;
