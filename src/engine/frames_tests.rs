//! Huge functions do and count the same in a memory as in an engine that can hold their values.

use super::*;
use crate::engine::instrument::instrument;
use crate::engine::opcode_costs::OpcodeCosts;
use crate::engine::validation::validate;
use crate::engine::wasmer::WasmerEngine;
use crate::engine::wasmi_engine::WasmiEngine;
use crate::engine::{Abort, CallEnd, Engine, HostCalls, InstanceAccess};

/// More locals than the interpreter can number.
const LOCALS: usize = 40_000;

/// More points than any test uses.
const POINTS: u64 = 100_000_000;

/// Sets that many locals from the first on: those that are never used are left out by validation.
fn use_all(first: usize, ty: &str) -> String {
    (first..first + LOCALS)
        .map(|local| format!("(local.set {local} ({ty}.const 1))"))
        .collect()
}

struct NoHost;

impl HostCalls for NoHost {
    fn call(&mut self, _: usize, _: &mut dyn InstanceAccess, _: &[i64]) -> Result<i64, Abort> {
        Err(Abort)
    }

    fn panicked(&mut self, _: String) {}
}

fn instrumented(text: &str) -> InstrumentedModule {
    let code = wat::parse_str(text).expect("the test's text is right");
    let validated = validate(&code, &[]).expect("it is valid");
    instrument(&validated, &[], &OpcodeCosts::from_map(|_| 1)).expect("it can be instrumented")
}

/// Whether `f` returned, the points that it used, and the first 64 bytes of the memory.
fn run_on(engine: &dyn Engine<NoHost>, module: &InstrumentedModule) -> (bool, u64, [u8; 64]) {
    let compiled = engine.compile(module).expect("it is valid");
    let instance = compiled.instantiate(POINTS);
    let mut instance = instance.expect("it can be instantiated");
    let (_, end) = instance.call("f", Box::new(NoHost));
    let mut memory = [0; 64];
    let read = instance.read_memory(0, &mut memory);
    read.expect("there is a page");
    (end == CallEnd::Returned, instance.used_points(), memory)
}

/// Runs it rewritten and compiled.
fn run(text: &str) -> (bool, u64, [u8; 64]) {
    let module = instrumented(text);
    assert!(
        rewrite(&module).expect("it is valid").is_some(),
        "nothing is huge"
    );
    let interpreted = run_on(&WasmiEngine::unlimited(), &module);
    assert_eq!(run_on(&WasmerEngine::default(), &module), interpreted);
    interpreted
}

/// A module whose `f` has the body; what it calls comes before.
fn huge(functions: &str, body: &str) -> String {
    format!(
        r#"(module (memory (export "memory") 1) (table funcref (elem $one $two)) (global $g (mut i64) (i64.const 3))
        (func $one (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
        (func $two (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
        {functions}
        (func (export "f") (local $a i32) (local $b i64) (local {}) (local $z i64) (local $i i32) {} {body}))"#,
        "i32 ".repeat(LOCALS),
        use_all(2, "i32")
    )
}

#[test]
fn usual_functions_stay_as_they_are() {
    let module = instrumented(r#"(module (memory 1) (func (export "f") (local i64)))"#);
    assert_eq!(rewrite(&module), Ok(None));
    // Long, but with few operands.
    let body = "(local.set 0 (i64.const 1))".repeat(20_000);
    let module = instrumented(&format!(
        r#"(module (memory 1) (func (export "f") (local i64) {body}))"#
    ));
    assert_eq!(rewrite(&module), Ok(None));
}

#[test]
fn locals_and_arithmetic() {
    let (returned, _, memory) = run(&huge(
        "",
        "(local.set $a (i32.const 7)) (local.set $z (i64.const -5))
        (i32.store (i32.const 0) (i32.add (local.tee $i (local.get $a)) (i32.const 1)))
        (i64.store (i32.const 8) (i64.mul (local.get $z) (i64.extend_i32_s (local.get $i))))
        (i64.store (i32.const 16) (local.get $b))
        (i32.store8 (i32.const 24) (select (i32.const 3) (i32.const 4) (i64.lt_s (local.get $z) (local.get $b))))
        (global.set $g (i64.add (global.get $g) (i64.const 1))) (i64.store (i32.const 32) (global.get $g))
        (i32.store (i32.const 40) (memory.grow (i32.const 1))) (i32.store (i32.const 44) (memory.size))
        (drop (i32.const 5)) nop",
    ));
    assert!(returned);
    assert_eq!(
        (memory[0], memory[24], memory[32], memory[40], memory[44]),
        (8, 3, 4, 1, 2)
    );
    assert_eq!(memory[8..16], (-35_i64).to_le_bytes());
}

#[test]
fn control_and_what_branches_bring() {
    let (returned, _, memory) = run(&huge(
        "",
        "(i32.store (i32.const 0) (block (result i32)
            (drop (i32.add (i32.const 1) (block (result i32) (br_if 1 (i32.const 40) (local.get $a)) (drop) (i32.const 2))))
            (br 0 (i32.const 41)) (i32.add) (block) (if (then unreachable) (else (loop))) (unreachable)))
        (loop $again
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 10))))
        (i32.store (i32.const 4) (if (result i32) (i32.eq (local.get $i) (i32.const 10)) (then (i32.const 11)) (else (i32.const 12))))
        (i32.store (i32.const 8) (i32.add (i32.const 100) (block $x (result i32) (i32.const 1) (i32.const 2)
            (block $y (result i32) (br_table $x $y (i32.const 7) (i32.const 1))) (drop) (drop))))
        (if (local.get $a) (then unreachable))
        (i64.store (i32.const 16) (loop (result i64) (i64.const 9)))
        (if (local.get $i) (then (return) (drop)))
        (i32.store (i32.const 32) (i32.const 1))",
    ));
    assert!(returned);
    assert_eq!(
        (memory[0], memory[4], memory[8], memory[16], memory[32]),
        (41, 11, 101, 9, 0)
    );
}

