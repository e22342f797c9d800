//! Rows of the functions of `env` that run, deploy and promise (docs/spec/eei.md#base-functions).

use super::rows::*;
use crate::messages::VmOutput;
use crate::vm::fixtures::*;
use bytes::Bytes;

/// The text of a trap, and of the end of the gas.
pub const TRAP: &str = "Failed to call the `abc` exported function.: Call error: unknown error";

/// Reads the code of the child from the storage.
const READ_CHILD: &str =
    "(drop (call $storageLoad (i32.const 484) (i32.const 4) (i32.const 2000)))";

pub fn rows() -> Vec<Row> {
    let mut rows = own_calls();
    rows.extend(calls_for_the_caller());
    rows.extend(deploys());
    rows.extend(asynchronous_calls());
    rows.push(gas_left());
    rows
}

/// Returns its first argument.
pub fn child() -> Bytes {
    contract(
        r#"(func (export "init")
            (call $finish (i32.const 0) (call $getArgument (i32.const 0) (i32.const 0))))"#,
    )
}

/// The code is compiled; three constants, two calls and an end; two bytes are returned.
fn child_gas() -> u64 {
    let functions = api("GetArgument") + api("Finish") + 2 * base("PersistPerByte");
    base("CompilePerByte") * child().len() as u64 + 6 + functions
}

/// The code is compiled; two times three constants and two calls, and an end; three bytes are returned.
fn args_gas() -> u64 {
    let functions = 2 * api("GetArgument") + 2 * api("Finish") + 3 * base("PersistPerByte");
    base("CompilePerByte") * callee().len() as u64 + 11 + functions
}

fn own_calls() -> Vec<Row> {
    let mut rows = Vec::new();
    for (function, key) in [
        ("env.executeOnDestContext", "ExecuteOnDestContext"),
        ("env.executeOnSameContext", "ExecuteOnSameContext"),
    ] {
        // Arguments of two and one bytes.
        let price = api(key) + 3 * base("DataCopyPerByte");
        rows.extend([
            good(function, &[50_000, 0, 128, 480, 4, 2, 496, 160])
                .costs(price + callee_gas())
                .check(|output| assert_moved(output, "self", 258 - 5, 5)),
            good(function, &[-1, 0, 128, 484, 4, 2, 496, 160])
                .data(&[b"ab", b"c"])
                .costs(price + args_gas()),
            // Without arguments their offsets are not read.
            good(function, &[50_000, 0, 128, 480, 4, 0, -1, -1]).costs(api(key) + callee_gas()),
            // There is no code: what was given is gone.
            bad(function, &[50_000, 64, 128, 480, 4, 2, 496, 160])
                .returns(1)
                .costs(price + 50_000)
                .check(|output| assert_eq!(account_names(output), ["self"])),
            // Too little for the value: nothing was given yet.
            bad(function, &[50_000, 0, 416, 480, 4, 2, 496, 160])
                .returns(1)
                .costs(price),
            // Not enough to compile the code.
            bad(function, &[100, 0, 128, 480, 4, 2, 496, 160])
                .returns(1)
                .costs(price + 100),
        ]);
        let unreadable: [&[i64]; 6] = [
            &[50_000, -1, 128, 480, 4, 2, 496, 160],
            &[50_000, 0, -1, 480, 4, 2, 496, 160],
            &[50_000, 0, 128, -1, 4, 2, 496, 160],
            &[50_000, 0, 128, 480, 4, -2, 496, 160],
            &[50_000, 0, 128, 480, 4, 2, -1, 160],
            &[50_000, 0, 128, 480, 4, 2, 496, -1],
        ];
        // Softly, and for free.
        rows.extend(unreadable.map(|arguments| bad(function, arguments).returns(1)));
    }
    rows
}

/// What the one who pays and the callee have more than before.
fn assert_moved(output: &VmOutput, payer: &str, payer_delta: i64, callee_delta: i64) {
    let delta = |name| account(output, name).balance_delta.clone();
    assert_eq!(delta(payer), Some(payer_delta.into()));
    assert_eq!(delta("callee"), Some(callee_delta.into()));
}

fn calls_for_the_caller() -> Vec<Row> {
    let mut rows = Vec::new();
    for (function, key) in [
        ("env.delegateExecution", "DelegateExecution"),
        ("env.executeReadOnly", "ExecuteReadOnly"),
    ] {
        let price = api(key) + 3 * base("DataCopyPerByte");
        rows.extend([
            // The value of the call, 258, moves twice.
            good(function, &[50_000, 0, 480, 4, 2, 496, 160])
                .costs(price + callee_gas())
                .check(|output| assert_moved(output, "caller", -516, 516)),
            good(function, &[50_000, 0, 484, 4, 2, 496, 160])
                .data(&[b"ab", b"c"])
                .costs(price + args_gas()),
            // There is no code; the first of the two transfers stays.
            bad(function, &[50_000, 64, 480, 4, 2, 496, 160])
                .returns(1)
                .costs(price + 50_000)
                .check(|output| {
                    let delta = |name| account(output, name).balance_delta.clone();
                    assert_eq!(delta("nobody"), Some(258u64.into()));
                    assert_eq!(delta("caller"), Some((-258i64).into()));
                }),
            fault(function, &[50_000, -1, 480, 4, 2, 496, 160], LOAD_BOUNDS),
            fault(function, &[50_000, 0, -1, 4, 2, 496, 160], LOAD_BOUNDS),
            fault(function, &[50_000, 0, 480, -4, 2, 496, 160], LOAD_LENGTH),
            fault(function, &[50_000, 0, 480, 4, -2, 496, 160], LOAD_LENGTH),
            fault(function, &[50_000, 0, 480, 4, 2, -1, 160], LOAD_BOUNDS),
            fault(function, &[50_000, 0, 480, 4, 2, 496, -1], LOAD_BOUNDS),
        ]);
    }
    rows
}

