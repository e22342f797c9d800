//! Deploys and upgrades (docs/spec/host.md#deploy-checks, #runs).

use crate::messages::{BigInt, VmInput};
use crate::vm::fixtures::*;
use bytes::Bytes;

fn wasm(text: &str) -> Bytes {
    wat::parse_str(text).expect("valid text").into()
}

#[test]
fn a_deploy_stores_code_and_reports_the_caller() {
    on_each_engine(|bench| {
        let code = contract(
            r#"(func (export "init")
                (drop (call $storageStore (i32.const 0) (i32.const 1) (i32.const 0)
                    (call $getArgument (i32.const 0) (i32.const 0))))
                (call $finish (i32.const 0) (call $getFunction (i32.const 0))))"#,
        );
        bench
            .world()
            .accounts
            .get_mut(&address("caller"))
            .expect("there")
            .nonce = 8;
        let value = BigInt::from(88u64);
        let input = VmInput {
            call_value: Some(value.clone()),
            ..input(&[b"argument"])
        };
        let output = bench.create(code.clone(), input);
        assert_eq!(end(&output), (0, ""));
        // During a deploy the function has no name.
        assert_eq!(output.return_data, [""]);
        assert_eq!(account_names(&output), ["caller", "new7"]);
        assert_eq!(account(&output, "caller").nonce, 8);
        let new = account(&output, "new7");
        assert_eq!(new.code, code);
        assert_eq!(new.code_metadata, vec![1, 0]);
        assert_eq!(new.balance_delta, Some(value));
        assert_eq!(updates(new), [("a".into(), "argument".into())]);
        let calls = ["account(caller)", "new_address(caller)", "storage(a)"];
        assert_eq!(bench.world().calls, calls);
    });
}

#[test]
fn code_that_must_not_be_deployed() {
    let bad = [
        ("empty", Bytes::new()),
        ("no wasm", "not WASM".into()),
        ("no memory", wasm("(module)")),
        ("a hidden memory", wasm("(module (memory 1))")),
        (
            "a host function's name",
            contract(r#"(func (export "getCaller"))"#),
        ),
        (
            "one of the other namespace",
            contract(r#"(func (export "revert"))"#),
        ),
        (
            "a built-in function's name",
            contract(r#"(func (export "builtIn"))"#),
        ),
        (
            "the upgrade's name",
            contract(r#"(func (export "upgradeContract"))"#),
        ),
        ("no name", contract(r#"(func (export ""))"#)),
        (
            "a name that is not ASCII",
            contract(r#"(func (export "ä"))"#),
        ),
        ("parameters", contract(r#"(func (export "f") (param i32))"#)),
        (
            "a result",
            contract(r#"(func (export "f") (result i32) i32.const 0)"#),
        ),
        (
            "floats",
            contract(r#"(func (export "f") (drop (f32.const 0)))"#),
        ),
        (
            "a trapping start",
            contract("(func $f unreachable) (start $f)"),
        ),
        (
            "an unknown import",
            wasm(
                r#"(module (import "env" "getOriginalTxHash" (func (param i32))) (memory (export "m") 1))"#,
            ),
        ),
        (
            "a wrong import",
            wasm(r#"(module (import "env" "getNumArguments" (func)) (memory (export "m") 1))"#),
        ),
    ];
    on_each_engine(|bench| {
        for (name, code) in &bad {
            let output = bench.create(code.clone(), input(&[]));
            assert_eq!(end(&output), (9, "invalid contract code"), "{name}");
            assert_eq!(output.output_accounts, []);
        }
        for good in ["init", "callBack", "main", "a b"] {
            let code = contract(&format!(r#"(func (export "{good}"))"#));
            let output = bench.create(code, input(&[]));
            assert_eq!(end(&output), (0, ""), "{good}");
        }
    });
}

#[test]
fn gas_for_the_code_is_checked_before_the_code() {
    on_each_engine(|bench| {
        for (gas, code) in [(8, 5), (9, 9)] {
            let input = VmInput {
                gas_provided: gas,
                ..input(&[])
            };
            let output = bench.create("not WASM".into(), input);
            assert_eq!(output.return_code, code, "{gas}");
        }
    });
}

#[test]
fn a_new_contract_has_nothing_during_its_init() {
    on_each_engine(|bench| {
        let code = contract(
            r#"(func (export "init")
                (call $getSCAddress (i32.const 0))
                (call $bigIntGetExternalBalance (i32.const 0) (i32.const 5))
                (call $bigIntFinishUnsigned (i32.const 5))
                (call $bigIntGetCallValue (i32.const 5))
                (call $bigIntFinishUnsigned (i32.const 5)))"#,
        );
        let input = VmInput {
            call_value: Some(9u64.into()),
            ..input(&[])
        };
        let output = bench.create(code, input);
        assert_eq!(output.return_data, [&[][..], &[9]]);
        assert_eq!(account(&output, "new0").balance, None);
    });
}

#[test]
fn a_start_function_that_calls_the_host_is_a_host_fault() {
    on_each_engine(|bench| {
        let code = contract("(func $f (drop (call $getNumArguments))) (start $f)");
        bench.world().put_contract("self", code);
        let error = bench
            .call_with("self", "f", input(&[]))
            .expect_err("no output");
        assert_eq!(
            error.to_string(),
            "host fault: a start function called a host function"
        );
        let output = bench.run(r#"(func (export "f"))"#, "f", &[]);
        assert_eq!(end(&output), (0, ""));
    });
}

#[test]
fn an_upgrade_runs_the_new_init_on_the_old_storage() {
    on_each_engine(|bench| {
        bench
            .world()
            .put_contract("self", contract(r#"(func (export "old"))"#));
        bench.world().put_storage("self", "k", "old");
        let code = contract(
            r#"(data (i32.const 0) "k")
            (func (export "init")
                (call $finish (i32.const 8)
                    (call $storageLoad (i32.const 0) (i32.const 1) (i32.const 8)))
                (call $finish (i32.const 8) (call $getArgument (i32.const 0) (i32.const 8)))
                (call $finish (i32.const 8) (call $getFunction (i32.const 8))))"#,
        );
        let output = bench.call(
            "self",
            "upgradeContract",
            &[&code, b"metadata", b"argument"],
        );
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, ["old", "argument", "upgradeContract"]);
        let new = account(&output, "self");
        assert_eq!(
            (&new.code, &new.code_metadata[..]),
            (&code, &b"metadata"[..])
        );
        let output = bench.call("self", "upgradeContract", &[&code]);
        assert_eq!(end(&output), (11, "upgrade failed (invalid arguments)"));
    });
}
