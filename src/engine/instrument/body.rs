//! The counting inside one function body.
//!
//! Points follow docs/spec/gas.md#metering as far as they can be observed: by the host, by the checks, and at the end
//! of the function. Those observe them only at a check, a call or an end. So the flush of a `block`, and of an `end`
//! that nothing branches to, is merged into the next flush: every path through the code still pays the same sum before
//! it can be observed. A trap in the middle of a straight line can't be observed.

use thiserror::Error;
use wasm_encoder::{BlockType, Encode, Instruction, ValType, reencode};
use wasmparser::{BinaryReader, FunctionBody, Operator};

use crate::engine::opcode_costs::OpcodeCosts;
use crate::engine::validation::DefinedFunction;

/// A validated module could not be rewritten: never seen, kept as an error so that no contract can stop the process.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("instrumentation failed: {0}")]
pub struct InstrumentationError(String);

impl From<wasmparser::Error> for InstrumentationError {
    fn from(error: wasmparser::Error) -> Self {
        Self(error.to_string())
    }
}

impl<E: std::fmt::Display> From<reencode::Error<E>> for InstrumentationError {
    fn from(error: reencode::Error<E>) -> Self {
        Self(error.to_string())
    }
}

/// The indices of the added globals.
#[derive(Debug, Clone, Copy)]
pub(super) struct CountingGlobals {
    /// Points used.
    pub(super) used: u32,
    /// Limit of the points.
    pub(super) limit: u32,
    /// Free stack slots.
    pub(super) slots: u32,
}

/// A function with fewer parameters and locals gets one local more, which an engine can well keep in a register. There may
/// not be more than 50,000.
const FEW_LOCALS: u32 = 1_000;

/// Rewrites a body (local declarations and operators).
pub(super) fn instrument(
    body: &[u8],
    function: &DefinedFunction,
    globals: &CountingGlobals,
    costs: &OpcodeCosts,
) -> Result<Vec<u8>, InstrumentationError> {
    let parsed = FunctionBody::new(BinaryReader::new(body, 0));
    let mut operators = parsed.get_operators_reader()?;
    let mut copied = operators.original_position() as usize;
    let mut rewriter = Rewriter::new(&body[..copied], function, globals)?;
    rewriter.enter_function();
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        if rewriter.needs_attention(&operator) {
            rewriter
                .output
                .extend_from_slice(&body[copied..offset as usize]);
            copied = offset as usize;
            rewriter.before(&operator, u64::from(costs.of(&operator)))?;
            if rewriter.replace(&operator) {
                copied = operators.original_position() as usize;
            }
            rewriter.after(&operator);
        } else {
            rewriter.pending = rewriter
                .pending
                .wrapping_add(u64::from(costs.of(&operator)));
        }
    }
    rewriter.output.extend_from_slice(&body[copied..]);
    Ok(rewriter.output)
}

/// What opened a level of control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    Function,
    Block,
    Loop,
    /// An `if` before its `else`.
    If,
    /// An `if` after its `else`.
    Else,
}

/// One level of control.
#[derive(Debug)]
struct Level {
    opener: Opener,
    /// Whether a live branch leads to its end.
    is_target: bool,
    /// Whether control never reaches its start.
    opened_dead: bool,
}

struct Rewriter<'a> {
    function: &'a DefinedFunction,
    globals: &'a CountingGlobals,
    output: Vec<u8>,
    /// Whether a local keeps the slots that were free before the call. To add this call's to the global again would wait
    /// for the last call inside to have put it back.
    saves_slots: bool,
    /// The open levels; the function itself is the first.
    levels: Vec<Level>,
    /// Points of the operators since the last flush.
    pending: u64,
    /// Whether control can't get here. Nothing is injected then, and nothing is pending.
    is_dead: bool,
}

