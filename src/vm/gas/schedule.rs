//! The gas schedule: what the host's functions cost, in units of gas (spec gas.md 1).
//!
//! The table below is the only list of sections and keys; their names are those of the wire. Amounts are added to the
//! points used with wrapping arithmetic, like everything that is charged (spec eei.md 1).

use super::opcode_costs::{OPCODE_NAMES, OpcodeCosts};
use crate::messages::{GasCostEntry, GasSectionEntry};
use thiserror::Error;

/// A key that the schedule lacks, or whose cost is 0.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("Gas cost for operation {0} has been set to 0 or is not set.")]
pub struct MissingCost(pub &'static str);

/// The section of the schedule for the operators of wasm; its keys stand in [`super::opcode_costs`].
const OPCODE_SECTION: &str = "WASMOpcodeCost";

macro_rules! gas_schedule {
    ($($(#[$doc:meta])* $section:ident, also spelled [$($alias:literal),*] { $($key:ident)* })*) => {
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
                    let costs = section(entries, &[stringify!($section), $($alias),*]);
                    $(let $key = non_zero(costs, stringify!($key))?;)*
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
                    WASMOpcodeCost: opcode_costs(section(entries, &[OPCODE_SECTION]))?,
                })
            }
        }

        /// The sections with their keys, but for the operators of wasm.
        pub const SECTIONS: &[(&str, &[&str])] = &[
            $((stringify!($section), &[$(stringify!($key)),*])),*
        ];
    };
}

gas_schedule! {
    /// What is charged for bytes.
    BaseOperationCost, also spelled [] {
        StorePerByte ReleasePerByte DataCopyPerByte PersistPerByte CompilePerByte
    }

    /// The functions of the namespace `env`, but for big integers and hashes. The original chain's nodes still spell
    /// the section their way.
    Kalyan3104APICost, also spelled ["ElrondAPICost"] {
        GetSCAddress GetOwnerAddress IsSmartContract GetShardOfAddress GetExternalBalance GetBlockHash TransferValue
        GetArgument GetFunction GetNumArguments StorageStore StorageLoad GetCaller GetCallValue Log Finish SignalError
        GetBlockTimeStamp GetGasLeft Int64GetArgument Int64StorageStore Int64StorageLoad Int64Finish GetStateRootHash
        GetBlockNonce GetBlockEpoch GetBlockRound GetBlockRandomSeed ExecuteOnSameContext ExecuteOnDestContext
        DelegateExecution ExecuteReadOnly AsyncCallStep AsyncCallbackGasLock CreateContract GetReturnData
        GetNumReturnData GetReturnDataSize
    }

    /// Big integers. Many keys are charged for nothing: their operations cost what BigIntSub costs (spec gas.md 1).
    BigIntAPICost, also spelled [] {
        BigIntNew BigIntUnsignedByteLength BigIntSignedByteLength BigIntGetUnsignedBytes BigIntGetSignedBytes
        BigIntSetUnsignedBytes BigIntSetSignedBytes BigIntIsInt64 BigIntGetInt64 BigIntSetInt64 BigIntAdd BigIntSub
        BigIntMul BigIntTDiv BigIntTMod BigIntEDiv BigIntEMod BigIntAbs BigIntNeg BigIntSign BigIntCmp BigIntNot
        BigIntAnd BigIntOr BigIntXor BigIntShr BigIntShl BigIntFinishUnsigned BigIntFinishSigned
        BigIntStorageLoadUnsigned BigIntStorageStoreUnsigned BigIntGetUnsignedArgument BigIntGetSignedArgument
        BigIntGetCallValue BigIntGetExternalBalance
    }

    /// The namespace `ethereum`.
    EthAPICost, also spelled [] {
        UseGas GetAddress GetExternalBalance GetBlockHash Call CallDataCopy GetCallDataSize CallCode CallDelegate
        CallStatic StorageStore StorageLoad GetCaller GetCallValue CodeCopy GetCodeSize GetBlockCoinbase Create
        GetBlockDifficulty ExternalCodeCopy GetExternalCodeSize GetGasLeft GetBlockGasLimit GetTxGasPrice Log
        GetBlockNumber GetTxOrigin Finish Revert GetReturnDataSize ReturnDataCopy SelfDestruct GetBlockTimeStamp
    }

    /// Hashes.
    CryptoAPICost, also spelled [] {
        SHA256 Keccak256
    }
}

/// A schedule where everything costs `cost`, but for the gas that asynchronous calls keep for their callbacks.
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
    let opcodes: (_, &[_]) = (OPCODE_SECTION, &OPCODE_NAMES);
    let sections = SECTIONS.iter().copied().chain([opcodes]);
    sections
        .map(|(section, keys)| GasSectionEntry {
            key: section.into(),
            value: keys.iter().map(entry).collect(),
        })
        .collect()
}

/// The costs of the section with the first of these names that there is.
fn section<'a>(entries: &'a [GasSectionEntry], names: &[&str]) -> &'a [GasCostEntry] {
    let find = |name: &&str| {
        entries
            .iter()
            .rev()
            .find(|entry| entry.key == name.as_bytes())
    };
    names
        .iter()
        .find_map(find)
        .map_or(&[], |entry| entry.value.as_slice())
}

/// The cost under this name: as it is spelled, else in another case. 0 if there is none.
fn cost(costs: &[GasCostEntry], name: &str) -> u64 {
    let spelled = |entry: &&GasCostEntry| entry.key == name.as_bytes();
    let in_any_case = |entry: &&GasCostEntry| entry.key.eq_ignore_ascii_case(name.as_bytes());
    let entries = costs.iter().rev();
    let found = entries.clone().find(spelled);
    found
        .or_else(|| entries.clone().find(in_any_case))
        .map_or(0, |entry| entry.value)
}

fn non_zero(costs: &[GasCostEntry], name: &'static str) -> Result<u64, MissingCost> {
    match cost(costs, name) {
        0 => Err(MissingCost(name)),
        cost => Ok(cost),
    }
}

/// Operator costs are 32 bits wide; the reference drops what is above.
fn opcode_costs(costs: &[GasCostEntry]) -> Result<OpcodeCosts, MissingCost> {
    let mut missing = None;
    let opcode_costs = OpcodeCosts::from_map(|name| {
        let cost = cost(costs, name) as u32;
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
    use crate::vm::fixtures::schedule_entries;

    #[test]
    fn every_key_is_read_into_its_own_field() {
        let schedule = GasSchedule::from_entries(&schedule_entries()).expect("complete");
        assert_eq!(schedule.Kalyan3104APICost.AsyncCallbackGasLock, 100_000);
        assert_eq!(schedule.BaseOperationCost.CompilePerByte, 1);
        let keys: usize = SECTIONS.iter().map(|(_, keys)| keys.len()).sum();
        assert_eq!(keys, 5 + 38 + 35 + 33 + 2);
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
            .flat_map(|(_, keys)| keys.iter().copied())
            .chain(super::super::opcode_costs::OPCODE_NAMES)
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
