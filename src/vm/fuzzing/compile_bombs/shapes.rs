//! A generator of compile bombs: small valid contracts that an optimising compiler takes long for, or much memory.
//!
//! Each has `init`, which does nothing, and `run`, which goes once through the code and never loops. Nothing is
//! imported. The file uses nothing of this crate, so that the bench can have it as well.

use wasm_encoder::{
    BlockType, CodeSection, ExportKind, ExportSection, Function, FunctionSection, GlobalSection,
    GlobalType, InstructionSink, MemArg, MemorySection, MemoryType, Module, TypeSection, ValType,
};

/// What makes it hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Loops in loops; the innermost increases each local.
    NestedLoops,
    /// Loops one behind the other, each with all locals.
    LoopsInARow,
    /// Blocks one behind the other, each may skip an assignment to each of some locals.
    Joins,
    /// Assignments in both arms of ifs in ifs.
    NestedIfs,
    /// Tables of branches into blocks in blocks, between which locals are set.
    BranchTables,
    /// Tables of branches that all lead to one block, where all locals meet.
    BranchesToOnePlace,
    /// Locals set at the start and read at the end, with many blocks in between.
    LongLives,
    /// Operands that wait for the end of many blocks.
    WaitingOperands,
    /// Functions that do next to nothing.
    TinyFunctions,
    /// Arithmetic without branches.
    StraightLine,
    /// Calls with as many arguments as wasm allows.
    WideCalls,
    /// Loops that call a function while all locals are in use.
    LoopsWithCalls,
    /// As many locals as wasm allows, and hardly any code.
    ManyLocals,
    /// Constants that can be folded.
    Constants,
    /// Selects of selects.
    Selects,
    /// Loads and stores, at addresses of their own.
    MemoryAccesses,
    /// Types with as many parameters as wasm allows.
    WideTypes,
    /// Returns with a value from many places.
    Returns,
    /// Operators nested as deep as the operand stack allows.
    DeepExpressions,
    /// Globals that each block writes and the next one reads.
    Globals,
    /// Functions that are exported and called directly, so that instrumentation makes two of each.
    Entries,
}

impl Shape {
    /// All of them.
    pub const ALL: [Shape; 21] = [
        Shape::NestedLoops,
        Shape::LoopsInARow,
        Shape::Joins,
        Shape::NestedIfs,
        Shape::BranchTables,
        Shape::BranchesToOnePlace,
        Shape::LongLives,
        Shape::WaitingOperands,
        Shape::TinyFunctions,
        Shape::StraightLine,
        Shape::WideCalls,
        Shape::LoopsWithCalls,
        Shape::ManyLocals,
        Shape::Constants,
        Shape::Selects,
        Shape::MemoryAccesses,
        Shape::WideTypes,
        Shape::Returns,
        Shape::DeepExpressions,
        Shape::Globals,
        Shape::Entries,
    ];
}

/// A compile bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bomb {
    /// What makes it hard.
    pub shape: Shape,
    /// How many of what the shape repeats: loops, blocks, operators, functions. At least 1.
    pub length: u32,
    /// How many locals, arguments or globals there are. At least 1; wasm's own limits cut it.
    pub width: u32,
    /// Loops around all of it, which never loop.
    pub loops: u32,
}

/// Limits of wasm's validation.
const MOST_LOCALS: u32 = 49_000;
const MOST_PARAMETERS: u32 = 1_000;

/// The functions of a bomb before `run`: `init` and one that is called.
const RUN: u32 = 2;
const CALLED: u32 = 1;

/// The types of these functions.
const NO_VALUES: u32 = 0;
const CALLED_TYPE: u32 = 1;
const RUN_TYPE: u32 = 2;

/// The memory, and a word of it.
const ONE_PAGE: MemoryType = MemoryType {
    minimum: 1,
    maximum: None,
    memory64: false,
    shared: false,
    page_size_log2: None,
};
const WORD: MemArg = MemArg {
    offset: 0,
    align: 2,
    memory_index: 0,
};

