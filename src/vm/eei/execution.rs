//! Nested executions and deploys (docs/spec/eei.md#base-functions, docs/spec/host.md#nested-executions).

use super::call::{Call, HostResult, as_count};
use super::table::host_functions;
use crate::vm::contexts::big_int::from_unsigned_bytes;
use crate::vm::contexts::input::{CallInput, CreateInput, Input};
use crate::vm::error::{Failure, Interrupt};
use crate::vm::memory::{ArgumentPointers, FunctionAndArguments, VALUE_BYTES};
use bytes::Bytes;
use num_bigint::BigInt;

/// The metadata of what contracts deploy: upgradeable.
const CREATED_METADATA: &[u8] = &[1, 0];

host_functions! {
    namespace "env", costs Kalyan3104APICost;

    /// Calls a contract. A memory that can't be read costs nothing.
    "executeOnDestContext" => execute_on_dest_context(
        gas_limit: i64, address_offset: i32, value_offset: i32, function_offset: i32,
        function_length: i32, argument_count: i32, lengths_offset: i32, data_offset: i32,
    ) -> i32, own gas ExecuteOnDestContext;
    /// Runs a contract's code on the storage of this one. A memory that can't be read costs nothing.
    "executeOnSameContext" => execute_on_same_context(
        gas_limit: i64, address_offset: i32, value_offset: i32, function_offset: i32,
        function_length: i32, argument_count: i32, lengths_offset: i32, data_offset: i32,
    ) -> i32, own gas ExecuteOnSameContext;
    /// Runs a contract's code on the storage of this one, for its caller, who pays the value twice
    /// (docs/spec/README.md#quirk-10).
    "delegateExecution" => delegate_execution(
        gas_limit: i64, address_offset: i32, function_offset: i32, function_length: i32,
        argument_count: i32, lengths_offset: i32, data_offset: i32,
    ) -> i32, gas DelegateExecution;
    /// Runs a contract's code as delegateExecution does, without writes to the storage.
    "executeReadOnly" => execute_read_only(
        gas_limit: i64, address_offset: i32, function_offset: i32, function_length: i32,
        argument_count: i32, lengths_offset: i32, data_offset: i32,
    ) -> i32, gas ExecuteReadOnly;
    /// Deploys a contract with all gas that is left.
    "createContract" => create_contract(
        value_offset: i32, code_offset: i32, length: i32, result_offset: i32,
        argument_count: i32, lengths_offset: i32, data_offset: i32,
    ) -> i32, gas CreateContract;
}

/// What a contract sees of a nested execution: 0, or 1 for any failure.
fn outcome(result: Result<(), Failure>) -> HostResult<i32> {
    match result {
        Ok(()) => Ok(0),
        Err(Failure::Execution(_)) => Ok(1),
        Err(Failure::Broken(broken)) => Err(broken.into()),
    }
}

/// A nested call as a contract asks for it.
pub(super) struct Nested {
    pub caller: Bytes,
    pub recipient: Bytes,
    pub value: BigInt,
    pub function: Bytes,
    pub arguments: Vec<Bytes>,
    pub gas_limit: i64,
}

