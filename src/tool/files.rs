//! Writes several files that belong together.

use super::ToolError;
use super::atomic::Prepared;
use std::fs;
use std::path::{Path, PathBuf};

/// Writes files to a folder, which is made if it is not there. If one can't be written, none is replaced.
///
/// `files` are names without a slash, and contents.
pub fn write_files(folder: &Path, files: &[(String, Vec<u8>)]) -> Result<(), ToolError> {
    let unwritable = |path: PathBuf| |reason| ToolError::Unwritable { path, reason };
    fs::create_dir_all(folder).map_err(unwritable(folder.to_owned()))?;
    let prepared = files.iter().map(|(name, contents)| {
        let path = folder.join(name);
        let prepared = Prepared::new(&path, contents).map_err(unwritable(path.clone()))?;
        Ok((path, prepared))
    });
    let prepared = prepared.collect::<Result<Vec<_>, ToolError>>()?;
    prepared
        .into_iter()
        .try_for_each(|(path, file)| file.commit().map_err(unwritable(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_written_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let below = folder.path().join("a/b");
        let files = |names: [&str; 2]| names.map(|name| (name.to_owned(), name.into()));
        write_files(&below, &files(["one", "two"])).expect("written");
        assert_eq!(fs::read(below.join("two")).expect("there"), b"two");
        let error = write_files(&below, &files(["three", "no/four"])).expect_err("no folder");
        assert!(error.to_string().contains("a/b/no/four"), "{error}");
        assert_eq!(fs::read_dir(below).expect("a folder").count(), 2);
    }
}
