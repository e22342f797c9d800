//! Rewrites a contract so that it counts its own points and stack slots, and shows what the host must reach.
//!
//! Three globals are added after the module's own: the points used, their limit, and the free stack slots. Functions that others call
//! directly take the points and return them ([`passing`]): such calls, the locals of such functions, and the sections of types and
//! functions are written anew. Everything else that is not a place of counting is copied byte by byte, as its indices stay. The start
//! function becomes a hidden export, called once the instance is complete; memory and mutable globals get hidden
//! exports, too. Of the contract's own exports only functions are kept; custom sections go, too. For observed runs more globals count
//! the points by class of operators and by function. Before some operators stands what leads the interpreter around its faults
//! ([`detours`]).

mod body;
mod counters;
mod details;
mod detours;
mod error;
mod passing;

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    CodeSection, ConstExpr, Encode as _, ExportKind, ExportSection, GlobalSection, GlobalType,
    InstructionSink, Module, RawSection, SectionId, ValType,
};
use wasmparser::{BinaryReader, Export, ExternalKind, SectionLimited};

use self::body::Rewriting;
use self::counters::CountingGlobals;
pub use self::error::InstrumentationError;
pub(super) use self::passing::MOST_SLOTS;
use self::passing::Passing;
use super::validation::ValidatedModule;
use super::{ExportedFunction, ImportTable, ModuleIdentity};
use crate::engine::opcode_costs::{CLASS_COUNT, OpcodeCosts};
use details::DetailCounter;

/// The stack slots of an instance: 8 MiB of values, as much stack as the reference has. Each active call takes
/// 8 + parameters + locals + highest operand stack of its function (more if it computes a lot with few of them); a call
/// for which too few are left traps.
/// The limit is counted, not left to the native stack, because where that ends depends on the compiler.
pub const STACK_SLOTS: u32 = 1_048_576;

/// What every hidden export starts with, unless the module uses it itself.
const HIDDEN_PREFIX: &str = "arwen:";

/// The names under which the instrumented module exports what no contract may call or see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HiddenExports {
    /// Mutable i64 global: the points used, 0 at first.
    pub used: String,
    /// Mutable i64 global: the limit of the points, 0 at first.
    pub limit: String,
    /// Mutable i32 global: the free stack slots, [`STACK_SLOTS`] whenever no function is active.
    pub slots: String,
    /// The memory, if there is one.
    pub memory: Option<String>,
    /// The start function, if there is one.
    pub start: Option<String>,
    /// The module's own mutable globals, in their order.
    pub mutable_globals: Vec<String>,
    /// Mutable i64 globals: the points used by each class of operators, then by each function that the module defines, 0 at first.
    /// None if they are not counted.
    pub details: Vec<String>,
}

/// A module that an engine can compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstrumentedModule {
    /// The wasm.
    pub bytes: Vec<u8>,
    /// Under what the engine may keep the compiled module outside of the process, if it may.
    pub identity: Option<ModuleIdentity>,
    /// The functions that can be imported.
    pub import_table: ImportTable,
    /// What is imported, in order, as indices of `import_table`.
    pub imports: Vec<usize>,
    /// The contract's exported functions, in the order of the exports.
    pub exported_functions: Vec<ExportedFunction>,
    /// Whether the contract itself exports a memory.
    pub exports_memory: bool,
    /// The maximum number of pages that the contract declares for its memory, if it does.
    pub declared_maximum_pages: Option<u32>,
    /// Where the counters and everything else that the contract does not export are found.
    pub hidden: HiddenExports,
}

impl InstrumentedModule {
    /// How many results the exported function `name` has; why it can't be called, if it is none or has parameters.
    pub(super) fn results_of_call(&self, name: &str) -> Result<usize, String> {
        let mut functions = self.exported_functions.iter();
        match functions.find(|function| function.name == name) {
            None => Err(format!("no function {name:?} is exported")),
            Some(function) if function.parameters > 0 => Err(format!(
                "function {name:?} has {} parameters",
                function.parameters
            )),
            Some(function) => Ok(function.results),
        }
    }
}

