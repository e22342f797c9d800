//! The namespace `ethereum` where one call is not enough to see it: nested calls, deploys, and odd callers
//! (docs/spec/eei.md#predefined-contracts, #calldata, #ethereum).

use super::ethereum_rows::SHA256_OF_ABC;
use super::execution_rows::TRAP;
use super::rows::{MEMORY, row_input};
use crate::messages::{Account, BigInt, VmInput, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;
use num_bigint::BigInt as Number;

/// Returns the value, the caller, the argument and the function of its call; then writes a key.
const REPORTER: &str = r#"(data (i32.const 100) "k")
    (func (export "main")
        (call $bigIntGetCallValue (i32.const 0)) (call $bigIntFinishUnsigned (i32.const 0))
        (call $getCaller (i32.const 0)) (call $finish (i32.const 0) (i32.const 32))
        (call $finish (i32.const 0) (call $getArgument (i32.const 0) (i32.const 0)))
        (call $finish (i32.const 0) (call $getFunction (i32.const 0)))
        (call $int64finish (i64.extend_i32_s (call $storageStore
            (i32.const 100) (i32.const 1) (i32.const 100) (i32.const 1)))))"#;

/// A contract that makes one call and returns its result.
fn caller_of(call: &str) -> Bytes {
    contract(&format!(
        r#"{MEMORY} (func (export "abc") (call $int64finish (i64.extend_i32_s {call})))"#
    ))
}

/// Runs that contract as a row, with this callee.
fn run(bench: &mut Bench, call: &str, callee: &str) -> VmOutput {
    bench.world().put_contract("self", caller_of(call));
    bench.world().put_contract("callee", contract(callee));
    let output = bench.call_with("self", "abc", row_input());
    output.expect("an output")
}

const CALL: &str = "(call $eth.call (i64.const 100000) (i32.const 0) (i32.const 96) (i32.const 160) (i32.const 3))";
const CALL_CODE: &str = "(call $eth.callCode (i64.const 100000) (i32.const 0) (i32.const 96) (i32.const 160) (i32.const 3))";
const DELEGATE: &str =
    "(call $eth.callDelegate (i64.const 100000) (i32.const 0) (i32.const 160) (i32.const 3))";

fn delta(output: &VmOutput, name: &str) -> Option<BigInt> {
    account(output, name).balance_delta.clone()
}

/// What the reporter wrote under its key.
fn written() -> [(Bytes, Bytes); 1] {
    [("k".into(), "k".into())]
}

#[test]
fn a_call_pays_twice_and_has_its_own_storage() {
    on_each_engine(|bench| {
        let output = run(bench, CALL, REPORTER);
        assert_eq!(end(&output), (0, ""));
        // The key was added (2), the call succeeded (0).
        let own = address("self");
        let expected = [&[5][..], &own, b"abc", b"main", &[2], &[]];
        assert_eq!(output.return_data, expected);
        assert_eq!(delta(&output, "callee"), Some(10u64.into()));
        assert_eq!(delta(&output, "self"), Some(248u64.into()));
        assert_eq!(updates(account(&output, "callee")), written());
        assert_eq!(updates(account(&output, "self")), []);
        // A callee that fails: the first of the payments stays.
        let output = run(bench, CALL, r#"(func (export "main") unreachable)"#);
        assert_eq!(output.return_data, [vec![1]]);
        assert_eq!(delta(&output, "callee"), Some(5u64.into()));
        assert_eq!(delta(&output, "self"), Some(253u64.into()));
    });
}

#[test]
fn the_callee_of_call_code_reads_the_value_in_the_other_byte_order() {
    on_each_engine(|bench| {
        // 5 is moved by the function, 5 * 2^248 by the execution.
        let moved = Number::from(5) << 248;
        bench.world().put_contract("self", caller_of(CALL_CODE));
        bench.world().put_contract("callee", contract(REPORTER));
        let rich: Number = Number::from(1) << 255;
        bench
            .world()
            .accounts
            .get_mut(&address("self"))
            .expect("there")
            .balance = Some(BigInt::from(&rich));
        let output = bench.call_with("self", "abc", row_input());
        let output = output.expect("an output");
        let mut value = [0; 32];
        value[0] = 5;
        let own = address("self");
        let expected = [&value[..], &own, b"abc", b"main", &[2], &[]];
        assert_eq!(output.return_data, expected);
        let paid: Number = &moved + 5;
        assert_eq!(delta(&output, "callee"), Some((&paid).into()));
        let left: Number = 258 - paid;
        assert_eq!(delta(&output, "self"), Some((&left).into()));
        // On the storage of the one who calls.
        assert_eq!(updates(account(&output, "self")), written());
        assert_eq!(updates(account(&output, "callee")), []);
        // With less the execution can't be paid; the 5 are.
        let output = run(bench, CALL_CODE, REPORTER);
        assert_eq!(output.return_data, [vec![1]]);
        assert_eq!(delta(&output, "callee"), Some(5u64.into()));
        assert_eq!(delta(&output, "self"), Some(253u64.into()));
    });
}

#[test]
fn a_delegate_is_paid_twice_by_the_caller() {
    on_each_engine(|bench| {
        let output = run(bench, DELEGATE, REPORTER);
        let caller = address("caller");
        let expected = [&[1, 2][..], &caller, b"abc", b"main", &[2], &[]];
        assert_eq!(output.return_data, expected);
        assert_eq!(delta(&output, "callee"), Some(516u64.into()));
        assert_eq!(delta(&output, "caller"), Some((-516i64).into()));
        assert_eq!(delta(&output, "self"), Some(258u64.into()));
        assert_eq!(updates(account(&output, "self")), written());
        // Enough for one payment, and for none.
        bench.world().put_account("caller", 515);
        let output = run(bench, DELEGATE, REPORTER);
        assert_eq!(output.return_data, [vec![1]]);
        assert_eq!(delta(&output, "callee"), Some(258u64.into()));
        assert_eq!(delta(&output, "caller"), Some((-258i64).into()));
        bench.world().put_account("caller", 257);
        let output = run(bench, DELEGATE, REPORTER);
        assert_eq!(output.return_data, [vec![1]]);
        assert_eq!(account_names(&output), ["caller", "self"]);
        assert_eq!(delta(&output, "caller"), Some(0u64.into()));
    });
}

/// Makes a static call of the contract at 540, whose address has 20 bytes.
const STATIC: &str =
    "(call $eth.callStatic (i64.const 100000) (i32.const 540) (i32.const 160) (i32.const 3))";

/// Puts code at an address of 19 zeros and a number.
fn put_short(bench: &mut Bench, number: u8, code: &str) -> Bytes {
    let mut short = vec![0; 20];
    short[19] = number;
    let short = Bytes::from(short);
    let account = Account {
        balance: Some(0u64.into()),
        address: short.clone(),
        code: contract(code),
        ..Account::default()
    };
    bench.world().accounts.insert(short.clone(), account);
    short
}

/// Static calls of such an address.
fn static_caller(number: u8, after: &str) -> Bytes {
    contract(&format!(
        r#"{MEMORY} (func (export "abc")
            (call $finish (i32.const 224) (i32.const 5))
            (i32.store8 (i32.const 559) (i32.const {number}))
            (call $int64finish (i64.extend_i32_s {STATIC})) {after})"#
    ))
}

#[test]
fn predefined_contracts_replace_the_return_data() {
    // "abc" by RIPEMD-160 and Keccak-256, as everybody publishes it.
    let ripemd160 = [
        0x8e, 0xb2, 0x08, 0xf7, 0xe0, 0x5d, 0x98, 0x7a, 0x9b, 0x04, 0x4a, 0x8e, 0x98, 0xc6, 0xb0,
        0x87, 0xf1, 0x5a, 0x0b, 0xfc,
    ];
    let keccak256 = [
        0x4e, 0x03, 0x65, 0x7a, 0xea, 0x45, 0xa9, 0x4f, 0xc7, 0xd4, 0x7b, 0xa8, 0x26, 0xc8, 0xd6,
        0x67, 0xc0, 0xd1, 0xe6, 0xe3, 0x3a, 0x64, 0xa0, 0x36, 0xec, 0x44, 0xf5, 0x8f, 0xa1, 0x2d,
        0x6c, 0x45,
    ];
    // The number; what takes the place of the return data if it succeeds.
    let rows: [(u8, Option<&[u8]>); 9] = [
        (0, None),
        (1, None),
        (2, Some(&SHA256_OF_ABC)),
        (3, Some(&ripemd160)),
        (4, Some(b"abc")),
        (5, None),
        (8, None),
        (9, Some(&keccak256)),
        (10, None),
    ];
    on_each_engine(|bench| {
        for (number, result) in rows {
            // Code at the address of a predefined contract is never looked at.
            if matches!(number, 1..=4 | 9) {
                put_short(bench, number, r#"(func (export "main") unreachable)"#);
            }
            let code = static_caller(number, "");
            bench.world().put_contract("self", code);
            let output = bench.call_with("self", "abc", row_input());
            let output = output.expect("an output");
            match result {
                Some(result) => assert_eq!(output.return_data, [result, &[]], "{number}"),
                None => assert_eq!(output.return_data, [&b"value"[..], &[1]], "{number}"),
            }
            // They are not paid. Others are, once, even if they are not there.
            let is_paid = !matches!(number, 1..=4 | 9);
            let caller = address("caller");
            let mut keys = output.output_accounts.iter().map(|entry| &entry.key);
            assert_eq!(keys.any(|key| *key == caller), is_paid, "{number}");
        }
    });
}

#[test]
fn a_static_callee_has_a_short_address_and_writes_nothing() {
    let callee = r#"(data (i32.const 100) "k")
        (func (export "main")
            (call $eth.getAddress (i32.const 0)) (call $finish (i32.const 0) (i32.const 21))
            (call $eth.getCaller (i32.const 0)) (call $finish (i32.const 0) (i32.const 20))
            (call $eth.storageStore (i32.const 100) (i32.const 100))
            (call $eth.log (i32.const 100) (i32.const 1) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))"#;
    let writes = "(call $eth.storageStore (i32.const 192) (i32.const 224))";
    on_each_engine(|bench| {
        let short = put_short(bench, 7, callee);
        let code = static_caller(7, writes);
        bench.world().put_contract("self", code);
        let output = bench.call_with("self", "abc", row_input());
        let output = output.expect("an output");
        assert_eq!(end(&output), (0, ""));
        // 20 bytes, so the next one is still 0; and the caller is not the contract that called.
        let mut own = short.to_vec();
        own.push(0);
        let caller = address("caller");
        let expected = [&b"value"[..], &own, &caller[12..], &[]];
        assert_eq!(output.return_data, expected);
        assert_eq!(output.logs, []);
        // Afterwards writes count again.
        let written = [(address("key"), address("value"))];
        assert_eq!(updates(account(&output, "self")), written);
        assert_eq!(delta(&output, "caller"), Some((-516i64).into()));
        let mut entries = output.output_accounts.iter();
        let entry = entries.find(|entry| entry.key == short).expect("there");
        let paid = entry.value.as_ref().expect("never null");
        assert_eq!(paid.balance_delta, Some(516u64.into()));
        // The write of the callee asked for nothing.
        let calls = bench.world().calls.clone();
        let storage: Vec<_> = calls
            .iter()
            .filter(|call| call.contains("storage"))
            .collect();
        assert_eq!(storage, ["storage(key)"]);
    });
}

#[test]
fn a_short_caller_panics_wherever_it_is_asked_for() {
    let message = "runtime error: slice bounds out of range [:32] with capacity 20";
    on_each_engine(|bench| {
        for function in ["getCaller", "getTxOrigin"] {
            let asks = format!(r#"(func (export "main") (call $eth.{function} (i32.const 0)))"#);
            bench.world().put_contract("callee", contract(&asks));
            let calls = format!(r#"{MEMORY} (func (export "main") (drop {CALL}))"#)
                .replace("(i32.const 96)", "(i32.const 448)");
            put_short(bench, 7, &calls);
            bench.world().put_contract("self", static_caller(7, ""));
            let error = bench.call_with("self", "abc", row_input());
            assert_eq!(error.expect_err("no output").to_string(), message);
        }
    });
}

#[test]
fn callers_of_other_lengths() {
    let functions = r#"(func (export "f")
        (call $eth.getTxOrigin (i32.const 0)) (call $finish (i32.const 0) (i32.const 21)))"#;
    on_each_engine(|bench| {
        bench.world().put_contract("self", contract(functions));
        let from = |caller: &'static [u8]| VmInput {
            caller_addr: caller.into(),
            ..input(&[])
        };
        let long = from(b"0123456789abcdefghijklmnopqrstuvwxyz");
        let output = bench.call_with("self", "f", long).expect("an output");
        assert_eq!(output.return_data, ["cdefghijklmnopqrstuv\0"]);
        let error = bench.call_with("self", "f", from(b"0123456789abcdefghijklmnopqrstu"));
        let message = "runtime error: slice bounds out of range [:32] with capacity 31";
        assert_eq!(error.expect_err("no output").to_string(), message);
    });
}

#[test]
fn the_origin_of_a_nested_call_is_its_caller() {
    on_each_engine(|bench| {
        let asks = r#"(func (export "main")
            (call $eth.getTxOrigin (i32.const 0)) (call $finish (i32.const 0) (i32.const 20)))"#;
        let output = run(bench, CALL, asks);
        assert_eq!(output.return_data, [&address("self")[12..], &[]]);
    });
}

#[test]
fn values_of_more_than_16_bytes_read_as_nothing() {
    let functions = r#"(func (export "f")
        (call $eth.getCallValue (i32.const 0)) (call $finish (i32.const 0) (i32.const 16)))"#;
    on_each_engine(|bench| {
        bench.world().put_contract("self", contract(functions));
        let limit: Number = Number::from(1) << 128;
        let rows: [(Number, u8); 2] = [(&limit - 1, 0xff), (limit, 0)];
        for (value, byte) in rows {
            let input = VmInput {
                call_value: Some(BigInt::from(&value)),
                ..input(&[])
            };
            let output = bench.call_with("self", "f", input).expect("an output");
            assert_eq!(output.return_data, [vec![byte; 16]]);
        }
    });
}

