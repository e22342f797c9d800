//! Transfers of value, and calls that are made later (docs/spec/eei.md#base-functions,
//! docs/spec/host.md#asynchronous-calls).

use super::memory::VALUE_BYTES;
use super::table::host_functions;
use super::{Answer, Call, as_count};
use crate::vm::contexts::big_int::from_unsigned_bytes;
use crate::vm::contexts::promises::Promise;
use crate::vm::contexts::runtime::AsyncCall;
use crate::vm::error::{ExecutionError, Failure, Fault};
use bytes::Bytes;
use num_bigint::BigInt;

host_functions! {
    namespace "env", costs Kalyan3104APICost;

    /// Sends value and data; returns 1 if there is too little.
    "transferValue" => transfer_value(
        destination_offset: i32, value_offset: i32, data_offset: i32, length: i32,
    ) -> i32, gas TransferValue;
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
    /// TRANSFER without data; false if it failed.
    pub(super) fn transfer(
        &mut self,
        destination: &Bytes,
        sender: &Bytes,
        value: &BigInt,
        data: &[u8],
    ) -> Answer<bool> {
        match self
            .contexts()
            .transfer(destination, sender, 0, value, data)
        {
            Ok(()) => Ok(true),
            Err(Failure::Execution(_)) => Ok(false),
            Err(Failure::Broken(broken)) => Err(broken.into()),
        }
    }

    fn transfer_value(
        &mut self,
        destination_offset: i32,
        value_offset: i32,
        data_offset: i32,
        length: i32,
    ) -> Answer<i32> {
        let sender = self.contexts().current_call().address.clone();
        let destination = self.load_address(destination_offset)?;
        let value = from_unsigned_bytes(&self.load(value_offset, VALUE_BYTES)?);
        let data = self.load(data_offset, length)?;
        self.charge_persisted_bytes(as_count(length));
        let transferred = self.transfer(&destination, &sender, &value, &data)?;
        Ok(i32::from(!transferred))
    }

    fn async_call(
        &mut self,
        destination_offset: i32,
        value_offset: i32,
        data_offset: i32,
        length: i32,
    ) -> Answer<()> {
        let destination = self.load_address(destination_offset)?;
        let value = self.load(value_offset, VALUE_BYTES)?;
        let data = self.load(data_offset, length)?;
        self.charge_copied_bytes(as_count(length));
        let contexts = &mut self.host.contexts;
        let gas_limit = contexts.gas_left(self.instance);
        let costs = &contexts.schedule.Kalyan3104APICost;
        let steps = costs.AsyncCallStep.wrapping_mul(2);
        if gas_limit < steps.wrapping_add(costs.AsyncCallbackGasLock) {
            return Err(Fault::OutOfGas);
        }
        contexts.runtime.state.async_call = Some(AsyncCall {
            destination,
            data,
            gas_limit,
            value,
        });
        Err(Fault::AsyncCall)
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
    ) -> Answer<()> {
        let identifier = self.load(identifier_offset, identifier_length)?;
        let promise = Promise {
            destination: self.load_address(destination_offset)?,
            value: self.load(value_offset, VALUE_BYTES)?,
            data: self.load(data_offset, length)?,
            success_callback: self.load(success_offset, success_length)?,
            error_callback: self.load(error_offset, error_length)?,
            provided_gas: provided_gas as u64,
            ..Promise::default()
        };
        let promises = &mut self.contexts().runtime.state.promises;
        promises.add(identifier, promise);
        Ok(())
    }

    fn set_async_context_callback(
        &mut self,
        identifier_offset: i32,
        identifier_length: i32,
        callback_offset: i32,
        callback_length: i32,
    ) -> Answer<i32> {
        let identifier = self.load(identifier_offset, identifier_length)?;
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
