//! The virtual machine.

pub(crate) mod engine;
pub(crate) mod gas;
