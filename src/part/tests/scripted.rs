//! A scripted machine, and a node that answers its hook calls.

use super::super::*;
use crate::hooks::HookError;
use crate::machine::{Outcome, Pinned, VmFailure};
use crate::messages::*;
use crate::trace::{CallKind, Entry, Event, Observer as _, SharedRecorder};
use crate::transport::memory::{MemoryTransport, pair};
use bytes::Bytes;
use num_bigint::BigInt as Number;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// A machine whose behaviour is chosen by the function name of the call.
struct ScriptedMachine {
    hook: Box<dyn BlockchainHook>,
    recorder: Option<SharedRecorder>,
    /// How many were built before it.
    number: usize,
    pinned: Vec<Bytes>,
}

/// The fatal error of a scripted machine.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Lack(&'static str, #[source] Option<HookError>);

impl Machine for ScriptedMachine {
    type Fatal = Lack;

    fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, Lack> {
        Ok(Ok(VmOutput {
            return_data: vec![input.contract_code],
            ..VmOutput::default()
        }))
    }

    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, Lack> {
        match input.function.as_str() {
            "lack" => Err(Lack("no memory", None)),
            "heed errors" => match self.hook.last_nonce() {
                Err(error) => Err(Lack("no node", Some(error))),
                Ok(_) => Ok(Ok(VmOutput::default())),
            },
            "pinned" => Ok(Ok(VmOutput {
                return_data: self.pinned.clone(),
                ..VmOutput::default()
            })),
            _ => Ok(self.run(input)),
        }
    }

    fn pin(&mut self, code: Bytes) -> Result<Pinned, Lack> {
        match &code[..] {
            b"lack" => return Err(Lack("no memory", None)),
            b"panic" => panic!("out of ideas"),
            b"panic later" if self.number > 0 => panic!("out of ideas"),
            b"invalid" => {
                let error = "invalid".to_owned();
                return Ok(Pinned::Invalid { error });
            }
            _ => {}
        }
        if !self.pinned.contains(&code) {
            self.pinned.push(code);
        }
        Ok(Pinned::Compiled { module_bytes: 7 })
    }

    fn unpin(&mut self, code: &[u8]) -> Result<Pinned, Lack> {
        self.pinned.retain(|pinned| pinned != code);
        Ok(Pinned::Unpinned)
    }

    fn trace(&mut self, recorder: Option<SharedRecorder>) -> bool {
        self.recorder = recorder;
        true
    }
}

impl ScriptedMachine {
    fn run(&mut self, input: ContractCallInput) -> Outcome {
        match input.function.as_str() {
            "panic" => panic!("out of ideas"),
            "fail" => Err(VmFailure("no result".to_owned())),
            "start" => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.begin();
                    recorder.event(Event::Entered(entry()));
                }
                Ok(VmOutput::default())
            }
            // A machine that treats a fatal hook error as a failure of the contract.
            "ignore errors" => {
                let _ = self.hook.last_nonce();
                let _ = self.hook.last_round();
                Ok(VmOutput::default())
            }
            "every hook" => Ok(VmOutput {
                return_data: ask_every_hook(&mut *self.hook).expect("answered"),
                ..VmOutput::default()
            }),
            "refused" => {
                let texts = [
                    self.hook
                        .user_account(b"a")
                        .expect_err("refused")
                        .to_string(),
                    format!(
                        "{:?}",
                        self.hook.storage_data(b"a", b"k").expect("value counts")
                    ),
                    format!(
                        "{:?}",
                        self.hook.shard_of_address(b"a").expect("value counts")
                    ),
                    format!(
                        "{:?}",
                        self.hook.is_smart_contract(b"a").expect("value counts")
                    ),
                ];
                let return_data = texts.into_iter().map(Bytes::from).collect();
                Ok(VmOutput {
                    return_data,
                    ..VmOutput::default()
                })
            }
            other => panic!("no script for {other}"),
        }
    }
}

/// What the function `start` tells.
pub(super) fn entry() -> Entry {
    Entry {
        kind: CallKind::Call,
        caller: "user".into(),
        address: "contract".into(),
        function: "start".into(),
        arguments: Vec::new(),
        value: Number::from(1),
        gas: 2,
    }
}

