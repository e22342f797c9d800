//! Writes inputs for targets of fuzz/vm that are made by hand into FOLDER/TARGET: modules with what the engines are asked of
//! them, and what stands in files of compiled modules. The same every time. fuzz/vm/corpus has a choice of them, beside what
//! the fuzzer found.
//!
//! ```sh
//! cargo run --release --manifest-path fuzz/Cargo.toml --example vm_seeds -- FOLDER
//! ```

use std::fs;
use std::path::Path;

fn main() {
    engine_calls();
    limits();
    hosts();
    other_modules();
    odd_code();
    sealed_files();
    other_files();
}

fn seed(target: &str, name: &str, bytes: &[u8]) {
    let folder = std::env::args_os().nth(1).expect("the folder to write to");
    let folder = Path::new(&folder).join(target);
    fs::create_dir_all(&folder).expect("writable");
    fs::write(folder.join(name), bytes).expect("writable");
}

/// Functions that return, trap, call the host, take a parameter, never end.
const CONTRACT: &str = r#"(module
    (import "env" "getNumArguments" (func $count (result i32)))
    (import "env" "int64finish" (func $finish (param i64)))
    (import "env" "getGasLeft" (func $left (result i64)))
    (memory (export "memory") 1 3) (data (i32.const 9) "data")
    (global $calls (mut i32) (i32.const 5))
    (func (export "calls")
        (global.set $calls (i32.add (global.get $calls) (call $count)))
        (i32.store (i32.const 100) (global.get $calls))
        (call $finish (call $left)) (call $finish (i64.load (i32.const 0))))
    (func (export "traps") (i32.store (i32.const 5) (i32.const 6)) unreachable)
    (func (export "result") (result i64) (i64.const 7))
    (func (export "takes") (param i32))
    (func (export "grows") (drop (memory.grow (i32.const 1))) (i32.store (i32.const 65536) (call $count)))
    (func (export "spins") (loop $ever (br $ever)))
    (export "count" (func $count)))"#;

/// Its exported functions, in their order.
const FUNCTIONS: [&str; 7] = [
    "calls", "traps", "result", "takes", "grows", "spins", "count",
];

/// What steps do, see `Play::step` in src/vm/fuzzing/engine_calls.rs.
const STEPS: [(&str, u8); 11] = [
    ("anew", 0),
    ("another", 2),
    ("drop", 3),
    ("forget", 4),
    ("no-function", 5),
    ("call", 6),
    ("read", 10),
    ("write", 11),
    ("grow", 12),
    ("points", 13),
    ("touch", 14),
];

/// A script has so many steps.
const STEP_COUNT: usize = 13;

// What the host does in a call.
const ABORT: u8 = 0;
const PANIC: [u8; 3] = [1, 2, 3];
const READ: u8 = 4;
const WRITE: u8 = 7;
const GROW: u8 = 9;
const ADD_POINTS: u8 = 10;
const RETURN: u8 = 15;

/// Wide limits: 64 instances wait, and the interpreter gives up after ten million units.
const WIDE: [u8; 2] = [0, 3];

/// Steps with commas between them: a word, and the name of a function or a number.
fn steps(text: &str) -> Vec<[u8; 2]> {
    let step = |step: &str| {
        let (word, detail) = step.trim().split_once(' ').expect("two words");
        let kind = STEPS.iter().find(|(name, _)| *name == word);
        let function = FUNCTIONS.iter().position(|name| *name == detail);
        let detail = match function {
            Some(index) => index as u8,
            None => detail.parse().expect("a function or a number"),
        };
        [kind.expect("a step").1, detail]
    };
    let mut steps: Vec<_> = text.split(',').map(step).collect();
    assert!(steps.len() <= STEP_COUNT, "{text}");
    steps.resize(STEP_COUNT, [3, 0]);
    steps
}

