//! A node that answers all that a contract can ask without another one, and a contract that asks all of it.

use super::node::{CONTRACT, USER, wasm};
use arwen::hooks::{BlockchainHook, HookError, HookResult};
use arwen::messages::*;
use bytes::Bytes;
use std::sync::{Arc, Mutex};

/// Its function `askEverything` makes 17 hook calls.
pub const HOOKS: &str = include_str!("../../contracts/hooks.wat");

/// Is told the number of the hook call, from 0.
type Watcher = Box<dyn FnMut(usize) + Send>;

/// A node whose answers can be told apart, and which remembers what it was asked.
#[derive(Clone, Default)]
pub struct Talkative {
    asked: Arc<Mutex<Vec<&'static str>>>,
    watcher: Arc<Mutex<Option<Watcher>>>,
}

impl Talkative {
    /// What it was asked since this was called last.
    pub fn take_asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().expect("no panic"))
    }

    /// Calls this in each hook call, before it is answered.
    pub fn watch(&self, watcher: impl FnMut(usize) + Send + 'static) {
        *self.watcher.lock().expect("no panic") = Some(Box::new(watcher));
    }

    pub fn watch_no_more(&self) {
        *self.watcher.lock().expect("no panic") = None;
    }

    fn answer<T>(&self, question: &'static str, answer: T) -> HookResult<T> {
        let mut asked = self.asked.lock().expect("no panic");
        asked.push(question);
        if let Some(watcher) = &mut *self.watcher.lock().expect("no panic") {
            watcher(asked.len() - 1);
        }
        Ok(answer)
    }
}

impl BlockchainHook for Talkative {
    fn new_address(&mut self, creator: &[u8], nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
        assert_eq!((creator, nonce, vm_type), (&USER[..], 6, &b"\x05\0"[..]));
        self.answer("new address", CONTRACT)
    }
    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        assert_eq!((address, key), (&CONTRACT[..], &b"somebody"[..]));
        self.answer("storage", Some("stored".into()))
    }
    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        assert_eq!(nonce, 41);
        self.answer("block hash", "hash".into())
    }
    fn last_nonce(&mut self) -> HookResult<u64> {
        self.answer("last nonce", 1)
    }
    fn last_round(&mut self) -> HookResult<u64> {
        self.answer("last round", 2)
    }
    fn last_time_stamp(&mut self) -> HookResult<u64> {
        self.answer("last time stamp", 3)
    }
    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        self.answer("last random seed", "old!".into())
    }
    fn last_epoch(&mut self) -> HookResult<u32> {
        self.answer("last epoch", 4)
    }
    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        self.answer("state root hash", "root".into())
    }
    fn current_nonce(&mut self) -> HookResult<u64> {
        self.answer("current nonce", 5)
    }
    fn current_round(&mut self) -> HookResult<u64> {
        self.answer("current round", 6)
    }
    fn current_time_stamp(&mut self) -> HookResult<u64> {
        self.answer("current time stamp", 7)
    }
    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        self.answer("current random seed", "seed".into())
    }
    fn current_epoch(&mut self) -> HookResult<u32> {
        self.answer("current epoch", 8)
    }
    fn process_builtin_function(&mut self, _: &ContractCallInput) -> HookResult<Option<VmOutput>> {
        Err(HookError::refused("there are none"))
    }
    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        self.answer("built-in function names", Vec::new())
    }
    fn all_state(&mut self, _: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        self.answer("all state", Vec::new())
    }
    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        let account = match address == CONTRACT {
            true => Account {
                code: wasm(HOOKS),
                owner_address: "owner".into(),
                ..Account::default()
            },
            false => Account {
                nonce: 7,
                ..Account::default()
            },
        };
        self.answer("account", Some(account))
    }
    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32> {
        assert_eq!(address, b"somebody________________________");
        self.answer("shard", 9)
    }
    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool> {
        assert_eq!(address, b"somebody________________________");
        self.answer("is smart contract", true)
    }
}
