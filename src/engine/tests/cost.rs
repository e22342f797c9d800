//! A price list on which sums can be read: every operator of rule 2 has its own decimal digit.

use crate::engine::opcode_costs::OpcodeCosts;

pub(super) const NOP: u64 = 1;
pub(super) const CONST: u64 = 10;
pub(super) const LOCAL: u64 = 100;
pub(super) const BLOCK: u64 = 1_000;
pub(super) const LOOP: u64 = 2_000;
pub(super) const IF: u64 = 4_000;
pub(super) const ELSE: u64 = 10_000;
pub(super) const END: u64 = 100_000;
pub(super) const BR: u64 = 1_000_000;
pub(super) const BR_IF: u64 = 2_000_000;
pub(super) const BR_TABLE: u64 = 4_000_000;
pub(super) const RETURN: u64 = 10_000_000;
pub(super) const CALL: u64 = 100_000_000;
pub(super) const CALL_INDIRECT: u64 = 200_000_000;
pub(super) const UNREACHABLE: u64 = 400_000_000;

/// The price list; what is not in it costs nothing.
pub(super) fn readable_costs() -> OpcodeCosts {
    OpcodeCosts::from_map(|key| {
        let points = match key {
            "Nop" => NOP,
            "I32Const" | "I64Const" => CONST,
            "LocalGet" | "LocalSet" | "LocalTee" => LOCAL,
            "Block" => BLOCK,
            "Loop" => LOOP,
            "If" => IF,
            "Else" => ELSE,
            "End" => END,
            "Br" => BR,
            "BrIf" => BR_IF,
            "BrTable" => BR_TABLE,
            "Return" => RETURN,
            "Call" => CALL,
            "CallIndirect" => CALL_INDIRECT,
            "Unreachable" => UNREACHABLE,
            _ => 0,
        };
        points as u32
    })
}