fn ask_every_hook(hook: &mut dyn BlockchainHook) -> Result<Vec<Bytes>, HookError> {
    let number = |number: u64| Bytes::from(number.to_string());
    let input = ContractCallInput {
        function: "claim".to_owned(),
        ..Default::default()
    };
    Ok(vec![
        hook.new_address(b"creator", 7, b"\x05\x00")?,
        hook.storage_data(b"a", b"k")?.expect("not null"),
        hook.block_hash(9)?,
        number(hook.last_nonce()?),
        number(hook.last_round()?),
        number(hook.last_time_stamp()?),
        hook.last_random_seed()?,
        number(hook.last_epoch()?.into()),
        hook.state_root_hash()?,
        number(hook.current_nonce()?),
        number(hook.current_round()?),
        number(hook.current_time_stamp()?),
        hook.current_random_seed()?,
        number(hook.current_epoch()?.into()),
        hook.process_builtin_function(&input)?
            .expect("not null")
            .return_data
            .remove(0),
        hook.builtin_function_names()?.remove(0),
        hook.all_state(b"a")?.remove(0).value,
        hook.user_account(b"a")?.expect("not null").code,
        number(hook.shard_of_address(b"a")?.into()),
        number(hook.is_smart_contract(b"a")?.into()),
    ])
}

/// Starts the child's loop in a thread. Returns the node's side and the thread.
pub(super) fn start() -> (Messenger<MemoryTransport>, JoinHandle<LoopEnd>) {
    let built = AtomicUsize::new(0);
    let build = move |_: &Arguments, hook: Box<dyn BlockchainHook>| {
        Ok::<_, BuildError>(ScriptedMachine {
            hook,
            recorder: None,
            number: built.fetch_add(1, Ordering::Relaxed),
            pinned: Vec::new(),
        })
    };
    let (near, far) = pair(1 << 16);
    let messenger = |side, transport| Messenger::new(side, transport, Format::Json, 1 << 20);
    let node = messenger(Side::Node, near);
    let child = std::thread::spawn(move || {
        let link = Link::new(messenger(Side::Arwen, far));
        DialogueLoop::new(link, Arguments::default(), build)
            .expect("builds")
            .run()
    });
    (node, child)
}

pub(super) fn call(node: &mut Messenger<MemoryTransport>, function: &str) {
    call_traced(node, function, None);
}

pub(super) fn call_traced(
    node: &mut Messenger<MemoryTransport>,
    function: &str,
    trace_filter: Option<Bytes>,
) {
    let call_input = Some(ContractCallInput {
        function: function.to_owned(),
        ..Default::default()
    });
    node.send(
        "",
        &ContractCallRequest {
            call_input,
            trace_filter,
            ..Default::default()
        },
        None,
    )
    .expect("sent");
}

/// Pins code, or unpins it; what the child says of it.
pub(super) fn pin(
    node: &mut Messenger<MemoryTransport>,
    code: &'static str,
    unpin: bool,
) -> Option<PinnedCode> {
    let code = code.into();
    let request = DiagnoseWaitRequest {
        pin: Some(Box::new(PinRequest { code, unpin })),
        ..DiagnoseWaitRequest::default()
    };
    node.send("", &request, None).expect("sent");
    let received = node.receive(None).expect("received");
    let response = DiagnoseWaitResponse::from_message(received.message).expect("the response");
    assert_eq!(response.ready, None);
    response.pinned.map(|pinned| *pinned)
}

/// Receives the response to a call: the error message and the output.
pub(super) fn response(node: &mut Messenger<MemoryTransport>) -> (String, Option<VmOutput>) {
    let received = node.receive(None).expect("received");
    let response = ContractResponse::from_message(received.message).expect("a ContractResponse");
    (received.envelope.error_message, response.vm_output)
}

pub(super) fn end(node: Messenger<MemoryTransport>, child: JoinHandle<LoopEnd>) -> LoopEnd {
    drop(node);
    child.join().expect("the loop does not panic")
}

