//! The virtual machine.
//!
//! A [`Vm`] runs contracts for a node: it is given an input and asks the node's state through a [`BlockchainHook`];
//! what it gives back is an output that the node applies. Nodes have to agree on outputs to the byte, so:
//!
//! * The output depends on the parameters, the input and the answers of the hook, and on nothing else: there is no clock,
//!   no environment and no order of a hash map here, and limits are numbers, not what a machine happens to have.
//! * No state outlives a run. The reference keeps some until it is restarted
//!   (docs/spec/README.md#state-that-outlives-a-run); we begin every run like a fresh process. Compiled code is kept
//!   between runs, but cannot be told from code compiled anew.
//! * A caller must tell three kinds of failure apart; see [`Machine`].
//!
//! Layers, each of which uses those below it: `host` runs executions and knows the order of things, `eei` is what contracts
//! can import, `contexts` keep the state. They stand on the module `engine`, which runs wasm.

pub(crate) mod contexts;
pub(crate) mod crypto;
pub(crate) mod eei;
pub(crate) mod effort;
pub(crate) mod error;
mod examination;
pub(crate) mod gas;
pub(crate) mod host;
mod invalid_code;
pub(crate) mod memory;

#[cfg(any(all(fuzzing, feature = "interpreter"), test))]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "fuzz targets need only some of what tests need")
)]
mod fixtures;
#[cfg(any(all(fuzzing, feature = "interpreter"), test))]
pub mod fuzzing;
#[cfg(test)]
mod tests;

pub use crate::engine::cache::{CacheLimits, EngineCounters};
pub use crate::engine::disk::{DiskCounters, DiskLimits};
pub use crate::engine::tiers::QuickLimits;
pub use crate::engine::wasmer::NATIVE_STACK_BYTES;
pub use crate::engine::wasmer::warm::WarmLimits;
pub use crate::engine::{InstanceCounters, MAXIMUM_MEMORY_PAGES, MachineFailure, TierCounters};
pub use effort::EFFORT_LIMIT;
pub use error::{NoProtectedPrefix, VmFatal};
pub use examination::{Examination, Reason, STACK_SLOTS, deploy_gas, examine, host_function};
pub(crate) use host::is_upgrade;
pub use invalid_code::{why_not_deployable, why_not_startable};

use crate::engine::Engine;
use crate::engine::cache::ModuleCache;
use crate::engine::tiers::TieredEngine;
use crate::engine::wasmer::WasmerEngine;
use crate::hooks::BlockchainHook;
use crate::machine::{BuildError, Machine, Outcome, Pinned};
use crate::messages::codec::{self, DEFAULT_PAYLOAD_LIMIT_BYTES};
use crate::messages::{
    Arguments, ContractCallInput, ContractCreateInput, ContractResponse, GasSectionEntry, VmOutput,
};
use crate::trace::{Observer, SharedRecorder};
use bytes::Bytes;
use contexts::input::{CallInput, CreateInput};
use contexts::output::OutputState;
use contexts::recorded_hook::RecordedHook;
use contexts::{Contexts, Settings};
use crypto::Hashes;
use error::Broken;
use gas::schedule::GasSchedule;
use host::Host;
use std::sync::Arc;

/// What a VM is given once (docs/spec/host.md#parameters).
#[derive(Debug, Clone, Default)]
pub struct VmParameters {
    /// Part of the addresses of new contracts.
    pub vm_type: Bytes,
    /// The gas limit of blocks, in units; contracts can ask for it.
    pub block_gas_limit: u64,
    /// What everything costs, in units of gas.
    pub gas_schedule: Vec<GasSectionEntry>,
    /// The functions that the hook runs.
    pub protocol_builtin_functions: Vec<Bytes>,
    /// Contracts can't write storage keys that begin so. Must not be empty.
    pub protected_key_prefix: Bytes,
    /// How long an output, or a question to the hook, can be as JSON, in bytes: what is longer could not be sent to a
    /// node. A run with one has no output ([`VmFailure`](crate::machine::VmFailure)). 0 stands for
    /// [`DEFAULT_PAYLOAD_LIMIT_BYTES`].
    pub payload_limit_bytes: u32,
    /// Compilation and caching. No output depends on it.
    pub engine: EngineSettings,
}

