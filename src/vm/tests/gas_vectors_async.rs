//! The rows for asynchronous calls (docs/spec/gas.md#vectors), by contracts of our own as in `gas_vectors`.
//!
//! The reference's tests compare these three with themselves, so the sums follow from the rules alone
//! (docs/spec/gas.md#asynchronous-gas). The reference's contracts use 186, 170 and 225 points in the parts of the first
//! row; so do ours.

use super::gas_vectors::{nops, padded};
use crate::messages::{GasSectionEntry, VmInput, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;

const PARENT_BYTES: usize = 1878;
const CHILD_BYTES: usize = 1125;

/// What the functions use, their host functions included.
const CALL: u64 = 186;
const CHILD: u64 = 170;
const CALLBACK: u64 = 225;

/// The call: two writes (12 + 24), two items of return data (6 + 28), a transfer (6 + 6), the argument becomes a digit
/// of the data (7 + 1), 51 times nothing, the asynchronous call with 39 bytes (5 + 40), which never returns: 186.
///
/// The callback, for four arguments: their number (4 + 1), one of them (5 + 1), a comparison (5), a byte returned (3
/// + 2), the end of the `if`, a read (5 + 12), 4 bytes returned (3 + 5), 177 times nothing, the end: 225.
fn parent() -> Bytes {
    let functions = format!(
        r#"(data (i32.const 0) "{:_<32}") (data (i32.const 63) "\07")
        (data (i32.const 64) "transferToThirdParty@03@207468657265@00")
        (data (i32.const 110) "{:_<32}") (data (i32.const 173) "\03") (data (i32.const 174) "hello")
        (data (i32.const 200) "keyA") (data (i32.const 204) "keyB") (data (i32.const 210) "parentDataA")
        (data (i32.const 230) "parentFinish!") (data (i32.const 250) "succ") (data (i32.const 260) "callBack error")
        (func (export "parentPerformAsyncCall")
            (drop (call $storageStore (i32.const 200) (i32.const 4) (i32.const 210) (i32.const 11)))
            (drop (call $storageStore (i32.const 204) (i32.const 4) (i32.const 210) (i32.const 11)))
            (call $finish (i32.const 230) (i32.const 13))
            (call $finish (i32.const 230) (i32.const 13))
            (drop (call $transferValue (i32.const 110) (i32.const 142) (i32.const 174) (i32.const 5)))
            (i32.store8 (i32.const 102) (i32.add
                (i32.wrap_i64 (call $int64getArgument (i32.const 0))) (i32.const 48)))
            {}
            (call $asyncCall (i32.const 0) (i32.const 32) (i32.const 64) (i32.const 39)))
        (func (export "callBack")
            (if (i32.eq (call $getNumArguments) (i32.const 4)) (then
                (i32.store8 (i32.const 300) (i32.wrap_i64 (call $int64getArgument (i32.const 1))))
                (if (i32.eq (i32.load8_u (i32.const 300)) (i32.const 3)) (then
                    (call $signalError (i32.const 260) (i32.const 14))))
                (call $finish (i32.const 300) (i32.const 1))))
            (drop (call $storageLoad (i32.const 204) (i32.const 4) (i32.const 310)))
            (call $finish (i32.const 250) (i32.const 4))
            {})"#,
        "child",
        "thirdParty",
        nops(51),
        nops(177)
    );
    padded(&functions, PARENT_BYTES)
}

/// An argument (5 + 1), a comparison (5), a byte returned (3 + 2), two arguments more (8 + 2), a transfer (6 + 7), 10
/// bytes returned (3 + 11), a transfer (6 + 1), 5 bytes returned (3 + 6), a write (6 + 10), 84 times nothing, the
/// end: 170.
fn child() -> Bytes {
    let functions = format!(
        r#"(data (i32.const 0) "{:_<32}") (data (i32.const 64) "{:_<32}") (data (i32.const 127) "\04")
        (data (i32.const 130) "thirdparty") (data (i32.const 140) "vault") (data (i32.const 145) "child error")
        (data (i32.const 160) "childKey") (data (i32.const 170) "childData")
        (func (export "transferToThirdParty")
            (i32.store8 (i32.const 300) (i32.wrap_i64 (call $int64getArgument (i32.const 2))))
            (if (i32.eq (i32.load8_u (i32.const 300)) (i32.const 1)) (then
                (call $signalError (i32.const 145) (i32.const 11))))
            (call $finish (i32.const 300) (i32.const 1))
            (drop (call $getArgument (i32.const 0) (i32.const 63)))
            (drop (call $getArgument (i32.const 1) (i32.const 310)))
            (drop (call $transferValue (i32.const 0) (i32.const 32) (i32.const 310) (i32.const 6)))
            (call $finish (i32.const 130) (i32.const 10))
            (drop (call $transferValue (i32.const 64) (i32.const 96) (i32.const 0) (i32.const 0)))
            (call $finish (i32.const 140) (i32.const 5))
            (drop (call $storageStore (i32.const 160) (i32.const 8) (i32.const 170) (i32.const 9)))
            {})"#,
        "thirdParty",
        "vault",
        nops(84)
    );
    padded(&functions, CHILD_BYTES)
}

fn call(bench: &mut Bench, argument: &[u8]) -> VmOutput {
    bench.world().put_contract("self", parent());
    bench.world().put_contract("child", child());
    let output = bench.call("self", "parentPerformAsyncCall", &[argument]);
    assert_eq!(end(&output), (0, ""));
    assert_eq!(output.return_data[..2], ["parentFinish!", "parentFinish!"]);
    output
}

fn schedule_with_lock(lock: u64) -> Vec<GasSectionEntry> {
    let mut schedule = schedule_entries();
    let costs = schedule.iter_mut().flat_map(|section| &mut section.value);
    let key = costs.filter(|cost| cost.key == "AsyncCallbackGasLock");
    key.for_each(|cost| cost.value = lock);
    schedule
}

#[test]
fn the_parts_use_what_they_should() {
    on_each_engine(|bench| {
        bench.world().put_contract("child", child());
        let arguments: [&[u8]; 3] = [&[3], b" there", &[0]];
        let output = bench.call("child", "transferToThirdParty", &arguments);
        assert_eq!(output.gas_remaining, GAS - CHILD_BYTES as u64 - CHILD);
        // A call that is left to the node is paid up to the asynchronous call.
        bench.world().put_contract("self", parent());
        bench.world().accounts.remove(&address("child"));
        let output = bench.call("self", "parentPerformAsyncCall", &[&[0]]);
        assert_eq!(output.gas_remaining, GAS - PARENT_BYTES as u64 - CALL);
        // The callback reads what the call has stored, had it not been a run of its own.
        bench.world().put_storage("self", "keyB", "parentDataA");
        let answer = VmInput {
            call_type: 2,
            ..input(&[b"", &[0], b"thirdparty", b"vault"])
        };
        let output = bench
            .call_with("self", "callBack", answer)
            .expect("an output");
        assert_eq!(output.gas_remaining, GAS - PARENT_BYTES as u64 - CALLBACK);
    });
}

#[test]
fn async_call_with_00() {
    on_each_engine(|bench| {
        let output = call(bench, &[0]);
        assert_eq!(
            output.return_data[2..],
            ["\0", "thirdparty", "vault", "\0", "succ"]
        );
        // The code is paid for three times; a step for the start of the child. What the child's input is short of (a
        // step), and the callback's (a step and the bytes of its data), is not passed on, and not used either.
        let code = 2 * PARENT_BYTES as u64 + CHILD_BYTES as u64;
        assert_eq!(
            output.gas_remaining,
            GAS - code - CALL - (1 + CHILD) - CALLBACK
        );
        assert_eq!(output.gas_remaining, 994_537);
    });
}

#[test]
fn async_call_with_01_and_a_lock_of_3000() {
    on_each_engine_with(schedule_with_lock(3000), |bench| {
        // The child fails and takes all that it was given: the caller keeps the step by which that was less. The
        // callback is paid out of the lock: 3001 less a step and 22 bytes, of which the code takes 1878. That has
        // been used up by then, so what is left of it does not count.
        let output = call(bench, &[1]);
        assert_eq!(output.return_data[2..], ["succ"]);
        assert_eq!(output.gas_remaining, 0);
    });
    // For two arguments the callback uses 17 points less, but it is checked last at its last call, when it
    // has used 5 + 17 + 3. A lock that leaves it so much is not enough, one more is.
    let least = (22 + PARENT_BYTES + 5 + 17 + 3) as u64;
    for (lock, returned) in [(least, "execution failed"), (least + 1, "succ")] {
        on_each_engine_with(schedule_with_lock(lock), |bench| {
            let output = call(bench, &[1]);
            assert_eq!(output.return_data[2], returned, "{lock}");
            assert_eq!(output.gas_remaining, 0);
        });
    }
}

#[test]
fn async_call_with_0003() {
    on_each_engine(|bench| {
        // The callback fails, which takes all that is left.
        let output = call(bench, &[0, 3]);
        assert_eq!(
            output.return_data[2..],
            ["\u{3}", "thirdparty", "vault", "user error", "current"]
        );
        assert_eq!(output.gas_remaining, 0);
    });
}
