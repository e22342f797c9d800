//! The exit codes of the tool.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what was asked.
    Success = 0,
    /// A contract failed, or something is not as expected.
    Failed = 1,
    /// Bad input, or a machine that can't run. One line on stderr says what is wrong.
    Unusable = 2,
    /// The reader of the output, such as `head`, has closed it: the code of a program ended by SIGPIPE. This program ignores
    /// the signal, because it also has pipes to its children.
    NoReader = 128 + 13,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// [`Exit::Failed`] if something failed.
impl From<bool> for Exit {
    fn from(succeeded: bool) -> Exit {
        match succeeded {
            true => Exit::Success,
            false => Exit::Failed,
        }
    }
}