/// Rewrites `module` so that it counts by the rules of docs/spec/gas.md#metering with `costs`. `import_table` is the
/// one that it was validated with.
pub fn instrument(
    module: &ValidatedModule,
    import_table: ImportTable,
    costs: &OpcodeCosts,
) -> Result<InstrumentedModule, InstrumentationError> {
    rewrite(module, import_table, costs, 0)
}

/// Like `instrument`, for observed runs: the module counts its points by class of operators and by function, too.
pub fn instrument_in_detail(
    module: &ValidatedModule,
    import_table: ImportTable,
    costs: &OpcodeCosts,
) -> Result<InstrumentedModule, InstrumentationError> {
    rewrite(
        module,
        import_table,
        costs,
        CLASS_COUNT + module.functions.len(),
    )
}

fn rewrite(
    module: &ValidatedModule,
    import_table: ImportTable,
    costs: &OpcodeCosts,
    details: usize,
) -> Result<InstrumentedModule, InstrumentationError> {
    let hidden = hidden_exports(module, details);
    let first_global = module.globals.len() as u32;
    let globals = CountingGlobals {
        used: first_global,
        limit: first_global + 1,
        slots: first_global + 2,
        details: (details > 0).then_some(first_global + 3),
    };
    let passing = Passing::of(module)?;
    let mut rewritten = Module::new();
    for id in SECTION_ORDER {
        match id {
            SectionId::Type if passing.is_any() => rewritten.section(&passing.type_section()?),
            SectionId::Function if passing.is_any() => {
                rewritten.section(&passing.function_section())
            }
            SectionId::Global => rewritten.section(&global_section(module, details)?),
            SectionId::Export => rewritten.section(&export_section(module, &hidden, &globals)?),
            SectionId::Code => rewritten.section(&code_section(module, &globals, &passing, costs)?),
            _ => match module.section(id as u8) {
                Some(data) => rewritten.section(&RawSection { id: id as u8, data }),
                None => continue,
            },
        };
    }
    Ok(InstrumentedModule {
        bytes: rewritten.finish(),
        identity: None,
        import_table,
        imports: module.imports.clone(),
        exported_functions: module.exported_functions(),
        exports_memory: module.exports_memory(),
        // Validation limits the pages of a memory to 65,536.
        declared_maximum_pages: module
            .memory
            .and_then(|memory| memory.maximum)
            .map(|pages| pages as u32),
        hidden,
    })
}

/// The sections that are kept, in the order that wasm demands. The start section goes: its function runs later.
pub(super) const SECTION_ORDER: [SectionId; 10] = [
    SectionId::Type,
    SectionId::Import,
    SectionId::Function,
    SectionId::Table,
    SectionId::Memory,
    SectionId::Global,
    SectionId::Export,
    SectionId::Element,
    SectionId::Code,
    SectionId::Data,
];

fn hidden_exports(module: &ValidatedModule, details: usize) -> HiddenExports {
    let mut prefix = HIDDEN_PREFIX.to_owned();
    // Ends: a prefix that is longer than every name is free.
    while module.export_names().any(|name| name.starts_with(&prefix)) {
        prefix.push(':');
    }
    let named = |name: &str| format!("{prefix}{name}");
    let mutable = module
        .globals
        .iter()
        .enumerate()
        .filter(|(_, global)| global.mutable);
    HiddenExports {
        used: named("used"),
        limit: named("limit"),
        slots: named("slots"),
        memory: module.memory.map(|_| named("memory")),
        start: module.start.map(|_| named("start")),
        mutable_globals: mutable
            .map(|(index, _)| named(&format!("global {index}")))
            .collect(),
        details: (0..details)
            .map(|detail| named(&format!("detail {detail}")))
            .collect(),
    }
}