#[test]
fn stored_values_and_arguments_of_more_than_32_bytes_panic() {
    // One byte too many, in both.
    let message = "runtime error: slice bounds out of range [-1:]";
    let functions = r#"(data (i32.const 0) "key_____________________________")
        (func (export "load") (call $eth.storageLoad (i32.const 0) (i32.const 100)))
        (func (export "size") (drop (call $eth.getCallDataSize)))
        (func (export "copy") (call $eth.callDataCopy (i32.const 0) (i32.const 0) (i32.const 0)))"#;
    on_each_engine(|bench| {
        bench.world().put_contract("self", contract(functions));
        let key = (address("self"), address("key"));
        bench.world().storage.insert(key, vec![1; 33].into());
        for function in ["load", "size", "copy"] {
            let error = bench.call_with("self", function, input(&[&[1; 33]]));
            let error = error.expect_err("no output").to_string();
            assert_eq!(error, message, "{function}");
        }
        // 32 are good.
        let key = (address("self"), address("key"));
        bench.world().storage.insert(key, vec![1; 32].into());
        for function in ["load", "size", "copy"] {
            let output = bench.call("self", function, &[&[1; 32]]);
            assert_eq!(end(&output), (0, ""), "{function}");
        }
    });
}

#[test]
fn nested_calls_share_the_calldata_of_whoever_asks_first() {
    let copy = r#"(call $eth.callDataCopy (i32.const 1000) (i32.const 0) (i32.const 4))
        (call $finish (i32.const 1000) (i32.const 4))
        (call $int64finish (i64.extend_i32_s (call $eth.getCallDataSize)))"#;
    let callee = format!(r#"(func (export "main") {copy})"#);
    // The first bytes of Keccak-256 of "abc" and "main"; four arguments, and one; sizes are signed numbers.
    let (own, main): ([u8; 4], [u8; 4]) = ([0x4e, 0x03, 0x65, 0x7a], [0xb8, 0xe2, 0x05, 0x4f]);
    let (own_size, main_size) = (&[0, 132][..], &[36][..]);
    on_each_engine(|bench| {
        bench.world().put_contract("callee", contract(&callee));
        let mut run = |body: &str| {
            let functions = format!(r#"{MEMORY} (func (export "abc") {body})"#);
            bench.world().put_contract("self", contract(&functions));
            let output = bench.call_with("self", "abc", row_input());
            output.expect("an output").return_data
        };
        let call = format!("(drop {CALL})");
        assert_eq!(
            run(&format!("{copy} {call}")),
            [&own[..], own_size, &own, own_size]
        );
        // Also across runs: the next one begins anew.
        assert_eq!(
            run(&format!("{call} {copy}")),
            [&main[..], main_size, &main, main_size]
        );
    });
}

#[test]
fn in_an_init_there_is_no_function_and_no_code_yet() {
    on_each_engine(|bench| {
        let code = contract(
            r#"(func (export "init")
                (call $int64finish (i64.extend_i32_s (call $eth.getCallDataSize)))
                (call $int64finish (i64.extend_i32_s (call $eth.getCodeSize))))"#,
        );
        let output = bench.create(code, input(&[b"ab"]));
        assert_eq!(output.return_data, [&[32][..], &[]]);
        let code = contract(
            r#"(func (export "init")
                (call $eth.codeCopy (i32.const 0) (i32.const 0) (i32.const 0)))"#,
        );
        let output = bench.create(code, input(&[]));
        assert_eq!(end(&output), (10, "account does not exist"));
    });
}

