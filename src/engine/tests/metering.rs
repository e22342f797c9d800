//! The rules of docs/spec/gas.md#metering, one test for each, with sums done by hand.

use super::cost::*;
use super::{CallOutcome, End, run, run_code, wasm};
use crate::engine::opcode_costs::OpcodeCosts;
use std::collections::BTreeSet;
use wasmparser::{Parser, Payload};

/// More than any of these contracts uses.
const PLENTY: u64 = 100_000_000_000;

/// Runs a function body with the readable price list.
fn body(body: &str, limit: u64) -> CallOutcome {
    let text = format!(
        r#"(module
            (import "env" "note" (func $note))
            (import "env" "usePoints" (func $usePoints (param i64)))
            (table 3 3 funcref) (elem (i32.const 0) $note $callee)
            (memory 1)
            (func $callee nop)
            (func $returning (result i32) nop (return (i32.const 1)))
            (func (export "f") (local i32) {body}))"#
    );
    run_code(&wasm(&text), &readable_costs(), limit)
}

/// Asserts that the body returns and has used so many points.
#[track_caller]
fn uses(text: &str, points: u64) {
    let outcome = body(text, PLENTY);
    assert_eq!(
        (outcome.end, outcome.used),
        (End::Returned, points),
        "{text}"
    );
}

#[test]
fn straight_line_is_paid_at_its_terminator() {
    uses("", END);
    uses("nop nop nop", 3 * NOP + END);
}

#[test]
fn local_declarations_are_free() {
    uses("", END);
    let outcome = run(
        r#"(module (func (export "f") (local i32 i64 f32 f64)))"#,
        10,
    );
    assert_eq!(outcome.used, 1);
}

#[test]
fn blocks_pay_for_the_end_they_fall_through_to() {
    uses("block end", BLOCK + 2 * END);
    uses(
        "nop block nop block nop end nop end nop",
        2 * BLOCK + 5 * NOP + 3 * END,
    );
    uses(
        "(drop (block (result i32) nop i32.const 1))",
        BLOCK + NOP + CONST + 2 * END,
    );
}

#[test]
fn a_branch_out_of_a_block_skips_its_end_and_all_between() {
    uses("block nop br 0 nop nop end", BLOCK + NOP + BR + END);
    uses(
        "block block nop br 1 end nop end nop",
        2 * BLOCK + NOP + BR + NOP + END,
    );
    // The inner block falls through to its end, the outer one is left by the branch.
    uses(
        "block block nop end nop br 0 end nop",
        2 * BLOCK + END + 2 * NOP + BR + NOP + END,
    );
}

#[test]
fn a_loop_pays_for_its_header_once() {
    let iteration = NOP + 2 * LOCAL + CONST + BR_IF;
    uses(
        "i32.const 3 local.set 0
         loop nop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0 end nop",
        CONST + LOCAL + LOOP + 3 * iteration + END + NOP + END,
    );
    uses("loop nop end nop", LOOP + NOP + END + NOP + END);
    uses("block loop br 1 end end nop", BLOCK + LOOP + BR + NOP + END);
}

#[test]
fn an_if_without_else_pays_for_what_runs() {
    uses("i32.const 0 if nop end nop nop", CONST + IF + 2 * NOP + END);
    uses(
        "i32.const 1 if nop end nop nop",
        CONST + IF + NOP + END + 2 * NOP + END,
    );
    uses(
        "i32.const 1 if nop br 0 nop end nop",
        CONST + IF + NOP + BR + NOP + END,
    );
}

#[test]
fn else_is_paid_only_by_falling_into_it() {
    let text = |condition: i32| format!("i32.const {condition} if nop else nop nop end nop");
    uses(&text(1), CONST + IF + NOP + ELSE + NOP + END);
    uses(&text(0), CONST + IF + 2 * NOP + END + NOP + END);
    uses(
        "i32.const 1 if nop br 0 else nop end nop",
        CONST + IF + NOP + BR + NOP + END,
    );
    uses(
        "i32.const 0 if nop br 0 else nop end nop",
        CONST + IF + NOP + END + NOP + END,
    );
    uses(
        "i32.const 0 if nop else nop br 0 end nop",
        CONST + IF + NOP + BR + NOP + END,
    );
    uses(
        "i32.const 1 if nop else nop br 0 end nop",
        CONST + IF + NOP + ELSE + NOP + END,
    );
}

