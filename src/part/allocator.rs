//! The allocator of the programs: the system's, but for what happens when there is no memory.
//!
//! Rust's way is SIGABRT, which a node can't tell from a bug, and a deadlock if a backtrace was just being printed. This one
//! says why on stderr, and ends with an exit code of its own. No result of a contract can come of it.

use crate::transport::exit_codes;
use nix::libc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;

/// The system's allocator, which ends the process when it has no memory.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExitingAllocator;

// SAFETY: every call goes to the system's allocator as it is, and so does every answer, but null.
#[expect(unsafe_code, reason = "an allocator")]
unsafe impl GlobalAlloc for ExitingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the system's allocator asks for.
        unless_null(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unless_null(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unless_null(unsafe { System.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[inline]
fn unless_null(block: *mut u8, bytes: usize) -> *mut u8 {
    if block.is_null() {
        out_of_memory(bytes);
    }
    block
}

#[cold]
fn out_of_memory(bytes: usize) -> ! {
    // Nothing here may allocate, or run what others have registered for the end of the process.
    let mut text = [0; 128];
    let room = text.len();
    let mut rest = &mut text[..];
    let _ = writeln!(
        rest,
        "critical error: the machine failed: no memory for {bytes} bytes"
    );
    let length = room - rest.len();
    // SAFETY: the bytes are there; a failure to write them changes nothing.
    #[expect(unsafe_code, reason = "writes without a lock, ends without handlers")]
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), length);
        libc::_exit(exit_codes::MACHINE_FAILED.into());
    }
}
