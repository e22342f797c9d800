//! Moves the locals and operands of huge functions into a memory of their own, for an interpreter that can't number so many.
//!
//! This second memory holds as many values as there are stack slots ([`STACK_SLOTS`]), and the counter of free slots
//! says where the frame of a call begins: a call takes more slots than it has locals and operands, and those of two
//! active calls never overlap. The rewritten module does and counts the same, only slower.

mod body;

use std::collections::BTreeMap;
use std::ops::Range;

use wasm_encoder::reencode::{Reencode as _, RoundtripReencoder};
use wasm_encoder::{CodeSection, MemorySection, MemoryType, Module, RawSection, SectionId};
use wasmparser::{
    BinaryReader, ExternalKind, FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser,
    Payload, SectionLimited, Validator, ValidatorResources, WasmFeatures,
};

pub(super) use self::body::FrameError;
use self::body::{Frames, VALUE_BYTES};
use super::instrument::{InstrumentedModule, MOST_SLOTS, SECTION_ORDER, STACK_SLOTS};

/// A function with more locals and operands is huge: wasmi numbers 30,000 locals, and 65,535 values in all.
const MOST_VALUES: u32 = 20_000;

// Huge functions call none that returns points, so every operator of them leaves one value at most. Instrumentation adds fewer
// locals and operands than this.
const _: () = assert!(MOST_SLOTS + 1_000 < MOST_VALUES);

/// The most parameters of a function.
const MOST_PARAMETERS: usize = 1_000;

/// The fewest bytes of an operator that pushes an operand.
const BYTES_PER_OPERAND: usize = 2;

/// Bytes of a page of memory.
const PAGE_BYTES: u64 = 65_536;

/// What instrumented modules may use: functions that pass points return two values. The rewritten ones also have a second memory.
const FEATURES: WasmFeatures = WasmFeatures::MVP
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::THREADS);

/// The wasm of `module` with its huge functions rewritten; none if there are none, which is usual.
pub(super) fn rewrite(module: &InstrumentedModule) -> Result<Option<Vec<u8>>, FrameError> {
    if !may_have_huge_functions(&module.bytes)? {
        return Ok(None);
    }
    let outline = Outline::new(module)?;
    let mut bodies = CodeSection::new();
    let mut huge = 0;
    let mut validator = Validator::new_with_features(FEATURES);
    for payload in Parser::new(0).parse_all(&module.bytes) {
        let payload = payload?;
        let Payload::CodeSectionEntry(body) = payload else {
            validator.payload(&payload)?;
            continue;
        };
        let function = next_function(&mut validator, &body)?;
        let copy = FuncToValidate {
            resources: function.resources.clone(),
            ..function
        };
        if values(copy, &body)? > MOST_VALUES {
            huge += 1;
            bodies.raw(&body::rewrite(function, &body, outline.frames)?);
        } else {
            bodies.raw(body.as_bytes());
        }
    }
    match huge {
        0 => Ok(None),
        _ => outline.module(&module.bytes, &bodies).map(Some),
    }
}

/// The function of this body. The validator looks only at the length of a body then, of which it takes 7,654,321 bytes: contracts
/// have no longer ones, but instrumented they may be, and the interpreter takes any. So it is shown an empty one.
fn next_function(
    validator: &mut Validator,
    body: &FunctionBody<'_>,
) -> Result<FuncToValidate<ValidatorResources>, FrameError> {
    let empty = FunctionBody::new(BinaryReader::new(&[], body.range().start));
    Ok(validator.code_section_entry(&empty)?)
}

/// Looks only at the lengths of the bodies and at their locals.
fn may_have_huge_functions(wasm: &[u8]) -> Result<bool, FrameError> {
    for payload in Parser::new(0).parse_all(wasm) {
        if let Payload::CodeSectionEntry(body) = payload?
            && most_values(&body)? > MOST_VALUES as usize
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// At least as many as the values of the function.
fn most_values(body: &FunctionBody<'_>) -> Result<usize, FrameError> {
    let mut values = MOST_PARAMETERS + body.as_bytes().len() / BYTES_PER_OPERAND;
    for group in body.get_locals_reader()? {
        values += group?.0 as usize;
    }
    Ok(values)
}

/// Parameters, locals and the highest operand stack.
fn values(
    function: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
) -> Result<u32, FrameError> {
    let mut validator = function.into_validator(FuncValidatorAllocations::default());
    validator.read_locals(&mut body.get_binary_reader())?;
    let mut highest = 0;
    let mut operators = body.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        validator.op(offset, &operator)?;
        highest = highest.max(validator.operand_stack_height());
    }
    Ok(validator.len_locals().saturating_add(highest))
}

/// Where the sections of a module are, and what its frames need.
struct Outline {
    sections: BTreeMap<u8, Range<usize>>,
    frames: Frames,
}

impl Outline {
    fn new(module: &InstrumentedModule) -> Result<Self, FrameError> {
        let mut sections = BTreeMap::new();
        let mut slots = None;
        let mut memories = 0;
        for payload in Parser::new(0).parse_all(&module.bytes) {
            let payload = payload?;
            if let Some((id, range)) = payload.as_section() {
                // The module is in memory, so its offsets fit a usize.
                sections.insert(id, range.start as usize..range.end as usize);
            }
            match payload {
                Payload::MemorySection(section) => memories = section.count(),
                Payload::ExportSection(section) => {
                    for export in section {
                        let export = export?;
                        if export.kind == ExternalKind::Global && export.name == module.hidden.slots
                        {
                            slots = Some(export.index);
                        }
                    }
                }
                _ => {}
            }
        }
        let slots =
            slots.ok_or_else(|| FrameError("no counter of slots is exported".to_owned()))?;
        Ok(Self {
            sections,
            frames: Frames {
                memory: memories,
                slots,
            },
        })
    }

    fn module(&self, wasm: &[u8], bodies: &CodeSection) -> Result<Vec<u8>, FrameError> {
        let mut rewritten = Module::new();
        for id in SECTION_ORDER {
            let data = self
                .sections
                .get(&(id as u8))
                .map(|range| &wasm[range.clone()]);
            match (id, data) {
                (SectionId::Memory, own) => rewritten.section(&memories(own)?),
                (SectionId::Code, _) => rewritten.section(bodies),
                (_, Some(data)) => rewritten.section(&RawSection { id: id as u8, data }),
                (_, None) => continue,
            };
        }
        Ok(rewritten.finish())
    }
}

/// The module's own memory, if there is one, and that of the frames.
fn memories(own: Option<&[u8]>) -> Result<MemorySection, FrameError> {
    let mut memories = MemorySection::new();
    if let Some(data) = own {
        let own = SectionLimited::new(BinaryReader::new(data, 0))?;
        RoundtripReencoder.parse_memory_section(&mut memories, own)?;
    }
    let pages = u64::from(STACK_SLOTS) * u64::from(VALUE_BYTES) / PAGE_BYTES;
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    Ok(memories)
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
