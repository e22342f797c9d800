//! What no driver of ours would do: frames made by hand for the real binary.

use super::node::arguments;
use arwen::internal::codec;
use arwen::messages::{Envelope, Format, Initialize, Message};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getpgid};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The real binary with its pipes in our hands.
pub struct Raw {
    child: Child,
    requests: Option<File>,
    responses: File,
    profiles: File,
    /// Not read, unless a test does.
    logs: File,
    init: File,
}

impl Raw {
    /// A child that has got its Initialize.
    pub fn start() -> Raw {
        let initialize = Initialize {
            arguments: Some(arguments()),
        };
        let frame = encode(
            Envelope {
                kind: 1,
                ..Envelope::default()
            },
            &initialize.into(),
        );
        Raw::start_with(&frame)
    }

    /// A child that has got this frame as its Initialize.
    pub fn start_with(initialize: &[u8]) -> Raw {
        let mut raw = Raw::spawn();
        raw.init.write_all(initialize).expect("read by the child");
        raw
    }

    /// Named pipes, so that a shell can put them where the child expects them.
    fn spawn() -> Raw {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let names = ["init", "requests", "responses", "profiles", "logs"];
        for name in names {
            nix::unistd::mkfifo(&path(name), Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
        }
        let script = r#"exec "$0" 3<init 4<requests 5>responses 6<profiles 7>logs"#;
        let child = Command::new("/bin/sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_arwen")])
            .current_dir(folder.path())
            .env("ARWEN_MODULE_CACHE", "")
            .stderr(Stdio::piped())
            .spawn()
            .expect("there is a shell");
        // In the order of the script: each side waits for the other.
        let write = |path: &Path| OpenOptions::new().write(true).open(path).expect("a pipe");
        let read = |path: &Path| File::open(path).expect("a pipe");
        Raw {
            child,
            init: write(&path("init")),
            requests: Some(write(&path("requests"))),
            responses: read(&path("responses")),
            profiles: write(&path("profiles")),
            logs: read(&path("logs")),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        let requests = self.requests.as_mut().expect("open");
        requests.write_all(bytes).expect("the child reads");
    }

    /// The next frame: its kind and its payload.
    pub fn receive(&mut self) -> (u32, String) {
        let mut preamble = [0; 8];
        self.responses
            .read_exact(&mut preamble)
            .expect("a preamble");
        let [length, kind] = [0, 4]
            .map(|at| u32::from_le_bytes(preamble[at..at + 4].try_into().expect("four bytes")));
        let mut payload = vec![0; length as usize];
        self.responses.read_exact(&mut payload).expect("a payload");
        (kind, String::from_utf8(payload).expect("UTF-8"))
    }

    fn send_profile(&mut self, patterns: &str) {
        let profile = format!(
            r#"{{"LogLevelPatterns":"{patterns}","WithCorrelation":false,"WithLoggerName":true}}"#
        );
        let length = (profile.len() as u32).to_le_bytes();
        let frame = [&length, profile.as_bytes()].concat();
        self.profiles.write_all(&frame).expect("read by the child");
    }

    fn log_line(&mut self) -> String {
        let mut header = [0; 4];
        self.logs.read_exact(&mut header).expect("a line");
        let mut line = vec![0; u32::from_le_bytes(header) as usize];
        self.logs.read_exact(&mut line).expect("a line");
        String::from_utf8(line).expect("UTF-8")
    }

    /// How it ended: the exit code and stderr.
    pub fn end(mut self) -> (i32, String) {
        drop(self.requests.take());
        let mut text = String::new();
        let stderr = self.child.stderr.as_mut().expect("piped");
        stderr.read_to_string(&mut text).expect("UTF-8");
        let status = self.child.wait().expect("a child");
        (status.code().expect("no signal"), text)
    }
}

pub fn encode(envelope: Envelope, message: &Message) -> Vec<u8> {
    let mut frame = Vec::new();
    codec::encode_message(Format::Json, &envelope, message, &mut frame).expect("short");
    frame
}

pub fn frame(kind: u32, payload: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    arwen::internal::frame::encode(kind, &mut frame, |out| {
        out.extend_from_slice(payload.as_bytes())
    })
    .expect("short");
    frame
}

const WAIT: &str = r#"{"DialogueNonce":1,"Kind":46,"ErrorMessage":"","Milliseconds":0}"#;

