//! Where gas ends, and what is checked before it does (docs/spec/gas.md#metering, #deductions, #gas-queries).

use crate::messages::{GasSectionEntry, VmInput, VmOutput};
use crate::vm::fixtures::*;

const OUT_OF_GAS: (i64, &str) = (
    10,
    "Failed to call the `f` exported function.: Call error: unknown error",
);

/// Calls `f` with gas for the code and `limit` more.
fn run_with_limit(bench: &mut Bench, functions: &str, limit: u64) -> VmOutput {
    let code = contract(functions);
    let gas = code.len() as u64 + limit;
    bench.world().put_contract("self", code);
    call_with_gas(bench, "self", gas)
}

fn call_with_gas(bench: &mut Bench, name: &str, gas: u64) -> VmOutput {
    let input = VmInput {
        gas_provided: gas,
        ..input(&[])
    };
    bench.call_with(name, "f", input).expect("an output")
}

/// A schedule in which no two of these are alike.
fn telling_schedule() -> Vec<GasSectionEntry> {
    let mut schedule = schedule_entries();
    for section in &mut schedule[..2] {
        for cost in &mut section.value {
            cost.value = match &cost.key[..] {
                b"CompilePerByte" => 3,
                b"CreateContract" => 1_000,
                b"AsyncCallStep" => 70,
                b"AsyncCallbackGasLock" => 500,
                // Storing code costs no gas.
                b"StorePerByte" => 1 << 40,
                _ => cost.value,
            };
        }
    }
    schedule
}

/// What a number that was returned stands for.
fn number(data: &[u8]) -> u64 {
    data.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[test]
fn gas_ends_at_the_five_operators_when_nothing_is_left() {
    // What is paid when the operator is reached, itself included, and in all.
    let rows = [
        ("br", "(block (br 0))", 2, 3),
        ("br_if, not taken", "(block (br_if 0 (i32.const 0)))", 3, 5),
        ("br_if, taken", "(block (br_if 0 (i32.const 1)))", 3, 4),
        ("br_table", "(block (br_table 0 0 (i32.const 9)))", 3, 4),
        ("call", "(call $empty)", 1, 3),
        ("call_indirect", "(call_indirect (i32.const 0))", 2, 4),
    ];
    on_each_engine(|bench| {
        for (operator, body, paid, in_all) in rows {
            let functions = format!(
                r#"(table 1 funcref) (elem (i32.const 0) $empty)
                (func $empty) (func (export "f") {body})"#
            );
            for limit in 0..=paid {
                let output = run_with_limit(bench, &functions, limit);
                assert_eq!(end(&output), OUT_OF_GAS, "{operator} at {limit}");
                assert_eq!((output.gas_remaining, output.output_accounts.len()), (0, 0));
            }
            // With one more it is passed. The rest has no such operator, so it may use more than there is.
            for (limit, left) in [(paid + 1, 0), (in_all, 0), (in_all + 1, 1)] {
                let output = run_with_limit(bench, &functions, limit);
                assert_eq!(end(&output), (0, ""), "{operator} at {limit}");
                assert_eq!(output.gas_remaining, left, "{operator} at {limit}");
            }
        }
    });
}

#[test]
fn a_host_function_that_can_not_be_paid_is_not_called() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f") (drop (call $getBlockNonce)))"#;
        for (limit, expected, calls) in [
            (1, OUT_OF_GAS, &["account(self)"][..]),
            (2, (0, ""), &["account(self)", "current_nonce()"]),
        ] {
            let output = run_with_limit(bench, functions, limit);
            assert_eq!(end(&output), expected);
            assert_eq!(bench.world().calls, calls);
        }
    });
}

#[test]
fn the_text_names_the_function_that_ran() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "main") (loop $l (br $l)))"#;
        let output = run_with_limit(bench, functions, 100);
        let message = "Failed to call the `main` exported function.: Call error: unknown error";
        assert_eq!(end(&output), (10, message));
        let code = contract(r#"(func (export "init") (loop $l (br $l)))"#);
        let output = bench.create(code, input(&[]));
        let message = "Failed to call the `init` exported function.: Call error: unknown error";
        assert_eq!((end(&output), output.gas_remaining), ((10, message), 0));
    });
}

