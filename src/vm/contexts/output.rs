//! What an execution does: the output under construction (docs/spec/host.md#output, #merging).

use super::storage_updates::StorageUpdates;
use crate::messages::{
    self, LogEntry, OutputAccountEntry, StorageUpdate, StorageUpdateEntry, VmOutput,
};
use crate::vm::effort::{ACCOUNT_STEPS, STORAGE_VALUE_STEPS, linear_steps};
use crate::vm::error::{Broken, ExecutionError};
use bytes::Bytes;
use num_bigint::BigInt;
use std::collections::BTreeMap;

/// The new state of an account: differences, not totals.
#[derive(Debug, Clone, Default)]
pub struct OutputAccount {
    pub nonce: u64,
    /// The balance before the run, once it was asked for.
    pub balance: Option<BigInt>,
    pub balance_delta: BigInt,
    /// Storage values written or read.
    pub storage: StorageUpdates,
    pub code: Bytes,
    pub code_metadata: Bytes,
    /// What transfers to the account carry, one behind the other.
    pub data: Bytes,
    pub gas_limit: u64,
    pub call_type: i64,
}

impl OutputAccount {
    /// Adds what a transfer carries. It is copied with all before only if a copy of the account shares that.
    pub fn add_data(&mut self, data: &[u8]) {
        let before = std::mem::take(&mut self.data);
        let mut all = before
            .try_into_mut()
            .unwrap_or_else(|shared| shared[..].into());
        all.extend_from_slice(data);
        self.data = all.freeze();
    }

    /// Takes over what a later state says; what that does not know stays. Metadata of code is never taken over
    /// (docs/spec/README.md#quirk-28).
    fn merge(&mut self, later: OutputAccount) {
        self.gas_limit = later.gas_limit;
        self.storage.merge(later.storage);
        if later.balance.is_some() {
            self.balance = later.balance;
        }
        self.balance_delta = later.balance_delta;
        if !later.code.is_empty() {
            self.code = later.code;
        }
        if !later.data.is_empty() {
            self.data = later.data;
        }
        self.nonce = self.nonce.max(later.nonce);
        self.call_type = later.call_type;
    }

    fn into_wire(self, address: Bytes) -> messages::OutputAccount {
        let updates = self
            .storage
            .into_sorted()
            .map(|(key, data)| StorageUpdateEntry {
                key: key.clone(),
                value: Some(StorageUpdate { offset: key, data }),
            });
        messages::OutputAccount {
            address,
            nonce: self.nonce,
            balance: self.balance.as_ref().map(messages::BigInt::from),
            balance_delta: Some(messages::BigInt::from(&self.balance_delta)),
            storage_updates: updates.collect(),
            code: self.code,
            code_metadata: self.code_metadata,
            data: self.data,
            gas_limit: self.gas_limit,
            call_type: self.call_type,
            null_lists: 0,
        }
    }
}

/// The output under construction. Names and messages are bytes until they go to the node.
#[derive(Debug, Clone, Default)]
pub struct OutputState {
    pub return_data: Vec<Bytes>,
    /// A `messages::ReturnCode`, or what a built-in function has returned.
    pub return_code: i64,
    pub return_message: Bytes,
    pub gas_remaining: u64,
    pub gas_refund: BigInt,
    /// Boxed: a node of the tree has room for eleven values, so that the first account of a run would allocate 2.6 KB.
    pub accounts: BTreeMap<Bytes, Box<OutputAccount>>,
    pub logs: Vec<LogEntry>,
}

impl OutputState {
    /// The account, as a new one if it is not there yet.
    pub fn account(&mut self, address: &Bytes) -> &mut OutputAccount {
        // Mostly it is there: to share the address takes longer than to look twice.
        if !self.accounts.contains_key(address) {
            self.accounts.insert(address.clone(), Box::default());
        }
        self.accounts.get_mut(address).expect("it is there")
    }

    /// The steps to copy all accounts, and to merge them again (docs/spec/eei.md#limit-of-work).
    pub fn steps_to_copy_accounts(&self) -> u64 {
        let accounts = self.accounts.values();
        accounts
            .map(|account| {
                let values = STORAGE_VALUE_STEPS * account.storage.len() as u64;
                ACCOUNT_STEPS + values + linear_steps(account.data.len() as u64)
            })
            .sum()
    }

    /// What is set aside for a nested execution loses the metadata of code (docs/spec/README.md#quirk-28).
    pub fn lose_metadata(&mut self) {
        for account in self.accounts.values_mut() {
            account.code_metadata = Bytes::new();
        }
    }

