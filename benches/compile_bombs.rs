//! Contracts that are hard to compile: how long the VM takes to answer, and how much memory.
//!
//! Over two hundred bombs of twenty shapes, each in a process of its own. What is printed:
//!
//! * for each shape the worst: the deploy and the first call, and by how much the peak of the memory grows until the compiler is
//!   done; beside them a baseline, the same code translated and run by wasmi without any metering;
//! * a thousand calls of another contract while a bomb is compiled, and without;
//! * what an operator takes, compiled and interpreted: with the operator's cost in a gas schedule, what a unit of gas takes.
//!
//! `cargo bench --bench compile_bombs`; with a shape's name only that one.

#[path = "../src/vm/fuzzing/compile_bombs/shapes.rs"]
mod shapes;
mod support;

use std::process::Command;
use std::time::{Duration, Instant};

use arwen::internal::scenario::SharedWorld;
use arwen::internal::vm::{QuickLimits, Vm};
use bytes::Bytes;
use num_bigint::BigUint;
use shapes::{Bomb, Shape};
use support::in_process::{call, deploy, deployed, vm_on_tiers};
use support::{USER, peak_kib, world};

/// Length, width and loops around: small, usual sizes, near what is compiled at most, and far beyond.
const SIZES: [(u32, u32, u32); 13] = [
    (20, 500, 0),
    (50, 50, 0),
    (300, 300, 0),
    (100, 100, 0),
    (100, 100, 20),
    (400, 40, 0),
    (800, 200, 0),
    (1_000, 30, 5),
    (1_500, 10, 0),
    (2_000, 1_000, 0),
    (4_000, 30, 60),
    (10_000, 2, 0),
    (30_000, 500, 0),
];

/// How long the compiler is given to finish behind the interpreter.
const PATIENCE: Duration = Duration::from_secs(60);

/// Contracts have at most as many bytes as a node lets through.
const MOST_BYTES: usize = 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().position(|argument| argument == "--one") {
        Some(place) => one(arguments[place + 1].parse().expect("a number")),
        None => all(&arguments),
    }
}

fn bombs() -> Vec<Bomb> {
    let bombs = Shape::ALL.into_iter().flat_map(|shape| {
        SIZES.map(|(length, width, loops)| Bomb {
            shape,
            length,
            width,
            loops,
        })
    });
    bombs.collect()
}

/// Measures a bomb in this process and prints the figures.
fn one(number: usize) {
    let code = Bytes::from(bombs()[number].wasm());
    if code.len() > MOST_BYTES {
        return;
    }
    let begun = Instant::now();
    unmetered(&code);
    let baseline = begun.elapsed();
    let world = world();
    let mut vm = vm_on_tiers(&world, Some(QuickLimits::default()));
    // The first run of a process makes what the others use again.
    deploy(&mut vm, &Bytes::from(counter()), &[]);
    let before = peak_kib();
    let begun = Instant::now();
    if !deploy_into(&world, &mut vm, &code) {
        return;
    }
    let deployed = begun.elapsed();
    let begun = Instant::now();
    call(&mut vm, "run", &[]);
    let called = begun.elapsed();
    let (compiled, steady) = wait_for_compiler(&mut vm);
    let memory = peak_kib() - before;
    println!(
        "{} {} {} {} {memory} {} {}",
        code.len(),
        deployed.as_micros(),
        called.as_micros(),
        baseline.as_micros(),
        compiled.as_micros(),
        u8::from(steady),
    );
}

/// Whether the code can be deployed; then it is in the world.
fn deploy_into(world: &SharedWorld, vm: &mut Vm, code: &Bytes) -> bool {
    let output = deploy(vm, code, &[]);
    if output.return_code != 0 {
        return false;
    }
    let applied = world.lock().apply(Some(&USER), &BigUint::ZERO, &output);
    applied.expect("a consistent output");
    true
}

