//! The texts of errors, each where a node or a callback sees it (docs/spec/host.md#error-texts). Those of memory have
//! tests of their own. Not seen from outside: what only a failed deploy by a contract would say (read-only mode), the
//! limit of nested instances (at that depth the callback that would be told can't start either), and breakpoint 4.

use super::rows::{MEMORY, RESULT, row_input};
use crate::messages::VmInput;
use crate::vm::fixtures::*;

const NOT_FOUND: &str = "invalid contract code (not found)";

/// A contract of this body, with the memory of the rows.
fn with_body(body: &str) -> String {
    format!(r#"{MEMORY} (func (export "abc") {body})"#)
}

#[test]
fn texts_of_functions_that_fail() {
    let bitwise = "bitwise operations only allowed on positive integers";
    let shift =
        "bitwise shift operations only allowed on positive integers and by a positive amount";
    let rows = [
        (
            "(call $eth.returnDataCopy (i32.const 0) (i32.const 0) (i32.const 1))",
            "invalid API call",
        ),
        (
            "(call $finish (i32.const -1) (i32.const 1))",
            "mem load: bad bounds",
        ),
        (
            "(call $finish (i32.const 0) (i32.const -1))",
            "mem load: negative length",
        ),
        ("(call $getCaller (i32.const -1))", "bad bounds (lower)"),
        ("(call $getCaller (i32.const 131071))", "bad bounds (upper)"),
        (
            "(call $eth.codeCopy (i32.const 0) (i32.const -1) (i32.const 1))",
            "GuardedGetBytesSlice: bad bounds",
        ),
        (
            "(call $eth.codeCopy (i32.const 0) (i32.const 1) (i32.const -1))",
            "GuardedGetBytesSlice: negative length",
        ),
        (
            "(call $writeLog (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1))",
            "GuardedMakeByteSlice2D: negative length (-1)",
        ),
        (
            "(drop (call $int64getArgument (i32.const 4)))",
            "argument index out of range",
        ),
        (
            "(drop (call $int64getArgument (i32.const 3)))",
            "argument out of range",
        ),
        (
            "(call $bigIntEMod (i32.const 0) (i32.const 0) (i32.const 0))",
            "division by 0",
        ),
        (
            "(call $bigIntSetInt64 (i32.const 1) (i64.const -1))
            (call $bigIntOr (i32.const 0) (i32.const 0) (i32.const 1))",
            bitwise,
        ),
        (
            "(call $bigIntShl (i32.const 0) (i32.const 0) (i32.const -1))",
            shift,
        ),
        (
            "(drop (call $setAsyncContextCallback (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))",
            "async context was not created yet",
        ),
        (
            "(call $eth.storageStore (i32.const 384) (i32.const 0))",
            "cannot write to storage under Kalyan3104 reserved key",
        ),
        (
            "(call $eth.externalCodeCopy (i32.const 64) (i32.const 0) (i32.const 0) (i32.const 0))",
            "account does not exist",
        ),
        (
            "(call $eth.externalCodeCopy (i32.const 32) (i32.const 0) (i32.const 0) (i32.const 0))",
            NOT_FOUND,
        ),
    ];
    on_each_engine(|bench| {
        for (body, message) in rows {
            bench
                .world()
                .put_contract("self", contract(&with_body(body)));
            let output = bench.call_with("self", "abc", row_input());
            let output = output.expect("an output");
            assert_eq!(end(&output), (10, message));
            assert_eq!(output.gas_remaining, 0, "{message}");
        }
    });
}

#[test]
fn a_fault_without_a_text_is_a_failed_execution() {
    let body =
        "(call $eth.externalCodeCopy (i32.const 576) (i32.const 0) (i32.const 0) (i32.const 0))";
    on_each_engine(|bench| {
        for (refusal, message) in [("", "execution failed"), ("no", "no")] {
            bench.world().refuses = Some((address("refused"), refusal));
            let output = bench.run(&with_body(body), "abc", &[]);
            assert_eq!(end(&output), (10, message));
        }
    });
}

#[test]
fn traps_have_one_text_with_the_name_that_was_found() {
    let text = |name: &str| {
        format!("Failed to call the `{name}` exported function.: Call error: unknown error")
    };
    let traps = [
        "unreachable",
        "(drop (i32.div_s (i32.const 1) (i32.const 0)))",
        "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
        "(drop (i64.rem_u (i64.const 1) (i64.const 0)))",
        "(drop (i32.load (i32.const 65533)))",
        "(i64.store (i32.const -1) (i64.const 0))",
        "(call_indirect (i32.const 0))",
        "(call_indirect (i32.const 1))",
        "(call_indirect (i32.const 2))",
        "(loop $l (br $l))",
    ];
    on_each_engine(|bench| {
        for trap in traps {
            // The first element of the table is none, the second has another type.
            let functions = format!(
                r#"(table 2 funcref) (elem (i32.const 1) $other)
                (func $other (param i32)) (func (export "main") {trap})"#
            );
            for function in ["main", "missing"] {
                let output = bench.run(&functions, function, &[]);
                assert_eq!(end(&output), (10, &text("main")[..]), "{trap}");
                assert_eq!(output.gas_remaining, 0, "{trap}");
            }
        }
    });
}

#[test]
fn texts_of_calls_that_can_not_begin() {
    let functions = r#"(func (export "init")) (func (export "callBack"))
        (func (export "one") (param i32)) (func (export "two") (param i32 i64))"#;
    let missing = |count: u8| {
        format!(
            "Missing {count} argument(s) when calling the `%s` exported function; \
            Expect {count} argument(s), given 0."
        )
    };
    let (one, two) = (missing(1), missing(2));
    let init = "invalid function (calling init() directly is forbidden)";
    let rows = [
        ("self", "missing", 1, "invalid function (not found)"),
        ("self", "", 1, "invalid function (not found)"),
        ("self", "init", 4, init),
        ("self", "solidity.ctor", 4, init),
        (
            "self",
            "callBack",
            4,
            "invalid function (calling callBack() directly is forbidden)",
        ),
        ("self", "one", 10, &one),
        ("self", "two", 10, &two),
        ("nobody", "f", 3, NOT_FOUND),
        // An account without code, and one that the node refuses to tell of.
        ("caller", "f", 3, NOT_FOUND),
        ("refused", "f", 3, NOT_FOUND),
        ("broken", "f", 9, "invalid contract code"),
        (
            "self",
            "upgradeContract",
            11,
            "upgrade failed (invalid arguments)",
        ),
    ];
    on_each_engine(|bench| {
        bench.world().put_contract("self", contract(functions));
        bench.world().put_contract("broken", "no code".into());
        bench.world().refuses = Some((address("refused"), "the node does not say"));
        for (name, function, code, message) in rows {
            let output = bench.call(name, function, &[]);
            assert_eq!(end(&output), (code, message), "{function}");
        }
        let upgrade = bench.call("self", "upgradeContract", &[b"no code", b""]);
        assert_eq!(end(&upgrade), (9, "invalid contract code"));
        let deploy = bench.create("no code".into(), input(&[]));
        assert_eq!(end(&deploy), (9, "invalid contract code"));
        for name in ["self", "broken"] {
            let poor = VmInput {
                gas_provided: 1,
                ..input(&[])
            };
            let output = bench.call_with(name, "init", poor).expect("an output");
            assert_eq!(end(&output), (5, "not enough gas"));
        }
    });
}

/// Promises with this much gas each.
fn promises(gas: &[i64]) -> String {
    let promise = |gas: &i64| {
        format!(
            "(call $createAsyncCall (i32.const 160) (i32.const 3) (i32.const 64) (i32.const 128)
                (i32.const 160) (i32.const 3) (i32.const 480) (i32.const 4)
                (i32.const 484) (i32.const 4) (i64.const {gas}))"
        )
    };
    with_body(&gas.iter().map(promise).collect::<String>())
}

