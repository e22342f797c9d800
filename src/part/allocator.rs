//! The global allocator of the programs: the system's allocator, with its own handling of failed allocations.
//!
//! By default Rust raises SIGABRT, which a node can't tell from a bug, and deadlocks if a backtrace is being printed.
//! This allocator writes the reason to stderr and exits with a code of its own. A contract never gets a result from a
//! failed allocation.

use crate::transport::exit_codes;
use nix::libc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;

/// The system's allocator, but a failed allocation ends the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExitingAllocator;

// SAFETY: every call goes to the system's allocator unchanged, and every result but null is returned unchanged.
#[expect(unsafe_code, reason = "an allocator")]
unsafe impl GlobalAlloc for ExitingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller upholds the contract of `GlobalAlloc`, which is the same.
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
    // Nothing here may allocate, or run exit handlers.
    let mut text = [0; 128];
    let room = text.len();
    let mut rest = &mut text[..];
    let _ = writeln!(
        rest,
        "critical error: the machine failed: no memory for {bytes} bytes"
    );
    let length = room - rest.len();
    // SAFETY: the pointer and length are those of a live buffer; the result of the write does not matter.
    #[expect(unsafe_code, reason = "writes without a lock, ends without handlers")]
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), length);
        libc::_exit(exit_codes::MACHINE_FAILED.into());
    }
}
