//! Compiled modules on disk: what one process has compiled, the next ones only load.
//!
//! A folder holds one file for each module, named after its key. Any doubt about the folder or a file is a miss, which
//! is counted and never an error. Two things guard what is loaded:
//!
//! * against accidents (torn, flipped and stale files): a checksum over the whole file, and the whole key inside it;
//! * against others: the folder and its files must belong to this user and be closed to all others. A process that
//!   can write as this user can run code as this user anyway.
//!
//! Several processes may use one folder: files appear whole, by a rename, and are never changed afterwards.

pub(crate) mod format;
mod unchecked;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use nix::fcntl::OFlag;
use thiserror::Error;

pub use self::format::StoredModule;
use self::format::{FormatError, Stored};
use super::{ImportTable, ModuleIdentity};

/// How long the note that a module can't be compiled is trusted: the cause may have been a lack of memory or time.
const NOTE_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Where compiled modules are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLimits {
    /// The folder. It is made if it is not there; if it is, it must be this user's and closed to all others.
    pub folder: PathBuf,
    /// Sum of the lengths of the files; when it is passed, the ones go that were not used for the longest time.
    pub bytes: u64,
}

impl DiskLimits {
    /// Makes the folder if it is not there, and says whether it can be used.
    ///
    /// # Errors
    ///
    /// It can't be made, is not a folder, or others could write into it.
    pub fn prepare(&self) -> Result<(), FolderError> {
        check_folder(&self.folder, unchecked::user())
    }
}

/// Counters of the files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskCounters {
    /// Modules that were loaded.
    pub hits: u64,
    /// Modules without a file.
    pub misses: u64,
    /// Files that were not trusted, or not what they should be.
    pub rejected: u64,
    /// Files written.
    pub written: u64,
    /// Files that could not be written.
    pub failed_writes: u64,
}

/// Why a folder is not used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It is not there and can't be made, or can't be looked at.
    #[error("{}: {reason}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// It is a file or a link.
    #[error("{} is no folder", .0.display())]
    NoFolder(PathBuf),
    /// Others could write into it.
    #[error("{} must belong to the user {user} with mode 700; it is {owner}'s with mode {mode:o}", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Who we are.
        user: u32,
        /// Whose it is.
        owner: u32,
        /// Its permissions.
        mode: u32,
    },
}

/// Why a file is not used.
#[derive(Debug, Error)]
enum Rejection {
    #[error("it can't be read: {0}")]
    Io(io::Error),
    #[error("it is no regular file")]
    NotRegular,
    #[error("it has {length} bytes, the whole folder may have {limit}")]
    TooLong { length: u64, limit: u64 },
    #[error("it belongs to the user {0}")]
    Foreign(u32),
    #[error("others may write to it: mode {0:o}")]
    Writable(u32),
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl From<io::Error> for Rejection {
    fn from(error: io::Error) -> Rejection {
        Rejection::Io(error)
    }
}

/// Modules on disk. Writes happen on a thread of its own; dropping the store waits for them.
pub struct ArtifactStore {
    folder: Arc<Folder>,
    writer: Mutex<Option<Writer>>,
}

struct Writer {
    queue: Sender<(ModuleIdentity, Stored)>,
    thread: JoinHandle<()>,
}

struct Folder {
    limits: DiskLimits,
    /// Identifies the compiler; files of another one are ignored.
    build: [u8; 32],
    user: u32,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    rejected: AtomicU64,
    written: AtomicU64,
    failed_writes: AtomicU64,
}

impl ArtifactStore {
    /// Opens the folder, and makes it if need be. `compiler` names all that compiled code depends on besides the module.
    pub fn open(limits: DiskLimits, compiler: &str) -> Result<Self, FolderError> {
        limits.prepare()?;
        let user = unchecked::user();
        Ok(Self {
            folder: Arc::new(Folder {
                limits,
                build: *blake3::hash(compiler.as_bytes()).as_bytes(),
                user,
                counters: Counters::default(),
            }),
            writer: Mutex::new(None),
        })
    }

