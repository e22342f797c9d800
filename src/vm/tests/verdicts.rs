//! Which code is a contract (docs/spec/host.md#acceptance, docs/spec/host.md#deploy-checks): for modules of every kind
//! the return code of a deploy, and of a call of `run` where the same code is stored already.

use crate::vm::fixtures::*;
use bytes::Bytes;
use std::collections::BTreeMap;
use wasm_encoder::Encode;

mod sections;

const OK: i64 = 0;
const NO_FUNCTION: i64 = 1;
const NO_CONTRACT: i64 = 3;
const INVALID: i64 = 9;
const TRAP: i64 = 10;

/// Enough for a deploy of a megabyte.
const MUCH_GAS: u64 = 1_000_000_000;

#[track_caller]
fn judge(what: &str, code: impl Into<Bytes>, [deployed, called]: [i64; 2]) {
    let code = code.into();
    on_each_engine(|bench| {
        let input = || crate::messages::VmInput {
            gas_provided: MUCH_GAS,
            ..input(&[])
        };
        let output = bench.create(code.clone(), input());
        assert_eq!(output.return_code, deployed, "deploy: {what}");
        bench.world().put_contract("self", code.clone());
        let output = bench.call_with("self", "run", input()).expect("an output");
        assert_eq!(output.return_code, called, "call: {what}");
    });
}

/// Judges modules with a memory by their text.
#[track_caller]
fn judge_texts(codes: [i64; 2], texts: &[&str]) {
    for text in texts {
        let module = format!("(module (memory (export \"memory\") 1) {text})");
        let code = wat::parse_str(&module).expect("the test's text is right");
        judge(text, code, codes);
    }
}

fn accepted(texts: &[&str]) {
    judge_texts([OK, OK], texts);
}

fn refused(texts: &[&str]) {
    judge_texts([INVALID, INVALID], texts);
}

/// The sections of a contract that is right: `() -> ()` is type 0, `run` is function 0, and there is a memory.
fn sections() -> BTreeMap<u8, Vec<u8>> {
    BTreeMap::from([
        (1, vec![1, 0x60, 0, 0]),
        (3, vec![1, 0]),
        (5, vec![1, 0, 1]),
        (7, b"\x02\x06memory\x02\x00\x03run\x00\x00".to_vec()),
        (10, vec![1, 2, 0, 0x0b]),
    ])
}

/// A section with its header.
fn section(number: u8, content: &[u8]) -> Vec<u8> {
    let mut section = vec![number];
    content.encode(&mut section);
    section
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

/// The right contract with other sections instead of, or besides its own.
fn with(others: &[(u8, &[u8])]) -> Vec<u8> {
    let mut sections = sections();
    for (number, content) in others {
        sections.insert(*number, content.to_vec());
    }
    // The number of data segments stands before the code.
    let order = |number: u8| match number {
        12 => 19,
        _ => 2 * number,
    };
    let mut sections: Vec<_> = sections.into_iter().collect();
    sections.sort_by_key(|(number, _)| order(*number));
    let sections: Vec<_> = sections
        .iter()
        .map(|(number, content)| section(*number, content))
        .collect();
    module(&sections)
}

/// The right contract with other operators in `run`.
fn with_operators(operators: &[u8]) -> Vec<u8> {
    let body = [&[0], operators, &[0x0b]].concat();
    let mut code = vec![1];
    body[..].encode(&mut code);
    with(&[(10, &code)])
}

#[test]
fn floats() {
    accepted(&[
        "(global f64 (f64.const 1.5)) (global (mut f32) (f32.const nan)) (func (export \"run\"))",
        "(func (param f32 f64) (result f64) (local f32) local.get 1) (func (export \"run\"))",
        "(global f64 (f64.const -2.5)) (func (export \"run\")
            (if (i64.ne (i64.trunc_f64_s (global.get 0)) (i64.const -2)) (then unreachable)))",
        "(global f32 (f32.const inf)) (func (export \"run\")
            (if (i32.ne (i32.trunc_sat_f32_s (global.get 0)) (i32.const 0x7fffffff)) (then unreachable)))",
        "(global f32 (f32.const 1)) (func (export \"run\")
            (if (i32.ne (i32.reinterpret_f32 (global.get 0)) (i32.const 0x3f800000)) (then unreachable)))",
    ]);
    refused(&[
        "(func (export \"run\") (drop (f32.const 1)))",
        "(func (export \"run\") return (drop (f64.const 1)))",
        "(func (param f64) (drop (f64.neg (local.get 0)))) (func (export \"run\"))",
        "(func (param f64) (drop (f64.eq (local.get 0) (local.get 0)))) (func (export \"run\"))",
        "(func (export \"run\") (drop (f64.load (i32.const 0))))",
        "(func (export \"run\") (drop (f32.reinterpret_i32 (i32.const 0))))",
        "(func (export \"run\") (drop (f64.convert_i32_u (i32.const 0))))",
        "(global f64 (f32.const 1)) (func (export \"run\"))",
    ]);
}

