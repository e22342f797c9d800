//! The hook calls, such that a byte is all that is asked and answered. They have numbers in the order of their kinds.

use crate::hooks::{BlockchainHook, HookResult};
use crate::messages::*;
use bytes::Bytes;
use std::collections::VecDeque;

const COUNT: u8 = 20;

/// The number of the hook call that a byte stands for.
pub fn number(byte: u8) -> u8 {
    byte % COUNT
}

fn bytes(value: u8) -> Bytes {
    Bytes::copy_from_slice(&[value])
}

fn first(bytes: &[u8]) -> u8 {
    bytes.first().copied().unwrap_or_default()
}

fn call_input(value: u8) -> ContractCallInput {
    let input = VmInput {
        gas_provided: value.into(),
        ..VmInput::default()
    };
    ContractCallInput {
        input: Some(input),
        ..ContractCallInput::default()
    }
}

fn vm_output(value: u8) -> Option<VmOutput> {
    (value > 0).then(|| VmOutput {
        return_data: vec![bytes(value)],
        ..VmOutput::default()
    })
}

fn account(value: u8) -> Option<Account> {
    (value > 0).then(|| Account {
        code: bytes(value),
        ..Account::default()
    })
}

fn names(value: u8) -> Vec<Bytes> {
    (0..value % 3).map(bytes).collect()
}

fn all_state(value: u8) -> Vec<StorageDataEntry> {
    let key = bytes(b'k');
    let value = bytes(value);
    vec![StorageDataEntry { key, value }]
}

/// Calls one of the hooks with a byte, where it takes something. The byte of the answer.
pub fn ask(hook: &mut dyn BlockchainHook, number: u8, asked: u8) -> HookResult<u8> {
    let argument = [asked];
    let short = |number: u64| number as u8;
    Ok(match number {
        0 => first(&hook.new_address(&argument, asked.into(), &argument)?),
        1 => first(&hook.storage_data(&argument, &argument)?.unwrap_or_default()),
        2 => first(&hook.block_hash(asked.into())?),
        3 => short(hook.last_nonce()?),
        4 => short(hook.last_round()?),
        5 => short(hook.last_time_stamp()?),
        6 => first(&hook.last_random_seed()?),
        7 => short(hook.last_epoch()?.into()),
        8 => first(&hook.state_root_hash()?),
        9 => short(hook.current_nonce()?),
        10 => short(hook.current_round()?),
        11 => short(hook.current_time_stamp()?),
        12 => first(&hook.current_random_seed()?),
        13 => short(hook.current_epoch()?.into()),
        14 => match hook.process_builtin_function(&call_input(asked))? {
            Some(output) => first(&output.return_data[0]),
            None => 0,
        },
        15 => hook.builtin_function_names()?.len() as u8,
        16 => first(&hook.all_state(&argument)?[0].value),
        17 => hook
            .user_account(&argument)?
            .map_or(0, |account| first(&account.code)),
        18 => short(hook.shard_of_address(&argument)?.into()),
        _ => hook.is_smart_contract(&argument)?.into(),
    })
}

/// The byte that [`ask`] finds in the answer with this byte.
pub fn answered(number: u8, value: u8) -> u8 {
    match number {
        15 => value % 3,
        19 => value % 2,
        _ => value,
    }
}

/// Whether it asks for a fact about blocks, which stays the same in a dialogue.
pub fn is_fact(number: u8) -> bool {
    matches!(number, 3..=13)
}

/// Whether the value counts even if there is an error message beside it (docs/spec/wire.md#hook-answers).
pub fn ignores_errors(number: u8) -> bool {
    matches!(number, 1 | 18 | 19)
}

/// The request that asks with a byte.
pub fn request(number: u8, asked: u8) -> Message {
    let address = bytes(asked);
    let (creator_address, vm_type, index) = (bytes(asked), bytes(asked), bytes(asked));
    let (creator_nonce, nonce) = (asked.into(), asked.into());
    match number {
        0 => BlockchainNewAddressRequest {
            creator_address,
            creator_nonce,
            vm_type,
        }
        .into(),
        1 => BlockchainGetStorageDataRequest { address, index }.into(),
        2 => BlockchainGetBlockhashRequest { nonce }.into(),
        3 => BlockchainLastNonceRequest {}.into(),
        4 => BlockchainLastRoundRequest {}.into(),
        5 => BlockchainLastTimeStampRequest {}.into(),
        6 => BlockchainLastRandomSeedRequest {}.into(),
        7 => BlockchainLastEpochRequest {}.into(),
        8 => BlockchainGetStateRootHashRequest {}.into(),
        9 => BlockchainCurrentNonceRequest {}.into(),
        10 => BlockchainCurrentRoundRequest {}.into(),
        11 => BlockchainCurrentTimeStampRequest {}.into(),
        12 => BlockchainCurrentRandomSeedRequest {}.into(),
        13 => BlockchainCurrentEpochRequest {}.into(),
        14 => {
            let call_input = Some(call_input(asked));
            BlockchainProcessBuiltinFunctionRequest { call_input }.into()
        }
        15 => BlockchainGetBuiltinFunctionNamesRequest {}.into(),
        16 => BlockchainGetAllStateRequest { address }.into(),
        17 => BlockchainGetUserAccountRequest {
            address,
            known_code_hash: Bytes::new(),
        }
        .into(),
        18 => BlockchainGetShardOfAddressRequest { address }.into(),
        _ => BlockchainIsSmartContractRequest { address }.into(),
    }
}