impl<'a> Rewriter<'a> {
    fn new(
        local_declarations: &[u8],
        function: &'a DefinedFunction,
        globals: &'a CountingGlobals,
    ) -> Result<Self, InstrumentationError> {
        // Twice the size is what usual contracts grow to.
        let mut output = Vec::with_capacity(2 * function.body.len() + 64);
        let saves_slots = function.calls_own_functions && function.locals < FEW_LOCALS;
        if saves_slots {
            let mut declarations = BinaryReader::new(local_declarations, 0);
            (declarations.read_var_u32()? + 1).encode(&mut output);
            output.extend_from_slice(
                &local_declarations[declarations.original_position() as usize..],
            );
            // A group of one.
            1_u32.encode(&mut output);
            ValType::I32.encode(&mut output);
        } else {
            output.extend_from_slice(local_declarations);
        }
        let body = Level {
            opener: Opener::Function,
            is_target: false,
            opened_dead: false,
        };
        Ok(Self {
            function,
            globals,
            output,
            saves_slots,
            levels: vec![body],
            pending: 0,
            is_dead: false,
        })
    }

    fn emit(&mut self, instructions: &[Instruction<'_>]) {
        for instruction in instructions {
            instruction.encode(&mut self.output);
        }
    }

    /// Takes the slots of this call. A function that calls none of this module gives them back before another call
    /// could need them, so it only checks that they are there.
    fn enter_function(&mut self) {
        // At most 8 + 50,000 + 7,654,321, the limits of locals and of bytes.
        let cost = Instruction::I32Const(self.function.slots as i32);
        let slots = self.globals.slots;
        self.emit(&[Instruction::GlobalGet(slots)]);
        if self.saves_slots {
            self.emit(&[Instruction::LocalTee(self.function.locals)]);
        }
        self.emit(&[
            cost.clone(),
            Instruction::I32LtS,
            Instruction::If(BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
        ]);
        if self.function.calls_own_functions {
            self.emit(&[
                self.slots_before(),
                cost,
                Instruction::I32Sub,
                Instruction::GlobalSet(slots),
                // Takes the place of the function as the outermost label, so that all exits but one meet behind it.
                Instruction::Block(self.result()),
            ]);
        }
    }

    /// Reads the slots that were free before this call, as long as it has taken none.
    fn slots_before(&self) -> Instruction<'static> {
        match self.saves_slots {
            true => Instruction::LocalGet(self.function.locals),
            false => Instruction::GlobalGet(self.globals.slots),
        }
    }

    /// Ends the outermost block and gives the slots back; the function's own `end` follows.
    fn leave_function(&mut self) {
        if !self.function.calls_own_functions {
            return;
        }
        self.emit(&[Instruction::End, self.slots_before()]);
        if !self.saves_slots {
            let cost = Instruction::I32Const(self.function.slots as i32);
            self.emit(&[cost, Instruction::I32Add]);
        }
        self.emit(&[Instruction::GlobalSet(self.globals.slots)]);
    }

    fn result(&self) -> BlockType {
        match self.function.result {
            None => BlockType::Empty,
            Some(wasmparser::ValType::I32) => BlockType::Result(ValType::I32),
            Some(wasmparser::ValType::I64) => BlockType::Result(ValType::I64),
            Some(wasmparser::ValType::F32) => BlockType::Result(ValType::F32),
            Some(wasmparser::ValType::F64) => BlockType::Result(ValType::F64),
            Some(other) => unreachable!("validation accepts only numbers as results, not {other}"),
        }
    }

    /// Whether the operator belongs to the control flow (rule 2). In dead code, too: levels are opened and closed there.
    fn needs_attention(&self, operator: &Operator<'_>) -> bool {
        self.is_dead
            || matches!(
                operator,
                Operator::Unreachable
                    | Operator::Block { .. }
                    | Operator::Loop { .. }
                    | Operator::If { .. }
                    | Operator::Else
                    | Operator::End
                    | Operator::Br { .. }
                    | Operator::BrIf { .. }
                    | Operator::BrTable { .. }
                    | Operator::Return
                    | Operator::Call { .. }
                    | Operator::CallIndirect { .. }
            )
    }

    /// Adds the operator's cost and injects what comes before it.
    fn before(&mut self, operator: &Operator<'_>, cost: u64) -> Result<(), InstrumentationError> {
        if !self.is_dead {
            self.pending = self.pending.wrapping_add(cost);
            match operator {
                Operator::Block { .. } => {}
                Operator::End if !self.paths_meet_at_end() => {}
                _ => self.flush(),
            }
            match operator {
                Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                    self.note_branch(*relative_depth)
                }
                Operator::BrTable { targets } => {
                    for target in targets.targets() {
                        self.note_branch(target?);
                    }
                    self.note_branch(targets.default());
                }
                _ => {}
            }
            if is_checked(operator) {
                self.check();
            }
        }
        if matches!(operator, Operator::End) && self.levels.len() == 1 {
            self.leave_function();
        }
        Ok(())
    }

