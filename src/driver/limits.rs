//! What an operator takes from a child: memory, and the rights of the node's user (docs/operation.md#limits).

use std::ffi::OsString;

/// The environment variable of [`ChildLimits::address_space_bytes`].
const ADDRESS_SPACE: &str = "ARWEN_ADDRESS_SPACE_BYTES";

/// The limits of a child. The default sets none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildLimits {
    /// The most addresses of the child, in bytes (`RLIMIT_AS`). This bounds its memory, too. The child sets the limit before it
    /// reads a byte from a pipe; one that does not report it in force is refused. With 4 GiB everything runs; below about
    /// 650 GiB loops over memory are slower (docs/operation.md#addresses-and-recursion). Where it is not enough, the child ends
    /// with exit code 4, which is [`Blame::Machine`](super::Blame::Machine). Default `None`: the node's own limit.
    pub address_space_bytes: Option<u64>,
    /// How readily the kernel ends the child where memory is short: its `oom_score_adj`, from -1000 (never) to 1000 (first).
    /// Above the node's, the child is ended before the node. Less than the node's needs a privilege. Default `None`: the
    /// node's own.
    pub oom_score_adj: Option<i16>,
}

impl ChildLimits {
    /// Sets [`ChildLimits::address_space_bytes`](#structfield.address_space_bytes).
    #[must_use]
    pub fn address_space_bytes(mut self, bytes: u64) -> ChildLimits {
        self.address_space_bytes = Some(bytes);
        self
    }

    /// Sets [`ChildLimits::oom_score_adj`](#structfield.oom_score_adj).
    #[must_use]
    pub fn oom_score_adj(mut self, adjustment: i16) -> ChildLimits {
        self.oom_score_adj = Some(adjustment);
        self
    }

    /// The option of the child that sets the limit of addresses. `None` inherits the node's value.
    pub(super) fn variable(&self) -> Option<(&'static str, OsString)> {
        let bytes = self.address_space_bytes?;
        Some((ADDRESS_SPACE, bytes.to_string().into()))
    }
}

/// The user of a child, by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group. The child has no others.
    pub gid: u32,
}
