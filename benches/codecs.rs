//! Messages to bytes and back, in both formats, and frames out of a stream. Ends with a table of JSON against protobuf.

use arwen::internal::codec::{self, Format};
use arwen::internal::frame::{self, Decoder, Header};
use arwen::messages::*;
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use serde_json::Value;
use std::hint::black_box;
use std::path::{Path, PathBuf};

const FORMATS: [Format; 2] = [Format::Json, Format::Protobuf];
const USER: Bytes = Bytes::from_static(b"user____________________________");
const OTHER: Bytes = Bytes::from_static(b"other___________________________");
const CONTRACT: Bytes = Bytes::from_static(b"\0\0\0\0\0\0\0\0\x05\0contract______________");

/// Bytes without a pattern, such as code and hashes are.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn call(function: &str, arguments: Vec<Bytes>) -> Message {
    let input = VmInput {
        caller_addr: USER,
        arguments,
        call_value: Some(BigInt::default()),
        gas_price: 1_000_000_000,
        gas_provided: 1_000_000_000,
        original_tx_hash: noise(32),
        current_tx_hash: noise(32),
        ..VmInput::default()
    };
    let call_input = ContractCallInput {
        input: Some(input),
        recipient_addr: CONTRACT,
        function: function.to_owned(),
    };
    ContractCallRequest {
        call_input: Some(call_input),
        ..Default::default()
    }
    .into()
}

/// An account with this many storage values of 32 bytes under keys of 32 bytes.
fn account(address: Bytes, updates: usize) -> OutputAccountEntry {
    let noise = noise(64 * updates);
    let update = |at: usize| {
        let key = noise.slice(64 * at..64 * at + 32);
        let value = StorageUpdate {
            offset: key.clone(),
            data: noise.slice(64 * at + 32..64 * at + 64),
        };
        StorageUpdateEntry {
            key,
            value: Some(value),
        }
    };
    let value = OutputAccount {
        address: address.clone(),
        balance_delta: Some(BigInt::default()),
        storage_updates: (0..updates).map(update).collect(),
        ..OutputAccount::default()
    };
    OutputAccountEntry {
        key: address,
        value: Some(value),
    }
}

fn response(output_accounts: Vec<OutputAccountEntry>, logs: Vec<LogEntry>) -> Message {
    let output = VmOutput {
        return_data: vec![Bytes::from_static(&[1])],
        gas_remaining: 999_000_000,
        gas_refund: Some(BigInt::default()),
        output_accounts,
        logs,
        ..VmOutput::default()
    };
    ContractResponse {
        vm_output: Some(output),
        ..Default::default()
    }
    .into()
}

fn user_account(code_bytes: usize) -> Message {
    let account = Account {
        balance: Some(1_000_000_000_000_000_000_u64.into()),
        code_hash: noise(32),
        root_hash: noise(32),
        address: CONTRACT,
        developer_reward: Some(BigInt::default()),
        owner_address: USER,
        code_metadata: Bytes::from_static(&[1, 0]),
        code: noise(code_bytes),
        ..Account::default()
    };
    BlockchainGetUserAccountResponse {
        account: Some(account),
    }
    .into()
}

/// What is measured, by name.
fn messages() -> Vec<(&'static str, Message)> {
    let transfer = LogEntry {
        identifier: Bytes::from_static(b"transfer"),
        address: CONTRACT,
        topics: vec![USER, OTHER],
        data: Bytes::from_static(&[1]),
        ..LogEntry::default()
    };
    let storage = BlockchainGetStorageDataResponse {
        data: Some(noise(32)),
    };
    let many = (0..10).map(|at| account(noise(32 + at).slice(at..), 20));
    vec![
        ("counter call", call("increment", Vec::new())),
        (
            "counter response",
            response(vec![account(CONTRACT, 1)], Vec::new()),
        ),
        (
            "ERC20 transfer call",
            call("transferToken", vec![OTHER, Bytes::from_static(&[1])]),
        ),
        (
            "ERC20 transfer response",
            response(vec![account(CONTRACT, 2), account(USER, 0)], vec![transfer]),
        ),
        ("storage answer, 32 B", storage.into()),
        ("account, 4 KiB of code", user_account(4 << 10)),
        ("account, 40 KiB of code", user_account(40 << 10)),
        (
            "response, 10 accounts of 20 updates",
            response(many.collect(), Vec::new()),
        ),
    ]
}

