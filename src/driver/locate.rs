//! Finds the binary of the child (docs/spec/wire.md#binary) and checks that it can be executed.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The name of the binary.
pub const BINARY_NAME: &str = "arwen";

/// The environment variable that names the binary.
pub const PATH_VARIABLE: &str = "ARWEN_PATH";

/// No binary was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    /// The paths that were tried, in order.
    pub looked_at: Vec<PathBuf>,
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arwen binary not found; no file at")?;
        for (index, path) in self.looked_at.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {}", path.display())?;
        }
        write!(f, " (configure a path, or set {PATH_VARIABLE})")
    }
}

impl std::error::Error for NotFound {}

/// A path that can't be run as a program on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoProgram {
    /// It does not exist.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// It is a directory.
    #[error("{} is a directory", .0.display())]
    Directory(PathBuf),
    /// It is a file without the permission to execute it.
    #[error("{} is not executable; check its mode and the options of its file system", .0.display())]
    NotExecutable(PathBuf),
    /// It is built for another machine, or not a program.
    #[error("{} is no program for this machine: {reason}", path.display())]
    WrongFormat {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// It is a script or an ELF file whose interpreter can't be run.
    #[error("{} can't be started without its interpreter: {interpreter}", path.display())]
    Interpreter {
        /// The file.
        path: PathBuf,
        /// What is wrong with the interpreter.
        interpreter: Box<NoProgram>,
    },
    /// It can't be read.
    #[error("{} can't be read: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

/// The candidate paths of the binary.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub current_directory: Option<PathBuf>,
    pub path_variable: Option<PathBuf>,
    pub running_executable: Option<PathBuf>,
}

impl Places {
    pub(super) fn of_this_process() -> Places {
        Places {
            current_directory: std::env::current_dir().ok(),
            path_variable: std::env::var_os(PATH_VARIABLE)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            running_executable: std::env::current_exe().ok(),
        }
    }

    /// The first of these that exists and is not a directory: the file `arwen` in the current directory, the file that
    /// `ARWEN_PATH` names, the file `arwen` beside the running program.
    pub(super) fn find(self) -> Result<PathBuf, NotFound> {
        let here = self.current_directory.map(|path| path.join(BINARY_NAME));
        let beside = self
            .running_executable
            .map(|path| path.with_file_name(BINARY_NAME));
        let candidates = [here, self.path_variable, beside];
        let looked_at: Vec<PathBuf> = candidates.into_iter().flatten().collect();
        let found = looked_at
            .iter()
            .find(|path| fs::metadata(path).is_ok_and(|found| !found.is_dir()));
        match found {
            Some(path) => Ok(path.clone()),
            None => Err(NotFound { looked_at }),
        }
    }
}

/// Checks whether the file can be started, as far as its contents tell. The error of exec would be less clear: for a
/// script whose interpreter is missing, it says that the script does not exist.
pub(super) fn check(path: &Path) -> Result<(), NoProgram> {
    check_nested(path, INTERPRETER_LIMIT)
}

/// Limit of nested script interpreters; that of Linux is lower.
const INTERPRETER_LIMIT: usize = 5;

/// Bytes read from the beginning of a file: as much as Linux reads of a script's first line, and more than the headers
/// that linkers write into ELF files.
const START_BYTES: u64 = 4096;

fn check_nested(path: &Path, interpreters: usize) -> Result<(), NoProgram> {
    let owned = || path.to_owned();
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => NoProgram::Missing(owned()),
        _ => NoProgram::Unreadable {
            path: owned(),
            reason: error.to_string(),
        },
    };
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(NoProgram::Directory(owned()));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(NoProgram::NotExecutable(owned()));
    }
    let mut start = Vec::new();
    match File::open(path) {
        Ok(file) => file
            .take(START_BYTES)
            .read_to_end(&mut start)
            .map_err(unreadable)?,
        // A program may be executable but not readable; then it can't be checked.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
        Err(error) => return Err(unreadable(error)),
    };
    if let Some(reason) = foreign(&start) {
        let path = owned();
        return Err(NoProgram::WrongFormat { path, reason });
    }
    match interpreter(&start) {
        Some(interpreter) if interpreters > 0 => check_nested(&interpreter, interpreters - 1)
            .map_err(|error| NoProgram::Interpreter {
                path: owned(),
                interpreter: Box::new(error),
            }),
        _ => Ok(()),
    }
}

