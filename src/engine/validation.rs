//! Which code is a contract: the checks of the wasm itself (docs/spec/host.md#acceptance), and those on deploy
//! (docs/spec/host.md#deploy-checks).
//!
//! Three steps: the reference's parser reads the code and gives the verdict ([`contract`]), the parts are linked
//! ([`linking`]) and written again for our engines' parser ([`encode`]), and that measures what each function takes.

mod body;
mod contract;
mod encode;
mod linking;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use thiserror::Error;
use wasm_encoder::SectionId;
use wasmparser::{
    BinaryReader, ElementItems, ElementSectionReader, ExternalKind, FuncToValidate, FuncType,
    FuncValidatorAllocations, FunctionBody, GlobalType, MemoryType, Operator, Parser, Payload,
    ValType, ValidPayload, Validator, ValidatorResources, WasmFeatures,
};

pub use self::verdict::InvalidModule;

use self::body::Body;
use self::linking::LinkedImport;
use super::{ExportedFunction, ImportTable};

/// The longest name of an exported function, in bytes (docs/spec/host.md#deploy-checks).
pub const MAXIMUM_EXPORT_NAME_BYTES: usize = 255;

/// Every call takes this many slots of its instance's stack besides its values.
const SLOTS_PER_FRAME: u32 = 8;

/// How many values that an optimising compiler might keep on its stack are paid for with one slot.
const KEPT_VALUES_PER_SLOT: u32 = 8;

/// What the modules that we write may use: the first version of wasm, mutable globals, sign extension, and saturating
/// conversions, which are all that the reference's parser lets through.
const FEATURES: WasmFeatures = WasmFeatures::MVP
    .union(WasmFeatures::MUTABLE_GLOBAL)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT);

/// A function that the module defines itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DefinedFunction {
    /// Where the body is in the code, without its length prefix.
    pub(super) body: Range<usize>,
    /// Result type, if there is a result.
    pub(super) result: Option<ValType>,
    /// Parameters.
    pub(super) parameters: u32,
    /// Parameters and locals.
    pub(super) locals: u32,
    /// What one call of it takes of the stack, see [`slots`].
    pub(super) slots: u32,
    /// Whether it calls functions of this module, directly or through the table.
    pub(super) calls_own_functions: bool,
    /// Whether it calls functions of this module directly.
    pub(super) calls_directly: bool,
    /// Whether it has a loop.
    pub(super) has_loops: bool,
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
pub struct ValidatedModule {
    /// The module as it is written again.
    pub(super) code: Vec<u8>,
    /// The content of every section but the custom ones, by section number.
    pub(super) sections: BTreeMap<u8, Range<usize>>,
    /// Imported functions, as indices of the import table.
    pub(super) imports: Vec<usize>,
    pub(super) functions: Vec<DefinedFunction>,
    pub(super) globals: Vec<GlobalType>,
    pub(super) memory: Option<MemoryType>,
    pub(super) start: Option<u32>,
    pub(super) types: Vec<FuncType>,
    /// The type of every function, imported ones first.
    pub(super) function_types: Vec<u32>,
    /// Whether a function of the module calls this one directly, for every function.
    pub(super) called_directly: Vec<bool>,
    exports: Vec<Export>,
}

/// Checks that `code` can be a contract whose imports are all in `table` (docs/spec/host.md#acceptance). That a start
/// function traps is found only by instantiating.
pub fn validate(code: &[u8], table: ImportTable) -> Result<ValidatedModule, InvalidModule> {
    if code.is_empty() {
        return Err(InvalidModule::Empty);
    }
    let contract = contract::read(code)?;
    let imports = linking::link(&contract, table).map_err(InvalidModule::Link)?;
    ValidatedModule::measure(contract.encode(&imports), &imports, &contract.bodies)
}

