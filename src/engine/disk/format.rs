//! The bytes of a file: checksum, header, artifact, description.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 32 | BLAKE3 of everything behind it |
//! | 32 | 16 | what kind of file it is: a module, or the note that one can't be compiled |
//! | 48 | 96 | the key: hashes of the code, of the rules that it was instrumented by, and of the build |
//! | 144 | 8 | length of the artifact, little-endian |
//! | 152 | 40 | zeros |
//! | 192 | | the artifact, where wasmer wants it: at a multiple of 64 |
//! | | | the description, protobuf; in a note there is no artifact, and this is the reason in UTF-8 |

use bytes::Bytes;
use prost::Message as _;
use thiserror::Error;

use crate::engine::instrument::{HiddenExports, InstrumentedModule};
use crate::engine::{ExportedFunction, ImportTable};

/// Length of a key.
pub(crate) const KEY_BYTES: usize = 96;
/// Length of a checksum.
const CHECKSUM_BYTES: usize = 32;
/// What the kinds of files begin with. The number at the end is that of this format.
const MAGIC: &[u8; 16] = b"arwen module\0\0\0\x01";
const NOTE_MAGIC: &[u8; 16] = b"arwen note\0\0\0\0\0\x01";
const KEY_AT: usize = CHECKSUM_BYTES + MAGIC.len();
const LENGTH_AT: usize = KEY_AT + KEY_BYTES;
const ARTIFACT_AT: usize = 192;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stored {
    Module(Box<StoredModule>),
    /// The module could not be compiled, for this reason.
    NotCompiled(String),
}

/// A compiled module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredModule {
    /// Machine code, as the engine has made it.
    pub artifact: Bytes,
    /// What was compiled, without its bytes and identity.
    pub description: InstrumentedModule,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum FormatError {
    #[error("{0} bytes are too few")]
    TooShort(usize),
    #[error("the checksum is wrong")]
    Checksum,
    #[error("it is no compiled module of this format")]
    Magic,
    #[error("it was made of another code or by another build")]
    OtherKey,
    #[error("an artifact of {artifact} bytes is longer than the file of {file}")]
    Length { artifact: u64, file: usize },
    #[error("bad description: {0}")]
    Description(prost::DecodeError),
    #[error("import {0} is not there")]
    UnknownImport(u32),
    #[error("the engine can't load it: {0}")]
    Engine(String),
}

/// The description of an instrumented module.
#[derive(Clone, PartialEq, prost::Message)]
struct Description {
    #[prost(uint32, repeated, tag = "1")]
    imports: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    exported_functions: Vec<Function>,
    #[prost(bool, tag = "3")]
    exports_memory: bool,
    #[prost(uint32, optional, tag = "4")]
    declared_maximum_pages: Option<u32>,
    #[prost(string, tag = "5")]
    used: String,
    #[prost(string, tag = "6")]
    limit: String,
    #[prost(string, tag = "7")]
    slots: String,
    #[prost(string, optional, tag = "8")]
    memory: Option<String>,
    #[prost(string, optional, tag = "9")]
    start: Option<String>,
    #[prost(string, repeated, tag = "10")]
    mutable_globals: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Function {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint64, tag = "2")]
    parameters: u64,
    #[prost(uint64, tag = "3")]
    results: u64,
}

/// The file, in three parts one behind the other.
pub(crate) fn encode(stored: &Stored, key: &[u8; KEY_BYTES]) -> [Bytes; 3] {
    let (magic, artifact, rest) = match stored {
        Stored::Module(module) => {
            let description = Description::from(&module.description).encode_to_vec();
            (MAGIC, module.artifact.clone(), description)
        }
        Stored::NotCompiled(reason) => (NOTE_MAGIC, Bytes::new(), reason.clone().into_bytes()),
    };
    let mut header = vec![0; ARTIFACT_AT];
    header[CHECKSUM_BYTES..KEY_AT].copy_from_slice(magic);
    header[KEY_AT..LENGTH_AT].copy_from_slice(key);
    let length = artifact.len() as u64;
    header[LENGTH_AT..LENGTH_AT + 8].copy_from_slice(&length.to_le_bytes());
    let checksum = checksum(&[&header[CHECKSUM_BYTES..], &artifact, &rest]);
    header[..CHECKSUM_BYTES].copy_from_slice(&checksum);
    [header.into(), artifact, rest.into()]
}

