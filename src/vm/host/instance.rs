//! Instances of contracts: how they start, and how a function of theirs runs and ends (docs/spec/host.md#deploy-checks,
//! #function-resolution, #breakpoints).

use super::{Host, is_upgrade};
use crate::engine::cache::{CompilationError, Counted};
use crate::engine::{
    CallEnd, CompiledModule, ExportedFunction, Instance, InstanceAccess, InstantiationError,
    function_names, validation,
};
use crate::trace::Event;
use crate::vm::contexts::runtime::Breakpoint;
use crate::vm::eei;
use crate::vm::error::{Broken, ExecutionError, Failure, Unusable};
use bytes::Bytes;
use std::sync::Arc;

/// Instances that may wait for a nested one (docs/spec/host.md#depth).
const MAXIMUM_WAITING_INSTANCES: usize = 10;

/// The function that deploys and upgrades call.
const INIT_FUNCTIONS: [&[u8]; 2] = [b"init", b"solidity.ctor"];

/// The function that is called when there is none of the name asked for.
const FALLBACK_FUNCTION: &[u8] = b"main";

/// An instance and its code.
pub(super) struct Running {
    instance: Box<dyn Instance<Host>>,
    module: Arc<dyn CompiledModule<Host>>,
    /// The names of its functions, for an observer; none without one.
    function_names: Vec<String>,
}

impl Running {
    /// Its points and its memory.
    pub(super) fn access(&mut self) -> &mut dyn InstanceAccess {
        &mut *self.instance
    }

    /// The names of its functions, if they were asked for.
    pub(super) fn function_names(&self) -> &[String] {
        &self.function_names
    }

    fn exported_function(&self, name: &[u8]) -> Option<ExportedFunction> {
        let mut functions = self.module.exported_functions().iter();
        functions
            .find(|function| function.name.as_bytes() == name)
            .cloned()
    }

    /// The function that a call means (docs/spec/host.md#function-resolution).
    pub(super) fn function_to_call(&self, name: &[u8]) -> Result<ExportedFunction, ExecutionError> {
        self.exported_function(name)
            .or_else(|| self.exported_function(FALLBACK_FUNCTION))
            .ok_or(ExecutionError::FunctionNotFound)
    }

    /// The function that a deploy calls, if there is one.
    pub(super) fn init_function(&self) -> Option<ExportedFunction> {
        INIT_FUNCTIONS
            .iter()
            .find_map(|name| self.exported_function(name))
    }
}

impl Host {
    /// Starts an instance of `code` with `gas` as its limit.
    pub(super) fn start(&mut self, code: &Bytes, gas: u64) -> Result<Running, Failure> {
        if self.contexts.runtime.waiting_instances >= MAXIMUM_WAITING_INSTANCES {
            return Err(ExecutionError::TooManyInstances.into());
        }
        let counted = match self.contexts.is_observed() {
            true => Counted::Details,
            false => Counted::Points,
        };
        let compiled = self.modules.compile(code, counted);
        let module = compiled.map_err(|error| match error {
            CompilationError::Invalid(invalid) => not_started(invalid.into()),
            CompilationError::Instrumentation(_) | CompilationError::Engine(_) => {
                not_started(Unusable::refused(error))
            }
            CompilationError::Panic(_) | CompilationError::Machine(_) => start_failure(error),
        })?;
        let instantiated = module.instantiate(gas);
        self.after_instantiation();
        let mut running = Running {
            instance: instantiated.map_err(start_failure)?,
            module,
            function_names: match self.contexts.is_observed() {
                true => function_names::of_code(code),
                false => Vec::new(),
            },
        };
        self.tell_executed(&mut running);
        Ok(running)
    }

    /// Starts an instance of code that is being deployed, which has to follow more rules
    /// (docs/spec/host.md#deploy-checks). A failure is logged under the name of `run`.
    pub(super) fn start_deploy(
        &mut self,
        code: &Bytes,
        gas: u64,
        run: &str,
    ) -> Result<Running, Failure> {
        let started = self.start(code, gas);
        let running = started.inspect_err(|failure| log_unusable(failure, run))?;
        let module = &running.module;
        let is_reserved = |name: &str| {
            is_upgrade(name.as_bytes())
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
    pub(super) fn run_function(
        &mut self,
        running: &mut Running,
        function: &ExportedFunction,
    ) -> Result<(), Failure> {
        if function.parameters > 0 {
            return Err(ExecutionError::MissingArguments(function.parameters).into());
        }
        self.contexts.tell(|| Event::Started {
            function: function.name.clone(),
        });
        let outer = std::mem::take(&mut self.contexts.runtime.breakpoint);
        let lent = Box::new(Host(self.0.take()));
        let (host, end) = running.instance.call(&function.name, lent);
        *self = *host;
        self.tell_executed(running);
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

    /// What an abort means for the function that it ended.
    fn after_abort(
        &mut self,
        instance: &mut dyn InstanceAccess,
        function: &str,
    ) -> Result<(), Failure> {
        if let Some(broken) = self.broken.take() {
            return Err(broken.into());
        }
        let error = match std::mem::take(&mut self.contexts.runtime.breakpoint) {
            Breakpoint::None => ExecutionError::Trap(function.to_owned()),
            Breakpoint::ExecutionFailed => ExecutionError::ExecutionFailed,
            Breakpoint::SignalError => ExecutionError::Signalled,
            Breakpoint::OutOfGas => ExecutionError::NotEnoughGas,
            Breakpoint::AsyncCall => return self.make_async_call(instance),
        };
        Err(error.into())
    }

    /// Once there is an instance, it is known whether the run may be given up.
    fn after_instantiation(&mut self) {
        if !self.modules.engine().may_give_up() {
            self.modules.engine().require_last_tier();
            self.contexts.hook.stop_recording();
        }
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
pub(super) fn log_unusable(failure: &Failure, run: &str) {
    if let Failure::Execution(error) = failure {
        let reason = match error {
            ExecutionError::Instantiation(unusable) => unusable.detail.as_deref(),
            _ => None,
        };
        tracing::debug!(target: "arwen/host", err = %error, reason, "{run}/StartWasmerInstance");
    }
}

/// A failure to start as it is reported where code must be good: the reason is only logged.
pub(super) fn as_invalid_contract(failure: Failure) -> Failure {
    match failure {
        Failure::Execution(_) => ExecutionError::ContractInvalid.into(),
        broken @ Failure::Broken(_) => broken,
    }
}

/// Whether this is a function that only deploys and upgrades call.
pub(super) fn is_init(function: &[u8]) -> bool {
    INIT_FUNCTIONS.contains(&function)
}