/// The interpreter of a file, given its beginning: from the first line of a script, or the loader of an ELF file of
/// this machine. `None` if there is none or it can't be determined.
fn interpreter(start: &[u8]) -> Option<PathBuf> {
    let path = match start.strip_prefix(b"#!") {
        Some(line) => script_interpreter(line),
        None => elf_interpreter(start)?,
    };
    let is_empty = path.is_empty();
    (!is_empty).then(|| PathBuf::from(OsStr::from_bytes(path)))
}

/// The first word of the first line of a script, after `#!`.
fn script_interpreter(line: &[u8]) -> &[u8] {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
    let words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\0'));
    let mut words = words.filter(|word| !word.is_empty());
    words.next().unwrap_or_default()
}

/// The path in the program header PT_INTERP of a 64-bit ELF file.
fn elf_interpreter(file: &[u8]) -> Option<&[u8]> {
    const PT_INTERP: u32 = 3;
    let half = |at: usize| Some(u16::from_ne_bytes(*file.get(at..)?.first_chunk()?));
    let long = |at: usize| {
        let bytes = file.get(at..)?.first_chunk()?;
        usize::try_from(u64::from_ne_bytes(*bytes)).ok()
    };
    if !cfg!(target_pointer_width = "64") {
        return None;
    }
    let (table, size, count) = (long(32)?, usize::from(half(54)?), usize::from(half(56)?));
    for index in 0..count {
        let header = table.checked_add(index.checked_mul(size)?)?;
        let kind = u32::from_ne_bytes(*file.get(header..)?.first_chunk()?);
        if kind == PT_INTERP {
            let (offset, length) = (long(header + 8)?, long(header + 32)?);
            let path = file.get(offset..offset.checked_add(length)?)?;
            return path.strip_suffix(b"\0").or(Some(path));
        }
    }
    None
}

/// What is wrong with a file, given its beginning; `None` for a program of this machine or a script.
fn foreign(start: &[u8]) -> Option<String> {
    if let Some(line) = start.strip_prefix(b"#!") {
        let is_named = !script_interpreter(line).is_empty();
        return (!is_named).then(|| "a script that names no interpreter".to_owned());
    }
    let Some(header) = start.strip_prefix(b"\x7fELF") else {
        return Some("neither an ELF file nor a script".to_owned());
    };
    let class = if cfg!(target_pointer_width = "64") {
        2
    } else {
        1
    };
    let order = if cfg!(target_endian = "little") { 1 } else { 2 };
    if header.get(..2) != Some(&[class, order]) {
        return Some("an ELF file of another word size or byte order".to_owned());
    }
    let Some(machine) = header.get(14..).and_then(|bytes| bytes.first_chunk()) else {
        return Some("an ELF file that ends in its header".to_owned());
    };
    let machine = u16::from_ne_bytes(*machine);
    match MACHINE {
        Some(ours) if ours != machine => Some(format!(
            "an ELF file for machine {machine}, this one is {ours} ({})",
            std::env::consts::ARCH
        )),
        _ => None,
    }
}

