use super::*;
use crate::gas_schedule::flat_gas_schedule;

fn of_text(text: &str) -> Inspection {
    let code = wat::parse_str(text).expect("the test's text is right");
    inspect(&code, &flat_gas_schedule(2, 100_000))
}

#[test]
fn a_contract_is_taken_apart() {
    let found = of_text(
        r#"(module
            (import "env" "int64finish" (func $finish (param i64)))
            (import "env" "getArgument" (func (param i64)))
            (import "ethereum" "int64finish" (func (param i64)))
            (memory (export "memory") 1 3)
            (func $inner (param i64) (local i64) (call $finish (local.get 0)))
            (func (export "run") (call $inner (i64.const 7)))
            (func (export "with") (param i64)))"#,
    );
    let known: Vec<_> = found.imports.iter().map(Import::is_known).collect();
    assert_eq!(known, [true, false, false]);
    let signatures: Vec<_> = { found.imports.iter() }
        .map(|import| import.host_signature.as_deref())
        .collect();
    assert_eq!(signatures, [Some("(i64)"), Some("(i32, i32) -> i32"), None]);
    assert_eq!(found.imports[0].gas, Some(("Int64Finish", 2)));
    let labels: Vec<_> = found.functions.iter().map(Function::label).collect();
    assert_eq!(labels, ["#3 inner", "#4 run", "#5 with"]);
    let called: Vec<_> = { found.exports.iter() }
        .map(|export| export.can_be_called)
        .collect();
    assert_eq!(called, [false, true, false]);
    let memory = Memory {
        initial_pages: 1,
        maximum_pages: Some(3),
    };
    assert_eq!(found.memory, Some(memory));
    let sections: Vec<_> = { found.sections.iter() }
        .map(|section| section.name.as_str())
        .collect();
    assert_eq!(
        sections,
        [
            "type",
            "import",
            "function",
            "memory",
            "export",
            "code",
            "custom name"
        ]
    );
    assert_eq!(found.deploy_gas, Some(2 + 2 * found.bytes as u64));
    // What does not fit the host is found before the rules of deploys.
    let texts: Vec<_> = { found.faults.iter() }
        .map(|fault| fault.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "Incorrect import signature, namespace: env, name: getArgument, expected signature: [I64] -> [], \
             found signature: [I32, I32] -> [I32]",
            "Import not found, namespace: ethereum, name: int64finish",
        ]
    );
}

#[test]
fn slots_are_those_of_the_engine() {
    let found = of_text(r#"(module (memory (export "m") 1) (func (export "f") (local i64 i64)))"#);
    assert!(found.is_accepted(), "{:?}", found.faults);
    assert_eq!(found.functions[0].stack_slots, Some(10));
    assert!(
        found
            .to_string()
            .contains("10 slots, at most 104857 calls of itself"),
        "{found}"
    );
}

#[test]
fn every_function_that_is_refused_is_named() {
    let found = of_text(
        r#"(module (memory (export "m") 1)
            (func $one (drop (f64.const 0)))
            (func $two (nop))
            (func (export "three") (drop (f32.neg (f32.const 1)))))"#,
    );
    let functions: Vec<_> = { found.faults.iter() }
        .map(|fault| fault.function.as_deref())
        .collect();
    assert_eq!(functions, [Some("#0 one"), Some("#2 three")]);
    assert_eq!(
        found.faults[0].text,
        "only deterministic operations are allowed"
    );
    assert!(found.faults.iter().all(|fault| fault.offset.is_some()));
    let shown = found.to_string();
    assert!(
        shown.contains("refused: it can't be deployed\n  function #0 one, byte "),
        "{shown}"
    );
}

#[test]
fn damaged_code_is_shown_as_far_as_it_goes() {
    let mut code =
        wat::parse_str(r#"(module (memory (export "m") 1) (func) (func))"#).expect("a module");
    code.truncate(code.len() - 2);
    let found = inspect(&code, &flat_gas_schedule(1, 1));
    assert!(!found.is_accepted() && !found.can_be_called);
    assert_eq!(found.exports.len(), 1);
    let empty = inspect(b"", &[]);
    assert_eq!((empty.faults.len(), empty.deploy_gas), (1, None));
}

#[test]
fn json_has_all_of_it() {
    let found = of_text(r#"(module (import "env" "a\22" (func)) (func (export "b")))"#);
    let json: serde_json::Value = serde_json::from_slice(&found.to_json()).expect("JSON");
    assert_eq!(json["accepted"], false);
    assert_eq!(json["imports"][0]["name"], "a\"");
    assert_eq!(json["imports"][0]["known"], false);
    assert_eq!(json["memory"], serde_json::Value::Null);
    assert_eq!(json["functions"][0]["name"], "b");
    assert_eq!(json["faults"][0]["offset"], serde_json::Value::Null);
}
