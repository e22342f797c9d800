//! The interface from the VM to the chain, called while a contract runs (docs/spec/host.md#hook). Its counterpart is
//! `machine`, the interface from the chain to a VM.
//!
//! A node implements [`BlockchainHook`] for the state of its chain, and the driver answers hook calls with it. In the
//! child, the gateway implements the same trait by sending the calls over the pipe. The VM is thus the same in both
//! processes.

use crate::messages::{Account, ContractCallInput, StorageDataEntry, VmOutput};
use bytes::Bytes;
use std::error::Error;
use thiserror::Error;

/// A hook call that failed. A refusal is a deterministic result that contracts may see; a fatal error is a failure of
/// this node.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HookError {
    /// The node refused. All nodes must refuse the same calls. Each method of [`BlockchainHook`] says what the contract
    /// sees; often it is an empty value, and the contract goes on.
    #[error("{0}")]
    Refused(String),
    /// No answer, because a database can't be read or the node can't be reached. The run ends without an outcome
    /// (docs/spec/wire.md#hook-answers), and this error is a source of the machine's fatal error.
    #[error("the node can't be asked")]
    Fatal(#[source] Box<dyn Error + Send + Sync>),
}

impl HookError {
    /// A refusal, which every node must give. If the contract fails because of it, `reason` is the message of the
    /// output.
    pub fn refused(reason: impl Into<String>) -> HookError {
        HookError::Refused(reason.into())
    }

    /// A fatal error with this cause. `CriticalError::hook_error` returns it with its type.
    pub fn fatal(error: impl Into<Box<dyn Error + Send + Sync>>) -> HookError {
        HookError::Fatal(error.into())
    }
}

