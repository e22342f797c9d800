//! Starts a child as another user, in a fork of the node: `posix_spawn` can't change the user. The kernel copies the node's page
//! tables for it, which takes 0.2 s for a node of 8 GiB. So the child has the user's rights and no others from its first
//! instruction on.

use super::limits::User;
use nix::libc;
use nix::sys::signal::SigSet;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The child's descriptors end below.
const FIRST_FREE: RawFd = 8;

/// Descriptors in all numbers below those of `pipes` that are free, so that the pipe by which the library hears of a failed exec
/// is not overwritten.
fn filled() -> io::Result<Vec<OwnedFd>> {
    let mut filled = Vec::new();
    loop {
        let descriptor = OwnedFd::from(File::open("/dev/null")?);
        if descriptor.as_raw_fd() >= FIRST_FREE {
            return Ok(filled);
        }
        filled.push(descriptor);
    }
}

/// Starts a program as this user, with `outputs` as standard output and error, and `pipes` as descriptors 3 and up. `others` are
/// closed when it runs. Returns its process id.
pub(super) fn spawn(
    path: &Path,
    user: User,
    variables: BTreeMap<OsString, OsString>,
    [stdout, stderr]: [OwnedFd; 2],
    pipes: Vec<OwnedFd>,
    others: Vec<RawFd>,
) -> io::Result<u32> {
    // A name without a folder would be looked for in PATH.
    let mut command = Command::new(Path::new(".").join(path));
    command
        .arg0(path)
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .gid(user.gid)
        // Also drops all other groups.
        .uid(user.uid);
    let place = move || {
        for (pipe, number) in pipes.iter().zip(3..) {
            // SAFETY: the numbers are of open descriptors above those that are overwritten; in the fork nothing uses these.
            #[expect(unsafe_code, reason = "the C library's function")]
            let placed = unsafe { libc::dup2(pipe.as_raw_fd(), number) };
            nix::errno::Errno::result(placed)?;
        }
        for number in &others {
            // Refused is a number that was closed since.
            // SAFETY: sets a flag of a descriptor, which closes it in the program that follows only.
            #[expect(unsafe_code, reason = "the C library's function")]
            let _ = unsafe { libc::fcntl(*number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
        Ok(SigSet::empty().thread_set_mask()?)
    };
    // SAFETY: between fork and exec it calls dup2, fcntl and pthread_sigmask only, which are async-signal-safe; it allocates and
    // frees nothing.
    #[expect(unsafe_code, reason = "what it may call is not known to the function")]
    unsafe {
        command.pre_exec(place);
    }
    let _filled = filled()?;
    Ok(command.spawn()?.id())
}
