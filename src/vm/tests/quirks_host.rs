//! Quirks of the host (docs/spec/README.md#quirks-host): deploys, accounts, codes and modes.

use super::texts::*;
use crate::messages::{VmInput, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;

/// A contract whose function `f` deploys argument 0 and then goes on.
fn creator(then: &str) -> String {
    format!(r#"(func (export "f") (local $length i32) {READ_CODE} (drop {CREATE}) {then})"#)
}

/// Writes, emits and returns something.
const TOUCH: &str = r#"(drop (call $storageStore (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 2)))
    (call $writeLog (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 0))
    (call $finish (i32.const 0) (i32.const 1))"#;

fn failing_child() -> Bytes {
    contract(&format!(
        r#"(data (i32.const 0) "key") (data (i32.const 8) "no")
        (func (export "init") {TOUCH} (call $signalError (i32.const 8) (i32.const 2)))"#
    ))
}

#[test]
fn quirk_25_a_failed_deploy_by_a_contract_is_not_rolled_back() {
    on_each_engine(|bench| {
        let functions = r#"(data (i32.const 543) "\05")"#.to_owned() + &creator("");
        let output = bench.run(&functions, "f", &[&failing_child()]);
        // The creator ends normally, with the child's code and message, and without gas.
        assert_eq!((end(&output), output.gas_remaining), ((4, "no"), 0));
        assert_eq!(output.return_data, ["k"]);
        assert_eq!(output.logs[0].address, address("new0"));
        let new = account(&output, "new0");
        assert_eq!(
            (new.balance_delta.clone(), &new.code[..]),
            (Some(5u64.into()), &b""[..])
        );
        assert_eq!(updates(new), []);
        let creating = account(&output, "self");
        assert_eq!(
            (creating.balance_delta.clone(), creating.nonce),
            (Some((-5i64).into()), 1)
        );
        assert_eq!(updates(creating), [("key".into(), "ke".into())]);
        // What the creator reads is what the child has written, also if all went well: it never had storage of its own.
        let child = contract(&format!(
            r#"(data (i32.const 0) "key") (func (export "init") {TOUCH})"#
        ));
        let read = status(r#"(call $storageLoadLength (i32.const 600) (i32.const 3))"#);
        let functions = r#"(data (i32.const 600) "key")"#.to_owned() + &creator(&read);
        let output = bench.run(&functions, "f", &[&child]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&b"k"[..], &[2]]);
    });
}

#[test]
fn quirk_25_a_nested_creator_fails_with_the_childs_message() {
    on_each_engine(|bench| {
        // `return not is not ok` becomes code 10; the message that was there goes first.
        bench.world().put_contract("callee", contract(&creator("")));
        let code: String = failing_child()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let data = format!("f@{code}");
        let functions = format!(
            r#"(data (i32.const 0) "{:_<32}") (data (i32.const 600) "{data}")
            (func (export "f") (call $asyncCall (i32.const 0) (i32.const 512) (i32.const 600) (i32.const {})))
            (func (export "callBack")
                (call $finish (i32.const 100) (call $getArgument (i32.const 0) (i32.const 100)))
                (call $finish (i32.const 100) (call $getArgument (i32.const 1) (i32.const 100))))"#,
            "callee",
            data.len()
        );
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&[10][..], b"no"]);
    });
}

#[test]
fn quirk_26_the_nonce_of_a_creator_begins_with_zero() {
    on_each_engine(|bench| {
        let then = format!("(drop {CREATE}) (drop {CREATE})");
        bench
            .world()
            .put_contract("self", contract(&creator(&then)));
        bench
            .world()
            .accounts
            .get_mut(&address("self"))
            .expect("there")
            .nonce = 8;
        let output = bench.call("self", "f", &[&contract("")]);
        assert_eq!(end(&output), (0, ""));
        // By nonces 0, 1 - 1 and 2 - 1; a deploy by an account with nonce 8 would have been by 7.
        assert_eq!(account_names(&output), ["new0", "new1", "self"]);
        assert_eq!(account(&output, "self").nonce, 3);
        bench
            .world()
            .accounts
            .get_mut(&address("caller"))
            .expect("there")
            .nonce = 8;
        let output = bench.create(contract(""), input(&[]));
        assert_eq!(account_names(&output), ["caller", "new7"]);
    });
}