#[test]
fn frames_are_answered_however_they_arrive() {
    let mut raw = Raw::start();
    let wait = frame(46, WAIT);
    for piece in [1, 7, 8, 100] {
        wait.chunks(piece).for_each(|piece| raw.send(piece));
        let answer = r#"{"DialogueNonce":2,"Kind":47,"ErrorMessage":""}"#;
        assert_eq!(raw.receive(), (47, answer.to_owned()));
    }
    // A node that asks for the report gets it, and only then.
    raw.send(&frame(46, &WAIT.replace('}', r#","Ready":true}"#)));
    let (kind, reported) = raw.receive();
    let start = r#"{"DialogueNonce":2,"Kind":47,"ErrorMessage":"","Ready":{"Version":"#;
    assert!(kind == 47 && reported.starts_with(start), "{reported}");
    raw.send(&wait);
    let answer = r#"{"DialogueNonce":2,"Kind":47,"ErrorMessage":""}"#;
    assert_eq!(raw.receive(), (47, answer.to_owned()));
    raw.send(&frame(1000, r#"{"DialogueNonce":1}"#));
    let answer = r#"{"DialogueNonce":2,"Kind":48,"ErrorMessage":""}"#;
    assert_eq!(raw.receive(), (48, answer.to_owned()));
    assert_eq!(raw.end(), (3, "Ended Arwen loop: EOF\n".to_owned()));
}

#[test]
fn a_bad_node_ends_the_child_with_the_reason_on_stderr() {
    let wrong_nonce = r#"{"DialogueNonce":5,"Milliseconds":0}"#;
    let wrong_kind = r#"{"DialogueNonce":1,"Kind":4}"#;
    let cases: [(Vec<u8>, &str); 6] = [
        (
            frame(46, wrong_nonce),
            "critical error: invalid dialogue nonce (5, expected 1)",
        ),
        (
            frame(46, wrong_kind),
            "critical error: bad message from node",
        ),
        (
            frame(2, r#"{"DialogueNonce":1}"#),
            "critical error: arwen will stop, as requested",
        ),
        (
            frame(4, "nonsense"),
            "ContractCallRequest: bad JSON at byte 1",
        ),
        (
            vec![255, 255, 255, 255, 4, 0, 0, 0],
            "critical error: bad message from node",
        ),
        (vec![9, 0, 0, 0, 4, 0, 0, 0, b'{'], "unexpected EOF"),
    ];
    for (bytes, reason) in cases {
        let mut raw = Raw::start();
        raw.send(&bytes);
        let (code, text) = raw.end();
        assert_eq!(code, 3, "{text}");
        assert!(
            text.starts_with(&format!("Ended Arwen loop: {reason}")),
            "{text}"
        );
    }
}

#[test]
fn a_bad_initialize_ends_the_child() {
    let empty = r#"{"Arguments":{}}"#;
    let cases = [
        (
            frame(1, "{nope"),
            "Cannot receive gasSchedule: Initialize: bad JSON at byte 1",
        ),
        (
            frame(4, "{}"),
            "Cannot receive gasSchedule: ContractCallRequest instead of Initialize",
        ),
        (
            frame(1, empty),
            "Cannot create ArwenPart: Gas cost for operation StorePerByte",
        ),
        (
            frame(1, r#"{"Arguments":{"MessagesMarshalizer":1}}"#),
            "Cannot create ArwenPart: marshalizer 1 (Gob)",
        ),
    ];
    for (bytes, reason) in cases.into_iter().chain(protobuf_refusals()) {
        let mut raw = Raw::spawn();
        raw.init.write_all(&bytes).expect("read by the child");
        let (code, text) = raw.end();
        assert_eq!(code, 2, "{text}");
        assert!(text.starts_with(reason), "{text}");
    }
}

/// Without the feature both marshalizers are refused.
fn protobuf_refusals() -> Vec<(Vec<u8>, &'static str)> {
    let fields = match cfg!(feature = "protobuf") {
        true => &[][..],
        false => &["MessagesMarshalizer", "LogsMarshalizer"],
    };
    let reason = "Cannot create ArwenPart: marshalizer 2 (protobuf) is not in this build";
    let case = |field| {
        let initialize = format!(r#"{{"Arguments":{{"{field}":2}}}}"#);
        (frame(1, &initialize), reason)
    };
    fields.iter().map(case).collect()
}

#[test]
fn a_log_profile_changes_what_the_next_request_logs() {
    let mut raw = Raw::start();
    let wait = frame(46, WAIT);
    raw.send_profile("*:INFO");
    assert!(raw.log_line().contains("Profile change applied."));
    raw.send(&wait);
    raw.receive();
    // Nothing of the request was logged: the next line is again about the profile.
    raw.send_profile("*:TRACE");
    let line = raw.log_line();
    assert!(
        line.contains(r#""Message":"Profile change applied.","LogLevel":2"#),
        "{line}"
    );
    assert!(
        line.contains(r#""LoggerName":"pipes/childPart","Correlation":{}"#),
        "{line}"
    );
    raw.send(&wait);
    raw.receive();
    // The child may still have been busy with the first request when the profile came.
    let mut line = raw.log_line();
    while !line.contains("RECEIVED") {
        line = raw.log_line();
    }
    // TRACE is 0 and therefore left out.
    let size = WAIT.len();
    let expected =
        format!(r#"{{"Message":"[ARWEN][#1]: RECEIVED message","Args":["size","{size}","msg""#);
    assert!(line.starts_with(&expected), "{line}");
    assert!(
        line.contains(r#""LoggerName":"arwen/baseMessenger""#),
        "{line}"
    );
    assert_eq!(raw.end().0, 3);
}

#[test]
fn nobody_reading_the_logs_does_not_slow_the_child_down() {
    let mut raw = Raw::start();
    raw.send_profile("*:TRACE");
    let wait = frame(46, WAIT);
    let start = Instant::now();
    for _ in 0..3000 {
        raw.send(&wait);
        assert_eq!(raw.receive().0, 47);
    }
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );

    // The pipe is full of lines by now, and each is one that a reader takes.
    let line = raw.log_line();
    assert!(line.starts_with(r#"{"Message":"#), "{line}");
    assert_eq!(raw.end().0, 3);
}

#[test]
fn signals_to_the_nodes_group_are_the_nodes_to_decide_on() {
    let mut raw = Raw::start();
    let wait = frame(46, WAIT);
    // Only then it is sure to have got that far.
    raw.send(&wait);
    raw.receive();
    let id = Pid::from_raw(raw.child.id().try_into().expect("a process"));
    let group = getpgid(Some(id)).expect("alive");
    assert_eq!(group, id, "a signal to the node's group reaches the child");
    // Not even one to the child itself.
    kill(id, Signal::SIGINT).expect("alive");
    raw.send(&wait);
    assert_eq!(raw.receive().0, 47);
    assert_eq!(raw.end(), (3, "Ended Arwen loop: EOF\n".to_owned()));
}

#[test]
fn started_by_hand_it_says_what_it_is() {
    let output = Command::new(env!("CARGO_BIN_EXE_arwen"))
        .output()
        .expect("started");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("minimal_node"), "{text}");
}