#[test]
fn what_came_later_to_wasm() {
    accepted(&[
        "(func (export \"run\") (drop (i64.extend8_s (i64.popcnt (i64.const 3)))))",
        "(global (export \"g\") (mut i32) (i32.const 1)) (func (export \"run\"))",
    ]);
    refused(&[
        "(func (result i32 i32) i32.const 1 i32.const 2) (func (export \"run\"))",
        "(func (export \"run\") (i32.const 1) (block (param i32) drop))",
        "(func (export \"run\") (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(func (export \"run\") (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(data \"x\") (func (export \"run\") (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0)))",
        "(data \"x\") (func (export \"run\") (data.drop 0))",
        "(table 1 funcref) (func (export \"run\") (table.set (i32.const 0) (ref.null func)))",
        "(table 1 funcref) (func (export \"run\") (drop (table.size)))",
        "(func (export \"run\") (drop (ref.null func)))",
        "(func (export \"run\") (drop (ref.func 0)))",
        "(func (param externref)) (func (export \"run\"))",
        "(func (param v128)) (func (export \"run\"))",
        "(func (export \"run\") (drop (v128.const i64x2 0 0)))",
        "(func (export \"run\") return_call 0)",
        "(func (export \"run\") (drop (i32.atomic.load (i32.const 0))))",
        "(func (export \"run\") atomic.fence)",
        "(tag) (func (export \"run\"))",
        "(global i32 (i32.add (i32.const 1) (i32.const 1))) (func (export \"run\"))",
        "(global v128 (v128.const i64x2 0 0)) (func (export \"run\"))",
        "(global funcref (ref.null func)) (func (export \"run\"))",
        "(table 1 externref) (func (export \"run\"))",
        "(table 1 funcref) (table 1 funcref) (func (export \"run\"))",
        "(memory 1) (func (export \"run\"))",
    ]);
    judge(
        "a second version",
        b"\0asm\x0d\0\0\0".to_vec(),
        [INVALID; 2],
    );
    judge("a component", b"\0asm\x0d\0\x01\0".to_vec(), [INVALID; 2]);
    judge("64-bit memory", with(&[(5, &[1, 4, 1])]), [INVALID; 2]);
}

/// The parser knows these segments, although no operator that could use them is let through.
#[test]
fn segments_that_nothing_can_use() {
    let unchanged = "(func (export \"run\") (if (i32.load (i32.const 0)) (then unreachable)))";
    let text = |segments: &str| {
        let module = format!("(module (memory (export \"memory\") 1) {segments} {unchanged})");
        wat::parse_str(module).expect("the test's text is right")
    };
    judge("passive data", text("(data \"abc\")"), [OK; 2]);
    let both = "(data \"abc\") (data (i32.const 8) \"abc\")";
    judge("passive and active data", text(both), [OK; 2]);
    judge("declared", text("(elem declare func 0)"), [OK; 2]);
    judge("passive", text("(elem func 0)"), [OK; 2]);
    judge(
        "passive expressions",
        text("(elem funcref (ref.func 0))"),
        [OK; 2],
    );
    let data: &[u8] = &[1, 1, 1, b'x'];
    judge("as many as told", with(&[(12, &[1]), (11, data)]), [OK; 2]);
    judge(
        "fewer than told",
        with(&[(12, &[2]), (11, data)]),
        [INVALID; 2],
    );
    judge("none told of", with(&[(12, &[0])]), [OK; 2]);
    // A null was one byte when the parser was written.
    judge(
        "null of then",
        with(&[(9, &[1, 5, 0x70, 1, 0xd0, 0x0b])]),
        [OK; 2],
    );
    judge(
        "null of now",
        text("(elem funcref (ref.null func))"),
        [INVALID; 2],
    );
    judge(
        "passive null of a reference",
        text("(elem externref)"),
        [OK; 2],
    );
    judge(
        "unknown function",
        with(&[(9, &[1, 1, 0, 1, 7])]),
        [INVALID; 2],
    );
    judge(
        "a kind of segment without a meaning",
        with(&[(11, &[1, 3, 0])]),
        [INVALID; 2],
    );
    let table: (u8, &[u8]) = (4, &[1, 0x70, 0, 1]);
    let null: &[u8] = &[1, 4, 0x41, 0, 0x0b, 1, 0xd0, 0x0b];
    judge(
        "null put into the table",
        with(&[table, (9, null)]),
        [INVALID; 2],
    );
    let expression: &[u8] = &[1, 4, 0x41, 0, 0x0b, 1, 0xd2, 0, 0x0b];
    judge(
        "function put into the table",
        with(&[table, (9, expression)]),
        [OK; 2],
    );
}

