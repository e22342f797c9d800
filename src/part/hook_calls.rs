//! The gateway: makes each hook call of the machine a request to the node and waits for the response
//! (docs/spec/wire.md#hook-calls, #hook-answers).

use super::known_code::KnownCode;
use super::link::Link;
use crate::hooks::{BlockchainHook, HookError, HookResult};
use crate::messages::null::not_null;
use crate::messages::*;
use crate::transport::Transport;
use bytes::Bytes;

/// The [`BlockchainHook`] of the machine in the child, which forwards every call to the node.
#[derive(Debug)]
pub struct Gateway<T> {
    link: Link<T>,
    known_code: KnownCode,
    facts: Facts,
    address: LastAddress,
}

/// The address of the last call. The next call mostly has the same, so its bytes are shared.
#[derive(Debug, Default)]
struct LastAddress(Bytes);

impl LastAddress {
    /// The address as [`Bytes`], shared with the last call if equal.
    fn share(&mut self, address: &[u8]) -> Bytes {
        if self.0 != address {
            self.0 = not_null(address.to_vec());
        }
        self.0.clone()
    }
}

/// Cached answers that can't change within one dialogue.
#[derive(Debug, Default)]
struct Facts {
    /// The number of the request that started the dialogue.
    request: u64,
    answers: Vec<Message>,
}

impl<T: Transport> Gateway<T> {
    /// A gateway over this connection.
    pub fn new(link: Link<T>) -> Gateway<T> {
        Gateway {
            link,
            known_code: KnownCode::default(),
            facts: Facts::default(),
            address: LastAddress::default(),
        }
    }

    /// Sends a request; an error message in the response is an error.
    fn ask<R: HookRequest>(&self, request: R) -> HookResult<R::Response> {
        let (response, error) = self.ask_leniently(request)?;
        if error.is_empty() {
            Ok(response)
        } else {
            Err(HookError::Refused(error))
        }
    }

    /// Requests a fact about blocks. It is cached for the dialogue, within which it can't change.
    fn fact<R: HookRequest>(&mut self, request: R) -> HookResult<R::Response>
    where
        R::Response: Clone,
    {
        let number = self.link.request_number();
        if self.facts.request != number {
            self.facts.request = number;
            self.facts.answers.clear();
        }
        let kind = R::Response::KIND.wire();
        let known = self
            .facts
            .answers
            .iter()
            .find(|answer| answer.kind() == kind);
        if let Some(known) = known.cloned().map(R::Response::from_message)
            && let Ok(known) = known
        {
            return Ok(known);
        }
        let answer = self.ask(request)?;
        self.facts.answers.push(answer.clone().into());
        Ok(answer)
    }

    /// Sends a request; the value of the response is used, its error message is ignored.
    fn ask_for_value<R: HookRequest>(&self, request: R) -> HookResult<R::Response> {
        self.ask_leniently(request).map(|(response, _)| response)
    }

    fn ask_leniently<R: HookRequest>(&self, request: R) -> HookResult<(R::Response, String)> {
        self.link.ask(&request)
    }
}

impl<T: Transport> BlockchainHook for Gateway<T> {
    fn new_address(&mut self, creator: &[u8], nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
        let request = BlockchainNewAddressRequest {
            creator_address: not_null(creator.to_vec()),
            creator_nonce: nonce,
            vm_type: not_null(vm_type.to_vec()),
        };
        Ok(self.ask(request)?.result)
    }

    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        let request = || BlockchainGetStorageDataRequest {
            address: self.address.share(address),
            index: not_null(key.to_vec()),
        };
        self.link.ask_for_storage(address, key, request)
    }

    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        Ok(self.ask(BlockchainGetBlockhashRequest { nonce })?.result)
    }

    fn last_nonce(&mut self) -> HookResult<u64> {
        Ok(self.fact(BlockchainLastNonceRequest {})?.result)
    }

    fn last_round(&mut self) -> HookResult<u64> {
        Ok(self.fact(BlockchainLastRoundRequest {})?.result)
    }

    fn last_time_stamp(&mut self) -> HookResult<u64> {
        Ok(self.fact(BlockchainLastTimeStampRequest {})?.result)
    }

    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        Ok(self.fact(BlockchainLastRandomSeedRequest {})?.result)
    }

    fn last_epoch(&mut self) -> HookResult<u32> {
        Ok(self.fact(BlockchainLastEpochRequest {})?.result)
    }

    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        Ok(self.fact(BlockchainGetStateRootHashRequest {})?.result)
    }

    fn current_nonce(&mut self) -> HookResult<u64> {
        Ok(self.fact(BlockchainCurrentNonceRequest {})?.result)
    }

    fn current_round(&mut self) -> HookResult<u64> {
        Ok(self.fact(BlockchainCurrentRoundRequest {})?.result)
    }

    fn current_time_stamp(&mut self) -> HookResult<u64> {
        Ok(self.fact(BlockchainCurrentTimeStampRequest {})?.result)
    }

    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        Ok(self.fact(BlockchainCurrentRandomSeedRequest {})?.result)
    }

    fn current_epoch(&mut self) -> HookResult<u32> {
        Ok(self.fact(BlockchainCurrentEpochRequest {})?.result)
    }

    fn process_builtin_function(
        &mut self,
        input: &ContractCallInput,
    ) -> HookResult<Option<VmOutput>> {
        let call_input = Some(input.clone());
        Ok(self
            .ask(BlockchainProcessBuiltinFunctionRequest { call_input })?
            .vm_output)
    }

    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        let names = self
            .ask(BlockchainGetBuiltinFunctionNamesRequest {})?
            .function_names;
        Ok(names.into_iter().map(|name| name.key).collect())
    }

    fn all_state(&mut self, address: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        let address = self.address.share(address);
        Ok(self
            .ask(BlockchainGetAllStateRequest { address })?
            .all_state)
    }

    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        let address = self.address.share(address);
        let mut account = self
            .ask(BlockchainGetUserAccountRequest {
                known_code_hash: self.known_code.hash(&address),
                address: address.clone(),
            })?
            .account;
        if let Some(account) = &mut account {
            let completed = self.known_code.complete(&address, account);
            completed.map_err(|error| self.link.refuse_answer(error))?;
        }
        Ok(account)
    }

    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32> {
        let address = self.address.share(address);
        Ok(self
            .ask_for_value(BlockchainGetShardOfAddressRequest { address })?
            .shard)
    }

    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool> {
        let address = self.address.share(address);
        Ok(self
            .ask_for_value(BlockchainIsSmartContractRequest { address })?
            .result)
    }
}
