//! The other side of the tests: a child that does what it is told, over the real pipes.

use arwen::internal::dialogue::{Messenger, Side};
use arwen::internal::frame::{self, DEFAULT_PAYLOAD_LIMIT_BYTES, Decoder, Header};
use arwen::internal::transport::{Pipes, Transport as _, descriptors, write_all};
use arwen::messages::*;
use bytes::Bytes;
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::exit;
use std::time::Duration;

/// The environment variable that makes the test program a child; how it behaves at the start.
pub const MODE: &str = "ARWEN_TEST_CHILD";

/// How much a flood is, in bytes.
pub const FLOOD_BYTES: usize = 64 << 20;

/// How long one endless line is, in bytes.
pub const LONG_LINE_BYTES: usize = 10 << 20;

/// How long the mode `starts-slowly` takes to start.
pub const SLOW_START: Duration = Duration::from_millis(600);

/// Log lines in a flood.
pub const FLOOD_LINES: usize = 100_000;

type Node = Messenger<Pipes>;

/// Runs the child; never returns.
pub fn run(mode: &str) -> ! {
    // SAFETY: the child is one test in one thread; nothing else has opened a descriptor of 3 to 7.
    #[expect(unsafe_code, reason = "the pipes are given by number")]
    let pipes = unsafe { descriptors::inherited() }.map(|pipe| pipe.expect("five pipes"));
    let [init, input, output, profiles, logs] = pipes;
    match mode {
        "exit-at-start" => {
            say("no room here");
            exit(7);
        }
        "bad-arguments" => {
            say("Cannot create ArwenPart: no gas schedule");
            exit(2);
        }
        "never-answers" => sleep(),
        "starts-slowly" => std::thread::sleep(SLOW_START),
        "junk" => {
            write_all(output.as_fd(), b"hello, I am another program", None).expect("room");
            sleep();
        }
        _ => {}
    }
    let initialize = read_frame(&init, Header::Preamble).expect("Initialize");
    assert_eq!(initialize.0, MessageKind::Initialize.wire());
    if mode == "exit-after-init" {
        exit(5);
    }
    let transport = Pipes::blocking(input, output);
    let mut node = Messenger::new(
        Side::Arwen,
        transport,
        Format::Json,
        DEFAULT_PAYLOAD_LIMIT_BYTES,
    );
    let mut pinned = Vec::new();
    while let Ok(received) = node.receive(None) {
        match received.message {
            Message::DiagnoseWaitRequest(request) => {
                std::thread::sleep(Duration::from_millis(request.milliseconds.into()));
                let ready = request.ready.then(|| report(mode)).flatten().map(Box::new);
                let pinned = request.pin.map(|pin| Box::new(pin_code(&mut pinned, *pin)));
                node.send("", &DiagnoseWaitResponse { ready, pinned }, None)
                    .expect("sent");
            }
            Message::ContractDeployRequest(request) => {
                let code = request.create_input.expect("not null").contract_code;
                respond(&mut node, vec![code]);
            }
            Message::ContractCallRequest(request) => {
                let function = request.call_input.expect("not null").function;
                if function == "pinned" {
                    respond(&mut node, pinned.clone());
                    continue;
                }
                behave(&function, &mut node, &profiles, &logs);
            }
            Message::Stop(_) => stop(mode, &logs),
            other => panic!("no request: {other:?}"),
        }
    }
    exit(3)
}

/// What a child of this mode reports; most report nothing, like a child in Go.
fn report(mode: &str) -> Option<Ready> {
    match mode {
        "of-the-future" => Some(Ready {
            version: "9.0\u{1b}[2J".to_owned(),
            protocol_version: PROTOCOL_VERSION + 1,
            sandbox_mode: "off".to_owned(),
            ..Ready::default()
        }),
        "pins" => Some(Ready {
            capabilities: vec![PIN.to_owned()],
            ..Ready::default()
        }),
        _ => None,
    }
}

/// Pins code, or unpins it; dies of the code `deadly`.
fn pin_code(pinned: &mut Vec<Bytes>, request: PinRequest) -> PinnedCode {
    let PinRequest { code, unpin } = request;
    pinned.retain(|known| *known != code);
    let state = match &code[..] {
        _ if unpin => PinState::Unpinned,
        b"deadly" => exit(7),
        b"slow" => sleep(),
        b"invalid" => PinState::Invalid,
        b"large" => PinState::NoRoom,
        _ => {
            pinned.push(code);
            PinState::Compiling
        }
    };
    PinnedCode {
        state: state as u32,
        module_bytes: 9,
        ..PinnedCode::default()
    }
}

