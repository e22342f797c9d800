//! What a child inherits: its ends of the pipes as descriptors 3 to 7, and nothing else (spec wire.md 1).
//!
//! The only unsafe code of the driver.

use crate::transport::descriptors::ChildPipe;
use nix::libc;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

/// The first descriptor that the child must not have.
const END: RawFd = ChildPipe::LogToNode as RawFd + 1;

/// Starts the command with `ends`, in the order of [`ChildPipe::ALL`]; the parent's copies are closed. All descriptors
/// but standard input, output and error are closed in the child.
pub(super) fn spawn(mut command: Command, ends: [OwnedFd; 5]) -> io::Result<Child> {
    let descriptors = ends.each_ref().map(|end| end.as_raw_fd());
    // Command reports a failed exec through a pipe of its own, whose number must not be taken over for one of ours: it
    // is not, because the ten ends of our pipes are open and have the lowest numbers that were free.
    // SAFETY: between fork and exec only async-signal-safe functions are called, nothing is allocated and no lock taken.
    #[expect(
        unsafe_code,
        reason = "numbers of descriptors can only be set between fork and exec"
    )]
    unsafe {
        command.pre_exec(move || install(descriptors));
    }
    command.spawn()
}

/// In the child, between fork and exec: gives the descriptors the numbers 3 to 7, and marks all others to be closed.
fn install(descriptors: [RawFd; 5]) -> io::Result<()> {
    let mut safe = descriptors;
    for descriptor in &mut safe {
        // Away from the numbers that are about to be overwritten.
        // SAFETY: fcntl touches no memory.
        #[expect(unsafe_code, reason = "async-signal-safe system call")]
        let copy = unsafe { libc::fcntl(*descriptor, libc::F_DUPFD_CLOEXEC, END) };
        *descriptor = checked(copy)?;
    }
    for (pipe, descriptor) in ChildPipe::ALL.into_iter().zip(safe) {
        // The copy that dup2 makes is not closed on exec.
        // SAFETY: dup2 touches no memory; what had the number belongs to the child alone.
        #[expect(unsafe_code, reason = "async-signal-safe system call")]
        let copy = unsafe { libc::dup2(descriptor, pipe.descriptor()) };
        checked(copy)?;
    }
    close_the_rest_on_exec()
}

/// Marks every descriptor from [`END`] on, also those that the node has opened without a mark.
fn close_the_rest_on_exec() -> io::Result<()> {
    // SAFETY: close_range touches no memory.
    #[expect(unsafe_code, reason = "async-signal-safe system call")]
    let marked = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            END,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if marked == 0 {
        return Ok(());
    }
    // Before Linux 5.11: one by one.
    // SAFETY: sysconf and fcntl touch no memory; a number that is not open is refused.
    #[expect(unsafe_code, reason = "async-signal-safe system calls")]
    unsafe {
        let limit = RawFd::try_from(libc::sysconf(libc::_SC_OPEN_MAX)).unwrap_or(RawFd::MAX);
        for number in END..limit {
            libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    Ok(())
}

fn checked(result: RawFd) -> io::Result<RawFd> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}
