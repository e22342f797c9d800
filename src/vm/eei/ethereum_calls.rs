//! What runs other contracts in the namespace `ethereum` (docs/spec/eei.md#predefined-contracts, #ethereum).

use super::call::{Call, HostResult};
use super::execution::Nested;
use super::table::host_functions;
use crate::vm::contexts::big_int::from_unsigned_bytes;
use crate::vm::error::Interrupt;
use crate::vm::memory::VALUE_BYTES;
use bytes::Bytes;

/// Bytes of an address of a static call.
const ETHEREUM_ADDRESS_BYTES: i32 = 20;

/// What all of these call.
const MAIN_FUNCTION: &[u8] = b"main";

host_functions! {
    namespace "ethereum", costs EthAPICost;

    /// Calls `main` of a contract with little-endian value, which moves twice (docs/spec/README.md#quirk-10).
    "call" => ethereum_call(
        gas_limit: i64, address_offset: i32, value_offset: i32, data_offset: i32, data_length: i32,
    ) -> i32, gas Call;
    /// Runs `main` of a contract on the storage of this one. The callee reads the value big-endian
    /// (docs/spec/README.md#quirk-10).
    "callCode" => ethereum_call_code(
        gas_limit: i64, address_offset: i32, value_offset: i32, data_offset: i32, data_length: i32,
    ) -> i32, gas CallCode;
    /// Runs `main` of a contract on the storage of this one, for its caller and with the value of its call
    /// (docs/spec/README.md#quirk-10).
    "callDelegate" => ethereum_call_delegate(
        gas_limit: i64, address_offset: i32, data_offset: i32, data_length: i32,
    ) -> i32, gas CallDelegate;
    /// Runs `main` of a contract as callDelegate does, read-only, at an address of 20 bytes
    /// (docs/spec/README.md#quirk-12); or a predefined contract.
    "callStatic" => ethereum_call_static(
        gas_limit: i64, address_offset: i32, data_offset: i32, data_length: i32,
    ) -> i32, gas CallStatic;
    /// Deploys a contract with all gas that is left.
    "create" => ethereum_create(
        value_offset: i32, data_offset: i32, length: i32, result_offset: i32,
    ) -> i32, gas Create;
}

/// What a contract sees of a call whose memory can't be read: 1, like for any other failure.
fn softly(result: HostResult<i32>) -> HostResult<i32> {
    match result {
        Err(Interrupt::Api(_)) => Ok(1),
        result => result,
    }
}