/// The end of a child that was told to stop.
fn stop(mode: &str, logs: &OwnedFd) -> ! {
    match mode {
        "stops-slowly" => {
            for n in 0..100 {
                std::thread::sleep(Duration::from_millis(1));
                let line = format!(r#"{{"Message":"farewell {n}","LogLevel":2}}"#);
                log(logs, line.as_bytes());
                say(&format!("last word {n}"));
            }
            exit(3);
        }
        "never-stops" => sleep(),
        _ => exit(3),
    }
}

fn behave(function: &str, node: &mut Node, profiles: &OwnedFd, logs: &OwnedFd) {
    match function {
        "ok" => {}
        "hooks" => return ask_hooks(node),
        "vm-fails" => {
            return node
                .send("out of ideas", &ContractResponse::default(), None)
                .expect("sent");
        }
        "nothing" => {
            return node
                .send("", &ContractResponse::default(), None)
                .expect("sent");
        }
        "bad-code" => {
            let output = VmOutput {
                return_code: 4,
                ..VmOutput::default()
            };
            return send(node, output);
        }
        "wrong-nonce" => return raw(node, 5, br#"{"DialogueNonce":7}"#),
        "garbage" => return bytes(node, &[0xab; 64]),
        "not-json" => return raw(node, 5, b"garbage"),
        "huge-length" => return bytes(node, &[0xff, 0xff, 0xff, 0xff, 5, 0, 0, 0]),
        "torn" => {
            bytes(node, &[200, 0, 0, 0, 5, 0, 0, 0, b'{']);
            say("thread 'main' panicked: out of luck");
            exit(101);
        }
        "abort" => std::process::abort(),
        "hang" => sleep(),
        "busy" => loop {
            std::hint::spin_loop();
        },
        "endless-hooks" => loop {
            node.send("", &BlockchainLastNonceRequest {}, None)
                .expect("sent");
            node.receive(None).expect("answered");
        },
        "never-read-again" => {
            respond(node, Vec::new());
            sleep();
        }
        "twice" => {
            // In one write, so that the second is there when the first is read.
            let mut both = Vec::new();
            for payload in [&br#"{"DialogueNonce":2,"VMOutput":{}}"#[..], b"{}"] {
                frame::encode(5, &mut both, |out| out.extend_from_slice(payload)).expect("fits");
            }
            return bytes(node, &both);
        }
        "once-more" => {
            respond(node, Vec::new());
            bytes(node, b"\x02\0\0\0\x05\0\0\0{}");
            return log(logs, br#"{"Message":"said it again"}"#);
        }
        "fds" => return respond(node, vec![descriptors_of_this_process()]),
        "environment" => {
            let names = std::env::vars_os().map(|(name, _)| name.into_encoded_bytes().into());
            return respond(node, names.collect());
        }
        "blocked-signals" => return respond(node, vec![blocked_signals()]),
        "flood" => flood(),
        "says-it-first" => {
            for n in 0..10 {
                let line = format!(r#"{{"Message":"line {n}","LogLevel":2}}"#);
                log(logs, line.as_bytes());
            }
            say("word");
            writeln!(std::io::stdout(), "word").expect("read by the node");
        }
        "control-bytes" => {
            let line = r#"{"Message":"\u001b[2J","Args":["k","\u009b"],"LogLevel":2,"LoggerName":"\u0007"}"#;
            log(logs, line.as_bytes());
            say("\x1b]0;title\x07");
            writeln!(std::io::stdout(), "\x1b[31m\rred").expect("read by the node");
            node.send("\x1b[0m", &ContractResponse::default(), None)
                .expect("sent");
            return;
        }
        "dies-with-control-bytes" => {
            say("last \x1b[5m words");
            exit(1);
        }
        "log-flood" => {
            let line = br#"{"Message":"flood","LogLevel":1,"LoggerName":"arwen/test"}"#;
            for _ in 0..FLOOD_LINES {
                log(logs, line);
            }
        }
        "log-recorded" => {
            for row in include_str!("../data/logs.jsonl").lines() {
                let row: serde_json::Value = serde_json::from_str(row).expect("a row");
                if row["dir"] == "child->parent" {
                    log(logs, row["payload"].as_str().expect("text").as_bytes());
                }
            }
        }
        "log-garbage" => {
            let garbage = vec![0xff; 1 << 20];
            write_all(logs.as_fd(), &garbage, None).expect("read by the node");
        }
        "profile" => {
            let (_, profile) = read_frame(profiles, Header::Log).expect("a profile");
            return respond(node, vec![profile]);
        }
        other => panic!("no script for {other}"),
    }
    respond(node, vec![Bytes::from_static(b"*")]);
}

fn ask_hooks(node: &mut Node) {
    let (address, index) = (Bytes::from_static(b"me"), Bytes::from_static(b"key"));
    let request = BlockchainGetStorageDataRequest { address, index };
    node.send("", &request, None).expect("sent");
    let stored = match node.receive(None).expect("answered").message {
        Message::BlockchainGetStorageDataResponse(response) => response.data.unwrap_or_default(),
        other => panic!("wrong answer: {other:?}"),
    };
    node.send("", &BlockchainLastNonceRequest {}, None)
        .expect("sent");
    let answer = node.receive(None).expect("answered");
    let nonce = match answer.message {
        Message::BlockchainLastNonceResponse(response) => response.result,
        other => panic!("wrong answer: {other:?}"),
    };
    let error = Bytes::from(answer.envelope.error_message);
    respond(node, vec![stored, nonce.to_string().into(), error]);
}

fn flood() {
    let line = [&[b'f'; 99][..], b"\n"].concat().repeat(1000);
    for _ in 0..FLOOD_BYTES / line.len() {
        std::io::stdout()
            .write_all(&line)
            .expect("read by the node");
        std::io::stderr()
            .write_all(&line)
            .expect("read by the node");
    }
    let endless = vec![b'x'; LONG_LINE_BYTES];
    std::io::stderr()
        .write_all(&endless)
        .expect("read by the node");
    say("\nthe end of the flood");
}

fn blocked_signals() -> Bytes {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("there");
    let mut lines = status.lines();
    let set = lines.find_map(|line| line.strip_prefix("SigBlk:"));
    set.expect("Linux tells it").trim().to_owned().into()
}

fn descriptors_of_this_process() -> Bytes {
    let entries = std::fs::read_dir("/proc/self/fd").expect("there");
    let mut numbers: Vec<u32> = entries
        .map(|entry| {
            let name = entry.expect("an entry").file_name();
            name.to_str()
                .and_then(|name| name.parse().ok())
                .expect("a number")
        })
        .collect();
    numbers.sort_unstable();
    format!("{numbers:?}").into()
}

fn respond(node: &mut Node, return_data: Vec<Bytes>) {
    send(
        node,
        VmOutput {
            return_data,
            ..VmOutput::default()
        },
    );
}

fn send(node: &mut Node, output: VmOutput) {
    let vm_output = Some(output);
    node.send(
        "",
        &ContractResponse {
            vm_output,
            ..Default::default()
        },
        None,
    )
    .expect("sent");
}

fn raw(node: &mut Node, kind: u32, payload: &[u8]) {
    let mut frame = Vec::new();
    frame::encode(kind, &mut frame, |out| out.extend_from_slice(payload)).expect("fits");
    bytes(node, &frame);
}

fn bytes(node: &mut Node, bytes: &[u8]) {
    node.transport_mut().send(bytes, None).expect("sent");
}

fn log(logs: &OwnedFd, payload: &[u8]) {
    let mut frame = Vec::new();
    frame::encode_log(&mut frame, |out| out.extend_from_slice(payload)).expect("fits");
    write_all(logs.as_fd(), &frame, None).expect("read by the node");
}

fn read_frame(pipe: &OwnedFd, header: Header) -> Option<(u32, Bytes)> {
    let mut decoder = Decoder::new(header, DEFAULT_PAYLOAD_LIMIT_BYTES);
    let mut byte = [0; 1];
    loop {
        if let Some(frame) = decoder.next() {
            let frame = frame.expect("a frame");
            return Some((frame.kind, frame.payload));
        }
        match nix::unistd::read(pipe, &mut byte) {
            Ok(1..) => decoder.push(&byte),
            Ok(0) | Err(_) => return None,
        }
    }
}

fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").expect("read by the node");
}

/// Until the driver kills it; a child that nobody kills does not stay for ever.
fn sleep() -> ! {
    std::thread::sleep(Duration::from_secs(60));
    exit(9)
}
