//! Answers hook calls with the node's [`BlockchainHook`] (docs/spec/wire.md#dialogue).

use super::budget::Budget;
use super::error::Fault;
use super::read_ahead::{Asked, Pending};
use crate::dialogue::Messenger;
use crate::hooks::{BlockchainHook, HookError, HookResult};
use crate::logs::GoDuration;
use crate::messages::*;
use crate::transport::Transport;
use std::time::Instant;
use tracing::trace;

/// A hook call that can be answered by a hook.
trait HookCall: HookRequest {
    /// Calls the hook.
    fn answer(&self, hook: &mut dyn BlockchainHook) -> HookResult<Self::Response>;
}

/// Takes the answer to a hook call of any kind.
pub(super) trait Replier {
    /// The result of replying.
    type Output;

    /// Replies to a call of the kind `R`.
    fn reply<R: HookRequest>(self, answer: HookResult<R::Response>) -> Self::Output;
}

/// Has the hook answer a hook call and passes the answer on; `None` for any other message. The match arms are generated, so
/// that a hook call without a [`HookCall`] does not compile.
pub(super) fn dispatch<R: Replier>(
    hook: &mut dyn BlockchainHook,
    replier: R,
    message: &Message,
) -> Option<R::Output> {
    macro_rules! arms {
        ($($request:ident)*) => {
            match message {
                $(Message::$request(request) => {
                    let answer = request.answer(hook);
                    Some(replier.reply::<$request>(answer))
                })*
                _ => None,
            }
        };
    }
    hook_requests!(arms)
}

/// The reply to one hook call.
pub(super) struct Reply<'a, T> {
    pub messenger: &'a mut Messenger<T>,
    pub budget: &'a mut Budget,
    /// When the call was received.
    pub since: Instant,
    pub asked: &'a mut Asked,
    pub pending: Pending,
}

impl<T: Transport> Replier for Reply<'_, T> {
    type Output = Result<(), Fault>;

    fn reply<R: HookRequest>(self, answer: HookResult<R::Response>) -> Result<(), Fault> {
        let took = self.since.elapsed();
        trace!(target: "arwenDriver", request = R::KIND.as_str_name(), duration = %GoDuration(took), "hook call");
        self.budget.deadline += took;
        let (error, response) = answer_to_send::<R>(answer).map_err(Fault::HookFailed)?;
        let deadline = Some(self.budget.deadline);
        self.messenger
            .send(&error, &response, deadline)
            .map_err(|error| Fault::answering(error, self.budget.whole))?;
        self.asked.answered(self.pending, response);
        Ok(())
    }
}

/// The error message and the fields that answer a hook call; the error if there is no answer.
pub(super) fn answer_to_send<R: HookRequest>(
    answer: HookResult<R::Response>,
) -> Result<(String, R::Response), HookError> {
    match answer {
        Ok(response) => Ok((String::new(), response)),
        // An empty error message would mean success.
        Err(HookError::Refused(reason)) if reason.is_empty() => {
            Ok(("hook refused".to_owned(), R::Response::default()))
        }
        Err(HookError::Refused(reason)) => Ok((reason, R::Response::default())),
        Err(fatal @ HookError::Fatal(_)) => Err(fatal),
    }
}

/// `request => response { field: value }`, with the hook as `hook`: the answer to a hook call.
macro_rules! answers {
    ($($request:ident($this:pat, $hook:ident) => $response:ident { $field:ident: $value:expr })*) => {$(
        impl HookCall for $request {
            fn answer(&self, $hook: &mut dyn BlockchainHook) -> HookResult<$response> {
                let $this = self;
                #[allow(clippy::needless_update, reason = "a new field of the schema needs no edit here")]
                Ok($response { $field: $value, ..Default::default() })
            }
        }
    )*};
}

