//! The namespace `ethereum`, but for what runs other contracts (docs/spec/eei.md#calldata, #ethereum). Charges come
//! first here, so lengths are charged before they are checked (docs/spec/README.md#quirk-11).

use super::call::{Call, HostResult, as_count, as_size};
use super::table::host_functions;
use crate::vm::contexts::big_int::unsigned_bytes;
use crate::vm::error::{Broken, ExecutionError, Interrupt};
use crate::vm::memory::{HASH_BYTES, list_length, slice};
use bytes::Bytes;
use std::ops::Range;

/// Where in an address of 32 bytes those of an Ethereum address are.
const ETHEREUM_ADDRESS: Range<usize> = 12..32;

/// Bytes of an amount in this namespace.
const ETHEREUM_VALUE_BYTES: usize = 16;

/// Bytes of an argument in the calldata.
const CALLDATA_WORD_BYTES: usize = 32;

/// Bytes of the hash of the function's name in the calldata.
const SELECTOR_BYTES: usize = 4;

/// The topics that an event can have.
const MAXIMUM_TOPICS: i32 = 4;

host_functions! {
    namespace "ethereum", costs EthAPICost;

    /// Charges gas; a negative amount gives some back (docs/spec/README.md#quirk-11).
    "useGas" => ethereum_use_gas(gas: i64), gas UseGas;
    /// The whole address of the current contract.
    "getAddress" => ethereum_get_address(result_offset: i32), gas GetAddress;
    /// Copies the shortest bytes of a balance.
    "getExternalBalance" => get_external_balance(address_offset: i32, result_offset: i32), gas GetExternalBalance;
    /// Copies the hash of a block; returns whether there is one.
    "getBlockHash" => ethereum_get_block_hash(number: i64, result_offset: i32) -> i32, gas GetBlockHash;
    /// Copies a part of the calldata.
    "callDataCopy" => ethereum_call_data_copy(result_offset: i32, data_offset: i32, length: i32), gas CallDataCopy;
    /// The length of the calldata.
    "getCallDataSize" => ethereum_get_call_data_size() -> i32, gas GetCallDataSize;
    /// Stores 32 bytes; zeros are stored, too.
    "storageStore" => ethereum_storage_store(path_offset: i32, value_offset: i32), gas StorageStore;
    /// Copies a stored value, filled up with zeros in front.
    "storageLoad" => ethereum_storage_load(path_offset: i32, result_offset: i32), gas StorageLoad;
    /// The bytes of the caller's address from the 13th to the 32nd.
    "getCaller" => ethereum_get_caller(result_offset: i32), gas GetCaller;
    /// The value of the call in 16 bytes, little-endian; 0 if it has more.
    "getCallValue" => ethereum_get_call_value(result_offset: i32), gas GetCallValue;
    /// Copies a part of the code of the current contract.
    "codeCopy" => ethereum_code_copy(result_offset: i32, code_offset: i32, length: i32), gas CodeCopy;
    /// The length of the code of the current contract.
    "getCodeSize" => ethereum_get_code_size() -> i32, gas GetCodeSize;
    /// The random seed of the current block (docs/spec/README.md#quirk-12).
    "getBlockCoinbase" => get_block_random_seed(result_offset: i32), gas GetBlockCoinbase;
    /// The random seed of the current block, for the price of the coinbase (docs/spec/README.md#quirk-6, #quirk-12).
    "getBlockDifficulty" => get_block_random_seed(result_offset: i32), gas GetBlockCoinbase;
    /// Copies a part of a contract's code.
    "externalCodeCopy" => ethereum_external_code_copy(
        address_offset: i32, result_offset: i32, code_offset: i32, length: i32,
    ), gas ExternalCodeCopy;
    /// The length of a contract's code.
    "getExternalCodeSize" => ethereum_get_external_code_size(address_offset: i32) -> i32, gas GetExternalCodeSize;
    /// The gas that is left after this call.
    "getGasLeft" => get_gas_left() -> i64, gas GetGasLeft;
    /// The gas limit of blocks.
    "getBlockGasLimit" => ethereum_get_block_gas_limit() -> i64, gas GetBlockGasLimit;
    /// The gas price in 16 bytes, big-endian.
    "getTxGasPrice" => ethereum_get_tx_gas_price(result_offset: i32), gas GetTxGasPrice;
    /// Emits an event, for the price of four topics.
    "log" => ethereum_log(
        data_offset: i32, length: i32, topic_count: i32, topic1: i32, topic2: i32, topic3: i32, topic4: i32,
    ), gas Log;
    /// The number of the current block.
    "getBlockNumber" => get_block_nonce() -> i64, gas GetBlockNumber;
    /// Part of the address of the caller, who need not be the origin (docs/spec/README.md#quirk-12).
    "getTxOrigin" => ethereum_get_caller(result_offset: i32), gas GetTxOrigin;
    /// Takes the place of the return data. The function goes on.
    "finish" => ethereum_finish(data_offset: i32, length: i32), gas Finish;
    /// Ends the execution with an error.
    "revert" => ethereum_revert(data_offset: i32, length: i32), gas Revert;
    /// The length of all return data.
    "getReturnDataSize" => ethereum_get_return_data_size() -> i32, gas GetReturnDataSize;
    /// Copies a part of all return data.
    "returnDataCopy" => ethereum_return_data_copy(
        result_offset: i32, data_offset: i32, length: i32,
    ), gas ReturnDataCopy;
    /// Does nothing (docs/spec/README.md#quirk-12).
    "selfDestruct" => ethereum_self_destruct(address_offset: i32), gas SelfDestruct;
    /// The time of the current block.
    "getBlockTimestamp" => get_block_timestamp() -> i64, gas GetBlockTimeStamp;
}

