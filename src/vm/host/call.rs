//! Calls by transactions (docs/spec/host.md#call).

use super::instance::{Running, as_invalid_contract, is_init, log_unusable};
use super::{CALLBACK_FUNCTION, Host};
use crate::messages::CallType;
use crate::vm::contexts::input::CallInput;
use crate::vm::error::{ExecutionError, Failure};

impl Host {
    /// The state that calls and upgrades begin with. The node has checked that the caller has the value.
    pub(super) fn begin_top_level_call(&mut self, call: &CallInput) {
        let contexts = &mut self.contexts;
        *contexts.runtime.state = contexts.runtime.state.of_call(call);
        let account = contexts.output.account(&call.recipient);
        account.balance_delta += &call.input.call_value;
        *contexts.storage_address = call.recipient.clone();
    }

    /// Calls a function of a contract, up to the output.
    pub(super) fn call_contract(&mut self, call: &CallInput) -> Result<(), Failure> {
        self.begin_top_level_call(call);
        let code = match self.contexts.code(&call.recipient) {
            Ok(code) => code,
            Err(Failure::Execution(_)) => return Err(ExecutionError::ContractNotFound.into()),
            Err(broken) => return Err(broken),
        };
        self.contexts.deduct_for_execution(&code)?;
        let limit = self.contexts.current_call().input.gas_provided;
        let started = self.start(&code, limit);
        let started = started.inspect_err(|failure| log_unusable(failure, "RunSmartContractCall"));
        let mut running = started.map_err(as_invalid_contract)?;
        self.call_function(call, &mut running)?;
        self.contexts.unlock_gas();
        self.contexts.output.gas_remaining = self.contexts.gas_left(running.access());
        Ok(())
    }

    fn call_function(&mut self, call: &CallInput, running: &mut Running) -> Result<(), Failure> {
        let call_type = call.input.call_type;
        let is_answer = call_type == i64::from(CallType::AsynchronousCallBack as i32);
        if is_init(&call.function) {
            return Err(ExecutionError::InitCalled.into());
        }
        if call.function == CALLBACK_FUNCTION && !is_answer {
            return Err(ExecutionError::CallBackCalled.into());
        }
        if is_answer {
            self.choose_stored_callback()?;
        }
        let function = running.function_to_call(&self.contexts.current_call().function)?;
        self.run_function(running, &function)?;
        if is_answer {
            return self.answer_stored_promise(running.access());
        }
        let mut promises = std::mem::take(&mut self.contexts.runtime.state.promises);
        let pending = self.process_promises(running.access(), &mut promises)?;
        if call_type == i64::from(CallType::AsynchronousCall as i32) && pending.groups.is_empty() {
            self.answer_caller(running.access())?;
        }
        Ok(())
    }
}
