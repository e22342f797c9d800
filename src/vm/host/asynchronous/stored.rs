//! Answers from other shards to promises that were stored (docs/spec/host.md#incoming-callback).

use super::json;
use crate::engine::InstanceAccess;
use crate::vm::contexts::asynchronous::Promises;
use crate::vm::error::{ExecutionError, Failure};
use crate::vm::host::nested::NestedOutput;
use crate::vm::host::{CALLBACK_FUNCTION, Host};
use bytes::Bytes;

impl Host {
    /// Before the function: the success callback of the promise that is answered takes its place, whatever the answer
    /// is (docs/spec/README.md#quirk-39).
    pub(in crate::vm::host) fn choose_stored_callback(&mut self) -> Result<(), Failure> {
        let Some(promises) = self.load_promises()? else {
            return Ok(());
        };
        let caller = &self.contexts.current_call().input.caller;
        let answered = promises
            .calls()
            .find(|promise| promise.destination == *caller);
        if let Some(promise) = answered {
            self.contexts.runtime.state.function = promise.success_callback.clone();
        }
        Ok(())
    }

    /// After the function: if no other answer is awaited, the promises are over, and their caller is answered.
    /// Otherwise what is stored stays as it is (docs/spec/README.md#quirk-39).
    pub(in crate::vm::host) fn answer_stored_promise(
        &mut self,
        payer: &mut dyn InstanceAccess,
    ) -> Result<(), Failure> {
        let Some(mut promises) = self.load_promises()? else {
            return Ok(());
        };
        let caller = &self.contexts.current_call().input.caller;
        let Some((group, call)) = promises.position_of(caller) else {
            return Err(ExecutionError::UnexpectedCallBack.into());
        };
        promises.groups[group].calls.swap_remove(call);
        if promises.groups[group].calls.is_empty() {
            promises.groups.remove(group);
        }
        if !promises.groups.is_empty() {
            return Ok(());
        }
        let key = self.stored_promises_key();
        self.contexts.store_storage(payer, &key, Bytes::new())?;
        if !self.contexts.has_code(&promises.caller)? {
            return self.send_answer(payer, &promises.caller, &promises.return_data);
        }
        let output = self.output_so_far(payer);
        let callback = Bytes::from_static(CALLBACK_FUNCTION);
        let input = self.callback_input(&output, &promises.caller, callback)?;
        self.execute_callback(payer, &input)
    }

    fn load_promises(&mut self) -> Result<Option<Promises>, Failure> {
        let key = self.stored_promises_key();
        let stored = self.contexts.load_storage(&key)?;
        if stored.is_empty() {
            return Ok(None);
        }
        json::read(&stored).map(Some)
    }

    /// The output of the call at hand, as if it had ended.
    fn output_so_far(&mut self, payer: &mut dyn InstanceAccess) -> NestedOutput {
        let output = &self.contexts.output;
        NestedOutput {
            return_code: output.return_code,
            return_message: output.return_message.clone(),
            return_data: output.return_data.clone(),
            gas_remaining: self.contexts.gas_left(payer),
            error: None,
            promises: None,
        }
    }
}
