//! The steps setState and checkState.

use super::DEFAULT_PROTECTED_PREFIX;
use super::reader::{Fault, Problem, Reader, fields, list, required, text};
use crate::scenario::json::Value;
use crate::scenario::model::{AccountCheck, CheckState, Expected, SetState};
use crate::scenario::world::{Account, BlockInfo, NewAddress};
use bytes::Bytes;

impl Reader<'_> {
    pub fn set_state(&self, step: &Value) -> Result<SetState, Fault> {
        let mut state = SetState::default();
        fields(step, |name, value| {
            match name {
                b"step" => {}
                b"comment" => drop(text(value)?),
                b"accounts" => state.accounts = self.accounts(value)?,
                b"previousBlockInfo" => state.previous_block = self.block_info(value)?,
                b"currentBlockInfo" => state.current_block = self.block_info(value)?,
                b"blockHashes" => state.block_hashes = self.bytes_list(value)?,
                b"newAddresses" => {
                    state.new_addresses = list(value, |entry| self.new_address(entry))?;
                }
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(state)
    }

    pub fn accounts(&self, value: &Value) -> Result<Vec<(Bytes, Account)>, Fault> {
        let mut accounts = Vec::new();
        fields(value, |key, value| {
            accounts.push((self.address_key(key)?, self.account(value)?));
            Ok(())
        })?;
        Ok(accounts)
    }

    fn account(&self, value: &Value) -> Result<Account, Fault> {
        let mut account = Account::default();
        let mut balance = None;
        fields(value, |name, value| {
            match name {
                b"comment" => drop(text(value)?),
                b"nonce" => account.nonce = self.unsigned_64(value)?,
                b"balance" => balance = Some(self.unsigned(value)?),
                b"storage" => account.storage = self.storage(value)?.into_iter().collect(),
                b"code" => account.set_code(self.bytes(value)?),
                b"asyncCallData" => account.async_call_data = text(value)?.clone(),
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        account.balance = required(balance, "balance")?.into();
        Ok(account)
    }

    /// The last of equal keys counts: `0x01` and `1` are different keys of the map, but the same storage key.
    fn storage(&self, value: &Value) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        let mut storage = Vec::new();
        fields(value, |key, value| {
            storage.push((self.storage_key(key)?, self.bytes(value)?));
            Ok(())
        })?;
        Ok(storage)
    }

    /// Evaluates a storage key. The usual protected prefix is replaced by the prefix of this run: the contracts of the
    /// reference's own suite were built with another prefix than its scenarios name.
    fn storage_key(&self, key: &[u8]) -> Result<Bytes, Fault> {
        let key = self.key(key)?;
        Ok(match key.strip_prefix(DEFAULT_PROTECTED_PREFIX) {
            Some(rest) => [self.protected_prefix, rest].concat().into(),
            None => key,
        })
    }

    pub fn block_info(&self, value: &Value) -> Result<BlockInfo, Fault> {
        let mut info = BlockInfo::default();
        fields(value, |name, value| {
            match name {
                b"blockTimestamp" => info.time_stamp = self.unsigned_64(value)?,
                b"blockNonce" => info.nonce = self.unsigned_64(value)?,
                b"blockRound" => info.round = self.unsigned_64(value)?,
                // The reference keeps the low 32 bits.
                b"blockEpoch" => {
                    let epoch = self.unsigned_64(value)? & u64::from(u32::MAX);
                    info.epoch = u32::try_from(epoch).unwrap_or_default();
                }
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(info)
    }

    pub fn new_address(&self, value: &Value) -> Result<NewAddress, Fault> {
        let mut new = NewAddress {
            creator: Bytes::new(),
            creator_nonce: 0,
            address: Bytes::new(),
        };
        fields(value, |name, value| {
            match name {
                b"creatorAddress" => new.creator = self.address(value)?,
                b"creatorNonce" => new.creator_nonce = self.unsigned_64(value)?,
                b"newAddress" => new.address = self.address(value)?,
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(new)
    }

    pub fn check_state(&self, step: &Value) -> Result<CheckState, Fault> {
        let mut accounts = None;
        fields(step, |name, value| {
            match name {
                b"step" => {}
                b"comment" => drop(text(value)?),
                b"accounts" => accounts = Some(self.account_checks(value)?),
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        required(accounts, "accounts")
    }

    pub fn account_checks(&self, value: &Value) -> Result<CheckState, Fault> {
        let mut check = CheckState {
            others_allowed: false,
            accounts: Vec::new(),
        };
        fields(value, |key, value| {
            match key {
                b"+" => check.others_allowed = true,
                _ => {
                    let address = self.address_key(key)?;
                    check.accounts.push((address, self.account_check(value)?));
                }
            }
            Ok(())
        })?;
        Ok(check)
    }

    fn account_check(&self, value: &Value) -> Result<AccountCheck, Fault> {
        let mut nonce = Expected::Exactly(0);
        let mut balance = None;
        let mut storage = Expected::Exactly(Vec::new());
        let mut code = Expected::Exactly(Bytes::new());
        let mut async_call_data = Bytes::new();
        fields(value, |name, value| {
            match name {
                b"comment" => drop(text(value)?),
                b"nonce" => nonce = self.expected(value, Self::unsigned_64)?,
                b"balance" => balance = Some(self.expected(value, Self::unsigned)?),
                b"storage" => storage = self.expected(value, Self::storage)?,
                b"code" => code = self.expected(value, Self::bytes)?,
                b"asyncCallData" => async_call_data = text(value)?.clone(),
                _ => return Err(Problem::UnknownField.into()),
            }
            Ok(())
        })?;
        Ok(AccountCheck {
            nonce,
            balance: required(balance, "balance")?,
            storage,
            code,
            async_call_data,
        })
    }
}
