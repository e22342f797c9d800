//! Facts about blocks and about other accounts, straight from the hook (docs/spec/eei.md#base-functions,
//! docs/spec/host.md#lookups).

use super::call::{Call, HostResult};
use super::table::host_functions;
use crate::hooks::{BlockchainHook, HookResult};
use crate::vm::contexts::big_int::unsigned_bytes;
use crate::vm::error::unless_refused;

host_functions! {
    namespace "env", costs Kalyan3104APICost;

    /// The shard of an address.
    "getShardOfAddress" => get_shard_of_address(address_offset: i32) -> i32, gas GetShardOfAddress;
    /// Whether an address is a contract's.
    "isSmartContract" => is_smart_contract(address_offset: i32) -> i32, gas IsSmartContract;
    /// Copies the shortest bytes of a balance: none for 0 (docs/spec/README.md#quirk-5).
    "getExternalBalance" => get_external_balance(address_offset: i32, result_offset: i32), gas GetExternalBalance;
    /// Copies the hash of a block, if there is one.
    "getBlockHash" => get_block_hash(nonce: i64, result_offset: i32) -> i32, gas GetBlockHash;
    /// The time of the current block.
    "getBlockTimestamp" => get_block_timestamp() -> i64, gas GetBlockTimeStamp;
    /// The number of the current block.
    "getBlockNonce" => get_block_nonce() -> i64, gas GetBlockNonce;
    /// The round of the current block.
    "getBlockRound" => get_block_round() -> i64, gas GetBlockRound;
    /// The epoch of the current block.
    "getBlockEpoch" => get_block_epoch() -> i64, gas GetBlockEpoch;
    /// Copies the random seed of the current block.
    "getBlockRandomSeed" => get_block_random_seed(result_offset: i32), gas GetBlockRandomSeed;
    /// Copies the root hash of the state.
    "getStateRootHash" => get_state_root_hash(result_offset: i32), gas GetStateRootHash;
    /// The time of the last block.
    "getPrevBlockTimestamp" => get_prev_block_timestamp() -> i64, gas GetBlockTimeStamp;
    /// The number of the last block.
    "getPrevBlockNonce" => get_prev_block_nonce() -> i64, gas GetBlockNonce;
    /// The round of the last block.
    "getPrevBlockRound" => get_prev_block_round() -> i64, gas GetBlockRound;
    /// The epoch of the last block.
    "getPrevBlockEpoch" => get_prev_block_epoch() -> i64, gas GetBlockEpoch;
    /// Copies the random seed of the last block.
    "getPrevBlockRandomSeed" => get_prev_block_random_seed(result_offset: i32), gas GetBlockRandomSeed;
}

impl Call<'_> {
    /// Asks the hook for what it always knows; if it refuses, the reference reads a zero.
    pub(super) fn ask<T: Default>(
        &mut self,
        question: impl FnOnce(&mut dyn BlockchainHook) -> HookResult<T>,
    ) -> HostResult<T> {
        let answer = question(&mut self.contexts().hook);
        Ok(unless_refused(answer)?.unwrap_or_default())
    }

    fn get_shard_of_address(&mut self, address_offset: i32) -> HostResult<i32> {
        let address = self.load_address(address_offset)?;
        Ok(self.ask(|hook| hook.shard_of_address(&address))? as i32)
    }

    fn is_smart_contract(&mut self, address_offset: i32) -> HostResult<i32> {
        let address = self.load_address(address_offset)?;
        Ok(self.ask(|hook| hook.is_smart_contract(&address))?.into())
    }

    /// Copies the balance of an account.
    pub(super) fn get_external_balance(
        &mut self,
        address_offset: i32,
        result_offset: i32,
    ) -> HostResult<()> {
        let address = self.load_address(address_offset)?;
        let balance = self.contexts().balance(&address)?;
        self.store(result_offset, &unsigned_bytes(&balance))
    }

    fn get_block_hash(&mut self, nonce: i64, result_offset: i32) -> HostResult<i32> {
        let hash = self.contexts().block_hash(nonce)?;
        self.store(result_offset, &hash)?;
        Ok(0)
    }

    /// The time of the current block.
    pub(super) fn current_time_stamp(&mut self) -> HostResult<u64> {
        self.ask(|hook| hook.current_time_stamp())
    }

    /// Copies the random seed of the current block.
    pub(super) fn get_block_random_seed(&mut self, result_offset: i32) -> HostResult<()> {
        let seed = self.ask(|hook| hook.current_random_seed())?;
        self.store(result_offset, &seed)
    }

    /// The time of the current block, for contracts.
    pub(super) fn get_block_timestamp(&mut self) -> HostResult<i64> {
        Ok(self.current_time_stamp()? as i64)
    }

    /// The number of the current block.
    pub(super) fn get_block_nonce(&mut self) -> HostResult<i64> {
        Ok(self.ask(|hook| hook.current_nonce())? as i64)
    }

    fn get_block_round(&mut self) -> HostResult<i64> {
        Ok(self.ask(|hook| hook.current_round())? as i64)
    }

    fn get_block_epoch(&mut self) -> HostResult<i64> {
        Ok(self.ask(|hook| hook.current_epoch())?.into())
    }

    fn get_state_root_hash(&mut self, result_offset: i32) -> HostResult<()> {
        let hash = self.ask(|hook| hook.state_root_hash())?;
        self.store(result_offset, &hash)
    }

    fn get_prev_block_timestamp(&mut self) -> HostResult<i64> {
        Ok(self.ask(|hook| hook.last_time_stamp())? as i64)
    }

    fn get_prev_block_nonce(&mut self) -> HostResult<i64> {
        Ok(self.ask(|hook| hook.last_nonce())? as i64)
    }

    fn get_prev_block_round(&mut self) -> HostResult<i64> {
        Ok(self.ask(|hook| hook.last_round())? as i64)
    }

    fn get_prev_block_epoch(&mut self) -> HostResult<i64> {
        Ok(self.ask(|hook| hook.last_epoch())?.into())
    }

    fn get_prev_block_random_seed(&mut self, result_offset: i32) -> HostResult<()> {
        let seed = self.ask(|hook| hook.last_random_seed())?;
        self.store(result_offset, &seed)
    }
}
