//! The documents against the project: the code in them runs, their commands share what they compile, what they name is there, the
//! figures of campaigns add up, and the seeds of the fuzz targets are as docs/fuzzing.md says.

#![cfg_attr(
    feature = "vm",
    allow(clippy::duplicate_mod, reason = "two examples have the same chain")
)]

mod architecture;
mod campaigns;
mod code;
#[cfg(feature = "vm")]
mod commands;
mod corpora;
#[cfg(feature = "vm")]
#[path = "../../examples/driver_only.rs"]
#[allow(dead_code, reason = "its main is for the example")]
mod driver_only;
mod markdown;
#[cfg(feature = "vm")]
#[path = "../../examples/minimal_node.rs"]
#[allow(dead_code, reason = "its main is for the example")]
mod minimal_node;
mod places;
mod sabotage;
#[cfg(feature = "vm")]
mod unit_graph;
mod versions;
