//! The VM as a node sees it, on both engines.

mod async_calls;
mod construction;
mod deploy;
mod faults;
mod gas;
mod gas_limits;
mod gas_vectors;
mod gas_vectors_async;
mod host_functions;
mod nested;
mod random_calls;
mod random_memory;
mod storage;
