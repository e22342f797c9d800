//! The cost of one function.
//!
//! Locals are followed in the order of the code: from one access to the next, a local must be kept over the operators
//! in between, and may have to be merged wherever paths meet on the way. At the end of a loop all that were accessed in
//! it count as accessed again, because the next turn does so.

use wasmparser::{BlockType, BrTable, FunctionBody, Operator};

use super::signatures::Signatures;

/// The longest compilation that is begun, in nanoseconds as [`nanoseconds`](super::nanoseconds) tells it. On a core of
/// 2.5 GHz what is told as this takes between a fifth of it and all of it, and less than 200 MiB of memory. Public
/// contracts of up to 71 KB are told as less than a third.
pub const MOST_NANOSECONDS: u64 = 1_000_000_000;

/// The prices of the table, in nanoseconds.
const OPERATOR: u64 = 3_000;
const SCOPE: u64 = 5;
const NESTING: u64 = 250;
const LIFE: u64 = 150;
const WAITING: u64 = 10;
/// This many merges, squared, cost a nanosecond, as each 2.5 squared merges do.
const SQUARED_MERGES_TIMES_TWO: u64 = 5;

/// Loops around an operator that cost nothing.
const FREE_LOOPS: u64 = 8;

/// What opened a level of control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    Block,
    Loop,
    /// Before its `else`.
    If,
}

/// One level of control.
struct Level {
    opener: Opener,
    /// Operands below it, and how many it leaves there.
    height: u32,
    results: u32,
    /// Branches to its label, and for an `if` with `else` the end of the first arm.
    paths: u64,
    /// Whether control never gets to its start.
    opened_dead: bool,
    /// Where it began.
    start: Place,
    /// For a loop: what was accessed in it. A local may be there several times, once for each loop in it.
    accessed: Vec<u32>,
}

/// A place in the code.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    /// Operators before it.
    operators: u64,
    /// Paths that lead to the places before it where paths meet.
    paths: u64,
}

pub(super) struct FunctionCost<'a> {
    module: &'a Signatures,
    /// Where each local was accessed last.
    last: Vec<Place>,
    here: Place,
    blocks: u64,
    levels: Vec<Level>,
    /// The loops among the levels.
    loops: Vec<usize>,
    height: u32,
    is_dead: bool,
    merges: u64,
    /// The sum of everything but operators and merges.
    nanoseconds: u64,
}

impl<'a> FunctionCost<'a> {
    /// To be used for one body, that of the function with this index.
    pub(super) fn new(module: &'a Signatures, function: usize) -> Self {
        let (parameters, results) = module.of_function(function);
        let mut cost = Self {
            module,
            last: vec![Place::default(); parameters as usize],
            here: Place::default(),
            blocks: 0,
            levels: Vec::new(),
            loops: Vec::new(),
            height: 0,
            is_dead: false,
            merges: 0,
            nanoseconds: 0,
        };
        cost.push_level(Opener::Block, results);
        cost
    }

    /// Reads the body, no further than to the most that matters.
    pub(super) fn of(mut self, body: &FunctionBody<'_>) -> u64 {
        let locals = body.get_locals_reader().into_iter().flatten().flatten();
        for (count, _) in locals {
            let length = self.last.len() + count as usize;
            self.last.resize(length, Place::default());
        }
        let operators = body.get_operators_reader().into_iter().flatten().flatten();
        for operator in operators {
            self.add(&operator);
            if self.sum() > MOST_NANOSECONDS {
                break;
            }
        }
        self.sum()
    }

    fn sum(&self) -> u64 {
        let merges = self.merges.saturating_mul(self.merges) / SQUARED_MERGES_TIMES_TWO * 2;
        let operators = self.here.operators.saturating_mul(OPERATOR);
        merges
            .saturating_add(operators)
            .saturating_add(self.nanoseconds)
    }

    fn pay(&mut self, count: u64, price: u64) {
        self.nanoseconds = self.nanoseconds.saturating_add(count.saturating_mul(price));
    }

