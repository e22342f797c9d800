//! Executions inside of executions (docs/spec/host.md#nested-executions).

use crate::messages::{OutputAccount, OutputAccountEntry, VmInput, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;

/// At 0 the address of the callee, at 32 a value (5), at 64 the name of the function to call: argument 0.
fn caller_of(callee: &str, call: &str) -> String {
    format!(
        r#"(data (i32.const 0) "{callee:_<32}") (data (i32.const 63) "\05")
        (func (export "f") (local $length i32)
            (local.set $length (call $getArgument (i32.const 0) (i32.const 64)))
            (call $int64finish (i64.const 1))
            (call $bigIntSetInt64 (i32.const 3) (i64.const 30))
            (call $int64finish (i64.extend_i32_s {call}))
            (call $bigIntFinishUnsigned (i32.const 3)))"#
    )
}

const ON_DEST: &str = r#"(call $executeOnDestContext (i64.const 100000) (i32.const 0) (i32.const 32)
    (i32.const 64) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 0))"#;

const ON_SAME: &str = r#"(call $executeOnSameContext (i64.const 100000) (i32.const 0) (i32.const 32)
    (i32.const 64) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 0))"#;

const READ_ONLY: &str = r#"(call $executeReadOnly (i64.const 100000) (i32.const 0)
    (i32.const 64) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 0))"#;

const CALLEE: &str = r#"(data (i32.const 0) "key") (data (i32.const 8) "no")
    (func $touch
        (drop (call $storageStore (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 2)))
        (call $writeLog (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 0))
        (call $int64finish (i64.const 9)))
    (func (export "good") (call $touch) (call $bigIntFinishUnsigned (i32.const 3)))
    (func (export "bad") (call $touch) (call $signalError (i32.const 8) (i32.const 2)))
    (func (export "trap") (call $touch) unreachable)
    (func (export "init"))"#;

fn set_up(bench: &mut Bench, call: &str) {
    bench
        .world()
        .put_contract("self", contract(&caller_of("callee", call)));
    bench.world().put_contract("callee", contract(CALLEE));
}

#[test]
fn a_callee_on_dest_context_has_its_own_storage_and_numbers() {
    on_each_engine(|bench| {
        set_up(bench, ON_DEST);
        let output = bench.call("self", "f", &[b"good"]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&[1][..], &[9], &[], &[], &[30]]);
        assert_eq!(output.logs[0].address, address("callee"));
        let callee = account(&output, "callee");
        assert_eq!(updates(callee), [("key".into(), "ke".into())]);
        assert_eq!(callee.balance_delta, Some(5u64.into()));
        assert_eq!(account(&output, "self").balance_delta, Some((-5i64).into()));
        let calls = [
            "account(self)",
            "account(self)",
            "account(callee)",
            "storage(key)",
        ];
        assert_eq!(bench.world().calls, calls);
    });
}

#[test]
fn of_a_failed_callee_nothing_remains_but_the_price() {
    on_each_engine(|bench| {
        for function in [&b"bad"[..], b"trap", b"missing", b"init"] {
            set_up(bench, ON_DEST);
            let output = bench.call("self", "f", &[function]);
            assert_eq!(end(&output), (0, ""));
            assert_eq!(output.return_data, [&[1][..], &[1], &[30]]);
            assert_eq!(output.logs, []);
            // The balance that was looked up is forgotten as well; the account was there before, from the call itself.
            assert_eq!(account_names(&output), ["self"]);
            assert!(output.gas_remaining < GAS - 100_000);
        }
    });
}

#[test]
fn a_callee_on_same_context_has_the_callers_storage_and_numbers() {
    on_each_engine(|bench| {
        set_up(bench, ON_SAME);
        let output = bench.call("self", "f", &[b"good"]);
        assert_eq!(output.return_data, [&[1][..], &[9], &[30], &[], &[30]]);
        assert_eq!(output.logs[0].address, address("callee"));
        assert_eq!(
            updates(account(&output, "self")),
            [("key".into(), "ke".into())]
        );
        assert_eq!(updates(account(&output, "callee")), []);
        let output = bench.call("self", "f", &[b"bad"]);
        assert_eq!(output.return_data, [&[1][..], &[1], &[30]]);
        assert_eq!(account_names(&output), ["self"]);
    });
}