fn global_section(
    module: &ValidatedModule,
    details: usize,
) -> Result<GlobalSection, InstrumentationError> {
    let mut globals = GlobalSection::new();
    if let Some(content) = module.section(SectionId::Global as u8) {
        let own = SectionLimited::new(BinaryReader::new(content, 0))?;
        RoundtripReencoder.parse_global_section(&mut globals, own)?;
    }
    let mutable = |val_type| GlobalType {
        val_type,
        mutable: true,
        shared: false,
    };
    globals.global(mutable(ValType::I64), &ConstExpr::i64_const(0));
    globals.global(mutable(ValType::I64), &ConstExpr::i64_const(0));
    globals.global(
        mutable(ValType::I32),
        &ConstExpr::i32_const(STACK_SLOTS as i32),
    );
    for _ in 0..details {
        globals.global(mutable(ValType::I64), &ConstExpr::i64_const(0));
    }
    Ok(globals)
}

fn export_section(
    module: &ValidatedModule,
    hidden: &HiddenExports,
    globals: &CountingGlobals,
) -> Result<ExportSection, InstrumentationError> {
    let mut exports = ExportSection::new();
    if let Some(content) = module.section(SectionId::Export as u8) {
        // Only functions can be called by name, and each export takes time when an instance is made.
        for own in SectionLimited::<Export<'_>>::new(BinaryReader::new(content, 0))? {
            let own = own?;
            if own.kind == ExternalKind::Func {
                exports.export(own.name, ExportKind::Func, own.index);
            }
        }
    }
    exports.export(&hidden.used, ExportKind::Global, globals.used);
    exports.export(&hidden.limit, ExportKind::Global, globals.limit);
    exports.export(&hidden.slots, ExportKind::Global, globals.slots);
    if let Some(name) = &hidden.memory {
        exports.export(name, ExportKind::Memory, 0);
    }
    if let (Some(name), Some(index)) = (&hidden.start, module.start) {
        exports.export(name, ExportKind::Func, index);
    }
    let mutable = module
        .globals
        .iter()
        .enumerate()
        .filter(|(_, global)| global.mutable);
    for (name, (index, _)) in hidden.mutable_globals.iter().zip(mutable) {
        exports.export(name, ExportKind::Global, index as u32);
    }
    for (name, index) in hidden.details.iter().zip(globals.slots + 1..) {
        exports.export(name, ExportKind::Global, index);
    }
    Ok(exports)
}

fn code_section(
    module: &ValidatedModule,
    globals: &CountingGlobals,
    passing: &Passing<'_>,
    costs: &OpcodeCosts,
) -> Result<CodeSection, InstrumentationError> {
    let mut bodies = CodeSection::new();
    let mut behind = Vec::new();
    for (position, (index, function)) in (0..).zip(module.defined_functions()) {
        let details = globals
            .details
            .map(|first| DetailCounter::new(first, position));
        let rewriting = Rewriting {
            function,
            globals,
            passing,
            passes_points: passing.of_call(index).is_some(),
            costs,
        };
        let body = rewriting.body(&module.code[function.body.clone()], details)?;
        match passing.of_call(index) {
            Some(behind_all) if behind_all != index => {
                bodies.raw(&entry(function.parameters, behind_all, globals));
                behind.push(body);
            }
            _ => _ = bodies.raw(&body),
        }
    }
    for body in behind {
        bodies.raw(&body);
    }
    Ok(bodies)
}

/// The body of an entry: hands the parameters and the points over to the function that passes points.
fn entry(parameters: u32, passing: u32, globals: &CountingGlobals) -> Vec<u8> {
    let mut body = Vec::new();
    // No locals.
    0_u32.encode(&mut body);
    let mut sink = InstructionSink::new(&mut body);
    for parameter in 0..parameters {
        sink.local_get(parameter);
    }
    sink.global_get(globals.used)
        .call(passing)
        .global_set(globals.used)
        .end();
    body
}