    fn add(&mut self, operator: &Operator<'_>) {
        self.here.operators += 1;
        match operator {
            Operator::Block { blockty } => self.open(Opener::Block, *blockty),
            Operator::Loop { blockty } => self.open(Opener::Loop, *blockty),
            Operator::If { blockty } => {
                self.pop(1);
                self.open(Opener::If, *blockty);
            }
            Operator::Else => self.enter_else(),
            Operator::End => self.end(),
            _ if self.is_dead => {}
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.is_dead = true;
            }
            Operator::BrIf { relative_depth } => {
                self.pop(1);
                self.branch(*relative_depth);
                self.begin_block();
            }
            Operator::BrTable { targets } => self.branch_by_table(targets),
            Operator::Return => {
                self.branch(self.levels.len().saturating_sub(1) as u32);
                self.is_dead = true;
            }
            Operator::Unreachable => self.is_dead = true,
            Operator::LocalGet { local_index } => {
                self.access(*local_index, true);
                self.height += 1;
            }
            Operator::LocalSet { local_index } => {
                self.access(*local_index, false);
                self.pop(1);
            }
            Operator::LocalTee { local_index } => self.access(*local_index, false),
            Operator::Call { function_index } => {
                self.call(self.module.of_function(*function_index as usize));
            }
            Operator::CallIndirect { type_index, .. } => {
                self.pop(1);
                self.call(self.module.of_type(*type_index));
            }
            _ => self.compute(operator),
        }
    }

    fn compute(&mut self, operator: &Operator<'_>) {
        self.pay(self.blocks, SCOPE);
        let loops = (self.loops.len() as u64).saturating_sub(FREE_LOOPS);
        self.pay(loops, NESTING);
        let (popped, pushed) = effect(operator);
        self.pop(popped);
        self.height += pushed;
    }

    fn call(&mut self, (parameters, results): (u32, u32)) {
        self.here.operators += u64::from(parameters);
        self.pop(parameters);
        self.height += results;
    }

    fn pop(&mut self, operands: u32) {
        self.height = self.height.saturating_sub(operands);
    }

    /// Notes an access; the value that was there before is needed if it `reads`.
    fn access(&mut self, local: u32, reads: bool) {
        let Some(last) = self.last.get_mut(local as usize) else {
            return;
        };
        let before = std::mem::replace(last, self.here);
        self.keep(before, reads);
        if let Some(level) = self
            .loops
            .last()
            .and_then(|&index| self.levels.get_mut(index))
            && before.operators < level.start.operators
        {
            level.accessed.push(local);
        }
    }

    /// A local is kept from `before` until here. What is written on one path may be read on another, so it may have to be
    /// merged even if it is not read here.
    fn keep(&mut self, before: Place, reads: bool) {
        self.merges += self.here.paths - before.paths;
        if reads {
            self.pay(self.here.operators - before.operators, LIFE);
        }
    }

    fn begin_block(&mut self) {
        self.blocks += 1;
        self.pay(u64::from(self.height), WAITING);
    }

    fn push_level(&mut self, opener: Opener, results: u32) {
        self.levels.push(Level {
            opener,
            height: self.height,
            results,
            paths: 0,
            opened_dead: self.is_dead,
            start: self.here,
            accessed: Vec::new(),
        });
    }

    fn open(&mut self, opener: Opener, block_type: BlockType) {
        if opener == Opener::Loop {
            self.loops.push(self.levels.len());
        }
        // Validation accepts no other types.
        let results = u32::from(block_type != BlockType::Empty);
        self.push_level(opener, results);
        if !self.is_dead && opener != Opener::Block {
            self.begin_block();
            // The way into a loop.
            self.here.paths += u64::from(opener == Opener::Loop);
        }
    }

    fn enter_else(&mut self) {
        let is_dead = self.is_dead;
        if let Some(level) = self.levels.last_mut() {
            level.opener = Opener::Block;
            level.paths += u64::from(!is_dead);
            self.is_dead = level.opened_dead;
            self.height = level.height;
        }
        if !self.is_dead {
            self.begin_block();
        }
    }

    fn end(&mut self) {
        let Some(level) = self.levels.pop() else {
            return;
        };
        let falls_through = u64::from(!self.is_dead);
        if level.opener == Opener::Loop {
            self.end_loop(&level);
            self.is_dead |= level.opened_dead;
        } else if level.opened_dead {
            self.is_dead = true;
        } else {
            let skips = u64::from(level.opener == Opener::If);
            let paths = level.paths + skips + falls_through;
            self.is_dead = paths == 0;
            if level.paths + skips > 0 {
                self.height = level.height;
                self.begin_block();
            }
            if paths > 1 {
                self.here.paths += paths;
            }
        }
        self.height = level.height + level.results;
    }

    /// What was accessed in the loop is kept until its end, and merged with what each branch back to its start brings.
    fn end_loop(&mut self, level: &Level) {
        self.loops.pop();
        for &local in &level.accessed {
            self.merges += level.paths;
            self.access_again(local);
            if self.merges.saturating_mul(self.merges) > SQUARED_MERGES_TIMES_TWO * MOST_NANOSECONDS
            {
                break;
            }
        }
        if let Some(outer) = self
            .loops
            .last()
            .and_then(|&index| self.levels.get_mut(index))
        {
            // One that was accessed in the outer loop before this one would be there twice, which only costs more.
            outer.accessed.extend_from_slice(&level.accessed);
        }
    }

    fn access_again(&mut self, local: u32) {
        if let Some(last) = self.last.get_mut(local as usize) {
            let before = std::mem::replace(last, self.here);
            self.keep(before, true);
        }
    }

    fn branch(&mut self, depth: u32) {
        let level = self.levels.iter_mut().rev().nth(depth as usize);
        if let Some(level) = level {
            level.paths += 1;
        }
    }

    fn branch_by_table(&mut self, targets: &BrTable<'_>) {
        self.pop(1);
        for target in targets.targets().flatten() {
            self.branch(target);
            self.begin_block();
        }
        self.branch(targets.default());
        self.here.operators += u64::from(targets.len());
        self.is_dead = true;
    }
}

