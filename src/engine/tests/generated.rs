//! Generated control flow: the instrumented code must count what a plain reading of the rules counts.
//!
//! The reading is [`Reader`], an interpreter of the few operators that are generated, which adds up the costs exactly
//! as docs/spec/gas.md#metering words it: no flush is put off, and dead code is treated like all other code.

use proptest::prelude::*;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, ElementSection, Elements, ExportKind, ExportSection,
    Function, FunctionSection, Module, RefType, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{Operator, Parser, Payload};

use super::cost::readable_costs;
use super::{End, run_code, run_code_by_class};
use crate::engine::opcode_costs::{CLASS_COUNT, OpcodeCosts, class_of};

/// A piece of structured code. Depths are taken modulo the number of open levels.
#[derive(Debug, Clone)]
enum Piece {
    Nop,
    Block(Vec<Piece>),
    Loop(Vec<Piece>),
    If(i32, Vec<Piece>, Option<Vec<Piece>>),
    Br(u32),
    BrIf(i32, u32),
    BrTable(i32, Vec<u32>, u32),
    Return,
    Unreachable,
    Call(Callee),
}

/// What a piece calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callee {
    /// The exported function.
    First,
    /// The other one.
    Second,
    /// The other one through the table, if it is there; else directly.
    SecondByTable,
}

/// What the second function is besides its body. The first one has no parameters.
#[derive(Debug, Clone, Copy)]
struct Second {
    has_parameters: bool,
    is_in_table: bool,
}

/// Parameters of a second function that has some.
const PARAMETERS: [ValType; 2] = [ValType::I64, ValType::I32];

impl Second {
    fn parameters(self) -> &'static [ValType] {
        if self.has_parameters {
            &PARAMETERS
        } else {
            &[]
        }
    }
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let mask = prop_oneof![Just(0), Just(1), Just(3), Just(4)];
    let leaf = prop_oneof![
        6 => Just(Piece::Nop),
        2 => (0..6_u32).prop_map(Piece::Br),
        4 => (mask.clone(), 0..6_u32).prop_map(|(mask, depth)| Piece::BrIf(mask, depth)),
        2 => (mask.clone(), prop::collection::vec(0..6_u32, 0..4), 0..6_u32)
            .prop_map(|(mask, targets, default)| Piece::BrTable(mask, targets, default)),
        1 => Just(Piece::Return),
        1 => Just(Piece::Unreachable),
        1 => Just(Piece::Call(Callee::First)),
        2 => Just(Piece::Call(Callee::Second)),
        1 => Just(Piece::Call(Callee::SecondByTable)),
    ];
    let piece = leaf.prop_recursive(5, 60, 6, move |inner| {
        let body = prop::collection::vec(inner, 0..6);
        prop_oneof![
            3 => body.clone().prop_map(Piece::Block),
            2 => body.clone().prop_map(Piece::Loop),
            3 => (mask.clone(), body.clone(), prop::option::of(body))
                .prop_map(|(mask, then, otherwise)| Piece::If(mask, then, otherwise)),
        ]
    });
    prop::collection::vec(piece, 0..8)
}

/// Writes one body.
struct Writer {
    /// The local that conditions and table indices come from; it counts up whenever it is read.
    counter: u32,
    second: Second,
    body: Function,
}

impl Writer {
    /// Writes `counter += 1; counter & mask`.
    fn condition(&mut self, mask: i32) {
        let mut sink = self.body.instructions();
        sink.local_get(self.counter).i32_const(1).i32_add();
        sink.local_tee(self.counter).i32_const(mask).i32_and();
    }

    fn call(&mut self, callee: Callee) {
        let mut sink = self.body.instructions();
        if callee == Callee::First {
            sink.call(0);
            return;
        }
        if self.second.has_parameters {
            sink.i64_const(7).i32_const(5);
        }
        if callee == Callee::SecondByTable && self.second.is_in_table {
            sink.i32_const(0).call_indirect(0, 1);
        } else {
            sink.call(1);
        }
    }

    fn pieces(&mut self, pieces: &[Piece], levels: u32) {
        for piece in pieces {
            match piece {
                Piece::Nop => _ = self.body.instructions().nop(),
                Piece::Block(body) => {
                    self.body.instructions().block(BlockType::Empty);
                    self.pieces(body, levels + 1);
                    self.body.instructions().end();
                }
                Piece::Loop(body) => {
                    self.body.instructions().loop_(BlockType::Empty);
                    self.pieces(body, levels + 1);
                    self.body.instructions().end();
                }
                Piece::If(mask, then, otherwise) => {
                    self.condition(*mask);
                    self.body.instructions().if_(BlockType::Empty);
                    self.pieces(then, levels + 1);
                    if let Some(otherwise) = otherwise {
                        self.body.instructions().else_();
                        self.pieces(otherwise, levels + 1);
                    }
                    self.body.instructions().end();
                }
                Piece::Br(depth) => _ = self.body.instructions().br(depth % levels),
                Piece::BrIf(mask, depth) => {
                    self.condition(*mask);
                    self.body.instructions().br_if(depth % levels);
                }
                Piece::BrTable(mask, targets, default) => {
                    self.condition(*mask);
                    let targets: Vec<u32> = targets.iter().map(|depth| depth % levels).collect();
                    let mut sink = self.body.instructions();
                    sink.br_table(targets, default % levels);
                }
                Piece::Return => _ = self.body.instructions().return_(),
                Piece::Unreachable => _ = self.body.instructions().unreachable(),
                Piece::Call(callee) => self.call(*callee),
            }
        }
    }
}

