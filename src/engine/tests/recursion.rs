//! The limit of the recursion: counted in slots, the same on every engine, and met before the native stack ends.

use wasmer::sys::{Cranelift, EngineBuilder};
use wasmer::{Engine, Instance, Module, Store, Value, imports};

use super::{
    CallEnd, ENGINES, End, TestHost, compile, compile_on, instrumented, outcome_of, run, run_code,
    unit_costs, wasm,
};
use crate::engine::instrument::STACK_SLOTS;
use crate::engine::wasmer::{NATIVE_STACK_BYTES, WasmerEngine};

/// Counts its calls at address 0. Its highest operand stack is 3.
const COUNT: &str = "(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))";

/// A function that calls itself for ever, and the slots of one call of it by the rule, without the 8 of every call.
struct Shape {
    name: &'static str,
    module: String,
    slots: u32,
}

/// A module whose `f` calls `$g` with `arguments`, `$g` having this text after its name.
fn module(arguments: &str, g: &str) -> String {
    format!(
        r#"(module (memory 2) (table 2 2 funcref) (elem (i32.const 0) $g $g)
            (func $integer (result i64) i64.const 1)
            (func $float (result f64) (local f64) local.get 0)
            (func (export "f") {arguments} call $g)
            (func $g {g}))"#
    )
}

fn declared_locals(count: usize) -> Shape {
    Shape {
        name: "declared locals",
        module: module(
            "",
            &format!("(local {}) {COUNT} call $g", "i64 ".repeat(count)),
        ),
        slots: 3 + count as u32,
    }
}

/// Locals that get unforeseeable values before the call and are needed after it.
fn live_locals(count: usize) -> Shape {
    let before = |index: usize| format!("(local.set {index} (i64.load (i32.const {})))", 8 * index);
    let after = |index: usize| format!("(local.get {index}) i64.add ");
    let before: String = (0..count).map(before).collect();
    let after: String = (0..count).map(after).collect();
    let locals = "i64 ".repeat(count);
    let g = format!(
        "(local {locals}) {COUNT} {before} call $g i32.const 8 i64.const 0 {after} i64.store"
    );
    Shape {
        name: "live locals",
        module: module("", &g),
        slots: 3 + count as u32,
    }
}

/// Values on the operand stack, each from a call, all needed after the recursive call.
fn live_operands(count: usize, callee: &'static str, to_integer: &str) -> Shape {
    let push = format!("call ${callee} ").repeat(count);
    let add = format!("{to_integer} local.get 0 i64.add local.set 0 ").repeat(count);
    let g =
        format!("(local i64) {COUNT} {push} call $g {add} (i64.store (i32.const 8) (local.get 0))");
    Shape {
        name: callee,
        module: module("", &g),
        slots: 1 + (count as u32 + 1).max(3),
    }
}

/// Parameters, all needed after the call, for which they are pushed again: twice as many slots.
fn live_parameters(value_type: &str, first: &str, to_integer: &str, count: usize) -> Shape {
    let each = |text: &dyn Fn(usize) -> String| (0..count).map(text).collect::<String>();
    let push = each(&|index| format!("local.get {index} "));
    let after = each(&|index| format!("local.get {index} {to_integer} i64.add "));
    let parameters = format!("{value_type} ").repeat(count);
    let g = format!(
        "(param {parameters}) {COUNT} {push} call $g i32.const 8 i64.const 0 {after} i64.store"
    );
    Shape {
        name: "live parameters",
        module: module(&first.repeat(count), &g),
        slots: 2 * count as u32,
    }
}

