//! delegateExecution and executeReadOnly: a callee in the place of the contract (docs/spec/eei.md#base-functions,
//! docs/spec/host.md#same-context, #read-only-mode).

use super::texts::*;
use crate::messages::VmInput;
use crate::vm::fixtures::*;
use bytes::Bytes;

/// Tells what the callee sees, and leaves a log and a value in the storage.
const CALLEE: &str = r#"(data (i32.const 300) "key")
    (func (export "see")
        (call $getCaller (i32.const 0)) (call $finish (i32.const 0) (i32.const 32))
        (call $getSCAddress (i32.const 0)) (call $finish (i32.const 0) (i32.const 32))
        (call $finish (i32.const 400) (call $getArgument (i32.const 0) (i32.const 400)))
        (call $bigIntGetCallValue (i32.const 7)) (call $bigIntFinishUnsigned (i32.const 7))
        (drop (call $storageStore (i32.const 300) (i32.const 3) (i32.const 300) (i32.const 1)))
        (call $writeLog (i32.const 300) (i32.const 3) (i32.const 0) (i32.const 0)))
    (func (export "bad") unreachable)"#;

/// With an argument of two bytes, whose length stands at 200.
fn delegating(name: &str, function: &str) -> String {
    let call = execute_for_caller(name, function).replace(
        "(i32.const 0) (i32.const 0) (i32.const 0))",
        "(i32.const 1) (i32.const 200) (i32.const 210))",
    );
    format!(
        r#"{} (data (i32.const 200) "\02") (data (i32.const 210) "hi")
        (func (export "f") {} (call $bigIntFinishUnsigned (i32.const 7)))"#,
        callee_data("callee", function),
        status(&call)
    )
}

fn call(bench: &mut Bench, functions: &str) -> crate::messages::VmOutput {
    bench.world().put_contract("self", contract(functions));
    let valued = VmInput {
        call_value: Some(3u64.into()),
        ..input(&[])
    };
    bench.call_with("self", "f", valued).expect("an output")
}

#[test]
fn the_callee_sees_the_callers_caller_and_the_callers_storage() {
    on_each_engine(|bench| {
        bench.world().put_contract("callee", contract(CALLEE));
        for (name, writes) in [("delegateExecution", true), ("executeReadOnly", false)] {
            let output = call(bench, &delegating(name, "see"));
            assert_eq!(end(&output), (0, ""), "{name}");
            // Its big integers are the caller's, too.
            let expected = [
                address("caller"),
                address("callee"),
                "hi".into(),
                vec![3].into(),
                Bytes::new(),
                vec![3].into(),
            ];
            assert_eq!(output.return_data, expected, "{name}");
            assert_eq!(
                updates(account(&output, "self")).len(),
                usize::from(writes),
                "{name}"
            );
            assert_eq!(updates(account(&output, "callee")), [], "{name}");
            assert_eq!(output.logs.len(), usize::from(writes), "{name}");
            // The balance of who pays, and the code.
            let calls = &bench.world().calls;
            assert_eq!(
                calls[..3],
                ["account(self)", "account(caller)", "account(callee)"]
            );
        }
    });
}

#[test]
fn delegation_costs_its_arguments_and_what_the_callee_uses() {
    on_each_engine_with(
        schedule_with(&[
            ("DataCopyPerByte", 10),
            ("DelegateExecution", 1_000),
            ("ExecuteReadOnly", 2_000),
        ]),
        |bench| {
            let callee = r#"(func (export "see") nop)"#;
            bench.world().put_contract("callee", contract(callee));
            for (name, cost) in [("delegateExecution", 1_000), ("executeReadOnly", 2_000)] {
                let functions = delegating(name, "see");
                let output = call(bench, &functions);
                // Seven operands and a call; two bytes; the callee's code and two operators; the status and the number, of
                // no bytes: two operators and one, two operators and one; end.
                let used = 8 + cost + 2 * 10 + contract(callee).len() as u64 + 2 + 3 + 3 + 1;
                assert_eq!(
                    output.gas_remaining,
                    GAS - contract(&functions).len() as u64 - used,
                    "{name}"
                );
            }
        },
    );
}

#[test]
fn of_a_failed_delegation_the_first_transfer_stays() {
    on_each_engine(|bench| {
        bench.world().put_contract("callee", contract(CALLEE));
        for (name, function) in [
            ("delegateExecution", "bad"),
            ("executeReadOnly", "bad"),
            ("delegateExecution", "none"),
        ] {
            let output = call(bench, &delegating(name, function));
            assert_eq!(
                (end(&output), &output.return_data[0][..]),
                ((0, ""), &[1][..])
            );
            assert_eq!(account(&output, "callee").balance_delta, Some(3u64.into()));
            assert_eq!(
                account(&output, "caller").balance_delta,
                Some((-3i64).into())
            );
            assert_eq!(
                output.gas_remaining,
                GAS - 500_000
                    - contract(&delegating(name, function)).len() as u64
                    - 8
                    - 1
                    - 2
                    - 3
                    - 3
                    - 1
            );
        }
        // A caller who can't pay: nothing is given to the callee, so nothing is lost.
        bench.world().put_account("caller", 2);
        let functions = delegating("delegateExecution", "see");
        let output = call(bench, &functions);
        assert_eq!(output.return_data[0], [1][..]);
        assert_eq!(
            output.gas_remaining,
            GAS - contract(&functions).len() as u64 - 8 - 1 - 2 - 3 - 3 - 1
        );
    });
}

#[test]
fn unreadable_delegations_end_the_run() {
    on_each_engine(|bench| {
        let rows = [
            (
                "(i32.const -1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)",
                "mem load: bad bounds",
            ),
            (
                "(i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 0)",
                "mem load: negative length",
            ),
            (
                "(i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1) (i32.const -1) (i32.const 0)",
                "mem load: bad bounds",
            ),
        ];
        for name in ["delegateExecution", "executeReadOnly"] {
            for (operands, message) in rows {
                let functions = format!(
                    r#"(func (export "f") (drop (call ${name} (i64.const 1) {operands})))"#
                );
                let output = bench.run(&functions, "f", &[]);
                assert_eq!(
                    (end(&output), output.gas_remaining),
                    ((10, message), 0),
                    "{operands}"
                );
            }
        }
    });
}
