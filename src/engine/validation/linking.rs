//! Whether the parts of a contract fit together and to the host, in the order and the words of the reference.

use reference_parser::{FuncType, ImportSectionEntryType, Type};

use super::contract::{Contract, Initial};
use super::verdict::{LinkError, LinkErrors};
use crate::engine::{ImportTable, ImportedFunction, ValueType};

const PAGE_BYTES: u64 = 65_536;

/// An import that has been found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LinkedImport {
    /// Index of the host function in the import table.
    pub(super) function: usize,
    /// Index of its type in the module.
    pub(super) signature: u32,
}

/// Links the imports with the functions of `table`, and checks that segments fit.
pub(super) fn link(
    contract: &Contract<'_>,
    table: ImportTable,
) -> Result<Vec<LinkedImport>, LinkErrors> {
    let imports = link_imports(contract, table)?;
    for global in &contract.globals {
        if let Initial::Global(index) = global.initial {
            return Err(LinkError::UninitialisedGlobal(index).into());
        }
    }
    let pages = contract.memory.map_or(0, |memory| memory.limits.initial);
    for data in &contract.data {
        if end(data.place, data.bytes.len())? > u64::from(pages) * PAGE_BYTES {
            return Err(LinkError::DataDoesNotFit.into());
        }
    }
    let length = contract.table.map_or(0, |table| table.limits.initial);
    for elements in &contract.elements {
        if end(elements.place, elements.functions.len())? > u64::from(length) {
            return Err(LinkError::ElementsDoNotFit.into());
        }
    }
    Ok(imports)
}

/// Where a segment ends.
fn end(place: Initial, length: usize) -> Result<u64, LinkError> {
    match place {
        Initial::I32(place) => Ok(u64::from(place as u32) + length as u64),
        // The parser lets no other type through.
        _ => Err(LinkError::PlaceIsGlobal),
    }
}

/// Links the imports. Wrong ones are told by kind: functions, memories, tables, globals.
fn link_imports(
    contract: &Contract<'_>,
    table: ImportTable,
) -> Result<Vec<LinkedImport>, LinkErrors> {
    let mut linked = Vec::new();
    let mut errors = Vec::new();
    for import in &contract.imports {
        let (namespace, name) = (import.namespace.to_owned(), import.name.to_owned());
        let found = table.iter().position(|function| {
            (function.namespace, function.name) == (import.namespace, import.name)
        });
        let (order, what) = kind(&import.kind);
        let error = match (found, import.kind) {
            (Some(function), ImportSectionEntryType::Function(signature)) => {
                let expected = &contract.types[signature as usize];
                if fits(expected, &table[function]) {
                    linked.push(LinkedImport {
                        function,
                        signature,
                    });
                    continue;
                }
                LinkError::ImportSignature {
                    namespace,
                    name,
                    expected: signature_text(
                        expected.params.iter().copied(),
                        expected.returns.iter().copied(),
                    ),
                    found: signature_text(parameters(&table[function]), result(&table[function])),
                }
            }
            (Some(_), _) => LinkError::ImportType {
                namespace,
                name,
                expected: what,
            },
            (None, _) => LinkError::ImportNotFound { namespace, name },
        };
        errors.push((order, error));
    }
    if errors.is_empty() {
        return Ok(linked);
    }
    // Stable: those of a kind stay in the module's order.
    errors.sort_by_key(|(order, _)| *order);
    Err(LinkErrors(
        errors.into_iter().map(|(_, error)| error).collect(),
    ))
}

fn kind(kind: &ImportSectionEntryType) -> (u8, &'static str) {
    match kind {
        ImportSectionEntryType::Function(_) => (0, "function"),
        ImportSectionEntryType::Memory(_) => (1, "memory"),
        ImportSectionEntryType::Table(_) => (2, "table"),
        ImportSectionEntryType::Global(_) => (3, "global"),
    }
}

fn reference_type(value_type: ValueType) -> Type {
    match value_type {
        ValueType::I32 => Type::I32,
        ValueType::I64 => Type::I64,
    }
}

fn parameters(function: &ImportedFunction) -> impl Iterator<Item = Type> {
    function.parameters.iter().copied().map(reference_type)
}

fn result(function: &ImportedFunction) -> impl Iterator<Item = Type> {
    function.result.into_iter().map(reference_type)
}

fn fits(signature: &FuncType, function: &ImportedFunction) -> bool {
    signature.params.iter().copied().eq(parameters(function))
        && signature.returns.iter().copied().eq(result(function))
}

fn signature_text(
    parameters: impl Iterator<Item = Type>,
    results: impl Iterator<Item = Type>,
) -> String {
    fn names(types: impl Iterator<Item = Type>) -> String {
        let names: Vec<&str> = types
            .map(|value_type| match value_type {
                Type::I64 => "I64",
                Type::F32 => "F32",
                Type::F64 => "F64",
                // The parser lets no others through.
                _ => "I32",
            })
            .collect();
        names.join(", ")
    }
    format!("[{}] -> [{}]", names(parameters), names(results))
}
