//! Writes the inputs of fuzz/vm/corpus that are made by hand: modules with what the engines are asked of them, and what
//! stands in files of compiled modules. The same every time. (Most seeds of the VM were found by the fuzzer.)
//!
//! ```sh
//! cargo run --release --manifest-path fuzz/Cargo.toml --example vm_seeds
//! ```

use std::fs;
use std::path::Path;

fn main() {
    engine_calls();
    sealed_files();
    other_files();
}

fn seed(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vm/corpus")
        .join(target);
    fs::create_dir_all(&folder).expect("writable");
    fs::write(folder.join(format!("seed-{name}")), bytes).expect("writable");
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

// The places of these functions in the exports; a step's detail chooses one, modulo their number.
const CALLS: u8 = 0;
const TRAPS: u8 = 1;
const RESULT: u8 = 2;
const TAKES: u8 = 3;
const GROWS: u8 = 4;
const SPINS: u8 = 5;
const COUNT: u8 = 6;

/// What steps do, see `Play::step` in src/vm/fuzzing/engine_calls.rs.
const ANEW: u8 = 0;
const ANOTHER: u8 = 2;
const DROP: u8 = 3;
const FORGET_MODULE: u8 = 4;
const CALL_NOTHING: u8 = 5;
const CALL: u8 = 6;
const READ: u8 = 10;
const WRITE: u8 = 11;
const GROW: u8 = 12;
const SET_POINTS: u8 = 13;
const TOUCH: u8 = 14;

/// What the host does in a call.
const ABORT: u8 = 0;
const PANIC: [u8; 3] = [1, 2, 3];
const ADD_POINTS: u8 = 10;
const RETURN: u8 = 15;

/// A module, as it is, with a script of 32 bytes at its end, in a custom section: two for the limits, four for the host,
/// two for each step.
fn engine_input(text: &str, limits: [u8; 2], conduct: [u8; 4], steps: &[[u8; 2]]) -> Vec<u8> {
    const STEPS: usize = 13;
    assert!(steps.len() <= STEPS);
    let module = wat::parse_str(text).expect("valid text");
    let mut steps = steps.to_vec();
    steps.resize(STEPS, [DROP, 0]);
    let custom_section = [0, 34, 1, b's'];
    [
        &[192],
        &module[..],
        &custom_section,
        &limits,
        &conduct,
        steps.as_flattened(),
    ]
    .concat()
}

fn engine_calls() {
    let returns = [RETURN; 4];
    let put = |name: &str, text, limits, conduct, steps: &[[u8; 2]]| {
        let input = engine_input(text, limits, conduct, steps);
        seed("wasm_modules", &format!("engine-{name}"), &input);
    };
    let nothing = [0, 1, 2, 3, 4].map(|name| [CALL_NOTHING, name]);
    put("no-functions", CONTRACT, [0, 3], returns, &nothing);
    let every = [CALLS, RESULT, TAKES, GROWS, COUNT, CALLS].map(|function| [CALL, function]);
    put("every-function", CONTRACT, [0, 3], returns, &every);
    for (name, function) in [("trap", TRAPS), ("points", SPINS)] {
        let steps = [
            [CALL, function],
            [CALL, CALLS],
            [READ, 0],
            [ANEW, 0],
            [CALL, CALLS],
        ];
        put(
            &format!("spent-by-{name}"),
            CONTRACT,
            [0, 3],
            returns,
            &steps,
        );
    }
    for (number, conduct) in [ABORT, PANIC[0], PANIC[1], PANIC[2]]
        .into_iter()
        .enumerate()
    {
        let steps = [
            [CALL, CALLS],
            [CALL, RESULT],
            [WRITE, 0],
            [ANEW, 0],
            [CALL, COUNT],
            [ANEW, 0],
            [CALL, GROWS],
        ];
        put(
            &format!("host-ends-{number}"),
            CONTRACT,
            [0, 3],
            [conduct; 4],
            &steps,
        );
        put(
            &format!("host-ends-late-{number}"),
            CONTRACT,
            [0, 1],
            [RETURN, RETURN, conduct, conduct],
            &steps,
        );
    }
    // Every place, and every length.
    for (kind, name) in [(READ, "reads"), (WRITE, "writes")] {
        for half in [0, 8, 16, 24] {
            let steps: Vec<_> = (half..half + 8).map(|detail| [kind, detail]).collect();
            put(&format!("{name}-{half}"), CONTRACT, [0, 3], returns, &steps);
        }
    }
    let grow = [
        [GROW, 1],
        [CALL, GROWS],
        [GROW, 1],
        [GROW, 15],
        [READ, 2],
        [ANEW, 0],
        [CALL, GROWS],
        [READ, 3],
    ];
    put("grows", CONTRACT, [0, 3], returns, &grow);
    for detail in 0..16 {
        let conduct = [4, 7, 9, ADD_POINTS].map(|kind| kind + 16 * detail);
        let steps = [
            [CALL, CALLS],
            [CALL, GROWS],
            [CALL, CALLS + 7],
            [CALL, CALLS + 14],
        ];
        put(
            &format!("host-accesses-{detail:02}"),
            CONTRACT,
            [0, detail % 4],
            conduct,
            &steps,
        );
    }
    let points = [0, 1, 2, 3].map(|points| [[SET_POINTS, points], [CALL, CALLS], [ANEW, points]]);
    put("points", CONTRACT, [0, 3], returns, points.as_flattened());
    let beside = [
        [ANOTHER, 0],
        [CALL, CALLS],
        [ANOTHER, 3],
        [DROP, 0],
        [DROP, 0],
        [DROP, 0],
        [ANOTHER, 0],
        [ANOTHER, 0],
        [CALL, CALLS],
    ];
    for limits in 0..8 {
        put(
            &format!("beside-{limits}"),
            CONTRACT,
            [limits, 3],
            returns,
            &beside,
        );
    }
    let module_goes = [
        [ANOTHER, 0],
        [FORGET_MODULE, 0],
        [ANOTHER, 0],
        [CALL, CALLS],
        [DROP, 0],
        [CALL, GROWS],
        [DROP, 0],
        [CALL, CALLS],
    ];
    put("module-goes", CONTRACT, [0, 3], returns, &module_goes);
    for fuel in 0..4 {
        let steps = [
            [CALL, CALLS],
            [CALL, CALLS],
            [CALL, SPINS],
            [ANEW, 0],
            [CALL, RESULT],
        ];
        put(
            &format!("fuel-{fuel}"),
            CONTRACT,
            [0, fuel],
            returns,
            &steps,
        );
    }
    let all_over = [
        [TOUCH, 0],
        [ANEW, 0],
        [READ, 1],
        [CALL, 0],
        [TOUCH, 0],
        [ANOTHER, 0],
        [TOUCH, 0],
    ];
    let large = r#"(module (memory 17 17) (data (i32.const 70000) "data") (func (export "f")))"#;
    put("touched-all-over", large, [0, 3], returns, &all_over);
    put("touched", CONTRACT, [4, 3], returns, &all_over);
    let no_memory = r#"(module (import "env" "getNumArguments" (func $f (result i32))) (export "f" (func $f)))"#;
    let accesses = [
        [READ, 0],
        [READ, 8],
        [WRITE, 0],
        [GROW, 0],
        [GROW, 1],
        [TOUCH, 0],
        [CALL, 0],
    ];
    put("no-memory", no_memory, [0, 3], [4, 7, 9, 4], &accesses);
    start_functions(&put);
}

fn start_functions(put: &dyn Fn(&str, &'static str, [u8; 2], [u8; 4], &[[u8; 2]])) {
    let again = [
        [ANEW, 0],
        [CALL, 0],
        [ANEW, 1],
        [ANOTHER, 2],
        [ANEW, 3],
        [CALL, 0],
        [TOUCH, 0],
        [ANEW, 0],
    ];
    let modules = [
        (
            "runs",
            r#"(module (memory 1 1) (func $s (i32.store (i32.const 0) (i32.const 1))) (start $s) (func (export "f")))"#,
        ),
        (
            "traps",
            r#"(module (func $s unreachable) (start $s) (func (export "f")))"#,
        ),
        (
            "spins",
            r#"(module (func $s (loop $ever (br $ever))) (start $s) (func (export "f")))"#,
        ),
        (
            "calls-host",
            r#"(module (import "env" "getNumArguments" (func $n (result i32))) (func $s (drop (call $n)))
            (start $s) (func (export "f")))"#,
        ),
        (
            "data-outside",
            r#"(module (memory 1 1) (data (i32.const 65533) "data") (func (export "f")))"#,
        ),
    ];
    for (name, text) in modules {
        for fuel in [0, 3] {
            put(
                &format!("start-{name}-{fuel}"),
                text,
                [0, fuel],
                [RETURN; 4],
                &again,
            );
        }
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