#[test]
fn an_init_may_leave_what_it_did_although_it_failed() {
    let deploy = |code: &Bytes| {
        let length = code.len();
        format!(
            r#"(func (export "f")
                (drop (call $getArgument (i32.const 0) (i32.const 1000)))
                (drop (call $eth.create (i32.const 0) (i32.const 1000) (i32.const {length}) (i32.const 500))))"#
        )
    };
    on_each_engine(|bench| {
        let init = |ending: &str| {
            contract(&format!(
                r#"(func (export "init")
                    (call $eth.storageStore (i32.const 0) (i32.const 0))
                    (call $int64finish (i64.extend_i32_s (call $getNumArguments))) {ending})"#
            ))
        };
        let good = init("");
        let output = bench.run(&deploy(&good), "f", &[&good]);
        assert_eq!(end(&output), (0, ""));
        // There are no arguments, and the storage is that of the creator.
        assert_eq!(output.return_data, [""]);
        let key = Bytes::from(vec![0; 32]);
        let written = [(key.clone(), key)];
        assert_eq!(updates(account(&output, "self")), written);
        let bad = init("(call $eth.revert (i32.const 0) (i32.const 0))");
        let output = bench.run(&deploy(&bad), "f", &[&bad]);
        assert_eq!((end(&output), output.gas_remaining), ((4, "revert"), 0));
        // `revert` replaced the return data, too.
        assert_eq!(output.return_data, [""]);
        assert_eq!(updates(account(&output, "self")), written);
        assert_eq!(account(&output, "new0").code, "");
    });
}

