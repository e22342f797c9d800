//! Instantiation, start functions, memories, hidden exports.

use super::{
    End, InstantiationError, OutOfBounds, TABLE, TestHost, instantiate, instrumented, outcome_of,
    run, unit_costs, validate, wasm,
};
use crate::engine::validation::InvalidModule;

#[test]
fn a_start_function_runs_after_the_segments_and_its_points_stay() {
    let text = r#"(module
        (memory 1) (data (i32.const 0) "\2a")
        (func $start (i32.store8 (i32.const 1) (i32.load8_u (i32.const 0))))
        (start $start)
        (func (export "f") nop))"#;
    for instance in instantiate(text, 1_000) {
        let mut instance = instance.expect("it is valid");
        assert_eq!(instance.used_points(), 5);
        let outcome = outcome_of(&mut *instance, "f", TestHost::default());
        assert_eq!((outcome.end, outcome.used), (End::Returned, 7));
        assert_eq!(outcome.memory[..2], [42, 42]);
    }
}

#[test]
fn a_start_function_that_traps_or_runs_out_of_points_is_invalid() {
    let trap = r#"(module (func $start unreachable) (start $start))"#;
    let points = r#"(module (func $start (loop br 0)) (start $start))"#;
    let recursion = r#"(module (func $start call $start) (start $start))"#;
    for text in [trap, points, recursion] {
        for instance in instantiate(text, 10_000_000) {
            assert!(
                matches!(instance.err(), Some(InstantiationError::Invalid(_))),
                "{text}"
            );
        }
    }
}

#[test]
fn a_start_function_that_calls_the_host_is_told_apart() {
    let direct = r#"(module (import "env" "note" (func $note)) (start $note))"#;
    let inside =
        r#"(module (import "env" "note" (func $note)) (func $start call $note) (start $start))"#;
    for text in [direct, inside] {
        for instance in instantiate(text, 1_000) {
            assert_eq!(instance.err(), Some(InstantiationError::StartCalledHost));
        }
    }
    // It runs out of points before the call.
    for instance in instantiate(inside, 1) {
        assert!(matches!(
            instance.err(),
            Some(InstantiationError::Invalid(_))
        ));
    }
}

#[test]
fn segments_that_do_not_fit_are_invalid() {
    let cases = [
        r#"(module (memory 1) (data (i32.const 65535) "ab"))"#,
        r#"(module (memory 0) (data (i32.const 0) "a"))"#,
        r#"(module (memory 1) (data (i32.const -1) "a"))"#,
        r#"(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))"#,
        r#"(module (table 1 funcref) (func $f) (elem (i32.const 0) $f $f))"#,
    ];
    for text in cases {
        let validated = validate(&wasm(text), TABLE);
        assert!(
            matches!(validated.err(), Some(InvalidModule::Link(_))),
            "{text}"
        );
    }
    for instance in instantiate(r#"(module (memory 1) (data (i32.const 65535) "a"))"#, 0) {
        assert!(instance.is_ok());
    }
}

#[test]
fn a_memory_that_is_not_exported_can_be_used() {
    for instance in instantiate(r#"(module (memory 2 5) (func (export "f")))"#, 1_000) {
        let mut instance = instance.expect("it is valid");
        assert!(instance.has_memory());
        assert_eq!(instance.memory_size(), 2 * 65_536);
        assert_eq!(instance.declared_maximum_pages(), Some(5));
        assert_eq!(instance.write_memory(131_070, &[7, 8]), Ok(()));
        let mut bytes = [0; 2];
        assert_eq!(instance.read_memory(131_070, &mut bytes), Ok(()));
        assert_eq!(bytes, [7, 8]);
        let outside = |offset, length| OutOfBounds {
            offset,
            length,
            size: 131_072,
        };
        assert_eq!(
            instance.write_memory(131_071, &[1, 2]),
            Err(outside(131_071, 2))
        );
        assert_eq!(
            instance.read_memory(u64::MAX, &mut bytes),
            Err(outside(u64::MAX, 2))
        );
        assert!(instance.grow_memory(3));
        assert!(!instance.grow_memory(1));
        assert!(instance.grow_memory(0));
        assert_eq!(instance.memory_size(), 5 * 65_536);
    }
}

#[test]
fn there_can_be_no_memory() {
    for instance in instantiate(r#"(module (func (export "f")))"#, 1_000) {
        let mut instance = instance.expect("it is valid");
        assert!(!instance.has_memory());
        assert_eq!(
            (instance.memory_size(), instance.declared_maximum_pages()),
            (0, None)
        );
        assert!(!instance.grow_memory(0));
        assert!(instance.read_memory(0, &mut []).is_err());
    }
}

#[test]
fn memory_grows_to_65536_pages() {
    let text = r#"(module (memory 1) (func (export "f")
        (if (i32.ne (memory.grow (i32.const 65535)) (i32.const 1)) (then unreachable))
        (if (i32.ne (memory.size) (i32.const 65536)) (then unreachable))
        (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
        (i32.store (i32.const -4) (i32.const 1))))"#;
    // Only on wasmer: the interpreter would touch all 4 GiB.
    let instance = instantiate_on_wasmer(text);
    let mut instance = instance.expect("it is valid");
    assert_eq!(
        outcome_of(&mut *instance, "f", TestHost::default()).end,
        End::Returned
    );
    assert_eq!(instance.memory_size(), 1 << 32);
    assert_eq!(instance.write_memory((1 << 32) - 1, &[1]), Ok(()));
    assert!(!instance.grow_memory(1));
}

fn instantiate_on_wasmer(
    text: &str,
) -> Result<Box<dyn super::Instance<TestHost>>, InstantiationError> {
    let module = instrumented(&wasm(text), &unit_costs());
    super::ENGINES[0]()
        .compile(&module)
        .expect("it is valid")
        .instantiate(1_000)
}

#[test]
fn hidden_names_avoid_the_names_of_the_contract() {
    let text = r#"(module
        (memory 1)
        (global $a (mut i32) (i32.const 1)) (global i32 (i32.const 2)) (global (mut f64) (f64.const 0))
        (func $used (export "arwen:used")) (export "arwen::limit" (func $used))
        (start $used)
        (func (export "f") (global.set $a (i32.const 3))))"#;
    // A float constant can't be in a global, the type can't be written without one.
    let text = text.replace(
        "(global (mut f64) (f64.const 0))",
        "(global (mut i64) (i64.const 0))",
    );
    let module = instrumented(&wasm(&text), &unit_costs());
    assert_eq!(module.hidden.used, "arwen:::used");
    assert_eq!(
        module.hidden.mutable_globals,
        ["arwen:::global 0", "arwen:::global 2"]
    );
    assert_eq!(module.hidden.memory.as_deref(), Some("arwen:::memory"));
    assert_eq!(module.hidden.start.as_deref(), Some("arwen:::start"));
    let names: Vec<&str> = module
        .exported_functions
        .iter()
        .map(|function| function.name.as_str())
        .collect();
    assert_eq!(names, ["arwen:used", "arwen::limit", "f"]);
    assert!(!module.exports_memory);
    assert_eq!(run(&text, 1_000).end, End::Returned);
}

#[test]
fn custom_sections_do_not_matter() {
    let text = r#"(module (@custom "producers" (after type) "x") (func $named (export "f") nop))"#;
    assert_eq!(run(text, 1_000).used, 2);
}