/// A module whose exported `f` is the first body.
fn module(bodies: [&[Piece]; 2], second: Second) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function(second.parameters().iter().copied(), []);
    let mut functions = FunctionSection::new();
    functions.function(0).function(1);
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        minimum: 1,
        maximum: None,
        table64: false,
        shared: false,
    });
    let mut exports = ExportSection::new();
    exports.export("f", ExportKind::Func, 0);
    let mut elements = ElementSection::new();
    if second.is_in_table {
        let place = ConstExpr::i32_const(0);
        elements.active(None, &place, Elements::Functions(vec![1].into()));
    }
    let mut code = CodeSection::new();
    for (pieces, parameters) in bodies.into_iter().zip([&[], second.parameters()]) {
        let mut writer = Writer {
            counter: parameters.len() as u32,
            second,
            body: Function::new([(1, ValType::I32)]),
        };
        writer.pieces(pieces, 1);
        writer.body.instructions().end();
        code.function(&writer.body);
    }
    let mut module = Module::new();
    module
        .section(&types)
        .section(&functions)
        .section(&tables)
        .section(&exports)
        .section(&elements)
        .section(&code);
    module.finish()
}

/// One operator with what the rules put before it.
struct Step<'a> {
    operator: Operator<'a>,
    /// Rule 2: the points that are added, by class of operators.
    flushed: [u64; CLASS_COUNT],
    /// Rule 3.
    is_checked: bool,
    /// The matching `end` of an opener, and the `else` if there is one; of an `else`, the `end`.
    end: usize,
    otherwise: Option<usize>,
}

/// Interprets function bodies operator by operator.
struct Reader<'a> {
    functions: Vec<Vec<Step<'a>>>,
    used: u64,
    /// The same by class of operators.
    classes: [u64; CLASS_COUNT],
    /// The same by function.
    by_function: Vec<u64>,
    limit: u64,
    /// How many each function has.
    parameters: [usize; 2],
}

/// How a body ended abnormally.
struct Trap;

impl<'a> Reader<'a> {
    fn new(code: &'a [u8], second: Second, costs: &OpcodeCosts, limit: u64) -> Self {
        let payloads = Parser::new(0)
            .parse_all(code)
            .map(|payload| payload.expect("it is valid"));
        let functions = payloads.filter_map(|payload| match payload {
            Payload::CodeSectionEntry(body) => {
                let operators = body.get_operators_reader().expect("it is valid");
                let operators = operators
                    .into_iter()
                    .map(|operator| operator.expect("it is valid"));
                Some(steps(operators.collect(), costs))
            }
            _ => None,
        });
        let functions: Vec<_> = functions.collect();
        Self {
            by_function: vec![0; functions.len()],
            functions,
            used: 0,
            classes: [0; CLASS_COUNT],
            limit,
            parameters: [0, second.parameters().len()],
        }
    }

