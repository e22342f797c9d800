//! Arguments, results, events, and what the contract is told of the call (docs/spec/eei.md#base-functions).

use super::call::{Call, HostResult, as_count, as_size, item};
use super::table::host_functions;
use crate::messages::ReturnCode;
use crate::messages::null::not_null;
use crate::vm::contexts::big_int::{from_signed_bytes, signed_bytes, unsigned_bytes};
use crate::vm::effort::ELEMENT_STEPS;
use crate::vm::error::{ExecutionError, Interrupt};
use crate::vm::memory::{HASH_BYTES, VALUE_BYTES, list_length};
use bytes::Bytes;

/// Of a topic, for which gas is charged only when all of them have been read: about the nanoseconds that it takes.
const TOPIC_STEPS: u64 = 2 * (ELEMENT_STEPS + HASH_BYTES as u64);

host_functions! {
    namespace "env", costs Kalyan3104APICost;

    /// The address of the current contract.
    "getSCAddress" => get_sc_address(result_offset: i32), gas GetSCAddress;
    /// The owner of the current contract; nothing is written if there is none.
    "getOwnerAddress" => get_owner_address(result_offset: i32), gas GetOwnerAddress;
    /// The length of an argument, or -1.
    "getArgumentLength" => get_argument_length(id: i32) -> i32, gas GetArgument;
    /// Copies an argument; returns its length, or -1.
    "getArgument" => get_argument(id: i32, argument_offset: i32) -> i32, gas GetArgument;
    /// Copies the name of the function; returns its length.
    "getFunction" => get_function(function_offset: i32) -> i32, gas GetFunction;
    /// The number of arguments.
    "getNumArguments" => get_num_arguments() -> i32, gas GetNumArguments;
    /// The address of the caller.
    "getCaller" => get_caller(result_offset: i32), gas GetCaller;
    /// The value of the call in 32 bytes. For 0 nothing is written (docs/spec/README.md#quirk-4).
    "getCallValue" => get_call_value(result_offset: i32) -> i32, gas GetCallValue;
    /// Emits an event. The first topic is its identifier.
    "writeLog" => write_log(data_offset: i32, length: i32, topics: i32, topic_count: i32), gas Log;
    /// Adds an item to the return data. The function goes on.
    "finish" => finish(data_offset: i32, length: i32), gas Finish;
    /// Ends the execution with an error of the contract's.
    "signalError" => signal_error(message_offset: i32, message_length: i32), gas SignalError;
    /// The number of items of the return data.
    "getNumReturnData" => get_num_return_data() -> i32, gas GetNumReturnData;
    /// The length of an item of the return data; 0 for none.
    "getReturnDataSize" => get_return_data_size(id: i32) -> i32, gas GetReturnDataSize;
    /// Copies an item of the return data; returns its length.
    "getReturnData" => get_return_data(id: i32, data_offset: i32) -> i32, gas GetReturnData;
    /// An argument as a signed number.
    "int64getArgument" => int64_get_argument(id: i32) -> i64, gas Int64GetArgument;
    /// Adds a signed number to the return data.
    "int64finish" => int64_finish(value: i64), gas Int64Finish;
    /// The gas that is left after this call. Operators since the last branch or call are not counted yet.
    "getGasLeft" => get_gas_left() -> i64, gas GetGasLeft;
}

