//! The layers of the sandbox: what stays accessible, and what is in force.

use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// The files that stay accessible.
#[derive(Debug, Clone, Default)]
pub struct Reachable {
    /// Folders in which it reads and writes files. Missing ones are skipped.
    pub folders: Vec<PathBuf>,
    /// Files that it reads.
    pub files: Vec<PathBuf>,
}

/// Why a layer is not in force.
#[derive(Debug, Error)]
pub enum LayerError {
    /// There is another thread, which a layer would not restrict.
    #[error("the process has {0} threads")]
    Threads(usize),
    /// The kernel has no landlock, or it is disabled.
    #[error("the kernel has no landlock")]
    NoLandlock,
    /// The landlock rules can't be built or applied.
    #[error(transparent)]
    Files(#[from] landlock::RulesetError),
    /// The seccomp filter can't be built.
    #[error(transparent)]
    Filter(#[from] seccompiler::BackendError),
    /// The seccomp filter can't be applied.
    #[error(transparent)]
    Apply(#[from] seccompiler::Error),
    /// The system refused a limit or a handler.
    #[error(transparent)]
    System(#[from] nix::Error),
}

/// A layer of the sandbox, and whether it is in force.
#[derive(Debug)]
pub struct Layer {
    /// Its name.
    pub name: &'static str,
    /// What is in force, or why nothing is.
    pub state: Result<String, LayerError>,
}

/// The state of the sandbox.
#[derive(Debug, Default)]
pub struct Report {
    /// Each layer; none if the sandbox is off.
    pub layers: Vec<Layer>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.layers.is_empty() {
            return f.write_str("off");
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match &layer.state {
                Ok(state) if state.is_empty() => write!(f, "{separator}{}", layer.name)?,
                Ok(state) => write!(f, "{separator}{} ({state})", layer.name)?,
                Err(error) => write!(f, "{separator}no {} ({error})", layer.name)?,
            }
        }
        Ok(())
    }
}
