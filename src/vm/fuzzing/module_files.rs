//! Files of compiled modules: what was written is read again, and whatever else stands in a file is a miss. Nothing of
//! it is run: it would be machine code.

use crate::engine::disk::StoredModule;
use crate::engine::disk::format::{FormatError, KEY_BYTES, Stored, decode, encode};
use crate::engine::instrument::{HiddenExports, InstrumentedModule};
use crate::engine::{ExportedFunction, ImportTable};
use crate::vm::eei::import_table;
use arbitrary::{Result, Unstructured};
use bytes::Bytes;

/// The key of these files.
const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];

/// Where the fields of a file are, see the table of the format.
const CHECKSUM_BYTES: usize = 32;
const LENGTH_AT: usize = 144;
const HEADER_BYTES: usize = 192;

/// The artifact begins at a multiple of this.
const ALIGNMENT: usize = 64;

/// The most elements of a list.
const MOST_ELEMENTS: usize = 4;

/// The first byte chooses: any file, a file whose checksum is right, or one that was written.
pub fn module_files(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    match choice % 4 {
        0 => any_file(rest),
        1 => sealed_file(rest),
        _ => written_file(&mut Unstructured::new(rest)).expect("any bytes are a module"),
    }
}

fn written(stored: &Stored) -> Vec<u8> {
    encode(stored, &KEY).concat()
}

fn read(file: &[u8], table: ImportTable) -> Result<Stored, FormatError> {
    decode(Bytes::copy_from_slice(file), &KEY, table)
}

/// Without the right checksum nothing else is looked at. A fuzzer that sees what is compared can find the right one.
fn any_file(file: &[u8]) {
    let read = read(file, import_table());
    match file.len() {
        length @ ..HEADER_BYTES => assert_eq!(read, Err(FormatError::TooShort(length))),
        _ => {
            let checksum = blake3::hash(&file[CHECKSUM_BYTES..]);
            let is_right = file[..CHECKSUM_BYTES] == *checksum.as_bytes();
            assert!(is_right || read == Err(FormatError::Checksum), "{read:?}");
        }
    }
}

/// A file that was made for us, but by a writer with other ideas of the format: the first byte says which byte of the
/// header is changed, if any, the second how; the next eight are the length of the artifact if the first is odd. What
/// remains are artifact and description.
fn sealed_file(data: &[u8]) {
    let Some(([place, change, length @ ..], content)) = data.split_first_chunk::<10>() else {
        return;
    };
    let mut file = written(&Stored::Module(Box::new(StoredModule {
        artifact: Bytes::new(),
        description: empty(),
    })));
    file.truncate(HEADER_BYTES);
    let length = match place % 2 {
        0 => u64::from(length[0]).min(content.len() as u64),
        _ => u64::from_le_bytes(*length),
    };
    file[LENGTH_AT..LENGTH_AT + 8].copy_from_slice(&length.to_le_bytes());
    let place = CHECKSUM_BYTES + usize::from(*place);
    let is_changed = *change != 0 && place < LENGTH_AT;
    if is_changed {
        file[place] ^= change;
    }
    file.extend_from_slice(content);
    let checksum = blake3::hash(&file[CHECKSUM_BYTES..]);
    file[..CHECKSUM_BYTES].copy_from_slice(checksum.as_bytes());
    match read(&file, import_table()) {
        Ok(Stored::Module(module)) => {
            assert!(!is_changed && length <= content.len() as u64);
            assert_eq!(module.artifact, content[..length as usize]);
            let module = Stored::Module(module);
            assert_eq!(read(&written(&module), import_table()), Ok(module));
        }
        Ok(Stored::NotCompiled(reason)) => panic!("a module became a note: {reason}"),
        Err(FormatError::Magic | FormatError::OtherKey) => assert!(is_changed),
        Err(FormatError::Length { .. }) => assert!(length > content.len() as u64),
        Err(FormatError::Description(_) | FormatError::UnknownImport(_)) => assert!(!is_changed),
        Err(error) => panic!("{error}"),
    }
}