    /// The state for a nested execution that sees of what happened before only the accounts.
    pub fn with_accounts_only(&self) -> OutputState {
        OutputState {
            accounts: self.accounts.clone(),
            ..OutputState::default()
        }
    }

    /// Takes over what a later state says; logs and return data are added to those of this one.
    pub fn merge(&mut self, later: OutputState) {
        for (address, account) in later.accounts {
            self.account(&address).merge(*account);
        }
        self.logs.extend(later.logs);
        self.return_data.extend(later.return_data);
        self.gas_remaining = later.gas_remaining;
        self.gas_refund = later.gas_refund;
        self.return_code = later.return_code;
        self.return_message = later.return_message;
    }

    /// Takes over the answer of a built-in function (docs/spec/host.md#built-in-functions).
    pub fn merge_builtin(&mut self, answer: VmOutput) -> Result<(), Broken> {
        let gas_refund = answer.gas_refund.as_ref().map(BigInt::from);
        let mut accounts = BTreeMap::new();
        for entry in answer.output_accounts {
            let Some(account) = entry.value else {
                return Err(Broken::host_fault(
                    "the answer of a built-in function has a null account",
                ));
            };
            let address = if account.address.is_empty() {
                entry.key
            } else {
                account.address.clone()
            };
            let account = self.account_of_builtin(&address, account);
            accounts.insert(address, Box::new(account));
        }
        self.merge(OutputState {
            return_data: answer.return_data,
            return_code: answer.return_code,
            return_message: answer.return_message.into(),
            gas_remaining: 0,
            gas_refund: gas_refund.map_or_else(BigInt::default, |refund| refund + &self.gas_refund),
            accounts,
            logs: answer.logs,
        });
        Ok(())
    }

    /// The account of a built-in function's answer as the later state of ours. Without a delta it changes no balance.
    fn account_of_builtin(
        &self,
        address: &Bytes,
        account: messages::OutputAccount,
    ) -> OutputAccount {
        let ours = self.accounts.get(address);
        let delta = account.balance_delta.as_ref().map(BigInt::from);
        let (gas_limit, balance_delta) = match (ours, delta) {
            (Some(ours), Some(delta)) => (ours.gas_limit, delta + &ours.balance_delta),
            (Some(ours), None) => (account.gas_limit, ours.balance_delta.clone()),
            (None, delta) => (account.gas_limit, delta.unwrap_or_default()),
        };
        let updates = account.storage_updates.into_iter();
        OutputAccount {
            nonce: account.nonce,
            balance: account.balance.as_ref().map(BigInt::from),
            balance_delta,
            storage: updates
                .filter_map(|update| update.value.map(|value| (value.offset, value.data)))
                .collect(),
            code: account.code,
            code_metadata: account.code_metadata,
            data: account.data,
            gas_limit,
            call_type: account.call_type,
        }
    }

    /// Adds to the refund, which the reference keeps in 64 bits.
    pub fn add_refund(&mut self, gas: u64) {
        let refund = super::big_int::low_i64(&self.gas_refund) as u64;
        self.gas_refund = BigInt::from(refund.wrapping_add(gas) as i64);
    }

    /// The message of an output that reports `error`: an earlier message goes first (docs/spec/host.md#return-codes).
    pub fn message_for(&self, error: &ExecutionError) -> Bytes {
        if *error == ExecutionError::Signalled || !self.return_message.is_empty() {
            return self.return_message.clone();
        }
        error.to_string().into()
    }

    /// For the node: in the order of the bytes of addresses and keys.
    pub fn into_wire(self) -> VmOutput {
        // As in the reference, where the output of a failure is a new one, and every other has looked at an account.
        let null_lists = match self.accounts.is_empty() {
            true => VmOutput::ALL_LISTS,
            false => 0,
        };
        let accounts = self
            .accounts
            .into_iter()
            .map(|(address, account)| OutputAccountEntry {
                key: address.clone(),
                value: Some(account.into_wire(address)),
            });
        VmOutput {
            return_data: self.return_data,
            return_code: self.return_code,
            return_message: messages::go_text(&self.return_message),
            gas_remaining: self.gas_remaining,
            gas_refund: Some(messages::BigInt::from(&self.gas_refund)),
            output_accounts: accounts.collect(),
            deleted_accounts: Vec::new(),
            touched_accounts: Vec::new(),
            logs: self.logs,
            null_lists,
        }
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