/// How many operands an operator takes and leaves, if it is none of those that are told apart above.
fn effect(operator: &Operator<'_>) -> (u32, u32) {
    use Operator::*;
    match operator {
        Nop => (0, 0),
        I32Const { .. } | I64Const { .. } | F32Const { .. } | F64Const { .. } => (0, 1),
        GlobalGet { .. } | MemorySize { .. } => (0, 1),
        Drop | GlobalSet { .. } => (1, 0),
        Select => (3, 1),
        I32Store { .. } | I64Store { .. } | F32Store { .. } | F64Store { .. } => (2, 0),
        I32Store8 { .. } | I32Store16 { .. } => (2, 0),
        I64Store8 { .. } | I64Store16 { .. } | I64Store32 { .. } => (2, 0),
        I32Eq | I32Ne | I32LtS | I32LtU | I32GtS | I32GtU | I32LeS | I32LeU | I32GeS | I32GeU => {
            (2, 1)
        }
        I64Eq | I64Ne | I64LtS | I64LtU | I64GtS | I64GtU | I64LeS | I64LeU | I64GeS | I64GeU => {
            (2, 1)
        }
        I32Add | I32Sub | I32Mul | I32DivS | I32DivU | I32RemS | I32RemU | I32And | I32Or
        | I32Xor => (2, 1),
        I32Shl | I32ShrS | I32ShrU | I32Rotl | I32Rotr => (2, 1),
        I64Add | I64Sub | I64Mul | I64DivS | I64DivU | I64RemS | I64RemU | I64And | I64Or
        | I64Xor => (2, 1),
        I64Shl | I64ShrS | I64ShrU | I64Rotl | I64Rotr => (2, 1),
        // Loads, conversions and everything else with one operand and one result.
        _ => (1, 1),
    }
}
