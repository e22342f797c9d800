//! One body: each operator takes its operands from the frame and puts its result there.
//!
//! Parameters stay what they are. What a branch brings to a label waits in a local of its type, since labels lie at
//! different heights; so no block has a result any more.

use thiserror::Error;
use wasm_encoder::{
    BlockType, Encode as _, InstructionSink, MemArg, ValType as EncodedType, reencode,
};
use wasmparser::{
    BlockType as ParsedType, FrameKind, FuncToValidate, FuncValidator, FuncValidatorAllocations,
    FunctionBody, Operator, ValType, ValidatorResources, WasmModuleResources as _,
};

/// Bytes of a value in a frame.
pub(super) const VALUE_BYTES: u32 = 8;

/// The module could not be rewritten: never seen, a bug of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a huge function can't be rewritten: {0}")]
pub(in crate::engine) struct FrameError(pub(super) String);

impl From<wasmparser::Error> for FrameError {
    fn from(error: wasmparser::Error) -> Self {
        Self(error.to_string())
    }
}

impl<E: std::fmt::Display> From<reencode::Error<E>> for FrameError {
    fn from(error: reencode::Error<E>) -> Self {
        Self(error.to_string())
    }
}

/// Where frames are kept, by index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frames {
    /// The memory.
    pub(super) memory: u32,
    /// The global that counts free slots.
    pub(super) slots: u32,
}

/// The types of values. Each has a local for what branches bring.
const TYPES: [EncodedType; 4] = [
    EncodedType::I32,
    EncodedType::I64,
    EncodedType::F32,
    EncodedType::F64,
];

/// Rewrites a body that instrumentation has made. It begins with a look whether the slots of the call, a constant, are
/// there.
pub(super) fn rewrite(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    frames: Frames,
) -> Result<Vec<u8>, FrameError> {
    let missing = || FrameError("its type is missing".to_owned());
    let signature = function
        .resources
        .sub_type_at(function.ty)
        .ok_or_else(missing)?;
    let signature = signature.unwrap_func();
    let parameters = signature.params().len() as u32;
    let result = signature.results().first().copied();
    let slots = slots_of_call(body)?;
    let mut validator = function.into_validator(FuncValidatorAllocations::default());
    validator.read_locals(&mut body.get_binary_reader())?;
    let mut rewriter = Rewriter {
        frames,
        parameters,
        locals: validator.len_locals() - parameters,
        result,
        slots,
        output: Vec::with_capacity(4 * body.as_bytes().len()),
        skipped: 0,
        validator,
    };
    rewriter.enter();
    let bytes = body.as_bytes();
    let first = body.range().start;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        let end = operators.original_position();
        let raw = &bytes[(offset - first) as usize..(end - first) as usize];
        rewriter.operator(&operator, offset, raw)?;
    }
    Ok(rewriter.output)
}

/// The slots of a call: the first constant of an instrumented body.
fn slots_of_call(body: &FunctionBody<'_>) -> Result<i32, FrameError> {
    for operator in body.get_operators_reader()? {
        if let Operator::I32Const { value } = operator? {
            return Ok(value);
        }
    }
    Err(FrameError("it does not look for its slots".to_owned()))
}

struct Rewriter {
    frames: Frames,
    /// They stay locals. Behind them are the address of the frame and a local for each type.
    parameters: u32,
    /// They begin the frame; the operands follow.
    locals: u32,
    result: Option<ValType>,
    slots: i32,
    output: Vec<u8>,
    /// Levels that were opened where control never comes, and are left out.
    skipped: u32,
    validator: FuncValidator<ValidatorResources>,
}