#[test]
fn calls_parameters_and_results() {
    let (returned, _, memory) = run(&huge(
        &format!(
            "(func $huge (param $p i32) (param $q i64) (result i64) (local {}) (local $l i64) {}
                (local.set $l (i64.add (local.get $q) (i64.extend_i32_u (local.get $p))))
                (if (i32.lt_u (local.get $p) (i32.const 3)) (then
                    (local.set $p (i32.add (local.get $p) (i32.const 1)))
                    (return (i64.add (local.get $l) (call $huge (local.get $p) (local.get $q))))))
                (i64.mul (local.get $l) (i64.const 10)))",
            "i64 ".repeat(LOCALS),
            use_all(2, "i64")
        ),
        "(i64.store (i32.const 0) (call $huge (i32.const 1) (i64.const 5)))
        (i32.store (i32.const 8) (call_indirect (param i32) (result i32) (call $one (i32.const 20)) (i32.const 1)))",
    ));
    assert!(returned);
    // 6 + 7 + 80 and 2 x 21.
    assert_eq!((memory[0], memory[8]), (93, 42));
}

#[test]
fn traps_and_deep_recursion_end_alike() {
    for body in [
        "unreachable",
        "(i32.store (i32.const -1) (i32.const 0))",
        "(i32.store (i32.const 0) (i32.div_u (i32.const 1) (local.get $a)))",
        "(drop (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 5)))",
    ] {
        let (returned, ..) = run(&huge(
            "",
            &format!("(i32.store (i32.const 4) (i32.const 1)) {body}"),
        ));
        assert!(!returned, "{body}");
    }
    let count = "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))";
    let recursive = format!(
        "(func $deep (local {}) {} {count} (call $deep))",
        "i64 ".repeat(LOCALS),
        use_all(0, "i64")
    );
    let (returned, _, memory) = run(&huge(&recursive, "(call $deep)"));
    assert!(!returned);
    assert_eq!(memory[0], 25);
}

#[test]
fn many_operands() {
    let operands = 30_000;
    let push = "(local.get 0)".repeat(operands);
    let add = "i32.add ".repeat(operands - 1);
    let text = format!(
        r#"(module (memory (export "memory") 1) (func (export "f") (local i32)
            (local.set 0 (i32.const 3)) (i32.const 0) {push} (block (br_if 0 (i32.const 0))) {add} i32.store))"#
    );
    let (returned, _, memory) = run(&text);
    assert!(returned);
    assert_eq!(memory[..4], (3 * operands as u32).to_le_bytes());
}