answers! {
    BlockchainNewAddressRequest(r, hook) => BlockchainNewAddressResponse {
        result: hook.new_address(&r.creator_address, r.creator_nonce, &r.vm_type)?
    }
    BlockchainGetStorageDataRequest(r, hook) => BlockchainGetStorageDataResponse {
        data: hook.storage_data(&r.address, &r.index)?
    }
    BlockchainGetBlockhashRequest(r, hook) => BlockchainGetBlockhashResponse {
        result: hook.block_hash(r.nonce)?
    }
    BlockchainLastNonceRequest(_, hook) => BlockchainLastNonceResponse {
        result: hook.last_nonce()?
    }
    BlockchainLastRoundRequest(_, hook) => BlockchainLastRoundResponse {
        result: hook.last_round()?
    }
    BlockchainLastTimeStampRequest(_, hook) => BlockchainLastTimeStampResponse {
        result: hook.last_time_stamp()?
    }
    BlockchainLastRandomSeedRequest(_, hook) => BlockchainLastRandomSeedResponse {
        result: hook.last_random_seed()?
    }
    BlockchainLastEpochRequest(_, hook) => BlockchainLastEpochResponse {
        result: hook.last_epoch()?
    }
    BlockchainGetStateRootHashRequest(_, hook) => BlockchainGetStateRootHashResponse {
        result: hook.state_root_hash()?
    }
    BlockchainCurrentNonceRequest(_, hook) => BlockchainCurrentNonceResponse {
        result: hook.current_nonce()?
    }
    BlockchainCurrentRoundRequest(_, hook) => BlockchainCurrentRoundResponse {
        result: hook.current_round()?
    }
    BlockchainCurrentTimeStampRequest(_, hook) => BlockchainCurrentTimeStampResponse {
        result: hook.current_time_stamp()?
    }
    BlockchainCurrentRandomSeedRequest(_, hook) => BlockchainCurrentRandomSeedResponse {
        result: hook.current_random_seed()?
    }
    BlockchainCurrentEpochRequest(_, hook) => BlockchainCurrentEpochResponse {
        result: hook.current_epoch()?
    }
    BlockchainProcessBuiltinFunctionRequest(r, hook) => BlockchainProcessBuiltinFunctionResponse {
        vm_output: hook.process_builtin_function(r.call_input.as_ref().ok_or_else(missing_input)?)?
    }
    BlockchainGetBuiltinFunctionNamesRequest(_, hook) => BlockchainGetBuiltinFunctionNamesResponse {
        function_names: names(hook)?
    }
    BlockchainGetAllStateRequest(r, hook) => BlockchainGetAllStateResponse {
        all_state: hook.all_state(&r.address)?
    }
    BlockchainGetUserAccountRequest(r, hook) => BlockchainGetUserAccountResponse {
        account: account(hook, r)?
    }
    BlockchainGetShardOfAddressRequest(r, hook) => BlockchainGetShardOfAddressResponse {
        shard: hook.shard_of_address(&r.address)?
    }
    BlockchainIsSmartContractRequest(r, hook) => BlockchainIsSmartContractResponse {
        result: hook.is_smart_contract(&r.address)?
    }
}

fn missing_input() -> HookError {
    HookError::refused("missing call input")
}

/// The account; the code may be left out if the child knows it.
fn account(
    hook: &mut dyn BlockchainHook,
    request: &BlockchainGetUserAccountRequest,
) -> HookResult<Option<Account>> {
    let known = &request.known_code_hash;
    let account = match known.is_empty() {
        true => hook.user_account(&request.address)?,
        false => hook.user_account_with_known_code(&request.address, known)?,
    };
    // The child would read code that is missing for another reason as a missing contract.
    match &account {
        Some(account) if account.code_unchanged && account.code_hash != *known => Err(
            HookError::fatal("code unchanged, but of another code hash than is known"),
        ),
        Some(account) if account.code_unchanged && known.is_empty() => {
            Err(HookError::fatal("code unchanged, but none is known"))
        }
        _ => Ok(account),
    }
}

fn names(hook: &mut dyn BlockchainHook) -> HookResult<Vec<NameEntry>> {
    let names = hook.builtin_function_names()?;
    Ok(names.into_iter().map(|key| NameEntry { key }).collect())
}
