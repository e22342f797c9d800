//! Dialogues over an in-memory transport, with a scripted child.

use super::*;
use crate::dialogue::{DialogueError, Messenger, Side};
use crate::hooks::{HookError, HookResult};
use crate::messages::*;
use crate::transport::memory::{MemoryTransport, pair};
use bytes::Bytes;
use std::thread;
use std::time::Duration;

/// Echoes its arguments as answers.
#[derive(Default)]
struct Echo {
    fatal: bool,
    delay: Duration,
}

fn number<T>(value: T) -> HookResult<T> {
    Ok(value)
}

fn bytes(parts: &[&[u8]]) -> HookResult<Bytes> {
    Ok(parts.concat().into())
}

impl BlockchainHook for Echo {
    fn new_address(&mut self, creator: &[u8], nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
        bytes(&[creator, &nonce.to_be_bytes(), vm_type])
    }
    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        match address {
            b"null" => Ok(None),
            _ => bytes(&[address, key]).map(Some),
        }
    }
    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        bytes(&[&nonce.to_be_bytes()])
    }
    fn last_nonce(&mut self) -> HookResult<u64> {
        thread::sleep(self.delay);
        match self.fatal {
            true => Err(HookError::Fatal("no database".into())),
            false => number(1),
        }
    }
    fn last_round(&mut self) -> HookResult<u64> {
        number(2)
    }
    fn last_time_stamp(&mut self) -> HookResult<u64> {
        number(3)
    }
    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        bytes(&[b"last seed"])
    }
    fn last_epoch(&mut self) -> HookResult<u32> {
        number(4)
    }
    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        bytes(&[b"root"])
    }
    fn current_nonce(&mut self) -> HookResult<u64> {
        number(5)
    }
    fn current_round(&mut self) -> HookResult<u64> {
        number(6)
    }
    fn current_time_stamp(&mut self) -> HookResult<u64> {
        number(7)
    }
    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        bytes(&[b"seed"])
    }
    fn current_epoch(&mut self) -> HookResult<u32> {
        number(8)
    }
    fn process_builtin_function(
        &mut self,
        input: &ContractCallInput,
    ) -> HookResult<Option<VmOutput>> {
        Ok(Some(VmOutput {
            return_message: input.function.clone(),
            ..VmOutput::default()
        }))
    }
    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        Ok(vec![Bytes::from_static(b"claim")])
    }
    fn all_state(&mut self, address: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        let (key, value) = (bytes(&[address])?, Bytes::from_static(b"value"));
        Ok(vec![StorageDataEntry { key, value }])
    }
    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        match address {
            b"refused" => Err(HookError::refused("no such account")),
            b"wordless" => Err(HookError::refused("")),
            b"contract" => Ok(Some(contract(false))),
            b"liar" => Ok(Some(contract(true))),
            _ => Ok(None),
        }
    }
    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32> {
        number(address.len() as u32)
    }
    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool> {
        Ok(!address.is_empty())
    }
}

fn contract(code_unchanged: bool) -> Account {
    Account {
        nonce: 7,
        code_hash: Bytes::from_static(b"hash"),
        code: Bytes::from_static(b"code"),
        code_unchanged,
        ..Account::default()
    }
}

type Child = Messenger<MemoryTransport>;

const BUDGET: Duration = Duration::from_secs(20);

/// Runs a dialogue with a child that has received the request.
fn dialogue(
    hook: &mut Echo,
    budget: Duration,
    child: impl FnOnce(&mut Child) + Send,
) -> (Result<(ContractResponse, String), Fault>, u64) {
    let (near, far) = pair(1 << 20);
    let mut node = Messenger::new(Side::Node, near, Format::Json, 1 << 20);
    let mut arwen = Messenger::new(Side::Arwen, far, Format::Json, 1 << 20);
    let mut asked = Asked::default();
    let request = ContractCallRequest::default();
    let result = thread::scope(|scope| {
        scope.spawn(move || {
            if arwen.receive(None).is_ok() {
                child(&mut arwen);
            }
        });
        let mut budget = Budget::new(budget);
        let result = run(&mut node, hook, &request, &mut budget, &mut asked);
        drop(node);
        result
    });
    (result, asked.count)
}

fn ask<R: Request>(child: &mut Child, request: &R) -> (R::Response, String) {
    child.send("", request, None).expect("sent");
    let received = child.receive(None).expect("answered");
    let response = R::Response::from_message(received.message).expect("the right kind");
    (response, received.envelope.error_message)
}

