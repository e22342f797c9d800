//! Quirks of gas (docs/spec/README.md#quirks-gas).

use super::texts::*;
use crate::messages::{GasCostEntry, GasSectionEntry, VmInput, VmOutput};
use crate::vm::fixtures::*;
use crate::vm::{Vm, VmParameters};
use bytes::Bytes;

/// What the start of an asynchronous call takes (docs/spec/gas.md#deductions), where a step costs 1 and the lock is
/// 100000; all but one step comes back.
const ASYNC_START: u64 = 1 + LOCKED;
const LOCKED: u64 = 1 + 100_000;

fn length(functions: &str) -> u64 {
    contract(functions).len() as u64
}

fn with_gas(gas_provided: u64) -> VmInput {
    VmInput {
        gas_provided,
        ..input(&[])
    }
}

fn asynchronous() -> VmInput {
    VmInput {
        call_type: 1,
        ..input(&[])
    }
}

#[test]
fn quirk_15_out_of_gas_inside_wasm_is_a_failed_execution() {
    on_each_engine(|bench| {
        let spin = r#"(func (export "main") (loop $l (br $l)))"#;
        // The text names the function that was run, not the one asked for.
        let output = bench.run(spin, "spin", &[]);
        let message = "Failed to call the `main` exported function.: Call error: unknown error";
        assert_eq!(end(&output), (10, message));
        // An explicit check has a code of its own.
        let output = bench.call_with("self", "spin", with_gas(length(spin) - 1));
        assert_eq!(end(&output.expect("an output")), (5, "not enough gas"));
    });
}

#[test]
fn quirk_16_only_branches_and_calls_look_at_the_limit() {
    // What it has used when it looks; for the others, nothing.
    let rows = [
        ("(block (br 0))", Some(2)),
        ("(block (br_if 0 (i32.const 1)))", Some(3)),
        ("(block (br_if 0 (i32.const 0)))", Some(3)),
        ("(block (br_table 0 (i32.const 0)))", Some(3)),
        ("(call $empty)", Some(1)),
        ("(call_indirect (i32.const 0))", Some(2)),
        ("nop nop nop", None),
        ("(loop nop)", None),
        ("(if (i32.const 1) (then nop) (else nop))", None),
        ("(if (i32.const 0) (then nop) (else nop))", None),
        ("(block nop) return", None),
    ];
    on_each_engine(|bench| {
        for (body, looks_at) in rows {
            let functions = format!(
                r#"(table 1 funcref) (elem (i32.const 0) $empty) (func $empty)
                (func (export "f") {body})"#
            );
            bench.world().put_contract("self", contract(&functions));
            let mut code = |limit: u64| {
                let gas = with_gas(length(&functions) + limit);
                let output = bench.call_with("self", "f", gas).expect("an output");
                output.return_code
            };
            match looks_at {
                Some(used) => assert_eq!((code(used), code(used + 1)), (10, 0), "{body}"),
                None => assert_eq!((code(0), code(1)), (0, 0), "{body}"),
            }
        }
    });
}

#[test]
fn quirk_17_locked_gas_is_lost_by_nested_calls() {
    on_each_engine(|bench| {
        let callee = r#"(func (export "g"))"#;
        bench.world().put_contract("callee", contract(callee));
        let functions = format!(
            r#"{} (func (export "plain")) (func (export "nests") (drop {}))
            (func (export "fails") unreachable) (func (export "nests and fails") (drop {}) unreachable)"#,
            callee_data("callee", "g"),
            execute("Dest", "g"),
            execute("Dest", "g"),
        );
        let start = GAS - length(&functions) - ASYNC_START;
        bench.world().put_contract("self", contract(&functions));
        let mut gas = |function: &str| {
            let output = bench.call_with("self", function, asynchronous());
            output.expect("an output").gas_remaining
        };
        assert_eq!(gas("plain"), start - 1 + LOCKED);
        // Nine operators and the function; the callee's code and its end; drop and end.
        assert_eq!(gas("nests"), start - 10 - length(callee) - 1 - 2);
        assert_eq!(gas("fails"), LOCKED);
        assert_eq!(gas("nests and fails"), 0);
    });
}

#[test]
fn quirk_17_locked_gas_does_not_outlive_a_run() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "fails") unreachable)"#;
        bench.world().put_contract("self", contract(functions));
        let failures: [fn(&mut Bench) -> VmOutput; 4] = [
            |bench| bench.create("not wasm".into(), with_gas(7)),
            |bench| bench.create("not wasm".into(), input(&[])),
            |bench| bench.call("missing", "f", &[]),
            |bench| {
                bench
                    .call_with("self", "f", with_gas(1))
                    .expect("an output")
            },
        ];
        for (failure, code) in failures.into_iter().zip([5, 9, 3, 5]) {
            let output = bench.call_with("self", "fails", asynchronous());
            assert_eq!(output.expect("an output").gas_remaining, LOCKED);
            let output = failure(bench);
            assert_eq!((output.return_code, output.gas_remaining), (code, 0));
        }
    });
}

