//! Functions that take the points as a parameter and return them: which do, and that nothing else changes.

use super::{
    CallOutcome, ENGINES, End, TestHost, compile, compile_on, instrumented, outcome_of, run,
    unit_costs, wasm,
};
use crate::engine::InstantiationError;
use crate::engine::instrument::STACK_SLOTS;
use wasmparser::{Parser, Payload};

/// Parameters and results of each function that the instrumented module defines, in their order.
fn signatures(text: &str) -> Vec<String> {
    let module = instrumented(&wasm(text), &unit_costs());
    let (mut types, mut functions) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(&module.bytes) {
        match payload.expect("it is valid") {
            Payload::TypeSection(section) => {
                let section = section.into_iter_err_on_gc_types();
                types.extend(section.map(|signature| signature.expect("it is valid").to_string()));
            }
            Payload::FunctionSection(section) => {
                functions.extend(section.into_iter().map(|ty| ty.expect("it is valid")));
            }
            _ => {}
        }
    }
    functions
        .into_iter()
        .map(|ty| types[ty as usize].clone())
        .collect()
}

#[test]
fn only_what_is_called_directly_passes_points() {
    let text = r#"(module
        (import "env" "note" (func $note))
        (table 1 funcref) (elem (i32.const 0) $listed)
        (func $inner (param f64) (result f32) (local i32) unreachable)
        (func $listed (param i32) (result i32) i32.const 1)
        (func $unused (param i64))
        (func (export "f") (local f64)
            call $note (drop (call $inner (local.get 0)))
            (drop (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0)))))"#;
    let expected = [
        "(func (param f64 i64) (result f32 i64))",
        "(func (param i32) (result i32))",
        "(func (param i64))",
        "(func)",
    ];
    assert_eq!(signatures(text), expected);
}

#[test]
fn what_is_reached_otherwise_as_well_is_there_twice() {
    let text = r#"(module
        (table 2 funcref) (elem (i32.const 0) $listed $listed)
        (func $exported (export "exported") (param i32))
        (func $listed (param i32) (result i64) i64.const 1)
        (func $start)
        (func $inner)
        (start $start)
        (func (export "f")
            (call $exported (i32.const 1)) (drop (call $listed (i32.const 1))) call $start call $inner))"#;
    let expected = [
        "(func (param i32))",
        "(func (param i32) (result i64))",
        "(func)",
        "(func (param i64) (result i64))",
        "(func)",
        // Behind all.
        "(func (param i32 i64) (result i64))",
        "(func (param i32 i64) (result i64 i64))",
        "(func (param i64) (result i64))",
    ];
    assert_eq!(signatures(text), expected);
}

/// A module whose `f` calls `$g`, behind other functions.
fn calling(functions: &str, parameters: usize, locals: usize) -> String {
    let arguments = "i64.const 1 ".repeat(parameters);
    let (parameters, locals) = ("i64 ".repeat(parameters), "i64 ".repeat(locals));
    format!(
        r#"(module {functions} (memory 1) (func $g (param {parameters}) (local {locals}))
            (func (export "f") {arguments} call $g))"#
    )
}

