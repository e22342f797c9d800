//! Detours around two faults of wasmi 2.0.0, which is the first tier. What stands before an operator here changes no value, and costs
//! nothing; compilers leave it out.
//!
//! - It panics at a store of an integer at an offset of more than 16 bits, where the value is also the address and it has both in one
//!   register. The value is copied before.
//! - For a `select` whose condition is `x == 0` or `x != 0` it forgets the comparison and tests what is in its register, also where `x`
//!   is not there. Another operator stands between the comparison and the `select`.

use wasm_encoder::Instruction;
use wasmparser::Operator;

/// The longest offset that wasmi has an operator for whose address and value are one register.
const MOST_OFFSET: u64 = u16::MAX as u64;

/// What is to stand before the operator, if something is.
pub(super) fn detour(operator: &Operator<'_>) -> Option<[Instruction<'static>; 2]> {
    let (memarg, copy) = match operator {
        Operator::Select => return Some([Instruction::I32Const(0), Instruction::I32Or]),
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
