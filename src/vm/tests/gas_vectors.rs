//! The numbers that the tests of the reference assert (docs/spec/gas.md#vectors), a test for each row.
//!
//! The reference's contracts are not here; ours are made to the same figures. They have the same number of bytes
//! ([`padded`]), forward the same gas, hand over as many bytes of arguments, and use as many points before, in and
//! after the nested call: what their calls cost is counted at each function, the rest is `nop`. So the rules that
//! make up a sum are the same. In the comments `c + b` stands for constants and calls (with what is done to the
//! result), and for what the host functions charge. In this schedule everything costs 1, so a function that handles n
//! bytes charges 1 + n.

use crate::messages::{VmInput, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;

/// A contract that has exactly so many bytes: the rest is a custom section, which costs what all bytes cost.
pub(super) fn padded(functions: &str, length: usize) -> Bytes {
    let mut code = contract(functions).to_vec();
    // Before the content stand the section's number and its length, which may take more bytes than it needs.
    let content = length
        .checked_sub(code.len() + 3)
        .expect("the contract is small enough");
    assert!((1..1 << 14).contains(&content));
    code.extend([0, content as u8 | 0x80, (content >> 7) as u8]);
    // The content begins with an empty name.
    code.resize(length, 0);
    code.into()
}

/// Operators that do nothing, for a point each.
pub(super) fn nops(count: usize) -> String {
    "nop ".repeat(count)
}

/// What the parents have in memory, the address of the callee being first.
fn parent_data(callee: &str, function: &str) -> String {
    format!(
        r#"(data (i32.const 0) "{callee:_<32}") (data (i32.const 63) "\63")
        (data (i32.const 64) "{function}")
        (data (i32.const 100) "succ") (data (i32.const 104) "fail")
        (data (i32.const 200) "{:_<32}") (data (i32.const 232) "{:_<32}") (data (i32.const 264) "{:_<32}")
        (data (i32.const 327) "\2a") (data (i32.const 328) "parentTransferData")
        (data (i32.const 400) "parentDataA") (data (i32.const 411) "parentDataB")
        (data (i32.const 430) "parentFinish!")"#,
        "keyA", "keyB", "receiver"
    )
}

/// Two writes (12 + 24), two items of return data (6 + 28), a transfer (6 + 19), an item (3 + 5), 33 times nothing, and
/// the end: 137 points, all of them in the parents' rows "prepare", and a call more in the others.
fn prepare() -> String {
    format!(
        r#"(func $prepare (export "parentFunctionPrepare")
            (drop (call $storageStore (i32.const 200) (i32.const 32) (i32.const 400) (i32.const 11)))
            (drop (call $storageStore (i32.const 232) (i32.const 32) (i32.const 411) (i32.const 11)))
            (call $finish (i32.const 430) (i32.const 13))
            (call $finish (i32.const 430) (i32.const 13))
            (drop (call $transferValue (i32.const 264) (i32.const 296) (i32.const 328) (i32.const 18)))
            (call $finish (i32.const 100) (i32.const 4))
            {})"#,
        nops(33)
    )
}

/// Calls a function of the callee with arguments whose lengths are at 500, and returns how that went. Before the
/// function begins 10 constants and the call are paid; after it ended a selection, a constant, a call and 5 points: 8.
fn execute(context: &str, gas: u64, function: &str, arguments: usize) -> String {
    let length = function.len();
    format!(
        "(call $finish (select (i32.const 104) (i32.const 100)
            (call $executeOn{context}Context (i64.const {gas}) (i32.const 0) (i32.const 32)
                (i32.const 64) (i32.const {length})
                (i32.const {arguments}) (i32.const 500) (i32.const 512)))
            (i32.const 4))"
    )
}

/// The bytes of a parent, by the context that its functions run others on.
fn parent_length(context: &str) -> usize {
    match context {
        "Same" => 3607,
        _ => 3294,
    }
}

/// The bytes of the child.
fn child_length(context: &str) -> usize {
    match context {
        "Same" => 3277,
        _ => 1805,
    }
}

/// Runs `f` of the parent with a million of gas; it must end well and use so much, besides the price of its code.
fn uses(bench: &mut Bench, context: &str, function: &str, used: u64) -> Vec<Bytes> {
    let output = bench.call("self", function, &[]);
    assert_eq!(end(&output), (0, ""));
    let left = 1_000_000 - parent_length(context) as u64 - used;
    assert_eq!(output.gas_remaining, left, "{context}");
    output.return_data
}

fn put_parent(bench: &mut Bench, context: &str, functions: &str) {
    let code = padded(functions, parent_length(context));
    assert_eq!(code.len(), parent_length(context));
    bench.world().put_contract("self", code);
}

