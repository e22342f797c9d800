//! Reads code as the reference does: with its parser and its compiler's own limits.
//!
//! The verdict on code is part of the consensus of all nodes, so it is left to the very parser that the reference has,
//! with its bugs: code that control can't reach is typed by rules of its own, passive segments and shared memories pass
//! although nothing can use them, some numbers may be longer than they need. The parser that our engines have would
//! differ in all of this. So what has been read is written again without those liberties ([`Contract::encode`]).

use reference_parser::{
    BinaryReaderError, ElemSectionEntryTable, ElementItem, ExternalKind, FuncType,
    ImportSectionEntryType, MemoryType, Operator, OperatorValidatorConfig, ParserState, TableType,
    Type, ValidatingParser, ValidatingParserConfig, WasmDecoder,
};

use super::body::{Body, BodyCopy};
use super::verdict::InvalidModule;

/// What the reference's engine turns on: nothing. In this version of the parser the last flag has to be off for operators
/// on floats to be refused; the reference's copy differs only in the sense of that flag and the text of the error.
const CONFIGURATION: ValidatingParserConfig = ValidatingParserConfig {
    operator_config: OperatorValidatorConfig {
        enable_threads: false,
        enable_reference_types: false,
        enable_simd: false,
        enable_bulk_memory: false,
        enable_multi_value: false,
        deterministic_only: false,
    },
};

/// What this version says of an operator on floats; the reference's copy says what it means.
const FLOAT_REFUSAL: &str = "deterministic_only support is not enabled";

/// The initial value of a global, or the place of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Initial {
    I32(i32),
    I64(i64),
    /// The bits of a float.
    F32(u32),
    /// The bits of a float.
    F64(u64),
    /// Another global.
    Global(u32),
}

/// An import, not yet linked.
#[derive(Debug)]
pub(super) struct Import<'a> {
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) kind: ImportSectionEntryType,
}

/// A global of the module itself.
#[derive(Debug)]
pub(super) struct Global {
    pub(super) value_type: Type,
    pub(super) mutable: bool,
    pub(super) initial: Initial,
}

/// An active data segment of memory 0.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) place: Initial,
    pub(super) bytes: Vec<u8>,
}

/// An active element segment of table 0.
#[derive(Debug)]
pub(super) struct Elements {
    pub(super) place: Initial,
    pub(super) functions: Vec<u32>,
}

/// Code that the reference's compiler accepts, in its parts. Custom sections, passive and declared segments are left out.
#[derive(Debug, Default)]
pub(super) struct Contract<'a> {
    pub(super) types: Vec<FuncType>,
    pub(super) imports: Vec<Import<'a>>,
    /// Type indices of the module's own functions.
    pub(super) functions: Vec<u32>,
    pub(super) table: Option<TableType>,
    pub(super) memory: Option<MemoryType>,
    pub(super) globals: Vec<Global>,
    pub(super) exports: Vec<(&'a str, ExternalKind, u32)>,
    pub(super) start: Option<u32>,
    pub(super) elements: Vec<Elements>,
    pub(super) bodies: Vec<Body>,
    pub(super) data: Vec<Data>,
}

impl<'a> Contract<'a> {
    /// Takes over an entry that is complete by itself; ignores everything else.
    fn add(&mut self, entry: &ParserState<'a>) {
        match entry {
            ParserState::TypeSectionEntry(signature) => self.types.push(signature.clone()),
            ParserState::ImportSectionEntry { module, field, ty } => self.imports.push(Import {
                namespace: module,
                name: field,
                kind: *ty,
            }),
            ParserState::FunctionSectionEntry(signature) => self.functions.push(*signature),
            ParserState::TableSectionEntry(table) => self.table = Some(*table),
            ParserState::ExportSectionEntry { field, kind, index } => {
                self.exports.push((field, *kind, *index))
            }
            ParserState::StartSectionEntry(function) => self.start = Some(*function),
            _ => {}
        }
    }
}

/// What the next initialiser is of.
#[derive(Debug)]
enum Pending {
    Nothing,
    Global { value_type: Type, mutable: bool },
    Segment,
    PlacedSegment(Initial),
}

impl From<BinaryReaderError> for InvalidModule {
    fn from(error: BinaryReaderError) -> Self {
        let message = match error.message() {
            FLOAT_REFUSAL => "only deterministic operations are allowed",
            message => message,
        };
        Self::Malformed {
            // The whole code is in memory.
            offset: error.offset() as u64,
            message: message.to_owned(),
        }
    }
}

/// Reads code that is not empty.
pub(super) fn read(code: &[u8]) -> Result<Contract<'_>, InvalidModule> {
    let mut reader = Reader {
        code,
        parser: ValidatingParser::new(code, Some(CONFIGURATION)),
        contract: Contract::default(),
        pending: Pending::Nothing,
        bytes: Vec::new(),
    };
    while reader.step()? {}
    Ok(reader.contract)
}

