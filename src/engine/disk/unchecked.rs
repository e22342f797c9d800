//! Unsafe calls of the system: who the user is.

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
