//! Making the promised calls when an execution has ended (docs/spec/host.md#promise-processing).

use super::calls::parse_call_data;
use super::json;
use crate::engine::InstanceAccess;
use crate::vm::contexts::asynchronous::{AsyncCall, Promise, PromiseStatus, Promises};
use crate::vm::error::{Broken, ExecutionError, Failure};
use crate::vm::host::Host;
use bytes::Bytes;

/// What follows the hash of the transaction in the storage key of stored promises.
const STORED_PROMISES_SUFFIX: &[u8] = b"asyncCalls";

impl Host {
    /// Makes the calls whose destination is here, and leaves the others to the node, together with what is needed when
    /// their answers come. Returns those that are pending then.
    pub(in crate::vm::host) fn process_promises(
        &mut self,
        payer: &mut dyn InstanceAccess,
        promises: &mut Promises,
    ) -> Result<Promises, Failure> {
        if promises.groups.is_empty() {
            return Ok(Promises::default());
        }
        let steps = promises.steps_to_process();
        self.contexts.effort.spend(steps).map_err(Broken::from)?;
        self.set_gas_limits(payer, promises)?;
        for promise in promises.calls_mut() {
            if self.contexts.has_code(&promise.destination)? {
                self.make_promised_call(payer, promise)?;
            }
        }
        let mut pending = promises.pending();
        if pending.groups.is_empty() {
            return Ok(pending);
        }
        let stored = json::write(&pending);
        let key = self.stored_promises_key();
        self.contexts.store_storage(payer, &key, stored.into())?;
        self.set_gas_limits(payer, &mut pending)?;
        for promise in pending.calls() {
            if !self.contexts.has_code(&promise.destination)? {
                self.send_async_call(payer, &as_async_call(promise))?;
            }
        }
        Ok(pending)
    }

    /// Where promises are stored while their answers are on the way.
    pub(super) fn stored_promises_key(&self) -> Bytes {
        let hash = &self.contexts.current_call().input.original_tx_hash;
        [hash, STORED_PROMISES_SUFFIX].concat().into()
    }

    /// Gives every call the gas that it was promised, or its share of the rest.
    fn set_gas_limits(
        &mut self,
        payer: &mut dyn InstanceAccess,
        promises: &mut Promises,
    ) -> Result<(), ExecutionError> {
        let left = self.contexts.gas_left(payer);
        let mut needed: u64 = 0;
        let mut sharing: u64 = 0;
        for promise in promises.calls_mut() {
            needed = needed
                .checked_add(promise.provided_gas)
                .ok_or(ExecutionError::AdditionOverflow)?;
            if needed > left {
                return Err(ExecutionError::NotEnoughGas);
            }
            if promise.provided_gas == 0 {
                sharing += 1;
            } else {
                promise.gas_limit = promise.provided_gas;
            }
        }
        if sharing == 0 {
            return Ok(());
        }
        if left == needed {
            return Err(ExecutionError::NotEnoughGas);
        }
        let share = (left - needed) / sharing;
        let calls = promises.calls_mut();
        for promise in calls.filter(|promise| promise.provided_gas == 0) {
            promise.gas_limit = share;
        }
        Ok(())
    }

    /// Calls a destination and then back, unless the destination has promises of its own that are pending.
    fn make_promised_call(
        &mut self,
        payer: &mut dyn InstanceAccess,
        promise: &mut Promise,
    ) -> Result<(), Failure> {
        let call = as_async_call(promise);
        self.contexts.spend_on_call_data(&call.data)?;
        let input = parse_call_data(&call.data)
            .and_then(|(function, arguments)| self.destination_input(&call, function, arguments))
            .map_err(|error| {
                Broken::host_fault(format!("a promised call can't be made: {error}"))
            })?;
        let output = self.execute_on_dest_context(payer, &input)?;
        let Some(promises) = &output.promises else {
            return Err(Broken::host_fault("a promised call failed").into());
        };
        if !promises.pending().groups.is_empty() {
            return match output.error {
                Some(error) => Err(error.into()),
                None => Ok(()),
            };
        }
        let callback = if output.return_code == 0 {
            promise.status = PromiseStatus::Resolved;
            promise.success_callback.clone()
        } else {
            promise.status = PromiseStatus::Rejected;
            promise.error_callback.clone()
        };
        let input = self.callback_input(&output, &promise.destination, callback)?;
        self.execute_callback(payer, &input)
    }
}

fn as_async_call(promise: &Promise) -> AsyncCall {
    AsyncCall {
        destination: promise.destination.clone(),
        data: promise.data.clone(),
        gas_limit: promise.gas_limit,
        value: promise.value.clone(),
    }
}
