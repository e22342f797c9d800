//! Writes many inputs for each target without the VM into FOLDER/TARGET, and the dictionaries into fuzz/options. They are made
//! from the recorded messages and log lines of tests/data and from the scenarios of tests/scenarios, the same every time.
//! fuzz/corpus has a choice of them.
//!
//! ```sh
//! cargo run --release --manifest-path fuzz/Cargo.toml --example seeds -- FOLDER
//! ```

use arwen::internal::codec;
use arwen::internal::frame;
use arwen::internal::logs::line;
use arwen::messages::{Format, MessageKind};
use bytes::Bytes;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Longer recordings teach a fuzzer little and slow it down.
const LONGEST: usize = 1500;

/// Recordings of one kind: more of them differ only in numbers.
const PER_KIND: usize = 6;

fn main() {
    json_and_protobuf();
    odd_json();
    streams();
    scripts();
    log_lines();
    scenarios();
    rarely_reached();
    dictionaries();
}

fn project() -> &'static Path {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    fuzz.parent().expect("fuzz/ is in the project")
}

fn read(name: &str) -> String {
    fs::read_to_string(project().join("tests").join(name)).expect("in the project")
}

fn json_lines(name: &str) -> Vec<Value> {
    let text = read(name);
    let rows = text.lines();
    rows.map(|row| serde_json::from_str(row).expect("a JSON object per line"))
        .collect()
}

fn seed(target: &str, name: &str, parts: &[&[u8]]) {
    let folder = std::env::args_os().nth(1).expect("the folder to write to");
    let folder = Path::new(&folder).join(target);
    fs::create_dir_all(&folder).expect("writable");
    fs::write(folder.join(name), parts.concat()).expect("writable");
}

/// Kind, case and payload of recorded messages, a few of each kind.
fn recorded() -> Vec<(u8, String, String)> {
    let text = read("data/messages.tsv");
    let mut counts = BTreeMap::new();
    let rows = text.lines().filter_map(|line| {
        let mut columns = line.splitn(3, '\t').map(str::to_owned);
        let kind = columns.next()?.parse().ok()?;
        let (case, payload) = (columns.next()?, columns.next()?);
        let count = counts.entry(kind).or_insert(0);
        *count += usize::from(payload.len() <= LONGEST);
        (payload.len() <= LONGEST && *count <= PER_KIND).then_some((kind, case, payload))
    });
    rows.collect()
}

/// Messages of ours that no recording has.
fn extensions() -> Vec<(u8, String, String)> {
    let request = MessageKind::DiagnoseWaitRequest.wire() as u8;
    let pin = r#"{"Pin":{"Code":"AGFzbQ==","Unpin":true}}"#;
    let response = MessageKind::DiagnoseWaitResponse.wire() as u8;
    let pinned = r#"{"Pinned":{"State":4,"ModuleBytes":7,"Error":"e"}}"#;
    let ready = r#"{"Ready":{"Version":"0.1.0","Build":"b","ProtocolVersion":1,
        "Limits":{"PayloadBytes":1,"MemoryPages":2,"AddressSpaceBytes":3,"StackBytes":4,"OpenFiles":5},"SandboxMode":"required",
        "Sandbox":[{"Name":"landlock","InForce":true,"Detail":"d"},{"Name":"seccomp"}],"Capabilities":["a","b"]}}"#;
    let rows = [
        (response, "ready", ready),
        (request, "pin", pin),
        (response, "pinned", pinned),
    ];
    rows.map(|(kind, case, json)| (kind, case.to_owned(), json.to_owned()))
        .to_vec()
}

fn json_and_protobuf() {
    for (kind, case, json) in recorded().into_iter().chain(extensions()) {
        let name = format!("{kind:02}-{case}");
        let payload = Bytes::from(json.clone());
        let (envelope, message) = codec::decode(Format::Json, kind.into(), payload).expect("valid");
        let mut protobuf = Vec::new();
        codec::encode_message(Format::Protobuf, &envelope, &message, &mut protobuf)
            .expect("a short message");
        let protobuf = &protobuf[8..];
        seed("json_messages", &name, &[&[kind], json.as_bytes()]);
        seed("protobuf_messages", &name, &[&[kind], protobuf]);
        seed(
            "codec_agreement",
            &format!("{name}-json"),
            &[&[kind, 0], json.as_bytes()],
        );
        seed(
            "codec_agreement",
            &format!("{name}-protobuf"),
            &[&[kind, 1], protobuf],
        );
    }
}

