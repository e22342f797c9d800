//! The layers of the sandbox: what the process keeps, and what is in force.

use std::fmt;
use std::path::PathBuf;
use thiserror::Error;

/// The files that the process keeps.
#[derive(Debug, Clone, Default)]
pub struct Reachable {
    /// Folders in which it reads and writes files. Those that are not there are left out.
    pub folders: Vec<PathBuf>,
    /// Files that it reads.
    pub files: Vec<PathBuf>,
}

/// Why a layer is not in force.
#[derive(Debug, Error)]
pub enum LayerError {
    /// There is another thread, which a layer would not bind.
    #[error("the process has {0} threads")]
    Threads(usize),
    /// The kernel has no landlock, or it is switched off.
    #[error("the kernel has no landlock")]
    NoLandlock,
    /// The rules for files can't be made or put in force.
    #[error(transparent)]
    Files(#[from] landlock::RulesetError),
    /// The filter can't be made.
    #[error(transparent)]
    Filter(#[from] seccompiler::BackendError),
    /// The filter can't be put in force.
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
    /// What about it is in force.
    pub state: Result<String, LayerError>,
}

/// What is in force.
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
