//! How runs end, for comparison.

use crate::messages::VmOutput;
use crate::vm::fixtures::{Bench, NoOutput};
use prost::Message as _;
use std::error::Error as _;

/// The texts with which a run may end without an output; a panic of ours would be one that is not here.
const HOST_FAULTS: [&str; 15] = [
    "runtime error: index out of range [",
    "runtime error: slice bounds out of range [",
    "host fault: a contract without a memory called ",
    "host fault: a start function called a host function",
    "host fault: a built-in function gave no output and no error",
    "host fault: a promised call can't be made: ",
    "host fault: a promised call failed",
    "host fault: no gas for an asynchronous call",
    "host fault: no gas for the callback of an asynchronous call",
    "host fault: the stored promises are null",
    "host fault: the answer of a built-in function has a null account",
    TOO_LONG[0],
    TOO_LONG[1],
    TOO_LONG[2],
    // The number comes first.
    " arguments whose lengths are not all there",
];

/// The texts where something is longer than can be sent, or than gas bounds.
const TOO_LONG: [&str; 3] = [
    "host fault: the question ",
    "host fault: a payload of ",
    "host fault: host functions take more than ",
];

/// Longer outputs, in bytes, take most of the time of a run.
const LONG_OUTPUT_BYTES: usize = 256 << 10;

/// The text where the node breaks.
const BROKEN_NODE: &str = "the run can't go on: the pipe is broken";

/// What a run gave, and what it asked the node.
#[derive(Debug, Clone, PartialEq)]
pub enum RunOutcome {
    Output(Box<VmOutput>, Vec<String>),
    HostFault(String, Vec<String>),
}

impl RunOutcome {
    /// The outcome of the last run of a bench.
    pub fn new(bench: &Bench, result: Result<VmOutput, NoOutput>) -> RunOutcome {
        let calls = bench.world().calls.clone();
        match result {
            Ok(output) => RunOutcome::Output(Box::new(output), calls),
            Err(NoOutput::Failure(failure)) => RunOutcome::HostFault(failure.0, calls),
            Err(NoOutput::Fatal(fatal)) => {
                let source = fatal.source().map(ToString::to_string);
                let text = format!("{fatal}: {}", source.unwrap_or_default());
                RunOutcome::HostFault(text, calls)
            }
        }
    }

    /// Whether what the run gave, or asked, is long.
    pub fn is_long(&self) -> bool {
        match self {
            RunOutcome::Output(output, _) => output.encoded_len() > LONG_OUTPUT_BYTES,
            RunOutcome::HostFault(text, _) => TOO_LONG.iter().any(|known| text.contains(known)),
        }
    }

    /// Panics unless the run ended as runs may end: with a host fault that is known, or with an output that has a text
    /// if it failed and, if `is_gas_bounded`, with no more gas than it was given. Only a node that breaks may end a run so.
    pub fn check(&self, gas: u64, is_gas_bounded: bool, node_breaks: bool) {
        match self {
            RunOutcome::HostFault(text, _) => {
                assert!(
                    HOST_FAULTS.iter().any(|known| text.contains(known))
                        || (node_breaks && text == BROKEN_NODE),
                    "{text}"
                );
            }
            RunOutcome::Output(output, _) => {
                let remaining = output.gas_remaining;
                assert!(
                    !is_gas_bounded || remaining <= gas,
                    "{remaining} of {gas} remain"
                );
                let has_text = !output.return_message.is_empty();
                assert!(
                    output.return_code == 0 || output.return_code == 4 || has_text,
                    "{output:?}"
                );
            }
        }
    }
}