/// What Go was asked to read, valid or not.
fn odd_json() {
    for (number, row) in json_lines("data/decode.jsonl").iter().enumerate() {
        let kind = row["kind"]
            .as_u64()
            .and_then(|kind| u8::try_from(kind).ok());
        if let (Some(kind), Some(payload)) = (kind, row["payload"].as_str())
            && payload.len() <= LONGEST
        {
            let name = format!("odd-{number:03}");
            seed("json_messages", &name, &[&[kind], payload.as_bytes()]);
        }
    }
}

/// Streams of a few frames: whole, in pieces, torn, with a length over the limit.
fn streams() {
    let short: Vec<_> = recorded()
        .into_iter()
        .filter(|row| row.2.len() < 100)
        .collect();
    for (number, rows) in short.chunks(4).step_by(6).enumerate() {
        let mut stream = Vec::new();
        for (kind, _, payload) in rows {
            let fill = |out: &mut Vec<u8>| out.extend_from_slice(payload.as_bytes());
            match number % 2 {
                0 => frame::encode((*kind).into(), &mut stream, fill),
                _ => frame::encode_log(&mut stream, fill),
            }
            .expect("a short frame");
        }
        let pieces = [0, 3, 40, 8];
        let pieces = &pieces[..number % 5];
        let choice = [(number % 2 + 2 * pieces.len()) as u8];
        seed(
            "frame_decoder",
            &format!("{number:02}"),
            &[&choice, pieces, &stream],
        );
        let torn = &stream[..stream.len() - 1 - number];
        seed(
            "frame_decoder",
            &format!("{number:02}-torn"),
            &[&choice, pieces, torn],
        );
    }
    seed(
        "frame_decoder",
        "too-long",
        &[&[2, 0], &[1, 4, 0, 0, 5, 0, 0, 0, 7]],
    );
    seed(
        "frame_decoder",
        "too-long-log",
        &[&[3, 0], &[1, 4, 0, 0, 7]],
    );
    // A long frame comes first.
    for length in 1..4 {
        let frames = b"\x02\0\0\0\x05\0\0\0ab\x01\0\0\0";
        for (name, choice, pieces) in [
            ("whole", 0, &[][..]),
            ("pieces", 6, &[9, 0, 254]),
            ("log", 3, &[76]),
        ] {
            let name = format!("long-{length}-{name}");
            seed(
                "frame_decoder",
                &name,
                &[&[16 * (12 + length) + choice], pieces, frames],
            );
        }
    }
    for number in 0..8 {
        let pieces = &[0, 200, 5, 11, 1, 2, 255][..usize::from(number)];
        let frames = b"\x04\x03abc\x07\x00\x01\xff\x2e\x10{\"Kind\":5,\"A\":1}";
        seed(
            "frame_round_trip",
            &number.to_string(),
            &[&[2 * number], pieces, frames],
        );
        seed(
            "frame_round_trip",
            &format!("{number}-log"),
            &[&[2 * number + 1], pieces, frames],
        );
    }
}