impl ValidatedModule {
    /// Learns what a module that we have written consists of. Only its size can be wrong.
    fn measure(
        code: Vec<u8>,
        imports: &[LinkedImport],
        bodies: &[Body],
    ) -> Result<Self, InvalidModule> {
        let mut module = Self {
            code: Vec::new(),
            sections: BTreeMap::new(),
            imports: imports.iter().map(|import| import.function).collect(),
            functions: Vec::new(),
            globals: Vec::new(),
            memory: None,
            start: None,
            types: Vec::new(),
            function_types: imports.iter().map(|import| import.signature).collect(),
            called_directly: Vec::new(),
            exports: Vec::new(),
        };
        let mut validator = Validator::new_with_features(FEATURES);
        let mut allocations = FuncValidatorAllocations::default();
        let mut parser = Parser::new(0);
        parser.set_features(FEATURES);
        for payload in parser.parse_all(&code) {
            let payload = payload?;
            if let ValidPayload::Func(function, body) = validator.payload(&payload)? {
                allocations = module.add_body(function, &body, allocations, bodies)?;
            }
            module.add_section(&payload)?;
        }
        module.code = code;
        Ok(module)
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

    /// Whether a function runs when an instance is made.
    pub fn has_start_function(&self) -> bool {
        self.start.is_some()
    }

    /// What one call of each function takes of the stack of its instance, in slots. Imported functions have none.
    pub fn stack_slots(&self) -> Vec<u32> {
        self.functions
            .iter()
            .map(|function| function.slots)
            .collect()
    }

    /// The names of all exports.
    pub(super) fn export_names(&self) -> impl Iterator<Item = &str> {
        self.exports.iter().map(|export| export.name.as_str())
    }

    /// The bytes of a section's content, if the module has the section.
    pub(super) fn section(&self, number: u8) -> Option<&[u8]> {
        let range = self.sections.get(&number)?;
        Some(&self.code[range.clone()])
    }

    /// The functions that the module defines, with their indices.
    pub(super) fn defined_functions(&self) -> impl Iterator<Item = (u32, &DefinedFunction)> {
        (self.imports.len() as u32..).zip(&self.functions)
    }

    /// The indices of functions that are reached otherwise than by a direct call: by an export, through the table, or at the start.
    pub(super) fn entries(&self) -> wasmparser::Result<BTreeSet<u32>> {
        let exports = self.exports.iter();
        let exported = exports.filter(|export| export.kind == ExternalKind::Func);
        let mut entries: BTreeSet<u32> = exported.map(|export| export.index).collect();
        entries.extend(self.start);
        if let Some(content) = self.section(SectionId::Element as u8) {
            for element in ElementSectionReader::new(BinaryReader::new(content, 0))? {
                // Validation accepts no other elements.
                if let ElementItems::Functions(functions) = element?.items {
                    for function in functions {
                        entries.insert(function?);
                    }
                }
            }
        }
        Ok(entries)
    }

    /// The type with this index, which the validator has seen in the module.
    fn signature(&self, index: u32) -> &FuncType {
        &self.types[index as usize]
    }

    /// Notes what instrumentation needs of a section that the validator has accepted.
    fn add_section(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        if let Some((number, range)) = payload.as_section() {
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
            Payload::FunctionSection(section) => {
                for signature in section.clone() {
                    self.function_types.push(signature?);
                }
                self.called_directly = vec![false; self.function_types.len()];
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    self.memory = Some(memory?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section.clone() {
                    self.globals.push(global?.ty);
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

    /// Measures a body operator by operator, because the height of the operand stack is known only between them.
    fn add_body(
        &mut self,
        function: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
        allocations: FuncValidatorAllocations,
        bodies: &[Body],
    ) -> wasmparser::Result<FuncValidatorAllocations> {
        let variables = bodies[self.functions.len()].variables;
        let index = self.imports.len() + self.functions.len();
        let mut validator = function.into_validator(allocations);
        validator.read_locals(&mut body.get_binary_reader())?;
        let mut highest = 0;
        let mut kept_values = 0;
        let (mut calls_indirectly, mut calls_directly, mut has_loops) = (false, false, false);
        let mut operators = body.get_operators_reader()?;
        while !operators.eof() {
            let (operator, offset) = operators.read_with_offset()?;
            validator.op(offset, &operator)?;
            highest = highest.max(validator.operand_stack_height());
            kept_values += values_to_keep(&operator);
            has_loops |= matches!(operator, Operator::Loop { .. });
            calls_indirectly |= matches!(operator, Operator::CallIndirect { .. });
            if let Operator::Call { function_index } = operator {
                calls_directly |= function_index as usize >= self.imports.len();
                self.called_directly[function_index as usize] = true;
            }
        }
        operators.finish()?;
        let range = body.range();
        let signature = self.signature(self.function_types[index]);
        self.functions.push(DefinedFunction {
            body: range.start as usize..range.end as usize,
            result: signature.results().first().copied(),
            parameters: signature.params().len() as u32,
            locals: validator.len_locals(),
            slots: slots(variables, highest, kept_values),
            calls_own_functions: calls_directly || calls_indirectly,
            calls_directly,
            has_loops,
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

/// Why code that can be instantiated can't be deployed. The texts are the reference's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotDeployable {
    /// No memory is exported.
    #[error("invalid contract code (missing memory declaration)")]
    NoExportedMemory,
    /// An exported function has no name, a long one, or one that is not ASCII.
    #[error("invalid function (invalid name): {name}")]
    FunctionName {
        /// The name.
        name: String,
    },
    /// An exported function is named like a host function, a built-in function or `upgradeContract`.
    #[error("invalid function (invalid name): {name}")]
    ReservedName {
        /// The name.
        name: String,
    },
    /// An exported function takes or returns something.
    #[error("invalid function (nonvoid signature): {name}")]
    FunctionSignature {
        /// The name.
        name: String,
        /// Number of parameters.
        parameters: usize,
        /// Number of results.
        results: usize,
    },
}

/// The rules for code that is deployed; code that is only called needs not follow them
/// (docs/spec/host.md#deploy-checks). `is_reserved` knows the names that a contract must not export. The error is the first
/// of [`not_deployable`].
pub fn check_deployable(
    functions: &[ExportedFunction],
    exports_memory: bool,
    is_reserved: impl Fn(&str) -> bool,
) -> Result<(), NotDeployable> {
    let mut faults = not_deployable(functions, exports_memory, is_reserved);
    faults.next().map_or(Ok(()), Err)
}

/// Everything that keeps code from being deployed, in the order of the checks.
pub fn not_deployable(
    functions: &[ExportedFunction],
    exports_memory: bool,
    is_reserved: impl Fn(&str) -> bool,
) -> impl Iterator<Item = NotDeployable> {
    let memory = (!exports_memory).then_some(NotDeployable::NoExportedMemory);
    let functions = functions.iter().filter_map(move |function| {
        let name = function.name.clone();
        if name.is_empty() || name.len() > MAXIMUM_EXPORT_NAME_BYTES || !name.is_ascii() {
            return Some(NotDeployable::FunctionName { name });
        }
        if is_reserved(&name) {
            return Some(NotDeployable::ReservedName { name });
        }
        let (parameters, results) = (function.parameters, function.results);
        (parameters != 0 || results != 0).then_some(NotDeployable::FunctionSignature {
            name,
            parameters,
            results,
        })
    });
    memory.into_iter().chain(functions)
}

#[cfg(test)]
#[path = "validation_tests.rs"]
mod tests;
