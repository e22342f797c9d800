//! Writes a function body without what our engines' parser would judge differently.

use std::collections::HashMap;
use std::ops::Range;

use reference_parser::{Operator, Type, TypeOrFuncType};
use wasm_encoder::{Encode, Instruction, ValType};

/// With more parameters and locals than this, those that are never used are left out: the interpreter takes 32,767, the
/// compiler 50,000, and the reference 50,000 locals besides 1,000 parameters.
const MANY_VARIABLES: u32 = 30_000;

/// One of the four types of values. The parser lets no others through.
pub(super) fn value_type(value_type: Type) -> ValType {
    match value_type {
        Type::I64 => ValType::I64,
        Type::F32 => ValType::F32,
        Type::F64 => ValType::F64,
        _ => ValType::I32,
    }
}

/// A body as it is written again.
#[derive(Debug)]
pub(super) struct Body {
    /// Local declarations and operators.
    pub(super) bytes: Vec<u8>,
    /// Parameters and locals that the contract declares, those that are left out included.
    pub(super) variables: u32,
}

/// Copies the operators of a body that control may reach, as the reference's compiler sees it: not what stands between an
/// unconditional branch and the end of its block. That code never runs, costs nothing, and may break the rules of our
/// engines' parser.
pub(super) struct BodyCopy<'a> {
    code: &'a [u8],
    locals: Locals,
    operators: Vec<u8>,
    /// Operators that are yet to be copied, as they are.
    run: Range<usize>,
    /// How many blocks that control can't reach are open, the one that it left included.
    dead_levels: u32,
}

impl<'a> BodyCopy<'a> {
    /// Begins a body in `code`, of a function with this many parameters.
    pub(super) fn new(code: &'a [u8], parameters: usize, locals: &[(u32, Type)]) -> Self {
        Self {
            code,
            locals: Locals::new(parameters as u32, locals),
            operators: Vec::new(),
            run: 0..0,
            dead_levels: 0,
        }
    }

    /// Takes the operator that is at `place`. An error is what the reference's compiler says of it.
    pub(super) fn operator(
        &mut self,
        operator: &Operator<'_>,
        place: Range<usize>,
    ) -> Result<(), &'static str> {
        if self.dead_levels > 0 {
            match operator {
                Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => {
                    self.dead_levels += 1;
                }
                Operator::End => self.dead_levels -= 1,
                // Of an `if` whose first branch control has left.
                Operator::Else if self.dead_levels == 1 => self.dead_levels = 0,
                _ => {}
            }
            if self.dead_levels > 0 {
                return Ok(());
            }
        }
        self.live_operator(operator, place)
    }

    fn live_operator(
        &mut self,
        operator: &Operator<'_>,
        place: Range<usize>,
    ) -> Result<(), &'static str> {
        match operator {
            Operator::Block { ty } | Operator::Loop { ty } | Operator::If { ty }
                if matches!(ty, TypeOrFuncType::FuncType(_)) =>
            {
                return Err("multi-value returns not yet implemented");
            }
            Operator::TypedSelect { .. } => return Err("select with a type not yet implemented"),
            Operator::BrTable { table } if table.read_table().is_err() => {
                return Err("a target of br_table is not a number");
            }
            Operator::Unreachable
            | Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return => self.dead_levels = 1,
            _ => {}
        }
        if let Some(instruction) = self.written_anew(operator) {
            self.flush();
            instruction.encode(&mut self.operators);
            return Ok(());
        }
        if self.run.end != place.start {
            self.flush();
            self.run.start = place.start;
        }
        self.run.end = place.end;
        Ok(())
    }

    /// An operator that can't be copied byte by byte.
    fn written_anew(&mut self, operator: &Operator<'_>) -> Option<Instruction<'static>> {
        // The parser takes any form of the table's number, which is 0.
        if let Operator::CallIndirect { index, table_index } = operator {
            return Some(Instruction::CallIndirect {
                type_index: *index,
                table_index: *table_index,
            });
        }
        if !self.locals.are_renumbered() {
            return None;
        }
        match operator {
            Operator::LocalGet { local_index } => {
                Some(Instruction::LocalGet(self.locals.number(*local_index)))
            }
            Operator::LocalSet { local_index } => {
                Some(Instruction::LocalSet(self.locals.number(*local_index)))
            }
            Operator::LocalTee { local_index } => {
                Some(Instruction::LocalTee(self.locals.number(*local_index)))
            }
            _ => None,
        }
    }

    fn flush(&mut self) {
        self.operators
            .extend_from_slice(&self.code[self.run.clone()]);
        self.run = 0..0;
    }

    /// The whole body.
    pub(super) fn finish(mut self) -> Body {
        self.flush();
        let mut bytes = Vec::with_capacity(self.operators.len() + 16);
        self.locals.encode(&mut bytes);
        bytes.extend_from_slice(&self.operators);
        Body {
            bytes,
            variables: self.locals.variables,
        }
    }
}

/// The locals of a function. If there are too many for our engines, those that are never used are left out.
struct Locals {
    parameters: u32,
    /// Parameters and locals.
    variables: u32,
    declared: Vec<(u32, Type)>,
    used: Option<UsedLocals>,
}

/// New numbers of the locals that are used.
struct UsedLocals {
    /// For each declared group, the number behind its last local.
    ends: Vec<u32>,
    numbers: HashMap<u32, u32>,
    types: Vec<Type>,
}

impl Locals {
    /// The parser has seen that there are no more than 50,000 locals, and 1,000 parameters.
    fn new(parameters: u32, declared: &[(u32, Type)]) -> Self {
        let ends: Vec<u32> = declared
            .iter()
            .scan(parameters, |end, (count, _)| {
                *end += count;
                Some(*end)
            })
            .collect();
        let variables = ends.last().copied().unwrap_or(parameters);
        Self {
            parameters,
            variables,
            declared: declared.to_vec(),
            used: (variables > MANY_VARIABLES).then(|| UsedLocals {
                ends,
                numbers: HashMap::new(),
                types: Vec::new(),
            }),
        }
    }

    fn are_renumbered(&self) -> bool {
        self.used.is_some()
    }

    /// The new number of a parameter or local that exists.
    fn number(&mut self, local: u32) -> u32 {
        let Some(used) = &mut self.used else {
            return local;
        };
        if local < self.parameters {
            return local;
        }
        let next = self.parameters + used.types.len() as u32;
        *used.numbers.entry(local).or_insert_with(|| {
            let group = used.ends.partition_point(|end| *end <= local);
            used.types.push(self.declared[group].1);
            next
        })
    }

    fn encode(&self, body: &mut Vec<u8>) {
        let groups: Vec<(u32, Type)> = match &self.used {
            None => self.declared.clone(),
            Some(used) => {
                let same = used.types.chunk_by(|a, b| a == b);
                same.map(|group| (group.len() as u32, group[0])).collect()
            }
        };
        groups.len().encode(body);
        for (count, declared) in groups {
            count.encode(body);
            value_type(declared).encode(body);
        }
    }
}
