//! Arwen: a WASM virtual machine for smart contracts that a blockchain node runs as a child process.
#![warn(missing_docs)]

pub mod frame;
pub mod hooks;
pub mod logs;
pub mod messages;
#[cfg(feature = "vm")]
pub mod vm;