fn put_child(bench: &mut Bench, context: &str, functions: &str) {
    let code = padded(functions, child_length(context));
    bench.world().put_contract("child", code);
}

const PREPARED: [&str; 3] = ["parentFinish!", "parentFinish!", "succ"];

#[test]
fn deploy_of_init_correct() {
    on_each_engine(|bench| {
        // 52: the value (3 + 1), an argument (3 + 1), 15 bytes returned (3 + 16), 24 times nothing, the end.
        let functions = format!(
            r#"(data (i32.const 0) "init successful")
            (func (export "init")
                (drop (call $getCallValue (i32.const 100)))
                (drop (call $int64getArgument (i32.const 0)))
                (call $finish (i32.const 0) (i32.const 15))
                {})"#,
            nops(24)
        );
        let deploy = VmInput {
            call_value: Some(88u64.into()),
            gas_provided: 1000,
            ..input(&[&[0]])
        };
        let output = bench.create(padded(&functions, 368), deploy);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, ["init successful"]);
        assert_eq!(output.gas_remaining, 1000 - 1 - 368 - 52);
        assert_eq!(output.gas_remaining, 579);
    });
}

#[test]
fn parent_function_prepare() {
    on_each_engine(|bench| {
        for context in ["Same", "Dest"] {
            let functions = parent_data("child", "") + &prepare();
            put_parent(bench, context, &functions);
            let returned = uses(bench, context, "parentFunctionPrepare", 137);
            assert_eq!(returned, PREPARED);
        }
    });
}

#[test]
fn parent_function_wrong_call() {
    on_each_engine(|bench| {
        // The arguments have 38 bytes, or 41; all gas that is given to a callee which does not exist is lost.
        for (context, lengths, charge, lost) in [
            ("Same", r"\20\00\00\00\06\00\00\00", 39, 50_000),
            ("Dest", r"\20\00\00\00\09\00\00\00", 42, 10_000),
        ] {
            // Before: a call and 137, 11 for the execution, 33 times nothing: 182.
            // After: 8 for how it went, 35 times nothing, the end: 44.
            let functions = format!(
                r#"{} {} (data (i32.const 500) "{lengths}")
                (func (export "f") (call $prepare) {} {} {})"#,
                parent_data("missing", "childFunction"),
                prepare(),
                nops(33),
                execute(context, lost, "childFunction", 2),
                nops(35)
            );
            put_parent(bench, context, &functions);
            let returned = uses(bench, context, "f", 182 + charge + lost + 44);
            assert_eq!(returned[..3], PREPARED);
            assert_eq!(returned[3..], ["fail"]);
        }
    });
}

#[test]
fn parent_function_child_call_out_of_gas() {
    on_each_engine(|bench| {
        for context in ["Same", "Dest"] {
            // Before: a write (6 + 12), a number (3 + 1), 13 bytes returned (3 + 14), 11 for the execution, 78 times
            // nothing: 128. Without arguments the call charges 1. The child loses all that it was given.
            // After: 8 for how it went, a write (6 + 12), 27 times nothing, the end: 54.
            let functions = format!(
                r#"{}
                (func (export "f")
                    (drop (call $storageStore (i32.const 200) (i32.const 32) (i32.const 400) (i32.const 11)))
                    (drop (call $bigIntNew (i64.const 42)))
                    (call $finish (i32.const 430) (i32.const 13))
                    {} {}
                    (drop (call $storageStore (i32.const 232) (i32.const 32) (i32.const 411) (i32.const 11)))
                    {})"#,
                parent_data("child", "spin"),
                nops(78),
                execute(context, 3500, "spin", 0),
                nops(27)
            );
            put_parent(bench, context, &functions);
            // It can pay for its code, so what it lacks it lacks within wasm: the nonce is asked once, and not again.
            let spin = r#"(func (export "spin")
                (drop (call $getBlockNonce)) (loop $l (br $l)) (drop (call $getBlockNonce)))"#;
            put_child(bench, context, spin);
            let returned = uses(bench, context, "f", 128 + 1 + 3500 + 54);
            assert_eq!(returned, ["parentFinish!", "fail"]);
            let asked = bench.world().calls.join(" ");
            assert_eq!(asked.matches("current_nonce").count(), 1, "{asked}");
        }
    });
}

