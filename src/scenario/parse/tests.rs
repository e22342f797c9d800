use super::*;
use crate::scenario::files::Files;
use crate::scenario::model::Expected;
use crate::scenario::world::{BlockInfo, NewAddress};
use bytes::Bytes;
use num_bigint::{BigInt, BigUint};
use std::collections::BTreeMap;

const A: &str = "''a_______________________________";

fn read<T>(text: impl AsRef<[u8]>, read: impl FnOnce(Reader<'_>, &Value) -> Result<T, Fault>) -> T {
    try_read(text, read).expect("valid")
}

fn try_read<T>(
    text: impl AsRef<[u8]>,
    read: impl FnOnce(Reader<'_>, &Value) -> Result<T, Fault>,
) -> Result<T, String> {
    let replacements = BTreeMap::new();
    let files = Files::new(&replacements);
    let reader = Reader {
        files: &files,
        protected_prefix: DEFAULT_PROTECTED_PREFIX,
    };
    let value = json::parse(&with_address(text.as_ref())).expect("JSON");
    read(reader, &value).map_err(|fault| fault.in_file(Path::new("f")).to_string())
}

/// The text, with an address for each `ADDRESS`.
fn with_address(text: &[u8]) -> Vec<u8> {
    let mut rest = text;
    let mut all = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        (all, rest) = match rest.strip_prefix(b"ADDRESS") {
            Some(behind) => ([&all, A.as_bytes()].concat(), behind),
            None => ([&all, &[*first][..]].concat(), behind),
        };
    }
    all
}

fn step(text: &str) -> Step {
    read(text, |reader, value| reader.step(value))
}

/// The error of a step.
fn fault(text: &str) -> String {
    try_read(text, |reader, value| reader.step(value)).expect_err(text)
}

fn scenario_fault(text: &str) -> String {
    try_read(text, |reader, value| reader.scenario(value)).expect_err(text)
}

#[test]
fn scenarios_check_gas_unless_they_say_otherwise() {
    let scenario = |text| read(text, |reader, value| reader.scenario(value));
    assert!(scenario("{}").checks_gas);
    assert!(
        !scenario(r#"{"name": "n", "comment": "c", "checkGas": false, "steps": []}"#).checks_gas
    );
    for (text, expected) in [
        ("[]", "f: not a map"),
        (r#"{"checkGas": "true"}"#, "f: checkGas: not a boolean"),
        (r#"{"name": true}"#, "f: name: not a string"),
        (r#"{"steps": {}}"#, "f: steps: not a list"),
        (r#"{"gasSchedule": "v3"}"#, "f: gasSchedule: unknown field"),
        (
            r#"{"steps": [{"step": "setState"}, []]}"#,
            "f: steps[1]: not a map",
        ),
        (
            r#"{"steps": [{"step": "setState", "accounts": {"ADDRESS": {"balance": "x"}}}]}"#,
            "f: steps[0].accounts.''a_______________________________.balance: \
             `x`: could not parse base 10 value: x",
        ),
    ] {
        assert_eq!(scenario_fault(text), expected);
    }
}

#[test]
fn steps_have_a_known_type() {
    for (text, expected) in [
        ("{}", "f: no step type field provided"),
        (r#"{"step": ""}"#, "f: no step type field provided"),
        (r#"{"step": []}"#, "f: step: not a string"),
        (r#"{"step": "scQuery"}"#, "f: unknown step type: scQuery"),
        (
            r#"{"step": "externalSteps", "comment": ""}"#,
            "f: comment: unknown field",
        ),
    ] {
        assert_eq!(fault(text), expected);
    }
    let external = r#"{"path": "a.steps.json", "step": "externalSteps"}"#;
    assert_eq!(step(external), Step::External("a.steps.json".into()));
}

#[test]
fn a_set_state_is_evaluated() {
    let text = r#"{"step": "setState", "comment": "c",
        "accounts": {"ADDRESS": {
            "comment": "c", "nonce": "0x10", "balance": "-1", "code": "''w", "asyncCallData": "``d",
            "storage": {"1": "2", "0x01": "''KALYAN3104", "''KALYAN3104x": ""}}},
        "newAddresses": [{"creatorAddress": "ADDRESS", "creatorNonce": "2", "newAddress": "keccak256:"}],
        "previousBlockInfo": {"blockTimestamp": "1", "blockNonce": "2", "blockRound": "3", "blockEpoch": "0x100000004"},
        "blockHashes": ["1", ""]}"#;
    let Step::SetState(state) = step(text) else {
        panic!("a setState");
    };
    let (address, account) = &state.accounts[0];
    assert_eq!(address, A.trim_start_matches('\'').as_bytes());
    assert_eq!((account.nonce, &account.balance), (16, &BigInt::from(255)));
    // Not an expression.
    assert_eq!(account.async_call_data, "``d");
    let storage = [("\u{1}", "KALYAN3104"), ("KALYAN3104x", "")];
    let storage = storage.map(|(key, value)| (Bytes::from(key), Bytes::from(value)));
    assert_eq!(account.storage, BTreeMap::from(storage));
    let block = BlockInfo {
        time_stamp: 1,
        nonce: 2,
        round: 3,
        epoch: 4,
    };
    assert_eq!(
        (state.previous_block, state.current_block),
        (block, BlockInfo::default())
    );
    assert_eq!(state.block_hashes, [Bytes::from("\u{1}"), Bytes::new()]);
    let [
        NewAddress {
            creator,
            creator_nonce: 2,
            address: new,
        },
    ] = &state.new_addresses[..]
    else {
        panic!("{:?}", state.new_addresses);
    };
    assert_eq!((creator, new.len()), (address, 32));
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let step = |text: &[u8]| read(text, |reader, value| reader.step(value));
    let text = b"{\"step\": \"setState\", \"comment\": \"\xff\", \"accounts\": {\"ADDRESS\": {
        \"balance\": \"''\xff\", \"asyncCallData\": \"\xfe\xc3\", \"storage\": {\"''\xfe|``\xff\": \"''\xff\xfe\"}}}}";
    let Step::SetState(state) = step(text) else {
        panic!("a setState");
    };
    let (_, account) = &state.accounts[0];
    assert_eq!(account.balance, BigInt::from(255));
    assert_eq!(account.async_call_data, &b"\xfe\xc3"[..]);
    let [key, value] = [&b"\xfe\xff"[..], b"\xff\xfe"].map(Bytes::from_static);
    assert_eq!(account.storage, BTreeMap::from([(key, value)]));

    // Fields that are text on the wire are converted as by Go; arguments are bytes on the wire.
    let text = b"{\"step\": \"scCall\", \"txId\": \"\xff\", \"tx\": {\"value\": \"0\", \"function\": \"f\xe2\x82\",
        \"arguments\": [\"''\xff\", \"1|``\xe2\x82\"]},
        \"expect\": {\"refund\": \"*\", \"message\": \"\xe2\x82\", \"out\": [\"``\xff\"]}}";
    let Step::Transaction(call) = step(text) else {
        panic!("a transaction");
    };
    assert_eq!(call.id, "\u{fffd}");
    assert_eq!(call.transaction.function, "f\u{fffd}\u{fffd}");
    let arguments = [&b"\xff"[..], b"\x01\xe2\x82"];
    assert_eq!(call.transaction.arguments, arguments);
    let expect = call.expect.expect("there");
    assert_eq!(expect.message, "\u{fffd}\u{fffd}");
    let out = Bytes::from_static(b"\xff");
    assert_eq!(expect.out, [Expected::Exactly(out)]);

    let external = step(b"{\"step\": \"externalSteps\", \"path\": \"\xff.steps.json\"}");
    let path = Bytes::from_static(b"\xff.steps.json");
    assert_eq!(external, Step::External(path));
}

#[test]
fn faults_name_what_is_not_utf8() {
    for (text, expected) in [
        (&b"{\"na\xffme\": \"n\"}"[..], "na\u{fffd}me: unknown field"),
        (b"{\"name\xff\": \"n\"}", "name\u{fffd}: unknown field"),
        (b"{\"steps\": [{\"step\": \"a\xff\"}]}", "steps[0]: unknown step type: a\u{fffd}"),
        (
            b"{\"steps\": [{\"step\": \"setState\", \"accounts\": {\"''\xfe\": {\"balance\": \"0\"}}}]}",
            "steps[0].accounts.''\u{fffd}: `''\u{fffd}`: 1 bytes instead of 32",
        ),
        (
            b"{\"steps\": [{\"step\": \"setState\", \"blockHashes\": [\"0x\xff\"]}]}",
            "steps[0].blockHashes[0]: `0x\u{fffd}`: could not parse hex value: 0x\u{fffd}",
        ),
    ] {
        let found = try_read(text, |reader, value| reader.scenario(value));
        assert_eq!(found.expect_err(expected), format!("f: {expected}"));
    }
    let found = try_read(b"{\"t\xff\": {}}", |reader, value| reader.old_tests(value));
    let expected = "f: t\u{fffd}: missing field `postState`";
    assert_eq!(found.expect_err(expected), expected);
}

#[test]
fn bad_states_are_refused() {
    for (fields, expected) in [
        (
            r#""accounts": {"": {"balance": "0"}}"#,
            "accounts: missing account address",
        ),
        (
            r#""accounts": {"0x01": {"balance": "0"}}"#,
            "accounts.0x01: `0x01`: 1 bytes instead of 32",
        ),
        (
            r#""accounts": {"ADDRESS": {}}"#,
            "accounts.''a_______________________________: missing field `balance`",
        ),
        (
            r#""accounts": {"ADDRESS": {"balance": "0", "username": "1"}}"#,
            "accounts.''a_______________________________.username: unknown field",
        ),
        (
            r#""accounts": {"ADDRESS": {"balance": "0", "nonce": "0x010000000000000000"}}"#,
            "accounts.''a_______________________________.nonce: \
             `0x010000000000000000`: 18446744073709551616 is not uint64",
        ),
        (
            r#""accounts": {"ADDRESS": {"balance": "0", "storage": "*"}}"#,
            "accounts.''a_______________________________.storage: not a map",
        ),
        (
            r#""currentBlockInfo": {"blockRandomSeed": ""}"#,
            "currentBlockInfo.blockRandomSeed: unknown field",
        ),
        (r#""blockhashes": []"#, "blockhashes: unknown field"),
        (
            r#""newAddresses": [{"newAddress": ""}]"#,
            "newAddresses[0].newAddress: missing account address",
        ),
    ] {
        let text = format!(r#"{{"step": "setState", {fields}}}"#);
        assert_eq!(fault(&text), format!("f: {expected}"));
    }
}

#[test]
fn checks_of_accounts_have_stars_and_defaults() {
    let text = r#"{"step": "checkState", "comment": "c", "accounts": {"+": "anything",
        "ADDRESS": {"balance": "*"},
        "keccak256:": {"balance": "1", "nonce": "*", "storage": "*", "code": "*", "asyncCallData": "*"}}}"#;
    let Step::CheckState(check) = step(text) else {
        panic!("a checkState");
    };
    assert!(check.others_allowed);
    let [(_, first), (_, second)] = &check.accounts[..] else {
        panic!("{:?}", check.accounts);
    };
    assert_eq!(first.nonce, Expected::Exactly(0));
    assert_eq!(first.balance, Expected::Anything);
    assert_eq!(first.storage, Expected::Exactly(vec![]));
    assert_eq!(first.code, Expected::Exactly(Bytes::new()));
    assert_eq!(second.nonce, Expected::Anything);
    assert_eq!(second.balance, Expected::Exactly(BigUint::from(1u8)));
    assert_eq!(second.storage, Expected::Anything);
    assert_eq!(second.code, Expected::Anything);
    // `*` has no special meaning here.
    assert_eq!(second.async_call_data, "*");
    let expected = "f: missing field `accounts`";
    assert_eq!(fault(r#"{"step": "checkState"}"#), expected);
    let none = r#"{"step": "checkState", "accounts": {"ADDRESS": {"nonce": "1"}}}"#;
    let expected = "f: accounts.''a_______________________________: missing field `balance`";
    assert_eq!(fault(none), expected);
}

#[test]
fn every_kind_of_transaction_has_its_fields() {
    let deploy = r#"{"step": "scDeploy", "tx": {"to": "", "function": "", "value": "0", "contractCode": "''w"}}"#;
    let Step::Transaction(deploy) = step(deploy) else {
        panic!("a transaction");
    };
    assert_eq!(deploy.transaction.code, "w");
    assert_eq!(deploy.expect, None);
    for (kind, field, allowed) in [
        ("scDeploy", r#""to": "ADDRESS""#, false),
        ("scDeploy", r#""function": "f""#, false),
        ("scDeploy", r#""arguments": ["1"]"#, true),
        ("scCall", r#""contractCode": "1""#, false),
        ("scCall", r#""contractCode": """#, true),
        ("scCall", r#""function": "f""#, true),
        ("transfer", r#""function": "f""#, false),
        ("transfer", r#""arguments": ["1"]"#, false),
        ("transfer", r#""arguments": []"#, true),
        ("validatorReward", r#""from": "ADDRESS""#, false),
        ("validatorReward", r#""function": "f""#, true),
        (
            "scCall",
            r#""nonce": "7", "gasPrice": "1", "gasLimit": "1""#,
            true,
        ),
    ] {
        let text = format!(r#"{{"step": "{kind}", "tx": {{"value": "0", {field}}}}}"#);
        match allowed {
            true => drop(step(&text)),
            false => {
                let found = fault(&text);
                let expected = format!(": not allowed in a step of type {kind}");
                assert!(found.ends_with(&expected), "{text}: {found}");
            }
        }
    }
}

#[test]
fn bad_transactions_are_refused() {
    let valid = r#"{"value": "0"}"#;
    for (kind, fields, expected) in [
        ("scCall", String::new(), "missing field `tx`"),
        (
            "scCall",
            r#", "tx": {"gasLimit": "1"}"#.to_owned(),
            "tx: missing field `value`",
        ),
        (
            "scCall",
            r#", "tx": {"gas": "1"}"#.to_owned(),
            "tx.gas: unknown field",
        ),
        (
            "scCall",
            r#", "tx": {"to": ""}"#.to_owned(),
            "tx.to: missing account address",
        ),
        (
            "scCall",
            format!(r#", "tx": {valid}, "txid": """#),
            "txid: unknown field",
        ),
        (
            "scCall",
            format!(r#", "expect": {{"refund": "*"}}, "tx": {valid}"#),
            "expect: `expect` must come after `tx`",
        ),
        (
            "scCall",
            format!(r#", "tx": {valid}, "expect": {{}}"#),
            "expect: missing field `refund`",
        ),
        (
            "transfer",
            format!(r#", "tx": {valid}, "expect": {{"refund": "*"}}"#),
            "expect: not allowed in a step of type transfer",
        ),
        (
            "scCall",
            format!(
                r#", "tx": {valid}, "expect": {{"refund": "*", "logs": [{{"identifier": "1"}}]}}"#
            ),
            "expect.logs[0].identifier: `1`: 1 bytes instead of 32",
        ),
        (
            "scCall",
            format!(r#", "tx": {valid}, "expect": {{"refund": "*", "logs": true}}"#),
            "expect.logs: not a list",
        ),
        (
            "scCall",
            format!(r#", "tx": {valid}, "expect": {{"refund": "*", "out": ["1", "u8:1"]}}"#),
            "expect.out[1]: `u8:1`: could not parse base 10 value: u8:1",
        ),
    ] {
        let text = format!(r#"{{"step": "{kind}"{fields}}}"#);
        assert_eq!(fault(&text), format!("f: {expected}"));
    }
}

#[test]
fn expected_results_have_stars_and_defaults() {
    let result = |text| read(text, |reader, value| reader.expected_result(value));
    let least = result(r#"{"refund": "*"}"#);
    assert_eq!(least.status, BigInt::from(0));
    assert_eq!(least.gas, Expected::Exactly(0));
    assert_eq!(least.logs, Expected::Exactly(vec![]));
    let most = result(
        r#"{"refund": "5", "status": "0xff", "out": ["*", "``*"], "gas": "*", "message": "``m", "logs": "*"}"#,
    );
    assert_eq!(most.refund, Expected::Exactly(BigUint::from(5u8)));
    assert_eq!(most.status, BigInt::from(-1));
    assert_eq!(
        most.out,
        [Expected::Anything, Expected::Exactly(Bytes::from("*"))]
    );
    assert_eq!(
        (most.gas, most.message.as_str()),
        (Expected::Anything, "``m")
    );
    assert_eq!(most.logs, Expected::Anything);
    // A hash of the logs is not checked, but means that no logs are expected.
    let hashed = result(r#"{"refund": "*", "logs": "0x1234"}"#);
    assert_eq!(hashed.logs, Expected::Exactly(vec![]));
    // Fields left out are empty, even those that can't be written as empty.
    let logs = result(r#"{"refund": "*", "logs": [{"topics": ["1"]}]}"#).logs;
    let Expected::Exactly(logs) = logs else {
        panic!("a list");
    };
    assert!(logs[0].identifier.is_empty() && logs[0].address.is_empty());
}

#[test]
fn old_tests_pair_transactions_with_results() {
    let fault = |text| {
        let read = |reader: Reader<'_>, value: &Value| reader.old_tests(value);
        try_read(text, read).expect_err(text)
    };
    for (text, expected) in [
        (r#"{"t": {}}"#, "f: t: missing field `postState`"),
        (r#"{"t": {"name": ""}}"#, "f: t.name: unknown field"),
        (
            r#"{"t": {"blocks": [{"results": [{"refund": "*"}]}]}}"#,
            "f: t.blocks[0]: 1 results for 0 transactions",
        ),
        (
            r#"{"t": {"blocks": [{"blockHeader": {"gaslimit": "1"}}]}}"#,
            "f: t.blocks[0].blockHeader.gaslimit: unknown field",
        ),
        (
            r#"{"t": {"blocks": [{"transactions": [{"to": "", "value": "1", "function": "f"}]}]}}"#,
            "f: t.blocks[0].transactions[0].function: not allowed in a step of type scDeploy",
        ),
    ] {
        assert_eq!(fault(text), expected);
    }
}

#[test]
fn a_file_names_itself_in_its_faults() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.scen.json");
    let replacements = BTreeMap::new();
    let files = Files::new(&replacements);
    let reader = Reader {
        files: &files,
        protected_prefix: DEFAULT_PROTECTED_PREFIX,
    };
    let fault = |contents: &[u8]| {
        std::fs::write(&file, contents).expect("writable");
        let error = scenario(&file, reader).expect_err("no scenario");
        error.to_string().replace(&file.display().to_string(), "f")
    };
    assert_eq!(
        fault(b"{\"name\": 1}"),
        "f: line 1, column 10: Invalid value: 1"
    );
}