#[test]
fn texts_of_asynchronous_calls() {
    let send = |value: i64, length: i64| {
        with_body(&format!(
            "(call $asyncCall (i32.const 64) (i32.const {value}) (i32.const 224) (i32.const {length}))"
        ))
    };
    let rows = [
        (send(128, 5), 0, ""),
        // No function, and no data at all.
        (send(128, 0), 10, "tokenize failed"),
        (send(416, 5), 7, "failed transfer (insufficient funds)"),
        (promises(&[1, 1]), 0, ""),
        (promises(&[1_000_000]), 5, "not enough gas"),
        (promises(&[1, -1]), 10, "addition overflow"),
        // The sum is compared before the next one is added.
        (promises(&[-1, 1]), 5, "not enough gas"),
    ];
    on_each_engine(|bench| {
        for (functions, code, message) in &rows {
            let output = bench.run(functions, "abc", &[]);
            assert_eq!(end(&output), (*code, *message), "{functions}");
        }
        // A call of another shard is answered with its value, which can't be less than nothing.
        let call = |value: i64, function| VmInput {
            call_type: 1,
            call_value: Some(value.into()),
            arguments: vec![function],
            ..input(&[])
        };
        bench.world().put_contract("self", contract(&with_body("")));
        let output = bench.call_with("self", "abc", call(1, "".into()));
        assert_eq!(end(&output.expect("an output")), (0, ""));
        let output = bench.call_with("self", "abc", call(-1, "".into()));
        let message = "failed transfer (negative value)";
        assert_eq!(end(&output.expect("an output")), (10, message));
        let answer = VmInput {
            call_type: 2,
            ..input(&[])
        };
        let mut world = bench.world();
        let stored = br#"{"AsyncContextMap":{}}"#;
        let key = (address("self"), "originalasyncCalls".into());
        world.storage.insert(key, stored[..].into());
        drop(world);
        let output = bench.call_with("self", "abc", answer);
        let message = "invalid function (unexpected callback was received)";
        assert_eq!(end(&output.expect("an output")), (4, message));
    });
}

