//! Reads the parts of a module. It checks nothing: that is for the VM.

use crate::engine::{ImportedFunction, ValueType, function_names};
use crate::gas_schedule::SECTIONS;
use crate::messages::GasSectionEntry;
use crate::vm;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmparser::{ExternalKind, FuncType, KnownCustom, Parser, Payload, TypeRef, ValType};

/// A section of the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it is: `type`, `code`, or `custom NAME`.
    pub name: String,
    /// The length of its content.
    pub bytes: u64,
}

/// What a contract imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The wasm module name, such as `env`.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// Its signature, or what it is if it is no function.
    pub signature: String,
    /// The signature of the host function with these names; none if there is none.
    pub host_signature: Option<String>,
    /// What a call of it costs at least: key and units of gas. None if it is free or unknown.
    pub gas: Option<(&'static str, u64)>,
}

impl Import {
    /// Whether there is such a host function, with that signature.
    pub fn is_known(&self) -> bool {
        self.host_signature.as_ref() == Some(&self.signature)
    }
}

/// What a contract exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The name.
    pub name: String,
    /// The signature of a function, or what else it is.
    pub signature: String,
    /// Whether it is a function that a transaction can call: without parameters and results.
    pub can_be_called: bool,
}

/// The memory of a contract, in pages of 64 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// How large it is at first.
    pub initial_pages: u64,
    /// How large it may grow.
    pub maximum_pages: Option<u64>,
}

/// A function that the contract defines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its index, after the imported ones.
    pub index: u32,
    /// Its name: of an export, or else of the name section.
    pub name: Option<String>,
    /// Where its body is in the code.
    pub body: Range<u64>,
    /// What one call takes of the stack.
    pub stack_slots: Option<u32>,
}

impl Function {
    /// Number and name.
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("#{} {name}", self.index),
            None => format!("#{}", self.index),
        }
    }
}

/// What could be read.
#[derive(Debug, Default)]
pub struct Module {
    pub sections: Vec<Section>,
    pub imports: Vec<Import>,
    pub exports: Vec<Export>,
    pub memory: Option<Memory>,
    pub functions: Vec<Function>,
    types: Vec<Option<FuncType>>,
    /// The type of every function, imported ones first.
    function_types: Vec<u32>,
    imported_functions: u32,
    /// By the number of the function.
    names: BTreeMap<u32, String>,
    exported_names: BTreeMap<u32, String>,
}

impl Module {
    /// Reads as far as the code is readable.
    pub fn read(code: &[u8], gas_schedule: &[GasSectionEntry]) -> Module {
        let mut module = Module::default();
        for payload in Parser::new(0).parse_all(code) {
            let read = payload.and_then(|payload| module.add(&payload, gas_schedule));
            if read.is_err() {
                break;
            }
        }
        for function in &mut module.functions {
            let exported = module.exported_names.get(&function.index);
            function.name = exported.or(module.names.get(&function.index)).cloned();
        }
        module
    }

    /// The function whose body is around a place.
    pub fn function_at(&self, offset: u64) -> Option<&Function> {
        let mut functions = self.functions.iter();
        functions.find(|function| function.body.contains(&offset))
    }

