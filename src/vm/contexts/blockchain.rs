//! What the hook knows, in part through the output (docs/spec/host.md#balance-and-nonce, #lookups).

use super::Contexts;
use crate::hooks::BlockchainHook as _;
use crate::messages::Account;
use crate::vm::error::{Broken, ExecutionError, Failure, unless_refused};
use bytes::Bytes;
use num_bigint::BigInt;

impl Contexts {
    /// The balance with what the run has changed. Makes the account one that was looked at. An account that the hook
    /// does not know has nothing, whatever it was given in this run (docs/spec/README.md#quirk-27).
    pub fn balance(&mut self, address: &Bytes) -> Result<BigInt, Broken> {
        if self.output.account(address).balance.is_none() {
            let account = unless_refused(self.hook.user_account(address))?.flatten();
            let Some(account) = account else {
                return Ok(BigInt::default());
            };
            let Some(balance) = &account.balance else {
                return Err(Broken::host_fault("an account without a balance"));
            };
            self.output.account(address).balance = Some(BigInt::from(balance));
        }
        let account = self.output.account(address);
        let balance = account.balance.clone().unwrap_or_default();
        Ok(balance + &account.balance_delta)
    }

    /// The nonce; 0 for an account that was only looked at for another reason (docs/spec/README.md#quirk-26).
    pub fn nonce(&mut self, address: &Bytes) -> Result<u64, Failure> {
        if let Some(account) = self.output.accounts.get(address) {
            return Ok(account.nonce);
        }
        let account = self.output.account(address);
        account.nonce = 0;
        let nonce = self
            .hook
            .user_account(address)?
            .map_or(0, |account| account.nonce);
        self.output.account(address).nonce = nonce;
        Ok(nonce)
    }

    /// Counts a deploy.
    pub fn increase_nonce(&mut self, address: &Bytes) -> Result<(), Broken> {
        let nonce = match self.nonce(address) {
            Ok(nonce) => nonce,
            Err(Failure::Execution(_)) => 0,
            Err(Failure::Broken(broken)) => return Err(broken),
        };
        self.output.account(address).nonce = nonce.wrapping_add(1);
        Ok(())
    }

    /// The address of what `creator` deploys next: the node has counted this transaction already.
    pub fn new_address(&mut self, creator: &Bytes) -> Result<Bytes, Failure> {
        let nonce = self.nonce(creator)?.saturating_sub(1);
        let vm_type = &self.settings.vm_type;
        Ok(self.hook.new_address(creator, nonce, vm_type)?)
    }

    /// The code at an address.
    pub fn code(&mut self, address: &[u8]) -> Result<Bytes, Failure> {
        let code = self.hook.code(address)?;
        let code = code.ok_or(ExecutionError::NoAccount)?;
        if code.is_empty() {
            return Err(ExecutionError::ContractNotFound.into());
        }
        Ok(code)
    }

    /// Whether there is code at an address.
    pub fn has_code(&mut self, address: &[u8]) -> Result<bool, Broken> {
        match self.code(address) {
            Ok(_) => Ok(true),
            Err(Failure::Execution(_)) => Ok(false),
            Err(Failure::Broken(broken)) => Err(broken),
        }
    }

    /// The length of the code at an address; 0 for none.
    pub fn code_size(&mut self, address: &[u8]) -> Result<i32, Broken> {
        let code = unless_refused(self.hook.code(address))?.flatten();
        Ok(code.map_or(0, |code| code.len() as i32))
    }

    /// The owner of the current contract; empty if there is no such account.
    pub fn owner_address(&mut self) -> Result<Bytes, Failure> {
        let address = self.current_call().address.clone();
        let account: Option<Account> = self.hook.user_account(&address)?;
        Ok(account.map_or_else(Bytes::new, |account| account.owner_address))
    }

    /// The hash of a block; empty if there is none.
    pub fn block_hash(&mut self, nonce: i64) -> Result<Bytes, Broken> {
        let Ok(nonce) = u64::try_from(nonce) else {
            return Ok(Bytes::new());
        };
        Ok(unless_refused(self.hook.block_hash(nonce))?.unwrap_or_default())
    }
}
