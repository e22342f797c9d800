//! What rarely happens: what nodes should not answer, panics of our own, promises that are rejected.

use super::texts::{promised, registering};
use crate::machine::VmFailure;
use crate::messages::{OutputAccount, OutputAccountEntry, VmInput, VmOutput};
use crate::vm::fixtures::*;

/// The text of the host fault that a call of `f` ends with.
fn host_fault(bench: &mut Bench) -> String {
    match bench.call_with("self", "f", input(&[])) {
        Err(NoOutput::Failure(VmFailure(text))) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_of_our_own_has_no_output_and_the_vm_goes_on() {
    on_each_engine(|bench| {
        let callee = contract(r#"(func (export "f") (drop (call $getBlockNonce)))"#);
        bench.world().put_contract("callee", callee.clone());
        let nested = contract(
            r#"(data (i32.const 0) "callee__________________________f")
            (func (export "f")
                (drop (call $executeOnDestContext (i64.const 5000) (i32.const 0) (i32.const 64)
                    (i32.const 32) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)))
                (call $int64finish (i64.const 1)))"#,
        );
        // The panic is caught where the engine calls us; from there on it ends everything.
        for code in [callee, nested] {
            bench.world().put_contract("self", code);
            bench.world().panics_at = Some("current_nonce");
            assert_eq!(host_fault(bench), "host fault: current_nonce panics");
            bench.world().panics_at = None;
            assert_eq!(end(&bench.call("self", "f", &[])), (0, ""));
        }
    });
}

#[test]
fn an_account_without_a_balance_is_a_host_fault() {
    on_each_engine(|bench| {
        let functions = r#"(data (i32.const 0) "caller__________________________")
            (func (export "f") (call $getExternalBalance (i32.const 0) (i32.const 64)))"#;
        bench.world().put_contract("self", contract(functions));
        let poor = address("caller");
        let mut world = bench.world();
        world.accounts.get_mut(&poor).expect("there").balance = None;
        drop(world);
        assert_eq!(
            host_fault(bench),
            "host fault: an account without a balance"
        );
    });
}

#[test]
fn a_negative_call_value_is_not_transferred() {
    on_each_engine(|bench| {
        let functions = r#"(data (i32.const 0) "callee__________________________g")
            (func (export "f") (call $int64finish (i64.extend_i32_s
                (call $delegateExecution (i64.const 5000) (i32.const 0) (i32.const 32) (i32.const 1)
                    (i32.const 0) (i32.const 0) (i32.const 0)))))"#;
        let code = contract(functions);
        let length = code.len() as u64;
        bench.world().put_contract("self", code);
        bench
            .world()
            .put_contract("callee", contract(r#"(func (export "g"))"#));
        for (value, status, callee_cost) in [(-1_i64, &[1][..], 0), (0, &[], 5000)] {
            let input = VmInput {
                call_value: Some(value.into()),
                ..input(&[])
            };
            let output = bench.call_with("self", "f", input).expect("an output");
            assert_eq!(
                (end(&output), &output.return_data[0][..]),
                ((0, ""), status)
            );
            // Seven constants, a call, its charge; a conversion, a call, its charge, the end. A transfer that fails
            // costs no more, and the callee is not even looked for.
            let used = GAS - length - output.gas_remaining;
            assert_eq!(used == 13, callee_cost == 0, "{used}");
            let is_looked_for = bench.world().calls.contains(&"account(callee)".to_owned());
            assert_eq!(is_looked_for, callee_cost != 0);
        }
    });
}

#[test]
fn accounts_of_built_in_functions_are_taken_as_they_are() {
    let functions = format!(
        r#"(data (i32.const 0) "self____________________________{BUILTIN}")
        (func (export "f")
            (drop (call $executeOnSameContext (i64.const 500) (i32.const 0) (i32.const 64) (i32.const 32)
                (i32.const {}) (i32.const 0) (i32.const 0) (i32.const 0))))"#,
        BUILTIN.len()
    );
    let answer = |value: Option<OutputAccount>, key: &str| VmOutput {
        output_accounts: vec![OutputAccountEntry {
            key: address(key),
            value,
        }],
        ..VmOutput::default()
    };
    on_each_engine(|bench| {
        bench.world().put_contract("self", contract(&functions));
        bench.world().builtin_answer = Some(Some(answer(None, "other")));
        let text = "host fault: the answer of a built-in function has a null account";
        assert_eq!(host_fault(bench), text);
        // Without an address of its own the account has that of its key; without a delta it keeps what it has.
        let account_of = |bench: &mut Bench, key: &str, delta: Option<u64>| {
            let given = OutputAccount {
                balance_delta: delta.map(Into::into),
                gas_limit: 77,
                ..OutputAccount::default()
            };
            bench.world().builtin_answer = Some(Some(answer(Some(given), key)));
            let valued = VmInput {
                call_value: Some(4u64.into()),
                ..input(&[])
            };
            let output = bench.call_with("self", "f", valued).expect("an output");
            assert_eq!(end(&output), (0, ""));
            let account = account(&output, key).clone();
            assert_eq!(account.address, address(key));
            (account.balance_delta, account.gas_limit)
        };
        assert_eq!(account_of(bench, "self", None), (Some(4u64.into()), 77));
        assert_eq!(account_of(bench, "self", Some(5)), (Some(9u64.into()), 0));
        assert_eq!(account_of(bench, "other", None), (Some(0u64.into()), 77));
        assert_eq!(account_of(bench, "other", Some(5)), (Some(5u64.into()), 77));
    });
}

#[test]
fn a_promise_is_rejected_by_a_built_in_function_with_a_code() {
    on_each_engine(|bench| {
        // A contract that fails is a host fault here; a built-in function's code is only an answer.
        let callbacks = r#"
            (func (export "yes") (call $int64finish (i64.const 7)))
            (func (export "no") (local $index i32)
                (loop $next
                    (call $finish (i32.const 500)
                        (call $getArgument (local.get $index) (i32.const 500)))
                    (local.set $index (i32.add (local.get $index) (i32.const 1)))
                    (br_if $next (i32.lt_s (local.get $index) (call $getNumArguments)))))"#;
        let caller = registering("f", &[promised("id", "callee", BUILTIN)]) + callbacks;
        bench
            .world()
            .put_contract("callee", contract(r#"(func (export "g"))"#));
        for (code, returned) in [(0, &[&b"why"[..], &[7]][..]), (4, &[b"why", &[4], b"why"])] {
            bench.world().builtin_answer = Some(Some(VmOutput {
                return_code: code,
                return_data: vec!["why".into()],
                gas_remaining: GAS,
                ..VmOutput::default()
            }));
            let output = bench.run(&caller, "f", &[]);
            assert_eq!(end(&output), (0, ""));
            assert_eq!(output.return_data, returned);
            // Nothing is pending, so nothing is stored.
            assert_eq!(updates(account(&output, "self")), []);
        }
    });
}
