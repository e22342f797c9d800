//! Where gas went: reports for people and programs, a comparison of two reports, and flame graphs.
//!
//! ```text
//! costs of runs -> report (a table by contract, function and host function) -> text, file -> difference
//!               -> flame (stacks, as a picture)
//! ```

mod difference;
mod file;
mod files;
#[cfg(feature = "tool")]
mod flame;
mod report;
mod text;

pub use difference::Difference;
pub use file::read_report;
pub use files::{GasFiles, PreparedFiles};
#[cfg(feature = "tool")]
pub use flame::flame_graph;
pub use report::GasReport;