#[test]
fn parent_function_child_call_on_same_context() {
    on_each_engine(|bench| {
        // Before: a call and 137, 11 for the execution, 48 times nothing: 197.
        // After: 8 for how it went, the length of what the child stored (4 + 1), the value (5 + 10), which is returned
        // (3 + 10), 97 times nothing, the end: 139.
        let functions = format!(
            r#"{} {} (data (i32.const 500) "\20\00\00\00\06\00\00\00")
            (data (i32.const 512) "{:_<32}qwerty") (data (i32.const 600) "childKey")
            (func (export "f") (call $prepare) {} {}
                (drop (call $storageLoadLength (i32.const 600) (i32.const 8)))
                (drop (call $storageLoad (i32.const 600) (i32.const 8) (i32.const 620)))
                (call $finish (i32.const 620) (i32.const 9))
                {})"#,
            parent_data("child", "childFunction"),
            prepare(),
            "transfers",
            nops(48),
            execute("Same", 200_000, "childFunction", 2),
            nops(97)
        );
        put_parent(bench, "Same", &functions);
        // Two arguments (8 + 2), a write (6 + 10), 11 bytes returned (3 + 12), a read of the parent's storage (5 + 12),
        // which is returned (3 + 12), a transfer (6 + 7), 344 times nothing, the end: 431.
        let child = format!(
            r#"(data (i32.const 0) "childKey") (data (i32.const 8) "childData") (data (i32.const 20) "childFinish")
            (data (i32.const 40) "{:_<32}") (data (i32.const 103) "\60")
            (func (export "childFunction")
                (drop (call $getArgument (i32.const 0) (i32.const 200)))
                (drop (call $getArgument (i32.const 1) (i32.const 232)))
                (drop (call $storageStore (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 9)))
                (call $finish (i32.const 20) (i32.const 11))
                (drop (call $storageLoad (i32.const 40) (i32.const 32) (i32.const 300)))
                (call $finish (i32.const 300) (i32.const 11))
                (drop (call $transferValue (i32.const 200) (i32.const 72) (i32.const 232) (i32.const 6)))
                {})"#,
            "keyA",
            nops(344)
        );
        put_child(bench, "Same", &child);
        let returned = uses(bench, "Same", "f", 197 + 39 + 431 + 139 + 3277);
        assert_eq!(returned[..3], PREPARED);
        assert_eq!(
            returned[3..],
            ["childFinish", "parentDataA", "succ", "childData"]
        );
    });
}

#[test]
fn parent_function_child_call_on_dest_context() {
    on_each_engine(|bench| {
        // Before: a call and 137, 11 for the execution, 43 times nothing: 192.
        // After: 8 for how it went, 4 bytes returned (3 + 5), 48 times nothing, the end: 65.
        let functions = format!(
            r#"{} {} (data (i32.const 500) "\20\00\00\00\09\00\00\00")
            (func (export "f") (call $prepare) {} {}
                (call $finish (i32.const 100) (i32.const 4))
                {})"#,
            parent_data("child", "childFunction"),
            prepare(),
            nops(43),
            execute("Dest", 200_000, "childFunction", 2),
            nops(48)
        );
        put_parent(bench, "Dest", &functions);
        // A write (6 + 10), 11 bytes returned (3 + 12), a transfer (6 + 17), 36 times nothing, the end: 91.
        let child = format!(
            r#"(data (i32.const 0) "childKey") (data (i32.const 8) "childData") (data (i32.const 20) "childFinish")
            (data (i32.const 40) "{:_<32}") (data (i32.const 103) "\0c") (data (i32.const 104) "Second sentence.")
            (func (export "childFunction")
                (drop (call $storageStore (i32.const 0) (i32.const 8) (i32.const 8) (i32.const 9)))
                (call $finish (i32.const 20) (i32.const 11))
                (drop (call $transferValue (i32.const 40) (i32.const 72) (i32.const 104) (i32.const 16)))
                {})"#,
            "receiver",
            nops(36)
        );
        put_child(bench, "Dest", &child);
        let returned = uses(bench, "Dest", "f", 192 + 42 + 91 + 65 + 1805);
        assert_eq!(returned[..3], PREPARED);
        assert_eq!(returned[3..], ["childFinish", "succ", "succ"]);
    });
}

