//! What a refused system call does: it fails with `EPERM`, and its name is written to stderr.
//!
//! The filter raises `SIGSYS` in the thread that made the call. The handler may do hardly anything: it writes, and it changes the
//! registers that the call returns with.

#![expect(unsafe_code, reason = "a signal handler that changes registers")]

use super::system_calls::name;
use nix::libc::{self, c_int, c_long, c_void, siginfo_t};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::io::Write as _;

/// Puts the handler in place.
pub fn handle() -> nix::Result<()> {
    let handler = SigHandler::SigAction(refuse);
    // On the stack for signals, where a thread has one: that of a contract may be full.
    let flags = SaFlags::SA_ONSTACK | SaFlags::SA_NODEFER;
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the handler only calls write, and only touches what it was given.
    unsafe { sigaction(Signal::SIGSYS, &action) }.map(drop)
}

extern "C" fn refuse(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel gives a handler with SA_SIGINFO both, valid for the time of the call.
    let number = unsafe { system_call(info) };
    let mut text = [0; 96];
    let room = text.len();
    let mut rest = &mut text[..];
    let _ = writeln!(
        rest,
        "the sandbox refused the system call {} ({number})",
        name(number)
    );
    let length = room - rest.len();
    // SAFETY: the bytes are there; a failure to write them changes nothing. The context is that of the refused call.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), length);
        set_result(context.cast(), -c_long::from(libc::EPERM));
    }
}

/// The head of `siginfo_t` as it is for `SIGSYS`; libc does not name these fields.
#[repr(C)]
struct SystemCallInfo {
    _signal: c_int,
    _error: c_int,
    _code: c_int,
    _call_address: *const c_void,
    system_call: c_int,
}

unsafe fn system_call(info: *const siginfo_t) -> c_long {
    // SAFETY: the caller has a signal SIGSYS, whose information begins so.
    unsafe { (*info.cast::<SystemCallInfo>()).system_call.into() }
}

#[cfg(target_arch = "x86_64")]
unsafe fn set_result(context: *mut libc::ucontext_t, result: c_long) {
    // SAFETY: the caller gives the context of a signal handler.
    unsafe { (*context).uc_mcontext.gregs[libc::REG_RAX as usize] = result }
}

#[cfg(target_arch = "aarch64")]
unsafe fn set_result(context: *mut libc::ucontext_t, result: c_long) {
    // SAFETY: the caller gives the context of a signal handler.
    unsafe { (*context).uc_mcontext.regs[0] = result as u64 }
}