/// A module, as it is, with a script of 32 bytes at its end, in a custom section: two for the limits, four for the host,
/// two for each step.
fn engine(name: &str, module: &str, limits: [u8; 2], conduct: [u8; 4], script: &str) {
    let module = wat::parse_str(module).expect("valid text");
    let custom_section = [0, 34, 1, b's'];
    let steps = steps(script);
    let (head, script) = ([&[192], &module[..], &custom_section], steps.as_flattened());
    let input = [&head.concat(), &limits[..], &conduct, script].concat();
    seed("wasm_modules", &format!("engine-{name}"), &input);
}

fn engine_calls() {
    let wide = |name: &str, script: &str| engine(name, CONTRACT, WIDE, [RETURN; 4], script);
    wide(
        "no-functions",
        "no-function 0, no-function 1, no-function 2, no-function 3, no-function 4",
    );
    wide(
        "every-function",
        "call calls, call result, call takes, call grows, call count, call calls",
    );
    for (name, function) in [("trap", "traps"), ("points", "spins")] {
        let script = format!("call {function}, call calls, read 0, anew 0, call calls");
        wide(&format!("spent-by-{name}"), &script);
    }
    // Every place, and every length.
    for kind in ["read", "write"] {
        for first in [0, 8, 16, 24] {
            let script: Vec<_> = (first..first + 8)
                .map(|detail| format!("{kind} {detail}"))
                .collect();
            wide(&format!("{kind}s-{first}"), &script.join(","));
        }
    }
    wide(
        "grows",
        "grow 1, call grows, grow 1, grow 15, read 2, anew 0, call grows, read 3",
    );
    wide(
        "points",
        "points 0, call calls, anew 0, points 1, call calls, anew 1, points 2, call calls, anew 2,
        points 3, call calls, anew 3",
    );
    wide(
        "module-goes",
        "another 0, forget 0, another 0, call calls, drop 0, call grows, drop 0, call calls",
    );
}

/// Few instances that wait, and little that the interpreter may spend.
fn limits() {
    for limits in 0..8 {
        let script = "another 0, call calls, another 3, drop 0, drop 0, drop 0, another 0, another 0, call calls";
        engine(
            &format!("beside-{limits}"),
            CONTRACT,
            [limits, 3],
            [RETURN; 4],
            script,
        );
    }
    for fuel in 0..4 {
        let script = "call calls, call calls, call spins, anew 0, call result";
        engine(
            &format!("fuel-{fuel}"),
            CONTRACT,
            [0, fuel],
            [RETURN; 4],
            script,
        );
    }
}

/// Hosts that end the execution, at once or later, and that look at the memory.
fn hosts() {
    for (number, ends) in [ABORT, PANIC[0], PANIC[1], PANIC[2]]
        .into_iter()
        .enumerate()
    {
        let script = "call calls, call result, write 0, anew 0, call count, anew 0, call grows";
        engine(
            &format!("host-ends-{number}"),
            CONTRACT,
            WIDE,
            [ends; 4],
            script,
        );
        let late = [RETURN, RETURN, ends, ends];
        engine(
            &format!("host-ends-late-{number}"),
            CONTRACT,
            [0, 1],
            late,
            script,
        );
    }
    for detail in 0..16 {
        let conduct = [READ, WRITE, GROW, ADD_POINTS].map(|kind| kind + 16 * detail);
        let name = format!("host-accesses-{detail:02}");
        // The same function, but the host begins with something else.
        engine(
            &name,
            CONTRACT,
            [0, detail % 4],
            conduct,
            "call 0, call grows, call 7, call 14",
        );
    }
}