struct Reader<'a> {
    code: &'a [u8],
    parser: ValidatingParser<'a>,
    contract: Contract<'a>,
    pending: Pending,
    /// The data segment so far.
    bytes: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Takes over what the parser reads next. False at the end.
    fn step(&mut self) -> Result<bool, InvalidModule> {
        match self.parser.read() {
            ParserState::Error(error) => return Err(error.clone().into()),
            ParserState::EndWasm => return Ok(false),
            ParserState::MemorySectionEntry(memory) => {
                let memory = *memory;
                self.add_memory(memory)?;
            }
            ParserState::BeginGlobalSectionEntry(global) => {
                self.pending = Pending::Global {
                    value_type: global.content_type,
                    mutable: global.mutable,
                }
            }
            ParserState::InitExpressionOperator(operator) => {
                let initial = initial(operator);
                self.initialise(initial)?;
            }
            ParserState::BeginElementSectionEntry {
                table: ElemSectionEntryTable::Active(_),
                ..
            }
            | ParserState::BeginActiveDataSectionEntry(_) => self.pending = Pending::Segment,
            ParserState::ElementSectionEntryBody(items) => {
                let functions = items.iter().map(|item| match item {
                    ElementItem::Func(function) => Some(*function),
                    ElementItem::Null => None,
                });
                let functions = functions.collect();
                self.add_elements(functions)?;
            }
            ParserState::DataSectionEntryBodyChunk(chunk) => self.bytes.extend_from_slice(chunk),
            ParserState::EndDataSectionEntry => self.add_data(),
            ParserState::BeginFunctionBody { .. } => {
                let body = self.read_body()?;
                self.contract.bodies.push(body);
            }
            entry => self.contract.add(entry),
        }
        Ok(true)
    }

    fn add_memory(&mut self, memory: MemoryType) -> Result<(), InvalidModule> {
        if memory.shared && memory.limits.maximum.is_none() {
            return Err(self.refused("a shared memory needs a maximum"));
        }
        self.contract.memory = Some(memory);
        Ok(())
    }

    /// Ends a data segment, and takes it over if it is active.
    fn add_data(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if let Pending::PlacedSegment(place) = self.take_pending() {
            self.contract.data.push(Data { place, bytes });
        }
    }

    fn take_pending(&mut self) -> Pending {
        std::mem::replace(&mut self.pending, Pending::Nothing)
    }

    fn initialise(&mut self, initial: Option<Initial>) -> Result<(), InvalidModule> {
        // The parser lets nothing else through.
        let initial = initial.ok_or_else(|| self.refused("not an initial value"))?;
        match self.take_pending() {
            Pending::Global {
                value_type,
                mutable,
            } => self.contract.globals.push(Global {
                value_type,
                mutable,
                initial,
            }),
            _ => self.pending = Pending::PlacedSegment(initial),
        }
        Ok(())
    }

    /// Takes over the elements of a segment, if it is active.
    fn add_elements(&mut self, functions: Option<Vec<u32>>) -> Result<(), InvalidModule> {
        let Pending::PlacedSegment(place) = self.take_pending() else {
            return Ok(());
        };
        let functions = functions.ok_or_else(|| self.refused("a null in an active segment"))?;
        self.contract.elements.push(Elements { place, functions });
        Ok(())
    }

    /// Reads a body to its end.
    fn read_body(&mut self) -> Result<Body, InvalidModule> {
        // The parser has seen that the function and its type are there.
        let signature = self.contract.functions[self.contract.bodies.len()];
        let parameters = self.contract.types[signature as usize].params.len();
        let mut body = match self.parser.read() {
            ParserState::FunctionBodyLocals { locals } => {
                BodyCopy::new(self.code, parameters, locals)
            }
            ParserState::Error(error) => return Err(error.clone().into()),
            _ => return Err(self.refused("no local declarations")),
        };
        loop {
            let start = self.parser.current_position();
            self.parser.read();
            let end = self.parser.current_position();
            match self.parser.last_state() {
                ParserState::CodeOperator(operator) => {
                    let copied = body.operator(operator, start..end);
                    copied.map_err(|message| InvalidModule::Malformed {
                        offset: start as u64,
                        message: message.to_owned(),
                    })?;
                }
                ParserState::EndFunctionBody => return Ok(body.finish()),
                ParserState::Error(error) => return Err(error.clone().into()),
                _ => return Err(self.refused("not an operator")),
            }
        }
    }

    /// The error for what the reference's compiler refuses behind its parser.
    fn refused(&self, message: &str) -> InvalidModule {
        InvalidModule::Malformed {
            offset: self.parser.current_position() as u64,
            message: message.to_owned(),
        }
    }
}

fn initial(operator: &Operator<'_>) -> Option<Initial> {
    match operator {
        Operator::I32Const { value } => Some(Initial::I32(*value)),
        Operator::I64Const { value } => Some(Initial::I64(*value)),
        Operator::F32Const { value } => Some(Initial::F32(value.bits())),
        Operator::F64Const { value } => Some(Initial::F64(value.bits())),
        Operator::GlobalGet { global_index } => Some(Initial::Global(*global_index)),
        _ => None,
    }
}