/// The response that answers with a byte.
pub fn response(number: u8, value: u8) -> Message {
    let result = bytes(value);
    let long = u64::from(value);
    let short = u32::from(value);
    match number {
        0 => BlockchainNewAddressResponse { result }.into(),
        1 => {
            let data = (value > 0).then_some(result);
            BlockchainGetStorageDataResponse { data }.into()
        }
        2 => BlockchainGetBlockhashResponse { result }.into(),
        3 => BlockchainLastNonceResponse { result: long }.into(),
        4 => BlockchainLastRoundResponse { result: long }.into(),
        5 => BlockchainLastTimeStampResponse { result: long }.into(),
        6 => BlockchainLastRandomSeedResponse { result }.into(),
        7 => BlockchainLastEpochResponse { result: short }.into(),
        8 => BlockchainGetStateRootHashResponse { result }.into(),
        9 => BlockchainCurrentNonceResponse { result: long }.into(),
        10 => BlockchainCurrentRoundResponse { result: long }.into(),
        11 => BlockchainCurrentTimeStampResponse { result: long }.into(),
        12 => BlockchainCurrentRandomSeedResponse { result }.into(),
        13 => BlockchainCurrentEpochResponse { result: short }.into(),
        14 => {
            let vm_output = vm_output(value);
            BlockchainProcessBuiltinFunctionResponse { vm_output }.into()
        }
        15 => {
            let function_names = names(value)
                .into_iter()
                .map(|key| NameEntry { key })
                .collect();
            BlockchainGetBuiltinFunctionNamesResponse {
                function_names,
                null_lists: 0,
            }
            .into()
        }
        16 => {
            let all_state = all_state(value);
            BlockchainGetAllStateResponse {
                all_state,
                null_lists: 0,
            }
            .into()
        }
        17 => {
            let account = account(value);
            BlockchainGetUserAccountResponse { account }.into()
        }
        18 => BlockchainGetShardOfAddressResponse { shard: short }.into(),
        _ => {
            let result = value % 2 == 1;
            BlockchainIsSmartContractResponse { result }.into()
        }
    }
}

/// A call that a [`ByteHook`] expects, and what comes of it: the byte of the answer, or an error.
pub struct ExpectedCall {
    pub number: u8,
    pub asked: u8,
    pub answer: HookResult<u8>,
}

/// A node's hook that is called as expected, and says what it was told to say.
pub struct ByteHook {
    pub calls: VecDeque<ExpectedCall>,
}

impl ByteHook {
    fn called(&mut self, number: u8, asked: Option<u8>) -> HookResult<u8> {
        let call = self.calls.pop_front().expect("a call is expected");
        assert_eq!(
            (number, asked.unwrap_or(call.asked)),
            (call.number, call.asked)
        );
        call.answer
    }

    fn called_with(&mut self, number: u8, argument: &[u8]) -> HookResult<u8> {
        assert_eq!(argument.len(), 1);
        self.called(number, Some(argument[0]))
    }
}

impl BlockchainHook for ByteHook {
    fn new_address(&mut self, creator: &[u8], nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
        assert_eq!((creator, nonce), (vm_type, first(creator).into()));
        self.called_with(0, creator).map(bytes)
    }
    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        assert_eq!(address, key);
        let value = self.called_with(1, key)?;
        Ok((value > 0).then(|| bytes(value)))
    }
    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        self.called(2, Some(nonce as u8)).map(bytes)
    }
    fn last_nonce(&mut self) -> HookResult<u64> {
        self.called(3, None).map(u64::from)
    }
    fn last_round(&mut self) -> HookResult<u64> {
        self.called(4, None).map(u64::from)
    }
    fn last_time_stamp(&mut self) -> HookResult<u64> {
        self.called(5, None).map(u64::from)
    }
    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        self.called(6, None).map(bytes)
    }
    fn last_epoch(&mut self) -> HookResult<u32> {
        self.called(7, None).map(u32::from)
    }
    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        self.called(8, None).map(bytes)
    }
    fn current_nonce(&mut self) -> HookResult<u64> {
        self.called(9, None).map(u64::from)
    }
    fn current_round(&mut self) -> HookResult<u64> {
        self.called(10, None).map(u64::from)
    }
    fn current_time_stamp(&mut self) -> HookResult<u64> {
        self.called(11, None).map(u64::from)
    }
    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        self.called(12, None).map(bytes)
    }
    fn current_epoch(&mut self) -> HookResult<u32> {
        self.called(13, None).map(u32::from)
    }
    fn process_builtin_function(
        &mut self,
        input: &ContractCallInput,
    ) -> HookResult<Option<VmOutput>> {
        let gas = input.input.as_ref().map_or(0, |input| input.gas_provided);
        self.called(14, Some(gas as u8)).map(vm_output)
    }
    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        self.called(15, None).map(names)
    }
    fn all_state(&mut self, address: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        self.called_with(16, address).map(all_state)
    }
    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        self.called_with(17, address).map(account)
    }
    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32> {
        self.called_with(18, address).map(u32::from)
    }
    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool> {
        Ok(self.called_with(19, address)? % 2 == 1)
    }
}
