//! The counting inside one function body.
//!
//! Points follow docs/spec/gas.md#metering as far as they can be observed: by the host, by the checks, and at the end
//! of the function. Those observe them only at a check, a call or an end. So the flush of a `block`, and of an `end`
//! that nothing branches to, is merged into the next flush: every path through the code still pays the same sum before
//! it can be observed. A trap in the middle of a straight line can't be observed.
//!
//! A function that passes points ([`passing`](super::passing)), calls such functions, or has loops keeps the points in a local, which
//! an engine keeps in a register. They are written to the global before other calls, where a check fails or `unreachable` is
//! reached, and at the end of a function that does not return them; they are read again after those calls, which may change
//! them. After a trap of another operator (memory, division) the global holds what was written last; no result depends on it,
//! because such a run loses all its gas.
//!
//! All failed checks of a function branch to one place behind its end, so that a check is a comparison and a branch that is
//! never taken, and adds no code elsewhere.

use wasm_encoder::{BlockType, Encode as _, Instruction, ValType};
use wasmparser::{BinaryReader, FunctionBody, Operator};

use super::counters::{CountingGlobals, CountingLocals};
use super::details::DetailCounter;
use super::detours::detour;
use super::error::InstrumentationError;
use super::passing::Passing;
use crate::engine::opcode_costs::OpcodeCosts;
use crate::engine::validation::DefinedFunction;

/// What the rewriting of a function's body depends on.
pub(super) struct Rewriting<'a> {
    pub(super) function: &'a DefinedFunction,
    pub(super) globals: &'a CountingGlobals,
    pub(super) passing: &'a Passing<'a>,
    /// Whether the function takes the points as its last parameter, and returns them as its last result.
    pub(super) passes_points: bool,
    pub(super) costs: &'a OpcodeCosts,
}

impl Rewriting<'_> {
    /// Rewrites a body (local declarations and operators).
    pub(super) fn body(
        &self,
        body: &[u8],
        details: Option<DetailCounter>,
    ) -> Result<Vec<u8>, InstrumentationError> {
        let parsed = FunctionBody::new(BinaryReader::new(body, 0));
        let mut operators = parsed.get_operators_reader()?;
        let mut copied = operators.original_position() as usize;
        let mut rewriter = Rewriter::new(&body[..copied], self, details)?;
        rewriter.enter_function();
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            let cost = u64::from(self.costs.of(&operator));
            let is_control = rewriter.is_control(&operator);
            let detour = detour(&operator);
            if !is_control {
                rewriter.pay(&operator, cost);
                if !rewriter.is_moved(&operator) && detour.is_none() {
                    continue;
                }
            }
            let (start, end) = (offset as usize, operators.original_position() as usize);
            rewriter.output.extend_from_slice(&body[copied..start]);
            copied = end;
            if is_control {
                rewriter.before(&operator, cost)?;
            }
            if let Some(detour) = detour {
                rewriter.emit(&detour);
            }
            if !rewriter.replace(&operator) {
                rewriter.output.extend_from_slice(&body[start..end]);
            }
            if is_control {
                rewriter.after(&operator);
            }
        }
        rewriter.output.extend_from_slice(&body[copied..]);
        Ok(rewriter.output)
    }
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
    passing: &'a Passing<'a>,
    passes_points: bool,
    output: Vec<u8>,
    locals: CountingLocals,
    /// The open levels; the function itself is the first.
    levels: Vec<Level>,
    /// Points of the operators since the last flush.
    pending: u64,
    /// The same by class and by function, if that is counted.
    details: Option<DetailCounter>,
    /// Whether control can't get here. Nothing is injected then, and nothing is pending.
    is_dead: bool,
}

impl<'a> Rewriter<'a> {
    fn new(
        local_declarations: &[u8],
        rewriting: &Rewriting<'a>,
        details: Option<DetailCounter>,
    ) -> Result<Self, InstrumentationError> {
        // Twice the size is what usual contracts grow to.
        let function = rewriting.function;
        let mut output = Vec::with_capacity(2 * function.body.len() + 64);
        let locals = CountingLocals::of(
            function,
            rewriting.passes_points,
            rewriting.passing.is_any(),
        );
        locals.declare(local_declarations, &mut output)?;
        let body = Level {
            opener: Opener::Function,
            is_target: false,
            opened_dead: false,
        };
        Ok(Self {
            function,
            globals: rewriting.globals,
            passing: rewriting.passing,
            passes_points: rewriting.passes_points,
            output,
            locals,
            levels: vec![body],
            pending: 0,
            details,
            is_dead: false,
        })
    }