/// Compilation and caching settings. No output depends on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineSettings {
    /// Compiled modules in memory. Default 64 MiB, and 32 MiB of pinned ones.
    pub modules: CacheLimits,
    /// Instances that wait for the next call. Default 64, with 16 MiB.
    pub instances: WarmLimits,
    /// Compiled modules on disk, shared by all VMs that use the same folder. Default none.
    pub disk: Option<DiskLimits>,
    /// How far code that was never seen is interpreted while it is compiled. Default none: it waits
    /// for the compiler, half a second at most.
    pub interpreter: Option<QuickLimits>,
}

impl EngineSettings {
    /// Opens the files and makes the folder that VMs with these settings use, for a process that will not be able to, later.
    /// Returns the folders in which they will read and write files.
    pub fn open_files(&self) -> Vec<std::path::PathBuf> {
        crate::engine::wasmer::open_page_map();
        let folder = |disk: &DiskLimits| {
            // Why a folder is not used is told when the VM is made.
            let _ = disk.prepare();
            disk.folder.clone()
        };
        self.disk.iter().map(folder).collect()
    }
}

impl From<&Arguments> for VmParameters {
    fn from(arguments: &Arguments) -> VmParameters {
        let names = arguments.protocol_builtin_functions.iter();
        // One field for each family of nodes.
        let prefixes = [
            &arguments.kalyan3104_protected_key_prefix,
            &arguments.elrond_protected_key_prefix,
        ];
        let prefix = prefixes.into_iter().find(|prefix| !prefix.is_empty());
        VmParameters {
            vm_type: arguments.vm_type.clone(),
            block_gas_limit: arguments.block_gas_limit,
            gas_schedule: arguments.gas_schedule.clone(),
            protocol_builtin_functions: names.map(|name| name.key.clone()).collect(),
            protected_key_prefix: prefix.cloned().unwrap_or_default(),
            payload_limit_bytes: arguments.payload_limit_bytes,
            engine: EngineSettings::default(),
        }
    }
}

/// Runs contracts, one after the other.
pub struct Vm {
    host: Host,
    payload_limit_bytes: u32,
}

impl Vm {
    /// A VM that asks `hook`.
    ///
    /// [`BuildError::Arguments`]: the gas schedule lacks a cost, or there is no protected prefix. [`BuildError::Resources`]:
    /// there is no thread to compile on.
    pub fn new(parameters: VmParameters, hook: Box<dyn BlockchainHook>) -> Result<Vm, BuildError> {
        let settings = &parameters.engine;
        let compiler = WasmerEngine::with_disk(settings.instances, settings.disk.clone());
        let tiers = TieredEngine::new(Arc::new(compiler), settings.interpreter);
        let tiers = tiers.map_err(|error| {
            let failure = VmFatal::Machine(MachineFailure::from(error));
            BuildError::Resources(Box::new(failure))
        })?;
        Vm::with_engine(parameters, hook, Box::new(tiers))
    }

    /// A VM with the parameters of an Initialize message.
    pub fn from_arguments(
        arguments: &Arguments,
        hook: Box<dyn BlockchainHook>,
        engine: EngineSettings,
    ) -> Result<Vm, BuildError> {
        let parameters = VmParameters {
            engine,
            ..VmParameters::from(arguments)
        };
        Vm::new(parameters, hook)
    }

    /// A VM on an interpreter in place of the compiler. All outputs are the same; it is there to be compared with.
    #[cfg(any(test, feature = "interpreter"))]
    pub fn interpreted(
        parameters: VmParameters,
        hook: Box<dyn BlockchainHook>,
    ) -> Result<Vm, BuildError> {
        Vm::with_engine(
            parameters,
            hook,
            Box::new(crate::engine::wasmi_engine::WasmiEngine::unlimited()),
        )
    }

