//! Resource limits, the environment, and the check for threads.

use super::layer::LayerError;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::unix::fs::MetadataExt as _;

/// Descriptors that a child needs: three streams, five pipes, a few of its own, and one while a module is loaded or stored.
const DESCRIPTORS: u64 = 128;

/// Lowers the soft and hard limits that a child never reaches.
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

/// Lowers the soft and hard limit of addresses.
pub fn lower_addresses(bytes: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_AS)?;
    let most = bytes.min(hard);
    setrlimit(Resource::RLIMIT_AS, most, most)
}

/// Removes all environment variables but those for panic messages and backtraces.
pub fn clear_environment() -> Result<String, LayerError> {
    const KEPT: [&str; 1] = ["RUST_BACKTRACE"];
    let names: Vec<_> = std::env::vars_os().map(|(name, _)| name).collect();
    for name in names {
        if KEPT.iter().any(|kept| name == *kept) {
            continue;
        }
        // SAFETY: the caller has checked that there is no other thread, which could read the environment meanwhile.
        #[expect(unsafe_code, reason = "threads could read the environment meanwhile")]
        unsafe {
            std::env::remove_var(name);
        }
    }
    Ok(String::new())
}

/// Fails if there is more than one thread: a layer restricts only this thread and those started after it.
pub fn check_threads() -> Result<(), LayerError> {
    match threads() {
        // Unknown without /proc. The program calls this before it starts any thread.
        None | Some(1) => Ok(()),
        Some(threads) => Err(LayerError::Threads(threads)),
    }
}

/// The number of threads, from the link count of their folder in /proc: two for the folder itself, one for each thread.
/// Landlock allows stat on a folder that it does not allow to open.
fn threads() -> Option<usize> {
    let folder = std::fs::metadata("/proc/self/task").ok()?;
    usize::try_from(folder.nlink()).ok()?.checked_sub(2)
}