#[test]
fn br_if_pays_whether_taken_or_not() {
    uses(
        "block nop i32.const 1 br_if 0 nop nop end nop",
        BLOCK + NOP + CONST + BR_IF + NOP + END,
    );
    uses(
        "block nop i32.const 0 br_if 0 nop nop end nop",
        BLOCK + NOP + CONST + BR_IF + 2 * NOP + END + NOP + END,
    );
}

#[test]
fn br_table_goes_to_any_of_its_targets() {
    let text =
        |index: i32| format!("block block i32.const {index} br_table 0 1 2 end nop end nop nop");
    let entry = 2 * BLOCK + CONST + BR_TABLE;
    uses(&text(0), entry + NOP + END + 2 * NOP + END);
    uses(&text(1), entry + 2 * NOP + END);
    uses(&text(2), entry);
    uses(&text(-1), entry);
}

#[test]
fn return_and_a_branch_to_the_function_skip_the_final_end() {
    uses("nop return nop", NOP + RETURN);
    uses("nop br 0 nop", NOP + BR);
    uses("block nop return end nop", BLOCK + NOP + RETURN);
    uses("block i32.const 1 br_if 1 end nop", BLOCK + CONST + BR_IF);
    // The same with an epilogue, which only functions that call others have.
    uses(
        "call $callee block nop return end nop",
        CALL + NOP + END + BLOCK + NOP + RETURN,
    );
    uses(
        "call $callee block nop br 1 end nop",
        CALL + NOP + END + BLOCK + NOP + BR,
    );
    uses(
        "call $returning br_if 0 nop",
        CALL + NOP + CONST + RETURN + BR_IF,
    );
}

#[test]
fn calls_pay_for_the_callee_too() {
    uses("nop call $callee nop", NOP + CALL + NOP + END + NOP + END);
    uses("nop call $note nop", NOP + CALL + NOP + END);
    uses(
        "i32.const 1 call_indirect nop",
        CONST + CALL_INDIRECT + NOP + END + NOP + END,
    );
    // Through the table to an import.
    uses(
        "i32.const 0 call_indirect nop",
        CONST + CALL_INDIRECT + NOP + END,
    );
}

#[test]
fn a_host_function_sees_all_points_so_far() {
    let outcome = body("nop block nop call $note nop end call $note", PLENTY);
    let first = NOP + BLOCK + NOP + CALL;
    assert_eq!(
        outcome.host.used_when_called,
        [first, first + NOP + END + CALL]
    );
    // The same where the points are kept in a local.
    let outcome = body("nop loop nop call $note nop end call $note", PLENTY);
    let first = NOP + LOOP + NOP + CALL;
    assert_eq!(
        outcome.host.used_when_called,
        [first, first + NOP + END + CALL]
    );
}

#[test]
fn dead_code_is_free_and_does_not_leak() {
    uses("block br 0 nop nop nop end", BLOCK + BR + END);
    uses(
        "block br 0 block nop end nop loop end i32.const 1 if nop else nop end end nop",
        BLOCK + BR + NOP + END,
    );
    uses(
        "block i32.const 1 if br 1 nop else nop end nop end nop",
        BLOCK + CONST + IF + BR + NOP + END,
    );
    uses(
        "i32.const 0 if return nop nop end nop",
        CONST + IF + NOP + END,
    );
    uses("return block br 0 end nop", RETURN);
    uses(
        "block br 0 call $callee drop i32.add drop end",
        BLOCK + BR + END,
    );
    uses(
        "block block br 0 br 1 end nop br 0 end nop",
        2 * BLOCK + BR + NOP + BR + NOP + END,
    );
}

#[test]
fn traps_keep_what_was_paid() {
    let outcome = body("nop unreachable", PLENTY);
    assert_eq!(
        (outcome.end, outcome.used),
        (End::Trapped, NOP + UNREACHABLE)
    );
    // Paid and checked before the table and the signature are looked at.
    for index in [2, 3, -1] {
        let outcome = body(&format!("nop i32.const {index} call_indirect"), PLENTY);
        assert_eq!(
            (outcome.end, outcome.used),
            (End::Trapped, NOP + CONST + CALL_INDIRECT)
        );
    }
    let outcome = body(
        "i32.const 1 i64.const 5 i32.const 0 call_indirect (param i64) drop",
        PLENTY,
    );
    assert_eq!(
        (outcome.end, outcome.used),
        (End::Trapped, 3 * CONST + CALL_INDIRECT)
    );
}