/// Modules with much memory or none, and with start functions.
fn other_modules() {
    let touched = "touch 0, anew 0, read 1, call 0, touch 0, another 0, touch 0";
    let large = r#"(module (memory 17 17) (data (i32.const 70000) "data") (func (export "f")))"#;
    engine("touched-all-over", large, WIDE, [RETURN; 4], touched);
    engine("touched", CONTRACT, [4, 3], [RETURN; 4], touched);
    let no_memory = r#"(module (import "env" "getNumArguments" (func $f (result i32))) (export "f" (func $f)))"#;
    let accesses = "read 0, read 8, write 0, grow 0, grow 1, touch 0, call 0";
    engine(
        "no-memory",
        no_memory,
        WIDE,
        [READ, WRITE, GROW, READ],
        accesses,
    );
    let starting = [
        (
            "runs",
            r#"(memory 1 1) (func $s (i32.store (i32.const 0) (i32.const 1))) (start $s)"#,
        ),
        ("traps", "(func $s unreachable) (start $s)"),
        ("spins", "(func $s (loop $ever (br $ever))) (start $s)"),
        (
            "calls-host",
            r#"(import "env" "getNumArguments" (func $n (result i32))) (func $s (drop (call $n))) (start $s)"#,
        ),
        (
            "data-outside",
            r#"(memory 1 1) (data (i32.const 65533) "data")"#,
        ),
    ];
    for (name, text) in starting {
        let module = format!(r#"(module {text} (func (export "f")))"#);
        for fuel in [0, 3] {
            let again = "anew 0, call 0, anew 1, another 2, anew 3, call 0, touch 0, anew 0";
            engine(
                &format!("start-{name}-{fuel}"),
                &module,
                [0, fuel],
                [RETURN; 4],
                again,
            );
        }
    }
}

/// Functions with parameters, called directly and through the table, and operators that are rewritten.
const OPERATORS: &str = r#"(import "env" "int64finish" (func $finish (param i64)))
    (memory (export "memory") 1 2) (table 2 funcref) (elem (i32.const 0) $sum $twice)
    (type $two (func (param i64 i64) (result i64)))
    (global $count (mut i64) (i64.const 3))
    (func $sum (export "sum") (type $two) (i64.add (local.get 0) (local.get 1)))
    (func $twice (type $two)
        (block (result i64) (br_if 0 (call $sum (local.get 0) (local.get 0)) (i32.wrap_i64 (local.get 1)))))
    (func (export "init"))
    (func (export "f") (local $index i32) (local $value i64)
        (loop $again
            (local.set $value (call_indirect (type $two) (i64.const 5) (local.get $value) (local.get $index)))
            (global.set $count (i64.add (global.get $count) (local.get $value)))
            (local.set $index (i32.add (local.get $index) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $index) (i32.const 2))))
        (i64.store offset=60000 (i32.const 8) (call $twice (i64.const 1) (i64.const 0)))
        (local.set $index (i32.const 90))
        (if (select (i32.const 1) (i32.const 0) (i32.eqz (local.get $index)))
            (then (i32.store offset=65537 (local.get $index) (local.get $index)) (return))
            (else (call $finish (global.get $count))))
        (block $two (block $one (br_table $one $two (i32.load8_u (i32.const 4)))) (call $finish (i64.const 1))))
    (func (export "callBack") (i64.store offset=65536 (i32.const 8) (i64.const 8)) unreachable)"#;

