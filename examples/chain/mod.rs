//! A chain in memory: what a node has beside its driver. It implements the three hooks that a contract with a storage needs.

use arwen::apply::{ApplyError, Change, apply};
use arwen::hooks::{BlockchainHook, HookResult};
use arwen::messages::{Account, VmOutput};
use bytes::Bytes;
use num_bigint::{BigInt, BigUint};
use std::collections::BTreeMap;

/// An account as this node has it.
#[derive(Default)]
pub struct Entry {
    pub nonce: u64,
    pub balance: BigInt,
    pub code: Bytes,
    pub storage: BTreeMap<Bytes, Bytes>,
}

/// All accounts, by address.
#[derive(Default)]
pub struct Chain {
    pub accounts: BTreeMap<Bytes, Entry>,
}

impl Chain {
    /// The first thing that a transaction does, whatever comes after: two deploys with one nonce would get one address.
    pub fn begin(&mut self, sender: &Bytes) {
        self.accounts.entry(sender.clone()).or_default().nonce += 1;
    }

    /// Makes the changes of an output. No transaction of this node has a value, or pays for its gas.
    pub fn apply(&mut self, sender: &Bytes, output: &VmOutput) -> Result<(), ApplyError> {
        let transfers = apply(Some(sender), &BigUint::ZERO, output, |change| {
            self.change(change);
            Ok::<_, ApplyError>(())
        })?;
        assert!(transfers.is_empty(), "no contract here calls another shard");
        Ok(())
    }

    fn change(&mut self, change: Change<'_>) {
        let account = self.accounts.entry(change.address.clone()).or_default();
        account.balance += change.balance_delta;
        account.nonce = account.nonce.max(change.least_nonce);
        if let Some(new) = change.code {
            account.code = new.code.clone();
        }
        for (key, value) in change.storage {
            match value.is_empty() {
                true => drop(account.storage.remove(key)),
                false => drop(account.storage.insert(key.clone(), value.clone())),
            }
        }
    }
}

impl BlockchainHook for Chain {
    fn new_address(&mut self, creator: &[u8], nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
        // Eight zeros say that it is a contract. A chain would hash the rest.
        let parts = [&[0; 8], vm_type, &nonce.to_be_bytes(), creator].concat();
        Ok(Bytes::copy_from_slice(&parts[..32]))
    }

    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        // A node with a database gives HookError::fatal for one that it can't read: a refusal would read as nothing stored.
        let account = self.accounts.get(address);
        Ok(account.and_then(|account| account.storage.get(key).cloned()))
    }

    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        let account = |entry: &Entry| Account {
            nonce: entry.nonce,
            balance: Some((&entry.balance).into()),
            address: Bytes::copy_from_slice(address),
            code: entry.code.clone(),
            // With a code hash, the child would ask for the code once only.
            ..Account::default()
        };
        Ok(self.accounts.get(address).map(account))
    }
}