#[test]
fn unusual_modules_and_functions_pass_no_points() {
    let types = |count: usize| "(type (func))".repeat(count);
    for (text, passes) in [
        (calling("", 50, 0), true),
        (calling("", 51, 0), false),
        (calling("", 1, 998), true),
        (calling("", 1, 999), false),
        // Too many slots, in another function.
        (calling("(func (local i64) local.get 0 drop)", 0, 0), true),
        (
            calling(&format!("(func (local {}))", "i64 ".repeat(9_991)), 0, 0),
            true,
        ),
        (
            calling(&format!("(func (local {}))", "i64 ".repeat(9_992)), 0, 0),
            false,
        ),
        (calling(&"(func)".repeat(9_998), 0, 0), true),
        (calling(&"(func)".repeat(9_999), 0, 0), false),
        (calling(&types(10_000), 0, 0), true),
        (calling(&types(10_001), 0, 0), false),
        (
            calling(&r#"(import "env" "note" (func))"#.repeat(9_998), 0, 0),
            true,
        ),
        (
            calling(&r#"(import "env" "note" (func))"#.repeat(9_999), 0, 0),
            false,
        ),
    ] {
        let signatures = signatures(&text);
        let g = &signatures[signatures.len() - 2];
        assert_eq!(g.ends_with("(result i64))"), passes, "{}", &text[..60]);
        assert_eq!(run(&text, 100_000).end, End::Returned);
    }
}

/// What validation accepts runs: without points that are passed at the limits of types and functions, and with them where
/// the bodies become longer than a validator takes.
#[test]
fn no_module_becomes_one_that_engines_refuse() {
    let interpreted = |text: &str| {
        let modules = compile_on(&ENGINES[2..], &wasm(text), &unit_costs());
        let instance = modules[0].instantiate(u64::MAX);
        let mut instance = instance.expect("it can be instantiated");
        let outcome = outcome_of(&mut *instance, "f", TestHost::default());
        (outcome.end, outcome.used)
    };
    let types = "(type (func))".repeat(999_999);
    assert_eq!(interpreted(&calling(&types, 0, 0)), (End::Returned, 3));
    let calls = "call $g ".repeat(400_000);
    let text = format!(r#"(module (func $g) (func (export "f") {calls}))"#);
    assert_eq!(interpreted(&text), (End::Returned, 800_001));
    // Two bytes each, and three as they are moved by one.
    let locals = "local.get 127 local.set 127 ".repeat(1_300_000);
    let text = format!(
        r#"(module (func $g (local {}) {locals}) (func (export "f") call $g))"#,
        "i64 ".repeat(128)
    );
    assert_eq!(interpreted(&text), (End::Returned, 2_600_003));
}

#[test]
fn types_with_points_have_the_indices_that_functions_ask_for() {
    // The first function has the last type.
    let text = r#"(module
        (type $b (func (result i64))) (type $a (func (param i32)))
        (func $one (type $a) nop) (func $two (type $b) i64.const 1)
        (func (export "f") (call $one (i32.const 1)) (drop (call $two))))"#;
    let expected = [
        "(func (param i32 i64) (result i64))",
        "(func (param i64) (result i64 i64))",
        "(func)",
    ];
    assert_eq!(signatures(text), expected);
    assert_eq!(run(text, 100).used, 2 + 2 + 1 + 2 + 1 + 1);
}

#[test]
fn a_function_with_many_locals_keeps_the_points_of_what_it_calls() {
    let text = format!(
        r#"(module (import "env" "note" (func $note)) (memory 1)
            (func $g nop nop)
            (func (export "f") (local {}) call $g call $g call $note nop))"#,
        "i64 ".repeat(1_000)
    );
    assert_eq!(
        signatures(&text),
        ["(func (param i64) (result i64))", "(func)"]
    );
    let expected = (End::Returned, 11, vec![9]);
    assert_eq!(summary(run(&text, 1_000)), expected);
}

#[test]
fn what_was_paid_is_kept_when_the_slots_end() {
    for (f, g) in [
        ("call $g", "nop call $g"),
        ("call $g", "nop i32.const 0 call_indirect"),
        ("call $g", "loop call $g end"),
        ("i32.const 0 call_indirect", "nop call $g"),
        // A function that reads the points from the global.
        (
            "i32.const 0 call_indirect",
            "loop i32.const 0 call_indirect end",
        ),
    ] {
        let text = format!(
            r#"(module (memory 1) (table 1 funcref) (elem (i32.const 0) $g) (func $g {g}) (func (export "f") {f}))"#
        );
        // The index in the table is an operand and an operator more.
        let [index_of_f, index_of_g] = [f, g].map(|body| u64::from(body.contains("const")));
        let depth = (u64::from(STACK_SLOTS) - 8 - index_of_f) / (8 + index_of_g);
        let used = 1 + index_of_f + depth * (2 + index_of_g);
        let outcome = run(&text, u64::MAX);
        assert_eq!(
            (outcome.end, outcome.used),
            (End::Trapped, used),
            "{f}, {g}"
        );
    }
}

/// Functions that are reached in each way, with values of all types that must arrive and come back. Contracts have no floats but
/// zeros.
fn reached(in_table: &str) -> String {
    let values = "i32.const 1 i64.const 2 local.get 0 local.get 1";
    let function = |name: &str, result: &str, zero: &str| {
        format!(
            r#"(func ${name} (export "{name}") (param i32 i64 f32 f64) (result {result})
                (local i32 f64)
                (local.set 4 (i32.const 10))
                (if (i32.eqz (local.get 0)) (then (return {zero})))
                (drop (local.tee 4 (i32.add (local.get 4) (local.get 0))))
                {value_of})"#,
            value_of = match result {
                "i32" => "local.get 4",
                "i64" => "(i64.add (local.get 1) (i64.extend_i32_s (local.get 4)))",
                "f32" => "local.get 2",
                _ => "local.get 5",
            }
        )
    };
    let functions = [
        function("a", "i32", "(i32.const 0)"),
        function("b", "i64", "(i64.const 0)"),
        function("c", "f32", "local.get 2"),
        function("d", "f64", "local.get 5"),
    ]
    .concat();
    let call = |name: &str, index: usize, result: &str| match in_table {
        "" => format!("(call ${name} {values})"),
        _ => format!(
            "(call_indirect (param i32 i64 f32 f64) (result {result}) {values} (i32.const {index}))"
        ),
    };
    format!(
        r#"(module (memory 1) (table 4 funcref) (elem (i32.const 0) {in_table})
            {functions}
            (func $use (local f32 f64) (drop (call $a {values})) (drop (call $b {values})) (drop (call $c {values})) (drop (call $d {values})))
            (func (export "f") (local f32 f64) call $use
                (i32.store8 (i32.const 0) {}) (i64.store8 (i32.const 1) {})
                (i32.store8 (i32.const 2) (i32.add (i32.const 3) (i32.reinterpret_f32 {})))
                (i64.store8 (i32.const 3) (i64.add (i64.const 20) (i64.reinterpret_f64 {})))))"#,
        call("a", 0, "i32"),
        call("b", 1, "i64"),
        call("c", 2, "f32"),
        call("d", 3, "f64"),
    )
}

