//! Notices when the files of scenarios change: the scenarios themselves, and the files that they name.

use super::ToolError;
use crate::scenario::Suite;
use crate::scenario::files::Files;
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Editors and compilers write several files: a change is over when nothing more follows for this long.
const QUIET: Duration = Duration::from_millis(100);

/// How large a file is of which the names are looked for.
const LARGEST_SCENARIO_BYTES: u64 = 16 << 20;

/// The folders in which something may change.
#[derive(Debug)]
pub struct Watch {
    inotify: OwnedFd,
    /// Files that a run writes itself.
    ignored: BTreeSet<OsString>,
}

impl Watch {
    /// Watches the folders of the paths that a suite was made of, of all scenarios below them, and of the files that those
    /// name. Files called like `ignored` do not count. What changes from now on is noticed.
    pub fn new(
        paths: &[PathBuf],
        suite: &Suite,
        replacements: &BTreeMap<String, PathBuf>,
        ignored: &[PathBuf],
    ) -> Result<Watch, ToolError> {
        let fault = |reason: Errno| ToolError::NotWatched {
            reason: io::Error::from(reason),
        };
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(fault)?;
        let changes = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::ONLYDIR;
        for folder in folders(paths, suite, replacements) {
            match inotify::add_watch(&inotify, &folder, changes) {
                // A folder that is named and not there can't be watched.
                Ok(_) | Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(error) => return Err(fault(error)),
            }
        }
        let ignored = ignored.iter().filter_map(|file| file.file_name());
        Ok(Watch {
            inotify,
            ignored: ignored.map(OsStr::to_owned).collect(),
        })
    }

    /// Waits until something has changed, and then until nothing changes any more.
    pub fn wait(&self) -> Result<(), ToolError> {
        let fault = |reason: io::Error| ToolError::NotWatched { reason };
        while !self.has_changes().map_err(fault)? {
            self.sleep().map_err(fault)?;
        }
        loop {
            std::thread::sleep(QUIET);
            if !self.has_changes().map_err(fault)? {
                return Ok(());
            }
        }
    }

    /// Sleeps until there is something to read.
    fn sleep(&self) -> io::Result<()> {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use std::os::fd::AsFd as _;
        let mut descriptors = [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)];
        match poll(&mut descriptors, PollTimeout::NONE) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads all that was noticed; whether any of it counts.
    fn has_changes(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut found = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event
                        .file_name()
                        .map(|name| OsStr::from_bytes(name.to_bytes()));
                    found |= name.is_none_or(|name| self.counts(name));
                }
                Err(Errno::WOULDBLOCK) => return Ok(found),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Editors and this tool begin the names of temporary files with a dot.
    fn counts(&self, name: &OsStr) -> bool {
        !name.as_bytes().starts_with(b".") && !self.ignored.contains(name)
    }
}

fn folders(
    paths: &[PathBuf],
    suite: &Suite,
    replacements: &BTreeMap<String, PathBuf>,
) -> BTreeSet<PathBuf> {
    let mut folders: BTreeSet<PathBuf> = { replacements.values() }
        .map(|path| folder_of(path))
        .collect();
    folders.extend(paths.iter().filter(|path| path.is_dir()).cloned());
    let mut seen = BTreeSet::new();
    let mut left: Vec<PathBuf> = suite.files().map(Path::to_owned).collect();
    while let Some(file) = left.pop() {
        if !seen.insert(file.clone()) {
            continue;
        }
        folders.insert(folder_of(&file));
        for named in named_files(&file, replacements) {
            folders.insert(folder_of(&named));
            // A scenario can include the steps of another file.
            if named
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                left.push(named);
            }
        }
    }
    folders
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The files that a scenario names: in values behind `file:`, and as strings that end in `.json`. A file that can't be read
/// names none.
fn named_files(file: &Path, replacements: &BTreeMap<String, PathBuf>) -> Vec<PathBuf> {
    let is_small = std::fs::metadata(file).is_ok_and(|found| found.len() <= LARGEST_SCENARIO_BYTES);
    let contents = is_small.then(|| std::fs::read(file).ok()).flatten();
    let contents = contents.unwrap_or_default();
    let mut files = Files::new(replacements);
    files.set_context(file);
    let strings = contents.split(|byte| *byte == b'"');
    let names = strings.filter_map(|string| {
        let behind = memchr::memmem::find(string, b"file:").map(|at| &string[at + 5..]);
        behind.or(string.ends_with(b".json").then_some(string))
    });
    names.map(|name| files.resolve(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn scenario(folder: &Path) -> (PathBuf, Suite) {
        std::fs::create_dir_all(folder.join("scenarios")).expect("made");
        std::fs::create_dir_all(folder.join("contracts")).expect("made");
        let file = folder.join("scenarios/a.scen.json");
        let text = r#"{"steps": [{"step": "externalSteps", "path": "../more/b.steps.json"}, "file:../contracts/c.wasm"]}"#;
        std::fs::write(&file, text).expect("written");
        let suite = Suite::find(std::slice::from_ref(&file)).expect("there");
        (file, suite)
    }

    #[test]
    fn folders_are_those_of_all_files_that_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, suite) = scenario(folder.path());
        let replacements = BTreeMap::from([("x".to_owned(), PathBuf::from("y.wasm"))]);
        let found = folders(&[file], &suite, &replacements);
        let expected = ["contracts", "more", "scenarios"].map(|name| folder.path().join(name));
        assert_eq!(
            found,
            expected.into_iter().chain([PathBuf::from(".")]).collect()
        );
    }

    #[test]
    fn changes_are_noticed_and_files_of_our_own_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, suite) = scenario(folder.path());
        let junit = folder.path().join("scenarios/report.xml");
        let watch = Watch::new(
            &[file],
            &suite,
            &BTreeMap::new(),
            std::slice::from_ref(&junit),
        )
        .expect("watched");
        std::fs::write(&junit, "x").expect("written");
        std::fs::write(folder.path().join("scenarios/.x.new"), "x").expect("written");
        assert!(!watch.has_changes().expect("readable"));
        let (noticed, changes) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || noticed.send(watch.wait().is_ok()).expect("a receiver"));
            assert!(changes.recv_timeout(Duration::from_millis(200)).is_err());
            std::fs::write(folder.path().join("contracts/c.wat"), "(module)").expect("written");
            assert_eq!(changes.recv_timeout(Duration::from_secs(20)), Ok(true));
        });
    }
}