/// What a fuzzer would need long to find.
fn rarely_reached() {
    seed("frame_decoder", "torn-header", &[&[0, 5, 0, 0]]);
    seed("frame_decoder", "torn-log-header", &[&[1, 5, 0]]);
    let number = format!(
        r#"{{"Account":{{"Balance":-{}}}}}"#,
        "1234567890".repeat(250)
    );
    let kind = [MessageKind::BlockchainGetUserAccountResponse.wire() as u8];
    seed("json_messages", "long-number", &[&kind, number.as_bytes()]);
    seed(
        "codec_agreement",
        "long-number",
        &[&kind, &[0], number.as_bytes()],
    );
    // An object that comes twice: the second adds to the first.
    let twice = br#"{"Account":{"Nonce":1},"Account":{"Code":"QQ=="}}"#;
    seed("json_messages", "object-twice", &[&kind, twice]);
    seed("codec_agreement", "object-twice", &[&kind, &[0], twice]);
    null_lists();
    // Arrays in an unknown field, deeper than Go reads.
    let deep = format!("{{\"x\":{}", "[".repeat(10_001));
    seed("json_messages", "deep", &[&kind, deep.as_bytes()]);
    seed("protobuf_messages", "another-kind", &[&[4, 0x10, 5]]);
    seed("protobuf_messages", "torn-number", &[&[4, 0x10]]);
    // A thousand patterns; a logger's last one wins.
    let patterns = (0..2000)
        .map(|number| format!("{number}:INFO"))
        .collect::<Vec<_>>();
    seed(
        "log_lines",
        "many-patterns",
        &[&[3], patterns.join(",").as_bytes()],
    );
    let whole = r#"{"name":"n","comment":"c","steps":[
        {"step":"setState","comment":"c","accounts":{"''a":{"nonce":"1","balance":"2","storage":{"''k":"''v"},"code":""}},
         "newAddresses":[{"creatorAddress":"''a","creatorNonce":"1","newAddress":"''b"}],"blockHashes":["0x01"],
         "previousBlockInfo":{"blockTimestamp":"1","blockNonce":"2","blockRound":"3","blockEpoch":"4"},
         "currentBlockInfo":{"blockTimestamp":"1","blockNonce":"2","blockRound":"3","blockEpoch":"4"}},
        {"step":"scCall","txId":"1","tx":{"from":"''a","to":"''b","value":"0","function":"f","arguments":["1"],"gasLimit":"5","gasPrice":"0"},
         "expect":{"out":["*","1"],"status":"0","gas":"*","refund":"*","message":"*","logs":[
          {"address":"''a","identifier":"0x0101010101010101010101010101010101010101010101010101010101010101","topics":["1"],"data":"2"}]}},
        {"step":"scDeploy","txId":"2","tx":{"from":"''a","value":"0","contractCode":"","arguments":[],"gasLimit":"5","gasPrice":"0"},
         "expect":{"status":"0","refund":"*","logs":"*"}},
        {"step":"transfer","txId":"3","tx":{"from":"''a","to":"''b","value":"1"}},
        {"step":"validatorReward","txId":"4","tx":{"to":"''b","value":"1"}},
        {"step":"checkState","accounts":{"''a":{"nonce":"*","balance":"*","storage":"*","code":"*"},"+":""}}]}"#;
    // Addresses have 32 bytes.
    let address = |name: &str| format!("\"''{}\"", name.repeat(32));
    let whole = whole
        .replace("\"''a\"", &address("a"))
        .replace("\"''b\"", &address("b"));
    seed("scenario_parser", "whole", &[whole.as_bytes()]);
    let deep_value = format!("\"{}\"", "keccak256:".repeat(80));
    seed("scenario_parser", "deep-value", &[deep_value.as_bytes()]);
    let other_bytes = b"{\"steps\":[{\"step\":\"setState\",\"blockHashes\":[\"''\xff|``\xc3\",\"0x\xfe\",\"file:\xff\"]}],\"\xfe\":\"\x80\"}";
    seed("scenario_parser", "other-bytes", &[other_bytes]);
    let wrong_count = OLD_TEST.replacen(
        "\"blockHeader\"",
        "\"transactions\": [], \"blockHeader\"",
        1,
    );
    seed("scenario_parser", "old-counts", &[wrong_count.as_bytes()]);
}

/// Lists that are null in JSON, and remembered as such in protobuf.
fn null_lists() {
    let kind = MessageKind::ContractResponse.wire();
    let json = br#"{"VMOutput":{"ReturnData":null,"OutputAccounts":null,"Logs":null}}"#;
    let payload = Bytes::from_static(json);
    let (envelope, message) = codec::decode(Format::Json, kind, payload).expect("valid");
    let mut frame = Vec::new();
    codec::encode_message(Format::Protobuf, &envelope, &message, &mut frame).expect("short");
    let parts = [&[kind as u8, 1], &frame[8..]];
    seed("codec_agreement", "null-lists-protobuf", &parts);
}

/// Any bytes are a script. Small numbers are the ones that mean something.
fn scripts() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    for target in ["dialogue", "part_loop", "driver_loop"] {
        for number in 0..40 {
            let script: Vec<u8> = (0..20 + 12 * number)
                .map(|_| match random() % 4 {
                    0 => random(),
                    1 => 1,
                    2 => 0,
                    _ => random() % 32,
                })
                .collect();
            seed(target, &format!("{number:02}"), &[&script]);
        }
    }
}

fn log_lines() {
    for (number, row) in json_lines("data/logs.jsonl").iter().enumerate() {
        let payload = row["payload"].as_str().expect("a payload").as_bytes();
        let name = format!("{number:02}");
        let profile = row["dir"] == "parent->child";
        seed(
            "log_lines",
            &name,
            &[&[if profile { 2 } else { 0 }], payload],
        );
        if !profile && let Ok(read) = line::decode(Format::Json, payload) {
            let mut frame = Vec::new();
            line::encode(Format::Protobuf, &read, &mut frame).expect("a short line");
            seed(
                "log_lines",
                &format!("{name}-protobuf"),
                &[&[1], &frame[4..]],
            );
        }
    }
    let patterns = [
        "*:INFO\n",
        "arwen:TRACE,arwen/host:debug",
        "*:ERROR\narwen:NONE\nhost:WARN,:INFO",
        "a:b:INFO\n,",
    ];
    for (number, text) in patterns.iter().enumerate() {
        seed(
            "log_lines",
            &format!("patterns-{number}"),
            &[&[3], text.as_bytes()],
        );
    }
}

