//! Quirks of the host (docs/spec/README.md#quirks-host): asynchronous calls and promises.

use super::texts::*;
use crate::messages::{VmInput, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;

/// Calls a function of a destination, without arguments and value.
fn async_caller(destination: &str, data: &str) -> String {
    format!(
        r#"{} (func (export "f") (call $asyncCall (i32.const 0) (i32.const 512) (i32.const 64) (i32.const {})))
        (func (export "callBack"))"#,
        callee_data(destination, data),
        data.len()
    )
}

/// Callbacks that tell who they are.
const CALLBACKS: &str = r#"(data (i32.const 900) "yesnoback")
    (func (export "yes") (call $finish (i32.const 900) (i32.const 3)))
    (func (export "no") (call $finish (i32.const 903) (i32.const 2)))
    (func (export "callBack") (call $finish (i32.const 905) (i32.const 4)))"#;

const KEY: &str = "originalasyncCalls";

fn answer(from: &str, arguments: &[&[u8]]) -> VmInput {
    VmInput {
        caller_addr: address(from),
        call_type: 2,
        ..input(arguments)
    }
}

/// What is stored when `caller` has `self` call these destinations.
fn store(bench: &mut Bench, caller: &str, destinations: &[&'static str]) {
    let calls: Vec<Promised> = destinations
        .iter()
        .map(|destination| promised("id", destination, "f"))
        .collect();
    let functions = registering("f", &calls) + CALLBACKS;
    bench.world().put_contract("self", contract(&functions));
    let input = VmInput {
        caller_addr: address(caller),
        ..input(&[])
    };
    let output = bench.call_with("self", "f", input).expect("an output");
    assert_eq!(end(&output), (0, ""));
    let stored = updates(account(&output, "self"));
    assert_eq!((stored.len(), &stored[0].0[..]), (1, KEY.as_bytes()));
    let key = (address("self"), KEY.into());
    bench.world().storage.insert(key, stored[0].1.clone());
}

#[test]
fn quirk_37_builtins_of_another_shard_run_twice() {
    on_each_engine(|bench| {
        bench.world().builtin_answer = Some(Some(VmOutput::default()));
        bench.world().other_shard.push(address("far"));
        let functions = async_caller("far", BUILTIN) + r#"(data (i32.const 543) "\05")"#;
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(
            bench.world().calls.last().map(String::as_str),
            Some("builtin(builtIn)")
        );
        let far = account(&output, "far");
        assert_eq!((far.call_type, &far.data[..]), (1, BUILTIN.as_bytes()));
        assert_eq!(far.balance_delta, Some(10u64.into()));
        assert_eq!(
            account(&output, "self").balance_delta,
            Some((-10i64).into())
        );
    });
}

#[test]
fn quirk_38_what_panics_in_asynchronous_calls_is_a_fault() {
    on_each_engine(|bench| {
        let good = r#"(func (export "g") (call $int64finish (i64.const 1))) (func (export "bad") unreachable)"#;
        bench.world().put_contract("callee", contract(good));
        let before = bench.call("callee", "g", &[]);
        let registered = |data| registering("f", &[promised("id", "callee", data)]);
        let rows = [
            // A forbidden init fails before its gas is locked, so that nothing remains.
            (
                async_caller("callee", "init"),
                "no gas for the callback of an asynchronous call",
            ),
            (
                registered("g@0"),
                "a promised call can't be made: tokenize failed",
            ),
            (
                registered(""),
                "a promised call can't be made: tokenize failed",
            ),
            (registered("bad"), "a promised call failed"),
            (registered("init"), "a promised call failed"),
        ];
        for (functions, fault) in rows {
            bench.world().put_contract("self", contract(&functions));
            let text = bench.fault("self", "f", input(&[]));
            assert_eq!(text, format!("host fault: {fault}"));
            assert_eq!(bench.call("callee", "g", &[]), before);
        }
    });
}

#[test]
fn quirk_39_answers_run_the_success_callback_whatever_they_say() {
    on_each_engine(|bench| {
        store(bench, "caller", &["far", "away"]);
        for arguments in [&[&b""[..], b"data"][..], &[b"\x04", b"user error"]] {
            for function in ["callBack", "no"] {
                let output = bench.call_with("self", function, answer("away", arguments));
                let output = output.expect("an output");
                assert_eq!(
                    (end(&output), &output.return_data[..]),
                    ((0, ""), &[Bytes::from("yes")][..])
                );
            }
        }
    });
}

#[test]
fn quirk_39_answers_are_not_written_back_while_others_are_awaited() {
    on_each_engine(|bench| {
        store(bench, "caller", &["far", "away"]);
        let key = (address("self"), Bytes::from(KEY));
        let stored = bench.world().storage[&key].clone();
        for from in ["far", "away", "far"] {
            let output = bench.call_with("self", "callBack", answer(from, &[b""]));
            let output = output.expect("an output");
            // Read, as it was; the caller is told nothing.
            assert_eq!(
                updates(account(&output, "self")),
                [(KEY.into(), stored.clone())]
            );
            assert_eq!(account_names(&output), ["self"]);
        }
    });
}

#[test]
fn quirk_39_the_last_answer_is_told_to_the_contract_itself() {
    on_each_engine(|bench| {
        let asking = r#"(func (export "callBack") unreachable)"#;
        bench.world().put_contract("asking", contract(asking));
        store(bench, "asking", &["far"]);
        let output = bench.call_with("self", "callBack", answer("far", &[b""]));
        let output = output.expect("an output");
        assert_eq!(end(&output), (0, ""));
        // The promise's callback, then `callBack` of the contract that had promised.
        assert_eq!(output.return_data, ["yes", "back"]);
        assert_eq!(
            updates(account(&output, "self")),
            [(KEY.into(), Bytes::new())]
        );
        let calls = [
            "account(self)",
            "storage(originalasyncCalls)",
            "account(asking)",
            "account(asking)",
            "account(self)",
        ];
        assert_eq!(bench.world().calls, calls);
    });
}

#[test]
fn quirk_39_the_callback_of_a_context_is_never_run() {
    on_each_engine(|bench| {
        bench
            .world()
            .put_contract("callee", contract(r#"(func (export "g"))"#));
        let set = status(
            "(call $setAsyncContextCallback (i32.const 10000) (i32.const 2) (i32.const 903) (i32.const 2))",
        );
        let functions = registering("f", &[promised("id", "callee", "g")]);
        let body = functions.strip_suffix(')').expect("a function").to_owned();
        let functions = format!("{body} {set}) {CALLBACKS}");
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        // `no` was set, but is not run.
        assert_eq!(output.return_data, ["", "yes"]);
    });
}

#[test]
fn quirk_39_promises_are_lost_in_same_context_init_and_callbacks() {
    on_each_engine(|bench| {
        let promising = registering("g", &[promised("id", "far", "f")]);
        bench.world().put_contract("callee", contract(&promising));
        for (context, sent) in [("Dest", true), ("Same", false)] {
            let functions = format!(
                r#"{} (func (export "f") (drop {}))"#,
                callee_data("callee", "g"),
                execute(context, "g")
            );
            let output = bench.run(&functions, "f", &[]);
            assert_eq!(end(&output), (0, ""));
            assert_eq!(
                account_names(&output).contains(&"far".to_owned()),
                sent,
                "{context}"
            );
        }
        let init = contract(&registering("init", &[promised("id", "far", "f")]));
        let output = bench.create(init, input(&[]));
        assert_eq!(
            (end(&output), account_names(&output)),
            ((0, ""), vec!["caller".to_owned(), "new0".to_owned()])
        );
        let callback = registering("callBack", &[promised("id", "far", "f")]);
        bench.world().put_contract("self", contract(&callback));
        let output = bench.call_with("self", "callBack", answer("far", &[]));
        let output = output.expect("an output");
        assert_eq!(
            (end(&output), account_names(&output)),
            ((0, ""), vec!["self".to_owned()])
        );
    });
}

#[test]
fn quirk_39_promises_are_kept_in_the_order_of_their_making() {
    on_each_engine(|bench| {
        let echo = r#"(func (export "g") (call $finish (i32.const 0) (call $getArgument (i32.const 0) (i32.const 0))))"#;
        bench.world().put_contract("callee", contract(echo));
        let calls = [
            ("z", "g@01"),
            ("a", "g@02"),
            ("m", "g@03"),
            ("a", "g@04"),
            ("z", "g@05"),
        ];
        let calls = calls.map(|(identifier, data)| promised(identifier, "callee", data));
        let output = bench.run(
            &(registering("f", &calls) + r#"(func (export "yes"))"#),
            "f",
            &[],
        );
        assert_eq!(end(&output), (0, ""));
        // By context, in the order of the first call of each; in Go any order of contexts may come.
        let expected = [1, 5, 2, 4, 3].map(|number| vec![number]);
        assert_eq!(output.return_data, expected);
    });
}

#[test]
fn quirk_40_a_caller_of_another_shard_is_answered_at_once() {
    on_each_engine(|bench| {
        let functions = async_caller("far", "g@00");
        bench.world().put_contract("self", contract(&functions));
        let asynchronous = VmInput {
            caller_addr: address("asking"),
            call_type: 1,
            ..input(&[])
        };
        let output = bench
            .call_with("self", "f", asynchronous)
            .expect("an output");
        assert_eq!(end(&output), (0, ""));
        // A step and the lock; five operators, a step and four bytes. Both are given all that is left.
        let left = GAS - contract(&functions).len() as u64 - (1 + 1 + 100_000) - (5 + 1 + 4);
        let far = account(&output, "far");
        assert_eq!(
            (&far.data[..], far.call_type, far.gas_limit),
            (&b"g@00"[..], 1, left)
        );
        let asking = account(&output, "asking");
        assert_eq!(
            (&asking.data[..], asking.call_type, asking.gas_limit),
            (&b"@6f6b"[..], 2, left)
        );
        assert_eq!(output.gas_remaining, left + 1 + 100_000);
    });
}