#[test]
fn the_end_of_a_callee_replaces_what_it_sees_of_the_return_data() {
    let functions = |call: &str| {
        format!(
            r#"{MEMORY} (func (export "abc")
                (call $finish (i32.const 224) (i32.const 5))
                (call $int64finish (i64.extend_i32_s {call})))"#
        )
    };
    let finishes = r#"(func (export "main") (call $eth.finish (i32.const 0) (i32.const 1)))"#;
    let reverts = r#"(func (export "main") (call $eth.revert (i32.const 0) (i32.const 1)))"#;
    // On its own context a callee sees only what is its own.
    let rows: [(&str, &str, &[&[u8]]); 4] = [
        (CALL, finishes, &[b"value", &[0], &[]]),
        (DELEGATE, finishes, &[&[0], &[]]),
        (CALL, reverts, &[b"value", &[1]]),
        (DELEGATE, reverts, &[b"value", &[1]]),
    ];
    on_each_engine(|bench| {
        for (call, callee, expected) in rows {
            bench.world().put_contract("callee", contract(callee));
            let code = contract(&functions(call));
            bench.world().put_contract("self", code);
            let output = bench.call_with("self", "abc", row_input());
            let output = output.expect("an output");
            assert_eq!(end(&output), (0, ""));
            assert_eq!(output.return_data, expected, "{call}");
        }
    });
}

#[test]
fn gas_that_was_never_used_can_not_be_given_back() {
    on_each_engine(|bench| {
        // What was used wraps to nearly 2^64, which is seen at the next call, or in the end.
        let back = "(call $eth.useGas (i64.const -1000000))";
        let output = bench.run(&format!(r#"(func (export "abc") {back})"#), "abc", &[]);
        assert_eq!((end(&output), output.gas_remaining), ((0, ""), 0));
        let output = bench.run(
            &format!(r#"(func (export "abc") {back} {back})"#),
            "abc",
            &[],
        );
        assert_eq!(end(&output), (10, TRAP));
    });
}

#[test]
fn no_block_has_a_negative_number() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f")
            (drop (call $eth.getBlockHash (i64.const -1) (i32.const 0)))
            (drop (call $eth.getBlockHash (i64.const 0x8000000000000000) (i32.const 0))))"#;
        bench.run(functions, "f", &[]);
        assert_eq!(bench.world().calls, ["account(self)"]);
    });
}
