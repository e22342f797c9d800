//! Allocations that fail when a test says so: what this binary defines under these names is what Rust's allocator, wasmer and the
//! C library's parts call.
//!
//! A program ends where an allocation of Rust fails, so that failure is tried in a copy of the process. The copy is made inside
//! the allocation that is to fail: nothing that came before it has to be run again. A copy has one thread, so only what the
//! thread of the requests allocates can fail in one, or what ends at once. The C library's own allocations fail in the process.

use arwen::internal::part::allocator::ExitingAllocator;
use nix::libc::{self, c_int, c_void, size_t};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};

/// Seconds that a copy may go on, in case that it waits for a thread that it does not have.
const LONGEST_COPY: u32 = 10;

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static IS_COPY: AtomicBool = AtomicBool::new(false);
static STRIDE: AtomicU64 = AtomicU64::new(0);
static FAILING_OF_C: AtomicU64 = AtomicU64::new(0);
static NO_OUTPUT: AtomicI32 = AtomicI32::new(-1);

/// How the copies ended in which an allocation failed.
#[derive(Debug)]
pub struct Copies {
    pub made: AtomicU64,
    /// Exit code 4, of the allocator of the programs.
    pub exits: AtomicU64,
    /// The request ended with the output of a run without failures, or as one that the machine can't run.
    pub same: AtomicU64,
    /// It ended with another output, or by a signal.
    pub differences: AtomicU64,
}

pub static COPIES: Copies = Copies {
    made: AtomicU64::new(0),
    exits: AtomicU64::new(0),
    same: AtomicU64::new(0),
    differences: AtomicU64::new(0),
};

/// Allocations that Rust made while `failing` ran.
pub static OF_RUST: AtomicU64 = AtomicU64::new(0);
/// Those that the C library made.
pub static OF_C: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether the allocation at hand is made by Rust's allocator.
    static IS_OF_RUST: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread is making a copy.
    static IS_COPYING: Cell<bool> = const { Cell::new(false) };
}

/// Which allocations fail.
#[derive(Debug, Clone, Copy)]
pub enum Failing {
    /// One in so many of Rust's, each in a copy.
    OfRust { stride: u64 },
    /// The one of the C library with this number, counted from 1 over all runs, in this process.
    OfC { number: u64 },
}

/// Fails allocations that `run` makes, in whichever thread.
pub fn failing<T>(which: Failing, run: impl FnOnce() -> T) -> T {
    let (stride, number) = match which {
        Failing::OfRust { stride } => (stride, 0),
        Failing::OfC { number } => (0, number),
    };
    STRIDE.store(stride, SeqCst);
    FAILING_OF_C.store(number, SeqCst);
    IS_ARMED.store(true, SeqCst);
    let result = run();
    IS_ARMED.store(false, SeqCst);
    result
}

/// Where copies write what they would say on stderr.
pub fn silence(no_output: c_int) {
    NO_OUTPUT.store(no_output, SeqCst);
}

/// Ends this process if it is a copy, and says whether the output was the right one.
pub fn end_of_copy(is_same: bool) {
    if IS_COPY.load(SeqCst) {
        // SAFETY: ends the process, without what others have registered for its end.
        unsafe { libc::_exit(if is_same { 0 } else { 1 }) }
    }
}

/// Whether the allocation at hand is to fail.
fn fails() -> bool {
    if !IS_ARMED.load(SeqCst) || IS_COPYING.get() {
        return false;
    }
    if !IS_OF_RUST.get() {
        return OF_C.fetch_add(1, SeqCst) + 1 == FAILING_OF_C.load(SeqCst);
    }
    let number = OF_RUST.fetch_add(1, SeqCst);
    let stride = STRIDE.load(SeqCst);
    stride != 0 && number.is_multiple_of(stride) && is_in_copy()
}

/// Makes a copy, and waits for its end. Returns true in the copy.
fn is_in_copy() -> bool {
    IS_COPYING.set(true);
    // SAFETY: the copy goes on with this thread alone; what it waits for in vain is ended by the alarm.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        IS_ARMED.store(false, SeqCst);
        IS_COPY.store(true, SeqCst);
        // SAFETY: descriptors are numbers, and an alarm ends this process.
        unsafe {
            libc::dup2(NO_OUTPUT.load(SeqCst), libc::STDERR_FILENO);
            libc::alarm(LONGEST_COPY);
        }
        return true;
    }
    COPIES.made.fetch_add(1, SeqCst);
    let mut status = 0;
    // SAFETY: the status is there, and the copy is a child of this process.
    let waited = unsafe { libc::waitpid(copy, &mut status, 0) };
    let has_exited = waited == copy && libc::WIFEXITED(status);
    let end = match has_exited.then(|| libc::WEXITSTATUS(status)) {
        Some(4) => &COPIES.exits,
        Some(0) => &COPIES.same,
        _ => &COPIES.differences,
    };
    end.fetch_add(1, SeqCst);
    IS_COPYING.set(false);
    false
}

/// The allocator of the programs; it tells this module whose allocation one is.
struct Telling;

#[global_allocator]
static ALLOCATOR: Telling = Telling;

fn of_rust<T>(allocate: impl FnOnce() -> T) -> T {
    IS_OF_RUST.set(true);
    let result = allocate();
    IS_OF_RUST.set(false);
    result
}

// SAFETY: every call goes to the other allocator as it is, and so does every answer.
unsafe impl GlobalAlloc for Telling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises what the other allocator asks for.
        of_rust(|| unsafe { ExitingAllocator.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        of_rust(|| unsafe { ExitingAllocator.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        of_rust(|| unsafe { ExitingAllocator.realloc(block, layout, size) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { ExitingAllocator.dealloc(block, layout) }
    }
}

// The C library's own names for its functions.
unsafe extern "C" {
    fn __libc_malloc(size: size_t) -> *mut c_void;
    fn __libc_calloc(count: size_t, size: size_t) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: size_t) -> *mut c_void;
    fn __libc_memalign(alignment: size_t, size: size_t) -> *mut c_void;
}

fn no_memory() -> *mut c_void {
    nix::errno::Errno::ENOMEM.set();
    std::ptr::null_mut()
}

// SAFETY of all of these: they do what the C library's functions of the same names do, with the same arguments. What they may be
// called with is for the caller to know, as with those.

#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    if fails() {
        return no_memory();
    }
    // SAFETY: see above.
    unsafe { __libc_malloc(size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    if fails() {
        return no_memory();
    }
    // SAFETY: see above.
    unsafe { __libc_calloc(count, size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(block: *mut c_void, size: size_t) -> *mut c_void {
    if fails() {
        return no_memory();
    }
    // SAFETY: see above.
    unsafe { __libc_realloc(block, size) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(
    block: *mut *mut c_void,
    alignment: size_t,
    size: size_t,
) -> c_int {
    if fails() {
        return libc::ENOMEM;
    }
    // SAFETY: see above; the caller's pointer is there.
    unsafe {
        let allocated = __libc_memalign(alignment, size);
        if allocated.is_null() {
            return libc::ENOMEM;
        }
        *block = allocated;
    }
    0
}
