//! Where worlds are: a folder with a file for each, and whose turn it is to change one.

use super::file;
use super::state::State;
use crate::tool::{ToolError, atomic};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a command waits for another one that changes the same world.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(20);

/// A folder of worlds, arranged like that of the reference's tool: `worlds/NAME.json`, and outcomes in `out/NAME.json`.
#[derive(Debug, Clone)]
pub struct Database {
    folder: PathBuf,
    patience: Duration,
}

impl Database {
    /// The database in a folder, which need not be there yet.
    pub fn new(folder: &Path) -> Database {
        Database {
            folder: folder.to_owned(),
            patience: PATIENCE,
        }
    }

    /// The names of the worlds, sorted.
    pub fn worlds(&self) -> Result<Vec<String>, ToolError> {
        let folder = self.folder.join("worlds");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let entries = entries.map_err(|reason| ToolError::unreadable(&folder, reason))?;
        let names = entries.into_iter().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let name = name.strip_suffix(".json")?;
            (!name.starts_with('.')).then(|| name.to_owned())
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        Ok(names)
    }

    /// The file of a world.
    pub fn world_file(&self, name: &str) -> Result<PathBuf, ToolError> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            return Err(ToolError::WorldName(name.to_owned()));
        }
        Ok(self.folder.join("worlds").join(format!("{name}.json")))
    }

    /// The file of an outcome: for a name one below the database, as in the reference's tool; a path as it is.
    pub fn outcome_file(&self, outcome: &str) -> PathBuf {
        match self.outcome_folder(outcome) {
            None => PathBuf::from(outcome),
            Some(folder) => folder.join(format!("{outcome}.json")),
        }
    }

    /// The folder of an outcome that has only a name.
    pub fn outcome_folder(&self, outcome: &str) -> Option<PathBuf> {
        let is_path = outcome.contains('/') || outcome.ends_with(".json");
        (!is_path).then(|| self.folder.join("out"))
    }

    /// Reads a world, for a command that does not change it: it needs no turn, because files are replaced as a whole.
    pub fn load(&self, name: &str) -> Result<State, ToolError> {
        let path = self.world_file(name)?;
        read(&path)?.ok_or_else(|| ToolError::NoWorld {
            name: name.to_owned(),
            path,
        })
    }

    /// Waits for the turn to change a world, and reads it; a world that is not there is empty.
    pub fn lock(&self, name: &str) -> Result<Locked, ToolError> {
        let path = self.world_file(name)?;
        let lock = path.with_extension("lock");
        let folder = self.folder.join("worlds");
        let unwritable = |path: &Path, reason| ToolError::Unwritable {
            path: path.to_owned(),
            reason,
        };
        fs::create_dir_all(&folder).map_err(|reason| unwritable(&folder, reason))?;
        let options = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock);
        let mut file = options.map_err(|reason| unwritable(&lock, reason))?;
        let deadline = Instant::now() + self.patience;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    let _ = file.read_to_string(&mut holder);
                    return Err(ToolError::WorldLocked {
                        name: name.to_owned(),
                        holder: holder.trim().to_owned(),
                        seconds: self.patience.as_secs(),
                    });
                }
                Err(TryLockError::Error(reason)) => return Err(unwritable(&lock, reason)),
            }
        }
        // For the message above; nothing depends on it.
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = write!(file, "{}", std::process::id());
        remove_leftovers(&folder, name);
        let state = read(&path)?;
        Ok(Locked {
            is_new: state.is_none(),
            state: state.unwrap_or_default(),
            path,
            _lock: file,
        })
    }
}

/// A world that no other command changes meanwhile. The kernel takes the lock back when the process ends, however it does.
#[derive(Debug)]
pub struct Locked {
    /// The world.
    pub state: State,
    /// Whether there is no file yet.
    pub is_new: bool,
    path: PathBuf,
    _lock: File,
}

impl Locked {
    /// Replaces the file with the world as it is now.
    pub fn save(&self) -> Result<(), ToolError> {
        let text = file::write(&self.state)?;
        atomic::write(&self.path, &text).map_err(|reason| ToolError::Unwritable {
            path: self.path.clone(),
            reason,
        })
    }
}

/// Removes what a process left that was killed while it wrote the world, whose turn is over.
fn remove_leftovers(folder: &Path, name: &str) {
    let prefix = format!(".{name}.json.");
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let file = file.to_string_lossy();
        let process = file.strip_prefix(&prefix);
        let process = process.and_then(|rest| rest.strip_suffix(".new"));
        if process.is_some_and(|process| process.bytes().all(|byte| byte.is_ascii_digit())) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// None if there is no file.
fn read(path: &Path) -> Result<Option<State>, ToolError> {
    let contents = match fs::read(path) {
        Ok(contents) => contents,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(reason) => return Err(ToolError::unreadable(path, reason)),
    };
    if file::is_of_reference(&contents) {
        return Err(ToolError::WorldOfReference {
            path: path.to_owned(),
        });
    }
    let state = file::read(&contents, path).map_err(|reason| ToolError::WorldDamaged { reason })?;
    Ok(Some(state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Account;

    #[test]
    fn a_world_that_was_saved_is_loaded() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Database::new(&folder.path().join("db"));
        assert!(database.worlds().expect("none").is_empty());
        assert!(matches!(database.load("w"), Err(ToolError::NoWorld { .. })));
        let mut world = database.lock("w").expect("free");
        assert!(world.is_new);
        let accounts = &mut world.state.world.accounts;
        accounts.insert(vec![1; 32].into(), Account::default());
        // Nothing is there before it is saved.
        assert!(database.load("w").is_err());
        world.save().expect("saved");
        assert_eq!(database.load("w").expect("there").world.accounts.len(), 1);
        assert_eq!(database.worlds().expect("one"), ["w"]);
        drop(world);
        assert!(!database.lock("w").expect("free").is_new);
    }

    #[test]
    fn two_do_not_change_a_world_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut database = Database::new(folder.path());
        let first = database.lock("w").expect("free");
        database.patience = Duration::ZERO;
        let error = database.lock("w").expect_err("locked").to_string();
        assert!(
            error.contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        database.lock("other").expect("free");
        drop(first);
        database.lock("w").expect("free");
    }

    #[test]
    fn names_of_worlds_are_names_of_files() {
        let database = Database::new(Path::new("db"));
        for name in ["", ".", "..", ".x", "a/b", "a\0"] {
            assert!(database.world_file(name).is_err(), "{name:?}");
        }
        assert_eq!(
            database.world_file("a b").expect("a name"),
            Path::new("db/worlds/a b.json")
        );
        assert_eq!(database.outcome_file("a"), Path::new("db/out/a.json"));
        assert_eq!(database.outcome_file("a.json"), Path::new("a.json"));
        assert_eq!(database.outcome_file("./a"), Path::new("./a"));
    }
}
