//! Reads scenario files (docs/spec/scenarios.md#scenario-files): unknown fields are errors, and all values are
//! evaluated at once.

mod old_test;
mod reader;
mod state;
mod transaction;

#[cfg(feature = "vm")]
pub use reader::required;
pub use reader::{Fault, FileError, Problem, Reader, fields, list, text};

use super::files;
use super::json::{self, Value};
use super::model::{OldTest, Scenario, Step, TransactionKind};
use crate::messages::go_text;
use bytes::Bytes;
use reader::flag;
use std::path::Path;

/// The prefix of the protocol's storage keys in scenario files.
pub const DEFAULT_PROTECTED_PREFIX: &[u8] = b"KALYAN3104";

/// Reads a scenario. `reader` resolves the files that its values name.
pub fn scenario(file: &Path, reader: Reader<'_>) -> Result<Scenario, FileError> {
    read_file(file, |value| reader.scenario(value))
}

/// Reads the tests of a file in the old format, with their names.
pub fn old_tests(file: &Path, reader: Reader<'_>) -> Result<Vec<(String, OldTest)>, FileError> {
    read_file(file, |value| reader.old_tests(value))
}

fn read_file<T>(
    file: &Path,
    read: impl FnOnce(&Value) -> Result<T, Fault>,
) -> Result<T, FileError> {
    let parse = || {
        let contents = files::read(file)?;
        read(&json::parse(&contents)?)
    };
    parse().map_err(|fault: Fault| fault.in_file(file))
}

impl Reader<'_> {
    pub fn scenario(&self, file: &Value) -> Result<Scenario, Fault> {
        let mut scenario = Scenario {
            checks_gas: true,
            steps: Vec::new(),
        };
        fields(file, |name, value| {
            match name {
                b"name" | b"comment" => drop(text(value)?),
                b"checkGas" => scenario.checks_gas = flag(value)?,
                b"steps" => scenario.steps = list(value, |step| self.step(step))?,
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(scenario)
    }

    /// Reads a step.
    pub fn step(&self, step: &Value) -> Result<Step, Fault> {
        let Value::Map(entries) = step else {
            return Err(Problem::Not("map").into());
        };
        let kind = match entries.iter().find(|(name, _)| name == "step") {
            Some((name, value)) => &text(value).map_err(|fault| fault.in_field(name))?[..],
            None => b"",
        };
        let transaction = |kind| {
            let step = self.transaction_step(kind, step)?;
            Ok(Step::Transaction(Box::new(step)))
        };
        match kind {
            b"externalSteps" => external_steps(step),
            b"setState" => self.set_state(step).map(Step::SetState),
            b"checkState" => self.check_state(step).map(Step::CheckState),
            b"scDeploy" => transaction(TransactionKind::Deploy),
            b"scCall" => transaction(TransactionKind::Call),
            b"transfer" => transaction(TransactionKind::Transfer),
            b"validatorReward" => transaction(TransactionKind::ValidatorReward),
            b"" => Err(Problem::NoStepType.into()),
            unknown => Err(Problem::UnknownStepType(go_text(unknown)).into()),
        }
    }
}

fn external_steps(step: &Value) -> Result<Step, Fault> {
    let mut path = Bytes::new();
    fields(step, |name, value| {
        match name {
            b"step" => {}
            b"path" => path = text(value)?.clone(),
            _ => return Err(Problem::UnknownField.into()),
        }
        Ok(())
    })?;
    Ok(Step::External(path))
}

#[cfg(test)]
mod tests;
