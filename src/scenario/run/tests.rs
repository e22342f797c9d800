use super::super::fixtures::{SETTINGS, failure, run, run_steps, run_text, scripted};
use super::*;

/// `a` has 1000 and nonce 3; `c` is a contract.
const STATE: &str = r#"{"step": "setState", "accounts": {
    "''a_______________________________": {"nonce": "3", "balance": "1000"},
    "''c_______________________________": {"balance": "0", "code": "''wasm", "storage": {"''k": "5"}}
}}"#;

/// A call by `a` of a function of `c`, which costs 20.
fn call(function: &str, arguments: &str, value: &str, expect: &str) -> String {
    format!(
        r#"{{"step": "scCall", "txId": "t", "tx": {{
            "from": "''a_______________________________", "to": "''c_______________________________",
            "value": "{value}", "function": "{function}", "arguments": [{arguments}],
            "gasLimit": "10", "gasPrice": "2"
        }} {expect}}}"#
    )
}

/// The expected result with the fixtures, unless a test overrides it.
fn expect(fields: &str) -> String {
    format!(r#", "expect": {{"gas": "5", "refund": "7" {fields}}}"#)
}

fn check(accounts: &str) -> String {
    format!(r#"{{"step": "checkState", "accounts": {{{accounts}}}}}"#)
}

fn a(nonce: u64, balance: u64) -> String {
    format!(
        r#""''a_______________________________": {{"nonce": "{nonce}", "balance": "{balance}"}}"#
    )
}

fn c(balance: u64, storage: &str) -> String {
    format!(
        r#""''c_______________________________": {{
            "balance": "{balance}", "code": "''wasm", "storage": {{{storage}}}}}"#
    )
}

fn outcome(steps: &[&str]) -> String {
    failure(&run_steps(&steps.join(",")))
}

#[test]
fn a_call_pays_for_gas_and_moves_the_value() {
    let steps = [
        STATE,
        &call(
            "echo",
            "\"1\", \"\"",
            "100",
            &expect(r#", "out": ["1", "*"]"#),
        ),
        &check(&format!("{}, {}", a(4, 880), c(100, "\"''k\": \"5\""))),
    ];
    assert_eq!(outcome(&steps), "passed");
    let wrong = check(&format!("{}, {}", a(4, 880), c(101, "\"''k\": \"5\"")));
    let found = outcome(&[steps[0], steps[1], &wrong]);
    assert!(found.ends_with("expected: 101\n       got: 100"), "{found}");
}

#[test]
fn the_machine_is_given_what_the_spec_says() {
    let out = r#", "out": ["0x0000", "10_000_000", "''KALYAN3104",
        "''a_______________________________", "10", "2"]"#;
    let steps = [STATE, &call("arguments", "", "0", &expect(out))];
    assert_eq!(outcome(&steps), "passed");
}