#[test]
fn segments_fit() {
    accepted(&[
        "(data (i32.const 65535) \"x\") (func (export \"run\"))",
        "(data (i32.const 65536) \"\") (func (export \"run\"))",
        "(table 2 funcref) (elem (i32.const 1) func 0) (func (export \"run\"))",
        "(table 2 funcref) (elem (i32.const 2) func) (func (export \"run\"))",
        "(table 20000000 funcref) (elem (i32.const 20000000) func) (func (export \"run\"))",
        "(table 0 0xffffffff funcref) (func (export \"run\"))",
    ]);
    refused(&[
        "(data (i32.const 65536) \"x\") (func (export \"run\"))",
        "(data (i32.const 65537) \"\") (func (export \"run\"))",
        "(data (i32.const -1) \"x\") (func (export \"run\"))",
        "(data (i64.const 0) \"x\") (func (export \"run\"))",
        "(table 2 funcref) (elem (i32.const 2) func 0) (func (export \"run\"))",
        "(table 2 funcref) (elem (i32.const 3) func) (func (export \"run\"))",
        "(elem (i32.const 0) func 0) (func (export \"run\"))",
        "(table 2 1 funcref) (func (export \"run\"))",
        // Only imported globals would do, and there are none.
        "(global i32 (i32.const 0)) (data (global.get 0) \"x\") (func (export \"run\"))",
        "(global i32 (i32.const 0)) (global i32 (global.get 0)) (func (export \"run\"))",
        "(global i32 (global.get 0)) (func (export \"run\"))",
    ]);
}

#[test]
fn calls_through_the_table() {
    let code = |index: &str| {
        format!(
            "(type $t (func)) (table 20000000 funcref) (elem (i32.const 2) func $f) (func $f)
            (func (export \"run\") (call_indirect (type $t) (i32.const {index})))"
        )
    };
    accepted(&[&code("2")]);
    judge_texts(
        [OK, TRAP],
        &[&code("1"), &code("3"), &code("19999999"), &code("-1")],
    );
    // The table's number may be longer than it has to be.
    let table: (u8, &[u8]) = (4, &[1, 0x70, 0, 1]);
    let element: (u8, &[u8]) = (9, &[1, 0, 0x41, 0, 0x0b, 1, 1]);
    let types: (u8, &[u8]) = (1, &[1, 0x60, 0, 0]);
    let functions: (u8, &[u8]) = (3, &[2, 0, 0]);
    let call: (u8, &[u8]) = (10, &[2, 8, 0, 0x41, 0, 0x11, 0, 0x80, 0, 0x0b, 2, 0, 0x0b]);
    let all = [types, functions, table, element, call];
    judge("a long number of the table", with(&all), [OK; 2]);
    judge(
        "nothing there",
        with(&[types, functions, table, call]),
        [OK, TRAP],
    );
    judge("no table", with(&[types, functions, call]), [INVALID; 2]);
}

#[test]
fn memories() {
    judge("shared", with(&[(5, &[1, 3, 1, 2])]), [OK; 2]);
    judge("shared without end", with(&[(5, &[1, 2, 1])]), [INVALID; 2]);
    judge("a long flag", with(&[(5, &[1, 0x81, 0, 1, 2])]), [OK; 2]);
    judge(
        "more at first than at most",
        with(&[(5, &[1, 1, 2, 1])]),
        [INVALID; 2],
    );
    judge(
        "65,537 pages",
        with(&[(5, &[1, 0, 0x81, 0x80, 4])]),
        [INVALID; 2],
    );
    judge(
        "65,536 at most",
        with(&[(5, &[1, 1, 1, 0x80, 0x80, 4])]),
        [OK; 2],
    );
    judge(
        "65,537 at most",
        with(&[(5, &[1, 1, 1, 0x81, 0x80, 4])]),
        [INVALID; 2],
    );
    judge(
        "none",
        with(&[(5, &[0]), (7, b"\x01\x03run\x00\x00")]),
        [INVALID, OK],
    );
    judge(
        "not exported",
        with(&[(7, b"\x01\x03run\x00\x00")]),
        [INVALID, OK],
    );
    let grows = "(module (memory (export \"memory\") 1 2 shared) (func (export \"run\")
        (if (i32.ne (memory.grow (i32.const 1)) (i32.const 1)) (then unreachable))
        (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))))";
    let code = wat::parse_str(grows).expect("the test's text is right");
    judge("shared, growing", code, [OK; 2]);
}