/// Code that is hardly a contract, or none, as a VM gets it.
fn odd_code() {
    let many_locals = format!(
        "(table 1 funcref) (func (export \"f\") (param i32) (local {}) (local i64)
            (local.set 30001 (i64.const 1)) (drop (local.tee 9 (local.get 0))) (drop (local.get 7))
            (if (local.get 0) (then (call_indirect (i32.const 0)))))",
        "i32 ".repeat(30_000)
    );
    let modules = [
        ("many-locals", many_locals.as_str()),
        (
            "unknown-imports",
            r#"(import "env" "a" (func)) (import "b" "getGasLeft" (func)) (import "env" "c" (memory 1))
            (import "env" "d" (table 1 funcref)) (import "env" "e" (global i32))"#,
        ),
        (
            "imports-of-other-types",
            r#"(import "env" "getGasLeft" (func (param i32) (result i32))) (import "env" "int64finish" (memory 1))"#,
        ),
        (
            "global-from-import",
            r#"(import "env" "g" (global i32)) (global i32 (global.get 0))"#,
        ),
        (
            "globals",
            "(global i64 (i64.const 1)) (global f32 (f32.const 2)) (global f64 (f64.const 3)) (global (mut i32) (i32.const 4))",
        ),
        (
            "elements-outside",
            "(table 1 funcref) (func $f) (elem (i32.const 1) $f)",
        ),
        (
            "segments-placed-by-globals",
            r#"(import "env" "g" (global i32)) (memory 1) (data (global.get 0) "data")"#,
        ),
        (
            "two-results-of-a-block",
            "(func (block (result i32 i32) i32.const 1 i32.const 2) drop drop)",
        ),
        (
            "select-with-a-type",
            "(func (drop (select (result i32) (i32.const 1) (i32.const 2) (i32.const 3))))",
        ),
        (
            "two-results",
            "(func (result i32 i32) i32.const 1 i32.const 2)",
        ),
        (
            "passive-segments",
            r#"(memory 1) (data "d") (table 1 funcref) (func $f) (elem func $f)"#,
        ),
        ("two-memories", "(memory 1) (memory 1)"),
        ("operators", OPERATORS),
    ];
    for (name, text) in modules {
        let module = wat::parse_str(format!("(module {text})")).expect("valid text");
        seed(
            "wasm_modules",
            &format!("code-{name}"),
            &[&[0], &module[..]].concat(),
        );
    }
}

/// Files of compiled modules whose checksum is right.
fn sealed_files() {
    // Which byte of the header is changed and how; how long the artifact is; artifact and description.
    let put = |name: &str, change: [u8; 2], length: u64, content: &[&[u8]]| {
        let input = [&[1][..], &change, &length.to_le_bytes(), &content.concat()].concat();
        seed("module_files", &format!("sealed-{name}"), &input);
    };
    // Two imports, a function, its memory, its limits: all fields of the description.
    let whole: &[u8] = b"\x0a\x02\x01\x02\x12\x07\x0a\x01f\x10\x01\x18\x01\x18\x01\x20\x03\x2a\x01u\x32\x01l\x3a\x01s\
        \x42\x01m\x4a\x01t\x52\x01g\x52\x02g2";
    put("empty", [0, 0], 0, &[]);
    put("artifact", [0, 0], 8, &[b"artifact"]);
    put("whole", [0, 0], 8, &[b"artifact", whole]);
    put("exact-length", [1, 0], 8, &[b"artifact", whole]);
    put("too-long", [1, 0], 50, &[b"artifact"]);
    put("much-too-long", [1, 0], u64::MAX, &[b"artifact", whole]);
    put(
        "nearly-too-long",
        [1, 0],
        u64::MAX - 191,
        &[b"artifact", whole],
    );
    put("other-magic", [0, 1], 0, &[whole]);
    put("other-version", [14, 3], 0, &[whole]);
    put("other-code", [16, 1], 0, &[whole]);
    put("other-rules", [48, 128], 0, &[whole]);
    put("other-build", [110, 16], 0, &[whole]);
    put("unknown-import", [0, 0], 0, &[b"\x0a\x02\xff\x7f"]);
    put("imports-one-by-one", [0, 0], 0, &[b"\x08\x01\x08\x02"]);
    put("unknown-field", [0, 0], 0, &[b"\xf8\x07\x05", whole]);
    put("torn", [0, 0], 0, &[&whole[..whole.len() - 1]]);
    put("no-text", [0, 0], 0, &[b"\x2a\x01\xff"]);
    put("other-wire-type", [0, 0], 0, &[b"\x28\x01"]);
}

/// Files that nobody wrote, and those that were written, and damaged.
fn other_files() {
    for length in [0, 1, 191, 192, 193, 400] {
        let file = vec![7; 1 + length];
        let any = [&[0], &file[1..]].concat();
        seed("module_files", &format!("any-{length:03}"), &any);
    }
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    for number in 0..40 {
        let mut input: Vec<u8> = (0..1 + 7 * number).map(|_| random()).collect();
        input[0] = 2;
        seed("module_files", &format!("written-{number:02}"), &input);
    }
}
