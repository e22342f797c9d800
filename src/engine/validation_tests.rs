//! What is a contract, and what can be deployed.

use super::verdict::LinkError;
use super::*;
use crate::engine::{ImportedFunction, ValueType};
use crate::gas_schedule::OPCODE_NAMES;

const TABLE: ImportTable = &[
    ImportedFunction {
        namespace: "env",
        name: "one",
        parameters: &[ValueType::I32],
        result: Some(ValueType::I64),
    },
    ImportedFunction {
        namespace: "ethereum",
        name: "none",
        parameters: &[],
        result: None,
    },
];

fn check(text: &str) -> Result<(), InvalidModule> {
    let code = wat::parse_str(text).expect("the test's text is right");
    validate(&code, TABLE).map(|_| ())
}

#[track_caller]
fn accepts(text: &str) {
    assert_eq!(check(text), Ok(()), "{text}");
}

#[track_caller]
fn malformed(text: &str, expected: &str) {
    match check(text) {
        Err(InvalidModule::Malformed { message, .. }) => {
            assert!(message.contains(expected), "{message}")
        }
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn code_is_not_empty_and_is_wasm() {
    assert_eq!(validate(b"", TABLE).err(), Some(InvalidModule::Empty));
    assert!(validate(b"not WASM", TABLE).is_err());
    assert!(validate(b"\0asm\x01\0\0\0", TABLE).is_ok());
    assert!(validate(b"\0asm\x01\0\0\0\x01", TABLE).is_err(), "cut off");
    assert!(
        validate(b"\0asm\x0d\0\x01\0", TABLE).is_err(),
        "a component"
    );
}

#[test]
fn the_first_version_and_two_extensions_are_accepted() {
    accepts("(module (func (param i64) (drop (i64.extend8_s (i64.popcnt (local.get 0))))))");
    accepts(r#"(module (global (export "g") (mut i32) (i32.const 1)))"#);
    accepts("(module (func (drop (i32.clz (i32.rotl (i32.const 1) (i32.ctz (i32.const 2)))))))");
}

#[test]
fn later_proposals_are_rejected() {
    malformed(
        "(module (func (result i32 i32) i32.const 1 i32.const 2))",
        "multiple values",
    );
    malformed("(module (func (block (param i32) drop)))", "multi-value");
    malformed(
        "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
        "bulk memory",
    );
    malformed(
        "(module (func (result funcref) ref.null func))",
        "reference types",
    );
    malformed(
        "(module (table 1 funcref) (table 1 funcref))",
        "multiple tables",
    );
    malformed("(module (memory 1) (memory 1))", "multiple memories");
    malformed("(module (func (return_call 0)))", "Unknown opcode");
    malformed("(module (func (param v128)))", "SIMD");
    malformed(
        "(module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))",
        "threads",
    );
    malformed("(module (memory i64 1))", "limits flags");
    malformed(
        "(module (global i32 (i32.add (i32.const 1) (i32.const 1))))",
        "constant expression",
    );
    malformed("(module (tag))", "Invalid section code");
}

#[test]
fn float_types_pass_and_float_operators_do_not() {
    accepts("(module (func (param f32 f64) (result f64) (local f32) local.get 1))");
    accepts("(module (func (param f32) (result i32) (i32.trunc_f32_s (local.get 0))))");
    accepts("(module (func (param f64) (result i64) (i64.trunc_sat_f64_u (local.get 0))))");
    accepts("(module (func (param f64) (result i64) (i64.reinterpret_f64 (local.get 0))))");
    accepts(
        "(module (func (param f64 i32) (result f64) (select (local.get 0) (local.get 0) (local.get 1))))",
    );
    accepts("(module (global f32 (f32.const 1)))");
    for text in [
        "(drop (f32.const 0))",
        "(drop (f64.const 0))",
        "(drop (f32.add (local.get 0) (local.get 0)))",
        "(drop (f64.eq (local.get 1) (local.get 1)))",
        "(drop (f32.load (i32.const 0)))",
        "(f64.store (i32.const 0) (local.get 1))",
        "(drop (f32.convert_i32_s (i32.const 0)))",
        "(drop (f32.demote_f64 (local.get 1)))",
        "(drop (f64.promote_f32 (local.get 0)))",
        "(drop (f64.reinterpret_i64 (i64.const 0)))",
        "return (drop (f32.neg (local.get 0)))",
    ] {
        let module = format!("(module (memory 1) (func (param f32 f64) {text}))");
        malformed(&module, "deterministic");
    }
}

/// The 18 operators that turn floats into integers are all that the names leave.
#[test]
fn eighteen_operators_take_floats() {
    let takes_floats = |name: &&str| {
        let is_scalar = !name.contains('x') && !name.starts_with('F') && !name.starts_with('V');
        is_scalar && (name.contains("F32") || name.contains("F64"))
    };
    assert_eq!(
        OPCODE_NAMES
            .into_iter()
            .filter(|name| takes_floats(name))
            .count(),
        18
    );
}

#[test]
fn imports_are_functions_of_the_table_with_their_signature() {
    accepts(
        r#"(module (import "env" "one" (func (param i32) (result i64))) (import "ethereum" "none" (func))
            (import "ethereum" "none" (func)))"#,
    );
    for (namespace, name) in [
        ("env", "none"),
        ("ethereum", "one"),
        ("other", "one"),
        ("env", "One"),
        ("", ""),
    ] {
        let import = format!(r#"(module (import "{namespace}" "{name}" (func)))"#);
        let text = format!("link error: Import not found, namespace: {namespace}, name: {name}");
        does_not_link(&import, &text);
    }
    for (signature, expected) in [
        ("", "[] -> []"),
        ("(param i64) (result i64)", "[I64] -> [I64]"),
        ("(param i32)", "[I32] -> []"),
        ("(param i32) (result i32)", "[I32] -> [I32]"),
        ("(param f32 f64) (result i64)", "[F32, F64] -> [I64]"),
    ] {
        does_not_link(
            &format!(r#"(module (import "env" "one" (func {signature})))"#),
            &format!(
                "link error: Incorrect import signature, namespace: env, name: one, \
                 expected signature: {expected}, found signature: [I32] -> [I64]"
            ),
        );
    }
    for (import, kind) in [
        ("(memory 1)", "memory"),
        ("(table 1 funcref)", "table"),
        ("(global i32)", "global"),
        ("(global (mut i32))", "global"),
    ] {
        does_not_link(
            &format!(r#"(module (import "env" "one" {import}))"#),
            &format!(
                "link error: Incorrect import type, namespace: env, name: one, expected type: {kind}, \
                 found type: function"
            ),
        );
    }
}

#[track_caller]
fn does_not_link(text: &str, expected: &str) {
    let error = check(text).expect_err(text);
    let text = format!("could not create wasmer instance: {expected}");
    assert_eq!((error.to_string(), error.detail()), (text, None));
}

#[test]
fn all_wrong_imports_are_told_by_kind() {
    does_not_link(
        r#"(module (import "a" "memory" (memory 1)) (import "b" "f" (func)) (import "env" "one" (func)))"#,
        "3 link errors: (1 of 3) Import not found, namespace: b, name: f (2 of 3) Incorrect import signature, \
         namespace: env, name: one, expected signature: [] -> [], found signature: [I32] -> [I64] (3 of 3) Import \
         not found, namespace: a, name: memory",
    );
}

#[test]
fn what_does_not_fit_is_told_in_the_words_of_the_reference() {
    for (text, error) in [
        (
            r#"(module (memory 1) (data (i32.const 65536) "x"))"#,
            LinkError::DataDoesNotFit,
        ),
        (
            "(module (table 1 funcref) (func) (elem (i32.const 1) 0))",
            LinkError::ElementsDoNotFit,
        ),
        (
            "(module (global i32 (i32.const 0)) (global i32 (global.get 0)))",
            LinkError::UninitialisedGlobal(0),
        ),
        (
            r#"(module (memory 1) (global i32 (i32.const 0)) (data (global.get 0) "x"))"#,
            LinkError::PlaceIsGlobal,
        ),
    ] {
        assert_eq!(check(text), Err(InvalidModule::Link(error.into())));
    }
    does_not_link(
        "(module (global i32 (i32.const 0)) (global i32 (global.get 0)))",
        "link error: Trying to read the `0` global that is not properly initialized.",
    );
    let refused = check("(module (func unreachable drop end))").expect_err("two ends");
    let text = "could not create wasmer instance: compile error";
    assert_eq!(refused.to_string(), text);
    assert!(
        refused
            .detail()
            .is_some_and(|text| text.starts_with("byte 2"))
    );
}

#[test]
fn limits_are_inclusive() {
    let locals = |count: usize| format!("(module (func (local {})))", "i64 ".repeat(count));
    accepts(&locals(50_000));
    malformed(&locals(50_001), "locals");
    let parameters = |count: usize| format!("(module (func (param {})))", "i64 ".repeat(count));
    accepts(&parameters(1_000));
    malformed(&parameters(1_001), "out of bound");
    let name = |length: usize| format!(r#"(module (func (export "{}")))"#, "x".repeat(length));
    accepts(&name(100_000));
    malformed(&name(100_001), "string");
    accepts("(module (memory 65536 65536))");
    malformed("(module (memory 65537))", "65536");
    malformed("(module (memory 1 65537))", "65536");
}

#[test]
fn slots_follow_from_locals_and_operands() {
    let slots = |text: &str| {
        let code = wat::parse_str(text).expect("the test's text is right");
        validate(&code, TABLE).expect("it is valid").functions[0].slots
    };
    assert_eq!(slots("(module (func))"), 8);
    assert_eq!(
        slots("(module (func (param i32 i64) (local f64 f64 f64)))"),
        8 + 2 + 3
    );
    assert_eq!(
        slots("(module (func i32.const 1 i32.const 2 i32.const 3 drop drop drop))"),
        8 + 3
    );
    assert_eq!(
        slots(
            "(module (func (result i32) (i32.add (i32.const 1) (i32.mul (i32.const 2) (i32.const 3)))))"
        ),
        8 + 3
    );
    // Not where control never gets.
    assert_eq!(
        slots("(module (func return i32.const 1 i32.const 2 drop drop))"),
        8
    );
    // 2 for each operator that computes, an eighth of a slot each, as soon as that is more.
    let computing = |count: usize| {
        format!(
            "(module (func (param i32) {}))",
            "(local.set 0 (i32.eqz (local.get 0)))".repeat(count)
        )
    };
    assert_eq!(slots(&computing(40)), 8 + 1 + 1);
    assert_eq!(slots(&computing(41)), 11);
    assert_eq!(slots(&computing(400)), 100);
}

fn deployable(text: &str) -> Result<(), NotDeployable> {
    let code = wat::parse_str(text).expect("the test's text is right");
    let module = validate(&code, TABLE).expect("the test's code is valid");
    let is_reserved = |name: &str| name == "finish";
    check_deployable(
        &module.exported_functions(),
        module.exports_memory(),
        is_reserved,
    )
}

#[test]
fn deployed_code_exports_a_memory_and_plain_functions() {
    let module = |export: &str| {
        format!(r#"(module (memory (export "any") 1) (func {export}) (func (export "main")))"#)
    };
    assert_eq!(deployable(&module("")), Ok(()));
    assert_eq!(deployable(&module(r#"(export "init")"#)), Ok(()));
    assert_eq!(
        deployable("(module (memory 1))"),
        Err(NotDeployable::NoExportedMemory)
    );
    let longest = "x".repeat(255);
    assert_eq!(
        deployable(&module(&format!(r#"(export "{longest}")"#))),
        Ok(())
    );
    for name in ["".to_owned(), "x".repeat(256), "caf\u{e9}".to_owned()] {
        let result = deployable(&module(&format!(r#"(export "{name}")"#)));
        assert_eq!(result, Err(NotDeployable::FunctionName { name }));
    }
    let name = "finish".to_owned();
    assert_eq!(
        deployable(&module(r#"(export "finish")"#)),
        Err(NotDeployable::ReservedName { name })
    );
    for (signature, parameters, results) in
        [("(param i32)", 1, 0), ("(result i32) i32.const 1", 0, 1)]
    {
        let name = "f".to_owned();
        let result = deployable(&module(&format!(r#"(export "f") {signature}"#)));
        assert_eq!(
            result,
            Err(NotDeployable::FunctionSignature {
                name,
                parameters,
                results
            })
        );
    }
    // A memory or global may be called anything.
    assert_eq!(
        deployable(
            r#"(module (memory (export "finish") 1) (global (export "") i32 (i32.const 1)))"#
        ),
        Ok(())
    );
}