/// A hook that a contract called and the node has not implemented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the node's BlockchainHook does not implement {0}")]
pub struct NotImplemented(pub &'static str);

/// The answer of a default method: a fault of the node, not of the contract.
fn not_implemented<T>(hook: &'static str) -> HookResult<T> {
    Err(HookError::fatal(NotImplemented(hook)))
}

/// The result of a hook call.
pub type HookResult<T> = Result<T, HookError>;

/// The state of the chain, as contracts see it.
///
/// Answers must not change within one request: what a contract writes is in the output only. Addresses, storage keys
/// and hashes are bytes of any length.
///
/// Only the three methods that contracts with storage need are required. The defaults of those about blocks, built-in
/// functions and whole storages fail with a [fatal](HookError::Fatal) error ([`NotImplemented`]), so that no contract
/// gets an invented answer.
pub trait BlockchainHook: Send {
    /// The address of the contract that `creator` deploys with this nonce, for a VM of this type. `creator_nonce` is
    /// that of the deploying transaction: one less than the nonce that [`user_account`](Self::user_account) reports.
    ///
    /// A refusal fails the deploy, with its reason as the message.
    fn new_address(
        &mut self,
        creator: &[u8],
        creator_nonce: u64,
        vm_type: &[u8],
    ) -> HookResult<Bytes>;

    /// A storage value; `None` when nothing is stored. An empty value is different: the output reports it as read.
    ///
    /// **A refusal reads as if nothing were stored**, so that a counter in a contract would start again from zero. If
    /// the value can't be read, return [`HookError::fatal`].
    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>>;

    /// An account with its code; `None` if there is none.
    ///
    /// A refusal reads as `None`, but if the contract fails because of it, its reason is the message of the output. If
    /// the account can't be read, return [`HookError::fatal`].
    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>>;

    /// Like [`user_account`](Self::user_account), for a caller that already holds the code for `known_code_hash`, which is not
    /// empty. If the account still has this [`Account::code_hash`], the code may be left out and [`Account::code_unchanged`]
    /// set (docs/spec/wire.md#known-code).
    ///
    /// Override it if the node can skip loading the code. With any other code hash the code must be present.
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

    /// Whether an address is a contract's. By default, whether its account has code.
    ///
    /// A refusal reads as false.
    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool> {
        let account = self.user_account(address)?;
        Ok(account.is_some_and(|account| !account.code.is_empty()))
    }

    /// The shard of an address. By default 0: everything is in one shard.
    ///
    /// A refusal reads as 0.
    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32> {
        let _ = address;
        Ok(0)
    }

    /// Runs a function that the protocol itself implements: one of `Arguments::protocol_builtin_functions`. `None` is a
    /// fault of the node, and the run has no output.
    ///
    /// A refusal fails the call, with its reason as the message, and consumes all gas of the call.
    fn process_builtin_function(
        &mut self,
        input: &ContractCallInput,
    ) -> HookResult<Option<VmOutput>> {
        let _ = input;
        not_implemented("process_builtin_function")
    }

    /// The names of the protocol's built-in functions; by default none. The VM knows them from its arguments and does
    /// not ask.
    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        Ok(Vec::new())
    }

    /// The whole storage of an account. The VM does not ask for it.
    fn all_state(&mut self, address: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        let _ = address;
        not_implemented("all_state")
    }

    /// The hash of the block with this number.
    ///
    /// A refusal reads as empty.
    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        let _ = nonce;
        not_implemented("block_hash")
    }

    /// The number of the last committed block. A refusal reads as 0.
    fn last_nonce(&mut self) -> HookResult<u64> {
        not_implemented("last_nonce")
    }

    /// The round of the last committed block. A refusal reads as 0.
    fn last_round(&mut self) -> HookResult<u64> {
        not_implemented("last_round")
    }

    /// The time of the last committed block, in seconds since 1970. A refusal reads as 0.
    fn last_time_stamp(&mut self) -> HookResult<u64> {
        not_implemented("last_time_stamp")
    }

    /// The random seed of the last committed block. A refusal reads as empty.
    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        not_implemented("last_random_seed")
    }

    /// The epoch of the last committed block. A refusal reads as 0.
    fn last_epoch(&mut self) -> HookResult<u32> {
        not_implemented("last_epoch")
    }

    /// The root hash of the state. A refusal reads as empty.
    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        not_implemented("state_root_hash")
    }

    /// The number of the block in execution. A refusal reads as 0.
    fn current_nonce(&mut self) -> HookResult<u64> {
        not_implemented("current_nonce")
    }

    /// The round of the block in execution. A refusal reads as 0.
    fn current_round(&mut self) -> HookResult<u64> {
        not_implemented("current_round")
    }

    /// The time of the block in execution, in seconds since 1970. A refusal reads as 0.
    fn current_time_stamp(&mut self) -> HookResult<u64> {
        not_implemented("current_time_stamp")
    }

    /// The random seed of the block in execution. A refusal reads as empty.
    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        not_implemented("current_random_seed")
    }

    /// The epoch of the block in execution. A refusal reads as 0.
    fn current_epoch(&mut self) -> HookResult<u32> {
        not_implemented("current_epoch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Least;

    impl BlockchainHook for Least {
        fn new_address(&mut self, _: &[u8], _: u64, _: &[u8]) -> HookResult<Bytes> {
            Ok("new".into())
        }

        fn storage_data(&mut self, _: &[u8], _: &[u8]) -> HookResult<Option<Bytes>> {
            Ok(None)
        }

        fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
            let code = match address {
                b"contract" => "code".into(),
                b"user" => Bytes::new(),
                _ => return Ok(None),
            };
            Ok(Some(Account {
                code,
                code_hash: "hash".into(),
                ..Account::default()
            }))
        }
    }

    #[test]
    fn defaults_are_true_or_fatal() {
        for (address, expected) in [("contract", true), ("user", false), ("nobody", false)] {
            let is_contract = Least.is_smart_contract(address.as_bytes());
            assert_eq!(is_contract.expect("known"), expected, "{address}");
        }
        let unchanged = Least.user_account_with_known_code(b"contract", b"hash");
        assert!(
            unchanged
                .expect("an account")
                .expect("there")
                .code_unchanged
        );
        let changed = Least.user_account_with_known_code(b"contract", b"older");
        let changed = changed.expect("an account").expect("there");
        assert_eq!(
            (&changed.code[..], changed.code_unchanged),
            (&b"code"[..], false)
        );
        let Err(HookError::Fatal(error)) = Least.current_time_stamp() else {
            panic!("an answer that nobody gave");
        };
        let hook = error.downcast_ref::<NotImplemented>();
        assert_eq!(hook, Some(&NotImplemented("current_time_stamp")));
    }
}
