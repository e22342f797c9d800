//! Which code is a contract: the checks of the wasm itself (spec host.md 3.1), and those on deploy (3.2).

use std::collections::BTreeMap;
use std::ops::Range;

use thiserror::Error;
use wasmparser::{
    ExternalKind, FuncToValidate, FuncType, FuncValidatorAllocations, FunctionBody, GlobalType,
    MemoryType, Operator, OperatorsReader, Parser, Payload, TypeRef, ValType, ValidPayload,
    Validator, ValidatorResources, WasmFeatures,
};

use super::{ExportedFunction, ImportTable, ValueType};
use crate::vm::gas::opcode_costs::operator_name;

/// The longest function body, in bytes, local declarations included (spec host.md 3.1).
pub const MAXIMUM_BODY_BYTES: usize = 128 * 1024;

/// The longest name of an exported function, in bytes (spec host.md 3.2).
pub const MAXIMUM_EXPORT_NAME_BYTES: usize = 255;

/// Every call takes this many slots of its instance's stack besides its values.
const SLOTS_PER_FRAME: u32 = 8;

/// How many values that an optimising compiler might keep on its stack are paid for with one slot.
const KEPT_VALUES_PER_SLOT: u32 = 8;

/// What the reference's parser allows: the first version of wasm, mutable globals, sign extension, and saturating
/// conversions (a quirk of its check for floats). Float types pass, float operators do not (spec host.md 3.1).
const FEATURES: WasmFeatures = WasmFeatures::MVP
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT);

/// Why code can't be instantiated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidModule {
    /// There are no bytes.
    #[error("the code is empty")]
    Empty,
    /// Not valid wasm of the accepted version, or outside a limit of the parser: 50,000 locals, 1,000 parameters,
    /// 100,000 bytes of name, one memory of 65,536 pages, one table.
    #[error("byte {offset}: {message}")]
    Malformed {
        /// Position in the code.
        offset: u64,
        /// The parser's words.
        message: String,
    },
    /// An operator whose result is a float, or that works on floats.
    #[error("byte {offset}: operator {operator}: only deterministic operations are allowed")]
    FloatOperator {
        /// Position in the code.
        offset: u64,
        /// Its name, as in the gas schedule.
        operator: &'static str,
    },
    /// A function body is too long.
    #[error("the body of function {function} has {bytes} bytes, more than {MAXIMUM_BODY_BYTES}")]
    BodyTooLong {
        /// Index in the module's function space.
        function: usize,
        /// Length of the body.
        bytes: usize,
    },
    /// A memory, table or global is imported.
    #[error("{namespace}.{name} is imported and is not a function")]
    ImportIsNoFunction {
        /// The wasm module name.
        namespace: String,
        /// The name within the namespace.
        name: String,
    },
    /// There is no such host function.
    #[error("there is no host function {namespace}.{name}")]
    UnknownImport {
        /// The wasm module name.
        namespace: String,
        /// The name within the namespace.
        name: String,
    },
    /// A host function is imported with another signature than it has.
    #[error("{namespace}.{name} is imported as {found}, its signature is another")]
    ImportSignature {
        /// The wasm module name.
        namespace: String,
        /// The name within the namespace.
        name: String,
        /// The signature in the module.
        found: String,
    },
}

impl From<wasmparser::Error> for InvalidModule {
    fn from(error: wasmparser::Error) -> Self {
        Self::Malformed {
            offset: error.offset(),
            message: error.message().to_owned(),
        }
    }
}

/// A function that the module defines itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DefinedFunction {
    /// Where the body is in the code, without its length prefix.
    pub(super) body: Range<usize>,
    /// Result type, if there is a result.
    pub(super) result: Option<ValType>,
    /// Parameters and locals.
    pub(super) locals: u32,
    /// What one call of it takes of the stack, see [`slots`].
    pub(super) slots: u32,
    /// Whether it calls functions of this module, directly or through the table.
    pub(super) calls_own_functions: bool,
}

/// An export.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Export {
    name: String,
    kind: ExternalKind,
    index: u32,
}

/// Code that is valid, and what has been learnt about it on the way, so that nothing parses it a second time.
#[derive(Debug, Clone)]
pub struct ValidatedModule<'a> {
    pub(super) code: &'a [u8],
    /// The content of every section but the custom ones, by section number.
    pub(super) sections: BTreeMap<u8, Range<usize>>,
    /// Imported functions, as indices of the import table.
    pub(super) imports: Vec<usize>,
    pub(super) functions: Vec<DefinedFunction>,
    pub(super) globals: Vec<GlobalType>,
    pub(super) memory: Option<MemoryType>,
    pub(super) start: Option<u32>,
    types: Vec<FuncType>,
    /// The type of every function, imported ones first.
    function_types: Vec<u32>,
    exports: Vec<Export>,
}