/// A thousandfold computation before and after the call, or in a loop around it. The compiler does it once and keeps
/// the results over the call, although the wasm has few values on its stack.
fn kept_values(name: &'static str, count: usize) -> Shape {
    let term = |index: usize| {
        format!(
            "(local.set 1 (i64.add (local.get 1) (i64.mul (local.get 0) (i64.const {}))))",
            3 * index + 1_234_567
        )
    };
    let terms: String = (0..count).map(term).collect();
    let call = "(call $g (i64.load (i32.const 16)))";
    let (body, times) = match name {
        "repeated" => (format!("{terms} {call} {terms}"), 2),
        _ => (
            format!("(loop {terms} {call} (br_if 0 (i64.eqz (i64.load (i32.const 16)))))"),
            1,
        ),
    };
    let g =
        format!("(param i64) (local i64) {COUNT} {body} (i64.store (i32.const 8) (local.get 1))");
    // 2 operators of each term, 2 values each; the other 5 or 7 operators are in the noise of the rounding.
    let values = times * count * 4;
    Shape {
        name,
        module: module("call $integer", &g),
        slots: (values / 8) as u32 - 8,
    }
}

/// Recursion through the table of a function that is also called directly: between two calls of it stands the entry that hands
/// the points over, for which no slots are taken.
fn through_entries(value_type: &str, first: &str, to_integer: &str, count: usize) -> Shape {
    let shape = live_parameters(value_type, first, to_integer, count);
    let parameters = format!("{value_type} ").repeat(count);
    let call = format!("(call_indirect (param {parameters}) (i32.const 1))");
    let module = shape.module;
    let at = module
        .rfind("call $g i32.const 8")
        .expect("it calls itself");
    let (before, after) = module.split_at(at);
    Shape {
        name: "through entries",
        module: format!("{before}{call}{}", &after["call $g".len()..]),
        // The index in the table.
        slots: shape.slots.max(3) + u32::from(2 * count >= 3),
    }
}

/// The functions with the largest native frames for their slots that are known.
fn worst_shapes() -> Vec<Shape> {
    let mut shapes: Vec<Shape> = [0, 10, 100, 1_000, 9_000].map(live_locals).into();
    shapes.extend([0, 100].map(declared_locals));
    shapes.extend([1, 10, 1_000, 3_000].map(|count| live_operands(count, "integer", "")));
    shapes.extend(
        [1, 10, 1_000, 3_000].map(|count| live_operands(count, "float", "i64.reinterpret_f64")),
    );
    shapes.push(live_parameters("i64", "call $integer ", "", 1_000));
    shapes.push(live_parameters(
        "f64",
        "call $float ",
        "i64.reinterpret_f64",
        1_000,
    ));
    shapes.push(live_parameters("i64", "call $integer ", "", 10));
    shapes.push(live_parameters(
        "f64",
        "call $float ",
        "i64.reinterpret_f64",
        10,
    ));
    shapes.extend([0, 10, 50].map(|count| through_entries("i64", "call $integer ", "", count)));
    shapes.extend(
        [10, 50].map(|count| through_entries("f64", "call $float ", "i64.reinterpret_f64", count)),
    );
    shapes.push(kept_values("repeated", 3_000));
    shapes.push(kept_values("in a loop", 6_000));
    shapes
}

impl Shape {
    fn call_slots(&self) -> u64 {
        8 + u64::from(self.slots)
    }

    /// How many calls of `$g` fit besides the one of `f`, whose operand stack holds the arguments.
    fn depth(&self, arguments: u64) -> u64 {
        (u64::from(STACK_SLOTS) - 8 - arguments) / self.call_slots()
    }
}

/// What `$g` has counted.
fn counted(memory: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes(memory[..4].try_into().expect("4 bytes")))
}

#[test]
fn depth_follows_from_the_slots_on_every_engine() {
    let mut depths = Vec::new();
    for count in [0, 100, 1_000, 30_000] {
        let shape = declared_locals(count);
        let outcome = run(&shape.module, u64::MAX);
        assert_eq!(outcome.end, End::Trapped);
        assert_eq!(counted(&outcome.memory), shape.depth(0), "{count} locals");
        depths.push(shape.depth(0));
    }
    assert_eq!(depths, [95_324, 9_446, 1_037, 34]);
    let shapes = [
        live_locals(100),
        live_operands(1_000, "integer", ""),
        live_operands(1_000, "float", "i64.reinterpret_f64"),
    ];
    for shape in shapes {
        let outcome = run(&shape.module, u64::MAX);
        assert_eq!(
            (outcome.end, counted(&outcome.memory)),
            (End::Trapped, shape.depth(0)),
            "{}",
            shape.name
        );
    }
    let arguments = 50;
    for shape in [
        live_parameters("i64", "call $integer ", "", 50),
        through_entries("i64", "call $integer ", "", 50),
    ] {
        let outcome = run(&shape.module, u64::MAX);
        let depth = shape.depth(arguments);
        assert_eq!(counted(&outcome.memory), depth, "{}", shape.name);
    }
    let shape = live_parameters("i64", "call $integer ", "", 1_000);
    assert_eq!(
        counted(&run(&shape.module, u64::MAX).memory),
        shape.depth(1_000)
    );
}

