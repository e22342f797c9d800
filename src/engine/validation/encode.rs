//! Writes a contract as a module that our engines' parser takes.

use reference_parser::ExternalKind;
use wasm_encoder::{
    CodeSection, ConstExpr, DataSection, ElementSection, Elements, ExportKind, ExportSection,
    FunctionSection, GlobalSection, GlobalType, Ieee32, Ieee64, ImportSection, MemorySection,
    MemoryType, Module, RefType, StartSection, TableSection, TableType, TypeSection,
};

use super::body::value_type;
use super::contract::{self, Contract, Initial};
use super::linking::LinkedImport;

impl Initial {
    fn encode(self) -> ConstExpr {
        match self {
            Self::I32(value) => ConstExpr::i32_const(value),
            Self::I64(value) => ConstExpr::i64_const(value),
            Self::F32(bits) => ConstExpr::f32_const(Ieee32::new(bits)),
            Self::F64(bits) => ConstExpr::f64_const(Ieee64::new(bits)),
            Self::Global(global) => ConstExpr::global_get(global),
        }
    }
}

impl Contract<'_> {
    /// The module, with its imports linked. Its meaning is that of the code that was read.
    pub(super) fn encode(&self, imports: &[LinkedImport]) -> Vec<u8> {
        let mut module = Module::new();
        module
            .section(&self.type_section())
            .section(&self.import_section(imports))
            .section(&self.function_section())
            .section(&self.table_section())
            .section(&self.memory_section())
            .section(&self.global_section())
            .section(&self.export_section());
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        module
            .section(&self.element_section())
            .section(&self.code_section())
            .section(&self.data_section());
        module.finish()
    }

    fn type_section(&self) -> TypeSection {
        let mut section = TypeSection::new();
        for signature in &self.types {
            let parameters = signature.params.iter().copied().map(value_type);
            let results = signature.returns.iter().copied().map(value_type);
            section.ty().function(parameters, results);
        }
        section
    }

    fn import_section(&self, imports: &[LinkedImport]) -> ImportSection {
        let mut section = ImportSection::new();
        for (import, linked) in self.imports.iter().zip(imports) {
            let signature = wasm_encoder::EntityType::Function(linked.signature);
            section.import(import.namespace, import.name, signature);
        }
        section
    }

    fn function_section(&self) -> FunctionSection {
        let mut section = FunctionSection::new();
        for signature in &self.functions {
            section.function(*signature);
        }
        section
    }

    /// The table ends with its last element: no operator can put anything behind it, or tell that nothing is there. A call
    /// through it traps either way.
    fn table_section(&self) -> TableSection {
        let mut section = TableSection::new();
        if self.table.is_some() {
            let length = self.filled_elements().map(|elements| match elements.place {
                Initial::I32(place) => u64::from(place as u32) + elements.functions.len() as u64,
                // Not linked.
                _ => 0,
            });
            section.table(TableType {
                element_type: RefType::FUNCREF,
                table64: false,
                minimum: length.max().unwrap_or(0),
                maximum: None,
                shared: false,
            });
        }
        section
    }

    /// A shared memory is written as an ordinary one.
    fn memory_section(&self) -> MemorySection {
        let mut section = MemorySection::new();
        if let Some(memory) = self.memory {
            section.memory(MemoryType {
                minimum: u64::from(memory.limits.initial),
                maximum: memory.limits.maximum.map(u64::from),
                memory64: false,
                shared: false,
                page_size_log2: None,
            });
        }
        section
    }

    fn global_section(&self) -> GlobalSection {
        let mut section = GlobalSection::new();
        for global in &self.globals {
            let global_type = GlobalType {
                val_type: value_type(global.value_type),
                mutable: global.mutable,
                shared: false,
            };
            section.global(global_type, &global.initial.encode());
        }
        section
    }

    fn export_section(&self) -> ExportSection {
        let mut section = ExportSection::new();
        for (name, kind, index) in &self.exports {
            let kind = match kind {
                ExternalKind::Function => ExportKind::Func,
                ExternalKind::Table => ExportKind::Table,
                ExternalKind::Memory => ExportKind::Memory,
                ExternalKind::Global => ExportKind::Global,
            };
            section.export(name, kind, *index);
        }
        section
    }

    fn filled_elements(&self) -> impl Iterator<Item = &contract::Elements> {
        let segments = self.elements.iter();
        segments.filter(|elements| !elements.functions.is_empty())
    }

    fn element_section(&self) -> ElementSection {
        let mut section = ElementSection::new();
        for elements in self.filled_elements() {
            let functions = Elements::Functions(elements.functions.as_slice().into());
            section.active(None, &elements.place.encode(), functions);
        }
        section
    }

    fn code_section(&self) -> CodeSection {
        let mut section = CodeSection::new();
        for body in &self.bodies {
            section.raw(&body.bytes);
        }
        section
    }

    fn data_section(&self) -> DataSection {
        let mut section = DataSection::new();
        for data in self.data.iter().filter(|data| !data.bytes.is_empty()) {
            section.active(0, &data.place.encode(), data.bytes.iter().copied());
        }
        section
    }
}