/// Calls `g` of `callee` asynchronously; the callback tells its gas.
fn async_caller() -> String {
    format!(
        r#"{} (func (export "f") (call $asyncCall (i32.const 0) (i32.const 512) (i32.const 64) (i32.const 1)))
        (func (export "callBack") (call $int64finish (call $getGasLeft)))"#,
        callee_data("callee", "g")
    )
}

#[test]
fn quirk_18_the_gas_of_a_callback_mixes_two_calls() {
    on_each_engine(|bench| {
        let callee = r#"(func (export "g"))"#;
        bench.world().put_contract("callee", contract(callee));
        let output = bench.run(&async_caller(), "f", &[]);
        assert_eq!(end(&output), (0, ""));
        let (own, other) = (length(&async_caller()), length(callee));
        // Five operators, a step, a byte of data.
        let used = 5 + 1 + 1;
        // The destination is given what is left less a step, pays for its code and one step, and executes its end.
        let provided = GAS - own - used - 1 - other - 1;
        let used_after = used + other + 1 + 1;
        // What remains of that is taken to be this, although the callee has used 1.
        let remaining = provided - used_after;
        // A step; `callBack` and one argument, which is empty.
        let callback = remaining - 1 - 8 - 1;
        // It pays for its code; the call of getGasLeft.
        assert_eq!(number(&output.return_data[0]), (callback - own - 2) as i64);
        // In truth nothing but the callback's own gas is spent: two calls, two functions, end.
        assert_eq!(output.gas_remaining, GAS - own - used_after - own - 5);
    });
}

#[test]
fn quirk_19_an_asynchronous_call_takes_three_steps() {
    let step = 1_000;
    on_each_engine_with(schedule_with(&[("AsyncCallStep", step)]), |bench| {
        let callee = r#"(func (export "g") (call $int64finish (call $getGasLeft)))"#;
        bench.world().put_contract("callee", contract(callee));
        let output = bench.run(&async_caller(), "f", &[]);
        let (own, other) = (length(&async_caller()), length(callee));
        // At the call, with five operators and a byte of data; before the destination; when that starts, besides the
        // step and the lock that come back.
        let at_the_call = 5 + step + 1;
        let left = GAS - own - at_the_call - step - other - step - (step + 100_000);
        assert_eq!(number(&output.return_data[0]), (left - 2) as i64);
        // The second is not lost: it was never taken. Both functions are two calls, two functions and an end.
        assert_eq!(
            output.gas_remaining,
            GAS - own - at_the_call - step - other - 5 - own - 5
        );
    });
}

#[test]
fn quirk_20_gas_that_is_sent_also_remains() {
    on_each_engine(|bench| {
        // The destination has no code here.
        let output = bench.run(&async_caller(), "f", &[]);
        let left = GAS - length(&async_caller()) - 5 - 1 - 1;
        assert_eq!(account(&output, "callee").gas_limit, left);
        assert_eq!(output.gas_remaining, left);
        // The same for an answer; the lock comes back after that.
        let functions = r#"(func (export "f"))"#;
        bench.world().put_contract("self", contract(functions));
        let output = bench
            .call_with("self", "f", asynchronous())
            .expect("an output");
        let left = GAS - length(functions) - ASYNC_START - 1;
        assert_eq!(account(&output, "caller").gas_limit, left);
        assert_eq!(output.gas_remaining, left + LOCKED);
    });
}

#[test]
fn quirk_21_same_length_overwrite_is_free_of_per_byte_gas() {
    let costs = [
        ("StorePerByte", 1_000),
        ("PersistPerByte", 1_000),
        ("ReleasePerByte", 1_000),
        ("DataCopyPerByte", 1_000),
    ];
    on_each_engine_with(schedule_with(&costs), |bench| {
        bench.world().put_storage("self", "key", "abc");
        let write = |length: u32| {
            format!(
                r#"(data (i32.const 0) "keyx") (func (export "f") (drop (call $storageStore
                    (i32.const 0) (i32.const 3) (i32.const 1) (i32.const {length}))))"#
            )
        };
        // Four operands, a call, the function, drop, end.
        assert_eq!(bench.executed(&write(3), "f", &[]), 8);
        // One byte less: each of the two that stay costs.
        assert_eq!(bench.executed(&write(2), "f", &[]), 8 + 2_000);
    });
}