#[test]
fn charges_of_the_host_end_nothing_before_the_next_operator() {
    on_each_engine(|bench| {
        let charge =
            "(call $int64finish (i64.const 7)) (call $eth.useGas (i64.const 5000)) nop nop";
        let functions = format!(r#"(func (export "f") {charge})"#);
        let output = run_with_limit(bench, &functions, 1000);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(
            (output.gas_remaining, &output.return_data[0][..]),
            (0, &[7][..])
        );
        let functions =
            format!(r#"(func (export "f") {charge} (call $int64finish (i64.const 8)))"#);
        let output = run_with_limit(bench, &functions, 1000);
        assert_eq!(end(&output), OUT_OF_GAS);
        assert_eq!(output.return_data.len(), 0);
        // A negative amount below zero: more is used than there can be.
        let charge = "(call $eth.useGas (i64.const -5000)) nop nop";
        let functions = format!(r#"(func (export "f") {charge})"#);
        let output = run_with_limit(bench, &functions, 1000);
        assert_eq!((end(&output), output.gas_remaining), ((0, ""), 0));
        let functions = format!(r#"(func (export "f") {charge} (block (br 0)))"#);
        assert_eq!(end(&run_with_limit(bench, &functions, 1000)), OUT_OF_GAS);
    });
}

#[test]
fn gas_left_is_what_was_provided_less_what_was_used_and_never_less_than_nothing() {
    on_each_engine(|bench| {
        for name in ["$getGasLeft", "$eth.getGasLeft"] {
            // The call, the charge; what comes after it in the same run is not paid yet.
            let functions = format!(r#"(func (export "f") (call $int64finish (call {name})))"#);
            let output = run_with_limit(bench, &functions, 1000);
            assert_eq!(number(&output.return_data[0]), 1000 - 2);
            // 1 and 1 for the first, 2 and 1 for the charge, which takes all that is left and leaves nothing to ask
            // for.
            let functions = format!(
                r#"(func (export "f") (local $left i64)
                    (local.set $left (call {name}))
                    (call $eth.useGas (i64.sub (local.get $left) (i64.const 30)))
                    (call $int64finish (call {name}))
                    (call $eth.useGas (local.get $left))
                    nop)"#
            );
            let output = run_with_limit(bench, &functions, 1000);
            // Since the first: a set, a get, a constant, a difference, a call, a charge, a call, a charge.
            assert_eq!(number(&output.return_data[0]), 30 - 8);
            assert_eq!((end(&output), output.gas_remaining), ((0, ""), 0));
        }
    });
}

#[test]
fn a_host_function_sees_nothing_left_after_an_overshoot() {
    // No operator checks between the two: a charge that is made by a nested call, to the caller.
    on_each_engine(|bench| {
        let callee = r#"(func (export "f") (call $eth.useGas (i64.const 7000))
            nop)"#;
        bench.world().put_contract("callee", contract(callee));
        let functions = r#"(data (i32.const 0) "callee__________________________f")
            (func (export "f")
                (drop (call $executeOnDestContext (i64.const -1) (i32.const 0) (i32.const 64)
                    (i32.const 32) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))))"#;
        // A negative limit is all that is left; the callee uses more than that, and nothing comes back.
        let output = run_with_limit(bench, functions, 2000);
        assert_eq!((end(&output), output.gas_remaining), ((0, ""), 0));
        let output = run_with_limit(bench, functions, 20_000);
        let callee_cost = contract(callee).len() as u64 + 2 + 7001 + 2;
        assert_eq!(output.gas_remaining, 20_000 - 9 - 1 - callee_cost - 2);
    });
}

#[test]
fn nested_calls_get_the_least_of_what_they_ask_and_what_is_left() {
    on_each_engine(|bench| {
        let callee = contract(r#"(func (export "g") (call $int64finish (call $getGasLeft)))"#);
        let code = callee.len() as u64;
        bench.world().put_contract("callee", callee);
        for (limit, given) in [
            (500, 500),
            (1988, 1988),
            (1990, 1990),
            (1991, 1990),
            (-1, 1990),
        ] {
            let functions = format!(
                r#"(data (i32.const 0) "callee__________________________g")
                (func (export "f")
                    (drop (call $executeOnDestContext (i64.const {limit}) (i32.const 0) (i32.const 64)
                        (i32.const 32) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))))"#
            );
            // Eight constants, the call, its charge: 10 of 2000 are used by then.
            let output = run_with_limit(bench, &functions, 2000);
            assert_eq!(number(&output.return_data[0]), given - code - 2, "{limit}");
            assert_eq!(output.gas_remaining, 2000 - 10 - code - 5 - 2);
        }
    });
}

#[test]
fn a_deploy_has_to_pay_its_base_and_its_code() {
    on_each_engine_with(telling_schedule(), |bench| {
        let code = contract(r#"(func (export "init") nop)"#);
        let price = 1_000 + 3 * code.len() as u64;
        for upgrade in [false, true] {
            for (gas, expected, left) in [
                (0, (5, "not enough gas"), 0),
                (price - 1, (5, "not enough gas"), 0),
                (price, (0, ""), 0),
                (price + 3, (0, ""), 1),
            ] {
                let input = VmInput {
                    gas_provided: gas,
                    arguments: vec![code.clone(), vec![1, 0].into()],
                    ..input(&[])
                };
                let output = if upgrade {
                    let output = bench.call_with("self", "upgradeContract", input);
                    output.expect("an output")
                } else {
                    bench.create(code.clone(), input)
                };
                assert_eq!(
                    (end(&output), output.gas_remaining),
                    (expected, left),
                    "{gas}"
                );
            }
        }
    });
}

#[test]
fn a_call_has_to_pay_the_code() {
    on_each_engine_with(telling_schedule(), |bench| {
        let code = contract(r#"(func (export "f") nop)"#);
        let price = 3 * code.len() as u64;
        bench.world().put_contract("self", code);
        let output = call_with_gas(bench, "self", price - 1);
        assert_eq!(
            (end(&output), output.gas_remaining),
            ((5, "not enough gas"), 0)
        );
        let output = call_with_gas(bench, "self", price);
        assert_eq!((end(&output), output.gas_remaining), ((0, ""), 0));
        let output = call_with_gas(bench, "self", price + 5);
        assert_eq!((end(&output), output.gas_remaining), ((0, ""), 3));
    });
}

#[test]
fn a_deploy_by_a_contract_pays_the_code_only() {
    on_each_engine_with(telling_schedule(), |bench| {
        let child = contract(r#"(func (export "init") nop)"#);
        let price = 3 * child.len() as u64;
        let creator = r#"(func (export "f")
            (drop (call $getArgument (i32.const 0) (i32.const 1000)))
            (call $int64finish (i64.extend_i32_s (call $createContract (i32.const 0) (i32.const 1000)
                (call $getArgumentLength (i32.const 0)) (i32.const 500)
                (i32.const 0) (i32.const 0) (i32.const 0)))))"#;
        let code = contract(creator);
        let own = 3 * code.len() as u64;
        bench.world().put_contract("self", code);
        // An argument (4 + 1), six constants, the length (2 + 1), a constant... the call of 1000; then the code.
        let before = 4 + 1 + 2 + 2 + 1 + 4 + 1 + 1_000;
        let mut run = |gas| {
            let input = VmInput {
                gas_provided: gas,
                ..input(&[&child])
            };
            bench.call_with("self", "f", input).expect("an output")
        };
        // One short: the deploy fails and takes all, so the next call ends it all.
        let output = run(own + before + price - 1);
        assert_eq!(end(&output), OUT_OF_GAS);
        // Exactly: `init` has a limit of 0, which nothing checks; it uses 2, so nothing comes back.
        let output = run(own + before + price);
        assert_eq!(end(&output), OUT_OF_GAS);
        // Enough for both. After the deploy: an extension, a call, 1, the end.
        let output = run(own + before + price + 2 + 4);
        assert_eq!((end(&output), output.gas_remaining), ((0, ""), 0));
        assert_eq!(output.return_data, [""]);
        assert_eq!(account(&output, "new0").code, child);
        let output = run(own + before + price + 2 + 4 + 9);
        assert_eq!(output.gas_remaining, 9);
    });
}

#[test]
fn an_asynchronous_call_has_to_have_more_than_it_sets_aside() {
    on_each_engine_with(telling_schedule(), |bench| {
        let code = contract(r#"(func (export "f") nop)"#);
        // Twice a step and the lock have to be there, and 1 more.
        let price = 3 * code.len() as u64;
        let aside = 70 + 500;
        bench.world().put_contract("self", code);
        let mut run = |gas| {
            let input = VmInput {
                gas_provided: gas,
                call_type: 1,
                ..input(&[])
            };
            bench.call_with("self", "f", input).expect("an output")
        };
        for gas in [price - 1, price, price + 70 + aside] {
            let output = run(gas);
            assert_eq!(
                (end(&output), output.gas_remaining),
                ((5, "not enough gas"), 0)
            );
        }
        // A limit of 1, of which 2 are used. What was set aside comes back, but for the overshoot.
        let output = run(price + 70 + aside + 1);
        assert_eq!((end(&output), output.gas_remaining), ((0, ""), aside - 1));
        let output = run(price + 70 + aside + 10);
        assert_eq!((end(&output), output.gas_remaining), ((0, ""), aside + 8));
        assert_eq!(account(&output, "caller").gas_limit, 8);
    });
}