#[test]
fn quirk_27_init_can_not_spend_the_call_value() {
    on_each_engine(|bench| {
        let pay = status(
            "(call $transferValue (i32.const 100) (i32.const 200) (i32.const 0) (i32.const 0))",
        );
        let init = format!(
            r#"(data (i32.const 231) "\01") (func (export "init")
                (call $getSCAddress (i32.const 0))
                (call $bigIntGetExternalBalance (i32.const 0) (i32.const 5))
                (call $bigIntFinishUnsigned (i32.const 5)) {pay})"#
        );
        let valued = VmInput {
            call_value: Some(9u64.into()),
            ..input(&[])
        };
        let output = bench.create(contract(&init), valued.clone());
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&b""[..], &[1]]);
        assert_eq!(account(&output, "new0").balance_delta, Some(9u64.into()));
        // It could, were the account known to the hook.
        bench.world().put_account("new0", 0);
        let output = bench.create(contract(&init), valued);
        assert_eq!(output.return_data, [&[9][..], b""]);
    });
}

#[test]
fn quirk_28_nested_calls_lose_the_metadata_of_new_code() {
    on_each_engine(|bench| {
        let callee = r#"(func (export "good")) (func (export "bad") unreachable)"#;
        bench.world().put_contract("callee", contract(callee));
        let child = contract("");
        let mut metadata = |call: &str, function: &str| {
            // The address of the new contract takes the place of the callee's.
            let call = call.replacen("(i32.const 0)", "(i32.const 100)", 1);
            let functions = format!(
                r#"(data (i32.const 100) "{:_<32}") (data (i32.const 64) "{function}") {}"#,
                "callee",
                creator(&call)
            );
            let output = bench.run(&functions, "f", &[&child]);
            assert_eq!(end(&output), (0, ""));
            assert_eq!(account(&output, "new0").code, child);
            account(&output, "new0").code_metadata.to_vec()
        };
        assert_eq!(metadata("", ""), [1, 0]);
        for (context, function, kept) in [
            ("Dest", "good", &[][..]),
            ("Dest", "bad", &[]),
            ("Same", "good", &[1, 0]),
            ("Same", "bad", &[]),
        ] {
            let call = format!("(drop {})", execute(context, function));
            assert_eq!(metadata(&call, function), kept, "{context} {function}");
        }
    });
}

#[test]
fn quirk_29_transfers_to_one_account_join_their_data_and_replace_its_gas() {
    on_each_engine(|bench| {
        // The callee leaves an asynchronous call to the node.
        let callee = format!(
            r#"{} (func (export "g") (call $asyncCall (i32.const 0) (i32.const 512) (i32.const 64) (i32.const 4)))"#,
            callee_data("elsewhere", "f@00")
        );
        bench.world().put_contract("callee", contract(&callee));
        let functions = |then: &str| {
            format!(
                r#"{} (data (i32.const 100) "{:_<32}") (data (i32.const 200) "tail")
                (func (export "f") (drop {}) {then})"#,
                callee_data("callee", "g"),
                "elsewhere",
                execute("Dest", "g")
            )
        };
        let output = bench.run(&functions(""), "f", &[]);
        let sent = account(&output, "elsewhere");
        // Given, less its code, five operators, a step and four bytes.
        let gas = 500_000 - contract(&callee).len() as u64 - 5 - 1 - 4;
        assert_eq!(
            (&sent.data[..], sent.gas_limit, sent.call_type),
            (&b"f@00"[..], gas, 1)
        );
        let transfer = "(drop (call $transferValue (i32.const 100) (i32.const 512) (i32.const 200) (i32.const 4)))";
        let output = bench.run(&functions(transfer), "f", &[]);
        let sent = account(&output, "elsewhere");
        assert_eq!(
            (&sent.data[..], sent.gas_limit, sent.call_type),
            (&b"f@00tail"[..], 0, 1)
        );
    });
}