    fn with_engine(
        parameters: VmParameters,
        hook: Box<dyn BlockchainHook>,
        engine: Box<dyn Engine<Host>>,
    ) -> Result<Vm, BuildError> {
        let schedule = GasSchedule::from_entries(&parameters.gas_schedule)
            .map_err(|error| BuildError::Arguments(Box::new(error)))?;
        if parameters.protected_key_prefix.is_empty() {
            return Err(BuildError::Arguments(Box::new(NoProtectedPrefix)));
        }
        let opcode_costs = schedule.WASMOpcodeCost.clone();
        let limits = parameters.engine.modules;
        let modules = ModuleCache::new(engine, eei::import_table(), opcode_costs, limits);
        let settings = Settings {
            vm_type: parameters.vm_type,
            block_gas_limit: parameters.block_gas_limit,
            builtin_functions: parameters.protocol_builtin_functions.into_iter().collect(),
            protected_key_prefix: parameters.protected_key_prefix,
        };
        let payload_limit_bytes = match parameters.payload_limit_bytes {
            0 => DEFAULT_PAYLOAD_LIMIT_BYTES,
            limit => limit,
        };
        let hook = RecordedHook::new(hook, payload_limit_bytes);
        let contexts = Contexts::new(hook, Box::new(Hashes), schedule, settings);
        Ok(Vm {
            host: Host::new(contexts, modules),
            payload_limit_bytes,
        })
    }

    /// Tells `observer` from now on what runs do. No output depends on it.
    #[cfg(any(all(fuzzing, feature = "interpreter"), test))]
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.host.contexts.observer = Some(observer);
    }

    /// Counters of compiled code and of instances. Nothing of it can be seen in an output.
    pub fn counters(&self) -> EngineCounters {
        self.host.engine_counters()
    }

    /// What the chain is told of the end of a run.
    fn end(&self, run: &str, result: Result<OutputState, Broken>) -> Result<Outcome, VmFatal> {
        match result.and_then(|output| self.sendable(output.into_wire())) {
            Ok(output) => {
                tracing::trace!(
                    target: "arwen/host",
                    returnCode = error::return_code_text(output.return_code),
                    returnMessage = output.return_message,
                    "{run} end"
                );
                Ok(Ok(output))
            }
            Err(broken) => {
                tracing::error!(target: "arwen/host", error = %broken, "{run}");
                broken.into_outcome()
            }
        }
    }

    /// The output, unless it is too long for a node. Checked without a node as well, so that a run ends the same way
    /// everywhere.
    fn sendable(&self, output: VmOutput) -> Result<VmOutput, Broken> {
        let response = ContractResponse {
            vm_output: Some(output),
            ..ContractResponse::default()
        };
        codec::check_length("", &response, self.payload_limit_bytes).map_err(Broken::host_fault)?;
        Ok(response.vm_output.unwrap_or_default())
    }
}

impl Machine for Vm {
    type Fatal = VmFatal;

    fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, VmFatal> {
        tracing::trace!(
            target: "arwen/host",
            { "len(code)" = input.contract_code.len(), metadata = &input.contract_code_metadata[..] },
            "RunSmartContractCreate begin"
        );
        let result = CreateInput::from_wire(input).and_then(|input| self.host.run_create(input));
        self.end("RunSmartContractCreate", result)
    }

    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, VmFatal> {
        tracing::trace!(target: "arwen/host", function = input.function, "RunSmartContractCall begin");
        let result = CallInput::from_wire(input).and_then(|input| {
            if is_upgrade(&input.function) {
                self.host.run_upgrade(input)
            } else {
                self.host.run_call(input)
            }
        });
        self.end("RunSmartContractCall", result)
    }

    fn trace(&mut self, recorder: Option<SharedRecorder>) -> bool {
        let observer = recorder.map(|recorder| Box::new(recorder) as Box<dyn Observer>);
        self.host.contexts.observer = observer;
        true
    }

    fn pin(&mut self, code: Bytes) -> Result<Pinned, VmFatal> {
        self.host.pin(&code).map_err(VmFatal::Machine)
    }

    fn unpin(&mut self, code: &[u8]) -> Result<Pinned, VmFatal> {
        self.host.unpin(code);
        Ok(Pinned::Unpinned)
    }
}
