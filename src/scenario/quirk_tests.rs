//! Quirks of scenarios (docs/spec/README.md#quirks-scenarios). The last one is about files that are not ours.

use super::fixtures::{SETTINGS, failure, run, run_steps, run_text};
use super::run::Runner;
use super::world::Leftovers;
use std::fs;
use std::path::{Path, PathBuf};

/// `a` has 1000; `c` is a contract.
const STATE: &str = r#"{"step": "setState", "accounts": {
    "''a_______________________________": {"balance": "1000"},
    "''c_______________________________": {"balance": "0", "code": "''wasm"}
}}"#;

/// A call by `a` of a function of `c`, which costs 20, leaves 5 and refunds 7.
fn call(function: &str, arguments: &str, expect: &str) -> String {
    format!(
        r#"{{"step": "scCall", "txId": "t", "tx": {{
            "from": "''a_______________________________", "to": "''c_______________________________",
            "value": "0", "function": "{function}", "arguments": [{arguments}], "gasLimit": "10", "gasPrice": "2"
        }}, "expect": {{"gas": "5", "refund": "7", {expect}}}}}"#
    )
}

fn outcome(steps: &[&str]) -> String {
    failure(&run_steps(&steps.join(",")))
}

/// The error of a file, without its name.
fn fault(steps: &str) -> String {
    let found = outcome(&[steps]);
    found
        .strip_prefix("test.scen.json: ")
        .expect("it failed")
        .to_owned()
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::create_dir_all(file.parent().expect("a folder")).expect("writable");
    fs::write(&file, text).expect("writable");
    file
}

