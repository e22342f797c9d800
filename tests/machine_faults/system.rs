//! Calls of the system that fail when a test says so: what this binary defines under these names is what wasmer and its
//! crates call. The C library's own calls, those of `malloc` and of threads, are not among them.

use nix::libc::{self, c_int, c_long, c_void, off_t, size_t};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static FIRST: AtomicU64 = AtomicU64::new(0);
static LAST: AtomicU64 = AtomicU64::new(0);

/// Counts the calls that `run` makes, and fails those from the `first` to the `last`, both counted from 1. Returns how many
/// there were, and what `run` returns.
pub fn failing<T>(first: u64, last: u64, run: impl FnOnce() -> T) -> (u64, T) {
    CALLS.store(0, Ordering::SeqCst);
    FIRST.store(first, Ordering::SeqCst);
    LAST.store(last, Ordering::SeqCst);
    IS_ARMED.store(true, Ordering::SeqCst);
    let result = run();
    IS_ARMED.store(false, Ordering::SeqCst);
    (CALLS.load(Ordering::SeqCst), result)
}

/// The calls with which the standard library begins a thread (`stack_overflow::Handler::new`): it maps a stack for signals, and
/// protects the page below. Where one of them fails it panics, which ends the process.
const CALLS_OF_A_START: u8 = 2;

thread_local! {
    /// How many of those calls this thread has made.
    static STARTING: Cell<u8> = const { Cell::new(0) };
    /// Whether the last of them came before a call was to fail. Only what is older takes part: in other threads of the test
    /// program, or of a compiler, nothing else can fail.
    static IS_OLD: Cell<bool> = const { Cell::new(false) };
}

/// Whether the call at hand is to fail.
fn fails() -> bool {
    let is_armed = IS_ARMED.load(Ordering::SeqCst);
    if STARTING.get() < CALLS_OF_A_START {
        STARTING.set(STARTING.get() + 1);
        IS_OLD.set(!is_armed);
        return false;
    }
    if !is_armed || !IS_OLD.get() {
        return false;
    }
    let number = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    (FIRST.load(Ordering::SeqCst)..=LAST.load(Ordering::SeqCst)).contains(&number)
}

/// Answers as the C library does for a call that has no memory.
fn no_memory() -> c_int {
    nix::errno::Errno::ENOMEM.set();
    -1
}

// SAFETY of all of these: they do what the C library's functions of the same names do, with the same arguments: one call of the
// system. What they may be called with is for the caller to know, as with those.

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    if fails() {
        no_memory();
        return libc::MAP_FAILED;
    }
    let call = libc::SYS_mmap;
    // SAFETY: see above.
    let mapped = unsafe { libc::syscall(call, address, length, protection, flags, file, offset) };
    mapped as *mut c_void
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mmap64(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: off_t,
) -> *mut c_void {
    // SAFETY: see above.
    unsafe { mmap(address, length, protection, flags, file, offset) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mremap(
    address: *mut c_void,
    old_length: size_t,
    length: size_t,
    flags: c_int,
    new_address: *mut c_void,
) -> *mut c_void {
    if fails() {
        no_memory();
        return libc::MAP_FAILED;
    }
    let call = libc::SYS_mremap;
    // SAFETY: see above.
    let mapped = unsafe { libc::syscall(call, address, old_length, length, flags, new_address) };
    mapped as *mut c_void
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn mprotect(
    address: *mut c_void,
    length: size_t,
    protection: c_int,
) -> c_int {
    if fails() {
        return no_memory();
    }
    // SAFETY: see above.
    done(unsafe { libc::syscall(libc::SYS_mprotect, address, length, protection) })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn madvise(address: *mut c_void, length: size_t, advice: c_int) -> c_int {
    if fails() {
        return no_memory();
    }
    // SAFETY: see above.
    done(unsafe { libc::syscall(libc::SYS_madvise, address, length, advice) })
}

/// 0 or -1, with the reason where the C library has it.
fn done(answer: c_long) -> c_int {
    answer as c_int
}
