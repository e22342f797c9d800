//! The world that scenarios run in: accounts and blocks in memory, and how transactions change them.
//!
//! What the VM sees of it is in `hook`.

mod hook;

use crate::apply::{ApplyError, Change, apply};
use crate::escape::hex;
use crate::messages::VmOutput;
use bytes::Bytes;
use num_bigint::{BigInt, BigUint};
use sha3::{Digest as _, Keccak256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// How many transactions it has sent.
    pub nonce: u64,
    /// May fall below zero: nothing but the price of gas and the value of a transaction is checked.
    pub balance: BigInt,
    /// An empty value is kept, but no check can tell it from an absent one.
    pub storage: BTreeMap<Bytes, Bytes>,
    /// The wasm code of a contract; empty for other accounts.
    pub code: Bytes,
    /// The hash of the code, if [`set_code`](Account::set_code) set it: with it the code is sent to a child once only.
    pub code_hash: Bytes,
    /// What the last transfer with data carried.
    pub async_call_data: Bytes,
    /// The sender of the transaction that the account came from; empty for one that a setState set.
    pub owner: Bytes,
}

impl Account {
    /// Sets the code and its hash.
    pub fn set_code(&mut self, code: Bytes) {
        self.code_hash = Keccak256::digest(&code).to_vec().into();
        self.code = code;
    }

    /// A storage value; empty when there is none.
    pub fn storage_value(&self, key: &[u8]) -> Bytes {
        self.storage.get(key).cloned().unwrap_or_default()
    }
}

/// What contracts can learn of a block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockInfo {
    /// Seconds since 1970.
    pub time_stamp: u64,
    /// Its number.
    pub nonce: u64,
    /// The round of consensus that made it.
    pub round: u64,
    /// The epoch it belongs to.
    pub epoch: u32,
}

/// The address that a deploy gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddress {
    /// Who deploys.
    pub creator: Bytes,
    /// The nonce of the creator before the deploy.
    pub creator_nonce: u64,
    /// The address of the new contract.
    pub address: Bytes,
}

/// What a scenario leaves to the next one of a directory: a reset does not clear it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// The last committed block.
    pub previous_block: BlockInfo,
    /// The block in execution.
    pub current_block: BlockInfo,
    /// The first that matches counts.
    pub new_addresses: Vec<NewAddress>,
}

/// The accounts by address, and the blocks.
#[derive(Debug, Default)]
pub struct World {
    /// By address.
    pub accounts: BTreeMap<Bytes, Account>,
    /// By the number of the block.
    pub block_hashes: Vec<Bytes>,
    /// The blocks, and the addresses of future contracts.
    pub lasting: Leftovers,
    /// How many hooks were called.
    hook_calls: u64,
}

/// A transaction that the world does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WorldError {
    /// Not even the nonce was increased.
    #[error("the sender {} does not exist", hex(.0))]
    NoSender(Bytes),
    /// The nonce was increased.
    #[error("not enough balance to pay gas upfront: {balance} instead of {price}")]
    GasNotPaid {
        /// What the sender has.
        balance: BigInt,
        /// What all the gas costs.
        price: BigUint,
    },
    /// The effects can't be.
    #[error(transparent)]
    Effects(#[from] ApplyError),
}

impl World {
    /// Begins a scenario. Blocks and new addresses are as given.
    pub fn reset(&mut self, lasting: Leftovers) {
        *self = World {
            lasting,
            ..World::default()
        };
    }

    /// How many hooks were called since the last time it was asked.
    pub fn take_hook_calls(&mut self) -> u64 {
        std::mem::take(&mut self.hook_calls)
    }

    /// Increases the nonce of a sender and takes the price of all its gas. That is never given back, whatever the transaction's
    /// result.
    pub fn pay_gas(&mut self, sender: &Bytes, limit: u64, price: u64) -> Result<(), WorldError> {
        let account = self
            .accounts
            .get_mut(sender)
            .ok_or_else(|| WorldError::NoSender(sender.clone()))?;
        account.nonce = account.nonce.wrapping_add(1);
        let price = BigUint::from(limit) * price;
        if account.balance < BigInt::from(price.clone()) {
            let balance = account.balance.clone();
            return Err(WorldError::GasNotPaid { balance, price });
        }
        account.balance -= BigInt::from(price);
        Ok(())
    }

    /// Applies what a transaction did. `sender` is `None` for a reward, whose coins come from nowhere.
    pub fn apply(
        &mut self,
        sender: Option<&Bytes>,
        value: &BigUint,
        output: &VmOutput,
    ) -> Result<(), WorldError> {
        let transfers = apply(sender, value, output, |change| {
            self.change(change, sender);
            Ok::<_, WorldError>(())
        })?;
        for transfer in transfers {
            if let Some(account) = self.accounts.get_mut(transfer.to) {
                account.async_call_data = transfer.data.clone();
            }
        }
        Ok(())
    }

    /// An account that the contract only looked at exists from now on.
    fn change(&mut self, change: Change<'_>, sender: Option<&Bytes>) {
        let new = || Account {
            owner: sender.cloned().unwrap_or_default(),
            ..Account::default()
        };
        let account = self.accounts.entry(change.address.clone());
        let account = account.or_insert_with(new);
        account.balance += change.balance_delta;
        account.nonce = account.nonce.max(change.least_nonce);
        if let Some(new) = change.code {
            account.set_code(new.code.clone());
        }
        for (key, value) in change.storage {
            account.storage.insert(key.clone(), value.clone());
        }
    }
}

/// A world that the runner and the machine share. For the machine it is the hook.
#[derive(Debug, Clone, Default)]
pub struct SharedWorld(Arc<Mutex<World>>);

impl SharedWorld {
    /// The world, for this thread alone.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        // A thread that panicked with the lock has left nothing half done that the next reset would keep.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