/// Answers a hook request with values that are unique to its kind.
pub(super) fn answer_hook(node: &mut Messenger<MemoryTransport>, request: Message, error: &str) {
    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }
    macro_rules! answer {
        ($payload:expr) => {
            node.send(error, &$payload, None)
        };
    }
    let name = bytes("claim");
    let sent = match request {
        Message::BlockchainNewAddressRequest(request) => {
            assert_eq!(
                (&request.creator_address[..], request.creator_nonce),
                (&b"creator"[..], 7)
            );
            answer!(BlockchainNewAddressResponse {
                result: bytes("address")
            })
        }
        Message::BlockchainGetStorageDataRequest(request) => {
            assert_eq!(
                (&request.address[..], &request.index[..]),
                (&b"a"[..], &b"k"[..])
            );
            answer!(BlockchainGetStorageDataResponse {
                data: Some(bytes("stored"))
            })
        }
        Message::BlockchainGetBlockhashRequest(request) => {
            answer!(BlockchainGetBlockhashResponse {
                result: bytes(&format!("hash {}", request.nonce))
            })
        }
        Message::BlockchainLastNonceRequest(_) => {
            answer!(BlockchainLastNonceResponse { result: 1 })
        }
        Message::BlockchainLastRoundRequest(_) => {
            answer!(BlockchainLastRoundResponse { result: 2 })
        }
        Message::BlockchainLastTimeStampRequest(_) => {
            answer!(BlockchainLastTimeStampResponse { result: 3 })
        }
        Message::BlockchainLastRandomSeedRequest(_) => {
            answer!(BlockchainLastRandomSeedResponse {
                result: bytes("last seed")
            })
        }
        Message::BlockchainLastEpochRequest(_) => {
            answer!(BlockchainLastEpochResponse { result: 4 })
        }
        Message::BlockchainGetStateRootHashRequest(_) => {
            answer!(BlockchainGetStateRootHashResponse {
                result: bytes("root")
            })
        }
        Message::BlockchainCurrentNonceRequest(_) => {
            answer!(BlockchainCurrentNonceResponse { result: 5 })
        }
        Message::BlockchainCurrentRoundRequest(_) => {
            answer!(BlockchainCurrentRoundResponse { result: 6 })
        }
        Message::BlockchainCurrentTimeStampRequest(_) => {
            answer!(BlockchainCurrentTimeStampResponse { result: 7 })
        }
        Message::BlockchainCurrentRandomSeedRequest(_) => {
            answer!(BlockchainCurrentRandomSeedResponse {
                result: bytes("seed")
            })
        }
        Message::BlockchainCurrentEpochRequest(_) => {
            answer!(BlockchainCurrentEpochResponse { result: 8 })
        }
        Message::BlockchainProcessBuiltinFunctionRequest(request) => {
            let function = request.call_input.expect("not null").function;
            let return_data = vec![Bytes::from(format!("ran {function}"))];
            let vm_output = Some(VmOutput {
                return_data,
                ..VmOutput::default()
            });
            answer!(BlockchainProcessBuiltinFunctionResponse { vm_output })
        }
        Message::BlockchainGetBuiltinFunctionNamesRequest(_) => {
            let function_names = vec![NameEntry { key: name }];
            answer!(BlockchainGetBuiltinFunctionNamesResponse {
                function_names,
                null_lists: 0
            })
        }
        Message::BlockchainGetAllStateRequest(_) => {
            let all_state = vec![StorageDataEntry {
                key: name,
                value: bytes("all"),
            }];
            answer!(BlockchainGetAllStateResponse {
                all_state,
                null_lists: 0
            })
        }
        Message::BlockchainGetUserAccountRequest(_) => {
            let account = Some(Account {
                code: bytes("code"),
                ..Account::default()
            });
            answer!(BlockchainGetUserAccountResponse { account })
        }
        Message::BlockchainGetShardOfAddressRequest(_) => {
            answer!(BlockchainGetShardOfAddressResponse { shard: 9 })
        }
        Message::BlockchainIsSmartContractRequest(_) => {
            answer!(BlockchainIsSmartContractResponse { result: true })
        }
        other => panic!("no hook request: {other:?}"),
    };
    sent.expect("sent");
}
