//! What the process is left of its limits, its environment and its threads.

use super::layer::LayerError;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::unix::fs::MetadataExt as _;

/// Descriptors that a child needs: three streams, five pipes, a few of its own, and one while a module is loaded or stored.
const DESCRIPTORS: u64 = 128;

/// Lowers what a child never uses up, soft and hard.
pub fn lower() -> Result<String, LayerError> {
    let limits = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NOFILE, DESCRIPTORS),
    ];
    for (resource, most) in limits {
        let (_, hard) = getrlimit(resource)?;
        let most = most.min(hard);
        setrlimit(resource, most, most)?;
    }
    Ok(String::new())
}

/// Removes all variables but those that say how a panic is told.
pub fn clear_environment() -> Result<String, LayerError> {
    const KEPT: [&str; 1] = ["RUST_BACKTRACE"];
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in names {
        if KEPT.iter().any(|kept| name == *kept) {
            continue;
        }
        // SAFETY: the caller has seen that there is no other thread, which could read the environment meanwhile.
        #[expect(unsafe_code, reason = "threads could read the environment meanwhile")]
        unsafe {
            std::env::remove_var(name);
        }
    }
    Ok(String::new())
}

/// Fails if there is more than one thread: a layer binds those alone that are started after it.
pub fn check_threads() -> Result<(), LayerError> {
    match threads() {
        // Where there is no /proc it can't be known; the program calls this first of all.
        None | Some(1) => Ok(()),
        Some(threads) => Err(LayerError::Threads(threads)),
    }
}

/// The link count of the folder of threads: two for the folder itself, and one for each of them. Landlock does not refuse to
/// look at a folder that it refuses to open.
fn threads() -> Option<usize> {
    let folder = std::fs::metadata("/proc/self/task").ok()?;
    usize::try_from(folder.nlink()).ok()?.checked_sub(2)
}
