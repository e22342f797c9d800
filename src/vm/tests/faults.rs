//! How calls fail (docs/spec/host.md#return-codes, #error-texts, #breakpoints, #function-resolution, #panics).

use crate::machine::VmFailure;
use crate::messages::VmInput;
use crate::vm::VmFatal;
use crate::vm::fixtures::*;

#[test]
fn functions_are_found_by_name_or_are_main() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f") (call $int64finish (i64.const 1)))"#;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(output.return_data, [vec![1]]);
        let output = bench.call("self", "g", &[]);
        assert_eq!(end(&output), (1, "invalid function (not found)"));
        let functions = r#"(func (export "main") (call $finish (i32.const 0) (call $getFunction (i32.const 0))))"#;
        let output = bench.run(functions, "g", &[]);
        assert_eq!(output.return_data, ["g"]);
        let output = bench.run(r#"(func (export "f") (param i32 i64))"#, "f", &[]);
        let message = "Missing 2 argument(s) when calling the `%s` exported function; Expect 2 argument(s), given 0.";
        assert_eq!(end(&output), (10, message));
    });
}

#[test]
fn functions_that_must_not_be_called() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "init")) (func (export "callBack"))"#;
        for function in ["init", "solidity.ctor"] {
            let output = bench.run(functions, function, &[]);
            let message = "invalid function (calling init() directly is forbidden)";
            assert_eq!(end(&output), (4, message));
        }
        let output = bench.call("self", "callBack", &[]);
        let message = "invalid function (calling callBack() directly is forbidden)";
        assert_eq!(end(&output), (4, message));
        let answer = VmInput {
            call_type: 2,
            ..input(&[])
        };
        let output = bench
            .call_with("self", "callBack", answer)
            .expect("an output");
        assert_eq!(end(&output), (0, ""));
        // Only after the code was found.
        let output = bench.call("missing", "init", &[]);
        assert_eq!(end(&output), (3, "invalid contract code (not found)"));
        assert_eq!(bench.world().calls, ["account(missing)"]);
    });
}

#[test]
fn stored_code_that_is_no_code() {
    on_each_engine(|bench| {
        bench.world().put_contract("self", "no wasm".into());
        let output = bench.call("self", "f", &[]);
        assert_eq!(end(&output), (9, "invalid contract code"));
    });
}

#[test]
fn faults_of_host_functions_take_all_gas_and_tell_why() {
    let faults = [
        (
            "(call $finish (i32.const -1) (i32.const 1))",
            "mem load: bad bounds",
        ),
        (
            "(call $finish (i32.const 0) (i32.const -1))",
            "mem load: negative length",
        ),
        ("(call $getCaller (i32.const -1))", "bad bounds (lower)"),
        (
            "(call $getCaller (i32.const 0x7fffffff))",
            "bad bounds (upper)",
        ),
        (
            "(drop (call $int64getArgument (i32.const 0)))",
            "argument index out of range",
        ),
        (
            "(call $writeLog (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -2))",
            "GuardedMakeByteSlice2D: negative length (-2)",
        ),
        (
            "(call $bigIntTDiv (i32.const 0) (i32.const 1) (i32.const 2))",
            "division by 0",
        ),
        (
            "(drop (call $setAsyncContextCallback (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))",
            "async context was not created yet",
        ),
        (
            "(call $eth.returnDataCopy (i32.const 0) (i32.const 0) (i32.const 2))",
            "invalid API call",
        ),
        (
            "(call $eth.callDataCopy (i32.const 0) (i32.const 5) (i32.const 0))",
            "GuardedGetBytesSlice: bad bounds",
        ),
    ];
    on_each_engine(|bench| {
        for (call, message) in faults {
            let functions = format!(
                r#"(func (export "f")
                    (call $int64finish (i64.const 1)) {call} (call $int64finish (i64.const 2)))"#
            );
            let output = bench.run(&functions, "f", &[]);
            assert_eq!(end(&output), (10, message));
            assert_eq!((output.gas_remaining, output.return_data.len()), (0, 0));
            assert_eq!(output.gas_refund, Some(0u64.into()));
        }
    });
}