impl Call<'_> {
    /// Loads the data of a call, of which offset and length are given, and charges for it.
    fn load_call_data(&mut self, [offset, length]: [i32; 2]) -> HostResult<Bytes> {
        let data = self.load(offset, length)?;
        self.charge_copied_bytes(data.len() as u64);
        Ok(data)
    }

    /// A call of the current contract's own, and its value in both byte orders: the first is moved now, the callee is
    /// given the other one, if it is to be. None if there is too little.
    fn read_value_call(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        value_offset: i32,
        data: [i32; 2],
        big_endian_for_callee: bool,
    ) -> HostResult<Option<Nested>> {
        let data = self.load_call_data(data)?;
        let recipient = self.load_address(address_offset)?;
        let bytes = self.load(value_offset, VALUE_BYTES)?;
        let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
        let value = from_unsigned_bytes(&reversed);
        let caller = self.contexts().current_call().address.clone();
        if !self.transfer(&recipient, &caller, &value, &[])? {
            return Ok(None);
        }
        let value = if big_endian_for_callee {
            from_unsigned_bytes(&bytes)
        } else {
            value
        };
        Ok(Some(Nested {
            caller,
            recipient,
            value,
            function: Bytes::from_static(MAIN_FUNCTION),
            arguments: vec![data],
            gas_limit,
        }))
    }

    fn ethereum_call(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        value_offset: i32,
        data_offset: i32,
        data_length: i32,
    ) -> HostResult<i32> {
        let data = [data_offset, data_length];
        let nested = self.read_value_call(gas_limit, address_offset, value_offset, data, false);
        match nested {
            Ok(Some(nested)) => self.run_on_dest_context(nested),
            other => softly(other.map(|_| 1)),
        }
    }

    fn ethereum_call_code(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        value_offset: i32,
        data_offset: i32,
        data_length: i32,
    ) -> HostResult<i32> {
        let data = [data_offset, data_length];
        let nested = self.read_value_call(gas_limit, address_offset, value_offset, data, true);
        match nested {
            Ok(Some(nested)) => self.run_on_same_context(nested),
            other => softly(other.map(|_| 1)),
        }
    }

    fn ethereum_call_delegate(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        data_offset: i32,
        data_length: i32,
    ) -> HostResult<i32> {
        let data = self.load_call_data([data_offset, data_length]);
        let nested = data.and_then(|data| {
            let address = self.load_address(address_offset)?;
            let function = Bytes::from_static(MAIN_FUNCTION);
            self.for_caller(gas_limit, address, function, vec![data])
        });
        match nested {
            Ok(Some(nested)) => self.run_on_same_context(nested),
            other => softly(other.map(|_| 1)),
        }
    }

    fn ethereum_call_static(
        &mut self,
        gas_limit: i64,
        address_offset: i32,
        data_offset: i32,
        data_length: i32,
    ) -> HostResult<i32> {
        let loaded = self
            .load_call_data([data_offset, data_length])
            .and_then(|data| {
                let address = self.load(address_offset, ETHEREUM_ADDRESS_BYTES)?;
                Ok((address, data))
            });
        let (address, data) = match loaded {
            Ok(loaded) => loaded,
            Err(fault) => return softly(Err(fault)),
        };
        if let Some(number) = predefined_contract(&address) {
            return Ok(self.run_predefined(number, data));
        }
        let function = Bytes::from_static(MAIN_FUNCTION);
        match self.for_caller(gas_limit, address, function, vec![data])? {
            Some(nested) => self.run_read_only(nested),
            None => Ok(1),
        }
    }

    /// Runs a predefined contract, whose result takes the place of the return data.
    fn run_predefined(&mut self, number: u8, data: Bytes) -> i32 {
        let contexts = self.contexts();
        let crypto = &contexts.crypto;
        let result = match number {
            1 => crypto.ecrecover(&data).map(Bytes::from),
            2 => Ok(crypto.sha256(&data).into()),
            3 => Ok(crypto.ripemd160(&data).into()),
            4 => Ok(data),
            _ => Ok(crypto.keccak256(&data).into()),
        };
        match result {
            Ok(result) => {
                contexts.output.return_data = vec![result];
                0
            }
            Err(_) => 1,
        }
    }

    fn ethereum_create(
        &mut self,
        value_offset: i32,
        data_offset: i32,
        length: i32,
        result_offset: i32,
    ) -> HostResult<i32> {
        let loaded = self.load(value_offset, VALUE_BYTES).and_then(|value| {
            let code = self.load(data_offset, length)?;
            Ok((from_unsigned_bytes(&value), code))
        });
        let (value, code) = match loaded {
            Ok(loaded) => loaded,
            Err(fault) => return softly(Err(fault)),
        };
        match self.deploy(value, code, Bytes::new(), Vec::new())? {
            Some(address) => softly(self.store(result_offset, &address).map(|()| 0)),
            None => Ok(1),
        }
    }
}

/// The number of the predefined contract at an address (docs/spec/eei.md#predefined-contracts).
fn predefined_contract(address: &[u8]) -> Option<u8> {
    let (number, zeros) = address.split_last()?;
    let is_predefined = zeros.iter().all(|byte| *byte == 0) && matches!(number, 1..=4 | 9);
    is_predefined.then_some(*number)
}