impl Bomb {
    /// The contract.
    pub fn wasm(&self) -> Vec<u8> {
        let mut memories = MemorySection::new();
        memories.memory(ONE_PAGE);
        let mut exports = ExportSection::new();
        exports.export("memory", ExportKind::Memory, 0);
        exports.export("init", ExportKind::Func, 0);
        exports.export("run", ExportKind::Func, RUN);
        if self.shape == Shape::Entries {
            for index in RUN + 1..=RUN + self.length {
                exports.export(&format!("f{index}"), ExportKind::Func, index);
            }
        }
        let mut module = Module::new();
        module.section(&self.types());
        module.section(&self.functions()).section(&memories);
        if self.shape == Shape::Globals {
            module.section(&self.globals());
        }
        module.section(&exports).section(&self.code());
        module.finish()
    }

    fn types(&self) -> TypeSection {
        let mut types = TypeSection::new();
        types.ty().function([], []);
        let arguments = vec![ValType::I32; self.arguments() as usize];
        types.ty().function(arguments, [ValType::I32]);
        types.ty().function([], []);
        if self.shape == Shape::WideTypes {
            let parameters = self.width.min(MOST_PARAMETERS);
            for number in 0..self.length {
                // Each another one, so that none can be shared.
                let number_at = |bit| number >> (bit % 20) & 1;
                let parameters = (0..parameters).map(|bit| match number_at(bit) {
                    0 => ValType::I32,
                    _ => ValType::I64,
                });
                types.ty().function(parameters, []);
            }
        }
        types
    }

    /// Of the function that is called.
    fn arguments(&self) -> u32 {
        match self.shape {
            Shape::WideCalls | Shape::Entries => self.width.min(MOST_PARAMETERS),
            _ => 1,
        }
    }

    /// How many functions there are behind `run`.
    fn tiny_functions(&self) -> u32 {
        match self.shape {
            Shape::TinyFunctions | Shape::Entries => self.length,
            _ => 0,
        }
    }

    fn functions(&self) -> FunctionSection {
        let mut functions = FunctionSection::new();
        functions.function(NO_VALUES);
        functions.function(CALLED_TYPE);
        functions.function(RUN_TYPE);
        for _ in 0..self.tiny_functions() {
            functions.function(CALLED_TYPE);
        }
        functions
    }

    fn code(&self) -> CodeSection {
        let mut code = CodeSection::new();
        code.function(&finished(Function::new([])));
        let mut called = Function::new([]);
        called.instructions().local_get(self.arguments() - 1);
        code.function(&finished(called));
        code.function(&finished(self.run()));
        for _ in 0..self.tiny_functions() {
            let mut function = Function::new([(1, ValType::I64)]);
            let mut it = function.instructions();
            it.local_get(0).i32_const(3).i32_mul();
            it.block(BlockType::Empty);
            it.local_get(0).br_if(0).i32_const(1).local_set(0).end();
            code.function(&finished(function));
        }
        code
    }

    fn globals(&self) -> GlobalSection {
        let mut globals = GlobalSection::new();
        let global = GlobalType {
            val_type: ValType::I64,
            mutable: true,
            shared: false,
        };
        for _ in 0..self.width {
            globals.global(global, &wasm_encoder::ConstExpr::i64_const(5));
        }
        globals
    }

    /// How many locals `run` has. The first is 0 whenever it is asked, which no compiler knows.
    fn locals(&self) -> u32 {
        let locals = match self.shape {
            Shape::WideTypes | Shape::Globals | Shape::TinyFunctions | Shape::Entries => 1,
            Shape::WideCalls => self.arguments(),
            _ => self.width,
        };
        locals.clamp(1, MOST_LOCALS)
    }

    fn run(&self) -> Function {
        let locals = self.locals();
        let mut function = Function::new([(locals + 1, ValType::I32)]);
        let mut it = function.instructions();
        // What is loaded is 0.
        it.i32_const(64).i32_load(WORD).local_set(locals);
        if self.has_unknown_locals() {
            for local in 0..locals {
                it.i32_const(4 * (local as i32 % 15_000)).i32_load(WORD);
                it.local_set(local);
            }
        }
        for _ in 0..self.loops {
            it.loop_(BlockType::Empty);
        }
        self.body(&mut it, locals, locals);
        for _ in 0..self.loops {
            it.local_get(locals).br_if(0).end();
        }
        function
    }

