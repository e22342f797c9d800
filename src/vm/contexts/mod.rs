//! What an execution knows and changes (docs/spec/host.md#contexts, #state), one aspect a file.
//!
//! Nothing here runs wasm. What charges gas is given the instance that pays.

pub mod asynchronous;
pub mod big_int;
pub mod blockchain;
mod effects;
pub mod input;
mod layered;
pub mod metering;
mod observed;
pub mod output;
pub mod recorded_hook;
pub mod runtime;
pub mod storage;
pub mod storage_updates;

use crate::short_bytes::ShortBytes;
use crate::trace::Observer;
use crate::vm::crypto::CryptoHook;
use crate::vm::effort::{CALL_ARGUMENT_STEPS, Effort, list_steps};
use crate::vm::error::Broken;
use crate::vm::gas::schedule::GasSchedule;
use crate::vm::memory::Copying;
use big_int::BigInts;
use bytes::Bytes;
use layered::Layered;
use output::OutputState;
use recorded_hook::RecordedHook;
use runtime::{Runtime, RuntimeState};
use std::collections::BTreeSet;

/// What a VM is given once.
#[derive(Debug)]
pub struct Settings {
    /// Part of new addresses.
    pub vm_type: Bytes,
    /// Only told to contracts.
    pub block_gas_limit: u64,
    /// The functions that the hook runs.
    pub builtin_functions: BTreeSet<Bytes>,
    /// Storage keys that begin so can't be written.
    pub protected_key_prefix: Bytes,
}

/// All state of the run at hand, and what it is based on.
pub struct Contexts {
    pub hook: RecordedHook,
    pub crypto: Box<dyn CryptoHook>,
    pub schedule: GasSchedule,
    pub settings: Settings,
    pub runtime: Runtime,
    pub output: Layered<OutputState>,
    /// The account whose storage is read and written.
    pub storage_address: Layered<Bytes>,
    pub big_ints: Layered<BigInts>,
    /// Of the whole run, nested executions included.
    pub effort: Effort,
    /// Gas that an asynchronous call keeps for its answer; one number for all nested calls
    /// (docs/spec/gas.md#locked-gas).
    pub gas_locked: u64,
    /// The calldata of the namespace `ethereum`, once it was asked for (docs/spec/eei.md#calldata).
    pub calldata: Option<Bytes>,
    /// Makes the byte strings that are copied from the memories of contracts.
    pub strings: ShortBytes,
    /// Who is told what the run does. No output depends on it.
    pub observer: Option<Box<dyn Observer>>,
}

impl Contexts {
    /// A state without anything of earlier runs; the reference keeps some
    /// (docs/spec/README.md#state-that-outlives-a-run).
    pub fn new(
        hook: RecordedHook,
        crypto: Box<dyn CryptoHook>,
        schedule: GasSchedule,
        settings: Settings,
    ) -> Contexts {
        Contexts {
            hook,
            crypto,
            schedule,
            settings,
            runtime: Runtime::default(),
            output: Layered::default(),
            storage_address: Layered::default(),
            big_ints: Layered::default(),
            effort: Effort::default(),
            gas_locked: 0,
            calldata: None,
            strings: ShortBytes::default(),
            observer: None,
        }
    }

    /// Drops the state of the last run.
    pub fn reset(&mut self) {
        self.runtime = Runtime::default();
        self.output.reset();
        self.storage_address.reset();
        self.big_ints.reset();
        self.effort = Effort::default();
        self.gas_locked = 0;
        self.calldata = None;
    }

    /// The state of the call at hand.
    pub fn current_call(&self) -> &RuntimeState {
        &self.runtime.state
    }

    /// For what is copied from the memories of contracts.
    pub fn copying(&mut self) -> Copying<'_> {
        Copying {
            strings: &mut self.strings,
            effort: &mut self.effort,
        }
    }

    /// The data of a call is to be read: its arguments take steps, as those of host functions do.
    pub fn spend_on_call_data(&mut self, data: &[u8]) -> Result<(), Broken> {
        let arguments = data.iter().filter(|byte| **byte == b'@').count();
        let steps = CALL_ARGUMENT_STEPS * arguments as u64;
        self.effort.spend(steps).map_err(Broken::from)
    }

    /// The steps of a copy of what an execution shares with its caller: it is set aside, in case that it fails.
    pub fn steps_to_copy(&self) -> u64 {
        let logs = self.output.logs.iter();
        let topics = logs.map(|entry| 1 + entry.topics.len()).sum::<usize>();
        self.big_ints.steps_to_copy()
            + self.output.steps_to_copy_accounts()
            + list_steps(self.output.return_data.len() + topics)
    }

    /// Whether the hook runs this function.
    pub fn is_builtin(&self, function: &[u8]) -> bool {
        self.settings.builtin_functions.contains(function)
    }
}