/// Calls until the code is compiled, or known to stay interpreted. How long that took since now, and which.
fn wait_for_compiler(vm: &mut Vm) -> (Duration, bool) {
    let begun = Instant::now();
    loop {
        call(vm, "run", &[]);
        let tiers = vm.counters().tiers;
        // One is the counter's.
        if tiers.steady_modules > 0 || tiers.hot_swaps > 0 || begun.elapsed() > PATIENCE {
            return (begun.elapsed(), tiers.steady_modules > 0);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn counter() -> Vec<u8> {
    wat::parse_str(support::COUNTER).expect("the contract is right")
}

/// Translates and runs the code as it is.
fn unmetered(code: &[u8]) {
    let mut config = wasmi::Config::default();
    config.compilation_mode(wasmi::CompilationMode::Eager);
    let engine = wasmi::Engine::new(&config);
    // What wasmi can't number is translated nowhere.
    let Ok(module) = wasmi::Module::new(&engine, code) else {
        return;
    };
    let mut store = wasmi::Store::new(&engine, ());
    let instance = wasmi::Instance::new(&mut store, &module, &[]).expect("it has no imports");
    let run = instance.get_typed_func::<(), ()>(&store, "run");
    let run = run.expect("it is exported");
    run.call(&mut store, ()).expect("it returns");
}

/// What a process said of its bomb.
struct Figures {
    bytes: u64,
    deploy: u64,
    call: u64,
    baseline: u64,
    kib: u64,
    compile: u64,
    is_steady: bool,
}

fn measured(number: usize) -> Option<Figures> {
    let program = std::env::current_exe().expect("there is one");
    let output = Command::new(program)
        .args(["--one", &number.to_string()])
        .output();
    let output = output.expect("it can be started");
    assert!(output.status.success(), "{:?}: {output:?}", bombs()[number]);
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [bytes, deploy, call, baseline, kib, compile, steady] = numbers[..] else {
        return None;
    };
    Some(Figures {
        bytes,
        deploy,
        call,
        baseline,
        kib,
        compile,
        is_steady: steady != 0,
    })
}

fn all(names: &[String]) {
    println!(
        "shape                 bombs refused   bytes  deploy ms  call ms  baseline ms  memory MiB  compiled ms"
    );
    let mut total = 0;
    for shape in Shape::ALL {
        let name = format!("{shape:?}");
        if names
            .iter()
            .any(|wanted| !wanted.starts_with('-') && *wanted != name)
        {
            continue;
        }
        let numbers = bombs().into_iter().enumerate();
        let numbers = numbers.filter(|(_, bomb)| bomb.shape == shape);
        let all: Vec<Figures> = numbers.filter_map(|(number, _)| measured(number)).collect();
        total += all.len();
        let worst = |figure: fn(&Figures) -> u64| all.iter().map(figure).max().unwrap_or(0);
        let compiled = all.iter().filter(|figures| !figures.is_steady);
        println!(
            "{name:<21} {:>5} {:>7} {:>7} {:>10.1} {:>8.1} {:>12.1} {:>11.1} {:>12.1}",
            all.len(),
            all.iter().filter(|figures| figures.is_steady).count(),
            worst(|figures| figures.bytes),
            worst(|figures| figures.deploy) as f64 / 1e3,
            worst(|figures| figures.call) as f64 / 1e3,
            worst(|figures| figures.baseline) as f64 / 1e3,
            worst(|figures| figures.kib) as f64 / 1024.0,
            compiled.map(|figures| figures.compile).max().unwrap_or(0) as f64 / 1e3,
        );
    }
    println!("{total} bombs");
    if names.iter().all(|name| name.starts_with('-')) {
        beside();
        operators();
    }
}

/// Operators, alone or with what they need, and how many operators that makes.
const OPERATORS: [(&str, &str, u64); 10] = [
    (
        "local.set (i32.add)",
        "(local.set $i (i32.add (local.get $i) (i32.const 1)))",
        4,
    ),
    (
        "i64.div_s",
        "(local.set $l (i64.div_s (local.get $l) (i64.const 3)))",
        4,
    ),
    (
        "i64.mul",
        "(local.set $l (i64.mul (local.get $l) (i64.const 3)))",
        4,
    ),
    (
        "i64.store, load",
        "(i64.store (i32.const 8) (i64.load (i32.const 16)))",
        4,
    ),
    (
        "global.set",
        "(global.set $g (i64.add (global.get $g) (i64.const 1)))",
        4,
    ),
    ("call", "(call $nothing)", 2),
    ("call_indirect", "(call_indirect (i32.const 0))", 3),
    ("br_if", "(block (br_if 0 (local.get $i)))", 4),
    ("br_table", "(block (br_table 0 0 (local.get $i)))", 4),
    ("memory.grow", "(drop (memory.grow (i32.const 0)))", 3),
];

/// What an operator takes on average, on the compiled tier and on the interpreter without limits.
fn operators() {
    println!("\noperators                compiled ns  interpreted ns   each");
    const LINES: usize = 50;
    const TURNS: u64 = 20_000;
    // Never called, but the compiler would take long for it.
    let bomb = format!(
        "(func (local {}) {} {} {})",
        "i32 ".repeat(200),
        "loop ".repeat(400),
        (0..200)
            .map(|local| format!("(local.set {local} (local.get 0))"))
            .collect::<String>(),
        "end ".repeat(400)
    );
    for (name, line, count) in OPERATORS {
        let times = ["", bomb.as_str()].map(|more| {
            let text = format!(
                r#"(module (memory (export "memory") 1) (global $g (mut i64) (i64.const 0)) (table funcref (elem $nothing))
                (func $nothing) (func (export "init")) {more}
                (func (export "run") (local $i i32) (local $l i64) (local $turns i32)
                    (local.set $turns (i32.const {TURNS}))
                    (loop $again {}
                        (br_if $again (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))))"#,
                line.repeat(LINES)
            );
            let code = Bytes::from(wat::parse_str(text).expect("the contract is right"));
            let mut vm = deployed(&code, &[]);
            call(&mut vm, "run", &[]);
            let begun = Instant::now();
            call(&mut vm, "run", &[]);
            let operators = TURNS * LINES as u64 * count;
            begun.elapsed().as_nanos() as f64 / operators as f64
        });
        println!(
            "{name:<24} {:>11.2} {:>15.2}   of {count}",
            times[0], times[1]
        );
    }
}

/// A thousand calls of the adder, alone and while a bomb is being compiled or is known not to be.
fn beside() {
    let number = [Bytes::from_static(&[5])];
    let adder = wat::parse_str(include_str!("../tests/contracts/adder.wat"));
    let adder = Bytes::from(adder.expect("the contract is right"));
    let mut vm = deployed(&adder, &number);
    let mut thousand = || {
        let begun = Instant::now();
        (0..1_000).for_each(|_| drop(call(&mut vm, "add", &number)));
        begun.elapsed()
    };
    thousand();
    for (name, bomb) in [
        (
            "compiled",
            Bomb {
                shape: Shape::MemoryAccesses,
                length: 20_000,
                width: 5,
                loops: 0,
            },
        ),
        (
            "refused",
            Bomb {
                shape: Shape::NestedLoops,
                length: 800,
                width: 200,
                loops: 0,
            },
        ),
    ] {
        let mut ratios = Vec::new();
        for _ in 0..15 {
            // Both times after a deploy of something else, whose code and data take the place of ours in the caches.
            let mut other = vm_on_tiers(&world(), Some(QuickLimits::default()));
            deploy(&mut other, &Bytes::from(counter()), &[]);
            std::thread::sleep(Duration::from_millis(100));
            let alone = thousand();
            deploy(&mut other, &Bytes::from(bomb.wasm()), &[]);
            let beside = thousand();
            ratios.push(beside.as_secs_f64() / alone.as_secs_f64());
            drop(other);
            // Whatever is still being compiled must not be beside the next one alone.
            std::thread::sleep(Duration::from_secs(1));
        }
        ratios.sort_by(f64::total_cmp);
        println!(
            "1,000 calls beside a bomb that is {name}: {:.2} times (median of 15)",
            ratios[7]
        );
    }
}
