//! Where the counters are: globals of the module, and locals of a function.

use wasm_encoder::{Encode as _, ValType};
use wasmparser::BinaryReader;

use super::error::InstrumentationError;
use crate::engine::validation::DefinedFunction;

/// The indices of the added globals.
#[derive(Debug, Clone, Copy)]
pub(super) struct CountingGlobals {
    /// Points used.
    pub(super) used: u32,
    /// Limit of the points.
    pub(super) limit: u32,
    /// Free stack slots.
    pub(super) slots: u32,
    /// Points by class and by function: the first of the globals, if they are counted.
    pub(super) details: Option<u32>,
}

/// A function with fewer parameters and locals gets more of them, which an engine can well keep in registers. There may
/// not be more than 50,000.
pub(super) const FEW_LOCALS: u32 = 1_000;

/// The indices of the locals, or parameters, that hold counters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct CountingLocals {
    /// Points used: a parameter in a function that passes them, a local in one that has loops or calls such functions.
    pub(super) used: Option<u32>,
    /// Limit of the points, which does not change while a function is active. In a function that has loops: elsewhere to keep
    /// it over calls takes more than it gains.
    pub(super) limit: Option<u32>,
    /// The slots that were free before the call, in a function that calls others of the module. To add this call's to the
    /// global again would wait for the last call inside to have put it back.
    pub(super) slots: Option<u32>,
    /// How many locals of 64 bits are declared.
    long: u32,
    /// The first local that the function itself declares, if the parameter for the points has moved it by one.
    first_moved: Option<u32>,
}

impl CountingLocals {
    /// The locals after those that the function declares, and the parameter of one that `passes_points`. `are_passed` says whether
    /// there are such functions.
    pub(super) fn of(
        function: &DefinedFunction,
        passes_points: bool,
        are_passed: bool,
    ) -> CountingLocals {
        if function.locals >= FEW_LOCALS {
            return CountingLocals::default();
        }
        let mut next = function.locals + u32::from(passes_points);
        let mut declared = |is_wanted: bool| {
            next += u32::from(is_wanted);
            is_wanted.then(|| next - 1)
        };
        let slots = declared(function.calls_own_functions);
        let hands_over = function.calls_directly && are_passed;
        let used = declared(!passes_points && (function.has_loops || hands_over));
        let limit = declared(function.has_loops);
        CountingLocals {
            used: used.or(passes_points.then_some(function.parameters)),
            limit,
            slots,
            long: u32::from(used.is_some()) + u32::from(limit.is_some()),
            first_moved: passes_points.then_some(function.parameters),
        }
    }

    /// The new index of a local that has moved.
    pub(super) fn moved(&self, local: u32) -> Option<u32> {
        (local >= self.first_moved?).then_some(local + 1)
    }

    /// The declarations of a body, with these locals at their end.
    pub(super) fn declare(
        self,
        declarations: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), InstrumentationError> {
        let slots = self.slots.map(|_| (1_u32, ValType::I32));
        let long = (self.long > 0).then_some((self.long, ValType::I64));
        let mut own = BinaryReader::new(declarations, 0);
        let added = [slots, long].into_iter().flatten();
        (own.read_var_u32()? + added.clone().count() as u32).encode(output);
        output.extend_from_slice(&declarations[own.original_position() as usize..]);
        for (length, val_type) in added {
            length.encode(output);
            val_type.encode(output);
        }
        Ok(())
    }
}
