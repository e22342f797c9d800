//! Which code may be a contract, read from the spec (host.md 3.1) a second time and as plainly as can be, and how
//! much work it may be to run it.

use crate::vm::eei::import_table;
use crate::vm::engine::ValueType;
use crate::vm::engine::validation::MAXIMUM_BODY_BYTES;
use wasmparser::{
    FuncType, FunctionBody, OperatorsReader, Parser, Payload, TypeRef, ValType, Validator,
    WasmFeatures,
};

/// A module whose memory, table and locals are larger is not run: that would tell nothing new, and slowly. (Besides,
/// wasmi allows no more than 32,767 locals.)
const MAXIMUM_PAGES: u64 = 20;
const MAXIMUM_TABLE: u64 = 10_000;
const MAXIMUM_LOCALS: u32 = 1_000;

/// What can be said of code without running it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// Whether it may be a contract.
    pub is_admitted: bool,
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
    if !is_valid {
        return Admission::default();
    }
    judge(code).expect("what is valid can be read")
}

/// Judges valid code.
fn judge(code: &[u8]) -> wasmparser::Result<Admission> {
    let (mut is_admitted, mut is_small) = (true, true);
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
                    is_admitted &= matches!(import.ty, TypeRef::Func(index)
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
            Payload::GlobalSection(section) => {
                for global in section {
                    is_admitted &= !has_float_operators(global?.init_expr.get_operators_reader())?;
                }
            }
            Payload::CodeSectionEntry(body) => {
                is_admitted &= body.as_bytes().len() <= MAXIMUM_BODY_BYTES;
                is_admitted &= !has_float_operators(body.get_operators_reader()?)?;
                is_small &= locals(&body)? <= MAXIMUM_LOCALS;
            }
            _ => {}
        }
    }
    Ok(Admission {
        is_admitted,
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

/// Operators that make floats, or work on them, are those whose names begin with a float type.
fn has_float_operators(mut operators: OperatorsReader<'_>) -> wasmparser::Result<bool> {
    while !operators.eof() {
        let name = format!("{:?}", operators.read()?);
        if name.starts_with("F32") || name.starts_with("F64") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn locals(body: &FunctionBody<'_>) -> wasmparser::Result<u32> {
    let mut count = 0;
    for group in body.get_locals_reader()? {
        count += group?.0;
    }
    Ok(count)
}
