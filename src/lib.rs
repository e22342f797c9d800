//! Arwen: a WASM virtual machine for smart contracts that a blockchain node runs as a child process.

pub mod dialogue;
pub mod driver;
pub mod frame;
pub mod hooks;
pub mod logs;
pub mod messages;
pub mod part;
pub mod scenario;
pub mod transport;
#[cfg(feature = "vm")]
pub mod vm;
