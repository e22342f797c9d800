//! The child's loop over an in-memory transport: a scripted node, and a machine that asks every hook.

use super::*;
use crate::dialogue::{DialogueError, MessengerError};
use crate::frame::FrameError;
use crate::hooks::{BlockchainHook, HookError};
use crate::machine::{BuildError, Machine, Outcome, VmFailure};
use crate::messages::*;
use crate::transport::memory::{MemoryTransport, pair};
use bytes::Bytes;
use std::thread::JoinHandle;

/// Does what the function name of a call says.
struct ScriptedMachine {
    hook: Box<dyn BlockchainHook>,
}

/// Why a scripted machine can't go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Lack(&'static str, #[source] Option<HookError>);

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
            _ => Ok(self.run(input)),
        }
    }
}

impl ScriptedMachine {
    fn run(&mut self, input: ContractCallInput) -> Outcome {
        match input.function.as_str() {
            "panic" => panic!("out of ideas"),
            "fail" => Err(VmFailure("no result".to_owned())),
            // A machine that takes a broken hook for a soft failure.
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

/// The node's side and the thread of the child's loop.
fn start() -> (Messenger<MemoryTransport>, JoinHandle<LoopEnd>) {
    fn build(_: &Arguments, hook: Box<dyn BlockchainHook>) -> Result<ScriptedMachine, BuildError> {
        Ok(ScriptedMachine { hook })
    }
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

fn call(node: &mut Messenger<MemoryTransport>, function: &str) {
    let call_input = Some(ContractCallInput {
        function: function.to_owned(),
        ..Default::default()
    });
    node.send("", &ContractCallRequest { call_input }, None)
        .expect("sent");
}

/// The answer to a call: the error message and the output.
fn response(node: &mut Messenger<MemoryTransport>) -> (String, Option<VmOutput>) {
    let received = node.receive(None).expect("received");
    let response = ContractResponse::from_message(received.message).expect("a ContractResponse");
    (received.envelope.error_message, response.vm_output)
}

fn end(node: Messenger<MemoryTransport>, child: JoinHandle<LoopEnd>) -> LoopEnd {
    drop(node);
    child.join().expect("the loop does not panic")
}

/// Answers a hook request so that the answer can be told from all others.
fn answer_hook(node: &mut Messenger<MemoryTransport>, request: Message, error: &str) {
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

#[test]
fn all_twenty_hooks_are_asked_and_answered_through_the_gateway() {
    let (mut node, child) = start();
    call(&mut node, "every hook");
    let mut kinds = Vec::new();
    let output = loop {
        let received = node.receive(None).expect("received");
        match received.message {
            Message::ContractResponse(response) => break response.vm_output.expect("an output"),
            request => {
                kinds.push(received.envelope.kind);
                answer_hook(&mut node, request, "");
            }
        }
    };
    let expected: Vec<u32> = (6..=44).step_by(2).collect();
    assert_eq!(kinds, expected);
    let texts: Vec<_> = output
        .return_data
        .iter()
        .map(|data| data.escape_ascii().to_string())
        .collect();
    assert_eq!(
        texts,
        [
            "address",
            "stored",
            "hash 9",
            "1",
            "2",
            "3",
            "last seed",
            "4",
            "root",
            "5",
            "6",
            "7",
            "seed",
            "8",
            "ran claim",
            "claim",
            "all",
            "code",
            "9",
            "1"
        ]
    );
    let end = end(node, child);
    assert!(
        matches!(end, LoopEnd::Stream(MessengerError::EndOfStream)),
        "{end}"
    );
}

#[test]
fn an_error_in_an_answer_goes_to_the_machine_except_where_the_value_counts() {
    let (mut node, child) = start();
    call(&mut node, "refused");
    for _ in 0..4 {
        let request = node.receive(None).expect("received").message;
        answer_hook(&mut node, request, "not today");
    }
    let (error, output) = response(&mut node);
    assert_eq!(error, "");
    let data = output.expect("an output").return_data;
    assert_eq!(
        data[..],
        [&b"not today"[..], b"Some(b\"stored\")", b"9", b"true"]
    );
    end(node, child);
}

#[test]
fn failures_of_the_machine_are_answered_and_the_loop_goes_on() {
    let (mut node, child) = start();
    call(&mut node, "panic");
    assert_eq!(
        response(&mut node),
        ("host panic: out of ideas".to_owned(), None)
    );
    call(&mut node, "fail");
    assert_eq!(response(&mut node), ("no result".to_owned(), None));
    node.send("", &ContractCallRequest { call_input: None }, None)
        .expect("sent");
    assert_eq!(
        response(&mut node),
        ("missing contract input".to_owned(), None)
    );
    node.send("", &ContractDeployRequest { create_input: None }, None)
        .expect("sent");
    assert_eq!(
        response(&mut node),
        ("missing contract input".to_owned(), None)
    );
    let contract_code = Bytes::from_static(b"code");
    let create_input = Some(ContractCreateInput {
        contract_code,
        ..Default::default()
    });
    node.send("", &ContractDeployRequest { create_input }, None)
        .expect("sent");
    assert_eq!(
        response(&mut node).1.expect("an output").return_data,
        [&b"code"[..]]
    );
    end(node, child);
}

#[test]
fn what_is_no_request_is_answered_as_undefined() {
    let (mut node, child) = start();
    let mut frame = Vec::new();
    let envelope = Envelope {
        dialogue_nonce: 1,
        kind: 1000,
        error_message: String::new(),
    };
    codec::encode_message(Format::Json, &envelope, &Message::Unknown(1000), &mut frame)
        .expect("fits");
    node.transport_mut().send(&frame, None).expect("room");
    let mut bytes = Vec::with_capacity(200);
    let received = node.transport_mut().receive(&mut bytes, None);
    received.expect("answered");
    let text = String::from_utf8_lossy(&bytes[8..]);
    assert_eq!(text, r#"{"DialogueNonce":2,"Kind":48,"ErrorMessage":""}"#);
    end(node, child);
}

#[test]
fn stop_ends_the_loop() {
    let (mut node, child) = start();
    node.send("", &Stop {}, None).expect("sent");
    let text = end(node, child).to_string();
    assert_eq!(text, "critical error: arwen will stop, as requested");
}

#[test]
fn a_wrong_nonce_ends_the_loop() {
    let (mut node, child) = start();
    let payload = br#"{"DialogueNonce":5}"#;
    let mut frame = Vec::new();
    crate::frame::encode(46, &mut frame, |out| out.extend_from_slice(payload)).expect("fits");
    node.transport_mut().send(&frame, None).expect("room");
    let error = DialogueError::InvalidNonce {
        found: 5,
        expected: 1,
    };
    assert_eq!(
        end(node, child).to_string(),
        LoopEnd::Dialogue(error).to_string()
    );
}

#[test]
fn a_broken_hook_is_fatal_even_if_the_machine_goes_on() {
    for machine in ["ignore errors", "heed errors"] {
        broken_hooks(machine);
    }
}

fn broken_hooks(machine: &str) {
    // What comes in place of the answer, and how the child ends.
    let wrong_kind = br#"{"DialogueNonce":3,"Result":true}"#;
    let cases: [(u32, &[u8], &str); 4] = [
        (
            45,
            wrong_kind,
            "critical error: bad hook response from node: ",
        ),
        (
            13,
            br#"{"DialogueNonce":9}"#,
            "critical error: invalid dialogue nonce",
        ),
        (13, b"nope", "critical error: bad hook response from node: "),
        (
            48,
            br#"{"DialogueNonce":3}"#,
            "critical error: bad hook response from node: ",
        ),
    ];
    for (kind, payload, text) in cases {
        let (mut node, child) = start();
        call(&mut node, machine);
        node.receive(None).expect("the hook request");
        let mut frame = Vec::new();
        crate::frame::encode(kind, &mut frame, |out| out.extend_from_slice(payload)).expect("fits");
        node.transport_mut().send(&frame, None).expect("room");
        let nothing = node.receive(None);
        assert_eq!(
            nothing,
            Err(MessengerError::EndOfStream),
            "no ContractResponse"
        );
        let end = end(node, child).to_string();
        assert!(end.starts_with(text), "{end}");
    }

    let (mut node, child) = start();
    call(&mut node, machine);
    node.receive(None).expect("the hook request");
    let end = end(node, child).to_string();
    assert_eq!(
        end,
        "critical error: cannot receive hook call response: EOF"
    );
}

#[test]
fn the_texts_of_the_end_are_those_of_the_spec() {
    let cases = [
        (MessengerError::EndOfStream, "EOF"),
        (
            FrameError::TornHeader { have: 3, want: 8 }.into(),
            "unexpected EOF: the stream ended after 3 of 8 header bytes",
        ),
        (
            FrameError::TooLong {
                kind: 4,
                length: 9,
                limit: 8,
            }
            .into(),
            "critical error: bad message from node: \
             a frame of kind 4 announces a payload of 9 bytes; the limit is 8",
        ),
        (
            MessageError::KindMismatch {
                preamble: 4,
                payload: 3,
            }
            .into(),
            "critical error: bad message from node: a payload of ContractDeployRequest (3) \
             in a frame of ContractCallRequest (4)",
        ),
    ];
    for (error, text) in cases {
        assert_eq!(LoopEnd::from(error).to_string(), text);
    }
}

#[test]
fn without_memory_the_child_ends_and_says_nothing_of_the_contract() {
    let (mut node, child) = start();
    call(&mut node, "lack");
    let end = child.join().expect("no panic");
    assert!(matches!(end, LoopEnd::Machine(_)), "{end}");
    let answer = node.receive(None);
    assert!(
        matches!(answer, Err(MessengerError::EndOfStream)),
        "{answer:?}"
    );
    let error = PartError::Loop(end);
    assert_eq!(error.exit_code(), 4);
    assert_eq!(
        error.to_string(),
        "Ended Arwen loop: critical error: no memory"
    );
    let error = PartError::Build(BuildError::Resources("no thread".into()));
    assert_eq!(error.exit_code(), 4);
}

#[test]
fn a_process_that_nobody_gave_pipes_says_what_it_is() {
    let none = [const { None }; 5];
    let error = PartPipes::new(none).expect_err("no pipes");
    assert_eq!(
        (error.exit_code(), error.to_string().lines().count()),
        (1, 2)
    );

    let (read, write) = nix::unistd::pipe().expect("a pipe");
    let error = PartPipes::new([Some(read), None, Some(write), None, None]);
    let error = error.expect_err("4 is missing");
    assert_eq!(error.exit_code(), 1);
    assert_eq!(
        error.to_string(),
        "Cannot get pipe file: [nodeToArwen] (descriptor 4)"
    );
}