#[test]
fn a_read_only_callee_writes_nothing_and_pays_twice() {
    on_each_engine(|bench| {
        set_up(bench, READ_ONLY);
        let valued = VmInput {
            call_value: Some(3u64.into()),
            ..input(&[b"good"])
        };
        let output = bench.call_with("self", "f", valued).expect("an output");
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&[1][..], &[9], &[30], &[], &[30]]);
        assert_eq!(output.logs, []);
        assert_eq!(updates(account(&output, "self")), []);
        assert_eq!(account(&output, "callee").balance_delta, Some(6u64.into()));
        assert_eq!(
            account(&output, "caller").balance_delta,
            Some((-6i64).into())
        );
    });
}

#[test]
fn nine_nested_instances_are_the_most() {
    on_each_engine(|bench| {
        // Calls itself until that fails, and counts the levels on the way back. What is given to a call that fails is
        // lost, so each level keeps half.
        let functions = r#"(func (export "f")
            (call $getSCAddress (i32.const 0)) (i32.store8 (i32.const 64) (i32.const 102))
            (drop (call $executeOnDestContext
                (i64.div_u (call $getGasLeft) (i64.const 2)) (i32.const 0) (i32.const 32)
                (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
            (call $int64finish (i64.const 1)))"#;
        bench.world().put_contract("self", contract(functions));
        let rich = VmInput {
            gas_provided: 1000 * GAS,
            ..input(&[])
        };
        let output = bench.call_with("self", "f", rich).expect("an output");
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data.len(), 10);
    });
}

#[test]
fn nested_gas_is_what_the_callee_used() {
    on_each_engine(|bench| {
        let callee = contract(r#"(func (export "good") nop nop)"#);
        let callee_cost = callee.len() as u64 + 3;
        bench
            .world()
            .put_contract("self", contract(&caller_of("callee", ON_DEST)));
        bench.world().put_contract("callee", callee);
        let good = bench.call("self", "f", &[b"good"]).gas_remaining;
        let missing = bench.call("self", "f", &[b"gone"]).gas_remaining;
        // The caller does the same in both; a failure costs all that was given.
        assert_eq!(good + callee_cost - missing, 100_000);
    });
}

#[test]
fn unreadable_calls_are_soft_and_free() {
    on_each_engine(|bench| {
        let read = |offset: i32| {
            format!(
                r#"(func (export "f")
                    (call $int64finish (i64.extend_i32_s (call $executeOnDestContext (i64.const 1)
                        (i32.const {offset}) (i32.const 0) (i32.const 0) (i32.const 0)
                        (i32.const 0) (i32.const 0) (i32.const 0)))))"#
            )
        };
        let bad = bench.run(&read(-1), "f", &[]);
        assert_eq!((end(&bad), &bad.return_data[0][..]), ((0, ""), &[1][..]));
        let length = contract(&read(-1)).len() as u64;
        // Nine constants, two calls, an extension, an end, and the number that is returned.
        assert_eq!(bad.gas_remaining, GAS - length - 8 - 2 - 1 - 1 - 1);
    });
}

#[test]
fn a_contract_deploys_another_on_its_own_storage() {
    on_each_engine(|bench| {
        let child = contract(
            r#"(data (i32.const 0) "child")
            (func (export "init")
                (drop (call $storageStore (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 5))))"#,
        );
        let creator = r#"(func (export "f") (local $length i32)
            (local.set $length (call $getArgument (i32.const 0) (i32.const 1000)))
            (call $int64finish (i64.extend_i32_s (call $createContract (i32.const 0)
                (i32.const 1000) (local.get $length) (i32.const 500)
                (i32.const 0) (i32.const 0) (i32.const 0))))
            (call $finish (i32.const 500) (i32.const 32)))"#;
        let output = bench.run(creator, "f", &[&child]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [Bytes::new(), address("new0")]);
        let new = account(&output, "new0");
        assert_eq!((&new.code, &new.code_metadata[..]), (&child, &[1, 0][..]));
        assert_eq!(updates(new), []);
        let creator_account = account(&output, "self");
        assert_eq!(updates(creator_account), [("child".into(), "child".into())]);
        assert_eq!(creator_account.nonce, 1);
        // A failed init leaves its message behind, and no gas (docs/spec/README.md#quirk-25).
        let bad = contract(
            r#"(data (i32.const 0) "no")
            (func (export "init") (call $signalError (i32.const 0) (i32.const 2)))"#,
        );
        let creator = r#"(func (export "f") (local $length i32)
            (local.set $length (call $getArgument (i32.const 0) (i32.const 1000)))
            (drop (call $createContract (i32.const 0)
                (i32.const 1000) (local.get $length) (i32.const 500)
                (i32.const 0) (i32.const 0) (i32.const 0))))"#;
        let output = bench.run(creator, "f", &[&bad]);
        assert_eq!(end(&output), (4, "no"));
        assert_eq!(output.gas_remaining, 0);
        assert_eq!(account_names(&output), ["new0", "self"]);
    });
}