#[test]
fn depth_with_the_most_locals() {
    // Only on wasmer: the interpreter's limit is 32,767 locals and operands.
    let shape = declared_locals(49_000);
    let module = &compile_on(&ENGINES[..1], &wasm(&shape.module), &unit_costs())[0];
    let mut instance = module.instantiate(u64::MAX).expect("it is valid");
    let outcome = outcome_of(&mut *instance, "f", TestHost::default());
    assert_eq!((outcome.end, counted(&outcome.memory)), (End::Trapped, 21));
    assert_eq!(shape.depth(0), 21);
}

#[test]
fn all_ways_out_of_a_function_give_the_slots_back() {
    // Each way is taken as often as the slots would last if they were lost.
    let ways = [
        "return",
        "br 0",
        "block br 1 end",
        "(br_if 0 (i32.const 1))",
        "(block (br_table 0 1 (i32.const 1)))",
        "(if (i32.const 1) (then return) (else nop))",
        "loop br 1 end",
        "nop",
    ];
    for way in ways {
        let text = format!(
            r#"(module
                (func $leaf)
                (func $g call $leaf {way})
                (func (export "f") (local i32)
                    (local.set 0 (i32.const 200000))
                    (loop call $g (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"#
        );
        assert_eq!(run(&text, u64::MAX).end, End::Returned, "{way}");
    }
}

#[test]
fn results_survive_the_epilogue() {
    let text = r#"(module
        (memory 1)
        (func $leaf)
        (func $falls (result i32) call $leaf i32.const 1)
        (func $returns (result i64) call $leaf (block (return (i64.const 2))) i64.const 0)
        (func $branches (result i32) call $leaf (block (result i32) (br 1 (i32.const 3))))
        (func $conditional (result i64) call $leaf (br_if 0 (i64.const 4) (i32.const 1)) drop i64.const 0)
        (func $never (result i64) call $leaf (loop (result i64) (br 1 (i64.const 5))))
        (func (export "f")
            (i32.store8 (i32.const 0) (call $falls)) (i64.store8 (i32.const 1) (call $returns))
            (i32.store8 (i32.const 2) (call $branches)) (i64.store8 (i32.const 3) (call $conditional))
            (i64.store8 (i32.const 4) (call $never))))"#;
    assert_eq!(run(text, 1_000).memory[..5], [1, 2, 3, 4, 5]);
}

#[test]
fn calls_through_the_table_and_in_turns_count_alike() {
    let indirect = format!("{COUNT} (call_indirect (i32.const 1))");
    let outcome = run(&module("", &indirect), u64::MAX);
    assert_eq!(
        (outcome.end, counted(&outcome.memory)),
        (End::Trapped, (1_048_576 - 8) / 11)
    );
    let turns = format!(
        r#"(module (memory 1)
            (func $g (local i64 i64) {COUNT} call $h) (func $h (local i32) call $g) (func (export "f") call $g))"#
    );
    let outcome = run(&turns, u64::MAX);
    assert_eq!(
        (outcome.end, counted(&outcome.memory)),
        (End::Trapped, (1_048_576 - 8 - 13) / (13 + 9) + 1)
    );
}

#[test]
fn a_leaf_needs_its_slots_too() {
    // `$g` takes all slots but those that `$leaf` may need: 8 of `f`, 8 + 1 + n * 11 of `$g`.
    let text = |locals: usize| {
        format!(
            r#"(module (memory 1)
                (func $leaf (local {}) {COUNT})
                (func $g (param i32)
                    (if (local.get 0) (then (call $g (i32.sub (local.get 0) (i32.const 1)))) (else call $leaf)))
                (func (export "f") (call $g (i32.const 95310))))"#,
            "i32 ".repeat(locals)
        )
    };
    // `f` 9, `$g` 8 + 1 + 2 = 11 for 95,311 calls: 146 slots are left, of which `$leaf` needs 11 and its locals.
    let fits = run(&text(135), u64::MAX);
    assert_eq!((fits.end, counted(&fits.memory)), (End::Returned, 1));
    let does_not = run(&text(136), u64::MAX);
    assert_eq!((does_not.end, counted(&does_not.memory)), (End::Trapped, 0));
}

