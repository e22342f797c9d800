//! The hooks of the world (docs/spec/scenarios.md#mock-hook).

use super::{BlockInfo, SharedWorld, World};
use crate::hooks::{BlockchainHook, HookError, HookResult};
use crate::messages::{Account, BigInt, ContractCallInput, StorageDataEntry, VmOutput};
use bytes::Bytes;
use std::sync::MutexGuard;

/// The length of an address.
const ADDRESS_BYTES: usize = 32;

impl World {
    fn new_address(&self, creator: &[u8], creator_nonce: u64) -> Bytes {
        let named = self
            .lasting
            .new_addresses
            .iter()
            .find(|new| new.creator == creator && new.creator_nonce == creator_nonce);
        match named {
            Some(new) => new.address.clone(),
            None => generated_address(creator, creator_nonce),
        }
    }

    fn block_hash(&self, nonce: u64) -> HookResult<Bytes> {
        usize::try_from(nonce)
            .ok()
            .and_then(|nonce| self.block_hashes.get(nonce))
            .cloned()
            .ok_or_else(|| HookError::refused("blockhash offset exceeds the blockhashes slice"))
    }

    fn user_account(&self, address: &[u8]) -> HookResult<Account> {
        let account = self
            .accounts
            .get(address)
            .ok_or_else(|| HookError::refused("account not found"))?;
        Ok(Account {
            nonce: account.nonce,
            balance: Some(BigInt::from(&account.balance)),
            address: Bytes::copy_from_slice(address),
            developer_reward: Some(BigInt::default()),
            owner_address: account.owner.clone(),
            code_hash: account.code_hash.clone(),
            code: account.code.clone(),
            ..Account::default()
        })
    }
}

/// An address derived from the creator and its nonce, easy to tell from hand-written ones.
fn generated_address(creator: &[u8], creator_nonce: u64) -> Bytes {
    let mut address = [0; ADDRESS_BYTES];
    address[10..14].fill(0x11);
    for (to, from) in address[14..29].iter_mut().zip(creator) {
        *to = *from;
    }
    address[29] = creator_nonce.to_le_bytes()[0];
    for (to, from) in address[30..].iter_mut().zip(creator.iter().skip(30)) {
        *to = *from;
    }
    Bytes::copy_from_slice(&address)
}

impl SharedWorld {
    /// Counts a hook call and returns the world.
    fn called(&self) -> MutexGuard<'_, World> {
        let mut world = self.lock();
        world.hook_calls += 1;
        world
    }

    fn previous<T>(&self, fact: impl FnOnce(&BlockInfo) -> T) -> HookResult<T> {
        Ok(fact(&self.called().lasting.previous_block))
    }

    fn current<T>(&self, fact: impl FnOnce(&BlockInfo) -> T) -> HookResult<T> {
        Ok(fact(&self.called().lasting.current_block))
    }

    /// The answer of hooks whose values a scenario can't set.
    fn never_set<T: Default>(&self) -> HookResult<T> {
        drop(self.called());
        Ok(T::default())
    }
}

impl BlockchainHook for SharedWorld {
    fn new_address(&mut self, creator: &[u8], nonce: u64, _vm_type: &[u8]) -> HookResult<Bytes> {
        Ok(self.called().new_address(creator, nonce))
    }

    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        let world = self.called();
        let account = world.accounts.get(address);
        // Never `None`: a missing value reads as an empty one.
        Ok(Some(account.map_or(Bytes::new(), |account| {
            account.storage_value(key)
        })))
    }

    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        self.called().block_hash(nonce)
    }

    fn last_nonce(&mut self) -> HookResult<u64> {
        self.previous(|block| block.nonce)
    }

    fn last_round(&mut self) -> HookResult<u64> {
        self.previous(|block| block.round)
    }

    fn last_time_stamp(&mut self) -> HookResult<u64> {
        self.previous(|block| block.time_stamp)
    }

    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        self.never_set()
    }

    fn last_epoch(&mut self) -> HookResult<u32> {
        self.previous(|block| block.epoch)
    }

    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        self.never_set()
    }

    fn current_nonce(&mut self) -> HookResult<u64> {
        self.current(|block| block.nonce)
    }

    fn current_round(&mut self) -> HookResult<u64> {
        self.current(|block| block.round)
    }

    fn current_time_stamp(&mut self) -> HookResult<u64> {
        self.current(|block| block.time_stamp)
    }

    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        self.never_set()
    }

    fn current_epoch(&mut self) -> HookResult<u32> {
        self.current(|block| block.epoch)
    }

    fn process_builtin_function(&mut self, _: &ContractCallInput) -> HookResult<Option<VmOutput>> {
        drop(self.called());
        Ok(Some(VmOutput::default()))
    }

    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        self.never_set()
    }

    fn all_state(&mut self, _address: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        self.never_set()
    }

    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        self.called().user_account(address).map(Some)
    }

    fn shard_of_address(&mut self, _address: &[u8]) -> HookResult<u32> {
        self.never_set()
    }

    fn is_smart_contract(&mut self, _address: &[u8]) -> HookResult<bool> {
        self.never_set()
    }
}
