//! Asynchronous calls (docs/spec/eei.md#base-functions, docs/spec/host.md#asynchronous-calls): the contract asks here, the
//! module `host::asynchronous` makes them.

use super::call::{Call, HostResult, as_count};
use super::table::host_functions;
use crate::trace::Effect;
use crate::vm::contexts::asynchronous::{AsyncCall, Promise};
use crate::vm::contexts::big_int::from_unsigned_bytes;
use crate::vm::effort::PROMISE_STEPS;
use crate::vm::error::{ExecutionError, Interrupt};
use crate::vm::memory::VALUE_BYTES;
use bytes::Bytes;

host_functions! {
    namespace "env", costs Kalyan3104APICost;

    /// Makes an asynchronous call. The function ends here.
    "asyncCall" => async_call(
        destination_offset: i32, value_offset: i32, data_offset: i32, length: i32,
    ), gas AsyncCallStep;
    /// Registers a call that is made when the execution has ended.
    "createAsyncCall" => create_async_call(
        identifier_offset: i32, identifier_length: i32, destination_offset: i32, value_offset: i32,
        data_offset: i32, length: i32, success_offset: i32, success_length: i32,
        error_offset: i32, error_length: i32, provided_gas: i64,
    ), no gas;
    /// Names a callback for registered calls. It is never called (docs/spec/README.md#quirk-39).
    "setAsyncContextCallback" => set_async_context_callback(
        identifier_offset: i32, identifier_length: i32, callback_offset: i32, callback_length: i32,
    ) -> i32, no gas;
}

impl Call<'_> {
    fn async_call(
        &mut self,
        destination_offset: i32,
        value_offset: i32,
        data_offset: i32,
        length: i32,
    ) -> HostResult<()> {
        let destination = self.load_address(destination_offset)?;
        let value = self.load(value_offset, VALUE_BYTES)?;
        let data = self.load(data_offset, length)?;
        self.charge_copied_bytes(as_count(length));
        let contexts = self.host.contexts();
        let gas_limit = contexts.gas_left(self.instance);
        let costs = &contexts.schedule.Kalyan3104APICost;
        let steps = costs.AsyncCallStep.wrapping_mul(2);
        if gas_limit < steps.wrapping_add(costs.AsyncCallbackGasLock) {
            return Err(Interrupt::OutOfGas);
        }
        contexts.tell_effect(|| Effect::Async {
            destination: destination.clone(),
            data: data[..].into(),
            value: from_unsigned_bytes(&value),
            gas_limit,
        });
        contexts.runtime.state.async_call = Some(AsyncCall {
            destination,
            data,
            gas_limit,
            value,
        });
        Err(Interrupt::AsyncCall)
    }

    /// The identifier of a group of promises, which is compared with those of all groups.
    fn load_identifier(&mut self, offset: i32, length: i32) -> HostResult<Bytes> {
        let identifier = self.load(offset, length)?;
        let groups = self.contexts().runtime.state.promises.groups.len() as u64;
        let words = (identifier.len() as u64).div_ceil(8);
        self.spend(groups * words.max(8))?;
        Ok(identifier)
    }

    #[expect(clippy::too_many_arguments, reason = "the signature of the import")]
    fn create_async_call(
        &mut self,
        identifier_offset: i32,
        identifier_length: i32,
        destination_offset: i32,
        value_offset: i32,
        data_offset: i32,
        length: i32,
        success_offset: i32,
        success_length: i32,
        error_offset: i32,
        error_length: i32,
        provided_gas: i64,
    ) -> HostResult<()> {
        let identifier = self.load_identifier(identifier_offset, identifier_length)?;
        self.spend(PROMISE_STEPS)?;
        let promise = Promise {
            destination: self.load_address(destination_offset)?,
            value: self.load(value_offset, VALUE_BYTES)?,
            data: self.load(data_offset, length)?,
            success_callback: self.load(success_offset, success_length)?,
            error_callback: self.load(error_offset, error_length)?,
            provided_gas: provided_gas as u64,
            ..Promise::default()
        };
        let contexts = self.contexts();
        contexts.tell_effect(|| Effect::Async {
            destination: promise.destination.clone(),
            data: promise.data[..].into(),
            value: from_unsigned_bytes(&promise.value),
            gas_limit: promise.provided_gas,
        });
        let promises = &mut contexts.runtime.state.promises;
        promises.add(identifier, promise);
        Ok(())
    }

    fn set_async_context_callback(
        &mut self,
        identifier_offset: i32,
        identifier_length: i32,
        callback_offset: i32,
        callback_length: i32,
    ) -> HostResult<i32> {
        let identifier = self.load_identifier(identifier_offset, identifier_length)?;
        let promises = &mut self.contexts().runtime.state.promises;
        if promises.group(&identifier).is_none() {
            return Err(ExecutionError::NoAsyncContext.into());
        }
        let callback = self.load(callback_offset, callback_length)?;
        let promises = &mut self.contexts().runtime.state.promises;
        if let Some(group) = promises.group(&identifier) {
            group.callback = callback;
        }
        Ok(0)
    }
}
