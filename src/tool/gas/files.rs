//! Files about the gas of runs that commands write.

#[cfg(feature = "tool")]
use super::flame::flame_graph;
use super::report::GasReport;
use crate::tool::ToolError;
use crate::tool::atomic::Prepared;
use crate::trace::Costs;
use std::path::{Path, PathBuf};

/// Which files are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GasFiles {
    /// A report as JSON.
    pub report: Option<PathBuf>,
    /// A flame graph as SVG.
    #[cfg(feature = "tool")]
    pub flame_graph: Option<PathBuf>,
}

/// Files that are ready to take their places.
#[derive(Debug)]
pub struct PreparedFiles(Vec<(PathBuf, Prepared)>);

impl GasFiles {
    /// Writes the files for these costs. `title` is what ran.
    ///
    /// [`ToolError::Unwritable`]: one can't be written; then none of them is changed, unless the disk fails at the very end.
    pub fn write(&self, costs: &Costs, title: &str) -> Result<(), ToolError> {
        self.prepare(costs, title)?.commit()
    }

    /// Does all of that but the last step.
    pub fn prepare(&self, costs: &Costs, title: &str) -> Result<PreparedFiles, ToolError> {
        let mut prepared = Vec::new();
        let mut add = |path: &Path, contents: &[u8]| -> Result<(), ToolError> {
            let file = Prepared::new(path, contents);
            let file = file.map_err(|reason| ToolError::unwritable(path, reason))?;
            prepared.push((path.to_owned(), file));
            Ok(())
        };
        if let Some(path) = &self.report {
            let mut json = GasReport::from(costs).to_json();
            json.push(b'\n');
            add(path, &json)?;
        }
        #[cfg(feature = "tool")]
        if let Some(path) = &self.flame_graph {
            add(path, &flame_graph(costs, title))?;
        }
        #[cfg(not(feature = "tool"))]
        let _ = title;
        Ok(PreparedFiles(prepared))
    }
}

impl PreparedFiles {
    /// Puts the files into their places.
    pub fn commit(self) -> Result<(), ToolError> {
        for (path, file) in self.0 {
            let committed = file.commit();
            committed.map_err(|reason| ToolError::unwritable(&path, reason))?;
        }
        Ok(())
    }
}