#[test]
fn a_failed_transaction_costs_gas_and_nonce_only() {
    let fails = call(
        "fail",
        "\"''no\"",
        "100",
        &expect(r#", "status": "4", "message": "no""#),
    );
    let after = check(&format!("{}, {}", a(4, 980), c(0, "\"''k\": \"5\"")));
    assert_eq!(outcome(&[STATE, &fails, &after]), "passed");
    // Without `expect` a failure is accepted.
    assert_eq!(
        outcome(&[STATE, &call("fail", "\"''no\"", "0", "")]),
        "passed"
    );
    let unexpected = outcome(&[STATE, &call("fail", "\"''no\"", "0", &expect(""))]);
    assert_eq!(
        unexpected,
        "test.scen.json: steps[1] (scCall t): status\n  expected: 0\n       got: 4 (no)"
    );
}

#[test]
fn without_funds_the_machine_is_not_asked() {
    let poor = r#", "expect": {"status": "7", "refund": "0", "gas": "0"}"#;
    // 1000 - 20 for gas
    let after = check(&format!("{}, {}", a(4, 980), c(0, "\"''k\": \"5\"")));
    let steps = [STATE, &call("panic", "", "981", poor), &after];
    assert_eq!(outcome(&steps), "passed");
    let all = call("echo", "", "980", &expect(""));
    let after = check(&format!("{}, {}", a(4, 0), c(980, "\"''k\": \"5\"")));
    assert_eq!(outcome(&[STATE, &all, &after]), "passed");
}

#[test]
fn gas_that_can_not_be_paid_is_an_error_of_the_scenario() {
    let costly = call("echo", "", "0", "").replace("\"10\"", "\"501\"");
    assert_eq!(
        outcome(&[STATE, &costly]),
        "test.scen.json: steps[1] (scCall t): Could not set up tx t: \
         not enough balance to pay gas upfront: 1000 instead of 1002"
    );
}

#[test]
fn senders_and_recipients_must_exist() {
    let from_nobody = call("echo", "", "0", "").replace("\"''a_", "\"''b_");
    let found = outcome(&[STATE, &from_nobody]);
    let expected = "Could not set up tx t: the sender 0x625f5f";
    assert!(found.contains(expected), "{found}");
    let to_nobody = call("echo", "", "0", "").replace("\"''c_", "\"''b_");
    let found = outcome(&[STATE, &to_nobody]);
    assert!(found.ends_with("5f5f) does not exist"), "{found}");
    let to_person = call("echo", "", "0", "").replace("\"''c_", "\"''a_");
    let found = outcome(&[STATE, &to_person]);
    assert!(found.ends_with("5f5f) is not a smart contract"), "{found}");
}

#[test]
fn faults_of_the_machine_are_errors_of_the_scenario() {
    for (function, expected) in [
        ("broken", "the VM failed: out of order"),
        ("panic", "the VM panicked: out of its mind"),
        (
            "mint",
            "sum of balance deltas should equal call value. Sum of balance deltas: 1. Call value: 0",
        ),
        ("forget_delta", "has no balance delta"),
    ] {
        let found = outcome(&[STATE, &call(function, "", "0", "")]);
        assert!(found.ends_with(expected), "{function}: {found}");
    }
}

#[test]
fn a_machine_that_panicked_is_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, function| {
        let file = folder.path().join(name);
        let steps = [STATE, &call(function, "", "0", "")].join(",");
        std::fs::write(&file, format!(r#"{{"steps": [{steps}]}}"#)).expect("writable");
        file
    };
    let (bad, good) = (write("bad", "panic"), write("good", "echo"));
    let built = std::sync::atomic::AtomicUsize::new(0);
    let machines = |arguments: &_, hook| {
        built.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        scripted(arguments, hook)
    };
    let mut runner = Runner::new(Settings {
        machines: &machines,
        ..SETTINGS
    });
    let mut passes = |file| runner.run(file, Leftovers::default()).0.failure.is_none();
    let passed = [passes(&good), passes(&good), passes(&bad), passes(&good)];
    assert_eq!(passed, [true, true, false, true]);
    assert_eq!(built.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[test]
fn effects_reach_the_world() {
    let storage = "\"''k\": \"\", \"''new\": \"0x00ff\"";
    let steps = [
        STATE,
        &call("store", "\"''k\", \"\", \"''new\", \"0x00ff\"", "0", ""),
        &call("send_data", "\"''call@01\"", "0", ""),
        &call("send_data", "\"\"", "0", ""),
        &call("raise_nonce", "", "0", ""),
        &call("load", "\"''new\"", "0", &expect(r#", "out": ["+255"]"#)),
        &check(&format!(
            r#"{}, "''c_______________________________": {{
                "nonce": "9", "balance": "0", "code": "''wasm", "asyncCallData": "call@01",
                "storage": {{{storage}}}}}"#,
            a(8, 900)
        )),
    ];
    assert_eq!(outcome(&steps), "passed");
}

#[test]
fn accounts_that_are_looked_at_come_to_exist() {
    let look = call("look_at", "\"''n_______________________________\"", "0", "");
    let known = format!("{}, {}", a(4, 980), c(0, "\"''k\": \"5\""));
    let found = outcome(&[STATE, &look, &check(&known)]);
    assert!(found.contains("not listed"), "{found}");
    let others = format!(r#"{known}, "+": """#);
    assert_eq!(outcome(&[STATE, &look, &check(&others)]), "passed");
    let new = r#""''n_______________________________": {"balance": "0"}"#;
    assert_eq!(
        outcome(&[STATE, &look, &check(&format!("{known}, {new}"))]),
        "passed"
    );
}

#[test]
fn a_deploy_uses_the_nonce_before_the_transaction() {
    let deploy = r#"{"step": "scDeploy", "txId": "d", "tx": {
        "from": "''a_______________________________", "value": "10", "contractCode": "''code",
        "arguments": ["1"], "gasLimit": "0", "gasPrice": "0"
    }, "expect": {"out": ["1"], "gas": "*", "refund": "*"}}"#;
    let named = STATE.replacen(
        r#""accounts""#,
        r#""newAddresses": [{"creatorAddress": "''a_______________________________",
            "creatorNonce": "3", "newAddress": "''d_______________________________"}], "accounts""#,
        1,
    );
    let deployed = check(
        r#""+": "", "''d_______________________________": {"balance": "10", "code": "''code"}"#,
    );
    assert_eq!(outcome(&[&named, deploy, &deployed]), "passed");
    let generated = check(
        r#""+": "", "0x00000000000000000000|0x11111111|''a______________|0x03|''__": {
            "balance": "10", "code": "*"}"#,
    );
    assert_eq!(outcome(&[STATE, deploy, &generated]), "passed");
}