#[test]
fn values_arrive_and_come_back_on_every_way() {
    let directly = run(&reached(""), 10_000);
    assert_eq!(directly.end, End::Returned);
    assert_eq!(directly.memory[..4], [11, 13, 3, 20]);
    let by_table = run(&reached("$a $b $c $d"), 10_000);
    assert_eq!(by_table.end, End::Returned);
    assert_eq!(by_table.memory[..4], [11, 13, 3, 20]);
    // The four indices of the table are four more constants.
    assert_eq!(by_table.used, directly.used + 4);
}

/// A module whose `f` calls `$outer`, which calls `$inner`; both are in the table, too.
fn nested(inner: &str, outer: &str, f: &str) -> String {
    format!(
        r#"(module
            (import "env" "note" (func $note))
            (import "env" "usePoints" (func $usePoints (param i64)))
            (import "env" "abort" (func $abort))
            (memory 1) (table 2 funcref) (elem (i32.const 0) $inner $outer)
            (func $inner {inner})
            (func $outer {outer})
            (func (export "f") {f}))"#
    )
}

fn summary(outcome: CallOutcome) -> (End, u64, Vec<u64>) {
    (outcome.end, outcome.used, outcome.host.used_when_called)
}

#[test]
fn the_host_sees_all_points_in_passing_functions_and_may_change_them() {
    let outer = "nop call $inner nop call $note";
    for f in [
        "nop call $outer nop",
        "nop (call_indirect (i32.const 1)) nop",
    ] {
        let index = u64::from(f.contains("const"));
        let text = nested(
            "nop call $note (call $usePoints (i64.const 1000)) nop",
            outer,
            f,
        );
        // f: nop, call, or with a constant; outer: nop, call; inner: nop, call. Then const, call; 1,000, nop, end, nop, call; end, nop, end.
        let first = 6 + index;
        let seen = vec![first, first + 2, first + 1_006];
        let used = first + 1_009;
        assert_eq!(summary(run(&text, 10_000)), (End::Returned, used, seen));
        // The first check after the host has used too much ends it: the call of note.
        let seen = vec![first, first + 2];
        let used = first + 1_006;
        assert_eq!(summary(run(&text, 1_000)), (End::Trapped, used, seen));
    }
}

#[test]
fn a_trap_keeps_what_was_paid_at_every_depth() {
    let f = "nop call $outer nop";
    for (inner, outer, used) in [
        ("nop unreachable", "nop call $inner", 6),
        ("nop", "nop call $inner nop unreachable", 8),
        ("nop call $abort", "nop call $inner", 6),
        ("loop nop br 0 end", "nop call $inner", 101),
    ] {
        let outcome = run(&nested(inner, outer, f), 100);
        let (end, points, _) = summary(outcome);
        let expected = if inner.contains("abort") {
            End::Aborted
        } else {
            End::Trapped
        };
        assert_eq!((end, points), (expected, used), "{inner}, {outer}");
    }
    // Every limit ends at the check that reaches it.
    let text = nested(
        "nop call $note nop",
        "call $inner block br 0 end call $inner",
        f,
    );
    // f: nop, call; outer: call; inner: nop, call; outer, behind nop and end: block, br; call; inner: nop, call.
    let checks = [2, 3, 5, 9, 10, 12];
    let total = run(&text, 1_000).used;
    for limit in 0..=total {
        let outcome = run(&text, limit);
        let expected = match checks.into_iter().find(|&used| used >= limit) {
            Some(used) => (End::Trapped, used),
            None => (End::Returned, total),
        };
        assert_eq!((outcome.end, outcome.used), expected, "{limit}");
    }
}

#[test]
fn the_start_function_pays_when_it_is_called_again() {
    let text = r#"(module (memory 1)
        (func $start nop (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1))))
        (start $start)
        (func (export "f") call $start call $start))"#;
    for module in compile(&wasm(text), &unit_costs()) {
        let instance = module.instantiate(1_000);
        let mut instance = instance
            .map_err(|error: InstantiationError| error.to_string())
            .expect("it starts");
        assert_eq!(instance.used_points(), 8);
        let outcome = outcome_of(&mut *instance, "f", TestHost::default());
        assert_eq!((outcome.end, outcome.used), (End::Returned, 8 + 2 * 9 + 1));
        assert_eq!(outcome.memory[0], 3);
    }
}
