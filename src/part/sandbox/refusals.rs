//! What a refused system call does: it fails with `EPERM`, and its name is written to stderr.
//!
//! The filter raises `SIGSYS` in the thread that made the call. The handler does only what is async-signal-safe: it
//! writes, and it sets the register with the result of the call.

#![expect(unsafe_code, reason = "a signal handler that changes registers")]

use super::system_calls::name;
use nix::libc::{self, c_int, c_long, c_void, siginfo_t};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::io::Write as _;

/// Installs the handler.
pub fn handle() -> nix::Result<()> {
    let handler = SigHandler::SigAction(refuse);
    // On the alternate signal stack, if the thread has one: the stack of a contract may be full.
    let flags = SaFlags::SA_ONSTACK | SaFlags::SA_NODEFER;
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the handler only calls write, and only accesses its arguments.
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
    // SAFETY: the pointer and length are those of a live buffer, and the result of the write does not matter. The
    // context is that of the refused call.
    unsafe {
        libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), length);
        set_result(context.cast(), -c_long::from(libc::EPERM));
    }
}

/// The first fields of `siginfo_t` for `SIGSYS`, which libc does not define.
#[repr(C)]
struct SystemCallInfo {
    _signal: c_int,
    _error: c_int,
    _code: c_int,
    _call_address: *const c_void,
    system_call: c_int,
}

unsafe fn system_call(info: *const siginfo_t) -> c_long {
    // SAFETY: the caller passes the information of a SIGSYS, which has this layout.
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
