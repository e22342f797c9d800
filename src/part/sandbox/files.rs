//! Landlock: which files the process may open.

use super::layer::{LayerError, Reachable};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetStatus, Scope, path_beneath_rules,
};
use std::path::PathBuf;

/// The newest landlock version that is used. On an older kernel, the restrictions that it supports are in force.
const NEWEST: ABI = ABI::V6;

/// Denies access to all files but these, to all TCP ports, and signals to other processes. Returns the landlock
/// version.
pub fn restrict(reachable: &Reachable) -> Result<String, LayerError> {
    let in_folders = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::RemoveFile
        | AccessFs::MakeReg
        | AccessFs::Truncate;
    let existing = |paths: &[PathBuf]| {
        let existing = paths.iter().filter(|path| path.exists());
        existing.cloned().collect::<Vec<_>>()
    };
    let status = Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(existing(&reachable.folders), in_folders))?
        .add_rules(path_beneath_rules(
            existing(&reachable.files),
            AccessFs::ReadFile,
        ))?
        .restrict_self()?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Err(LayerError::NoLandlock),
        (_, LandlockStatus::Available { effective_abi, .. }) => {
            Ok(format!("version {}", effective_abi.min(NEWEST) as i32))
        }
        _ => Err(LayerError::NoLandlock),
    }
}
