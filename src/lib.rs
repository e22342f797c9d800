//! Arwen: a WASM virtual machine for smart contracts that a blockchain node runs as a child process.
#![warn(missing_docs)]

#[cfg(feature = "vm")]
pub mod vm;