/// Checks that `code` can be a contract whose imports are all in `table` (spec host.md 3.1). Segments that do not fit
/// and start functions that trap are found only by instantiating.
pub fn validate(code: &[u8], table: ImportTable) -> Result<ValidatedModule<'_>, InvalidModule> {
    if code.is_empty() {
        return Err(InvalidModule::Empty);
    }
    let mut module = ValidatedModule::new(code);
    let mut validator = Validator::new_with_features(FEATURES);
    let mut allocations = FuncValidatorAllocations::default();
    let mut parser = Parser::new(0);
    parser.set_features(FEATURES);
    for payload in parser.parse_all(code) {
        let payload = payload?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
            allocations = module.add_body(function, &body, allocations)?;
        }
        module.add_section(&payload, table)?;
    }
    Ok(module)
}

impl<'a> ValidatedModule<'a> {
    fn new(code: &'a [u8]) -> Self {
        Self {
            code,
            sections: BTreeMap::new(),
            imports: Vec::new(),
            functions: Vec::new(),
            globals: Vec::new(),
            memory: None,
            start: None,
            types: Vec::new(),
            function_types: Vec::new(),
            exports: Vec::new(),
        }
    }

    /// The exported functions, in the order of the exports.
    pub fn exported_functions(&self) -> Vec<ExportedFunction> {
        let functions = self
            .exports
            .iter()
            .filter(|export| export.kind == ExternalKind::Func);
        functions
            .map(|export| {
                let signature = self.signature(self.function_types[export.index as usize]);
                ExportedFunction {
                    name: export.name.clone(),
                    parameters: signature.params().len(),
                    results: signature.results().len(),
                }
            })
            .collect()
    }

    /// Whether a memory is exported, under any name.
    pub fn exports_memory(&self) -> bool {
        self.exports
            .iter()
            .any(|export| export.kind == ExternalKind::Memory)
    }

    /// The names of all exports.
    pub(super) fn export_names(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().map(|export| export.name.as_str())
    }