#[test]
fn an_instance_starts_every_call_with_all_slots() {
    let shape = declared_locals(1_000);
    let text = shape.module.replace(
        "(memory 2)",
        r#"(memory 2) (func (export "shallow") call $integer drop)"#,
    );
    for module in compile(&wasm(&text), &unit_costs()) {
        let mut instance = module.instantiate(u64::MAX).expect("it is valid");
        for _ in 0..3 {
            let (_, end) = instance.call("shallow", Box::<TestHost>::default());
            assert_eq!(end, CallEnd::Returned);
        }
        let (_, end) = instance.call("f", Box::default());
        assert!(matches!(end, CallEnd::Trapped(_)));
        let mut count = [0; 4];
        instance
            .read_memory(0, &mut count)
            .expect("there is a memory");
        assert_eq!(counted(&count), shape.depth(0));
    }
}

/// How deep `$g` gets if only the native stack limits it.
fn native_depth(code: &[u8]) -> u64 {
    WasmerEngine::<TestHost>::default();
    let instrumented = instrumented(code, &unit_costs());
    let engine: Engine = EngineBuilder::new(Cranelift::new()).engine().into();
    let module = Module::new(&engine, &instrumented.bytes).expect("it is valid");
    let mut store = Store::new(engine);
    let instance = Instance::new(&mut store, &module, &imports! {}).expect("it has no imports");
    let hidden = &instrumented.hidden;
    for (name, value) in [
        (&hidden.slots, Value::I32(i32::MAX)),
        (&hidden.limit, Value::I64(-1)),
    ] {
        let global = instance
            .exports
            .get_global(name)
            .expect("it is exported")
            .clone();
        global.set(&mut store, value).expect("it is mutable");
    }
    let f = instance.exports.get_function("f").expect("it is exported");
    let error = f.call(&mut store, &[]).expect_err("it never ends");
    assert!(error.message().contains("stack"), "{}", error.message());
    let mut count = [0; 4];
    let memory = instance
        .exports
        .get_memory(hidden.memory.as_ref().expect("it has one"))
        .expect("it is exported");
    memory
        .view(&store)
        .read(0, &mut count)
        .expect("it is large enough");
    counted(&count)
}

#[test]
fn the_slots_end_before_the_native_stack() {
    for shape in worst_shapes() {
        let native = native_depth(&wasm(&shape.module));
        let bytes = NATIVE_STACK_BYTES as u64 / native;
        let needed = bytes * u64::from(STACK_SLOTS) / shape.call_slots();
        println!(
            "{} {} slots: {bytes} bytes, {} KiB in all",
            shape.name,
            shape.call_slots(),
            needed / 1024
        );
        assert!(
            2 * needed < NATIVE_STACK_BYTES as u64,
            "{} {}: {bytes} bytes a call",
            shape.name,
            shape.slots
        );
    }
}

#[test]
fn a_native_overflow_is_a_trap() {
    // More than is on the stack in one frame can't be had, so the slots are made to last for ever.
    let code = wasm(&declared_locals(0).module);
    assert!(native_depth(&code) > declared_locals(0).depth(0));
    // The process and the engine go on.
    assert_eq!(
        run_code(&wasm(r#"(module (func (export "f")))"#), &unit_costs(), 1).end,
        End::Returned
    );
}
