//! Asynchronous calls of the old style, which end the function that makes them (docs/spec/host.md#asynccall,
//! docs/spec/gas.md#asynchronous-gas).

use crate::engine::InstanceAccess;
use crate::hooks::BlockchainHook as _;
use crate::messages::CallType;
use crate::messages::null::not_null;
use crate::vm::contexts::asynchronous::AsyncCall;
use crate::vm::contexts::big_int::{from_unsigned_bytes, unsigned_bytes};
use crate::vm::contexts::input::{CallInput, Input};
use crate::vm::error::{Broken, ExecutionError, Failure, return_code_text, unless_refused};
use crate::vm::host::nested::NestedOutput;
use crate::vm::host::{CALLBACK_FUNCTION, Host};
use bytes::Bytes;
use num_bigint::BigInt;

/// Where an asynchronous call runs.
enum Mode {
    /// Here, with its callback.
    Synchronous,
    /// A built-in function of another shard: here and there.
    BuiltinElsewhere,
    /// On another shard, or nowhere.
    Elsewhere,
}

impl Host {
    /// Makes the call that the function has asked for; `payer` is the instance whose function that was.
    pub(in crate::vm::host) fn make_async_call(
        &mut self,
        payer: &mut dyn InstanceAccess,
    ) -> Result<(), Failure> {
        let call = self.contexts.current_call().async_call.clone();
        let call = call.expect("the breakpoint is set together with the call");
        self.contexts.spend_on_call_data(&call.data)?;
        let (function, arguments) = parse_call_data(&call.data)?;
        match self.mode_of(&call, &function)? {
            Mode::Elsewhere => self.send_async_call(payer, &call),
            Mode::BuiltinElsewhere => {
                let input = self.destination_input(&call, function, arguments)?;
                match self.execute_on_dest_context(payer, &input)?.error {
                    Some(error) => Err(error.into()),
                    None => self.send_async_call(payer, &call),
                }
            }
            Mode::Synchronous => self.call_destination_and_back(payer, &call, function, arguments),
        }
    }

    fn call_destination_and_back(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &AsyncCall,
        function: Bytes,
        arguments: Vec<Bytes>,
    ) -> Result<(), Failure> {
        let Ok(input) = self.destination_input(call, function, arguments) else {
            return Err(Broken::host_fault("no gas for an asynchronous call").into());
        };
        let output = self.execute_on_dest_context(payer, &input)?;
        let callback = Bytes::from_static(CALLBACK_FUNCTION);
        let Ok(input) = self.callback_input(&output, &call.destination, callback) else {
            let fault = "no gas for the callback of an asynchronous call";
            return Err(Broken::host_fault(fault).into());
        };
        self.execute_callback(payer, &input)
    }

    fn mode_of(&mut self, call: &AsyncCall, function: &[u8]) -> Result<Mode, Failure> {
        let contexts = &mut self.contexts;
        if contexts.has_code(&call.destination)? {
            return Ok(Mode::Synchronous);
        }
        let address = contexts.current_call().address.clone();
        let own_shard = unless_refused(contexts.hook.shard_of_address(&address))?;
        let shard = unless_refused(contexts.hook.shard_of_address(&call.destination))?;
        let same_shard = own_shard.unwrap_or_default() == shard.unwrap_or_default();
        Ok(match (contexts.is_builtin(function), same_shard) {
            (false, _) => Mode::Elsewhere,
            (true, true) => Mode::Synchronous,
            (true, false) => Mode::BuiltinElsewhere,
        })
    }

    /// The input of the destination. Fails if the call has no more gas than a step costs.
    pub(super) fn destination_input(
        &self,
        call: &AsyncCall,
        function: Bytes,
        arguments: Vec<Bytes>,
    ) -> Result<CallInput, ExecutionError> {
        let step = self.contexts.schedule.Kalyan3104APICost.AsyncCallStep;
        if call.gas_limit <= step {
            return Err(ExecutionError::NotEnoughGas);
        }
        Ok(CallInput {
            input: Input {
                caller: self.contexts.current_call().address.clone(),
                arguments,
                call_value: from_unsigned_bytes(&call.value),
                call_type: i64::from(CallType::AsynchronousCall as i32),
                gas_provided: call.gas_limit - step,
                ..self.inherited_input()
            },
            recipient: call.destination.clone(),
            function,
        })
    }

    /// The input of a callback: the outcome of the destination as arguments, the gas that it has left. Fails if that is
    /// not more than the callback costs.
    pub(super) fn callback_input(
        &self,
        output: &NestedOutput,
        caller: &Bytes,
        function: Bytes,
    ) -> Result<CallInput, ExecutionError> {
        let code = unsigned_bytes(&BigInt::from(output.return_code));
        let mut arguments = vec![Bytes::from(code)];
        match output.error {
            None => arguments.extend(output.return_data.iter().cloned()),
            Some(_) => arguments.push(output.return_message.clone()),
        }
        // The length of `function@argument@argument...`, were it written so, in bytes that are not yet hex.
        let lengths = arguments.iter().map(|argument| 1 + argument.len() as u64);
        let data_length = function.len() as u64 + lengths.sum::<u64>();
        let schedule = &self.contexts.schedule;
        let data_cost = schedule
            .BaseOperationCost
            .DataCopyPerByte
            .wrapping_mul(data_length);
        let cost = schedule
            .Kalyan3104APICost
            .AsyncCallStep
            .wrapping_add(data_cost);
        if output.gas_remaining <= cost {
            return Err(ExecutionError::NotEnoughGas);
        }
        Ok(CallInput {
            input: Input {
                caller: caller.clone(),
                arguments,
                call_type: i64::from(CallType::AsynchronousCallBack as i32),
                gas_provided: output.gas_remaining - cost,
                ..self.inherited_input()
            },
            recipient: self.contexts.current_call().address.clone(),
            function,
        })
    }