fn encoded(format: Format, message: &Message) -> Vec<u8> {
    let envelope = Envelope {
        dialogue_nonce: 2,
        kind: message.kind(),
        ..Envelope::default()
    };
    let mut frame = Vec::new();
    codec::encode_message(format, &envelope, message, &mut frame).expect("fits a frame");
    frame
}

fn codecs(c: &mut Criterion, messages: &[(&str, Message)]) {
    for (name, message) in messages {
        for format in FORMATS {
            let frame = encoded(format, message);
            let payload = Bytes::copy_from_slice(&frame[Header::Preamble.size()..]);
            let envelope = Envelope {
                dialogue_nonce: 2,
                kind: message.kind(),
                ..Envelope::default()
            };
            let mut group = c.benchmark_group(*name);
            group.throughput(Throughput::Bytes(payload.len() as u64));
            group.bench_function(BenchmarkId::new("encode", format!("{format:?}")), |b| {
                let mut out = Vec::new();
                b.iter(|| {
                    out.clear();
                    codec::encode_message(format, &envelope, black_box(message), &mut out)
                });
            });
            group.bench_function(BenchmarkId::new("decode", format!("{format:?}")), |b| {
                b.iter(|| codec::decode(format, message.kind(), black_box(payload.clone())));
            });
            group.finish();
        }
    }
}

/// A stream of 1 MiB or more, cut into frames of one length; it comes in pieces of the size of a pipe.
fn framing(c: &mut Criterion) {
    const PIECE_BYTES: usize = 64 << 10;
    let mut group = c.benchmark_group("decoder");
    for length in [32, 1 << 10, 32 << 10, 1 << 20] {
        let payload = noise(length);
        let mut stream = Vec::new();
        while stream.len() < 1 << 20 {
            frame::encode(9, &mut stream, |out| out.extend_from_slice(&payload))
                .expect("fits a frame");
        }
        group.throughput(Throughput::Bytes(stream.len() as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |b| {
            b.iter(|| {
                let mut decoder =
                    Decoder::new(Header::Preamble, frame::DEFAULT_PAYLOAD_LIMIT_BYTES);
                for piece in stream.chunks(PIECE_BYTES) {
                    decoder.push(piece);
                    while let Some(frame) = decoder.next() {
                        black_box(frame.expect("a frame"));
                    }
                }
            });
        });
    }
    group.finish();
}

/// Where criterion keeps its results.
fn results() -> PathBuf {
    match (
        std::env::var_os("CRITERION_HOME"),
        std::env::var_os("CARGO_TARGET_DIR"),
    ) {
        (Some(home), _) => home.into(),
        (None, Some(target)) => Path::new(&target).join("criterion"),
        (None, None) => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/criterion"),
    }
}

/// The median of a benchmark in nanoseconds; None if it was never run.
fn median(group: &str, operation: &str, format: Format) -> Option<f64> {
    let folder = results()
        .join(group)
        .join(operation)
        .join(format!("{format:?}"));
    let text = std::fs::read_to_string(folder.join("new/estimates.json")).ok()?;
    let estimates: Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}

/// JSON against protobuf: bytes of the payload, and the latest medians.
fn print_table(messages: &[(&str, Message)]) {
    println!(
        "| message | JSON bytes | protobuf bytes | encode ns, JSON / protobuf | decode ns, JSON / protobuf |"
    );
    println!("|---|---|---|---|---|");
    for (name, message) in messages {
        let [json, protobuf] =
            FORMATS.map(|format| encoded(format, message).len() - Header::Preamble.size());
        let times = ["encode", "decode"].map(|operation| {
            let [json, protobuf] = FORMATS.map(|format| median(name, operation, format));
            match (json, protobuf) {
                (Some(json), Some(protobuf)) => {
                    format!("{json:.0} / {protobuf:.0} ({:.2})", protobuf / json)
                }
                _ => "not measured".to_owned(),
            }
        });
        let ratio = protobuf as f64 / json as f64;
        println!(
            "| {name} | {json} | {protobuf} ({ratio:.2}) | {} | {} |",
            times[0], times[1]
        );
    }
}

fn main() {
    let messages = messages();
    let mut criterion = Criterion::default().configure_from_args();
    codecs(&mut criterion, &messages);
    framing(&mut criterion);
    criterion.final_summary();
    print_table(&messages);
}
