//! The host: runs contracts and gives them what they ask for (docs/spec/host.md).
//!
//! Whoever runs an instance owns it; the instance owns the host while it runs and calls back into it (see
//! [`crate::engine`]). A nested execution happens inside such a call: the host is lent on to the inner instance,
//! while the outer one waits.

mod async_call;
mod breakpoints;
mod builtin;
mod call;
mod create;
mod indirect_deploy;
mod nested;
mod promise_json;
mod promises;
mod repeat;
mod stored_promises;
mod upgrade;

use crate::engine::cache::{CompilationError, EngineCounters, ModuleCache};
use crate::engine::{
    Abort, CallEnd, CompiledModule, ExportedFunction, HostCalls, Instance, InstanceAccess,
    InstantiationError, validation,
};
use crate::vm::contexts::Contexts;
use crate::vm::contexts::output::OutputState;
use crate::vm::contexts::runtime::Breakpoint;
use crate::vm::eei::{self, Call};
use crate::vm::error::{Broken, ExecutionError, Failure, Fault, Unusable};
use bytes::Bytes;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Instances that may wait for a nested one (docs/spec/host.md#depth).
const MAXIMUM_WAITING_INSTANCES: usize = 10;

/// The function that deploys and upgrades call.
const INIT_FUNCTIONS: [&[u8]; 2] = [b"init", b"solidity.ctor"];

/// The function that answers of asynchronous calls go to.
pub(super) const CALLBACK_FUNCTION: &[u8] = b"callBack";

/// The function that is called when there is none of the name asked for.
const FALLBACK_FUNCTION: &[u8] = b"main";

/// The function name that makes a call an upgrade.
pub(super) const UPGRADE_FUNCTION: &[u8] = b"upgradeContract";

/// What runs contracts, or its place while a nested instance has it.
pub struct Host(Option<Box<HostState>>);

/// The host itself.
pub struct HostState {
    pub contexts: Contexts,
    modules: ModuleCache<Host>,
    /// Why the run at hand ends without an output, once that is known.
    broken: Option<Broken>,
}

impl Deref for Host {
    type Target = HostState;

    fn deref(&self) -> &HostState {
        self.0
            .as_deref()
            .expect("lent hosts come back before their lender goes on")
    }
}

impl DerefMut for Host {
    fn deref_mut(&mut self) -> &mut HostState {
        self.0
            .as_deref_mut()
            .expect("lent hosts come back before their lender goes on")
    }
}

/// An instance and its code.
struct Running {
    instance: Box<dyn Instance<Host>>,
    module: Arc<dyn CompiledModule<Host>>,
}

impl Running {
    fn access(&mut self) -> &mut dyn InstanceAccess {
        &mut *self.instance
    }

    fn exported_function(&self, name: &[u8]) -> Option<ExportedFunction> {
        let mut functions = self.module.exported_functions().iter();
        functions
            .find(|function| function.name.as_bytes() == name)
            .cloned()
    }

    /// The function that a call means (docs/spec/host.md#function-resolution).
    fn function_to_call(&self, name: &[u8]) -> Result<ExportedFunction, ExecutionError> {
        self.exported_function(name)
            .or_else(|| self.exported_function(FALLBACK_FUNCTION))
            .ok_or(ExecutionError::FunctionNotFound)
    }

    /// The function that a deploy calls, if there is one.
    fn init_function(&self) -> Option<ExportedFunction> {
        INIT_FUNCTIONS
            .iter()
            .find_map(|name| self.exported_function(name))
    }
}

impl Host {
    /// A host at rest.
    pub fn new(contexts: Contexts, modules: ModuleCache<Host>) -> Host {
        Host(Some(Box::new(HostState {
            contexts,
            modules,
            broken: None,
        })))
    }

    /// What has become of compiled code and of instances so far.
    pub fn engine_counters(&self) -> EngineCounters {
        self.modules.counters()
    }

    /// Starts an instance of `code` with `gas` as its limit.
    fn start(&mut self, code: &Bytes, gas: u64) -> Result<Running, Failure> {
        if self.contexts.runtime.waiting_instances >= MAXIMUM_WAITING_INSTANCES {
            return Err(ExecutionError::TooManyInstances.into());
        }
        let compiled = self.modules.compile(code);
        let module = compiled.map_err(|error| match error {
            CompilationError::Invalid(invalid) => not_started(invalid.into()),
            CompilationError::Instrumentation(_) | CompilationError::Engine(_) => {
                not_started(Unusable::refused(error))
            }
            CompilationError::Panic(_) | CompilationError::Machine(_) => start_failure(error),
        })?;
        let instantiated = module.instantiate(gas);
        self.after_instantiation();
        let instance = instantiated.map_err(start_failure)?;
        Ok(Running { instance, module })
    }

    /// Starts an instance of code that is being deployed, which has to follow more rules
    /// (docs/spec/host.md#deploy-checks). A failure is logged under the name of `run`.
    fn start_deploy(&mut self, code: &Bytes, gas: u64, run: &str) -> Result<Running, Failure> {
        let started = self.start(code, gas);
        let running = started.inspect_err(|failure| log_unusable(failure, run))?;
        let module = &running.module;
        let is_reserved = |name: &str| {
            name.as_bytes() == UPGRADE_FUNCTION
                || eei::is_host_function(name)
                || self.contexts.is_builtin(name.as_bytes())
        };
        validation::check_deployable(
            module.exported_functions(),
            module.exports_memory(),
            is_reserved,
        )
        .map_err(|error| {
            tracing::debug!(target: "arwen/host", err = %error, "{run}/VerifyContractCode");
            ExecutionError::ContractInvalid
        })?;
        Ok(running)
    }

    /// Runs an exported function to its end, with the asynchronous call that it may end with.
    fn run(&mut self, running: &mut Running, function: &ExportedFunction) -> Result<(), Failure> {
        if function.parameters > 0 {
            return Err(ExecutionError::MissingArguments(function.parameters).into());
        }
        let outer = std::mem::take(&mut self.contexts.runtime.breakpoint);
        let lent = Box::new(Host(self.0.take()));
        let (host, end) = running.instance.call(&function.name, lent);
        *self = *host;
        let result = match end {
            CallEnd::Returned => Ok(()),
            CallEnd::Trapped(_) => Err(ExecutionError::Trap(function.name.clone()).into()),
            CallEnd::Aborted => self.after_abort(running.access(), &function.name),
            CallEnd::Abandoned => Err(Broken::Abandoned.into()),
            CallEnd::Machine(failure) => Err(Broken::Machine(failure).into()),
        };
        self.contexts.runtime.breakpoint = outer;
        result
    }

    /// The output of a run that ended with `result`; the state is empty after that.
    pub(super) fn finish_run(
        &mut self,
        result: Result<(), Failure>,
    ) -> Result<OutputState, Broken> {
        let output = match result {
            Ok(()) => Ok(std::mem::take(&mut *self.contexts.output)),
            Err(Failure::Execution(error)) => Ok(self.contexts.failure_output(&error)),
            Err(Failure::Broken(broken)) => Err(broken),
        };
        self.contexts.reset();
        self.broken = None;
        output
    }
}

/// Why an instance did not start, and so whose fault it is.
fn start_failure(error: impl Into<InstantiationError>) -> Failure {
    match error.into() {
        InstantiationError::Invalid(reason) => not_started(Unusable::not_started(reason)),
        error @ (InstantiationError::StartCalledHost | InstantiationError::Bug(_)) => {
            Broken::host_fault(error).into()
        }
        InstantiationError::Abandoned => Broken::Abandoned.into(),
        InstantiationError::Machine(failure) => Broken::from(failure).into(),
    }
}

fn not_started(unusable: Unusable) -> Failure {
    ExecutionError::from(unusable).into()
}

/// Logs why code can't be started, as the reference does; `reason` is what it does not know.
fn log_unusable(failure: &Failure, run: &str) {
    if let Failure::Execution(error) = failure {
        let reason = match error {
            ExecutionError::Instantiation(unusable) => unusable.detail.as_deref(),
            _ => None,
        };
        tracing::debug!(target: "arwen/host", err = %error, reason, "{run}/StartWasmerInstance");
    }
}

/// A failure to start as it is reported where code must be good: the reason is only logged.
fn as_invalid_contract(failure: Failure) -> Failure {
    match failure {
        Failure::Execution(_) => ExecutionError::ContractInvalid.into(),
        broken @ Failure::Broken(_) => broken,
    }
}

fn is_init(function: &[u8]) -> bool {
    INIT_FUNCTIONS.contains(&function)
}

impl HostCalls for Host {
    fn call(
        &mut self,
        function: usize,
        instance: &mut dyn InstanceAccess,
        arguments: &[i64],
    ) -> Result<i64, Abort> {
        let mut call = Call {
            host: self,
            instance,
        };
        let result = call.dispatch(function, arguments);
        result.map_err(|fault| {
            call.host.note_fault(call.instance, fault);
            Abort
        })
    }

    fn panicked(&mut self, message: String) {
        // Without a state there is nothing to note: then the panic came from the engine that has it.
        if let Some(state) = &mut self.0 {
            state.broken = Some(Broken::host_fault(message));
        }
    }
}

impl HostState {
    /// Remembers why a host function ends the execution (FAULT in docs/spec/eei.md#notation).
    fn note_fault(&mut self, instance: &mut dyn InstanceAccess, fault: Fault) {
        self.contexts.runtime.breakpoint = match fault {
            Fault::Api(error) => {
                self.contexts.use_all_gas(instance);
                self.contexts.note_failure(&error);
                Breakpoint::ExecutionFailed
            }
            Fault::Signalled => Breakpoint::SignalError,
            Fault::AsyncCall => Breakpoint::AsyncCall,
            Fault::OutOfGas => Breakpoint::OutOfGas,
            Fault::Broken(broken) => {
                self.broken = Some(broken);
                Breakpoint::None
            }
        };
    }
}