impl Call<'_> {
    fn get_sc_address(&mut self, result_offset: i32) -> HostResult<()> {
        let address = self.contexts().current_call().address.clone();
        self.store(result_offset, &address)
    }

    fn get_owner_address(&mut self, result_offset: i32) -> HostResult<()> {
        let owner = self.contexts().owner_address()?;
        self.store(result_offset, &owner)
    }

    fn get_argument_length(&mut self, id: i32) -> HostResult<i32> {
        Ok(self
            .argument(id)
            .map_or(-1, |argument| as_size(argument.len())))
    }

    fn get_argument(&mut self, id: i32, argument_offset: i32) -> HostResult<i32> {
        let Some(argument) = self.argument(id) else {
            return Ok(-1);
        };
        self.store(argument_offset, &argument)?;
        Ok(as_size(argument.len()))
    }

    fn get_function(&mut self, function_offset: i32) -> HostResult<i32> {
        let function = self.contexts().current_call().function.clone();
        self.store(function_offset, &function)?;
        Ok(as_size(function.len()))
    }

    fn get_num_arguments(&mut self) -> HostResult<i32> {
        Ok(as_size(
            self.contexts().current_call().input.arguments.len(),
        ))
    }

    fn get_caller(&mut self, result_offset: i32) -> HostResult<()> {
        let caller = self.contexts().current_call().input.caller.clone();
        self.store(result_offset, &caller)
    }

    fn get_call_value(&mut self, result_offset: i32) -> HostResult<i32> {
        let bytes = unsigned_bytes(&self.contexts().current_call().input.call_value);
        let padding = if bytes.is_empty() {
            0
        } else {
            (VALUE_BYTES as usize).saturating_sub(bytes.len())
        };
        let padded = [vec![0; padding], bytes].concat();
        self.store(result_offset, &padded)?;
        Ok(as_size(padded.len()))
    }

    fn write_log(
        &mut self,
        data_offset: i32,
        length: i32,
        topics: i32,
        topic_count: i32,
    ) -> HostResult<()> {
        let data = self.load(data_offset, length)?;
        list_length(topic_count)?;
        let mut loaded = Vec::new();
        for index in 0..topic_count {
            let offset = topics.wrapping_add(index.wrapping_mul(HASH_BYTES));
            self.spend(TOPIC_STEPS)?;
            loaded.push(self.load(offset, HASH_BYTES)?);
        }
        self.contexts().write_log(loaded, data);
        // Counted in 32 bits.
        let bytes = topic_count.wrapping_mul(HASH_BYTES).wrapping_add(length);
        self.charge_persisted_bytes(as_count(bytes));
        Ok(())
    }

    fn finish(&mut self, data_offset: i32, length: i32) -> HostResult<()> {
        let data = self.load(data_offset, length)?;
        self.add_return_data(data)?;
        self.charge_persisted_bytes(as_count(length));
        Ok(())
    }

    fn signal_error(&mut self, message_offset: i32, message_length: i32) -> HostResult<()> {
        let message = self.load(message_offset, message_length)?;
        Err(self.signal(message))
    }

    /// Makes the output tell of an error of the contract's.
    pub(super) fn signal(&mut self, message: Bytes) -> Interrupt {
        let output = &mut self.contexts().output;
        output.return_code = i64::from(ReturnCode::UserError as i32);
        output.return_message = message;
        Interrupt::Signalled
    }

    fn get_num_return_data(&mut self) -> HostResult<i32> {
        Ok(as_size(self.contexts().output.return_data.len()))
    }

    fn get_return_data_size(&mut self, id: i32) -> HostResult<i32> {
        let item = item(&self.contexts().output.return_data, id)?;
        Ok(item.map_or(0, |item| as_size(item.len())))
    }

    fn get_return_data(&mut self, id: i32, data_offset: i32) -> HostResult<i32> {
        let Some(item) = item(&self.contexts().output.return_data, id)? else {
            return Ok(0);
        };
        self.store(data_offset, &item)?;
        Ok(as_size(item.len()))
    }

    fn int64_get_argument(&mut self, id: i32) -> HostResult<i64> {
        let argument = self.argument(id).ok_or(ExecutionError::ArgumentIndex)?;
        let number = from_signed_bytes(&argument);
        Ok(i64::try_from(number).map_err(|_| ExecutionError::ArgumentRange)?)
    }

    fn int64_finish(&mut self, value: i64) -> HostResult<()> {
        let item = signed_bytes(&value.into());
        self.add_return_data(not_null(item))
    }

    /// The gas that is left, for contracts.
    pub(super) fn get_gas_left(&mut self) -> HostResult<i64> {
        Ok(self.host.contexts().gas_left(self.instance) as i64)
    }
}
