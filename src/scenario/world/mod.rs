//! The world that scenarios run in: accounts and blocks in memory, and how transactions change them.
//!
//! `hook` implements the hooks of the VM.

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
    /// May be negative: only the price of gas and the value of a transaction are checked.
    pub balance: BigInt,
    /// Empty values are kept, but checks treat them as absent.
    pub storage: BTreeMap<Bytes, Bytes>,
    /// The wasm code of a contract; empty for other accounts.
    pub code: Bytes,
    /// The hash of the code, if [`set_code`](Account::set_code) set it. With it the code is sent to a child only once.
    pub code_hash: Bytes,
    /// The metadata of the code, as it was deployed. The VM never sees it, and scenario files don't have it.
    pub code_metadata: Bytes,
    /// The data of the last transfer with data.
    pub async_call_data: Bytes,
    /// The sender of the transaction that created the account; empty if a setState did.
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

/// The facts of a block that contracts can read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlockInfo {
    /// Seconds since 1970.
    pub time_stamp: u64,
    /// Its number.
    pub nonce: u64,
    /// Its consensus round.
    pub round: u64,
    /// Its epoch.
    pub epoch: u32,
}

/// A predefined address of a deployed contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAddress {
    /// The deploying account.
    pub creator: Bytes,
    /// The nonce of the creator before the deploy.
    pub creator_nonce: u64,
    /// The address of the new contract.
    pub address: Bytes,
}

/// State that is kept from one scenario of a directory to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// The last committed block.
    pub previous_block: BlockInfo,
    /// The block in execution.
    pub current_block: BlockInfo,
    /// Predefined addresses; the first match counts.
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
    /// Number of hook calls.
    hook_calls: u64,
}

/// A transaction that the world does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WorldError {
    /// The sender does not exist; nothing was changed.
    #[error("the sender {} does not exist", hex(.0))]
    NoSender(Bytes),
    /// The sender can't pay for the gas; only its nonce was increased.
    #[error("not enough balance to pay gas upfront: {balance} instead of {price}")]
    GasNotPaid {
        /// What the sender has.
        balance: BigInt,
        /// The price of all the gas.
        price: BigUint,
    },
    /// The effects can't be applied.
    #[error(transparent)]
    Effects(#[from] ApplyError),
}

impl World {
    /// Resets the world for a new scenario, which starts with these leftovers.
    pub fn reset(&mut self, lasting: Leftovers) {
        *self = World {
            lasting,
            ..World::default()
        };
    }

    /// Returns the number of hook calls since the last call of this.
    pub fn take_hook_calls(&mut self) -> u64 {
        std::mem::take(&mut self.hook_calls)
    }

    /// Increases the nonce of a sender and takes the price of all its gas, which is never refunded.
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

    /// Applies the output of a transaction. `sender` is `None` for a reward, which creates coins.
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

    /// Applies the change of one account. An account that the contract only read is created as well.
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
            account.code_metadata = new.metadata.clone();
        }
        for (key, value) in change.storage {
            account.storage.insert(key.clone(), value.clone());
        }
    }
}

/// A world shared by the runner and the machine, whose hook it is.
#[derive(Debug, Clone, Default)]
pub struct SharedWorld(Arc<Mutex<World>>);

impl SharedWorld {
    /// Locks the world.
    pub fn lock(&self) -> MutexGuard<'_, World> {
        // Ignores poisoning: the next reset clears what a panic left incomplete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
