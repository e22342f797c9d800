//! The costs of the schedule, each in a field of its own (docs/spec/gas.md#schedule); [`crate::gas_schedule`] has the
//! keys.
//!
//! Amounts are added to the points used with wrapping arithmetic, like everything that is charged
//! (docs/spec/eei.md#notation).

use crate::engine::opcode_costs::OpcodeCosts;
use crate::gas_schedule::{OPCODE_SECTION, Section, host_sections, sections};
use crate::messages::{GasCostEntry, GasSectionEntry};
use thiserror::Error;

/// A key that the schedule lacks, or whose cost is 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Gas cost for operation {0} has been set to 0 or is not set.")]
pub struct MissingCost(pub &'static str);

macro_rules! define_costs {
    ($($(#[$doc:meta])* $section:ident, also spelled $aliases:tt { $($key:ident)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, PartialEq, Eq)]
            #[allow(non_snake_case, reason = "the names of the wire")]
            pub struct $section {
                $(pub $key: u64,)*
            }

            impl $section {
                #[allow(non_snake_case, reason = "the names of the wire")]
                fn from_entries(entries: &[GasSectionEntry]) -> Result<$section, MissingCost> {
                    let section = &sections::$section;
                    let costs = costs(section, entries);
                    $(let $key = non_zero(section, costs, stringify!($key))?;)*
                    Ok($section { $($key),* })
                }
            }
        )*

        /// All costs.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(non_snake_case, reason = "the names of the wire")]
        pub struct GasSchedule {
            $(pub $section: $section,)*
            pub WASMOpcodeCost: OpcodeCosts,
        }

        impl GasSchedule {
            /// Reads the schedule of an Initialize message. Names of keys match in any case, unknown ones are ignored.
            ///
            /// The error names the first key without a cost, in the order of the table.
            pub fn from_entries(entries: &[GasSectionEntry]) -> Result<GasSchedule, MissingCost> {
                Ok(GasSchedule {
                    $($section: $section::from_entries(entries)?,)*
                    WASMOpcodeCost: opcode_costs(entries)?,
                })
            }
        }
    };
}

host_sections!(define_costs);

/// The costs of a section; none, if the schedule lacks it.
fn costs<'a>(section: &Section, entries: &'a [GasSectionEntry]) -> &'a [GasCostEntry] {
    section
        .find(entries)
        .map_or(&[], |entry| entry.value.as_slice())
}

fn non_zero(
    section: &Section,
    costs: &[GasCostEntry],
    key: &'static str,
) -> Result<u64, MissingCost> {
    match section.cost(costs, key) {
        0 => Err(MissingCost(key)),
        cost => Ok(cost),
    }
}

fn opcode_costs(entries: &[GasSectionEntry]) -> Result<OpcodeCosts, MissingCost> {
    let costs = costs(&OPCODE_SECTION, entries);
    let mut missing = None;
    let opcode_costs = OpcodeCosts::from_map(|name| {
        let cost = OPCODE_SECTION.cost(costs, name) as u32;
        if cost == 0 && missing.is_none() {
            missing = Some(name);
        }
        cost
    });
    match missing {
        Some(name) => Err(MissingCost(name)),
        None => Ok(opcode_costs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gas_schedule::SECTIONS;
    use crate::vm::fixtures::schedule_entries;

    #[test]
    fn every_key_is_read_into_its_own_field() {
        let schedule = GasSchedule::from_entries(&schedule_entries()).expect("complete");
        assert_eq!(schedule.Kalyan3104APICost.AsyncCallbackGasLock, 100_000);
        assert_eq!(schedule.BaseOperationCost.CompilePerByte, 1);
        let keys = SECTIONS.iter().map(|section| section.keys.len());
        assert_eq!(keys.collect::<Vec<_>>(), [5, 38, 35, 33, 2, 447]);
    }

    #[test]
    fn keys_match_in_any_case_and_unknown_ones_do_not_matter() {
        let mut entries = schedule_entries();
        let base = &mut entries[0].value;
        base[0].key = "sTOREpERbYTE".into();
        base[0].value = 7;
        base.push(GasCostEntry {
            key: "Unknown".into(),
            value: 0,
        });
        let schedule = GasSchedule::from_entries(&entries).expect("complete");
        assert_eq!(schedule.BaseOperationCost.StorePerByte, 7);
    }

    #[test]
    fn the_original_name_of_the_api_section_is_read_too() {
        let mut entries = schedule_entries();
        entries[1].key = "ElrondAPICost".into();
        assert!(GasSchedule::from_entries(&entries).is_ok());
        entries[1].key = "elrondapicost".into();
        assert_eq!(
            GasSchedule::from_entries(&entries),
            Err(MissingCost("GetSCAddress"))
        );
    }

    #[test]
    fn the_first_key_without_a_cost_is_named() {
        let error = GasSchedule::from_entries(&[]).expect_err("empty");
        assert_eq!(
            error.to_string(),
            "Gas cost for operation StorePerByte has been set to 0 or is not set."
        );
        let names: Vec<&'static str> = SECTIONS
            .iter()
            .flat_map(|section| section.keys.iter().copied())
            .collect();
        let mut entries = schedule_entries();
        // From the back: every key is the first that is missing once.
        for name in names.into_iter().rev() {
            let last = entries.last_mut().expect("not yet empty");
            let cost = last.value.pop().expect("not yet empty");
            assert_eq!(cost.key, name.as_bytes());
            if last.value.is_empty() {
                entries.pop();
            }
            assert_eq!(GasSchedule::from_entries(&entries), Err(MissingCost(name)));
        }
    }

    #[test]
    fn an_operator_cost_beyond_32_bits_is_cut() {
        let mut entries = schedule_entries();
        entries.last_mut().expect("operators").value[1].value = 1 << 32;
        assert_eq!(GasSchedule::from_entries(&entries), Err(MissingCost("Nop")));
    }
}