/// What the file holds, if it is whole and has this key.
pub(crate) fn decode(
    file: Bytes,
    key: &[u8; KEY_BYTES],
    table: ImportTable,
) -> Result<Stored, FormatError> {
    if file.len() < ARTIFACT_AT {
        return Err(FormatError::TooShort(file.len()));
    }
    if checksum(&[&file[CHECKSUM_BYTES..]]) != file[..CHECKSUM_BYTES] {
        return Err(FormatError::Checksum);
    }
    let magic = &file[CHECKSUM_BYTES..KEY_AT];
    if magic != MAGIC && magic != NOTE_MAGIC {
        return Err(FormatError::Magic);
    }
    if file[KEY_AT..LENGTH_AT] != *key {
        return Err(FormatError::OtherKey);
    }
    let mut length = [0; 8];
    length.copy_from_slice(&file[LENGTH_AT..LENGTH_AT + 8]);
    let length = u64::from_le_bytes(length);
    let end = usize::try_from(length).ok();
    let end = end.and_then(|length| length.checked_add(ARTIFACT_AT));
    let end = end.filter(|end| *end <= file.len());
    let end = end.ok_or(FormatError::Length {
        artifact: length,
        file: file.len(),
    })?;
    if magic == NOTE_MAGIC {
        let reason = String::from_utf8_lossy(&file[ARTIFACT_AT..]);
        return Ok(Stored::NotCompiled(reason.into_owned()));
    }
    Ok(Stored::Module(Box::new(StoredModule {
        artifact: file.slice(ARTIFACT_AT..end),
        description: Description::decode(&file[end..])
            .map_err(FormatError::Description)?
            .into_module(table)?,
    })))
}

fn checksum(parts: &[&[u8]]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

impl From<&InstrumentedModule> for Description {
    fn from(module: &InstrumentedModule) -> Self {
        let functions = module.exported_functions.iter().map(|function| Function {
            name: function.name.clone(),
            parameters: function.parameters as u64,
            results: function.results as u64,
        });
        let hidden = module.hidden.clone();
        Description {
            // An import table is as long as the list in the source.
            imports: module.imports.iter().map(|&import| import as u32).collect(),
            exported_functions: functions.collect(),
            exports_memory: module.exports_memory,
            declared_maximum_pages: module.declared_maximum_pages,
            used: hidden.used,
            limit: hidden.limit,
            slots: hidden.slots,
            memory: hidden.memory,
            start: hidden.start,
            mutable_globals: hidden.mutable_globals,
        }
    }
}

impl Description {
    fn into_module(self, table: ImportTable) -> Result<InstrumentedModule, FormatError> {
        let imports = self.imports.iter().map(|&import| {
            let index = import as usize;
            let known = (index < table.len()).then_some(index);
            known.ok_or(FormatError::UnknownImport(import))
        });
        let functions = self.exported_functions.into_iter();
        Ok(InstrumentedModule {
            bytes: Vec::new(),
            identity: None,
            import_table: table,
            imports: imports.collect::<Result<_, _>>()?,
            exported_functions: functions
                .map(|function| ExportedFunction {
                    name: function.name,
                    parameters: function.parameters as usize,
                    results: function.results as usize,
                })
                .collect(),
            exports_memory: self.exports_memory,
            declared_maximum_pages: self.declared_maximum_pages,
            hidden: HiddenExports {
                used: self.used,
                limit: self.limit,
                slots: self.slots,
                memory: self.memory,
                start: self.start,
                mutable_globals: self.mutable_globals,
                // Modules of observed runs are not stored.
                details: Vec::new(),
            },
        })
    }
}
