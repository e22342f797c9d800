//! Which code is certainly a contract, and which is certainly none (docs/spec/host.md#acceptance), judged a second time
//! and as plainly as can be, and how much work it may be to run it.

use crate::engine::ValueType;
use crate::vm::eei::import_table;
use reference_parser::{
    OperatorValidatorConfig, ParserState, ValidatingParser, ValidatingParserConfig, WasmDecoder,
};
use std::fmt::{self, Write as _};
use wasmparser::{
    FuncType, FunctionBody, Operator, OperatorsReader, Parser, Payload, TypeRef, ValType,
    Validator, WasmFeatures,
};

/// A module whose memory, table and locals are larger is not run: that would tell nothing new, and slowly. (Besides,
/// wasmi allows no more than 32,767 locals.)
const MAXIMUM_PAGES: u64 = 20;
const MAXIMUM_TABLE: u64 = 10_000;
const MAXIMUM_LOCALS: u32 = 1_000;

/// What can be said of code without running it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Whether the reference's parser refuses it.
    pub is_refused: bool,
    /// Whether all parsers agree that it is valid, and its imports are there; only its segments may not fit.
    pub is_plain: bool,
    /// Whether it can be run in little time and memory.
    pub is_small: bool,
}

/// Judges any bytes.
pub fn admission(code: &[u8]) -> Admission {
    let features = WasmFeatures::MVP
        | WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::SATURATING_FLOAT_TO_INT;
    let is_valid = Validator::new_with_features(features)
        .validate_all(code)
        .is_ok();
    let judged = match is_valid {
        true => judge(code).expect("what is valid can be read"),
        false => Admission::default(),
    };
    Admission {
        is_refused: is_refused(code),
        ..judged
    }
}

fn is_refused(code: &[u8]) -> bool {
    let operator_config = OperatorValidatorConfig {
        enable_threads: false,
        enable_reference_types: false,
        enable_simd: false,
        enable_bulk_memory: false,
        enable_multi_value: false,
        deterministic_only: false,
    };
    let mut parser = ValidatingParser::new(code, Some(ValidatingParserConfig { operator_config }));
    loop {
        match parser.read() {
            ParserState::Error(_) => return true,
            ParserState::EndWasm => return false,
            _ => {}
        }
    }
}

/// Judges valid code.
fn judge(code: &[u8]) -> wasmparser::Result<Admission> {
    let (mut is_plain, mut is_small) = (true, true);
    let mut types: Vec<FuncType> = Vec::new();
    for payload in Parser::new(0).parse_all(code) {
        match payload? {
            Payload::TypeSection(section) => {
                types = section
                    .into_iter_err_on_gc_types()
                    .collect::<Result<_, _>>()?;
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    is_plain &= matches!(import.ty, TypeRef::Func(index)
                        if is_host_function(import.module, import.name, &types[index as usize]));
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    is_small &= table?.ty.initial <= MAXIMUM_TABLE;
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    is_small &= memory?.maximum.is_some_and(|pages| pages <= MAXIMUM_PAGES);
                }
            }
            Payload::CodeSectionEntry(body) => {
                is_plain &= is_plain_code(body.get_operators_reader()?)?;
                is_small &= locals(&body)? <= MAXIMUM_LOCALS;
            }
            _ => {}
        }
    }
    Ok(Admission {
        is_refused: false,
        is_plain,
        is_small,
    })
}

fn is_host_function(namespace: &str, name: &str, signature: &FuncType) -> bool {
    let value_type = |kind: &ValueType| match kind {
        ValueType::I32 => ValType::I32,
        ValueType::I64 => ValType::I64,
    };
    import_table().iter().any(|function| {
        (function.namespace, function.name) == (namespace, name)
            && signature
                .params()
                .iter()
                .copied()
                .eq(function.parameters.iter().map(value_type))
            && signature
                .results()
                .iter()
                .copied()
                .eq(function.result.iter().map(value_type))
    })
}

/// Operators that make floats, or work on them, are those whose names begin with a float type. Behind unconditional branches
/// parsers differ.
fn is_plain_code(mut operators: OperatorsReader<'_>) -> wasmparser::Result<bool> {
    while !operators.eof() {
        let name = NameStart::of(&operators.read()?);
        let not_plain = ["F32", "F64", "Unreachable", "Br {", "BrTable", "Return"];
        if not_plain.iter().any(|prefix| name.starts_with(prefix)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The start of what `Debug` writes of an operator: making a string of each takes longer than parsing it.
struct NameStart {
    bytes: [u8; 12],
    length: usize,
}

impl NameStart {
    fn of(operator: &Operator<'_>) -> NameStart {
        let mut start = NameStart {
            bytes: [0; 12],
            length: 0,
        };
        // The error is that the name is longer than this: its start is enough.
        let _ = write!(start, "{operator:?}");
        start
    }

    fn starts_with(&self, prefix: &str) -> bool {
        self.bytes[..self.length].starts_with(prefix.as_bytes())
    }
}

impl fmt::Write for NameStart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let written = room.len().min(text.len());
        room[..written].copy_from_slice(&text.as_bytes()[..written]);
        self.length += written;
        match written == text.len() {
            true => Ok(()),
            false => Err(fmt::Error),
        }
    }
}

fn locals(body: &FunctionBody<'_>) -> wasmparser::Result<u32> {
    let mut count = 0;
    for group in body.get_locals_reader()? {
        count += group?.0;
    }
    Ok(count)
}
