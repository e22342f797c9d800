//! What contracts cost that only compute, beside the same computation in native Rust, and beside the same wasm without metering and
//! without the limit of the recursion, in one run. The state of SHA-256 begins with zeros in both, so that no constants of it are needed.

mod support;

use bytes::Bytes;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use support::in_process::{call, deployed};
use support::{compare, timed};
use wasmer::sys::{Cranelift, CraneliftOptLevel, EngineBuilder};
use wasmer::{Function, Instance, Module, Store, imports};

const SIEVE_END: usize = 262_144;

fn main() {
    // The wasm grows with the constants, the native code has them as they are.
    let constants = round_constants();
    let sha256 =
        include_str!("contracts/sha256.wat").replace("ROUND CONSTANTS", &escaped(&constants));
    compute("sha256, 5,000 blocks", &sha256, || {
        sha256_blocks(&constants)
    });
    compute("fib(25), as many native calls", FIB, || {
        fib_by_calls(black_box(25))
    });
    compute("fib(25), native calls optimised away", FIB, || {
        fib(black_box(25))
    });
    compute("memory: sieve of 256 K", SIEVE, sieve);
    compute("loop: xorshift, 1 M", XORSHIFT, xorshift);
    let contracts = [
        ("sha256, 5,000 blocks", &*sha256),
        ("fib(25)", FIB),
        ("memory: sieve of 256 K", SIEVE),
        ("loop: xorshift, 1 M", XORSHIFT),
        ("loop: a million turns", LOOP),
    ];
    for (name, contract) in contracts {
        metered(name, contract);
    }
}

const FIB: &str = include_str!("contracts/fib.wat");
const SIEVE: &str = include_str!("contracts/sieve.wat");
const XORSHIFT: &str = include_str!("contracts/xorshift.wat");

/// The shortest loop that there is. In native code it would be optimised away.
const LOOP: &str = r#"(module
    (import "env" "int64finish" (func $finish (param i64)))
    (memory (export "memory") 1)
    (func (export "init"))
    (func (export "run") (local $i i32)
        (loop $again
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 1000000))))
        (call $finish (i64.extend_i32_u (local.get $i)))))"#;

/// Measures a contract's function `run` in the VM and without metering.
fn metered(name: &str, contract: &str) {
    let code = code(contract);
    let mut vm = deployed(&code, &[]);
    let mut unmetered = unmetered(&code);
    compare(
        name,
        ("metered", |count| {
            timed(count, || drop(call(&mut vm, "run", &[])))
        }),
        ("unmetered", |count| {
            timed(count, || {
                black_box(unmetered());
            })
        }),
    );
}

fn code(contract: &str) -> Bytes {
    let code = wat::parse_str(contract);
    code.expect("the contract is right").into()
}

/// The contract's function `run` as the compiler of the engine makes it of the code as it is. Gives the number that it finishes with.
fn unmetered(code: &[u8]) -> impl FnMut() -> u64 {
    let mut compiler = Cranelift::new();
    compiler.opt_level(CraneliftOptLevel::Speed);
    let mut store = Store::new(EngineBuilder::new(compiler));
    let module = Module::new(&store, code).expect("the contract is right");
    let finished = Arc::new(AtomicU64::new(0));
    let number = Arc::clone(&finished);
    let finish = Function::new_typed(&mut store, move |value: i64| {
        number.store(value as u64, Ordering::Relaxed);
    });
    let imports = imports! { "env" => { "int64finish" => finish } };
    let instance = Instance::new(&mut store, &module, &imports).expect("it imports nothing else");
    let run = instance.exports.get_typed_function::<(), ()>(&store, "run");
    let run = run.expect("the contract exports it");
    move || {
        run.call(&mut store).expect("it does not trap");
        finished.load(Ordering::Relaxed)
    }
}

/// Measures a contract's function `run` and its native twin, which must give the same number.
fn compute(name: &str, contract: &str, native: impl Fn() -> u64) {
    let code = code(contract);
    let mut vm = deployed(&code, &[]);
    assert_eq!(unmetered(&code)(), native(), "{name}");
    let number = native().to_be_bytes();
    let significant = number.iter().skip_while(|byte| **byte == 0).copied();
    assert_eq!(
        call(&mut vm, "run", &[]).return_data,
        [significant.collect::<Bytes>()],
        "{name}"
    );
    compare(
        name,
        ("wasm", |count| {
            timed(count, || drop(call(&mut vm, "run", &[])))
        }),
        ("native", |count| {
            timed(count, || {
                black_box(native());
            })
        }),
    );
}

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
fn round_constants() -> [u32; 64] {
    let primes = (2_u32..).filter(|n| (2..*n).all(|divisor| n % divisor != 0));
    let fraction = |prime: u32| (f64::from(prime).cbrt().fract() * 4_294_967_296.0) as u32;
    let constants: Vec<u32> = primes.take(64).map(fraction).collect();
    constants.try_into().expect("64 were taken")
}

/// The words as a wat string, little-endian.
fn escaped(words: &[u32]) -> String {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.map(|byte| format!("\\{byte:02x}")).collect()
}

fn sha256_blocks(constants: &[u32; 64]) -> u64 {
    let mut state = [0; 8];
    for block in 0..black_box(5_000) {
        compress(&mut state, &schedule(block), constants);
    }
    u64::from(state[1]) << 32 | u64::from(state[0])
}

fn schedule(block: u32) -> [u32; 64] {
    let mut words = [0_u32; 64];
    for (word, i) in words[..16].iter_mut().zip(0..) {
        *word = block + i;
    }
    for i in 16..64 {
        let [x, y] = [words[i - 15], words[i - 2]];
        let s0 = x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3);
        let s1 = y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10);
        words[i] = words[i - 16]
            .wrapping_add(words[i - 7])
            .wrapping_add(s0.wrapping_add(s1));
    }
    words
}

fn compress(state: &mut [u32; 8], words: &[u32; 64], constants: &[u32; 64]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    for (word, constant) in words.iter().zip(constants) {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let choice = g ^ (e & (f ^ g));
        let t1 = h
            .wrapping_add(s1)
            .wrapping_add(choice)
            .wrapping_add(constant.wrapping_add(*word));
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let t2 = s0.wrapping_add((a & b) | (c & (a | b)));
        (h, g, f, e) = (g, f, e, d.wrapping_add(t1));
        (d, c, b, a) = (c, b, a, t1.wrapping_add(t2));
    }
    for (word, add) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = word.wrapping_add(add);
    }
}

/// As an optimiser likes it: LLVM makes a loop of one of the calls and inlines several levels of the other.
fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

/// Every call is one, as in the contract.
#[inline(never)]
fn fib_by_calls(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let before = black_box(fib_by_calls(n - 1));
    before + black_box(fib_by_calls(n - 2))
}

fn sieve() -> u64 {
    let mut crossed = vec![false; SIEVE_END];
    let mut count = 0;
    for i in 2..SIEVE_END {
        if !crossed[i] {
            count += 1;
            for j in (2 * i..SIEVE_END).step_by(i) {
                crossed[j] = true;
            }
        }
    }
    count
}

fn xorshift() -> u64 {
    let mut x = black_box(88_172_645_463_325_252_u64);
    for _ in 0..1_000_000 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}
