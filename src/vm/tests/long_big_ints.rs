//! Big integers that are longer than any contract needs: bounded time and memory (docs/spec/eei.md#limit-of-work).

use crate::vm::fixtures::*;
use std::time::{Duration, Instant};

const LIMIT: &str =
    "host fault: host functions take more than 1073741824 steps that gas does not bound";

/// Longer than any of these takes here, and far less than they would without the limit.
const LONGEST: Duration = Duration::from_secs(60);

/// A function that makes the number 1 of 2 to the power of `bits`, and then runs `turn` for ever.
fn turns(bits: u32, turn: &str) -> String {
    format!(
        r#"(func (export "f")
            (call $bigIntSetInt64 (i32.const 1) (i64.const 1))
            (call $bigIntSetInt64 (i32.const 3) (i64.const 3))
            (call $bigIntShl (i32.const 1) (i32.const 1) (i32.const {bits}))
            (loop {turn} (br 0)))"#
    )
}

#[test]
fn operations_on_long_numbers_end_a_run_whatever_gas_it_has() {
    const MIB: u32 = 8 << 20;
    let two_operands = |name| format!("(call ${name} (i32.const 2) (i32.const 1) (i32.const 1))");
    let by_three = |name| format!("(call ${name} (i32.const 2) (i32.const 1) (i32.const 3))");
    let one_operand = |name| format!("(call ${name} (i32.const 2) (i32.const 1))");
    let turns = [
        turns(MIB, &two_operands("bigIntAdd")),
        turns(MIB, &two_operands("bigIntSub")),
        turns(MIB, &two_operands("bigIntMul")),
        turns(MIB, &by_three("bigIntTDiv")),
        turns(MIB, &by_three("bigIntEMod")),
        turns(MIB, &two_operands("bigIntXor")),
        turns(MIB, &one_operand("bigIntNeg")),
        turns(MIB, "(drop (call $bigIntCmp (i32.const 1) (i32.const 1)))"),
        turns(MIB, "(drop (call $bigIntUnsignedByteLength (i32.const 1)))"),
        // A new number each turn: memory, too.
        turns(
            1,
            &format!(
                "(call $bigIntShl (call $bigIntNew (i64.const 0)) (i32.const 3) (i32.const {MIB}))"
            ),
        ),
        // A number that grows.
        turns(
            MIB,
            "(call $bigIntMul (i32.const 1) (i32.const 1) (i32.const 1))",
        ),
        // A divisor that takes as long as it can.
        turns(
            4 * MIB,
            "(call $bigIntShr (i32.const 2) (i32.const 1) (i32.const 16777216))
             (call $bigIntTDiv (i32.const 4) (i32.const 1) (i32.const 2))",
        ),
    ];
    // One engine: the time is spent outside of it.
    let [mut bench, ..] = benches(&schedule_entries());
    let start = Instant::now();
    for turn in &turns {
        bench.world().put_contract("self", contract(turn));
        let mut input = input(&[]);
        input.gas_provided = u64::MAX / 2;
        assert_eq!(bench.fault("self", "f", input), LIMIT, "{turn}");
    }
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
}

#[test]
fn one_number_of_256_mib_is_as_in_the_reference() {
    let function = r#"(func (export "f")
        (call $bigIntSetInt64 (i32.const 1) (i64.const 1))
        (call $bigIntShl (i32.const 1) (i32.const 1) (i32.const 2147483647))
        (call $int64finish (i64.extend_i32_u (call $bigIntUnsignedByteLength (i32.const 1)))))"#;
    on_each_engine(|bench| {
        let output = bench.run(function, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&[0x10, 0, 0, 0][..]]);
    });
}

/// The next run begins with nothing spent.
#[test]
fn short_numbers_are_free_and_a_run_leaves_nothing_to_the_next() {
    let function = |bits: u32, turns: u32| {
        format!(
            r#"(func (export "f") (local $turn i32)
                (call $bigIntSetInt64 (i32.const 1) (i64.const 1))
                (call $bigIntShl (i32.const 1) (i32.const 1) (i32.const {bits}))
                (loop
                    (call $bigIntMul (i32.const 2) (i32.const 1) (i32.const 1))
                    (local.set $turn (i32.add (local.get $turn) (i32.const 1)))
                    (br_if 0 (i32.lt_u (local.get $turn) (i32.const {turns})))))"#
        )
    };
    on_each_engine(|bench| {
        for _ in 0..3 {
            // 512 bytes each, and a third of a limit.
            assert_eq!(end(&bench.run(&function(4095, 1000), "f", &[])), (0, ""));
            assert_eq!(end(&bench.run(&function(8 << 20, 2), "f", &[])), (0, ""));
        }
    });
}
