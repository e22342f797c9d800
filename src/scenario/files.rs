//! Resolves and reads the files that scenarios name.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use thiserror::Error;

/// A file that could not be read.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// A folder.
    #[error("{} is a directory", .0.display())]
    Directory(PathBuf),
    /// The system refused.
    #[error("can't read {}: {reason}", path.display())]
    System {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// Neither a compiled contract nor its source exists.
    #[error("can't read {}: {reason}; nor is there a source to make it from, {}", path.display(), path.with_extension("wat").display())]
    NoSource {
        /// The file.
        path: PathBuf,
        /// Why it can't be read.
        reason: io::Error,
    },
    /// The source of a compiled contract has an error. The text names file, line and column.
    #[cfg(feature = "vm")]
    #[error("can't make {} of its source: {error}", path.display())]
    BadSource {
        /// The file.
        path: PathBuf,
        /// What is wrong with the source.
        error: wat::Error,
    },
}

/// Resolves names of files, relative to the folder of the context file.
#[derive(Debug, Clone)]
pub struct Files<'a> {
    context: PathBuf,
    replacements: &'a BTreeMap<String, PathBuf>,
}

impl<'a> Files<'a> {
    /// With a table of replacements by name.
    pub fn new(replacements: &'a BTreeMap<String, PathBuf>) -> Files<'a> {
        Files {
            context: PathBuf::new(),
            replacements,
        }
    }

    /// Sets the context file.
    pub fn set_context(&mut self, file: &Path) {
        self.context = file.parent().unwrap_or(Path::new("")).to_owned();
    }

    /// The path for a name: its replacement, if the table has exactly this name.
    pub fn resolve(&self, name: &[u8]) -> PathBuf {
        let replacement = str::from_utf8(name).ok();
        if let Some(path) = replacement.and_then(|name| self.replacements.get(name)) {
            return path.clone();
        }
        // The reference joins even an absolute path to the folder.
        let slashes = name.iter().take_while(|&&byte| byte == b'/').count();
        clean(&self.context.join(OsStr::from_bytes(&name[slashes..])))
    }

    /// The contents of the file with this name; empty for an empty name.
    pub fn contents(&self, name: &[u8]) -> Result<Bytes, Unreadable> {
        match name {
            b"" => Ok(Bytes::new()),
            _ => read(&self.resolve(name)),
        }
    }
}

/// The contents of a file. A missing `x.wasm` is compiled from `x.wat` beside it.
pub fn read(path: &Path) -> Result<Bytes, Unreadable> {
    match std::fs::read(path) {
        Ok(contents) => Ok(contents.into()),
        Err(reason) if reason.kind() == io::ErrorKind::NotFound && is_compiled(path) => {
            compile(path, reason)
        }
        Err(reason) => Err(unreadable(path, reason)),
    }
}

/// The error for a file or folder that can't be read.
pub fn unreadable(path: &Path, reason: io::Error) -> Unreadable {
    let path = path.to_owned();
    match reason.kind() {
        io::ErrorKind::IsADirectory => Unreadable::Directory(path),
        _ => Unreadable::System { path, reason },
    }
}

/// Whether the file is a compiled contract, which may have a source beside it.
fn is_compiled(path: &Path) -> bool {
    cfg!(feature = "vm")
        && path
            .extension()
            .is_some_and(|extension| extension == "wasm")
}

#[cfg(feature = "vm")]
fn compile(path: &Path, reason: io::Error) -> Result<Bytes, Unreadable> {
    let path = path.to_owned();
    let source_file = path.with_extension("wat");
    if !source_file.is_file() {
        return Err(Unreadable::NoSource { path, reason });
    }
    match wat::parse_file(source_file) {
        Ok(code) => Ok(code.into()),
        Err(error) => Err(Unreadable::BadSource { path, error }),
    }
}

#[cfg(not(feature = "vm"))]
fn compile(path: &Path, reason: io::Error) -> Result<Bytes, Unreadable> {
    Err(unreadable(path, reason))
}

/// Removes `folder/..` from a path lexically, as the reference does.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(cleaned.components().next_back(), Some(Component::Normal(_))) =>
            {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    match cleaned.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => cleaned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_relative_to_the_context() {
        let replacements = BTreeMap::from([("a/../b.wasm".to_owned(), PathBuf::from("c.wasm"))]);
        let mut files = Files::new(&replacements);
        files.set_context(Path::new("suite/erc20/transfer.scen.json"));
        for (name, expected) in [
            ("b.wasm", "suite/erc20/b.wasm"),
            ("../main/./x.json", "suite/main/x.json"),
            ("../../../x.json", "../x.json"),
            ("/b.wasm", "suite/erc20/b.wasm"),
            ("a/../b.wasm", "c.wasm"),
            ("a/../../b.wasm", "suite/b.wasm"),
            (".", "suite/erc20"),
            ("../..", "."),
        ] {
            let found = files.resolve(name.as_bytes());
            assert_eq!(found, Path::new(expected), "{name}");
        }
        let found = files.resolve(b"/\xff/../\xfe.wasm");
        assert_eq!(found.as_os_str().as_bytes(), b"suite/erc20/\xfe.wasm");
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let replacements = BTreeMap::new();
        let mut files = Files::new(&replacements);
        files.set_context(Path::new("no/such/folder/x.scen.json"));
        let error = |name: &str| {
            let contents = files.contents(name.as_bytes());
            contents.expect_err("there is none").to_string()
        };
        let missing = "No such file or directory (os error 2)";
        let expected = format!("can't read no/such/folder/a.json: {missing}");
        assert_eq!(error("a.json"), expected);
        #[cfg(feature = "vm")]
        assert_eq!(
            error("a.wasm"),
            format!(
                "can't read no/such/folder/a.wasm: {missing}; \
                 nor is there a source to make it from, no/such/folder/a.wat"
            )
        );
        assert!(files.contents(b"").expect("nothing").is_empty());
        files.set_context(Path::new("x.scen.json"));
        let error = files.contents(b".").expect_err("a directory").to_string();
        assert_eq!(error, ". is a directory");
    }

    #[cfg(feature = "vm")]
    #[test]
    fn compiled_code_that_is_not_there_is_made_from_its_source() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).expect("written");
        };
        let replacements = BTreeMap::new();
        let mut files = Files::new(&replacements);
        files.set_context(&folder.path().join("x.scen.json"));
        write("a.wat", "(module)");
        let made = files.contents(b"a.wasm").expect("made from its source");
        assert_eq!(&made[..], b"\0asm\x01\0\0\0");
        write("a.wasm", "there");
        assert_eq!(files.contents(b"a.wasm").expect("there"), "there");
        write("bad.wat", "(module\n  (funk))");
        let error = files
            .contents(b"bad.wasm")
            .expect_err("no source")
            .to_string();
        let place = format!("{}:2:4", folder.path().join("bad.wat").display());
        assert!(error.contains(&place), "{error}");
    }
}