#[test]
fn signalled_errors_show_the_contracts_message() {
    on_each_engine(|bench| {
        let functions = r#"(data (i32.const 0) "my reason\ff")
            (func (export "f") (call $signalError (i32.const 0) (i32.const 10)) unreachable)
            (func (export "revert me") (call $eth.revert (i32.const 0) (i32.const 1)))"#;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(end(&output), (4, "my reason\u{fffd}"));
        let output = bench.call("self", "revert me", &[]);
        assert_eq!(end(&output), (4, "revert"));
        let output = bench.run(r#"(func (export "f") unreachable)"#, "f", &[]);
        let message = "Failed to call the `f` exported function.: Call error: unknown error";
        assert_eq!(end(&output), (10, message));
    });
}

#[test]
fn what_panics_in_the_reference_has_no_output() {
    let panics = [
        (
            "(drop (call $getReturnDataSize (i32.const -1)))",
            "runtime error: index out of range [-1]",
        ),
        (
            "(call $bigIntGetSignedArgument (i32.const -7) (i32.const 0))",
            "runtime error: index out of range [-7]",
        ),
        (
            "(call $eth.log (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            "runtime error: index out of range [4] with length 4",
        ),
        (
            "(call $finish (i32.const 0) (i32.const 0x7fffffff))",
            "host fault: a payload of ContractResponse that takes 2863311980 bytes as JSON; the limit is 1073741824",
        ),
    ];
    on_each_engine(|bench| {
        for (call, message) in panics {
            let functions = format!(r#"(func (export "f") {call})"#);
            bench.world().put_contract("self", contract(&functions));
            match bench.call_with("self", "f", input(&[])) {
                Err(NoOutput::Failure(VmFailure(text))) => assert_eq!(text, message),
                other => panic!("{other:?}"),
            }
            // The VM goes on.
            let output = bench.run(r#"(func (export "f"))"#, "f", &[]);
            assert_eq!(end(&output), (0, ""));
        }
    });
}

#[test]
fn code_without_a_memory_may_not_call_the_host() {
    on_each_engine(|bench| {
        let code = r#"(module
            (import "env" "getNumArguments" (func $count (result i32)))
            (func (export "host") (drop (call $count)))
            (func (export "alone")))"#;
        let code = wat::parse_str(code).expect("valid text");
        bench.world().put_contract("self", code.into());
        assert_eq!(end(&bench.call("self", "alone", &[])), (0, ""));
        let error = bench
            .call_with("self", "host", input(&[]))
            .expect_err("no output");
        assert_eq!(
            error.to_string(),
            "host fault: a contract without a memory called env.getNumArguments"
        );
    });
}

#[test]
fn an_input_without_a_value_has_no_output() {
    on_each_engine(|bench| {
        let input = VmInput {
            call_value: None,
            ..input(&[])
        };
        let error = bench.call_with("self", "f", input).expect_err("no output");
        assert_eq!(error.to_string(), "host fault: the input has no call value");
    });
}

#[test]
fn a_broken_hook_ends_everything_wherever_it_breaks() {
    let functions = r#"(data (i32.const 0) "destination")
        (func (export "f")
            (call $getSCAddress (i32.const 0))
            (call $getExternalBalance (i32.const 0) (i32.const 100))
            (drop (call $storageStore (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 3)))
            (drop (call $getBlockNonce))
            (drop (call $getBlockHash (i64.const 1) (i32.const 100)))
            (drop (call $createContract (i32.const 200) (i32.const 0) (i32.const 4) (i32.const 300)
                (i32.const 0) (i32.const 0) (i32.const 0))))
        (func (export "nested") (local $length i32)
            (local.set $length (call $getArgument (i32.const 0) (i32.const 400)))
            (call $getSCAddress (i32.const 0))
            (drop (call $executeOnDestContext (i64.const 100000) (i32.const 0) (i32.const 200)
                (i32.const 400) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 0))))"#;
    on_each_engine(|bench| {
        for call in [
            "account",
            "storage",
            "current_nonce",
            "block_hash",
            "new_address",
        ] {
            for (function, arguments) in [("f", &[][..]), ("nested", &[&b"f"[..]])] {
                bench.world().breaks_at = Some(call);
                bench.world().put_contract("self", contract(functions));
                match bench.call_with("self", function, input(arguments)) {
                    Err(NoOutput::Fatal(VmFatal::Hook(source))) => {
                        assert_eq!(source.to_string(), "the pipe is broken");
                    }
                    other => panic!("{call} in {function}: {other:?}"),
                }
            }
        }
    });
}