    /// Whether the locals get values that no compiler knows.
    fn has_unknown_locals(&self) -> bool {
        matches!(
            self.shape,
            Shape::StraightLine
                | Shape::Constants
                | Shape::Selects
                | Shape::DeepExpressions
                | Shape::MemoryAccesses
                | Shape::WideCalls
                | Shape::LongLives
                | Shape::NestedIfs
        )
    }

    /// `zero` is a local that is 0; the ones before it are there to be used.
    fn body(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        match self.shape {
            Shape::NestedLoops => self.nested_loops(it, zero, locals),
            Shape::LoopsInARow => self.loops_in_a_row(it, zero, locals),
            Shape::Joins => self.joins(it, zero, locals),
            Shape::NestedIfs => self.nested_ifs(it, zero, locals),
            Shape::BranchTables => self.branch_tables(it, zero, locals),
            Shape::BranchesToOnePlace => self.branches_to_one_place(it, zero, locals),
            Shape::LongLives => {
                self.empty_blocks(it, zero);
                sum(it, 0..locals);
            }
            Shape::WaitingOperands => self.waiting_operands(it, zero, locals),
            Shape::TinyFunctions => {
                it.local_get(zero).call(RUN + self.length).drop();
            }
            Shape::StraightLine => self.straight_line(it, locals),
            Shape::WideCalls => self.wide_calls(it, locals),
            Shape::LoopsWithCalls => self.loops_with_calls(it, zero, locals),
            Shape::ManyLocals => {
                for number in 0..self.length {
                    increase(it, (number * 997) % locals);
                }
            }
            Shape::Constants => self.constants(it, locals),
            Shape::Selects => self.selects(it, locals),
            Shape::MemoryAccesses => self.memory_accesses(it, zero, locals),
            Shape::WideTypes => {}
            Shape::Returns => self.returns(it, zero, locals),
            Shape::DeepExpressions => self.deep_expressions(it, locals),
            Shape::Globals => self.global_accesses(it, zero),
            Shape::Entries => {
                for function in RUN + 1..=RUN + self.length {
                    for _ in 0..self.arguments() {
                        it.local_get(zero);
                    }
                    it.call(function).drop();
                }
            }
        }
    }

    fn loops_in_a_row(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for _ in 0..self.length {
            it.loop_(BlockType::Empty);
            (0..locals).for_each(|local| increase(it, local));
            it.local_get(zero).br_if(0).end();
        }
    }

    fn branches_to_one_place(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        it.block(BlockType::Empty);
        it.block(BlockType::Empty).local_get(zero).br_if(0);
        (0..locals).for_each(|local| increase(it, local));
        it.local_get(zero);
        it.br_table(vec![0; self.length as usize], 1).end().end();
        sum(it, 0..locals);
    }

    fn waiting_operands(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for operand in 0..locals {
            it.i32_const(4 * operand as i32 % 60_000).i32_load(WORD);
        }
        self.empty_blocks(it, zero);
        for _ in 1..locals {
            it.i32_add();
        }
        it.drop();
    }

    fn straight_line(&self, it: &mut InstructionSink<'_>, locals: u32) {
        for number in 0..self.length {
            let (first, second) = (number % locals, (number / 3) % locals);
            it.local_get(first).local_get(second);
            match number % 4 {
                0 => it.i32_add(),
                1 => it.i32_xor(),
                2 => it.i32_mul(),
                _ => it.i32_rotl(),
            };
            it.local_set((number * 7 + 1) % locals);
        }
        sum(it, 0..locals);
    }

    fn wide_calls(&self, it: &mut InstructionSink<'_>, locals: u32) {
        for number in 0..self.length {
            (0..locals).for_each(|local| {
                it.local_get((local + number) % locals);
            });
            it.call(CALLED).local_set(number % locals);
        }
    }

    fn loops_with_calls(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for _ in 0..self.length {
            it.loop_(BlockType::Empty);
            for local in 0..locals {
                it.local_get(local).call(CALLED).local_set(local);
            }
            it.local_get(zero).br_if(0).end();
        }
    }