#[test]
fn refunds_of_a_call_add_up() {
    on_each_engine(|bench| {
        bench.world().put_storage("self", "key", "abc");
        bench.world().put_storage("self", "kex", "de");
        let functions = r#"(data (i32.const 600) "keykex") (func (export "f")
            (drop (call $storageStore (i32.const 600) (i32.const 3) (i32.const 0) (i32.const 0)))
            (drop (call $storageStore (i32.const 603) (i32.const 3) (i32.const 0) (i32.const 0))))"#;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.gas_refund, Some(5u64.into()));
    });
}

#[test]
fn quirk_22_refunds_before_a_nested_call_are_lost() {
    on_each_engine(|bench| {
        bench.world().put_storage("self", "key", "abc");
        bench.world().put_contract(
            "callee",
            contract(r#"(func (export "g")) (func (export "b") unreachable)"#),
        );
        let refund = |bench: &mut Bench, call: &str, function: &str| {
            let functions = format!(
                r#"{} (data (i32.const 600) "key") (func (export "f")
                    (drop (call $storageStore (i32.const 600) (i32.const 3) (i32.const 0) (i32.const 0)))
                    {call})"#,
                callee_data("callee", function)
            );
            let output = bench.run(&functions, "f", &[]);
            assert_eq!(end(&output), (0, ""));
            output.gas_refund.expect("never null").to_string()
        };
        let execute =
            |context: &str, function: &str| format!("(drop {})", execute(context, function));
        assert_eq!(refund(bench, "", "g"), "3");
        assert_eq!(refund(bench, &execute("Dest", "g"), "g"), "0");
        assert_eq!(refund(bench, &execute("Same", "g"), "g"), "3");
        // Of a call that fails nothing remains, and so the refund is back.
        assert_eq!(refund(bench, &execute("Dest", "b"), "b"), "3");
        for (answer, on_same, on_dest) in [(None, "0", "0"), (Some(5), "8", "5")] {
            bench.world().builtin_answer = Some(Some(VmOutput {
                gas_refund: answer.map(|refund: u64| refund.into()),
                ..VmOutput::default()
            }));
            assert_eq!(refund(bench, &execute("Same", BUILTIN), BUILTIN), on_same);
            assert_eq!(refund(bench, &execute("Dest", BUILTIN), BUILTIN), on_dest);
        }
    });
}

#[test]
fn quirk_23_schedules_are_refused_for_misspelt_keys_but_not_for_unknown_ones() {
    let build = |schedule: Vec<GasSectionEntry>| {
        let parameters = VmParameters {
            gas_schedule: schedule,
            ..parameters()
        };
        Vm::new(parameters, node().0)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let rename = |name: &'static [u8], new: &'static str| {
        let mut schedule = schedule_entries();
        let costs = schedule.iter_mut().flat_map(|section| &mut section.value);
        for cost in costs.filter(|cost| cost.key == name) {
            cost.key = new.into();
        }
        schedule
    };
    let message = "Gas cost for operation PersistPerByte has been set to 0 or is not set.";
    assert_eq!(
        build(rename(b"PersistPerByte", "PersitPerByte")),
        Err(message.to_owned())
    );
    assert_eq!(build(rename(b"PersistPerByte", "persistperbyte")), Ok(()));
    let mut more = schedule_entries();
    let unknown = GasCostEntry {
        key: "BigIntByteLength".into(),
        value: 0,
    };
    more[2].value.push(unknown.clone());
    more.push(GasSectionEntry {
        key: "MetaChainSystemSCsCost".into(),
        value: vec![unknown],
    });
    assert_eq!(build(more), Ok(()));
}

#[test]
fn quirk_24_opcode_costs_are_those_of_each_vm() {
    // The first VM of a process does not fix them.
    let functions = r#"(func (export "f") nop nop)"#;
    for cost in [1, 5, 1] {
        on_each_engine_with(
            schedule_with(&[("Nop", cost), ("End", 2 * cost)]),
            |bench| {
                assert_eq!(bench.executed(functions, "f", &[]), 4 * cost);
            },
        );
    }
}

#[test]
fn quirk_24_operators_with_wrong_costs_are_refused() {
    on_each_engine(|bench| {
        let vector = "(v128.const i64x2 0 0) (v128.const i64x2 0 0)";
        for body in [
            "(table.fill $t (i32.const 0) (ref.null func) (i32.const 0))".to_owned(),
            format!("(drop (i8x16.min_s {vector}))"),
            format!("(drop (i8x16.min_u {vector}))"),
            format!("(drop (i8x16.max_s {vector}))"),
        ] {
            let code: Bytes = contract(&format!(
                r#"(table $t 1 funcref) (func (export "f") {body})"#
            ));
            let output = bench.create(code, input(&[]));
            assert_eq!(end(&output), (9, "invalid contract code"), "{body}");
        }
        let output = bench.create(
            contract(r#"(table $t 1 funcref) (func (export "f"))"#),
            input(&[]),
        );
        assert_eq!(end(&output), (0, ""));
    });
}
