//! What read-ahead gains and costs, each case with it and without it in turns: calls that ask the same each time, what follows from
//! caller and arguments, and what can't be known before.

mod support;

use arwen::driver::{Driver, ReadAhead};
use arwen::internal::scenario::{Account, SharedWorld};
use arwen::messages::*;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use std::time::Duration;
use support::{
    CALLER, COUNTER, INNER, call_input, compare, compiled, config, deployed, own_binary, timed,
    tokens,
};

/// Reads 100 keys, which have no part of the caller's address in them. Those of `same` are always the same, those of `argument` begin with the argument, and those of `random` are
/// computed, so that they can't be predicted.
const READS: &str = r#"(module
  (import "env" "storageLoad" (func $load (param i32 i32 i32) (result i32)))
  (import "env" "getArgument" (func $argument (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "storage key with 32 bytes, No. x")
  (func (export "init"))
  (func $read
    (local $i i32)
    (loop $again
      (i32.store8 (i32.const 31) (local.get $i))
      (drop (call $load (i32.const 0) (i32.const 32) (i32.const 64)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 100)))))
  (func (export "same") (call $read))
  (func (export "argument")
    (drop (call $argument (i32.const 0) (i32.const 0)))
    (call $read))
  (func (export "random")
    (drop (call $argument (i32.const 0) (i32.const 0)))
    (i64.store (i32.const 0) (i64.mul (i64.load (i32.const 0)) (i64.const 0x9e3779b97f4a7c15)))
    (call $read)))"#;

struct Case {
    name: &'static str,
    code: &'static str,
    init: Vec<Bytes>,
    /// The call of this number.
    call: fn(u64) -> ContractCallInput,
}

fn cases() -> Vec<Case> {
    fn with_argument(function: &str, number: u64) -> ContractCallInput {
        let spread = number.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
        call_input(function, &[spread.to_le_bytes().repeat(2).into()])
    }
    let case = |name, code, call| Case {
        name,
        code,
        init: Vec::new(),
        call,
    };
    vec![
        case("counter", COUNTER, |_| call_input("increment", &[])),
        Case {
            init: vec![tokens::supply()],
            ..case("token, changing accounts", tokens::TOKEN, tokens::transfer)
        },
        case("a call of another contract", CALLER, |_| {
            call_input("run", &[])
        }),
        case("100 reads, the same keys", READS, |_| {
            call_input("same", &[])
        }),
        case("100 reads, keys with an argument", READS, |number| {
            with_argument("argument", number)
        }),
        case("100 reads, random keys", READS, |number| {
            with_argument("random", number)
        }),
    ]
}

impl Case {
    fn driver(
        &self,
        format: Format,
        share_core: bool,
        read_ahead: ReadAhead,
    ) -> Driver<SharedWorld> {
        let config = config(&own_binary(), format);
        let config = config.share_core(share_core).read_ahead(read_ahead);
        let mut driver = deployed(config, compiled(self.code), &self.init);
        let mut world = driver.hook_mut().lock();
        let mut counter = Account::default();
        counter.set_code(compiled(COUNTER));
        world.accounts.insert(INNER, counter);
        drop(world);
        tokens::distribute(driver.hook_mut());
        driver
    }

    /// Makes so many calls, and tells how long they took. The numbers of calls go on from `next`.
    fn calls(&self, driver: &mut Driver<SharedWorld>, next: &mut u64, count: u64) -> Duration {
        timed(count, || {
            let output = driver.call((self.call)(*next)).expect("no critical error");
            let output = output.expect("the VM does not fail");
            assert_eq!(output.return_code, 0, "{}", output.return_message);
            *next += 1;
        })
    }
}

fn read_ahead(_: &mut Criterion) {
    for case in cases() {
        for (format_name, format) in support::formats() {
            for (placement, share_core) in [("", false), (", shared core", true)] {
                let name = format!("read-ahead, {}, {format_name}{placement}", case.name);
                // On a thread of its own: one that shares its core stays there.
                let run = || compare_case(&name, &case, format, share_core);
                std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"));
            }
        }
    }
}

fn compare_case(name: &str, case: &Case, format: Format, share_core: bool) {
    let [mut with, mut without] = [ReadAhead::default(), ReadAhead::OFF]
        .map(|read_ahead| case.driver(format, share_core, read_ahead));
    let [mut next, mut next_without] = [0, 0];
    compare(
        name,
        ("with", |count| case.calls(&mut with, &mut next, count)),
        ("without", |count| {
            case.calls(&mut without, &mut next_without, count)
        }),
    );
    let stats = with.stats();
    println!(
        "{{\"benchmark\":\"{name}\",\"used\":{},\"missed\":{},\"wasted\":{}}}",
        stats.read_ahead_used_total, stats.read_ahead_missed_total, stats.read_ahead_wasted_total
    );
}

criterion_group!(benches, read_ahead);
criterion_main!(benches);