    /// Loads the module, if its file is there and intact. `use_module` converts it, or says why it can't be used.
    pub fn load<T>(
        &self,
        identity: &ModuleIdentity,
        table: ImportTable,
        use_module: impl FnOnce(StoredModule) -> Result<T, String>,
    ) -> Option<T> {
        let folder = &self.folder;
        let path = folder.path(identity);
        let used = folder.read(&path, identity, table).and_then(|stored| {
            let Some(Stored::Module(module)) = stored else {
                return Ok(None);
            };
            let module = use_module(*module).map(Some);
            module.map_err(|reason| FormatError::Engine(reason).into())
        });
        let counter = match &used {
            Ok(Some(_)) => &folder.counters.hits,
            Ok(None) => &folder.counters.misses,
            Err(_) => &folder.counters.rejected,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        used.unwrap_or_else(|reason| {
            tracing::warn!(target: "arwen/engine", file = %path.display(), %reason, "compiled module rejected");
            None
        })
    }

    /// Queues the module to be written.
    pub fn store(&self, identity: ModuleIdentity, module: StoredModule) {
        self.write(identity, Stored::Module(Box::new(module)));
    }

    /// Queues a note that the module can't be compiled.
    pub fn give_up(&self, identity: ModuleIdentity, reason: &str) {
        self.write(identity, Stored::NotCompiled(reason.to_owned()));
    }

    /// Whether there is a recent note that the module can't be compiled.
    pub fn has_given_up(&self, identity: &ModuleIdentity, table: ImportTable) -> bool {
        let path = self.folder.path(identity);
        // What is not trusted has been told when it was to be loaded.
        let stored = self.folder.read(&path, identity, table).ok().flatten();
        matches!(stored, Some(Stored::NotCompiled(_)))
    }

    fn write(&self, identity: ModuleIdentity, stored: Stored) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.is_none() {
            *writer = Writer::start(Arc::clone(&self.folder));
        }
        let sent = match &*writer {
            Some(writer) => writer.queue.send((identity, stored)).is_ok(),
            None => false,
        };
        if !sent {
            self.folder
                .counters
                .failed_writes
                .fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counters of the files.
    pub fn counters(&self) -> DiskCounters {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.folder.counters;
        DiskCounters {
            hits: count(&counters.hits),
            misses: count(&counters.misses),
            rejected: count(&counters.rejected),
            written: count(&counters.written),
            failed_writes: count(&counters.failed_writes),
        }
    }
}

impl Drop for ArtifactStore {
    fn drop(&mut self) {
        let writer = self
            .writer
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(Writer { queue, thread }) = writer.take() {
            drop(queue);
            // A panic has been reported by its thread; all that is lost are files.
            let _ = thread.join();
        }
    }
}

impl Writer {
    fn start(folder: Arc<Folder>) -> Option<Writer> {
        let (queue, waiting): (_, Receiver<(ModuleIdentity, Stored)>) = mpsc::channel();
        let thread = thread::Builder::new().name("artifacts".to_owned());
        let thread = thread.spawn(move || {
            for (identity, stored) in waiting {
                folder.write_counted(&identity, &stored);
            }
        });
        let thread = thread.ok()?;
        Some(Writer { queue, thread })
    }
}

/// A folder that only this user can change, made if need be.
fn check_folder(path: &Path, user: u32) -> Result<(), FolderError> {
    let with_path = |reason| FolderError::Io {
        path: path.to_owned(),
        reason,
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(with_path)?;
    let metadata = fs::symlink_metadata(path).map_err(with_path)?;
    if !metadata.is_dir() {
        return Err(FolderError::NoFolder(path.to_owned()));
    }
    let mode = metadata.mode() & 0o777;
    if metadata.uid() != user || mode & 0o077 != 0 {
        return Err(FolderError::Open {
            path: path.to_owned(),
            user,
            owner: metadata.uid(),
            mode,
        });
    }
    Ok(())
}

impl Folder {
    /// Named after everything that the machine code depends on, so that other builds keep files of their own.
    fn path(&self, identity: &ModuleIdentity) -> PathBuf {
        let name = blake3::hash(&self.key(identity)).to_hex();
        self.limits.folder.join(name.as_str())
    }

    fn key(&self, identity: &ModuleIdentity) -> [u8; format::KEY_BYTES] {
        let mut key = [0; format::KEY_BYTES];
        key[..32].copy_from_slice(&identity.code_hash);
        key[32..64].copy_from_slice(&identity.rules_hash);
        key[64..].copy_from_slice(&self.build);
        key
    }

    /// What the file holds; none if there is no file, or an old note.
    fn read(
        &self,
        path: &Path,
        identity: &ModuleIdentity,
        table: ImportTable,
    ) -> Result<Option<Stored>, Rejection> {
        // Not blocking: another process may have put a pipe there.
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let mut options = OpenOptions::new();
        let file = match options.read(true).custom_flags(flags.bits()).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        self.check_file(&file)?;
        let bytes = self.content(&file)?;
        let stored = format::decode(bytes, &self.key(identity), table)?;
        if let Stored::NotCompiled(_) = stored {
            let age = file.metadata()?.modified()?.elapsed();
            // One from the future was written before the clock was set.
            return Ok(age.is_ok_and(|age| age < NOTE_AGE).then_some(stored));
        }
        // Only the order in which files are removed depends on it.
        let _ = file.set_modified(SystemTime::now());
        Ok(Some(stored))
    }

    /// All bytes, as a copy: those of a mapped file could change after the checksum was compared, and a file that is cut off
    /// meanwhile would end the process.
    fn content(&self, file: &File) -> Result<Bytes, Rejection> {
        let length = file.metadata()?.len();
        if length > self.limits.bytes {
            return Err(Rejection::TooLong {
                length,
                limit: self.limits.bytes,
            });
        }
        let mut bytes = Vec::new();
        let reserved = bytes.try_reserve_exact(length as usize);
        reserved.map_err(io::Error::from)?;
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    fn check_file(&self, file: &File) -> Result<(), Rejection> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Rejection::NotRegular);
        }
        if metadata.uid() != self.user {
            return Err(Rejection::Foreign(metadata.uid()));
        }
        if metadata.mode() & 0o022 != 0 {
            return Err(Rejection::Writable(metadata.mode() & 0o777));
        }
        Ok(())
    }

    fn write_counted(&self, identity: &ModuleIdentity, stored: &Stored) {
        let counters = &self.counters;
        match self.write(identity, stored) {
            Ok(()) => counters.written.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(target: "arwen/engine", %error, "compiled module not written");
                counters.failed_writes.fetch_add(1, Ordering::Relaxed)
            }
        };
    }

    /// Not flushed to the disk: what a power cut tears, the checksum finds.
    fn write(&self, identity: &ModuleIdentity, stored: &Stored) -> io::Result<()> {
        let folder = &self.limits.folder;
        let mut file = tempfile::Builder::new()
            .prefix(".writing-")
            .tempfile_in(folder)?;
        for part in format::encode(stored, &self.key(identity)) {
            file.write_all(&part)?;
        }
        file.persist(self.path(identity))?;
        self.prune()
    }

    /// Removes what was not used for the longest time, until the rest is small enough. What a killed process has left
    /// half-written ages like everything else. Other processes may do the same meanwhile.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.limits.folder)? {
            let entry = entry?;
            if let Ok(metadata) = entry.metadata()
                && metadata.is_file()
            {
                files.push((metadata.modified()?, metadata.len(), entry.path()));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in files {
            if bytes <= self.limits.bytes {
                break;
            }
            // Who has it open keeps it; who has removed it already has done our work.
            let _ = fs::remove_file(path);
            bytes -= length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
