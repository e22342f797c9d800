//! The VM as a node sees it, on both engines.

mod async_calls;
mod base_rows;
mod big_int_rows;
mod construction;
mod deploy;
mod ethereum_calls;
mod ethereum_rows;
mod execution_rows;
mod fault_texts;
mod faults;
mod gas;
mod host_functions;
mod memory_edges;
mod nested;
mod rows;
mod storage;