fn raw(child: &mut Child, kind: u32, payload: &[u8]) {
    let mut frame = Vec::new();
    crate::frame::encode(kind, &mut frame, |out| out.extend_from_slice(payload)).expect("fits");
    child.transport_mut().send(&frame, None).expect("room");
}

#[test]
fn every_hook_call_is_answered_by_the_hook() {
    let (result, hook_calls) = dialogue(&mut Echo::default(), BUDGET, |child| {
        let mut answered = 0;
        macro_rules! ask_all {
            ($($request:ident)*) => {$(
                ask(child, &$request::default());
                answered += 1;
            )*};
        }
        hook_requests!(ask_all);
        assert_eq!(answered, 20);
        child
            .send("", &ContractResponse::default(), None)
            .expect("sent");
    });
    let response = ContractResponse::default();
    assert_eq!(result.expect("an answer"), (response, String::new()));
    assert_eq!(hook_calls, 20);
}

#[test]
fn values_and_errors_of_the_hook_arrive() {
    let b = Bytes::from_static;
    let (result, _) = dialogue(&mut Echo::default(), BUDGET, |child| {
        let request = BlockchainNewAddressRequest {
            creator_address: b(b"me"),
            creator_nonce: 1,
            vm_type: b(b"\x05"),
        };
        let address = ask(child, &request).0.result;
        assert_eq!(address, &b"me\0\0\0\0\0\0\0\x01\x05"[..]);
        let storage = |address| BlockchainGetStorageDataRequest {
            address: b(address),
            index: Bytes::new(),
        };
        assert_eq!(ask(child, &storage(b"a")).0.data, Some(b(b"a")));
        assert_eq!(ask(child, &storage(b"")).0.data, Some(Bytes::new()));
        assert_eq!(ask(child, &storage(b"null")).0.data, None);
        let account = |address| BlockchainGetUserAccountRequest {
            known_code_hash: Bytes::new(),
            address: b(address),
        };
        assert_eq!(ask(child, &account(b"refused")).1, "no such account");
        assert_eq!(ask(child, &account(b"wordless")).1, "hook refused");
        assert_eq!(ask(child, &account(b"other")).1, "");
        let vm_output = Some(VmOutput::default());
        child
            .send(
                "both",
                &ContractResponse {
                    vm_output,
                    ..Default::default()
                },
                None,
            )
            .expect("sent");
    });
    assert_eq!(result.expect("answered").1, "both");
}

#[test]
fn a_fatal_hook_ends_the_dialogue() {
    let mut hook = Echo {
        fatal: true,
        ..Echo::default()
    };
    let (result, hook_calls) = dialogue(&mut hook, BUDGET, |child| {
        let request = BlockchainLastNonceRequest {};
        child.send("", &request, None).expect("sent");
        assert!(child.receive(None).is_err(), "no answer");
    });
    let fault = result.expect_err("no answer");
    assert!(
        matches!(&fault, Fault::HookFailed(HookError::Fatal(error)) if error.to_string() == "no database"),
        "{fault:?}"
    );
    assert_eq!(hook_calls, 0);
}

#[test]
fn code_that_the_child_knows_is_left_out() {
    let (result, _) = dialogue(&mut Echo::default(), BUDGET, |child| {
        let answer = |child: &mut Child, address: &'static [u8], known: &'static [u8]| {
            let request = BlockchainGetUserAccountRequest {
                address: Bytes::from_static(address),
                known_code_hash: Bytes::from_static(known),
            };
            ask(child, &request).0.account
        };
        let unchanged = Account {
            code: Bytes::new(),
            ..contract(true)
        };
        assert_eq!(answer(child, b"contract", b""), Some(contract(false)));
        assert_eq!(answer(child, b"contract", b"old"), Some(contract(false)));
        assert_eq!(answer(child, b"contract", b"hash"), Some(unchanged));
        assert_eq!(answer(child, b"nobody", b"hash"), None);
        let response = ContractResponse::default();
        child.send("", &response, None).expect("sent");
    });
    assert!(result.is_ok(), "{result:?}");
}