#[test]
fn numbers() {
    judge(
        "5 bytes",
        with_operators(&[0x41, 0x80, 0x80, 0x80, 0x80, 0, 0x1a]),
        [OK; 2],
    );
    judge(
        "unused bits",
        with_operators(&[0x41, 0x80, 0x80, 0x80, 0x80, 0x70, 0x1a]),
        [INVALID; 2],
    );
    judge(
        "6 bytes",
        with_operators(&[0x41, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0x1a]),
        [INVALID; 2],
    );
    judge("memory.size", with_operators(&[0x3f, 0, 0x1a]), [OK; 2]);
    judge(
        "memory.size of 1",
        with_operators(&[0x3f, 1, 0x1a]),
        [INVALID; 2],
    );
    judge(
        "memory.size, long",
        with_operators(&[0x3f, 0x80, 0, 0x1a]),
        [INVALID; 2],
    );
    judge(
        "fc, long",
        with_operators(&[0, 0xfc, 0x80, 0, 0x1a]),
        [INVALID; 2],
    );
    judge("fc", with_operators(&[0, 0xfc, 0, 0x1a]), [OK, TRAP]);
    judge(
        "alignment",
        with_operators(&[0x41, 0, 0x28, 2, 0, 0x1a]),
        [OK; 2],
    );
    judge(
        "too much of it",
        with_operators(&[0x41, 0, 0x28, 3, 0, 0x1a]),
        [INVALID; 2],
    );
    judge(
        "a long length",
        module(&[
            section(1, &[1, 0x60, 0, 0]),
            vec![3, 0x82, 0x80, 0x80, 0x80, 0, 1, 0],
            section(5, &[1, 0, 1]),
            section(7, b"\x02\x06memory\x02\x00\x03run\x00\x00"),
            section(10, &[1, 2, 0, 0x0b]),
        ]),
        [OK; 2],
    );
}

/// Code that control can't reach is typed in the parser's own way: a conditional branch makes the stack known again.
#[test]
fn code_that_control_can_not_reach() {
    accepted(&[
        "(func (export \"run\") return i64.const 1 i32.const 1 br_if 0)",
        "(func (export \"run\") return i32.add drop)",
        "(func (export \"run\") return (block (result i32) unreachable) drop)",
        "(func (export \"run\") (if (i32.const 0) (then return select drop) (else nop)))",
    ]);
    refused(&[
        "(func (export \"run\") return br_if 0 drop)",
        "(func (export \"run\") return i64.const 0 i32.eqz drop)",
        "(func (export \"run\") return i32.const 0)",
        "(func (export \"run\") (block (result i32) (block (result i64) unreachable (br_table 0 1)) drop i32.const 1) drop)",
        "(func (export \"run\") return (drop (memory.grow (i64.const 1))))",
    ]);
    judge_texts(
        [OK, TRAP],
        &["(func (export \"run\") unreachable call 0 drop drop)"],
    );
    // A block whose type is that of a function, and a select with a type: known to the parser, not to the compiler, which
    // does not look at code behind a return.
    judge("block", with_operators(&[0x02, 0, 0x0b]), [INVALID; 2]);
    judge(
        "unreachable block",
        with_operators(&[0x0f, 0x02, 0, 0x0b]),
        [OK; 2],
    );
    let select = [0x41, 1, 0x41, 2, 0x41, 3, 0x1c, 1, 0x7f, 0x1a];
    judge("select", with_operators(&select), [INVALID; 2]);
    let unreachable = [&[0x0f], &select[..]].concat();
    judge("unreachable select", with_operators(&unreachable), [OK; 2]);
    // For the compiler, code is reachable again behind every end.
    let behind_a_block = [&[0x02, 0x40, 0x0f, 0x0b], &select[..]].concat();
    judge(
        "select behind a block",
        with_operators(&behind_a_block),
        [INVALID; 2],
    );
    let not_a_number = [0x41, 0, 0x0e, 0, 0x80, 0x80, 0x80, 0x80, 0x7f];
    judge("target", with_operators(&not_a_number), [INVALID; 2]);
    let unreachable = [&[0x0f], &not_a_number[..]].concat();
    judge("unreachable target", with_operators(&unreachable), [OK; 2]);
}
