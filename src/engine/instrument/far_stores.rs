//! Stores that wasmi 2.0.0 can't translate: of an integer, at an offset of more than 16 bits, where the value is also the address. It
//! takes both from one register and panics. The value of each store that could be one is copied, by operators that do nothing else;
//! compilers leave them out.

use wasm_encoder::Instruction;
use wasmparser::Operator;

/// The longest offset that wasmi has an operator for whose address and value are one register.
const MOST_OFFSET: u64 = u16::MAX as u64;

/// What copies the value on top of the operand stack, if the operator is such a store.
pub(super) fn copy_of_value(operator: &Operator<'_>) -> Option<[Instruction<'static>; 2]> {
    let (memarg, copy) = match operator {
        Operator::I32Store { memarg }
        | Operator::I32Store8 { memarg }
        | Operator::I32Store16 { memarg } => (
            memarg,
            [
                Instruction::F32ReinterpretI32,
                Instruction::I32ReinterpretF32,
            ],
        ),
        // The value can be the address, extended.
        Operator::I64Store { memarg }
        | Operator::I64Store8 { memarg }
        | Operator::I64Store16 { memarg }
        | Operator::I64Store32 { memarg } => (
            memarg,
            [
                Instruction::F64ReinterpretI64,
                Instruction::I64ReinterpretF64,
            ],
        ),
        _ => return None,
    };
    (memarg.offset > MOST_OFFSET).then_some(copy)
}