/// The ELF machine number of this architecture; `None` if not listed here, and then not checked.
const MACHINE: Option<u16> = if cfg!(target_arch = "x86_64") {
    Some(62)
} else if cfg!(target_arch = "aarch64") {
    Some(183)
} else {
    None
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::OpenOptionsExt as _;

    #[test]
    fn the_places_in_their_order() {
        let directory = tempfile::tempdir().expect("a directory");
        let make = |name: &str| {
            let path = directory.path().join(name);
            fs::create_dir(&path).expect("a directory");
            path
        };
        let (cwd, other, beside) = (make("cwd"), make("other"), make("beside"));
        let named = other.join("my-arwen");
        let places = || Places {
            current_directory: Some(cwd.clone()),
            path_variable: Some(named.clone()),
            running_executable: Some(beside.join("node")),
        };
        let expected = vec![cwd.join("arwen"), named.clone(), beside.join("arwen")];
        assert_eq!(
            places().find(),
            Err(NotFound {
                looked_at: expected.clone()
            })
        );
        let text = NotFound {
            looked_at: expected,
        }
        .to_string();
        for path in [&cwd, &named, &beside] {
            assert!(text.contains(&path.display().to_string()), "{text}");
        }
        // Directories do not count.
        fs::create_dir(cwd.join("arwen")).expect("a directory");
        for path in [beside.join("arwen"), named.clone()] {
            fs::write(&path, "").expect("a file");
            assert_eq!(places().find(), Ok(path));
        }
        fs::remove_dir(cwd.join("arwen")).expect("there");
        fs::write(cwd.join("arwen"), "").expect("a file");
        assert_eq!(places().find(), Ok(cwd.join("arwen")));
    }

    #[test]
    fn what_can_not_be_started_is_told_apart() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("arwen");
        let path_or = |make: fn(PathBuf) -> NoProgram| Err(make(path.clone()));
        assert_eq!(check(&path), path_or(NoProgram::Missing));
        assert_eq!(
            check(directory.path()),
            Err(NoProgram::Directory(directory.path().to_owned()))
        );
        fs::write(&path, "text").expect("a file");
        assert_eq!(check(&path), path_or(NoProgram::NotExecutable));
        let executable = |content: &[u8]| {
            fs::remove_file(&path).expect("there");
            let mut options = File::options();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o755)
                .open(&path)
                .expect("a file");
            io::Write::write_all(&mut file, content).expect("written");
            check(&path)
        };
        let whole = fs::read(std::env::current_exe().expect("known")).expect("readable");
        assert_eq!(executable(&whole), Ok(()));
        let own = &whole[..64];
        assert_eq!(executable(own), Ok(()));
        for script in ["#!/bin/sh", "#! /bin/sh -e\n", "#!\t/bin/sh\nexit"] {
            assert_eq!(executable(script.as_bytes()), Ok(()));
        }
        let mut foreign = own.to_vec();
        foreign[18] ^= 1;
        let mut narrow = own.to_vec();
        narrow[4] ^= 3;
        for content in [&foreign[..], &narrow, b"junk", b"", b"#!", b"#! \n/bin/sh"] {
            let error = executable(content);
            let wrong = matches!(error, Err(NoProgram::WrongFormat { .. }));
            assert!(wrong, "{error:?}");
        }
    }
    #[test]
    fn a_missing_interpreter_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("arwen");
        let there = directory.path().join("there");
        let executable = |path: &Path, content: &[u8]| {
            let mut options = File::options();
            let options = options.write(true).create(true).truncate(true).mode(0o755);
            let mut file = options.open(path).expect("a file");
            io::Write::write_all(&mut file, content).expect("written");
        };
        let needs = |interpreter: NoProgram| {
            let interpreter = Box::new(interpreter);
            let path = path.clone();
            Err(NoProgram::Interpreter { path, interpreter })
        };
        executable(&path, b"#!/no/such -e\n");
        assert_eq!(check(&path), needs(NoProgram::Missing("/no/such".into())));
        let text = check(&path).expect_err("no interpreter").to_string();
        let expected = "can't be started without its interpreter: /no/such does not exist";
        assert!(text.ends_with(expected), "{text}");

        executable(&path, format!("#!{}\n", there.display()).as_bytes());
        fs::write(&there, "text").expect("written");
        assert_eq!(check(&path), needs(NoProgram::NotExecutable(there.clone())));
        fs::remove_file(&there).expect("there");
        executable(&there, b"#!/bin/sh\n");
        assert_eq!(check(&path), Ok(()));
        // A script that is its own interpreter is left for exec to refuse.
        executable(&path, format!("#!{}\n", path.display()).as_bytes());
        assert_eq!(check(&path), Ok(()));

        // The loader of an ELF file.
        let own = fs::read(std::env::current_exe().expect("known")).expect("readable");
        let loader = elf_interpreter(&own).expect("the test is linked dynamically");
        let at = own
            .windows(loader.len())
            .position(|window| window == loader);
        let mut other = own.clone();
        other[at.expect("there") + 1] = b'!';
        executable(&path, &other);
        let missing = check(&path).expect_err("no loader").to_string();
        assert!(missing.contains("interpreter: /!"), "{missing}");
    }
}