    fn emit(&mut self, instructions: &[Instruction<'_>]) {
        for instruction in instructions {
            instruction.encode(&mut self.output);
        }
    }

    /// Opens the block that failed checks leave, and takes the slots of this call. A function that calls none of this
    /// module gives them back before another call could need them, so it only checks that they are there.
    fn enter_function(&mut self) {
        // At most 8 + 50,000 + 7,654,321, the limits of locals and of bytes.
        let cost = Instruction::I32Const(self.function.slots as i32);
        let slots = self.globals.slots;
        self.emit(&[Instruction::Block(BlockType::Empty)]);
        if let Some(limit) = self.locals.limit {
            self.emit(&[
                Instruction::GlobalGet(self.globals.limit),
                Instruction::LocalSet(limit),
            ]);
        }
        if !self.passes_points {
            self.read_used();
        }
        self.emit(&[Instruction::GlobalGet(slots)]);
        if let Some(saved) = self.locals.slots {
            self.emit(&[Instruction::LocalTee(saved)]);
        }
        self.emit(&[cost.clone(), Instruction::I32LtS, Instruction::BrIf(0)]);
        if self.function.calls_own_functions {
            self.emit(&[self.slots_before(), cost, Instruction::I32Sub]);
            self.emit(&[Instruction::GlobalSet(slots)]);
        }
        // Takes the place of the function as the outermost label, so that all exits meet behind it.
        self.emit(&[Instruction::Block(self.result())]);
    }

    /// Takes over the used points of the global, which a call may have changed.
    fn read_used(&mut self) {
        if let Some(used) = self.locals.used {
            self.emit(&[
                Instruction::GlobalGet(self.globals.used),
                Instruction::LocalSet(used),
            ]);
        }
    }

    /// Writes the used points to the global, where others look.
    fn write_used(&mut self) {
        if let Some(used) = self.locals.used {
            self.emit(&[
                Instruction::LocalGet(used),
                Instruction::GlobalSet(self.globals.used),
            ]);
        }
    }

    /// Reads the slots that were free before this call, as long as it has taken none.
    fn slots_before(&self) -> Instruction<'static> {
        match self.locals.slots {
            Some(saved) => Instruction::LocalGet(saved),
            None => Instruction::GlobalGet(self.globals.slots),
        }
    }

    /// Ends the outermost block, gives the slots back and returns; failed checks end up behind that. The function's own
    /// `end` follows.
    fn leave_function(&mut self) {
        self.emit(&[Instruction::End]);
        if !self.passes_points {
            self.write_used();
        }
        if self.function.calls_own_functions {
            self.emit(&[self.slots_before()]);
            if self.locals.slots.is_none() {
                let cost = Instruction::I32Const(self.function.slots as i32);
                self.emit(&[cost, Instruction::I32Add]);
            }
            self.emit(&[Instruction::GlobalSet(self.globals.slots)]);
        }
        if self.passes_points {
            self.emit(&[self.used()]);
        }
        self.emit(&[Instruction::Return, Instruction::End]);
        self.write_used();
        self.emit(&[Instruction::Unreachable]);
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
    fn is_control(&self, operator: &Operator<'_>) -> bool {
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
            self.pay(operator, cost);
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
            if self.leaves_points(operator) {
                self.write_used();
            }
        }
        if matches!(operator, Operator::End) && self.levels.len() == 1 {
            self.leave_function();
        }
        Ok(())
    }

    /// Whether the operator is of a local that has another index now.
    fn is_moved(&self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::LocalGet { local_index }
            | Operator::LocalSet { local_index }
            | Operator::LocalTee { local_index } => self.locals.moved(*local_index).is_some(),
            _ => false,
        }
    }

    /// Whether the operator is a call of what finds the points in the global, and may change them there.
    fn leaves_points(&self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Call { function_index } => self.passing.of_call(*function_index).is_none(),
            Operator::CallIndirect { .. } => true,
            _ => false,
        }
    }

    /// Writes others in place of this operator, if it has to be others.
    fn replace(&mut self, operator: &Operator<'_>) -> bool {
        let outermost = self.levels.len() as u32 - 1;
        let moved = |local: &u32| self.locals.moved(*local);
        let replacement = match operator {
            Operator::Return => Some(Instruction::Br(outermost)),
            Operator::Unreachable => Some(Instruction::Br(outermost + 1)),
            Operator::LocalGet { local_index } => moved(local_index).map(Instruction::LocalGet),
            Operator::LocalSet { local_index } => moved(local_index).map(Instruction::LocalSet),
            Operator::LocalTee { local_index } => moved(local_index).map(Instruction::LocalTee),
            Operator::Call { function_index } => {
                let passing = self.passing.of_call(*function_index);
                passing.map(Instruction::Call)
            }
            _ => None,
        };
        let Some(replacement) = replacement else {
            return false;
        };
        if let Instruction::Call(_) = replacement {
            self.emit(&[self.used(), replacement, self.set_used()]);
        } else {
            self.emit(&[replacement]);
        }
        true
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
            _ if !self.is_dead && self.leaves_points(operator) => self.read_used(),
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

    /// Rule 1: the operator will be paid with the next flush.
    fn pay(&mut self, operator: &Operator<'_>, cost: u64) {
        self.pending = self.pending.wrapping_add(cost);
        if let Some(details) = &mut self.details {
            details.add(operator, cost);
        }
    }

    /// Rule 2: adds the pending points to the used ones.
    fn flush(&mut self) {
        let points = std::mem::take(&mut self.pending);
        if points == 0 {
            return;
        }
        self.emit(&[
            self.used(),
            Instruction::I64Const(points as i64),
            Instruction::I64Add,
            self.set_used(),
        ]);
        if let Some(details) = &mut self.details {
            details.flush(&mut self.output);
        }
    }

    /// Rule 3: ends the execution unless fewer points are used than the limit.
    fn check(&mut self) {
        let limit = match self.locals.limit {
            Some(limit) => Instruction::LocalGet(limit),
            None => Instruction::GlobalGet(self.globals.limit),
        };
        self.emit(&[
            self.used(),
            limit,
            Instruction::I64GeU,
            Instruction::BrIf(self.levels.len() as u32),
        ]);
    }

    /// Reads the used points.
    fn used(&self) -> Instruction<'static> {
        match self.locals.used {
            Some(used) => Instruction::LocalGet(used),
            None => Instruction::GlobalGet(self.globals.used),
        }
    }

    /// Sets the used points.
    fn set_used(&self) -> Instruction<'static> {
        match self.locals.used {
            Some(used) => Instruction::LocalSet(used),
            None => Instruction::GlobalSet(self.globals.used),
        }
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