#[test]
fn a_callback_is_told_why_the_call_failed() {
    let caller = with_body(
        "(call $asyncCall (i32.const 0) (i32.const 448) (i32.const 480) (i32.const 4))",
    ) + &format!(
        r#"(func (export "callBack")
            (call $finish (i32.const {RESULT}) (call $getArgument (i32.const 0) (i32.const {RESULT})))
            (call $finish (i32.const {RESULT}) (call $getArgument (i32.const 1) (i32.const {RESULT}))))"#
    );
    // Deploys what is stored, for nothing.
    let creates = "(drop (call $eth.create (i32.const 448) (i32.const 2000)
        (call $storageLoad (i32.const 160) (i32.const 3) (i32.const 2000)) (i32.const 0)))";
    // What `main` of the destination does, the message of the init; code and text that the callback gets.
    let rows = [
        (
            "unreachable",
            "",
            10,
            "Failed to call the `main` exported function.: Call error: unknown error",
        ),
        (
            "(call $getCaller (i32.const -1))",
            "",
            10,
            "bad bounds (lower)",
        ),
        (
            "(call $signalError (i32.const 160) (i32.const 3))",
            "",
            4,
            "abc",
        ),
        (
            "(call $eth.revert (i32.const 160) (i32.const 3))",
            "",
            4,
            "revert",
        ),
        // An init that fails leaves its code behind, so its creator fails although it ends well. The text is the
        // message that is there, that of the init, unless it is empty.
        (creates, "no", 10, "no"),
        (creates, "", 10, "return not is not ok"),
    ];
    on_each_engine(|bench| {
        for (body, init_message, code, message) in rows {
            let length = init_message.len();
            let init = format!(
                r#"(data (i32.const 0) "{init_message}")
                (func (export "init") (call $signalError (i32.const 0) (i32.const {length})))"#
            );
            let key = (address("callee"), "abc".into());
            bench.world().storage.insert(key, contract(&init));
            let callee = format!(r#"{MEMORY} (func (export "main") {body})"#);
            bench.world().put_contract("callee", contract(&callee));
            let output = bench.run(&caller, "abc", &[]);
            assert_eq!(end(&output), (0, ""), "{message}");
            assert_eq!(output.return_data, [&[code][..], message.as_bytes()]);
        }
    });
}