#[test]
fn transfers_and_rewards_need_no_machine() {
    let transfer = r#"{"step": "transfer", "tx": {
        "from": "''a_______________________________", "to": "''n_______________________________",
        "value": "30", "gasLimit": "1", "gasPrice": "1"}}"#;
    let reward = |to: &str| {
        format!(
            r#"{{"step": "validatorReward", "tx": {{
                "to": "''{to}_______________________________", "value": "250"}}}}"#
        )
    };
    let after = check(&format!(
        r#"{}, {}, "''n_______________________________": {{"balance": "30"}}"#,
        a(4, 969),
        c(500, "\"''k\": \"5\", \"''KALYAN3104reward\": \"500\""),
    ));
    let rewarded = reward("c");
    let steps = [STATE, transfer, &rewarded, &rewarded, &after];
    let report = run_steps(&steps.join(","));
    assert_eq!(failure(&report), "passed");
    assert_eq!(report.transactions.len(), 3);
    assert!(report.transactions.iter().all(|tx| tx.hook_calls == 0));
    let found = outcome(&[STATE, &reward("n")]);
    assert!(found.ends_with("does not exist"), "{found}");
}

#[test]
fn another_protected_prefix_is_read_for_the_usual_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.scen.json");
    let reward = r#"{"step": "validatorReward", "tx": {
        "to": "''c_______________________________", "value": "250"}}"#;
    let load = call(
        "load",
        "\"''OTHERreward\"",
        "0",
        &expect(r#", "out": ["250"]"#),
    );
    // Values and arguments are not keys.
    let echo = call(
        "store",
        "\"1\", \"''KALYAN3104reward\"",
        "0",
        &expect(r#", "out": ["1", "''KALYAN3104reward"]"#),
    );
    let storage = "\"''KALYAN3104reward\": \"250\", \"1\": \"''KALYAN3104reward\", \"''k\": \"5\"";
    let state = check(&format!("{}, {}", a(5, 960), c(250, storage)));
    let steps = [STATE, reward, &load, &echo, &state].join(",");
    std::fs::write(&file, format!(r#"{{"steps": [{steps}]}}"#)).expect("writable");
    let other = Settings {
        protected_prefix: b"OTHER",
        ..SETTINGS
    };
    assert_eq!(failure(&run(&file, other)), "passed");
    let found = failure(&run(&file, SETTINGS));
    assert!(
        found.ends_with("expected: [0xfa 250]\n       got: [empty]"),
        "{found}"
    );
    let none = Settings {
        protected_prefix: b"",
        ..SETTINGS
    };
    let found = failure(&run(&file, none));
    let expected = "the VM can't be built: kalyan3104ProtectedKeyPrefix cannot be empty";
    assert!(found.ends_with(expected), "{found}");
}

#[test]
fn every_set_state_replaces_blocks_and_keeps_accounts() {
    let blocks = r#"{"step": "setState", "blockHashes": ["0xaa"],
        "previousBlockInfo": {"blockNonce": "1"}, "currentBlockInfo": {"blockNonce": "2"}}"#;
    let seen = |out: &str| {
        let out = format!(r#", "out": [{out}]"#);
        call("blocks", "", "0", &expect(&out))
    };
    let steps = [
        STATE,
        blocks,
        &seen(r#""1", "2", "0xaa""#),
        r#"{"step": "setState"}"#,
        &seen(r#""", """#),
        r#"{"step": "setState", "accounts": {"''c_______________________________": {"balance": "8"}}}"#,
        &check(&format!(
            r#"{}, "''c_______________________________": {{"balance": "8"}}"#,
            a(5, 960)
        )),
    ];
    assert_eq!(outcome(&steps), "passed");
}

#[test]
fn reports_list_transactions() {
    let steps = [
        STATE,
        &call("load", "\"''k\"", "0", ""),
        &call("fail", "\"''no\"", "0", ""),
    ];
    let transactions = run_steps(&steps.join(",")).transactions;
    let expected =
        [(0, "", 1), (4, "no", 0)].map(|(return_code, message, hook_calls)| TransactionReport {
            id: "t".to_owned(),
            return_code,
            message: message.to_owned(),
            reason: None,
            gas_remaining: 5,
            refund: 7u64.into(),
            hook_calls,
            run: None,
        });
    assert_eq!(transactions, expected);
}

#[test]
fn included_files_leave_their_folder_and_whether_gas_is_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("writable");
        std::fs::write(&file, text).expect("writable");
        file
    };
    let gas = call(
        "echo",
        "",
        "0",
        r#", "expect": {"gas": "99", "refund": "*"}"#,
    );
    write(
        "in/state.steps.json",
        &format!(r#"{{"checkGas": false, "steps": [{STATE}]}}"#),
    );
    // Resolved relative to the first included file.
    write("in/call.steps.json", &format!(r#"{{"steps": [{gas}]}}"#));
    let include = |path: &str| format!(r#"{{"step": "externalSteps", "path": "{path}"}}"#);
    let scenario = |steps: &[&str]| {
        let text = format!(r#"{{"steps": [{}]}}"#, steps.join(","));
        failure(&run(&write("x.scen.json", &text), SETTINGS))
    };
    let state = include("in/state.steps.json");
    // The scenario checks gas until it includes a file that doesn't.
    assert_eq!(scenario(&[&state, &gas]), "passed");
    let found = scenario(&[&state, &include("call.steps.json")]);
    assert_eq!(
        found,
        "in/call.steps.json: steps[0] (scCall t): gas\n  expected: 99\n       got: 5"
    );
    let found = scenario(&[&state, &include("in/call.steps.json")]);
    let expected = "in/in/call.steps.json: can't read ";
    assert!(found.starts_with(expected), "{found}");
    let found = scenario(&[&include("x.scen.json")]);
    let expected = "x.scen.json: steps[0] (externalSteps): more than 32 files include each other";
    assert!(found.starts_with(expected), "{found}");
}

#[test]
fn contract_files_can_be_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("x.scen.json");
    let code = folder.path().join("other.wasm");
    std::fs::write(&code, "wasm").expect("writable");
    let state = STATE.replace("\"''wasm\"", "\"file:gone/x.wasm\"");
    let after = check(&format!("{}, {}", a(3, 1000), c(0, "\"''k\": \"5\"")));
    let text = format!(r#"{{"steps": [{state}, {after}]}}"#);
    std::fs::write(&file, text).expect("writable");
    let replacements = BTreeMap::from([("gone/x.wasm".to_owned(), code)]);
    let replaced = Settings {
        replacements: &replacements,
        ..SETTINGS
    };
    assert_eq!(failure(&run(&file, replaced)), "passed");
    let found = failure(&run(&file, SETTINGS));
    let expected = "x.scen.json: steps[0].accounts.''c_______________________________.code: \
                    `file:gone/x.wasm`: can't read gone/x.wasm";
    assert!(found.starts_with(expected), "{found}");
}

#[test]
fn the_old_format_is_run_too() {
    let test = |name: &str, result: &str, balance: u64| {
        format!(
            r#""{name}": {{"checkGas": false, "network": "n", "blockHashes": ["7"],
            "pre": {{"''a_______________________________": {{"balance": "100"}}}},
            "blocks": [{{
                "blockHeader": {{"gasLimit": "1", "number": "1", "difficulty": "1", "timestamp": "1", "coinbase": "1"}},
                "transactions": [
                    {{"from": "''a_______________________________", "to": "", "value": "5", "contractCode": "''code"}},
                    {{"from": "''a_______________________________", "value": "1", "function": "blocks",
                      "to": "0x00000000000000000000|0x11111111|''a______________|0x00|''__"}}],
                "results": [{{"refund": "7", "gas": "1"}}, {{"refund": "7", "out": ["", "", "{result}"]}}]
            }}],
            "postState": {{"+": "", "''a_______________________________": {{"nonce": "2", "balance": "{balance}"}}}}
        }}"#
        )
    };
    let outcome = |tests: &[String]| {
        let text = format!("{{{}}}", tests.join(","));
        failure(&run_text(&text, "x.test.json"))
    };
    let good = test("good", "7", 94);
    assert_eq!(outcome(&[good.clone(), good.clone()]), "passed");
    let found = outcome(&[good.clone(), test("bad", "8", 94)]);
    assert_eq!(
        found,
        "x.test.json: bad: transaction 1: out\n  expected: [empty, empty, 0x08 8]\n       \
         got: [empty, empty, 0x07 7]"
    );
    let found = outcome(&[test("poor", "7", 95)]);
    assert!(
        found.starts_with("x.test.json: poor: postState: balance of"),
        "{found}"
    );
}
