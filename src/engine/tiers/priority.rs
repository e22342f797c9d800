//! The priority of a thread, which safe Rust can't change.

/// How much nicer than its process a thread is that compiles what no run waits for: on a busy core it gets a tenth of what
/// another thread gets. With more it would get almost nothing on a machine that is always busy.
const NICENESS: i32 = 10;

/// Lowers the priority of the current thread, and of those that it will start. Not where the system refuses; then it is only
/// less fair.
pub(super) fn lower() {
    // SAFETY: takes numbers, and touches no memory. On Linux 0 is the calling thread.
    #[expect(
        unsafe_code,
        reason = "nix does not have it, rustix behind a feature that would compile wasmer again"
    )]
    unsafe {
        nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, NICENESS);
    }
}