    fn add(
        &mut self,
        payload: &Payload<'_>,
        gas_schedule: &[GasSectionEntry],
    ) -> wasmparser::Result<()> {
        self.add_section(payload);
        match payload {
            Payload::TypeSection(section) => {
                for group in section.clone() {
                    let types = group?.into_types();
                    self.types
                        .extend(types.map(|one| match one.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(signature) => Some(signature),
                            _ => None,
                        }));
                }
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    self.add_import(&import?, gas_schedule);
                }
            }
            Payload::FunctionSection(section) => {
                for signature in section.clone() {
                    self.function_types.push(signature?);
                }
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory?;
                    self.memory = Some(Memory {
                        initial_pages: memory.initial,
                        maximum_pages: memory.maximum,
                    });
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    self.add_export(&export?);
                }
            }
            Payload::CodeSectionEntry(body) => self.functions.push(Function {
                index: self.imported_functions + self.functions.len() as u32,
                name: None,
                body: body.range(),
                stack_slots: None,
            }),
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(names) = custom.as_known() {
                    // Names are for people: damaged ones are left out.
                    let _ = function_names::add(names, &mut self.names);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_section(&mut self, payload: &Payload<'_>) {
        let Some((number, range)) = payload.as_section() else {
            return;
        };
        let name = match payload {
            Payload::CustomSection(custom) => format!("custom {}", custom.name()),
            _ => section_name(number).to_owned(),
        };
        self.sections.push(Section {
            name,
            bytes: range.end - range.start,
        });
    }

    fn add_import(&mut self, import: &wasmparser::Import<'_>, gas_schedule: &[GasSectionEntry]) {
        let signature = match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.function_types.push(index);
                self.imported_functions += 1;
                self.signature(index)
            }
            TypeRef::Table(_) => "table".to_owned(),
            TypeRef::Memory(_) => "memory".to_owned(),
            TypeRef::Global(_) => "global".to_owned(),
            TypeRef::Tag(_) => "tag".to_owned(),
        };
        let host = vm::host_function(import.module, import.name);
        let gas = host.and_then(|(_, key)| key);
        self.imports.push(Import {
            namespace: import.module.to_owned(),
            name: import.name.to_owned(),
            signature,
            host_signature: host.map(|(function, _)| host_signature(&function)),
            gas: gas.map(|(section, key)| (key, cost(gas_schedule, section, key))),
        });
    }

    fn add_export(&mut self, export: &wasmparser::Export<'_>) {
        let mut can_be_called = false;
        let signature = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => {
                let name = export.name.to_owned();
                self.exported_names.entry(export.index).or_insert(name);
                let index = self.function_types.get(export.index as usize);
                let signature = index.map_or_else(String::new, |index| self.signature(*index));
                can_be_called = signature == "()";
                signature
            }
            ExternalKind::Table => "table".to_owned(),
            ExternalKind::Memory => "memory".to_owned(),
            ExternalKind::Global => "global".to_owned(),
            ExternalKind::Tag => "tag".to_owned(),
        };
        self.exports.push(Export {
            name: export.name.to_owned(),
            signature,
            can_be_called,
        });
    }

    /// A signature as text, such as `(i32, i64) -> i32`.
    fn signature(&self, index: u32) -> String {
        match self.types.get(index as usize) {
            Some(Some(signature)) => signature_text(
                signature.params().iter().map(ValType::to_string),
                signature.results().iter().map(ValType::to_string),
            ),
            _ => format!("type {index}, which is not there"),
        }
    }
}

fn host_signature(function: &ImportedFunction) -> String {
    let name = |value: &ValueType| match value {
        ValueType::I32 => "i32".to_owned(),
        ValueType::I64 => "i64".to_owned(),
    };
    signature_text(
        function.parameters.iter().map(name),
        function.result.iter().map(name),
    )
}

fn signature_text(
    parameters: impl Iterator<Item = String>,
    results: impl Iterator<Item = String>,
) -> String {
    let parameters = Vec::from_iter(parameters).join(", ");
    match Vec::from_iter(results).join(", ") {
        none if none.is_empty() => format!("({parameters})"),
        results => format!("({parameters}) -> {results}"),
    }
}

/// What the VM charges for a key; 0 if the schedule lacks it.
fn cost(gas_schedule: &[GasSectionEntry], section: &str, key: &str) -> u64 {
    let section = SECTIONS.iter().find(|known| known.name == section);
    let found = section.and_then(|section| Some((section, section.find(gas_schedule)?)));
    found.map_or(0, |(section, entry)| section.cost(&entry.value, key))
}

/// Of the numbers of the wasm specification.
fn section_name(number: u8) -> &'static str {
    match number {
        1 => "type",
        2 => "import",
        3 => "function",
        4 => "table",
        5 => "memory",
        6 => "global",
        7 => "export",
        8 => "start",
        9 => "element",
        10 => "code",
        11 => "data",
        12 => "data count",
        13 => "tag",
        _ => "unknown",
    }
}
