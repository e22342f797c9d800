//! Writes files as a whole: after a crash, or on a full disk, there is the old file or the new one, and nothing half written.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Replaces the contents of a file, or makes it. They are on the disk when this returns.
pub fn write(path: &Path, contents: &[u8]) -> io::Result<()> {
    Prepared::new(path, contents)?.commit()
}

/// A file that is ready to take its place. What can fail has been done: if it is dropped, nothing was changed.
#[derive(Debug)]
pub struct Prepared {
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// The new file is on the disk under another name, beside its target.
    Beside { new: PathBuf, target: PathBuf },
    /// What is not a regular file, such as a pipe, is written to as it is.
    Special { file: File, contents: Vec<u8> },
}

impl Prepared {
    /// Writes the new file beside the one that it will replace. A link stays one.
    pub fn new(path: &Path, contents: &[u8]) -> io::Result<Prepared> {
        let target = match fs::canonicalize(path) {
            Ok(target) if target.is_file() => target,
            Ok(other) => {
                let file = File::options().write(true).open(other)?;
                let contents = contents.to_vec();
                return Ok(Prepared {
                    place: Place::Special { file, contents },
                });
            }
            Err(_) => path.to_owned(),
        };
        let new = new_name(&target)?;
        let mut file = File::create(&new)?;
        // From here on the new file is removed if something fails.
        let prepared = Prepared {
            place: Place::Beside { new, target },
        };
        if let Place::Beside { target, .. } = &prepared.place
            && let Ok(old) = fs::metadata(target)
        {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(contents)?;
        file.sync_all()?;
        Ok(prepared)
    }

    /// Puts the file into its place.
    pub fn commit(mut self) -> io::Result<()> {
        match &mut self.place {
            Place::Special { file, contents } => file.write_all(contents),
            Place::Beside { new, target } => {
                fs::rename(&*new, &*target)?;
                // So that the new name is on the disk, too.
                File::open(folder_of(target))?.sync_all()
            }
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Place::Beside { new, .. } = &self.place {
            // After a commit it is not there any more.
            let _ = fs::remove_file(new);
        }
    }
}

fn folder_of(target: &Path) -> &Path {
    match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A name beside the file that no other process of this machine uses.
fn new_name(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut new = OsString::from(".");
    new.push(name);
    new.push(format!(".{}.new", std::process::id()));
    Ok(folder_of(target).join(new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn files_are_made_and_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let link = folder.path().join("link");
        write(&path, b"one").expect("made");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("changed");
        write(&link, b"two").expect("replaced");
        assert_eq!(fs::read(&path).expect("there"), b"two");
        assert!(link.is_symlink());
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }

    #[test]
    fn what_is_not_committed_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        drop(Prepared::new(&path, b"x").expect("prepared"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        // A folder that takes the place meanwhile.
        let prepared = Prepared::new(&path, b"x").expect("prepared");
        fs::create_dir(&path).expect("made");
        assert!(prepared.commit().is_err());
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn what_can_not_be_written_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(write(&folder.path().join("no/a"), b"x").is_err());
        assert!(write(folder.path(), b"x").is_err());
        assert!(write(Path::new("/dev/full"), b"x").is_err());
        assert!(write(Path::new("/dev/null"), b"x").is_ok());
    }
}