impl Call<'_> {
    fn ethereum_use_gas(&mut self, gas: i64) -> HostResult<()> {
        self.charge(gas as u64);
        Ok(())
    }

    fn ethereum_get_address(&mut self, result_offset: i32) -> HostResult<()> {
        let address = self.contexts().current_call().address.clone();
        self.store(result_offset, &address)
    }

    fn ethereum_get_block_hash(&mut self, number: i64, result_offset: i32) -> HostResult<i32> {
        let hash = self.contexts().block_hash(number)?;
        match self.store(result_offset, &hash) {
            Ok(()) => Ok(i32::from(!hash.is_empty())),
            Err(Interrupt::Api(_)) => Ok(0),
            Err(fault) => Err(fault),
        }
    }

    /// Copies a part of what contracts can read piece by piece.
    fn copy_part(
        &mut self,
        whole: &[u8],
        result_offset: i32,
        offset: i32,
        length: i32,
    ) -> HostResult<()> {
        let part = slice(whole, offset, length).map_err(ExecutionError::from)?;
        self.store(result_offset, part)
    }

    fn ethereum_call_data_copy(
        &mut self,
        result_offset: i32,
        data_offset: i32,
        length: i32,
    ) -> HostResult<()> {
        self.charge_copied_bytes(as_count(length));
        let calldata = self.calldata()?;
        self.copy_part(&calldata, result_offset, data_offset, length)
    }

    fn ethereum_get_call_data_size(&mut self) -> HostResult<i32> {
        Ok(as_size(self.calldata()?.len()))
    }

    /// The calldata of the call that asks first; later calls of the run see the same (docs/spec/README.md#quirk-12).
    fn calldata(&mut self) -> HostResult<Bytes> {
        if let Some(calldata) = &self.contexts().calldata {
            return Ok(calldata.clone());
        }
        let contexts = self.contexts();
        let call = contexts.current_call();
        let mut calldata = Vec::new();
        if !call.function.is_empty() {
            let hash = contexts.crypto.keccak256(&call.function);
            calldata.extend_from_slice(&hash[..SELECTOR_BYTES]);
        }
        for argument in &call.input.arguments {
            let Some(padding) = CALLDATA_WORD_BYTES.checked_sub(argument.len()) else {
                let excess = argument.len() - CALLDATA_WORD_BYTES;
                let text = format!("runtime error: slice bounds out of range [-{excess}:]");
                return Err(Broken::HostPanic(text).into());
            };
            calldata.resize(calldata.len() + padding, 0);
            calldata.extend_from_slice(argument);
        }
        let calldata = Bytes::from(calldata);
        contexts.calldata = Some(calldata.clone());
        Ok(calldata)
    }

    fn ethereum_storage_store(&mut self, path_offset: i32, value_offset: i32) -> HostResult<()> {
        let key = self.load(path_offset, HASH_BYTES)?;
        let value = self.load(value_offset, HASH_BYTES)?;
        self.write_storage(&key, value)?;
        Ok(())
    }

    fn ethereum_storage_load(&mut self, path_offset: i32, result_offset: i32) -> HostResult<()> {
        let value = self.read_storage(path_offset, HASH_BYTES)?;
        self.charge_copied_bytes(value.len() as u64);
        let mut padded = [0; HASH_BYTES as usize];
        let Some(padding) = padded.len().checked_sub(value.len()) else {
            let excess = value.len() - padded.len();
            let text = format!("runtime error: slice bounds out of range [-{excess}:]");
            return Err(Broken::HostPanic(text).into());
        };
        padded[padding..].copy_from_slice(&value);
        self.store(result_offset, &padded)
    }

    fn ethereum_get_caller(&mut self, result_offset: i32) -> HostResult<()> {
        let caller = self.contexts().current_call().input.caller.clone();
        let Some(address) = caller.get(ETHEREUM_ADDRESS) else {
            let text = format!(
                "runtime error: slice bounds out of range [:{}] with capacity {}",
                ETHEREUM_ADDRESS.end,
                caller.len()
            );
            return Err(Broken::HostPanic(text).into());
        };
        self.store(result_offset, address)
    }

    fn ethereum_get_call_value(&mut self, result_offset: i32) -> HostResult<()> {
        let bytes = unsigned_bytes(&self.contexts().current_call().input.call_value);
        let mut value = [0; ETHEREUM_VALUE_BYTES];
        if bytes.len() <= value.len() {
            for (digit, byte) in value.iter_mut().zip(bytes.iter().rev()) {
                *digit = *byte;
            }
        }
        self.store(result_offset, &value)
    }

    fn ethereum_code_copy(
        &mut self,
        result_offset: i32,
        code_offset: i32,
        length: i32,
    ) -> HostResult<()> {
        self.charge_copied_bytes(as_count(length));
        let address = self.contexts().current_call().address.clone();
        let code = self.contexts().code(&address)?;
        self.copy_part(&code, result_offset, code_offset, length)
    }

    fn ethereum_get_code_size(&mut self) -> HostResult<i32> {
        let address = self.contexts().current_call().address.clone();
        Ok(self.contexts().code_size(&address)?)
    }

    fn ethereum_external_code_copy(
        &mut self,
        address_offset: i32,
        result_offset: i32,
        code_offset: i32,
        length: i32,
    ) -> HostResult<()> {
        self.charge_copied_bytes(as_count(length));
        let address = self.load_address(address_offset)?;
        let code = self.contexts().code(&address)?;
        self.copy_part(&code, result_offset, code_offset, length)
    }

    fn ethereum_get_external_code_size(&mut self, address_offset: i32) -> HostResult<i32> {
        match self.load_address(address_offset) {
            Ok(address) => Ok(self.contexts().code_size(&address)?),
            Err(Interrupt::Api(_)) => Ok(0),
            Err(fault) => Err(fault),
        }
    }

    fn ethereum_get_block_gas_limit(&mut self) -> HostResult<i64> {
        Ok(self.contexts().settings.block_gas_limit as i64)
    }

    fn ethereum_get_tx_gas_price(&mut self, result_offset: i32) -> HostResult<()> {
        let price = u128::from(self.contexts().current_call().input.gas_price);
        self.store(result_offset, &price.to_be_bytes())
    }

    #[expect(clippy::too_many_arguments, reason = "the signature of the import")]
    fn ethereum_log(
        &mut self,
        data_offset: i32,
        length: i32,
        topic_count: i32,
        topic1: i32,
        topic2: i32,
        topic3: i32,
        topic4: i32,
    ) -> HostResult<()> {
        let topic_bytes = as_count(MAXIMUM_TOPICS * HASH_BYTES);
        self.charge_persisted_bytes(topic_bytes.wrapping_add(as_count(length)));
        let data = self.load(data_offset, length)?;
        let count = list_length(topic_count)?;
        let mut topics = Vec::new();
        for offset in [topic1, topic2, topic3, topic4].into_iter().take(count) {
            topics.push(self.load(offset, HASH_BYTES)?);
        }
        if topic_count > MAXIMUM_TOPICS {
            let text = "runtime error: index out of range [4] with length 4".to_owned();
            return Err(Broken::HostPanic(text).into());
        }
        self.contexts().write_log(topics, data);
        Ok(())
    }

    fn replace_return_data(&mut self, offset: i32, length: i32) -> HostResult<()> {
        self.charge_persisted_bytes(as_count(length));
        let data = self.load(offset, length)?;
        self.contexts().output.return_data = vec![data];
        Ok(())
    }

    fn ethereum_finish(&mut self, data_offset: i32, length: i32) -> HostResult<()> {
        self.replace_return_data(data_offset, length)
    }

    fn ethereum_revert(&mut self, data_offset: i32, length: i32) -> HostResult<()> {
        self.replace_return_data(data_offset, length)?;
        Err(self.signal(Bytes::from_static(b"revert")))
    }

    fn ethereum_get_return_data_size(&mut self) -> HostResult<i32> {
        let items = self.contexts().output.return_data.iter();
        Ok(as_size(items.map(Bytes::len).sum()))
    }

    fn ethereum_return_data_copy(
        &mut self,
        result_offset: i32,
        data_offset: i32,
        length: i32,
    ) -> HostResult<()> {
        let whole = self.contexts().output.return_data.concat();
        if as_size(whole.len()) < data_offset.wrapping_add(length) {
            return Err(ExecutionError::InvalidApiCall.into());
        }
        self.copy_part(&whole, result_offset, data_offset, length)
    }

    fn ethereum_self_destruct(&mut self, address_offset: i32) -> HostResult<()> {
        self.load_address(address_offset)?;
        Ok(())
    }
}