/// What was written is read again. No other file is: with a bit flipped, shorter, longer, or for another key or another
/// table of imports.
fn written_file(bytes: &mut Unstructured<'_>) -> Result<()> {
    if bytes.ratio(1, 8)? {
        let note = Stored::NotCompiled(text(bytes)?);
        assert_eq!(read(&written(&note), import_table()), Ok(note));
    }
    let module = stored_module(bytes)?;
    let stored = Stored::Module(Box::new(module.clone()));
    let file = written(&stored);
    let read_again = decode(file.clone().into(), &KEY, import_table());
    assert_eq!(read_again.as_ref(), Ok(&stored));
    let artifact_at = file.len() - encode(&stored, &KEY)[2].len() - module.artifact.len();
    assert!(artifact_at.is_multiple_of(ALIGNMENT));

    let mut flipped = file.clone();
    flipped[bytes.choose_index(file.len())?] ^= 1 << bytes.int_in_range(0..=7)?;
    assert_eq!(read(&flipped, import_table()), Err(FormatError::Checksum));
    let cut = bytes.choose_index(file.len())?;
    assert!(read(&file[..cut], import_table()).is_err());
    let longer = [&file[..], &[bytes.arbitrary()?]].concat();
    assert_eq!(read(&longer, import_table()), Err(FormatError::Checksum));

    let mut key = KEY;
    key[bytes.choose_index(KEY_BYTES)?] ^= 1 << bytes.int_in_range(0..=7)?;
    assert_eq!(
        decode(file.clone().into(), &key, import_table()),
        Err(FormatError::OtherKey)
    );
    let table = &import_table()[..bytes.choose_index(import_table().len())?];
    let unknown = module.description.imports.iter();
    let unknown = unknown.copied().find(|import| *import >= table.len());
    match unknown {
        None => assert!(read(&file, table).is_ok()),
        Some(import) => {
            let expected = FormatError::UnknownImport(import as u32);
            assert_eq!(read(&file, table), Err(expected));
        }
    }
    Ok(())
}

fn empty() -> InstrumentedModule {
    InstrumentedModule {
        bytes: Vec::new(),
        identity: None,
        import_table: import_table(),
        imports: Vec::new(),
        exported_functions: Vec::new(),
        exports_memory: false,
        declared_maximum_pages: None,
        hidden: HiddenExports {
            used: String::new(),
            limit: String::new(),
            slots: String::new(),
            memory: None,
            start: None,
            mutable_globals: Vec::new(),
            details: Vec::new(),
        },
    }
}

/// Any module, as far as it can be stored. The artifact is what the other parts leave.
fn stored_module(bytes: &mut Unstructured<'_>) -> Result<StoredModule> {
    let imports = list(bytes, |bytes| bytes.choose_index(import_table().len()))?;
    let exported_functions = list(bytes, |bytes| {
        Ok(ExportedFunction {
            name: text(bytes)?,
            parameters: bytes.arbitrary()?,
            results: bytes.int_in_range(0..=1)?,
        })
    })?;
    let hidden = HiddenExports {
        used: text(bytes)?,
        limit: text(bytes)?,
        slots: text(bytes)?,
        memory: optional(bytes, text)?,
        start: optional(bytes, text)?,
        mutable_globals: list(bytes, text)?,
        details: Vec::new(),
    };
    let description = InstrumentedModule {
        imports,
        exported_functions,
        exports_memory: bytes.arbitrary()?,
        declared_maximum_pages: optional(bytes, |bytes| bytes.arbitrary())?,
        hidden,
        ..empty()
    };
    let length = bytes.len() / 2;
    Ok(StoredModule {
        artifact: Bytes::copy_from_slice(bytes.bytes(length)?),
        description,
    })
}

fn list<T>(
    bytes: &mut Unstructured<'_>,
    element: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = bytes.int_in_range(0..=MOST_ELEMENTS)?;
    (0..count).map(|_| element(bytes)).collect()
}

fn optional<T>(
    bytes: &mut Unstructured<'_>,
    value: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let is_there = bytes.arbitrary()?;
    if is_there {
        value(bytes).map(Some)
    } else {
        Ok(None)
    }
}

/// A short text, also an empty one, and of letters of several bytes.
fn text(bytes: &mut Unstructured<'_>) -> Result<String> {
    let letters = list(bytes, |bytes| bytes.arbitrary::<char>())?;
    Ok(letters.into_iter().collect())
}
