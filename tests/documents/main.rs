//! The documents against the project: the code in them runs, and their commands share what they compile.

mod code;
#[cfg(feature = "vm")]
mod commands;
mod corpora;
mod markdown;
#[cfg(feature = "vm")]
#[path = "../../examples/minimal_node.rs"]
#[allow(dead_code, reason = "its main is for the example")]
mod minimal_node;
#[cfg(feature = "vm")]
mod unit_graph;
