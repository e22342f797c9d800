//! Gas schedules: the costs that a node passes to the virtual machine in
//! [`Arguments::gas_schedule`](crate::messages::Arguments::gas_schedule) (docs/spec/gas.md#schedule).
//!
//! A node has its schedule in a TOML file, a table for each section:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use arwen::gas_schedule::GasScheduleFile;
//! use arwen::messages::Arguments;
//!
//! # let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/spec/gas_schedule.toml");
//! let file: GasScheduleFile = std::fs::read_to_string(path)?.parse()?;
//! for key in &file.unknown {
//!     eprintln!("{path}: no cost that the virtual machine knows: {key}");
//! }
//! let arguments = Arguments { gas_schedule: file.entries, ..Arguments::default() };
//! # assert_eq!(file.unknown[0].to_string(), "BigIntAPICost.BigIntByteLength");
//! # assert_eq!(arguments.gas_schedule.len(), 8);
//!
//! // A schedule that lacks a cost is no schedule: the child would not start with it.
//! let error = "[BaseOperationCost]\nStorePerByte = 5".parse::<GasScheduleFile>().unwrap_err();
//! assert!(error.to_string().contains("BaseOperationCost.PersistPerByte"), "{error}");
//! # Ok(())
//! # }
//! ```
//!
//! For tests there is [`flat_gas_schedule`].

mod file;
mod keys;
#[cfg(test)]
mod tests;

pub use file::{BadCost, GasKey, GasScheduleError, GasScheduleFile};
#[cfg(feature = "vm")]
pub(crate) use keys::{OPCODE_NAMES, host_sections, sections};
pub(crate) use keys::{OPCODE_SECTION, SECTIONS, Section};

use crate::messages::{GasCostEntry, GasSectionEntry};

/// A schedule where everything costs `cost` units of gas, except the gas lock of asynchronous calls for their
/// callbacks, which is `async_callback_gas_lock`.
///
/// The reference's tests run with 1 and 100000.
pub fn flat_gas_schedule(cost: u64, async_callback_gas_lock: u64) -> Vec<GasSectionEntry> {
    let entry = |key: &&'static str| GasCostEntry {
        key: (*key).into(),
        value: match *key {
            "AsyncCallbackGasLock" => async_callback_gas_lock,
            _ => cost,
        },
    };
    let sections = SECTIONS.iter();
    sections
        .map(|section| GasSectionEntry {
            key: section.name.into(),
            value: section.keys.iter().map(entry).collect(),
        })
        .collect()
}

impl Section {
    /// The entry of this section in a schedule: the one with its name, else the one with the first alias that exists.
    pub(crate) fn find<'a>(&self, entries: &'a [GasSectionEntry]) -> Option<&'a GasSectionEntry> {
        let named = |name: &&str| {
            let mut entries = entries.iter().rev();
            entries.find(|entry| entry.key == name.as_bytes())
        };
        [self.name].iter().chain(self.aliases).find_map(named)
    }

    /// The cost that the virtual machine reads for a key of this section, in units of gas; 0 if there is none.
    ///
    /// An exact match of the key wins over a case-insensitive one. Operator costs are truncated to 32 bits, as in the
    /// reference.
    pub(crate) fn cost(&self, costs: &[GasCostEntry], key: &str) -> u64 {
        let value = matching(costs, key).map_or(0, |index| costs[index].value);
        match self.name == OPCODE_SECTION.name {
            true => u64::from(value as u32),
            false => value,
        }
    }
}

/// The index of the cost of a key.
fn matching(costs: &[GasCostEntry], key: &str) -> Option<usize> {
    let key = key.as_bytes();
    let spelled = costs.iter().rposition(|entry| entry.key == key);
    spelled.or_else(|| {
        costs
            .iter()
            .rposition(|entry| entry.key.eq_ignore_ascii_case(key))
    })
}