/// The child would read the answer as an account without code.
#[test]
fn a_hook_that_leaves_out_code_that_nobody_knows_is_at_fault() {
    for known in ["", "another hash"] {
        let (result, _) = dialogue(&mut Echo::default(), BUDGET, |child| {
            let request = BlockchainGetUserAccountRequest {
                address: Bytes::from_static(b"liar"),
                known_code_hash: known.into(),
            };
            child.send("", &request, None).expect("sent");
            drop(child.receive(None));
        });
        let fault = result.expect_err("no answer");
        assert!(
            matches!(&fault, Fault::HookFailed(HookError::Fatal(error)) if error.to_string().contains("code unchanged")),
            "{fault}"
        );
    }
}

#[test]
fn what_is_no_answer_is_a_fault() {
    let nonce = DialogueError::InvalidNonce {
        found: 7,
        expected: 2,
    };
    let bad = |what: &str| format!("bad message from arwen: {what}");
    let due = "where a hook request or the answer is due";
    let rows: [(u32, &[u8], String); 7] = [
        (5, br#"{"DialogueNonce":7}"#, nonce.to_string()),
        (
            47,
            br#"{"DialogueNonce":2}"#,
            bad(&format!("DiagnoseWaitResponse {due}")),
        ),
        (
            48,
            br#"{"DialogueNonce":2}"#,
            bad(&format!("UndefinedRequestOrResponse {due}")),
        ),
        (
            7,
            br#"{"DialogueNonce":2}"#,
            bad(&format!("BlockchainNewAddressResponse {due}")),
        ),
        (
            1000,
            br#"{"DialogueNonce":2}"#,
            bad(&format!("kind 1000 {due}")),
        ),
        (
            5,
            br#"{"DialogueNonce":2,"Kind":8}"#,
            bad(
                "a payload of BlockchainGetStorageDataRequest (8) in a frame of ContractResponse (5)",
            ),
        ),
        (
            5,
            b"",
            bad("ContractResponse: unexpected end of JSON input at byte 0"),
        ),
    ];
    for (kind, payload, text) in rows {
        let child = |child: &mut Child| raw(child, kind, payload);
        let (result, _) = dialogue(&mut Echo::default(), BUDGET, child);
        let fault = result.expect_err("no answer");
        match (&fault, payload.is_empty()) {
            (Fault::BadMessage(BadMessage::Malformed(found)), true) => {
                let found = found.to_string();
                assert!(found.starts_with("ContractResponse: "), "{found}");
            }
            (Fault::BadMessage(_) | Fault::InvalidNonce(_), false) => {
                assert_eq!(fault.to_string(), text);
            }
            _ => panic!("{fault:?}"),
        }
    }
}

#[test]
fn the_end_of_the_child_is_told() {
    for (bytes, text) in [
        (&b""[..], "EOF"),
        (
            b"abc",
            "unexpected EOF: the stream ended after 3 of 8 header bytes",
        ),
    ] {
        let child = |child: &mut Child| child.transport_mut().send(bytes, None).expect("room");
        let (result, _) = dialogue(&mut Echo::default(), BUDGET, child);
        match result {
            Err(Fault::Closed(closed)) => assert_eq!(closed.to_string(), text),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_budget_is_for_all_that_the_child_does_and_nothing_that_the_hook_does() {
    let budget = Duration::from_millis(300);
    let hang = |child: &mut Child| drop(child.receive(None));
    is_expired(dialogue(&mut Echo::default(), budget, hang).0, budget);

    let mut slow = Echo {
        delay: budget,
        ..Echo::default()
    };
    let (result, _) = dialogue(&mut slow, budget, |child| {
        ask(child, &BlockchainLastNonceRequest {});
        let response = ContractResponse::default();
        child.send("", &response, None).expect("sent");
    });
    assert!(result.is_ok(), "{result:?}");

    // Many quick hook calls do not prolong the budget.
    let (result, hook_calls) = dialogue(&mut Echo::default(), budget, |child| {
        while child.send("", &BlockchainLastRoundRequest {}, None).is_ok()
            && child.receive(None).is_ok()
        {
            thread::sleep(Duration::from_millis(20));
        }
    });
    is_expired(result, budget);
    assert!((1..=15).contains(&hook_calls), "{hook_calls}");

    let nothing = Duration::ZERO;
    let (result, _) = dialogue(&mut Echo::default(), nothing, |_| {});
    is_expired(result, nothing);
}

fn is_expired<T>(result: Result<T, Fault>, expected: Duration) {
    match result.err() {
        Some(Fault::TimeExpired { budget }) => assert_eq!(budget, expected),
        other => panic!("{other:?}"),
    }
}