#[test]
fn built_in_functions_run_in_the_hook() {
    on_each_engine(|bench| {
        set_up(bench, ON_DEST);
        let output = bench.call("self", "f", &[BUILTIN.as_bytes()]);
        assert_eq!(output.return_data, [&[1][..], &[1], &[30]]);
        let account = OutputAccount {
            address: address("callee"),
            balance_delta: Some(2u64.into()),
            ..OutputAccount::default()
        };
        let answer = VmOutput {
            return_data: vec!["from the hook".into()],
            gas_remaining: 99_000,
            output_accounts: vec![OutputAccountEntry {
                key: address("callee"),
                value: Some(account),
            }],
            ..VmOutput::default()
        };
        bench.world().builtin_answer = Some(Some(answer));
        let output = bench.call("self", "f", &[BUILTIN.as_bytes()]);
        assert_eq!(output.return_data[1], "from the hook");
        // 5 by the call, 2 by the function.
        let callee = crate::vm::fixtures::account(&output, "callee");
        assert_eq!(callee.balance_delta, Some(7u64.into()));
        assert_eq!(
            bench.world().calls,
            ["account(self)", "account(self)", "builtin(builtIn)"]
        );
        bench.world().builtin_answer = Some(None);
        let error = bench.call_with("self", "f", input(&[BUILTIN.as_bytes()]));
        let message = "host fault: a built-in function gave no output and no error";
        assert_eq!(error.expect_err("no output").to_string(), message);
    });
}

#[test]
fn a_second_deploy_of_a_run_gets_the_address_of_the_first() {
    on_each_engine(|bench| {
        let create = r#"(drop (call $createContract (i32.const 0)
                (i32.const 1000) (local.get $length) (i32.const 500)
                (i32.const 0) (i32.const 0) (i32.const 0)))
            (call $finish (i32.const 500) (i32.const 32))"#;
        let creator = format!(
            r#"(func (export "f") (local $length i32)
                (local.set $length (call $getArgument (i32.const 0) (i32.const 1000)))
                {create} {create})"#
        );
        let output = bench.run(&creator, "f", &[&contract("")]);
        assert_eq!(output.return_data, [address("new0"), address("new0")]);
        assert_eq!(account(&output, "self").nonce, 2);
    });
}

#[test]
fn read_only_mode_forbids_deploys_and_ends_with_an_inner_one() {
    on_each_engine(|bench| {
        let status = |call: &str| format!("(call $int64finish (i64.extend_i32_s {call}))");
        let store = "(call $storageStore (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 3))";
        let create =
            "(call $createContract (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0))";
        let inner =
            "(call $executeReadOnly (i64.const 1000) (i32.const 0) (i32.const 300) (i32.const 0)
            (i32.const 0) (i32.const 0) (i32.const 0))";
        let writer = format!(
            r#"(func (export "good") {} (drop {inner}) {})
            (func (export "deploy") (drop {create}))"#,
            status(store),
            status(store)
        );
        bench
            .world()
            .put_contract("self", contract(&caller_of("callee", READ_ONLY)));
        bench.world().put_contract("callee", contract(&writer));
        let output = bench.call("self", "f", &[b"good"]);
        // Unchanged at first, added when the inner call, which fails, has ended the mode
        // (docs/spec/README.md#quirk-30).
        assert_eq!(output.return_data[1..3], [&[][..], &[2]]);
        let output = bench.call("self", "f", &[b"deploy"]);
        assert_eq!(output.return_data, [&[1][..], &[], &[30]]);
        assert!(
            !bench
                .world()
                .calls
                .iter()
                .any(|call| call.starts_with("new_address"))
        );
    });
}
