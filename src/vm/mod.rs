//! The virtual machine.

pub(crate) mod engine;