#[test]
fn the_limit_is_checked_at_the_five_operators_only() {
    let checked = [
        ("block nop br 0 end nop", BLOCK + NOP + BR),
        (
            "block nop i32.const 0 br_if 0 end nop",
            BLOCK + NOP + CONST + BR_IF,
        ),
        (
            "block nop i32.const 0 br_table 0 0 end nop",
            BLOCK + NOP + CONST + BR_TABLE,
        ),
        ("nop call $note nop", NOP + CALL),
        (
            "nop i32.const 0 call_indirect nop",
            NOP + CONST + CALL_INDIRECT,
        ),
    ];
    for (text, points) in checked {
        // `used >= limit` aborts: reaching the limit is enough.
        let outcome = body(text, points);
        assert_eq!(
            (outcome.end, outcome.used),
            (End::Trapped, points),
            "{text}"
        );
        assert!(outcome.host.calls.is_empty());
        // With one point more it completes, although it goes past the limit then.
        let outcome = body(text, points + 1);
        assert_eq!(outcome.end, End::Returned, "{text}");
        assert!(outcome.used > points + 1);
    }
    let unchecked = "nop block nop end loop nop end i32.const 1 if nop else nop end return";
    for limit in [0, 1, NOP + BLOCK] {
        let outcome = body(unchecked, limit);
        let points = 5 * NOP - NOP + BLOCK + 2 * END + LOOP + CONST + IF + ELSE + RETURN;
        assert_eq!((outcome.end, outcome.used), (End::Returned, points));
    }
}

#[test]
fn ending_exactly_at_the_limit_completes() {
    for limit in [NOP + END, NOP + END - 1, NOP + END + 1] {
        let outcome = body("nop", limit);
        assert_eq!((outcome.end, outcome.used), (End::Returned, NOP + END));
    }
}

#[test]
fn the_host_never_aborts_for_points_but_the_next_check_does() {
    let outcome = body("i64.const 99999999999 call $usePoints nop nop", PLENTY);
    assert_eq!(
        (outcome.end, outcome.used),
        (End::Returned, 99_999_999_999 + CONST + CALL + 2 * NOP + END)
    );
    let outcome = body(
        "i64.const 99999999999 call $usePoints nop call $note",
        PLENTY,
    );
    assert_eq!(
        (outcome.end, outcome.used),
        (End::Trapped, 99_999_999_999 + CONST + 2 * CALL + NOP)
    );
    assert_eq!(outcome.host.calls.len(), 1);
}

#[test]
fn limits_are_unsigned() {
    for limit in [1 << 63, (1 << 63) - 1, u64::MAX] {
        let outcome = body("call $callee", limit);
        assert_eq!(
            (outcome.end, outcome.used),
            (End::Returned, CALL + NOP + 2 * END)
        );
    }
    let outcome = body("call $callee", 0);
    assert_eq!((outcome.end, outcome.used), (End::Trapped, CALL));
    // Points above 2^63 are not negative.
    let half = 1_i64 << 62;
    let text =
        format!("i64.const {half} call $usePoints i64.const {half} call $usePoints call $note");
    let before = (1 << 63) + 2 * CONST + 3 * CALL;
    assert_eq!(body(&text, before).end, End::Trapped);
    let outcome = body(&text, before + 1);
    assert_eq!((outcome.end, outcome.used), (End::Returned, before + END));
}

#[test]
fn used_points_wrap() {
    let text = "i64.const -1 call $usePoints call $note";
    let outcome = body(text, PLENTY);
    assert_eq!(
        (outcome.end, outcome.used),
        (End::Returned, CONST + 2 * CALL - 1 + END)
    );
}

