//! The file descriptors that the child is started with (docs/spec/wire.md#pipes).

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A pipe of the child; the discriminant is its descriptor in the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildPipe {
    /// node -> arwen: one Initialize message.
    ArwenInit = 3,
    /// node -> arwen: requests and hook responses.
    NodeToArwen = 4,
    /// arwen -> node: responses and hook requests.
    ArwenToNode = 5,
    /// node -> arwen: log profiles.
    ReadLogProfile = 6,
    /// arwen -> node: log lines.
    LogToNode = 7,
}

impl ChildPipe {
    /// All five, in the order of their numbers.
    pub const ALL: [ChildPipe; 5] = [
        ChildPipe::ArwenInit,
        ChildPipe::NodeToArwen,
        ChildPipe::ArwenToNode,
        ChildPipe::ReadLogProfile,
        ChildPipe::LogToNode,
    ];

    /// The name of the pipe.
    pub fn name(self) -> &'static str {
        match self {
            ChildPipe::ArwenInit => "arwenInit",
            ChildPipe::NodeToArwen => "nodeToArwen",
            ChildPipe::ArwenToNode => "arwenToNode",
            ChildPipe::ReadLogProfile => "readLogProfile",
            ChildPipe::LogToNode => "logToNode",
        }
    }

    /// The number of the descriptor in the child.
    pub fn descriptor(self) -> RawFd {
        self as RawFd
    }

    /// Whether data flows from the node to arwen.
    pub fn is_read_by_arwen(self) -> bool {
        !matches!(self, ChildPipe::ArwenToNode | ChildPipe::LogToNode)
    }
}

/// The pipes inherited by this process; `None` for a missing one.
///
/// # Safety
///
/// Call it once, before anything else in the process opens or owns a descriptor of 3 to 7.
#[expect(
    unsafe_code,
    reason = "taking over descriptors that the parent process chose by number"
)]
pub unsafe fn inherited() -> [Option<OwnedFd>; 5] {
    ChildPipe::ALL.map(|pipe| {
        let descriptor = pipe.descriptor();
        // SAFETY: used for one fcntl call only, which fails with EBADF if the descriptor is not open.
        let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
        match fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)) {
            // SAFETY: the descriptor is open, and by the contract of this function nothing else owns it.
            Ok(_) => Some(unsafe { OwnedFd::from_raw_fd(descriptor) }),
            Err(Errno::EBADF) | Err(_) => None,
        }
    })
}