    /// Writes another operator in place of this one, if it has to be another.
    fn replace(&mut self, operator: &Operator<'_>) -> bool {
        let is_return = matches!(operator, Operator::Return) && self.function.calls_own_functions;
        if is_return {
            let outermost = self.levels.len() as u32 - 1;
            self.emit(&[Instruction::Br(outermost)]);
        }
        is_return
    }

    /// Follows the operator's effect on the control flow.
    fn after(&mut self, operator: &Operator<'_>) {
        match operator {
            Operator::Block { .. } => self.open(Opener::Block),
            Operator::Loop { .. } => self.open(Opener::Loop),
            Operator::If { .. } => self.open(Opener::If),
            Operator::Else => {
                let level = self
                    .levels
                    .last_mut()
                    .expect("validation: an else is inside an if");
                level.opener = Opener::Else;
                // The end is reached from the first branch, too, if that is live.
                level.is_target |= !self.is_dead;
                self.is_dead = level.opened_dead;
            }
            Operator::End => {
                let level = self
                    .levels
                    .pop()
                    .expect("validation: every end closes a level");
                let skips_body = level.opener == Opener::If;
                self.is_dead &= level.opened_dead || !(level.is_target || skips_body);
            }
            Operator::Unreachable
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return => {
                self.is_dead = true;
            }
            _ => {}
        }
    }

    fn open(&mut self, opener: Opener) {
        self.levels.push(Level {
            opener,
            is_target: false,
            opened_dead: self.is_dead,
        });
    }

    /// Whether several paths reach the end of the innermost level, or control leaves the function there.
    fn paths_meet_at_end(&self) -> bool {
        let level = self
            .levels
            .last()
            .expect("validation: an end closes a level");
        match level.opener {
            Opener::Block => level.is_target,
            // A branch to a loop leads to its start.
            Opener::Loop => false,
            Opener::Function | Opener::If | Opener::Else => true,
        }
    }

    fn note_branch(&mut self, relative_depth: u32) {
        let index = self.levels.len() - 1 - relative_depth as usize;
        let level = &mut self.levels[index];
        level.is_target |= level.opener != Opener::Loop;
    }

    /// Rule 2: adds the pending points to the used ones.
    fn flush(&mut self) {
        let points = std::mem::take(&mut self.pending);
        if points > 0 {
            let used = self.globals.used;
            self.emit(&[
                Instruction::GlobalGet(used),
                Instruction::I64Const(points as i64),
                Instruction::I64Add,
                Instruction::GlobalSet(used),
            ]);
        }
    }

    /// Rule 3: ends the execution unless fewer points are used than the limit.
    fn check(&mut self) {
        self.emit(&[
            Instruction::GlobalGet(self.globals.used),
            Instruction::GlobalGet(self.globals.limit),
            Instruction::I64GeU,
            Instruction::If(BlockType::Empty),
            Instruction::Unreachable,
            Instruction::End,
        ]);
    }
}

/// The operators of rule 3.
fn is_checked(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Call { .. }
            | Operator::CallIndirect { .. }
    )
}