#[test]
fn the_largest_limit_is_never_reached_by_wrapping_to_it() {
    // Used is 2^64 - 1 at the second call: that is the limit.
    let missing = CONST + 2 * CALL;
    let text = format!(
        "i64.const {} call $usePoints call $note",
        -1 - missing as i64
    );
    let outcome = body(&text, u64::MAX);
    assert_eq!((outcome.end, outcome.used), (End::Trapped, u64::MAX));
    assert_eq!(
        body(&text.replace("call $note", ""), u64::MAX).end,
        End::Returned
    );
}

#[test]
fn costs_of_4_billion_are_added_in_full() {
    let costs = crate::engine::opcode_costs::OpcodeCosts::from_map(|_| u32::MAX);
    let code = wasm(r#"(module (func (export "f") nop nop nop))"#);
    assert_eq!(run_code(&code, &costs, 0).used, 4 * u64::from(u32::MAX));
}

/// One operator each, with its operands and without what it leaves.
fn straight_line_operators() -> Vec<String> {
    const UNARY: [&str; 4] = ["eqz", "clz", "ctz", "popcnt"];
    const BINARY: [&str; 25] = [
        "add", "sub", "mul", "div_s", "div_u", "rem_s", "rem_u", "and", "or", "xor", "shl",
        "shr_s", "shr_u", "rotl", "rotr", "eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s",
        "le_u", "ge_s", "ge_u",
    ];
    const LOADS: [&str; 12] = [
        "i32.load",
        "i32.load8_s",
        "i32.load8_u",
        "i32.load16_s",
        "i32.load16_u",
        "i64.load",
        "i64.load8_s",
        "i64.load8_u",
        "i64.load16_s",
        "i64.load16_u",
        "i64.load32_s",
        "i64.load32_u",
    ];
    const STORES: [&str; 7] = [
        "i32.store",
        "i32.store8",
        "i32.store16",
        "i64.store",
        "i64.store8",
        "i64.store16",
        "i64.store32",
    ];
    let mut all: Vec<String> = [
        "(nop)",
        "(drop (i32.wrap_i64 (i64.const 7)))",
        "(drop (i64.extend_i32_s (i32.const 7)))",
        "(drop (i64.extend_i32_u (i32.const 7)))",
        "(drop (select (i32.const 7) (i32.const 8) (i32.const 1)))",
        "(drop (local.get 0))",
        "(local.set 0 (i32.const 7))",
        "(drop (local.tee 0 (i32.const 7)))",
        "(drop (global.get 0))",
        "(global.set 0 (i32.const 7))",
        "(drop (memory.size))",
        "(drop (memory.grow (i32.const 0)))",
    ]
    .map(str::to_owned)
    .to_vec();
    for number in ["i32", "i64"] {
        let [seven, three] = [7, 3].map(|value| format!("({number}.const {value})"));
        all.extend(UNARY.map(|name| format!("(drop ({number}.{name} {seven}))")));
        all.extend(BINARY.map(|name| format!("(drop ({number}.{name} {seven} {three}))")));
    }
    all.extend(LOADS.map(|name| format!("(drop ({name} (i32.const 8)))")));
    all.extend(STORES.map(|name| format!("({name} (i32.const 8) ({}.const 7))", &name[..3])));
    all
}

#[test]
fn every_operator_of_straight_line_code_is_paid() {
    // A price of its own for each.
    let mut price = 0;
    let costs = OpcodeCosts::from_map(|_| {
        price += 1;
        price
    });
    let mut operators = BTreeSet::new();
    for text in straight_line_operators() {
        let code = wasm(&format!(
            r#"(module (memory 1) (global (mut i32) (i32.const 0))
                (func (export "f") (local i32) {text}))"#
        ));
        let mut expected = 0;
        for payload in Parser::new(0).parse_all(&code) {
            if let Payload::CodeSectionEntry(body) = payload.expect("it is valid") {
                for operator in body.get_operators_reader().expect("it is valid") {
                    let operator = operator.expect("it is valid");
                    expected += u64::from(costs.of(&operator));
                    operators.insert(costs.of(&operator));
                }
            }
        }
        let outcome = run_code(&code, &costs, PLENTY);
        assert_eq!(
            (outcome.end, outcome.used),
            (End::Returned, expected),
            "{text}"
        );
    }
    // With their operands, drop and end.
    assert_eq!(operators.len(), 12 + 2 * (4 + 25) + 12 + 7 + 4);
}
