//! Which costs contracts run with.

use super::ToolError;
use crate::gas_schedule::{GasScheduleFile, flat_gas_schedule};
use crate::messages::GasSectionEntry;
use std::path::Path;

/// The costs without a file, in words.
pub const DEFAULT_SCHEDULE: &str =
    "every cost is 1, the gas lock of asynchronous calls for their callbacks is 100000";

/// The costs of the TOML file of a node, or without a file those of the reference's tests. Keys that the virtual machine
/// does not know are normal: nodes keep costs of their own in the file.
pub fn gas_schedule(file: Option<&Path>) -> Result<Vec<GasSectionEntry>, ToolError> {
    let Some(path) = file else {
        return Ok(flat_gas_schedule(1, 100_000));
    };
    let text =
        std::fs::read_to_string(path).map_err(|reason| ToolError::unreadable(path, reason))?;
    let schedule: Result<GasScheduleFile, _> = text.parse();
    let schedule = schedule.map_err(|reason| ToolError::GasSchedule {
        path: path.to_owned(),
        reason,
    })?;
    Ok(schedule.entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("costs.toml");
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    #[test]
    fn a_schedule_is_that_of_the_file() {
        assert_eq!(
            gas_schedule(None).expect("there"),
            flat_gas_schedule(1, 100_000)
        );
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let costs = gas_schedule(Some(&root.join("docs/spec/gas_schedule.toml"))).expect("valid");
        assert!(costs.len() >= 6, "{costs:?}");
        assert_ne!(costs, flat_gas_schedule(1, 100_000));
    }

    #[test]
    fn a_bad_file_is_named() {
        for (text, expected) in [
            (&b"[Base"[..], "the gas schedule is not TOML: "),
            (
                b"[BaseOperationCost]\nStorePerByte = 0",
                "the gas schedule can't be used: BaseOperationCost.StorePerByte = 0 (line 2)",
            ),
        ] {
            let (_folder, path) = write(text);
            let error = gas_schedule(Some(&path)).expect_err("bad").to_string();
            let expected = format!("{}: {expected}", path.display());
            assert!(error.starts_with(&expected), "{error}");
        }
        let (_folder, path) = write(b"\xff");
        let error = gas_schedule(Some(&path)).expect_err("not text").to_string();
        assert!(
            error.starts_with(&format!("can't read {}: ", path.display())),
            "{error}"
        );
    }
}
