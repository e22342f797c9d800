//! Points by the class of the operators and by function, for observed runs: a global for each, beside the one for all points.
//!
//! They are counted at the places where points are, so that they agree wherever these can be observed.

use crate::engine::opcode_costs::{CLASS_COUNT, class_of};
use wasm_encoder::{Encode, Instruction};
use wasmparser::Operator;

/// Counts the points of one function body.
pub(super) struct DetailCounter {
    /// The global of the first class; the others follow.
    first_class: u32,
    /// The global of the function.
    function: u32,
    /// Points since the last flush.
    pending: [u64; CLASS_COUNT],
}

impl DetailCounter {
    /// A counter for the function at this position of those that the module defines. Its globals begin at `first_global`: those of
    /// classes, then those of functions.
    pub(super) fn new(first_global: u32, position: u32) -> DetailCounter {
        DetailCounter {
            first_class: first_global,
            function: first_global + CLASS_COUNT as u32 + position,
            pending: [0; CLASS_COUNT],
        }
    }

    /// The operator will be paid with the next flush.
    pub(super) fn add(&mut self, operator: &Operator<'_>, points: u64) {
        let pending = &mut self.pending[class_of(operator)];
        *pending = pending.wrapping_add(points);
    }

    /// Adds what is pending to the globals.
    pub(super) fn flush(&mut self, output: &mut Vec<u8>) {
        let pending = std::mem::take(&mut self.pending);
        let all = pending.iter().copied().fold(0, u64::wrapping_add);
        let classes = (self.first_class..).zip(pending);
        for (global, points) in classes.chain([(self.function, all)]) {
            if points == 0 {
                continue;
            }
            for instruction in [
                Instruction::GlobalGet(global),
                Instruction::I64Const(points as i64),
                Instruction::I64Add,
                Instruction::GlobalSet(global),
            ] {
                instruction.encode(output);
            }
        }
    }
}