fn scenario_files() -> Vec<PathBuf> {
    let folders = ["scenarios", "scenarios/steps"];
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(project().join("tests").join(folder)).expect("a folder");
        files.extend(entries.map(|entry| entry.expect("readable").path()));
    }
    files.retain(|path| path.is_file());
    files
}

fn scenarios() {
    for path in scenario_files() {
        let name = path.file_name().expect("a file").to_string_lossy();
        // Files that are named are not there, and the target does not go to other folders.
        let text = fs::read_to_string(&path).expect("text").replace("../", "");
        seed(
            "scenario_parser",
            &name,
            &[text.replace("file:", "``file:").as_bytes()],
        );
    }
    let values = [
        "",
        "true",
        "0x0102",
        "0b1",
        "-1_000",
        "+255",
        "``abc|5|''x",
        "keccak256:keccak256:1|2",
        "file:x.wasm",
        "0xg",
        "+-5",
    ];
    for (number, value) in values.iter().enumerate() {
        seed(
            "scenario_parser",
            &format!("value-{number:02}"),
            &[value.as_bytes()],
        );
    }
    seed("scenario_parser", "old", &[OLD_TEST.as_bytes()]);
}

/// The names of members, and what else stands between them.
fn dictionaries() {
    let rows = recorded();
    let logs = json_lines("data/logs.jsonl");
    let payloads = logs.iter().filter_map(|row| row["payload"].as_str());
    let texts = rows.iter().map(|row| row.2.as_str()).chain(payloads);
    let mut names = BTreeSet::new();
    for value in texts.filter_map(|text| serde_json::from_str(text).ok()) {
        member_names(&value, &mut names);
    }
    // Keys of maps are there as well, and most of them are in small letters or no text.
    names.retain(|name| name.starts_with(|first: char| first.is_ascii_uppercase()));
    names.retain(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let json = [
        "null",
        "true",
        "{}",
        "[]",
        "\"\"",
        "\\ufffd",
        "\\ud800",
        "-1",
        "18446744073709551615",
        "1e5",
        "==",
    ];
    dictionary("json", names, &json);

    let mut names = BTreeSet::new();
    for path in scenario_files() {
        let text = fs::read_to_string(path).expect("text");
        member_names(
            &serde_json::from_str(&text).expect("also plain JSON"),
            &mut names,
        );
    }
    names.retain(|name| name.chars().all(|letter| letter.is_ascii_alphabetic()));
    let values = [
        "``",
        "''",
        "0x",
        "0b",
        "keccak256:",
        "file:",
        "true",
        "false",
        "|",
        "_",
        "*",
        "+",
        "-",
        "{}",
        "[]",
    ];
    let steps = [
        "setState",
        "checkState",
        "scDeploy",
        "scCall",
        "transfer",
        "validatorReward",
        "externalSteps",
    ];
    dictionary("scenario", names, &[&values[..], &steps].concat());
}

fn member_names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(elements) => elements
            .iter()
            .for_each(|element| member_names(element, names)),
        Value::Object(members) => {
            for (name, value) in members {
                names.insert(name.clone());
                // A gas schedule has hundreds.
                if name != "GasSchedule" {
                    member_names(value, names);
                }
            }
        }
        _ => {}
    }
}

fn dictionary(name: &str, names: BTreeSet<String>, others: &[&str]) {
    let names = names.iter().map(|name| format!("\"{name}\":"));
    let mut text = String::new();
    for word in names.chain(others.iter().map(|word| (*word).to_owned())) {
        let escaped = word.replace('\\', "\\\\").replace('"', "\\\"");
        text.push_str(&format!("\"{escaped}\"\n"));
    }
    let file = project()
        .join("fuzz/options")
        .join(name)
        .with_extension("dict");
    fs::write(file, text).expect("writable");
}

/// A file of the old format.
const OLD_TEST: &str = r#"{"t": {"checkGas": false, "pre": {}, "blocks": [{"results": [{"out": ["5"], "status": "",
"logs": "*", "gas": "*", "refund": "*"}], "transactions": [{"nonce": "0", "function": "f", "from": "''user____________________________",
"to": "''contract________________________", "value": "0", "arguments": ["0x05"], "gasLimit": "100", "gasPrice": "0", "contractCode": ""}],
"blockHeader": {"gasLimit": "1", "number": "2", "difficulty": "3", "timestamp": "4", "coinbase": "5"}}], "network": "x", "blockHashes": ["1"], "postState": {}}}"#;