fn deploys() -> Vec<Row> {
    let length = child().len() as i64;
    let function = "env.createContract";
    // The bytes of the code are free.
    let price = api("CreateContract") + 3 * base("DataCopyPerByte");
    let bad_load = |arguments: &[i64]| fault(function, arguments, LOAD_BOUNDS);
    vec![
        good(function, &[128, 2000, length, RESULT, 2, 496, 160])
            .before(READ_CHILD)
            .data(&[b"ab"])
            .writes(address("new0"))
            .costs(price + child_gas())
            .check(|output| {
                let new = account(output, "new0");
                assert_eq!((&new.code, &new.code_metadata[..]), (&child(), &[1, 0][..]));
                assert_eq!(new.balance_delta, Some(5u64.into()));
                let creator = account(output, "self");
                assert_eq!(creator.balance_delta, Some(253u64.into()));
                assert_eq!(creator.nonce, 1);
            }),
        bad_load(&[-1, 2000, length, RESULT, 2, 496, 160]),
        bad_load(&[128, -1, length, RESULT, 2, 496, 160]),
        bad_load(&[128, 2000, length, RESULT, 2, -1, 160]),
        bad_load(&[128, 2000, length, RESULT, 2, 496, -1]),
        fault(function, &[128, 2000, length, -1, 2, 496, 160], LOWER).before(READ_CHILD),
        // No code. All gas is gone, so the contract ends at the next call.
        bad(function, &[128, 2000, 0, RESULT, 0, 0, 0]).stops(10, TRAP),
    ]
}

/// The promises that the run stored.
fn promises(output: &VmOutput) -> String {
    let updates = updates(account(output, "self"));
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0].0, "originalasyncCalls");
    String::from_utf8(updates[0].1.to_vec()).expect("text")
}

fn asynchronous_calls() -> Vec<Row> {
    let create = "env.createAsyncCall";
    let set = "env.setAsyncContextCallback";
    let promise = "(call $createAsyncCall (i32.const 160) (i32.const 3) (i32.const 64)
        (i32.const 128) (i32.const 160) (i32.const 3) (i32.const 480) (i32.const 4)
        (i32.const 484) (i32.const 4) (i64.const 1234))";
    let good_promise = [160, 3, 64, 128, 160, 3, 480, 4, 484, 4, 1234];
    let mut rows = vec![
        // No account of this shard has that address, so the call is left to the node.
        good("env.asyncCall", &[64, 128, 160, 3])
            .stops(0, "")
            .check(|output| {
                let nobody = account(output, "nobody");
                assert_eq!((nobody.call_type, &nobody.data[..]), (1, &b"abc"[..]));
                assert_eq!(nobody.balance_delta, Some(5u64.into()));
                assert_eq!(nobody.gas_limit, output.gas_remaining);
            }),
        fault("env.asyncCall", &[-1, 128, 160, 3], LOAD_BOUNDS),
        fault("env.asyncCall", &[64, -1, 160, 3], LOAD_BOUNDS),
        fault("env.asyncCall", &[64, 128, 160, -3], LOAD_LENGTH),
        // Free.
        good(create, &good_promise).check(|output| {
            assert_eq!(
                promises(output),
                concat!(
                    r#"{"CallerAddr":"Y2FsbGVyX19fX19fX19fX19fX19fX19fX19fX19fX18=","ReturnData":null,"#,
                    r#""AsyncContextMap":{"abc":{"Callback":"","AsyncCalls":[{"Status":0,"#,
                    r#""Destination":"bm9ib2R5X19fX19fX19fX19fX19fX19fX19fX19fX18=","Data":"YWJj","#,
                    r#""GasLimit":1234,"ValueBytes":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAU=","#,
                    r#""SuccessCallback":"main","ErrorCallback":"args","ProvidedGas":1234}]}}}"#
                )
            );
        }),
        good(set, &[160, 3, 480, 4])
            .before(promise)
            .check(|output| {
                assert!(promises(output).contains(r#"{"abc":{"Callback":"main","#));
            }),
        fault(set, &[160, 2, 480, 4], "async context was not created yet").before(promise),
        fault(set, &[-1, 3, 480, 4], LOAD_BOUNDS).before(promise),
        fault(set, &[160, 3, -1, 4], LOAD_BOUNDS).before(promise),
    ];
    // Identifier, destination, value, data and both callbacks.
    for offset in [0, 2, 3, 4, 6, 8] {
        let mut arguments = good_promise;
        arguments[offset] = -1;
        rows.push(fault(create, &arguments, LOAD_BOUNDS));
    }
    rows
}

fn gas_left() -> Row {
    let row = good("env.getGasLeft", &[]);
    let code = base("CompilePerByte") * row.contract().len() as u64;
    // The row asks before: two questions, whose calls are two operators, and between them the first answer is stored.
    let left = GAS - code - 2 * api("GetGasLeft") - 3;
    row.returns(left as i64).costs(api("GetGasLeft"))
}
