//! Asynchronous calls and promises (docs/spec/host.md#asynchronous-calls).

use crate::messages::{OutputAccount, VmInput, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;

/// Calls `destination` with `data` and the value 5; `callBack` returns its arguments.
fn caller_of(destination: &str, data: &str) -> String {
    let length = data.len();
    format!(
        r#"(data (i32.const 0) "{destination:_<32}") (data (i32.const 63) "\05") (data (i32.const 64) "{data}")
        (func (export "f")
            (call $asyncCall (i32.const 0) (i32.const 32) (i32.const 64) (i32.const {length}))
            unreachable)
        (func (export "callBack") (local $index i32)
            (loop $next
                (call $finish (i32.const 500)
                    (call $getArgument (local.get $index) (i32.const 500)))
                (local.set $index (i32.add (local.get $index) (i32.const 1)))
                (br_if $next (i32.lt_s (local.get $index) (call $getNumArguments)))))"#
    )
}

const CALLEE: &str = r#"(data (i32.const 0) "no")
    (func (export "good")
        (call $finish (i32.const 100) (call $getArgument (i32.const 0) (i32.const 100))))
    (func (export "bad") (call $signalError (i32.const 0) (i32.const 2)))"#;

#[test]
fn a_destination_of_this_shard_is_called_at_once_and_answers() {
    on_each_engine(|bench| {
        bench.world().put_contract("callee", contract(CALLEE));
        let output = bench.run(&caller_of("callee", "good@414243"), "f", &[]);
        assert_eq!(end(&output), (0, ""));
        // What the callee returned; then the callback's arguments: the code, which is empty for 0, and the data.
        assert_eq!(output.return_data, ["ABC", "", "ABC"]);
        assert_eq!(account(&output, "callee").balance_delta, Some(5u64.into()));
        let calls = [
            "account(self)",
            "account(callee)",
            "account(self)",
            "account(callee)",
            "account(callee)",
            "account(self)",
        ];
        assert_eq!(bench.world().calls, calls);
        let output = bench.run(&caller_of("callee", "bad"), "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&[4][..], b"no"]);
        assert_eq!(account_names(&output), ["callee", "self"]);
    });
}

#[test]
fn a_failing_callback_takes_the_gas_and_leaves_two_items() {
    on_each_engine(|bench| {
        bench.world().put_contract("callee", contract(CALLEE));
        let caller = caller_of("callee", "good").replace("(loop $next", "unreachable (loop $next");
        let output = bench.run(&caller, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        // `good` without an argument returns -1 bytes... of nothing: it fails, and so does the callback.
        assert_eq!(output.return_data, ["execution failed", "current"]);
        assert_eq!(output.gas_remaining, 0);
    });
}

#[test]
fn other_destinations_are_left_to_the_node() {
    on_each_engine(|bench| {
        let output = bench.run(&caller_of("elsewhere", "f@00"), "f", &[]);
        assert_eq!(end(&output), (0, ""));
        let elsewhere = account(&output, "elsewhere");
        assert_eq!(
            (elsewhere.call_type, &elsewhere.data[..]),
            (1, &b"f@00"[..])
        );
        assert_eq!(elsewhere.balance_delta, Some(5u64.into()));
        assert_eq!(elsewhere.gas_limit, output.gas_remaining);
        let calls = [
            "account(self)",
            "account(elsewhere)",
            "shard(self)",
            "shard(elsewhere)",
            "account(self)",
        ];
        assert_eq!(bench.world().calls, calls);
        let output = bench.run(&caller_of("elsewhere", "f@0"), "f", &[]);
        assert_eq!(end(&output), (10, "tokenize failed"));
        bench
            .world()
            .put_contract("self", contract(&caller_of("elsewhere", "f")));
        bench
            .world()
            .accounts
            .get_mut(&address("self"))
            .expect("there")
            .balance = Some(4u64.into());
        let output = bench.call("self", "f", &[]);
        assert_eq!(end(&output), (7, "failed transfer (insufficient funds)"));
    });
}

#[test]
fn a_call_without_enough_gas_fails_or_breaks() {
    on_each_engine(|bench| {
        bench.world().put_contract("callee", contract(CALLEE));
        let code = contract(&caller_of("callee", "good"));
        let cost = code.len() as u64;
        bench.world().put_contract("self", code);
        // Four constants, the call, the step and four bytes of data have to leave two steps and the lock.
        let least = cost + 5 + 1 + 4 + 100_002;
        for (gas, code) in [(least - 1, 5), (least, 0)] {
            let input = VmInput {
                gas_provided: gas,
                ..input(&[])
            };
            let result = bench.call_with("self", "f", input);
            if code == 0 {
                let error = result.expect_err("no output").to_string();
                assert_eq!(
                    error,
                    "host fault: no gas for the callback of an asynchronous call"
                );
            } else {
                assert_eq!(end(&result.expect("an output")), (5, "not enough gas"));
            }
        }
    });
}

/// Registers calls of `destinations`, two each, then returns.
fn promising(destinations: &[&str], data: &str) -> String {
    let mut text = format!(r#"(data (i32.const 1000) "idyesno{data}") (func (export "f")"#);
    for (index, _) in destinations.iter().enumerate() {
        text += &format!(
            "(call $createAsyncCall (i32.const 1000) (i32.const 2) (i32.const {}) (i32.const 500)
                (i32.const 1007) (i32.const {}) (i32.const 1002) (i32.const 3) (i32.const 1005) (i32.const 2)
                (i64.const 0))",
            index * 32,
            data.len()
        );
    }
    text += r#") (func (export "yes") (call $finish (i32.const 1002) (i32.const 3)))"#;
    for (index, destination) in destinations.iter().enumerate() {
        text += &format!(r#"(data (i32.const {}) "{destination:_<32}")"#, index * 32);
    }
    text
}

#[test]
fn promises_to_this_shard_are_kept_at_the_end() {
    on_each_engine(|bench| {
        bench.world().put_contract("callee", contract(CALLEE));
        let output = bench.run(&promising(&["callee"], "good@41"), "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, ["A", "yes"]);
        let broken = promising(&["callee"], "bad");
        bench.world().put_contract("self", contract(&broken));
        let error = bench
            .call_with("self", "f", input(&[]))
            .expect_err("no output");
        assert_eq!(error.to_string(), "host fault: a promised call failed");
    });
}

fn stored(account: &OutputAccount) -> String {
    let updates = updates(account);
    assert_eq!(updates[0].0, "originalasyncCalls");
    String::from_utf8(updates[0].1.to_vec()).expect("text")
}

#[test]
fn promises_to_other_shards_are_stored_and_answered_later() {
    on_each_engine(|bench| {
        let functions = promising(&["far", "away"], "f");
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        let text = stored(account(&output, "self"));
        assert!(text.starts_with(r#"{"CallerAddr":"Y2FsbGVyX19f"#), "{text}");
        assert!(text.contains(r#""SuccessCallback":"yes","ErrorCallback":"no","ProvidedGas":0}"#));
        let far = account(&output, "far");
        assert_eq!((far.call_type, &far.data[..]), (1, &b"f"[..]));
        assert_eq!(far.gas_limit, account(&output, "away").gas_limit);

        let stored = text.leak();
        bench
            .world()
            .put_storage("self", "originalasyncCalls", stored);
        let answer = |from: &str| VmInput {
            caller_addr: address(from),
            call_type: 2,
            ..input(&[])
        };
        // Two are awaited, so the first answer changes nothing but runs the callback.
        let output = bench
            .call_with("self", "callBack", answer("far"))
            .expect("an output");
        assert_eq!(
            (end(&output), &output.return_data[..]),
            ((0, ""), &[Bytes::from("yes")][..])
        );
        assert_eq!(updates(account(&output, "self"))[0].1, stored.as_bytes());
        let output = bench
            .call_with("self", "yes", answer("stranger"))
            .expect("an output");
        let message = "invalid function (unexpected callback was received)";
        assert_eq!(end(&output), (4, message));
        bench
            .world()
            .put_storage("self", "originalasyncCalls", "null");
        let error = bench
            .call_with("self", "callBack", answer("far"))
            .expect_err("no output");
        assert_eq!(
            error.to_string(),
            "host fault: the stored promises are null"
        );
    });
}

#[test]
fn the_last_answer_ends_the_promises() {
    on_each_engine(|bench| {
        let output = bench.run(&promising(&["far"], "f"), "f", &[]);
        let stored = stored(account(&output, "self")).leak();
        bench
            .world()
            .put_storage("self", "originalasyncCalls", stored);
        let answer = VmInput {
            caller_addr: address("far"),
            call_type: 2,
            ..input(&[])
        };
        let output = bench
            .call_with("self", "callBack", answer)
            .expect("an output");
        assert_eq!(end(&output), (0, ""));
        let deleted = ("originalasyncCalls".into(), Bytes::new());
        assert_eq!(updates(account(&output, "self")), [deleted]);
        let caller = account(&output, "caller");
        assert_eq!((caller.call_type, &caller.data[..]), (2, &b""[..]));
        assert_eq!(caller.gas_limit, output.gas_remaining);
    });
}

#[test]
fn built_in_functions_run_here_and_for_another_shard_there_as_well() {
    on_each_engine(|bench| {
        let answer = VmOutput {
            return_data: vec!["from the hook".into()],
            gas_remaining: GAS / 2,
            ..VmOutput::default()
        };
        bench.world().builtin_answer = Some(Some(answer));
        let data = format!("{BUILTIN}@00");
        let output = bench.run(&caller_of("someone", &data), "f", &[]);
        assert_eq!(end(&output), (0, ""));
        // The function's result, then the callback's arguments.
        assert_eq!(output.return_data, ["from the hook", "", "from the hook"]);
        let someone = account(&output, "someone");
        assert_eq!((someone.call_type, &someone.data[..]), (0, &b""[..]));
        assert_eq!(someone.balance_delta, Some(5u64.into()));

        bench.world().other_shard.push(address("someone"));
        let output = bench.call("self", "f", &[]);
        assert_eq!(output.return_data, ["from the hook"]);
        let someone = account(&output, "someone");
        assert_eq!((someone.call_type, &someone.data[..]), (1, data.as_bytes()));
        // The value moves twice (docs/spec/README.md#quirk-37).
        assert_eq!(someone.balance_delta, Some(10u64.into()));

        bench.world().builtin_answer = None;
        let output = bench.call("self", "f", &[]);
        assert_eq!(end(&output), (10, "the built-in function failed"));
    });
}
