//! Where the two sides meet: what the VM asks of the chain while a contract runs (docs/spec/host.md#hook).
//!
//! The node implements [`BlockchainHook`]; the driver answers hook calls with it. In the child the same trait is
//! implemented by the gateway, which sends the calls over the pipe. So the VM can't tell where it runs.

use crate::messages::{Account, ContractCallInput, StorageDataEntry, VmOutput};
use bytes::Bytes;
use std::error::Error;
use thiserror::Error;

/// A hook call without a value.
#[derive(Debug, Error)]
pub enum HookError {
    /// The node answered that it can't: an answer like any other, which contracts and nodes agree on.
    #[error("{0}")]
    Refused(String),
    /// There is no answer, because the node can't be reached any more. Never an outcome of a contract: the execution
    /// ends without a result (docs/spec/wire.md#hook-answers).
    #[error("the node can't be asked")]
    Fatal(#[source] Box<dyn Error + Send + Sync>),
}

impl HookError {
    /// An answer that the node can't give.
    pub fn refused(reason: impl Into<String>) -> HookError {
        HookError::Refused(reason.into())
    }

    /// There is no answer.
    pub fn fatal(error: impl Into<Box<dyn Error + Send + Sync>>) -> HookError {
        HookError::Fatal(error.into())
    }
}

/// The result of a hook call.
pub type HookResult<T> = Result<T, HookError>;

/// The state of the chain, as contracts see it.
///
/// Within one dialogue the answers must not change. Addresses, storage keys and hashes are bytes of any length.
pub trait BlockchainHook: Send {
    /// The address of the contract that `creator` deploys with this nonce, for a VM of this type.
    fn new_address(
        &mut self,
        creator: &[u8],
        creator_nonce: u64,
        vm_type: &[u8],
    ) -> HookResult<Bytes>;

    /// A storage value; `None` when nothing is stored. An empty value is not the same: it is reported as read.
    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>>;

    /// The hash of the block with this number.
    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes>;

    /// The number of the last committed block.
    fn last_nonce(&mut self) -> HookResult<u64>;

    /// The round of the last committed block.
    fn last_round(&mut self) -> HookResult<u64>;

    /// The time of the last committed block, in seconds since 1970.
    fn last_time_stamp(&mut self) -> HookResult<u64>;

    /// The random seed of the last committed block.
    fn last_random_seed(&mut self) -> HookResult<Bytes>;

    /// The epoch of the last committed block.
    fn last_epoch(&mut self) -> HookResult<u32>;

    /// The root hash of the state.
    fn state_root_hash(&mut self) -> HookResult<Bytes>;

    /// The number of the block in execution.
    fn current_nonce(&mut self) -> HookResult<u64>;

    /// The round of the block in execution.
    fn current_round(&mut self) -> HookResult<u64>;

    /// The time of the block in execution, in seconds since 1970.
    fn current_time_stamp(&mut self) -> HookResult<u64>;

    /// The random seed of the block in execution.
    fn current_random_seed(&mut self) -> HookResult<Bytes>;

    /// The epoch of the block in execution.
    fn current_epoch(&mut self) -> HookResult<u32>;

    /// Runs a function that the protocol itself implements. `None` is a fault of the node's.
    fn process_builtin_function(
        &mut self,
        input: &ContractCallInput,
    ) -> HookResult<Option<VmOutput>>;

    /// The names of those functions.
    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>>;

    /// The whole storage of an account.
    fn all_state(&mut self, address: &[u8]) -> HookResult<Vec<StorageDataEntry>>;

    /// An account with its code; `None` and an error both say that there is none.
    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>>;

    /// Likewise, for somebody who knows the code that came with this code hash, which is not empty. If the account
    /// still has this [`Account::code_hash`], the code may be left out and [`Account::code_unchanged`] set
    /// (docs/spec/wire.md#known-code).
    ///
    /// To be overridden by a node that need not load the code then. With any other code hash the code must be there.
    fn user_account_with_known_code(
        &mut self,
        address: &[u8],
        known_code_hash: &[u8],
    ) -> HookResult<Option<Account>> {
        let mut account = self.user_account(address)?;
        if let Some(account) = &mut account
            && account.code_hash == known_code_hash
        {
            account.code = Bytes::new();
            account.code_unchanged = true;
        }
        Ok(account)
    }

    /// The shard that an address belongs to.
    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32>;

    /// Whether an address is a contract's.
    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool>;
}
