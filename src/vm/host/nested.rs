//! Executions inside of executions (docs/spec/host.md#destination-context, #same-context, #execute).
//!
//! Everywhere `payer` is the instance that called: it is active while the callee has none, and pays for the callee.

use super::Host;
use super::instance::is_init;
use super::observed::{Begun, end_of_broken};
use crate::engine::InstanceAccess;
use crate::trace::{CallKind, End};
use crate::vm::contexts::asynchronous::Promises;
use crate::vm::contexts::big_int::BigInts;
use crate::vm::contexts::input::CallInput;
use crate::vm::contexts::metering::{restore_gas, use_gas};
use crate::vm::contexts::output::OutputState;
use crate::vm::error::{Broken, ExecutionError, Failure};
use bytes::Bytes;

/// What the caller learns of an execution on destination context.
#[derive(Debug)]
pub struct NestedOutput {
    pub return_code: i64,
    pub return_message: Bytes,
    pub return_data: Vec<Bytes>,
    pub gas_remaining: u64,
    /// Why it failed, if it did.
    pub error: Option<ExecutionError>,
    /// The callee's promises as they are after processing; none if it failed before that.
    pub promises: Option<Promises>,
}

impl Host {
    /// Runs a contract on its own storage; without success nothing of it remains.
    pub fn execute_on_dest_context(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<NestedOutput, Broken> {
        log_nested("ExecuteOnDestContext", call);
        let begun = |host: &Host| Begun::call(host.kind_of(call), call);
        let used = self.tell_entry(payer, begun);
        let output = self.call_on_storage(payer, call);
        self.tell_exit(payer, used, |_| end_of_nested(&output));
        output
    }

    fn call_on_storage(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<NestedOutput, Broken> {
        let steps = self.contexts.output.steps_to_copy_accounts();
        self.contexts.effort.spend(steps)?;
        self.enter_dest_context(call);
        let mut promises = None;
        match self.run_on_dest_context(payer, call, &mut promises) {
            Ok(()) => Ok(self.leave_dest_context(payer, promises)),
            Err(Failure::Execution(error)) => Ok(self.leave_failed_dest_context(error, promises)),
            Err(Failure::Broken(broken)) => Err(broken),
        }
    }

    fn enter_dest_context(&mut self, call: &CallInput) {
        let contexts = &mut self.contexts;
        contexts.big_ints.enter(BigInts::default());
        let output = contexts.output.with_accounts_only();
        contexts.output.lose_metadata();
        contexts.output.enter(output);
        let state = contexts.runtime.state.of_call(call);
        contexts.runtime.state.enter(state);
        contexts.storage_address.enter(call.recipient.clone());
    }

    fn run_on_dest_context(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
        promises: &mut Option<Promises>,
    ) -> Result<(), Failure> {
        self.transfer_call_value(call)?;
        self.execute(payer, call)?;
        let registered = std::mem::take(&mut self.contexts.runtime.state.promises);
        self.process_promises(payer, promises.insert(registered))?;
        Ok(())
    }

    fn leave_dest_context(
        &mut self,
        payer: &mut dyn InstanceAccess,
        promises: Option<Promises>,
    ) -> NestedOutput {
        let contexts = &mut self.contexts;
        contexts.output.gas_remaining = contexts.gas_left(payer);
        contexts.big_ints.restore();
        let output = contexts.output.restore();
        let nested = NestedOutput {
            return_code: output.return_code,
            return_message: output.return_message.clone(),
            return_data: output.return_data.clone(),
            gas_remaining: output.gas_remaining,
            error: None,
            promises,
        };
        contexts.output.merge(output);
        contexts.runtime.state.restore();
        contexts.storage_address.restore();
        nested
    }

    fn leave_failed_dest_context(
        &mut self,
        error: ExecutionError,
        promises: Option<Promises>,
    ) -> NestedOutput {
        let contexts = &mut self.contexts;
        let output = contexts.failure_output(&error);
        contexts.big_ints.restore();
        contexts.output.restore();
        contexts.runtime.state.restore();
        contexts.storage_address.restore();
        NestedOutput {
            return_code: output.return_code,
            return_message: output.return_message,
            return_data: Vec::new(),
            gas_remaining: output.gas_remaining,
            error: Some(error),
            promises,
        }
    }

    /// Runs a contract's code on the caller's storage, big integers and return data. Its promises are dropped.
    pub fn execute_on_same_context(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<(), Failure> {
        log_nested("ExecuteOnSameContext", call);
        let kind = match self.contexts.current_call().read_only {
            true => CallKind::ReadOnly,
            false => CallKind::SameContext,
        };
        let steps = self.contexts.steps_to_copy();
        self.contexts.effort.spend(steps).map_err(Broken::from)?;
        let used = self.tell_entry(payer, |_| Begun::call(kind, call));
        let contexts = &mut self.contexts;
        contexts.big_ints.push();
        let mut copy = OutputState::clone(&contexts.output);
        copy.lose_metadata();
        contexts.output.push_copy(copy);
        let state = contexts.runtime.state.of_call(call);
        contexts.runtime.state.enter(state);
        let transferred = self.transfer_call_value(call);
        let result = transferred.and_then(|()| self.execute(payer, call));
        self.tell_exit(payer, used, |host| host.end_of_shared(&result));
        let contexts = &mut self.contexts;
        if result.is_ok() {
            contexts.big_ints.discard();
            contexts.output.discard();
        } else {
            contexts.big_ints.restore();
            contexts.output.restore();
        }
        contexts.runtime.state.restore();
        result
    }

    fn transfer_call_value(&mut self, call: &CallInput) -> Result<(), Failure> {
        let (receiver, input) = (&call.recipient, &call.input);
        self.contexts
            .transfer(receiver, &input.caller, 0, &input.call_value, &[])
    }

    /// EXECUTE: the payer loses all gas of the call, and gets back what is left of it if all goes well.
    fn execute(&mut self, payer: &mut dyn InstanceAccess, call: &CallInput) -> Result<(), Failure> {
        if self.contexts.is_builtin(&call.function) {
            return self.execute_builtin(payer, call);
        }
        use_gas(payer, call.input.gas_provided);
        if is_init(&call.function) {
            return Err(ExecutionError::InitCalled.into());
        }
        let code = self.contexts.code(&call.recipient)?;
        self.contexts.deduct_for_execution(&code)?;
        self.contexts.runtime.waiting_instances += 1;
        let result = self.execute_code(&code);
        self.contexts.runtime.waiting_instances -= 1;
        restore_gas(payer, result?);
        Ok(())
    }

    /// Returns the gas that is left.
    fn execute_code(&mut self, code: &Bytes) -> Result<u64, Failure> {
        let limit = self.contexts.current_call().input.gas_provided;
        let mut running = self.start(code, limit)?;
        let function = running.function_to_call(&self.contexts.current_call().function)?;
        self.run_function(&mut running, &function)?;
        if self.contexts.output.return_code != 0 {
            return Err(ExecutionError::ReturnCodeNotOk.into());
        }
        self.contexts.unlock_gas();
        Ok(self.contexts.gas_left(running.access()))
    }
}

/// How a call on destination context ended, for observers.
fn end_of_nested(output: &Result<NestedOutput, Broken>) -> End {
    match output {
        Ok(output) if output.return_code == 0 => End::Ok {
            return_data: output.return_data.clone(),
        },
        Ok(output) => End::Failed {
            code: output.return_code,
            message: output.return_message.clone(),
        },
        Err(broken) => end_of_broken(broken),
    }
}

fn log_nested(run: &str, call: &CallInput) {
    let function = String::from_utf8_lossy(&call.function);
    tracing::trace!(target: "arwen/host", function = &*function, "{run}");
}