#[test]
fn quirk_41_included_files_leave_their_folder_and_whether_gas_is_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let wrong_gas = call("echo", "", r#""logs": "*""#).replace("\"5\"", "\"6\"");
    write(
        folder.path(),
        "in/state.steps.json",
        &format!(r#"{{"checkGas": false, "steps": [{STATE}]}}"#),
    );
    write(
        folder.path(),
        "in/call.steps.json",
        &format!(r#"{{"checkGas": false, "steps": [{wrong_gas}]}}"#),
    );
    let include = |path: &str| format!(r#"{{"step": "externalSteps", "path": "{path}"}}"#);
    let scenario = |steps: &[&str]| {
        let text = format!(r#"{{"steps": [{}]}}"#, steps.join(","));
        failure(&run(&write(folder.path(), "x.scen.json", &text), SETTINGS))
    };
    let state = include("in/state.steps.json");
    assert_eq!(
        scenario(&[&state, &include("call.steps.json"), &wrong_gas]),
        "passed"
    );
    let found = scenario(&[&state, &include("in/call.steps.json")]);
    assert!(found.starts_with("in/in/call.steps.json: "), "{found}");
    let found = scenario(&[STATE, &wrong_gas]);
    assert!(found.contains("gas\n  expected: 6"), "{found}");
}

#[test]
fn quirk_42_a_reset_keeps_blocks_and_addresses_and_set_state_clears_blocks() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = |name: &str, steps: &[&str]| {
        write(
            folder.path(),
            name,
            &format!(r#"{{"steps": [{}]}}"#, steps.join(",")),
        )
    };
    let blocks = r#"{"step": "setState", "blockHashes": ["0xaa"], "previousBlockInfo": {"blockNonce": "1"},
        "currentBlockInfo": {"blockNonce": "2"}, "newAddresses": [{"creatorNonce": "1",
            "creatorAddress": "''a_______________________________",
            "newAddress": "''d_______________________________"}]}"#;
    let deploy = r#"{"step": "scDeploy", "tx": {
        "from": "''a_______________________________", "value": "0", "contractCode": "''c"}},
        {"step": "checkState", "accounts": {"+": "",
            "''d_______________________________": {"balance": "0", "code": "''c"}}}"#;
    // The deploy is the second transaction of `a`.
    let first = scenario("1", &[blocks]);
    // Accounts and hashes are reset. What is kept is replaced by the first setState, except the address.
    let second = scenario("2", &[r#"{"step": "checkState", "accounts": {}}"#]);
    let third = scenario(
        "3",
        &[STATE, &call("blocks", "", r#""out": ["", ""]"#), deploy],
    );
    let mut runner = Runner::new(SETTINGS);
    let (report, leftovers) = runner.run(&first, Leftovers::default());
    assert_eq!(failure(&report), "passed");
    let (report, leftovers) = runner.run(&second, leftovers);
    assert_eq!(failure(&report), "passed");
    assert_eq!(
        (
            leftovers.previous_block.nonce,
            leftovers.current_block.nonce
        ),
        (1, 2)
    );
    assert_eq!(leftovers.new_addresses.len(), 1);
    let (report, leftovers) = runner.run(&third, leftovers);
    assert_eq!(failure(&report), "passed");
    assert_eq!(
        (
            leftovers.previous_block.nonce,
            leftovers.current_block.nonce
        ),
        (0, 0)
    );
}

#[test]
fn quirk_43_there_are_no_escapes_and_some_fields_must_be_there() {
    // A backslash and an n; a quote after a backslash does not end a string.
    let echo = call(
        "echo",
        r#""''\n", "''\"""#,
        r#""out": ["0x5c6e", "0x5c22"]"#,
    );
    assert_eq!(outcome(&[STATE, &echo]), "passed");
    let tx = r#""tx": {"from": "''a_______________________________",
        "to": "''c_______________________________", "value": "0"}"#;
    let step = |fields: &str| format!(r#"{{"step": "scCall", {fields}}}"#);
    let state = |account: &str| {
        format!(
            r#"{{"step": "setState", "accounts": {{"''a_______________________________": {{{account}}}}}}}"#
        )
    };
    // The reference crashes on all of these.
    for (step, expected) in [
        (
            step(&format!(r#""expect": {{"refund": "*"}}, {tx}"#)),
            "`expect` must come after `tx`",
        ),
        (
            step(&format!(r#"{tx}, "expect": {{"gas": "*"}}"#)),
            "missing field `refund`",
        ),
        (
            step(&tx.replace(r#", "value": "0""#, "")),
            "missing field `value`",
        ),
        (state(r#""nonce": "1""#), "missing field `balance`"),
        (
            state("").replace("setState", "checkState"),
            "missing field `balance`",
        ),
    ] {
        let found = fault(&step);
        assert!(found.ends_with(expected), "{found}");
    }
}

#[test]
fn quirk_44_only_decimal_and_binary_numbers_may_be_grouped() {
    let echo = call(
        "echo",
        r#""1_0,0", "0b11_0", "0x10""#,
        r#""out": ["100", "6", "16"]"#,
    );
    assert_eq!(outcome(&[STATE, &echo]), "passed");
    for number in ["0x1_0", "0x1,0"] {
        let found = fault(&call("echo", &format!("\"{number}\""), r#""out": []"#));
        assert!(
            found.ends_with(&format!("could not parse hex value: {number}")),
            "{found}"
        );
    }
}

/// Only the VM asks for these.
#[cfg(feature = "vm")]
#[test]
fn quirk_45_nobody_is_a_contract_or_in_another_shard_or_has_an_owner() {
    let code = wat::parse_str(
        r#"(module
            (import "env" "isSmartContract" (func $contract (param i32) (result i32)))
            (import "env" "getShardOfAddress" (func $shard (param i32) (result i32)))
            (import "env" "getOwnerAddress" (func $owner (param i32)))
            (import "env" "getSCAddress" (func $self (param i32)))
            (import "env" "int64finish" (func $number (param i64)))
            (import "env" "finish" (func $finish (param i32 i32)))
            (memory (export "memory") 1) (data (i32.const 100) "nobody")
            (func (export "f")
                (call $self (i32.const 0))
                (call $number (i64.extend_i32_s (call $contract (i32.const 0))))
                (call $number (i64.extend_i32_s (call $shard (i32.const 0))))
                (call $owner (i32.const 100)) (call $finish (i32.const 100) (i32.const 6))))"#,
    );
    let code = crate::escape::hex(&code.expect("valid text"));
    let state = STATE.replace("''wasm", &code);
    let asks = r#"{"step": "scCall", "tx": {
        "from": "''a_______________________________", "to": "''c_______________________________",
        "value": "0", "function": "f", "gasLimit": "1000", "gasPrice": "0"
    }, "expect": {"gas": "*", "refund": "0", "out": ["0", "0", "''nobody"]}}"#;
    let folder = tempfile::tempdir().expect("a folder");
    let file = write(
        folder.path(),
        "x",
        &format!(r#"{{"steps": [{state}, {asks}]}}"#),
    );
    let schedule = crate::gas_schedule::flat_gas_schedule(1, 100_000);
    let settings = super::Settings {
        gas_schedule: &schedule,
        machines: &super::in_process,
        recorded: None,
        ..SETTINGS
    };
    assert_eq!(failure(&run(&file, settings)), "passed");
}

#[test]
fn quirk_46_accounts_that_are_looked_at_are_created() {
    let looks = call(
        "look_at",
        r#""''n_______________________________""#,
        r#""logs": "*""#,
    );
    let check = |more: &str| {
        format!(
            r#"{{"step": "checkState", "accounts": {{
                "''a_______________________________": {{"nonce": "1", "balance": "980"}},
                "''c_______________________________": {{"balance": "0", "code": "*"}} {more}}}}}"#
        )
    };
    let new = r#", "''n_______________________________": {"balance": "0"}"#;
    assert_eq!(outcome(&[STATE, &looks, &check(new)]), "passed");
    assert!(outcome(&[STATE, &looks, &check("")]).contains("not listed"));
    // An account that was never accessed.
    let not_there = outcome(&[STATE, &call("echo", "", r#""logs": "*""#), &check(new)]);
    assert_ne!(not_there, "passed");
}

#[test]
fn quirk_47_logs_are_compared_as_numbers_or_not_at_all() {
    let identifier = "''identifier______________________";
    let entry = |fields: &str| {
        format!(r#""logs": [{{"address": "''c_______________________________", {fields}}}]"#)
    };
    let logs = |arguments: &str, expect: &str| outcome(&[STATE, &call("log", arguments, expect)]);
    let emitted = format!(r#""{identifier}", "0x0005""#);
    let expected = |data: &str| {
        entry(&format!(
            r#""identifier": "{identifier}", "topics": [], "data": "{data}""#
        ))
    };
    for (data, passes) in [
        ("5", true),
        ("0x000005", true),
        ("6", false),
        ("0x0500", false),
    ] {
        let found = logs(&emitted, &expected(data));
        assert_eq!(found == "passed", passes, "{data}: {found}");
    }
    // An event without topics has no identifier, but an identifier in a list has 32 bytes.
    let short = fault(&call(
        "log",
        r#""", """#,
        &entry(r#""identifier": "1", "topics": [], "data": """#),
    ));
    assert!(short.ends_with("1 bytes instead of 32"), "{short}");
    // A hash of events is not compared with them, but there must be none.
    let echo = call("echo", "", r#""logs": "0x1234""#);
    assert_eq!(outcome(&[STATE, &echo]), "passed");
    assert_ne!(logs(&emitted, r#""logs": "0x1234""#), "passed");
}

#[test]
fn quirk_48_gas_that_is_left_is_not_paid_back() {
    // 10 units at a price of 2; the 5 units left and 7 refunded make no difference.
    let after = r#"{"step": "checkState", "accounts": {"+": "",
        "''a_______________________________": {"nonce": "1", "balance": "980"}}}"#;
    assert_eq!(
        outcome(&[STATE, &call("echo", "", r#""out": []"#), after]),
        "passed"
    );
    let report = run_text(
        &format!(
            r#"{{"steps": [{STATE}, {}]}}"#,
            call("echo", "", r#""out": []"#)
        ),
        "x",
    );
    let transaction = &report.transactions[0];
    assert_eq!(
        (transaction.gas_remaining, transaction.refund.to_string()),
        (5, "7".to_owned())
    );
}