    /// What asynchronous calls take over from the call that makes them.
    fn inherited_input(&self) -> Input {
        let current = &self.contexts.current_call().input;
        Input {
            gas_price: current.gas_price,
            original_tx_hash: current.original_tx_hash.clone(),
            current_tx_hash: current.current_tx_hash.clone(),
            ..Input::default()
        }
    }

    /// Runs a callback. If it fails, that is not an error of the caller; the caller loses its gas and gets two more items of
    /// return data.
    pub(super) fn execute_callback(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<(), Failure> {
        let output = self.execute_on_dest_context(payer, call)?;
        if output.error.is_some() {
            let input = &mut self.contexts.runtime.state.input;
            input.gas_provided = 0;
            let hash = input.current_tx_hash.clone();
            let code = return_code_text(output.return_code);
            self.contexts.output.return_data.extend([code.into(), hash]);
        }
        Ok(())
    }

    /// Leaves a call to the node.
    pub(super) fn send_async_call(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &AsyncCall,
    ) -> Result<(), Failure> {
        let value = from_unsigned_bytes(&call.value);
        let call_type = CallType::AsynchronousCall;
        self.send(
            payer,
            &call.destination,
            call_type,
            call.gas_limit,
            &value,
            &call.data,
        )
    }

    /// Answers the contract of another shard that called this one (docs/spec/host.md#incoming-call).
    pub(in crate::vm::host) fn answer_caller(
        &mut self,
        payer: &mut dyn InstanceAccess,
    ) -> Result<(), Failure> {
        let mut data = String::new();
        push_hex(
            &mut data,
            return_code_text(self.contexts.output.return_code).as_bytes(),
        );
        for item in &self.contexts.output.return_data {
            push_hex(&mut data, item);
        }
        let caller = self.contexts.current_call().input.caller.clone();
        self.send_answer(payer, &caller, data.as_bytes())
    }

    /// Leaves an answer to the node, with the value and the gas of the call at hand.
    pub(super) fn send_answer(
        &mut self,
        payer: &mut dyn InstanceAccess,
        receiver: &Bytes,
        data: &[u8],
    ) -> Result<(), Failure> {
        let value = self.contexts.current_call().input.call_value.clone();
        let gas = self.contexts.gas_left(payer);
        self.send(
            payer,
            receiver,
            CallType::AsynchronousCallBack,
            gas,
            &value,
            data,
        )
    }

    fn send(
        &mut self,
        payer: &mut dyn InstanceAccess,
        receiver: &Bytes,
        call_type: CallType,
        gas: u64,
        value: &BigInt,
        data: &[u8],
    ) -> Result<(), Failure> {
        let contexts = &mut self.contexts;
        contexts.output.account(receiver).call_type = i64::from(call_type as i32);
        let sender = contexts.current_call().address.clone();
        let result = contexts.transfer(receiver, &sender, gas, value, data);
        if let Err(Failure::Execution(error)) = &result {
            contexts.use_all_gas(payer);
            contexts.note_failure(error);
        }
        result
    }
}

/// Reads `function@argument@argument...`, with arguments in hex.
pub(super) fn parse_call_data(data: &[u8]) -> Result<(Bytes, Vec<Bytes>), ExecutionError> {
    let mut tokens = data.split(|byte| *byte == b'@');
    let function = tokens.next().filter(|function| !function.is_empty());
    let function = function.ok_or(ExecutionError::Tokenize)?;
    let arguments: Option<Vec<Bytes>> = tokens.map(decode_hex).collect();
    let arguments = arguments.ok_or(ExecutionError::Tokenize)?;
    Ok((Bytes::copy_from_slice(function), arguments))
}

fn decode_hex(text: &[u8]) -> Option<Bytes> {
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let bytes = pairs
        .iter()
        .map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8));
    Some(not_null(bytes.collect::<Option<Vec<u8>>>()?))
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    text.push('@');
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).expect("four bits are a digit"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_data_is_a_function_and_arguments_in_hex() {
        let (function, arguments) = parse_call_data(b"f@00Ff@").expect("well-formed");
        assert_eq!(function, "f");
        assert_eq!(arguments, [&[0, 0xff][..], &[]]);
        for bad in [&b""[..], b"@00", b"f@0", b"f@0g", b"f@00@1"] {
            assert_eq!(
                parse_call_data(bad),
                Err(ExecutionError::Tokenize),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn answers_are_in_lower_case_hex() {
        let mut text = String::new();
        push_hex(&mut text, b"ok");
        push_hex(&mut text, b"");
        push_hex(&mut text, &[0xab]);
        assert_eq!(text, "@6f6b@@ab");
    }
}