    fn call(&mut self, function: usize) -> Result<(), Trap> {
        let mut counter = 0_i32;
        let mut stack: Vec<i32> = Vec::new();
        // For each open level: where a branch to it goes, and whether the level stays open then.
        let mut labels = vec![(self.functions[function].len(), false)];
        let mut at = 0;
        while at < self.functions[function].len() {
            let step = &self.functions[function][at];
            for (class, points) in step.flushed.iter().enumerate() {
                self.used = self.used.wrapping_add(*points);
                self.classes[class] += points;
                self.by_function[function] += points;
            }
            if step.is_checked && self.used >= self.limit {
                return Err(Trap);
            }
            let mut branch = None;
            match &step.operator {
                Operator::Nop => {}
                Operator::LocalGet { .. } => stack.push(counter),
                Operator::LocalTee { .. } => counter = *stack.last().expect("it is valid"),
                Operator::I32Const { value } => stack.push(*value),
                // Nothing looks at parameters.
                Operator::I64Const { .. } => stack.push(0),
                Operator::I32Add | Operator::I32And => {
                    let right = stack.pop().expect("it is valid");
                    let left = stack.pop().expect("it is valid");
                    let is_add = matches!(step.operator, Operator::I32Add);
                    stack.push(if is_add {
                        left.wrapping_add(right)
                    } else {
                        left & right
                    });
                }
                Operator::Block { .. } => labels.push((step.end + 1, false)),
                Operator::Loop { .. } => labels.push((at + 1, true)),
                Operator::If { .. } => {
                    let is_true = stack.pop().expect("it is valid") != 0;
                    match (is_true, step.otherwise) {
                        (true, _) => labels.push((step.end + 1, false)),
                        (false, Some(otherwise)) => {
                            labels.push((step.end + 1, false));
                            at = otherwise;
                        }
                        (false, None) => at = step.end,
                    }
                }
                Operator::Else => {
                    labels.pop();
                    at = step.end;
                }
                Operator::End => _ = labels.pop(),
                Operator::Br { relative_depth } => branch = Some(*relative_depth),
                Operator::BrIf { relative_depth } => {
                    branch = (stack.pop().expect("it is valid") != 0).then_some(*relative_depth);
                }
                Operator::BrTable { targets } => {
                    let index = stack.pop().expect("it is valid") as usize;
                    let target = targets
                        .targets()
                        .nth(index)
                        .map(|target| target.expect("it is valid"));
                    branch = Some(target.unwrap_or(targets.default()));
                }
                Operator::Return => return Ok(()),
                Operator::Unreachable => return Err(Trap),
                Operator::Call { function_index } => {
                    let callee = *function_index as usize;
                    stack.truncate(stack.len() - self.parameters[callee]);
                    // The limit of the points ends the recursion, long before the slots do.
                    self.call(callee)?;
                }
                Operator::CallIndirect { .. } => {
                    stack.truncate(stack.len() - 1 - self.parameters[1]);
                    self.call(1)?;
                }
                other => panic!("{other:?} is never generated"),
            }
            at += 1;
            if let Some(depth) = branch {
                labels.truncate(labels.len() - depth as usize);
                let (target, stays_open) = *labels.last().expect("it is valid");
                if !stays_open {
                    labels.pop();
                }
                at = target;
            }
        }
        Ok(())
    }
}

/// Walks a body in order, with the accumulator of the rules.
fn steps<'a>(operators: Vec<Operator<'a>>, costs: &OpcodeCosts) -> Vec<Step<'a>> {
    let mut steps: Vec<Step<'a>> = Vec::new();
    let mut openers = Vec::new();
    let mut accumulated = [0; CLASS_COUNT];
    for (at, operator) in operators.into_iter().enumerate() {
        accumulated[class_of(&operator)] += u64::from(costs.of(&operator));
        let is_checked = matches!(
            operator,
            Operator::Br { .. }
                | Operator::BrIf { .. }
                | Operator::BrTable { .. }
                | Operator::Call { .. }
                | Operator::CallIndirect { .. }
        );
        let is_opener = matches!(
            operator,
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. }
        );
        let (is_else, is_end) = (
            matches!(operator, Operator::Else),
            matches!(operator, Operator::End),
        );
        let ends_run = matches!(operator, Operator::Return | Operator::Unreachable);
        let is_flushed = is_checked || is_opener || is_else || is_end || ends_run;
        let flushed = match is_flushed {
            true => std::mem::take(&mut accumulated),
            false => [0; CLASS_COUNT],
        };
        if is_opener {
            openers.push(at);
        } else if is_else {
            let opener: usize = *openers.last().expect("it is valid");
            steps[opener].otherwise = Some(at);
        } else if let (true, Some(opener)) = (is_end, openers.last().copied()) {
            openers.pop();
            steps[opener].end = at;
            if let Some(otherwise) = steps[opener].otherwise {
                steps[otherwise].end = at;
            }
        }
        steps.push(Step {
            operator,
            flushed,
            is_checked,
            end: 0,
            otherwise: None,
        });
    }
    steps
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counts_are_those_of_the_rules(
        first in pieces(),
        second in pieces(),
        (has_parameters, is_in_table) in any::<(bool, bool)>(),
        limit in 0..3_000_000_000_u64,
    ) {
        let shape = Second { has_parameters, is_in_table };
        let code = module([&first, &second], shape);
        let costs = readable_costs();
        let mut reader = Reader::new(&code, shape, &costs, limit);
        let end = if reader.call(0).is_ok() { End::Returned } else { End::Trapped };
        let outcome = run_code(&code, &costs, limit);
        prop_assert_eq!((outcome.end, outcome.used), (end, reader.used));
        let by_class = run_code_by_class(&code, &costs, limit);
        prop_assert_eq!((by_class.end, by_class.used), (end, reader.used));
        let (classes, functions) = by_class.details.split_at(CLASS_COUNT);
        prop_assert_eq!(classes, reader.classes);
        prop_assert_eq!(functions, reader.by_function);
    }
}
