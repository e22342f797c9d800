//! The child's loop over an in-memory transport: a scripted node, and a machine that asks every hook.

use super::*;
use crate::dialogue::{DialogueError, MessengerError};
use crate::frame::FrameError;
use crate::messages::*;
use crate::transport::memory::MemoryTransport;
use bytes::Bytes;

mod scripted;

use crate::trace::{Filter, Run, Step};
use scripted::{answer_hook, call, call_traced, end, entry, pin, response, start};

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
fn what_a_request_asks_to_be_told_is_told_of_it_alone() {
    let (mut node, child) = start();
    let mut trace = |filter| {
        call_traced(&mut node, "start", filter);
        let message = node.receive(None).expect("received").message;
        let response = ContractResponse::from_message(message).expect("a response");
        assert!(response.vm_output.is_some());
        response.trace
    };
    assert_eq!(trace(None), None);
    for _ in 0..2 {
        let told = trace(Some(Filter::all().to_field())).expect("a trace");
        let run = Run::of_field(told).expect("readable");
        assert_eq!(run.steps, [Step::Call(Box::new(entry().into()))]);
        assert_eq!(trace(None), None);
    }
    // No field at all asks for costs; one that can't be read for nothing.
    let told = trace(Some(Bytes::new())).expect("costs");
    assert_eq!(Run::of_field(told), Ok(Run::default()));
    assert_eq!(trace(Some("torn".into())), None);
    end(node, child);
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
    node.send("", &ContractCallRequest::default(), None)
        .expect("sent");
    assert_eq!(
        response(&mut node),
        ("missing contract input".to_owned(), None)
    );
    node.send("", &ContractDeployRequest::default(), None)
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
    node.send(
        "",
        &ContractDeployRequest {
            create_input,
            ..Default::default()
        },
        None,
    )
    .expect("sent");
    assert_eq!(
        response(&mut node).1.expect("an output").return_data,
        [&b"code"[..]]
    );
    end(node, child);
}

/// The codes that the machine has pinned.
fn pinned(node: &mut Messenger<MemoryTransport>) -> Vec<Bytes> {
    call(node, "pinned");
    response(node).1.expect("an output").return_data
}

#[test]
fn a_machine_that_takes_the_place_of_another_has_the_pinned_code() {
    let (mut node, child) = start();
    let compiled = || {
        Some(PinnedCode {
            module_bytes: 7,
            ..PinnedCode::default()
        })
    };
    let invalid = |error: &str| {
        Some(PinnedCode {
            state: PinState::Invalid as u32,
            error: error.to_owned(),
            ..PinnedCode::default()
        })
    };
    for code in ["a", "b", "a"] {
        assert_eq!(pin(&mut node, code, false), compiled());
    }
    assert_eq!(pin(&mut node, "invalid", false), invalid("invalid"));
    assert_eq!(pinned(&mut node), ["a", "b"]);
    call(&mut node, "panic");
    response(&mut node);
    // One after each answer.
    assert_eq!(pinned(&mut node), ["b"]);
    assert_eq!(pinned(&mut node), ["b", "a"]);

    let unpinned = pin(&mut node, "b", true).expect("it is answered");
    assert_eq!(unpinned.state, PinState::Unpinned as u32);
    let panic = invalid("host panic: out of ideas");
    assert_eq!(pin(&mut node, "panic", false), panic);
    assert_eq!(pinned(&mut node), ["a"]);
    end(node, child);
}

#[test]
fn a_machine_that_panics_over_pinned_code_is_replaced_by_one_without() {
    let (mut node, child) = start();
    for code in ["a", "panic later", "b"] {
        assert!(pin(&mut node, code, false).is_some());
    }
    call(&mut node, "panic");
    assert_eq!(response(&mut node).0, "host panic: out of ideas");
    assert_eq!(pinned(&mut node), ["a"]);
    assert_eq!(pinned(&mut node), [""; 0]);
    assert!(pin(&mut node, "b", false).is_some());
    call(&mut node, "panic");
    response(&mut node);
    assert_eq!(pinned(&mut node), ["b"]);
    end(node, child);
}

#[test]
fn without_memory_for_pinned_code_the_child_ends() {
    let (mut node, child) = start();
    let code = "lack".into();
    let request = DiagnoseWaitRequest {
        pin: Some(Box::new(PinRequest { code, unpin: false })),
        ..DiagnoseWaitRequest::default()
    };
    node.send("", &request, None).expect("sent");
    let end = child.join().expect("no panic");
    assert!(matches!(end, LoopEnd::Machine(_)), "{end}");
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
    let received = node
        .transport_mut()
        .receive(&mut bytes, Awaited::Answer, None);
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
    // Messages in place of the response, and how the child ends.
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
