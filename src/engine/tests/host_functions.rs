//! Host functions: arguments, results, aborts, panics, nesting.

use super::{CallEnd, End, TestHost, instantiate, outcome_of, run};

#[test]
fn arguments_and_results_cross_sign_extended() {
    let outcome = run(
        r#"(module
            (import "env" "number" (func $number (result i32)))
            (import "env" "echo" (func $echo (param i64) (result i64)))
            (import "env" "wide" (func $wide (param i32 i64 i32 i64 i32 i64 i32 i64) (result i32)))
            (memory 1)
            (func (export "f")
                (i32.store (i32.const 0) (call $number))
                (i64.store (i32.const 8) (call $echo (i64.const -9223372036854775808)))
                (i32.store (i32.const 16) (call $wide
                    (i32.const -1) (i64.const -2) (i32.const 3) (i64.const 4)
                    (i32.const 5) (i64.const 6) (i32.const 7) (i64.const 8)))))"#,
        1_000,
    );
    let expected = [
        ("number", vec![]),
        ("echo", vec![i64::MIN]),
        ("wide", vec![-1, -2, 3, 4, 5, 6, 7, 8]),
    ];
    assert_eq!(outcome.host.calls, expected);
    assert_eq!(outcome.memory[..4], (-7_i32).to_le_bytes());
    assert_eq!(outcome.memory[8..16], i64::MIN.to_le_bytes());
    assert_eq!(outcome.memory[16..20], 30_i32.to_le_bytes());
}

#[test]
fn an_abort_ends_the_execution_at_once() {
    let outcome = run(
        r#"(module
            (import "env" "abort" (func $abort)) (import "env" "note" (func $note))
            (memory 1)
            (func $inner call $note call $abort call $note)
            (func (export "f") (i32.store8 (i32.const 0) (i32.const 1)) call $inner call $note))"#,
        1_000,
    );
    assert_eq!(outcome.end, End::Aborted);
    assert_eq!(outcome.host.calls.len(), 2);
    assert_eq!(outcome.memory[0], 1, "the memory can still be read");
    assert_eq!(outcome.used, 6);
}

#[test]
fn a_panic_is_told_to_the_host_and_aborts() {
    let outcome = run(
        r#"(module (import "env" "panic" (func $panic)) (func (export "f") call $panic))"#,
        1_000,
    );
    assert_eq!((outcome.end, outcome.used), (End::Aborted, 1));
    assert_eq!(outcome.host.panics, ["no luck"]);
}

#[test]
fn a_spent_instance_is_not_called_again() {
    let text = r#"(module
        (import "env" "abort" (func $abort)) (import "env" "note" (func $note))
        (func (export "trap") unreachable) (func (export "abort") call $abort) (func (export "f") call $note))"#;
    for function in ["trap", "abort"] {
        for instance in instantiate(text, 1_000) {
            let mut instance = instance.expect("it is valid");
            assert_ne!(
                outcome_of(&mut *instance, function, TestHost::default()).end,
                End::Returned
            );
            let again = outcome_of(&mut *instance, "f", TestHost::default());
            assert_eq!(again.end, End::Trapped);
            assert!(again.host.calls.is_empty());
        }
    }
}

#[test]
fn re_exported_imports_can_be_called() {
    let text = r#"(module
        (import "env" "note" (func $note)) (import "env" "abort" (func $abort))
        (import "env" "number" (func $number (result i32))) (import "env" "panic" (func $panic))
        (export "note" (func $note)) (export "abort" (func $abort))
        (export "number" (func $number)) (export "panic" (func $panic)))"#;
    let cases = [
        ("note", End::Returned),
        ("number", End::Returned),
        ("abort", End::Aborted),
        ("panic", End::Aborted),
    ];
    for (name, end) in cases {
        for instance in instantiate(text, 1_000) {
            let outcome = outcome_of(
                &mut *instance.expect("it is valid"),
                name,
                TestHost::default(),
            );
            assert_eq!((outcome.end, outcome.used), (end, 0), "{name}");
            assert_eq!(outcome.host.calls, [(name, vec![])]);
        }
    }
}

#[test]
fn what_can_not_be_called_traps() {
    let text = r#"(module (memory (export "memory") 1) (func (export "parameter") (param i32))
        (func $start) (start $start))"#;
    for name in ["parameter", "memory", "missing", "", "arwen:start"] {
        for instance in instantiate(text, 1_000) {
            let (_, end) = instance.expect("it is valid").call(name, Box::default());
            assert!(matches!(end, CallEnd::Trapped(_)), "{name}");
        }
    }
}

#[test]
fn instances_nest_ten_deep_and_the_outer_ones_stay_usable() {
    let outcome = run(
        r#"(module
            (import "env" "nest" (func $nest (param i32)))
            (memory 1)
            (func (export "f") (local $levels i32)
                (local.set $levels (i32.load8_u (i32.const 0)))
                (if (i32.eqz (local.get $levels)) (then
                    ;; The outermost starts with 0 in its memory, the innermost with 200.
                    (local.set $levels (i32.const 210))))
                (if (i32.gt_u (local.get $levels) (i32.const 200)) (then (call $nest (local.get $levels))))))"#,
        1_000_000,
    );
    assert_eq!(outcome.end, End::Returned);
    let levels: Vec<i64> = outcome
        .host
        .calls
        .iter()
        .map(|(_, arguments)| arguments[0])
        .collect();
    assert_eq!(levels, [210, 209, 208, 207, 206, 205, 204, 203, 202, 201]);
    assert_eq!(outcome.memory.len(), 2 * 65_536);
    // The second byte counts the levels below.
    assert_eq!(outcome.memory[1], 10);
    assert_eq!(outcome.memory[65_536..65_538], [209, 9]);
}

#[test]
fn memory_grown_by_the_host_is_seen_by_the_contract() {
    let outcome = run(
        r#"(module
            (import "env" "grow" (func $grow (param i32) (result i32)))
            (memory 1 3)
            (func (export "f")
                (i32.store (i32.const 0) (call $grow (i32.const 2)))
                (i32.store (i32.const 4) (call $grow (i32.const 1)))
                (i32.store (i32.const 8) (memory.size))
                (i32.store (i32.const 12) (memory.grow (i32.const 1)))
                (i32.store (i32.const 196604) (i32.const 1))))"#,
        1_000,
    );
    assert_eq!(outcome.end, End::Returned);
    assert_eq!(
        outcome.memory[..16],
        [1, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 255, 255, 255, 255]
    );
}