#[test]
fn quirk_30_read_only_mode_ends_early_and_stops_little() {
    on_each_engine(|bench| {
        bench.world().builtin_answer = Some(Some(VmOutput {
            gas_remaining: 400_000,
            ..VmOutput::default()
        }));
        let store = status(
            "(call $storageStore (i32.const 350) (i32.const 3) (i32.const 350) (i32.const 1))",
        );
        // An inner call that fails loses all gas that it is given.
        let inner = execute_for_caller("executeReadOnly", "none").replace("500000", "1000");
        let callee = format!(
            r#"{} (data (i32.const 331) "\01") (data (i32.const 350) "key") (data (i32.const 400) "f")
            (func (export "pays") {store}
                (drop (call $transferValue (i32.const 0) (i32.const 300) (i32.const 0) (i32.const 0))))
            (func (export "built in") {store} (drop {}))
            (func (export "async") {store}
                (call $asyncCall (i32.const 0) (i32.const 512) (i32.const 400) (i32.const 1)))
            (func (export "read only twice") {store} (drop {inner}) {store})"#,
            callee_data("elsewhere", BUILTIN),
            execute("Dest", BUILTIN),
        );
        bench.world().put_contract("callee", contract(&callee));
        let mut run = |function: &str| {
            let functions = format!(
                r#"{} (func (export "f") {})"#,
                callee_data("callee", function),
                status(&execute_for_caller("executeReadOnly", function))
            );
            let output = bench.run(&functions, "f", &[]);
            assert_eq!(end(&output), (0, ""), "{function}");
            (output, bench.world().calls.clone())
        };
        // The write has changed nothing; the call was good.
        let (output, _) = run("pays");
        assert_eq!(output.return_data, ["", ""]);
        assert_eq!(
            account(&output, "elsewhere").balance_delta,
            Some(1u64.into())
        );
        let (output, calls) = run("built in");
        assert_eq!(
            (&output.return_data[..], calls.last()),
            (
                &[Bytes::new(), Bytes::new()][..],
                Some(&"builtin(builtIn)".to_owned())
            )
        );
        let (output, _) = run("async");
        assert_eq!(output.return_data, ["", ""]);
        assert_eq!(account(&output, "elsewhere").call_type, 1);
        // Added, after the inner call.
        let (output, _) = run("read only twice");
        assert_eq!(output.return_data, [&[][..], &[2], &[]]);
        assert_eq!(
            updates(account(&output, "self")),
            [("key".into(), "k".into())]
        );
    });
}

#[test]
fn quirk_31_looking_leaves_traces() {
    on_each_engine(|bench| {
        bench.world().put_account("rich", 7);
        bench.world().put_storage("self", "old", "value");
        bench.world().put_storage("self", "void", "");
        let functions = format!(
            r#"(data (i32.const 0) "{:_<32}{:_<32}") (data (i32.const 100) "oldvoidnull")
            (func (export "f")
                (call $bigIntGetExternalBalance (i32.const 0) (i32.const 1))
                (call $bigIntGetExternalBalance (i32.const 32) (i32.const 1))
                (drop (call $storageLoadLength (i32.const 100) (i32.const 3)))
                (drop (call $storageLoadLength (i32.const 103) (i32.const 4)))
                (drop (call $storageLoadLength (i32.const 107) (i32.const 4))))"#,
            "rich", "nobody"
        );
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(account_names(&output), ["nobody", "rich", "self"]);
        assert_eq!(account(&output, "rich").balance, Some(7u64.into()));
        assert_eq!(account(&output, "nobody").balance, None);
        let read = [
            ("old".into(), "value".into()),
            ("void".into(), Bytes::new()),
        ];
        assert_eq!(updates(account(&output, "self")), read);
    });
}

#[test]
fn quirk_32_new_contracts_can_not_be_called_in_the_same_run() {
    on_each_engine(|bench| {
        let child = contract(r#"(func (export "main"))"#);
        // The address of the child is where the callee's is expected.
        let then = [
            execute("Dest", "main"),
            execute("Same", "main"),
            "(call $eth.getExternalCodeSize (i32.const 0))".to_owned(),
            "(call $isSmartContract (i32.const 0))".to_owned(),
        ];
        let then = then
            .map(|call| status(&call))
            .concat()
            .replace("500000", "1000");
        let functions = r#"(data (i32.const 64) "main")"#.to_owned() + &creator(&then);
        let output = bench.run(&functions, "f", &[&child]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&[1][..], &[1], &[], &[]]);
        assert_eq!(account(&output, "new0").code, child);
        // In a later run it can.
        bench.world().put_contract("new0", child);
        let output = bench.run(&functions, "f", &[&contract("")]);
        assert_eq!(output.return_data[..2], ["", ""]);
    });
}