impl Call<'_> {
    /// The input, with as much gas as there is. Gas price and hashes are not inherited
    /// (docs/spec/host.md#nested-inputs).
    fn nested_input(&mut self, nested: Nested) -> CallInput {
        let gas_provided = self
            .host
            .contexts()
            .bound_gas(self.instance, nested.gas_limit);
        CallInput {
            input: Input {
                caller: nested.caller,
                arguments: nested.arguments,
                call_value: nested.value,
                gas_provided,
                ..Input::default()
            },
            recipient: nested.recipient,
            function: nested.function,
        }
    }

    /// Runs it on destination context; 0, or 1 for any failure.
    pub(super) fn run_on_dest_context(&mut self, nested: Nested) -> HostResult<i32> {
        let input = self.nested_input(nested);
        outcome(self.host.call_on_dest_context(self.instance, &input))
    }

    /// Runs it on same context; 0, or 1 for any failure.
    pub(super) fn run_on_same_context(&mut self, nested: Nested) -> HostResult<i32> {
        let input = self.nested_input(nested);
        outcome(self.host.call_on_same_context(self.instance, &input))
    }

    /// Runs it on same context, without writes to the storage. Afterwards they are allowed, even if they were not
    /// before (docs/spec/README.md#quirk-30).
    pub(super) fn run_read_only(&mut self, nested: Nested) -> HostResult<i32> {
        self.contexts().runtime.state.read_only = true;
        let result = self.run_on_same_context(nested);
        self.contexts().runtime.state.read_only = false;
        result
    }

    /// Destination, value, and what is called; none if the memory can't be read.
    fn read_call(
        &mut self,
        address_offset: i32,
        value_offset: i32,
        pointers: ArgumentPointers,
    ) -> HostResult<Option<(Bytes, BigInt, FunctionAndArguments)>> {
        let mut read = || {
            let address = self.load_address(address_offset)?;
            let value = from_unsigned_bytes(&self.load(value_offset, VALUE_BYTES)?);
            let call = self.load_arguments(pointers)?;
            Ok((address, value, call))
        };
        match read() {
            Ok(read) => Ok(Some(read)),
            Err(Interrupt::Api(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// What is called in the current contract's own name; none if the memory can't be read. Charges.
    fn read_own_call(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        value_offset: i32,
        pointers: ArgumentPointers,
        base_cost: u64,
    ) -> HostResult<Option<Nested>> {
        let read = self.read_call(address_offset, value_offset, pointers)?;
        let Some((recipient, value, call)) = read else {
            return Ok(None);
        };
        self.charge(base_cost);
        self.charge_copied_bytes(as_count(call.argument_bytes));
        Ok(Some(Nested {
            caller: self.contexts().current_call().address.clone(),
            recipient,
            value,
            function: call.function,
            arguments: call.arguments,
            gas_limit,
        }))
    }

    #[expect(clippy::too_many_arguments, reason = "the signature of the import")]
    fn execute_on_dest_context(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        value_offset: i32,
        function_offset: i32,
        function_length: i32,
        count: i32,
        lengths_offset: i32,
        data_offset: i32,
    ) -> HostResult<i32> {
        let pointers = [
            function_offset,
            function_length,
            count,
            lengths_offset,
            data_offset,
        ];
        let cost = self
            .contexts()
            .schedule
            .Kalyan3104APICost
            .ExecuteOnDestContext;
        match self.read_own_call(
            gas_limit,
            address_offset,
            value_offset,
            pointers.into(),
            cost,
        )? {
            Some(nested) => self.run_on_dest_context(nested),
            None => Ok(1),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the signature of the import")]
    fn execute_on_same_context(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        value_offset: i32,
        function_offset: i32,
        function_length: i32,
        count: i32,
        lengths_offset: i32,
        data_offset: i32,
    ) -> HostResult<i32> {
        let pointers = [
            function_offset,
            function_length,
            count,
            lengths_offset,
            data_offset,
        ];
        let cost = self
            .contexts()
            .schedule
            .Kalyan3104APICost
            .ExecuteOnSameContext;
        match self.read_own_call(
            gas_limit,
            address_offset,
            value_offset,
            pointers.into(),
            cost,
        )? {
            Some(nested) => self.run_on_same_context(nested),
            None => Ok(1),
        }
    }

    /// The call as the caller of the current one would make it, who has paid its value once by then; none if that
    /// failed.
    pub(super) fn for_caller(
        &mut self,
        gas_limit: i64,
        recipient: Bytes,
        function: Bytes,
        arguments: Vec<Bytes>,
    ) -> HostResult<Option<Nested>> {
        let current = &self.contexts().current_call().input;
        let (caller, value) = (current.caller.clone(), current.call_value.clone());
        if !self.transfer(&recipient, &caller, &value, &[])? {
            return Ok(None);
        }
        Ok(Some(Nested {
            caller,
            recipient,
            value,
            function,
            arguments,
            gas_limit,
        }))
    }

    fn read_delegated(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        pointers: ArgumentPointers,
    ) -> HostResult<Option<Nested>> {
        let address = self.load_address(address_offset)?;
        let call = self.load_arguments(pointers)?;
        self.charge_copied_bytes(as_count(call.argument_bytes));
        self.for_caller(gas_limit, address, call.function, call.arguments)
    }

    #[expect(clippy::too_many_arguments, reason = "the signature of the import")]
    fn delegate_execution(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        function_offset: i32,
        function_length: i32,
        count: i32,
        lengths_offset: i32,
        data_offset: i32,
    ) -> HostResult<i32> {
        let pointers = [
            function_offset,
            function_length,
            count,
            lengths_offset,
            data_offset,
        ];
        match self.read_delegated(gas_limit, address_offset, pointers.into())? {
            Some(nested) => self.run_on_same_context(nested),
            None => Ok(1),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the signature of the import")]
    fn execute_read_only(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        function_offset: i32,
        function_length: i32,
        count: i32,
        lengths_offset: i32,
        data_offset: i32,
    ) -> HostResult<i32> {
        let pointers = [
            function_offset,
            function_length,
            count,
            lengths_offset,
            data_offset,
        ];
        match self.read_delegated(gas_limit, address_offset, pointers.into())? {
            Some(nested) => self.run_read_only(nested),
            None => Ok(1),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the signature of the import")]
    fn create_contract(
        &mut self,
        value_offset: i32,
        code_offset: i32,
        length: i32,
        result_offset: i32,
        count: i32,
        lengths_offset: i32,
        data_offset: i32,
    ) -> HostResult<i32> {
        let value = from_unsigned_bytes(&self.load(value_offset, VALUE_BYTES)?);
        let code = self.load(code_offset, length)?;
        let call = self.load_arguments([0, 0, count, lengths_offset, data_offset].into())?;
        self.charge_copied_bytes(as_count(call.argument_bytes));
        let metadata = Bytes::from_static(CREATED_METADATA);
        match self.deploy(value, code, metadata, call.arguments)? {
            Some(address) => {
                self.store(result_offset, &address)?;
                Ok(0)
            }
            None => Ok(1),
        }
    }

    /// Deploys code for the current contract, with all gas that is left; returns the address, none for any failure.
    pub(super) fn deploy(
        &mut self,
        value: BigInt,
        code: Bytes,
        code_metadata: Bytes,
        arguments: Vec<Bytes>,
    ) -> HostResult<Option<Bytes>> {
        let contexts = self.host.contexts();
        let input = CreateInput {
            input: Input {
                caller: contexts.current_call().address.clone(),
                arguments,
                call_value: value,
                gas_provided: contexts.gas_left(self.instance),
                ..Input::default()
            },
            code,
            code_metadata,
        };
        match self.host.create_contract(self.instance, input) {
            Ok(address) => Ok(Some(address)),
            Err(Failure::Execution(_)) => Ok(None),
            Err(Failure::Broken(broken)) => Err(broken.into()),
        }
    }
}
