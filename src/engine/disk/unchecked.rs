//! Unsafe calls of the system: who the user is, and mapping a file.

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// The user that this process acts for.
pub(super) fn user() -> u32 {
    // SAFETY: takes nothing, writes nothing, and never fails.
    #[expect(
        unsafe_code,
        reason = "nix has it behind a feature that would compile wasmer again"
    )]
    unsafe {
        nix::libc::geteuid()
    }
}

/// Maps a file into memory.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the bytes must not change. The file belongs to this user and no other user may write to it, and this program
    // changes no file after the rename that has made it visible. If the user does so by hand meanwhile, reading may get
    // other bytes or end the process by SIGBUS: only the user can do that, who could as well kill the process.
    #[expect(unsafe_code, reason = "maps a file")]
    unsafe {
        Mmap::map(file)
    }
}