    /// The bytes of a section's content, if the module has the section.
    pub(super) fn section(&self, number: u8) -> Option<&'a [u8]> {
        self.sections
            .get(&number)
            .map(|range| &self.code[range.clone()])
    }

    /// The type with this index, which the validator has seen in the module.
    fn signature(&self, index: u32) -> &FuncType {
        &self.types[index as usize]
    }

    /// Notes what instrumentation needs of a section that the validator has accepted.
    fn add_section(
        &mut self,
        payload: &Payload<'_>,
        table: ImportTable,
    ) -> Result<(), InvalidModule> {
        let is_custom = matches!(payload, Payload::CustomSection(_));
        if let (Some((number, range)), false) = (payload.as_section(), is_custom) {
            // The whole code is a slice, so its offsets fit a usize.
            self.sections
                .insert(number, range.start as usize..range.end as usize);
        }
        match payload {
            Payload::TypeSection(section) => {
                for signature in section.clone().into_iter_err_on_gc_types() {
                    self.types.push(signature?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    self.add_import(&import?, table)?;
                }
            }
            Payload::FunctionSection(section) => {
                for signature in section.clone() {
                    self.function_types.push(signature?);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    self.memory = Some(memory?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section.clone() {
                    let global = global?;
                    reject_float_operators(global.init_expr.get_operators_reader())?;
                    self.globals.push(global.ty);
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    self.exports.push(Export {
                        name: export.name.to_owned(),
                        kind: export.kind,
                        index: export.index,
                    });
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(*func),
            _ => {}
        }
        Ok(())
    }

    fn add_import(
        &mut self,
        import: &wasmparser::Import<'_>,
        table: ImportTable,
    ) -> Result<(), InvalidModule> {
        let (namespace, name) = (import.module.to_owned(), import.name.to_owned());
        let TypeRef::Func(type_index) = import.ty else {
            return Err(InvalidModule::ImportIsNoFunction { namespace, name });
        };
        let signature = self.signature(type_index);
        let found = table.iter().position(|function| {
            function.namespace == import.module && function.name == import.name
        });
        let Some(index) = found else {
            return Err(InvalidModule::UnknownImport { namespace, name });
        };
        let parameters = table[index].parameters.iter().copied().map(ValType::from);
        let result = table[index].result.into_iter().map(ValType::from);
        if !signature.params().iter().copied().eq(parameters)
            || !signature.results().iter().copied().eq(result)
        {
            let found = signature.to_string();
            return Err(InvalidModule::ImportSignature {
                namespace,
                name,
                found,
            });
        }
        self.imports.push(index);
        self.function_types.push(type_index);
        Ok(())
    }

    /// Validates a body operator by operator, because the height of the operand stack is known only between them.
    fn add_body(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
        allocations: FuncValidatorAllocations,
    ) -> Result<FuncValidatorAllocations, InvalidModule> {
        let index = self.imports.len() + self.functions.len();
        let bytes = body.as_bytes().len();
        if bytes > MAXIMUM_BODY_BYTES {
            return Err(InvalidModule::BodyTooLong {
                function: index,
                bytes,
            });
        }
        let mut validator = function.into_validator(allocations);
        validator.read_locals(&mut body.get_binary_reader())?;
        let mut highest = 0;
        let mut kept_values = 0;
        let mut calls_own_functions = false;
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            reject_float_operator(&operator, offset)?;
            validator.op(offset, &operator)?;
            highest = highest.max(validator.operand_stack_height());
            kept_values += values_to_keep(&operator);
            calls_own_functions |= match operator {
                Operator::Call { function_index } => function_index as usize >= self.imports.len(),
                Operator::CallIndirect { .. } => true,
                _ => false,
            };
        }
        operators.finish()?;
        let range = body.range();
        let signature = self.signature(self.function_types[index]);
        self.functions.push(DefinedFunction {
            body: range.start as usize..range.end as usize,
            result: signature.results().first().copied(),
            locals: validator.len_locals(),
            slots: slots(validator.len_locals(), highest, kept_values),
            calls_own_functions,
        });
        Ok(validator.into_allocations())
    }
}

/// The slots of one call of a function: 8 + parameters + locals + highest operand stack.
///
/// A compiler that merges equal computations, or moves them out of loops, can keep far more values over a call than the
/// wasm has on its stack. Functions that compute much with few locals pay for that as well; otherwise contracts could
/// find the end of the native stack, which is elsewhere with every compiler and processor.
fn slots(parameters_and_locals: u32, highest_operand_stack: u32, kept_values: u32) -> u32 {
    let declared = SLOTS_PER_FRAME + parameters_and_locals + highest_operand_stack;
    declared.max(kept_values.div_ceil(KEPT_VALUES_PER_SLOT))
}

/// How many 8-byte values besides locals and operands a compiler might keep for this operator: its result and an
/// intermediate one (an address, or a condition before it becomes an i32); a select can be of floats, which take more.
fn values_to_keep(operator: &Operator<'_>) -> u32 {
    match operator {
        Operator::Unreachable
        | Operator::Nop
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
        | Operator::Drop
        | Operator::LocalGet { .. }
        | Operator::LocalSet { .. }
        | Operator::LocalTee { .. }
        // Compilers make constants anew where they need them.
        | Operator::I32Const { .. }
        | Operator::I64Const { .. } => 0,
        Operator::Select => 3,
        _ => 2,
    }
}

impl From<ValueType> for ValType {
    fn from(value: ValueType) -> Self {
        match value {
            ValueType::I32 => Self::I32,
            ValueType::I64 => Self::I64,
        }
    }
}

fn reject_float_operators(mut operators: OperatorsReader<'_>) -> Result<(), InvalidModule> {
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        reject_float_operator(&operator, offset)?;
    }
    Ok(())
}

/// The rejected operators are those named `F32...` and `F64...`; the ones that turn floats into integers are named
/// after their result and pass (spec host.md 3.1, quirk).
fn reject_float_operator(operator: &Operator<'_>, offset: u64) -> Result<(), InvalidModule> {
    let name = operator_name(operator);
    if name.starts_with("F32") || name.starts_with("F64") {
        return Err(InvalidModule::FloatOperator {
            offset,
            operator: name,
        });
    }
    Ok(())
}

/// Why code that can be instantiated can't be deployed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotDeployable {
    /// No memory is exported.
    #[error("missing memory declaration")]
    NoExportedMemory,
    /// An exported function has no name, a long one, or one that is not ASCII.
    #[error("the function name {name:?} is not 1 to {MAXIMUM_EXPORT_NAME_BYTES} bytes of ASCII")]
    FunctionName {
        /// The name.
        name: String,
    },
    /// An exported function is named like a host function, a built-in function or `upgradeContract`.
    #[error("the function name {name:?} is reserved")]
    ReservedName {
        /// The name.
        name: String,
    },
    /// An exported function takes or returns something.
    #[error(
        "the function {name:?} has {parameters} parameters and {results} results instead of none"
    )]
    FunctionSignature {
        /// The name.
        name: String,
        /// Number of parameters.
        parameters: usize,
        /// Number of results.
        results: usize,
    },
}

/// The rules for code that is deployed; code that is only called needs not follow them (spec host.md 3.2).
/// `is_reserved` knows the names that a contract must not export.
pub fn check_deployable(
    functions: &[ExportedFunction],
    exports_memory: bool,
    is_reserved: impl Fn(&str) -> bool,
) -> Result<(), NotDeployable> {
    if !exports_memory {
        return Err(NotDeployable::NoExportedMemory);
    }
    for function in functions {
        let name = function.name.clone();
        if name.is_empty() || name.len() > MAXIMUM_EXPORT_NAME_BYTES || !name.is_ascii() {
            return Err(NotDeployable::FunctionName { name });
        }
        if is_reserved(&name) {
            return Err(NotDeployable::ReservedName { name });
        }
        if function.parameters != 0 || function.results != 0 {
            return Err(NotDeployable::FunctionSignature {
                name,
                parameters: function.parameters,
                results: function.results,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "validation_tests.rs"]
mod tests;
