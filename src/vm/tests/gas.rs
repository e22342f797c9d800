//! Gas, computed by hand: every operator and every function costs 1 (docs/spec/gas.md#metering, #deductions,
//! #result-fields).

use crate::messages::VmInput;
use crate::vm::fixtures::*;

#[test]
fn a_call_costs_its_code_its_operators_and_its_host_functions() {
    on_each_engine(|bench| {
        // Executed: call, the function, drop, end.
        let functions = r#"(func (export "f") (drop (call $getNumArguments)))"#;
        let length = contract(functions).len() as u64;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(output.gas_remaining, GAS - length - 4);
        // The gas at the function itself: without drop and end, which are not counted before they are reached.
        let functions = r#"(func (export "f") (call $int64finish (call $getGasLeft)))"#;
        let length = contract(functions).len() as u64;
        let output = bench.run(functions, "f", &[]);
        let left = i64::from_be_bytes({
            let mut bytes = [0; 8];
            let data = &output.return_data[0];
            bytes[8 - data.len()..].copy_from_slice(data);
            bytes
        });
        assert_eq!(left as u64, GAS - length - 2);
        assert_eq!(output.gas_remaining, left as u64 - 3);
    });
}

#[test]
fn a_deploy_costs_the_base_and_its_code() {
    on_each_engine(|bench| {
        let code = contract(r#"(func (export "init") nop)"#);
        let length = code.len() as u64;
        let output = bench.create(code, input(&[]));
        assert_eq!(output.gas_remaining, GAS - 1 - length - 2);
    });
}

#[test]
fn the_end_of_the_gas_within_wasm_is_a_failed_call() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "spin") (loop $l (br $l)))"#;
        let output = bench.run(functions, "spin", &[]);
        let message = "Failed to call the `spin` exported function.: Call error: unknown error";
        assert_eq!(end(&output), (10, message));
        assert_eq!(output.gas_remaining, 0);
        // A run without branches and calls may use more than it has.
        let functions = r#"(func (export "f") nop nop nop)"#;
        let length = contract(functions).len() as u64;
        bench.world().put_contract("self", contract(functions));
        for (gas, code, remaining) in [(length - 1, 5, 0), (length, 0, 0), (length + 5, 0, 1)] {
            let input = VmInput {
                gas_provided: gas,
                ..input(&[])
            };
            let output = bench.call_with("self", "f", input).expect("an output");
            assert_eq!(
                (output.return_code, output.gas_remaining),
                (code, remaining),
                "{gas}"
            );
        }
    });
}

#[test]
fn all_gas_that_there_can_be_is_counted_exactly() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f") (drop (call $getNumArguments)))"#;
        let length = contract(functions).len() as u64;
        bench.world().put_contract("self", contract(functions));
        for gas in [u64::MAX, 1 << 63, (1 << 63) - 1] {
            let input = VmInput {
                gas_provided: gas,
                ..input(&[])
            };
            let output = bench.call_with("self", "f", input).expect("an output");
            assert_eq!(end(&output), (0, ""));
            assert_eq!(output.gas_remaining, gas - length - 4);
        }
    });
}

#[test]
fn charges_of_negative_amounts_wrap() {
    on_each_engine(|bench| {
        // 100 used, then 90 given back; two calls and two functions, two constants and an end.
        let functions = r#"(func (export "f")
            (call $eth.useGas (i64.const 100)) (call $eth.useGas (i64.const -90)))"#;
        let length = contract(functions).len() as u64;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(output.gas_remaining, GAS - length - 10 - 7);
    });
}

#[test]
fn the_gas_that_is_locked_for_an_answer_is_given_back() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f"))
            (func (export "fail") unreachable)"#;
        let length = contract(functions).len() as u64;
        bench.world().put_contract("self", contract(functions));
        let asynchronous = VmInput {
            call_type: 1,
            ..input(&[])
        };
        let output = bench
            .call_with("self", "f", asynchronous.clone())
            .expect("an output");
        // One step is spent; step and lock come back.
        assert_eq!(output.gas_remaining, GAS - length - 1 - 1);
        let answer = account(&output, "caller");
        assert_eq!((answer.call_type, &answer.data[..]), (2, &b"@6f6b"[..]));
        assert_eq!(answer.gas_limit, GAS - length - 100_002 - 1);
        let output = bench
            .call_with("self", "fail", asynchronous)
            .expect("an output");
        assert_eq!((output.return_code, output.gas_remaining), (10, 100_001));
        // A later failure knows nothing of it (docs/spec/README.md#state-that-outlives-a-run).
        let output = bench.call("missing", "f", &[]);
        assert_eq!((output.return_code, output.gas_remaining), (3, 0));
    });
}