#[test]
fn parent_function_child_call_big_ints() {
    on_each_engine(|bench| {
        // Three handles are the arguments: 13 = 1 + 12. On the same context the child finds the parent's numbers behind
        // them, and their sum (84 + 96) has a byte; on its own it finds zeros, and their sum has none.
        // Before: three numbers (9 + 3), 11 for the execution, 120 times nothing: 143.
        // The child: an argument (3 + 1), a sum (4 + 1), which is returned (2 + 1, and its bytes), nothing, the end.
        // After: 8 for how it went, the sum (2 + 1, and its bytes), nothing, the end.
        for (context, bytes, child_nops, child_points, after_nops, after) in
            [("Same", 1, 93, 107, 54, 67), ("Dest", 0, 88, 101, 56, 68)]
        {
            let functions = format!(
                r#"{} (data (i32.const 500) "\04\00\00\00\04\00\00\00\04\00\00\00")
                (data (i32.const 515) "\00\00\00\00\01\00\00\00\02")
                (func (export "f")
                    (drop (call $bigIntNew (i64.const 84)))
                    (drop (call $bigIntNew (i64.const 96)))
                    (drop (call $bigIntNew (i64.const 1024)))
                    {} {}
                    (call $bigIntFinishUnsigned (i32.const 3))
                    {})"#,
                parent_data("child", "childFunction_BigInts"),
                nops(120),
                execute(context, 200_000, "childFunction_BigInts", 3),
                nops(after_nops)
            );
            put_parent(bench, context, &functions);
            let child = format!(
                r#"(func (export "childFunction_BigInts")
                    (drop (call $int64getArgument (i32.const 2)))
                    (call $bigIntAdd (i32.const 3) (i32.const 0) (i32.const 1))
                    (call $bigIntFinishUnsigned (i32.const 3))
                    {})"#,
                nops(child_nops)
            );
            put_child(bench, context, &child);
            let compilation = child_length(context) as u64;
            let used = 143 + 13 + child_points + after + compilation;
            let sum = Bytes::from(vec![180; bytes]);
            let returned = uses(bench, context, "f", used);
            assert_eq!(returned, [sum.clone(), "succ".into(), sum]);
        }
    });
}

/// What is left of 100,000 when a function of 1404 bytes gives 500 to another one of the same address.
fn left_after_builtin(bench: &mut Bench, function: &str, nop_count: usize) -> (u64, Vec<Bytes>) {
    let functions = format!(
        r#"{} (func (export "f") {} {})"#,
        parent_data("self", function),
        execute("Same", 500, function, 0),
        nops(nop_count)
    );
    bench.world().put_contract("self", padded(&functions, 1404));
    let provided = VmInput {
        gas_provided: 100_000,
        ..input(&[])
    };
    let output = bench.call_with("self", "f", provided).expect("an output");
    assert_eq!(end(&output), (0, ""));
    (output.gas_remaining, output.return_data)
}

fn leave(bench: &mut Bench, gas: u64) {
    let answer = VmOutput {
        gas_remaining: gas,
        ..VmOutput::default()
    };
    bench.world().builtin_answer = Some(Some(answer));
}

// The three functions of the reference are not equally long: 92, 96 and 96 points. Each makes the execution (11 + 1),
// tells how it went (8), and ends (1); the rest is nothing.

#[test]
fn builtin_that_leaves_400_of_500() {
    on_each_engine(|bench| {
        leave(bench, 400);
        let (left, returned) = left_after_builtin(bench, BUILTIN, 71);
        assert_eq!(left, 100_000 - 1404 - 92 - 100);
        assert_eq!(left, 98_404);
        assert_eq!(returned, ["succ"]);
    });
}

#[test]
fn builtin_that_leaves_everything() {
    on_each_engine(|bench| {
        // More than all gas is the same as all gas.
        for gas in [500, 501, u64::MAX] {
            leave(bench, gas);
            let (left, returned) = left_after_builtin(bench, BUILTIN, 75);
            assert_eq!(left, 100_000 - 1404 - 96);
            assert_eq!(left, 98_500);
            assert_eq!(returned, ["succ"]);
        }
    });
}

#[test]
fn builtin_that_fails() {
    on_each_engine(|bench| {
        // The reference's test names a function that is no built-in one, so its contract is to run, and can't pay for
        // its code of 1404 bytes: that costs the same as a hook that fails.
        for function in [BUILTIN, "noBuiltin"] {
            let (left, returned) = left_after_builtin(bench, function, 75);
            assert_eq!(left, 100_000 - 1404 - 96 - 500);
            assert_eq!(left, 98_000);
            assert_eq!(returned, ["fail"]);
            let asked = bench.world().calls.join(" ");
            assert_eq!(asked.contains("builtin("), function == BUILTIN, "{asked}");
        }
    });
}

#[test]
fn deploy_of_no_wasm() {
    on_each_engine(|bench| {
        for (gas, code) in [(8, 5), (9, 9)] {
            let deploy = VmInput {
                gas_provided: gas,
                ..input(&[])
            };
            let output = bench.create("not WASM".into(), deploy);
            assert_eq!(output.return_code, code);
        }
    });
}
