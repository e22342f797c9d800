//! What contracts cost that only compute, beside the same computation in native Rust, in one run. The state of SHA-256 begins
//! with zeros in both, so that no constants of it are needed.

mod support;

use bytes::Bytes;
use std::hint::black_box;
use support::in_process::{call, deployed};
use support::{compare, timed};

const SIEVE_END: usize = 262_144;

fn main() {
    // The wasm grows with the constants, the native code has them as they are.
    let constants = round_constants();
    let sha256 =
        include_str!("contracts/sha256.wat").replace("ROUND CONSTANTS", &escaped(&constants));
    compute("sha256, 5,000 blocks", &sha256, || {
        sha256_blocks(&constants)
    });
    const FIB: &str = include_str!("contracts/fib.wat");
    compute("fib(25), as many native calls", FIB, || {
        fib_by_calls(black_box(25))
    });
    compute("fib(25), native calls optimised away", FIB, || {
        fib(black_box(25))
    });
    compute(
        "memory: sieve of 256 K",
        include_str!("contracts/sieve.wat"),
        sieve,
    );
    compute(
        "loop: xorshift, 1 M",
        include_str!("contracts/xorshift.wat"),
        xorshift,
    );
}

/// Measures a contract's function `run` and its native twin, which must give the same number.
fn compute(name: &str, contract: &str, native: impl Fn() -> u64) {
    let code: Bytes = wat::parse_str(contract)
        .expect("the contract is right")
        .into();
    let mut vm = deployed(&code, &[]);
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
