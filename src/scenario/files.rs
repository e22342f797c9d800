//! Finds the files that scenarios name.

use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use thiserror::Error;

/// A file that could not be read.
#[derive(Debug, Error)]
#[error("can't read {}: {reason}", path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: io::Error,
}

/// Files by the names that a scenario gives them: relative to the folder of the file that is the context.
#[derive(Debug, Clone)]
pub struct Files<'a> {
    context: PathBuf,
    replacements: &'a BTreeMap<String, PathBuf>,
}

impl<'a> Files<'a> {
    /// With a table of names that stand for other files.
    pub fn new(replacements: &'a BTreeMap<String, PathBuf>) -> Files<'a> {
        Files {
            context: PathBuf::new(),
            replacements,
        }
    }

    /// Sets the file whose folder names are relative to.
    pub fn set_context(&mut self, file: &Path) {
        self.context = file.parent().unwrap_or(Path::new("")).to_owned();
    }

    /// The file with this name: the replacement if the name stands in the table exactly as written.
    pub fn resolve(&self, name: &str) -> PathBuf {
        match self.replacements.get(name) {
            Some(path) => path.clone(),
            // The reference joins even an absolute path to the folder.
            None => clean(&self.context.join(name.trim_start_matches('/'))),
        }
    }

    /// The contents of the file with this name; of no file for no name.
    pub fn contents(&self, name: &str) -> Result<Bytes, Unreadable> {
        match name {
            "" => Ok(Bytes::new()),
            _ => read(&self.resolve(name)),
        }
    }
}

/// The contents of a file.
pub fn read(path: &Path) -> Result<Bytes, Unreadable> {
    let path = path.to_owned();
    match std::fs::read(&path) {
        Ok(contents) => Ok(contents.into()),
        Err(reason) => Err(Unreadable { path, reason }),
    }
}

/// Takes `folder/..` out of a path, without a look at the disk: that is how the reference reads it.
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
    cleaned
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
        ] {
            assert_eq!(files.resolve(name), Path::new(expected), "{name}");
        }
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let replacements = BTreeMap::new();
        let mut files = Files::new(&replacements);
        files.set_context(Path::new("no/such/folder/x.scen.json"));
        let error = files.contents("a.wasm").expect_err("there is none");
        let expected = "can't read no/such/folder/a.wasm: ";
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(files.contents("").expect("nothing").is_empty());
    }
}