    fn constants(&self, it: &mut InstructionSink<'_>, locals: u32) {
        for number in 0..self.length {
            it.local_get(number % locals);
            it.i32_const(number as i32).i32_add();
            it.i32_const(-7).i32_xor().i32_const(8).i32_mul();
            it.i32_const(16).i32_shl().i32_const(1).i32_or();
            it.local_set(number % locals);
        }
        sum(it, 0..locals);
    }

    fn selects(&self, it: &mut InstructionSink<'_>, locals: u32) {
        for number in 0..self.length {
            let (first, second) = (number % locals, (number + 1) % locals);
            it.local_get(first).local_get(second);
            it.local_get(first).local_get(second).i32_lt_s().select();
            it.local_set(second);
        }
        sum(it, 0..locals);
    }

    fn memory_accesses(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for number in 0..self.length {
            let local = number % locals;
            it.local_get(local).i32_const(4);
            it.i32_add().local_tee(local).local_get(zero);
            it.local_get(local).i32_load(WORD).i32_add();
            it.i32_store(WORD);
            it.local_get(local).i32_const(0xfff).i32_and();
            it.local_set(local);
        }
    }

    fn returns(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for number in 0..self.length {
            it.local_get(zero).if_(BlockType::Empty);
            increase(it, number % locals);
            it.return_().end();
        }
    }

    fn deep_expressions(&self, it: &mut InstructionSink<'_>, locals: u32) {
        for number in 0..self.length {
            it.local_get(number % locals);
            it.i32_const(number as i32).i32_xor();
        }
        for number in 1..self.length {
            match number % 3 {
                0 => it.i32_sub(),
                1 => it.i32_mul(),
                _ => it.i32_xor(),
            };
        }
        it.local_set(0);
    }

    fn global_accesses(&self, it: &mut InstructionSink<'_>, zero: u32) {
        for number in 0..self.length {
            it.block(BlockType::Empty).local_get(zero).br_if(0);
            let (from, to) = (number % self.width, (number * 7 + 1) % self.width);
            it.global_get(from).i64_const(3).i64_add();
            it.global_set(to).end();
        }
    }

    fn nested_loops(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for _ in 0..self.length {
            it.loop_(BlockType::Empty);
        }
        (0..locals).for_each(|local| increase(it, local));
        for _ in 0..self.length {
            it.local_get(zero).br_if(0).end();
        }
    }

    fn joins(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for number in 0..self.length {
            it.block(BlockType::Empty).local_get(zero).br_if(0);
            for set in 0..locals.min(8) {
                increase(it, (number * 8 + set) % locals);
            }
            it.end();
        }
        sum(it, 0..locals);
    }

    fn nested_ifs(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for number in 0..self.length {
            it.local_get(zero).if_(BlockType::Empty);
            increase(it, number % locals);
            it.else_();
        }
        for number in 0..self.length {
            it.local_get(number % locals).i32_const(3).i32_mul();
            it.local_set((number * 5 + 1) % locals).end();
        }
        sum(it, 0..locals);
    }

    fn branch_tables(&self, it: &mut InstructionSink<'_>, zero: u32, locals: u32) {
        for _ in 0..=self.length {
            it.block(BlockType::Empty);
        }
        let targets: Vec<u32> = (0..self.length).collect();
        it.local_get(zero).br_table(targets, self.length).end();
        for number in 0..self.length {
            increase(it, number % locals);
            it.end();
        }
        sum(it, 0..locals);
    }

    fn empty_blocks(&self, it: &mut InstructionSink<'_>, zero: u32) {
        for _ in 0..self.length {
            it.block(BlockType::Empty).local_get(zero).br_if(0);
            it.i32_const(8).local_get(zero).i32_store(WORD).end();
        }
    }
}

fn finished(mut function: Function) -> Function {
    function.instructions().end();
    function
}

fn increase(it: &mut InstructionSink<'_>, local: u32) {
    it.local_get(local).i32_const(1).i32_add().local_set(local);
}

/// Writes the sum of these locals into the memory, so that all of them are needed.
fn sum(it: &mut InstructionSink<'_>, locals: std::ops::Range<u32>) {
    it.i32_const(0).i32_const(0);
    for local in locals {
        it.local_get(local).i32_add();
    }
    it.i32_store(WORD);
}