#[test]
fn quirk_33_code_11_has_no_text_and_others_never_come() {
    on_each_engine(|bench| {
        // A built-in function's code is that of the run; an answer to another shard has it as text.
        bench.world().builtin_answer = Some(Some(VmOutput {
            return_code: 11,
            ..VmOutput::default()
        }));
        let functions = format!(
            r#"{} (func (export "f") (drop {}))"#,
            callee_data("callee", BUILTIN),
            execute("Same", BUILTIN)
        );
        bench.world().put_contract("self", contract(&functions));
        let asynchronous = VmInput {
            call_type: 1,
            ..input(&[])
        };
        let output = bench
            .call_with("self", "f", asynchronous)
            .expect("an output");
        assert_eq!(output.return_code, 11);
        // "unknown error, code: 11"
        let text = "@756e6b6e6f776e206572726f722c20636f64653a203131";
        assert_eq!(account(&output, "caller").data, text);
        // Not 2: a result is no obstacle to a call, and not told apart in a deploy.
        let functions = r#"(func (export "f") (result i32) i32.const 7)"#;
        assert_eq!(end(&bench.run(functions, "f", &[])), (0, ""));
        assert_eq!(bench.create(contract(functions), input(&[])).return_code, 9);
        // Not 6: there is code at the new address already.
        bench.world().put_contract("new0", contract(""));
        assert_eq!(bench.create(contract(""), input(&[])).return_code, 0);
        // Not 8: a native stack that is full is a trap.
        let output = bench.run(r#"(func $f (export "f") (call $f))"#, "f", &[]);
        assert_eq!(output.return_code, 10);
    });
}

#[test]
fn quirk_34_missing_arguments_are_those_of_percent_s() {
    on_each_engine(|bench| {
        let functions =
            r#"(func (export "f") (param i64)) (func (export "main") (param i32 i32 i32))"#;
        let message = |count: u32| {
            format!(
                "Missing {count} argument(s) when calling the `%s` exported function; Expect {count} argument(s), given 0."
            )
        };
        assert_eq!(end(&bench.run(functions, "f", &[])), (10, &message(1)[..]));
        assert_eq!(end(&bench.run(functions, "g", &[])), (10, &message(3)[..]));
    });
}

#[test]
fn quirk_35_faults_leave_no_instances_behind() {
    on_each_engine(|bench| {
        // Each level gives half of its gas to the next one; the innermost call, the tenth, is refused.
        let functions = |at_the_end: &str| {
            format!(
                r#"(data (i32.const 64) "f") (func (export "f")
                    (call $getSCAddress (i32.const 0))
                    (if (call $executeOnDestContext (i64.div_u (call $getGasLeft) (i64.const 2)) (i32.const 0)
                        (i32.const 512) (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0))
                        (then {at_the_end}))
                    (call $int64finish (i64.const 1)))"#
            )
        };
        let panics = contract(&functions(
            "(drop (call $getReturnDataSize (i32.const -1)))",
        ));
        let rich = || VmInput {
            gas_provided: 1000 * GAS,
            ..input(&[])
        };
        bench.world().put_contract("panics", panics);
        bench
            .world()
            .put_contract("counts", contract(&functions("")));
        for _ in 0..12 {
            let text = bench.fault("panics", "f", rich());
            assert_eq!(text, "runtime error: index out of range [-1]");
            // The first instance and nine that it waits for.
            let output = bench.call_with("counts", "f", rich()).expect("an output");
            assert_eq!((end(&output), output.return_data.len()), ((0, ""), 10));
        }
    });
}

#[test]
fn quirk_36_floats_are_allowed_where_they_become_integers() {
    on_each_engine(|bench| {
        let functions = format!(
            r#"(func $float (param f64) (result f32) (local f32) (local.get 1))
            (func (export "init") (local $double f64) (local $single f32)
                {} {}
                (call $int64finish (i64.trunc_sat_f32_u (call $float (local.get $double))))
                (call $int64finish (i64.reinterpret_f64 (local.get $double))))"#,
            status("(i32.trunc_f64_s (local.get $double))"),
            status("(i32.reinterpret_f32 (local.get $single))"),
        );
        let code = contract(&functions);
        let length = code.len() as u64;
        let output = bench.create(code, input(&[]));
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, ["", "", "", ""]);
        // The deploy; 4 and the function, twice; 4, the function's two, and the host's; 3 and the host's; end.
        let executed = 2 * (4 + 1) + (4 + 2 + 1) + (3 + 1) + 1;
        assert_eq!(output.gas_remaining, GAS - 1 - length - executed);
        for operator in [
            "(drop (f32.const 0))",
            "(drop (f64.neg (local.get 0)))",
            "(drop (f32.demote_f64 (local.get 0)))",
        ] {
            let code = contract(&format!(r#"(func (export "init") (local f64) {operator})"#));
            assert_eq!(bench.create(code, input(&[])).return_code, 9, "{operator}");
        }
    });
}
