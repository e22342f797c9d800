//! Points by the class of the operators, for observed runs: a global for each class, beside the one for all points.
//!
//! They are counted at the places where points are, so that they agree wherever these can be observed.

use crate::engine::opcode_costs::{CLASS_COUNT, class_of};
use wasm_encoder::{Encode, Instruction};
use wasmparser::Operator;

/// Counts the points of one function body.
pub(super) struct ClassCounter {
    /// The global of the first class; the others follow.
    first_global: u32,
    /// Points since the last flush.
    pending: [u64; CLASS_COUNT],
}

impl ClassCounter {
    /// A counter whose globals begin at `first_global`.
    pub(super) fn new(first_global: u32) -> ClassCounter {
        ClassCounter {
            first_global,
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
        for (global, points) in (self.first_global..).zip(std::mem::take(&mut self.pending)) {
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