impl Rewriter {
    fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.output)
    }

    /// Index of the local with the address of the frame.
    fn frame(&self) -> u32 {
        self.parameters
    }

    /// Index of the local with which branches bring a value of this type.
    fn carrier(&self, ty: ValType) -> u32 {
        let place = match ty {
            ValType::I32 => 0,
            ValType::F32 => 2,
            ValType::F64 => 3,
            // Validation accepts numbers only.
            _ => 1,
        };
        self.parameters + 1 + place
    }

    /// Declares the locals, looks for the slots as the body itself will again, and clears the frame's locals.
    fn enter(&mut self) {
        let groups = [&[EncodedType::I32][..], &TYPES].concat();
        (groups.len() as u32).encode(&mut self.output);
        for ty in groups {
            1_u32.encode(&mut self.output);
            ty.encode(&mut self.output);
        }
        let (slots, frames, frame) = (self.slots, self.frames, self.frame());
        let bytes = (self.locals * VALUE_BYTES) as i32;
        let mut sink = self.sink();
        sink.global_get(frames.slots).i32_const(slots).i32_lt_s();
        sink.if_(BlockType::Empty).unreachable().end();
        sink.global_get(frames.slots).i32_const(slots).i32_sub();
        sink.i32_const(VALUE_BYTES as i32)
            .i32_mul()
            .local_tee(frame);
        sink.i32_const(0)
            .i32_const(bytes)
            .memory_fill(frames.memory);
        // In place of the function as the outermost label.
        sink.block(BlockType::Empty);
    }

    fn operator(
        &mut self,
        operator: &Operator<'_>,
        offset: u64,
        raw: &[u8],
    ) -> Result<(), FrameError> {
        let is_dead = self.level(0)?.is_dead;
        if self.skips(operator, is_dead) {
            return Ok(self.validator.op(offset, operator)?);
        }
        match operator {
            Operator::Else | Operator::End => return self.end(operator, offset, is_dead),
            // These need what was pushed.
            Operator::LocalGet { local_index } => {
                self.validator.op(offset, operator)?;
                return self.get(*local_index);
            }
            _ if self.is_control(operator) => self.control(operator, raw)?,
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.set(*local_index)?;
            }
            _ => return self.compute(operator, offset, raw),
        }
        Ok(self.validator.op(offset, operator)?)
    }

    /// Whether the operator is unreachable, and is left out.
    fn skips(&mut self, operator: &Operator<'_>, is_dead: bool) -> bool {
        match operator {
            // Inside a level that is left out, validation takes control to be alive again.
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. }
                if is_dead || self.skipped > 0 =>
            {
                self.skipped += 1;
                true
            }
            Operator::End if self.skipped > 0 => {
                self.skipped -= 1;
                true
            }
            Operator::Else if self.skipped > 0 => true,
            Operator::Else | Operator::End => false,
            _ => is_dead || self.skipped > 0,
        }
    }

    fn is_control(&self, operator: &Operator<'_>) -> bool {
        matches!(
            operator,
            Operator::Nop
                | Operator::Drop
                | Operator::Unreachable
                | Operator::Block { .. }
                | Operator::Loop { .. }
                | Operator::If { .. }
                | Operator::Br { .. }
                | Operator::BrIf { .. }
                | Operator::BrTable { .. }
                | Operator::Return
        )
    }

    /// Writes an operator that leaves nothing on the stack but what is there.
    fn control(&mut self, operator: &Operator<'_>, raw: &[u8]) -> Result<(), FrameError> {
        match operator {
            Operator::Unreachable => {
                self.sink().unreachable();
            }
            Operator::Block { .. } => {
                self.sink().block(BlockType::Empty);
            }
            Operator::Loop { .. } => {
                self.sink().loop_(BlockType::Empty);
            }
            Operator::If { .. } => {
                self.load_operand(0)?;
                self.sink().if_(BlockType::Empty);
            }
            Operator::Br { relative_depth } => {
                self.carry_to(*relative_depth, 0)?;
                self.output.extend_from_slice(raw);
            }
            Operator::BrIf { relative_depth } => {
                self.carry_to(*relative_depth, 1)?;
                self.load_operand(0)?;
                self.output.extend_from_slice(raw);
            }
            Operator::BrTable { targets } => {
                // All its labels take the same.
                self.carry_to(targets.default(), 1)?;
                self.load_operand(0)?;
                self.output.extend_from_slice(raw);
            }
            Operator::Return => {
                let outermost = self.validator.control_stack_height() - 1;
                self.carry_to(outermost, 0)?;
                self.sink().br(outermost);
            }
            // Nothing has to be done for a nop, or to forget an operand.
            _ => {}
        }
        Ok(())
    }

    /// Ends an arm or a level. What it leaves is carried over its end.
    fn end(
        &mut self,
        operator: &Operator<'_>,
        offset: u64,
        is_dead: bool,
    ) -> Result<(), FrameError> {
        let result = self.level(0)?.result;
        let is_outermost = self.validator.control_stack_height() == 1;
        if let (Some(ty), false) = (result, is_dead) {
            self.load_operand(0)?;
            let carrier = self.carrier(ty);
            self.sink().local_set(carrier);
        }
        self.validator.op(offset, operator)?;
        if matches!(operator, Operator::Else) {
            self.sink().else_();
            return Ok(());
        }
        self.sink().end();
        match result {
            Some(ty) if is_outermost => {
                let carrier = self.carrier(ty);
                self.sink().local_get(carrier);
            }
            Some(ty) => {
                let (frame, carrier) = (self.frame(), self.carrier(ty));
                self.sink().local_get(frame).local_get(carrier);
                self.store_operand()?;
            }
            None => {}
        }
        if is_outermost {
            self.sink().end();
        }
        Ok(())
    }

    /// Keeps what a branch to this label brings, the operand at `depth`, in its local.
    fn carry_to(&mut self, label: u32, depth: u32) -> Result<(), FrameError> {
        let level = self.level(label)?;
        if let (Some(ty), false) = (level.result, level.is_loop) {
            self.load_operand(depth)?;
            let carrier = self.carrier(ty);
            self.sink().local_set(carrier);
        }
        Ok(())
    }

    /// Pushes a local; validation has pushed it already.
    fn get(&mut self, local: u32) -> Result<(), FrameError> {
        let frame = self.frame();
        self.sink().local_get(frame);
        match local.checked_sub(self.parameters) {
            None => {
                self.sink().local_get(local);
            }
            Some(place) => {
                let ty = self.operand_type(0)?;
                self.load(place, ty);
            }
        }
        self.store_operand()
    }

    /// Sets a local to the topmost operand.
    fn set(&mut self, local: u32) -> Result<(), FrameError> {
        match local.checked_sub(self.parameters) {
            None => {
                self.load_operand(0)?;
                self.sink().local_set(local);
            }
            Some(place) => {
                let frame = self.frame();
                self.sink().local_get(frame);
                self.load_operand(0)?;
                let ty = self.operand_type(0)?;
                self.store(place, ty);
            }
        }
        Ok(())
    }

    /// Writes an operator that takes operands and leaves at most one.
    fn compute(
        &mut self,
        operator: &Operator<'_>,
        offset: u64,
        raw: &[u8],
    ) -> Result<(), FrameError> {
        let unknown = || FrameError(format!("{operator:?} is not known"));
        let arity = operator.operator_arity(&self.validator);
        let (taken, left) = arity.ok_or_else(unknown)?;
        if left > 0 {
            let frame = self.frame();
            self.sink().local_get(frame);
        }
        for depth in (0..taken).rev() {
            self.load_operand(depth)?;
        }
        self.output.extend_from_slice(raw);
        self.validator.op(offset, operator)?;
        if left > 0 {
            self.store_operand()?;
        }
        Ok(())
    }

    fn level(&self, label: u32) -> Result<Level, FrameError> {
        let missing = || FrameError(format!("there is no label {label}"));
        let frame = self.validator.get_control_frame(label as usize);
        let frame = frame.ok_or_else(missing)?;
        let result = match frame.block_type {
            _ if label + 1 == self.validator.control_stack_height() => self.result,
            ParsedType::Type(ty) => Some(ty),
            ParsedType::Empty | ParsedType::FuncType(_) => None,
        };
        Ok(Level {
            result,
            is_loop: frame.kind == FrameKind::Loop,
            is_dead: frame.unreachable,
        })
    }

    fn operand_type(&self, depth: u32) -> Result<ValType, FrameError> {
        let ty = self.validator.get_operand_type(depth as usize).flatten();
        ty.ok_or_else(|| FrameError(format!("there is no operand {depth}")))
    }

    /// The place in the frame of the operand at this depth.
    fn operand_place(&self, depth: u32) -> u32 {
        self.locals + self.validator.operand_stack_height() - 1 - depth
    }

    fn load_operand(&mut self, depth: u32) -> Result<(), FrameError> {
        let ty = self.operand_type(depth)?;
        self.load(self.operand_place(depth), ty);
        Ok(())
    }

    /// Stores what is on the stack, above the address of the frame, as the topmost operand.
    fn store_operand(&mut self) -> Result<(), FrameError> {
        let ty = self.operand_type(0)?;
        self.store(self.operand_place(0), ty);
        Ok(())
    }

    fn load(&mut self, place: u32, ty: ValType) {
        let (frame, at) = (self.frame(), self.at(place));
        let mut sink = self.sink();
        sink.local_get(frame);
        match ty {
            ValType::I32 => sink.i32_load(at),
            ValType::F32 => sink.f32_load(at),
            ValType::F64 => sink.f64_load(at),
            _ => sink.i64_load(at),
        };
    }

    fn store(&mut self, place: u32, ty: ValType) {
        let at = self.at(place);
        let mut sink = self.sink();
        match ty {
            ValType::I32 => sink.i32_store(at),
            ValType::F32 => sink.f32_store(at),
            ValType::F64 => sink.f64_store(at),
            _ => sink.i64_store(at),
        };
    }

    fn at(&self, place: u32) -> MemArg {
        MemArg {
            offset: u64::from(place) * u64::from(VALUE_BYTES),
            align: 2,
            memory_index: self.frames.memory,
        }
    }
}

/// What is known of a level of control.
struct Level {
    /// What it leaves behind.
    result: Option<ValType>,
    is_loop: bool,
    /// Control does not get to where the code is read.
    is_dead: bool,
}
