//! The VM as a node sees it, on both engines.

mod async_calls;
mod construction;
mod deploy;
mod faults;
mod gas;
mod host_functions;
mod nested;
mod storage;
