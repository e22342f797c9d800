//! The VM in this process, without pipes: calls of a warm contract, with little and with much memory, calls in fresh instances, and the
//! first call of unknown code, with the interpreter and without.
//!
//! With `ARWEN_BENCH_WASM=/path/to/contract.wasm` that code is compiled as well (its `init` may fail, it runs all the
//! same).

mod support;

use arwen::internal::scenario::Account;
use arwen::internal::vm::{QuickLimits, WarmLimits};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use support::in_process::{call, deploy, deployed, deployed_in, vm_on_tiers, vm_with_instances};
use support::{CALLER, COUNTER, INNER, compare, timed, world};

/// A contract of tests/contracts.
fn contract(text: &str) -> Bytes {
    wat::parse_str(text).expect("the contract is right").into()
}

fn warm(c: &mut Criterion) {
    let mut group = c.benchmark_group("in process, warm");
    group.throughput(Throughput::Elements(1));
    let number = [Bytes::from_static(&[5])];
    let mut adder = deployed(
        &contract(include_str!("../tests/contracts/adder.wat")),
        &number,
    );
    group.bench_function("nothing", |b| b.iter(|| call(&mut adder, "nothing", &[])));
    group.bench_function("adder add", |b| b.iter(|| call(&mut adder, "add", &number)));
    let mut counter = deployed(
        &contract(include_str!("../tests/contracts/counter.wat")),
        &[],
    );
    group.bench_function("counter increment", |b| {
        b.iter(|| call(&mut counter, "increment", &[]));
    });
    group.finish();
}

/// Calls of counters with 1 MiB of memory and more, beside those of one with a page.
fn large(_: &mut Criterion) {
    let page = r#"(memory (export "memory") 1)"#;
    let pages = r#"(memory (export "memory") 17)"#;
    let each_page = "(local $at i32) (loop $pages
        (i32.store offset=4096 (local.get $at) (i32.const 1))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $pages (i32.lt_u (local.get $at) (i32.const 1000000))))";
    let increment = r#"(func (export "increment")"#;
    let contracts = [
        ("17 pages, untouched", COUNTER.replace(page, pages)),
        (
            "1 MB, touched once",
            COUNTER
                .replace(page, pages)
                .replace(increment, &format!(r#"(func (export "touch") {each_page}) {increment}"#)),
        ),
        (
            "1 MB, touched by each call",
            COUNTER
                .replace(page, pages)
                .replace(increment, &format!("{increment} {each_page}")),
        ),
        (
            "grows by 16 pages",
            COUNTER.replace(
                increment,
                &format!("{increment} (drop (memory.grow (i32.const 16))) (i32.store (i32.const 70000) (i32.const 1))"),
            ),
        ),
    ];
    let mut counter = deployed(&contract(COUNTER), &[]);
    for (name, text) in contracts {
        let mut vm = deployed(&contract(&text), &[]);
        if text.contains("touch") {
            call(&mut vm, "touch", &[]);
        }
        compare(
            &format!("in process: counter, {name}"),
            ("large", |count| {
                timed(count, || drop(call(&mut vm, "increment", &[])))
            }),
            ("small", |count| {
                timed(count, || drop(call(&mut counter, "increment", &[])))
            }),
        );
    }
}

/// Calls that make an instance each, or two, and calls of two contracts of which one keeps its memory, beside those whose instances
/// were kept.
fn fresh(_: &mut Criterion) {
    let with_data = COUNTER.replace(
        r#"(data (i32.const 0) "COUNTER")"#,
        &format!(
            r#"(data (i32.const 0) "COUNTER") (data (i32.const 1024) "{}")"#,
            "data ".repeat(4_000)
        ),
    );
    for (name, text, function, instances) in [
        ("counter", COUNTER, "increment", 0),
        ("counter with 20 KB of data", &with_data, "increment", 0),
        ("a call of another contract", CALLER, "run", 0),
        ("a call of another contract", CALLER, "run", 1),
    ] {
        let [mut few, mut kept] = [instances, WarmLimits::default().instances].map(|instances| {
            let world = world();
            let mut counter = Account::default();
            counter.set_code(contract(COUNTER));
            world.lock().accounts.insert(INNER, counter);
            let vm = vm_with_instances(&world, instances);
            deployed_in(vm, &world, &contract(text), &[])
        });
        compare(
            &format!("in process: {name}, instances kept: {instances}"),
            ("few", |count| {
                timed(count, || drop(call(&mut few, function, &[])))
            }),
            ("all", |count| {
                timed(count, || drop(call(&mut kept, function, &[])))
            }),
        );
    }
}

fn cold(c: &mut Criterion) {
    let mut group = c.benchmark_group("in process, unknown code");
    group.sample_size(10);
    let mut codes = vec![
        (
            "counter",
            contract(include_str!("../tests/contracts/counter.wat")),
        ),
        (
            "token",
            contract(include_str!("../tests/contracts/token.wat")),
        ),
    ];
    if let Some(path) = std::env::var_os("ARWEN_BENCH_WASM") {
        let code = std::fs::read(path).expect("ARWEN_BENCH_WASM names a readable file");
        codes.push(("ARWEN_BENCH_WASM", code.into()));
    }
    for (name, code) in codes {
        for (tiers, limits) in [("", None), (", interpreted", Some(QuickLimits::default()))] {
            group.bench_function(format!("deploy {name}{tiers}"), |b| {
                b.iter_batched(
                    || vm_on_tiers(&world(), limits),
                    |mut vm| (deploy(&mut vm, &code, &[]), vm),
                    BatchSize::PerIteration,
                );
            });
        }
    }
    group.finish();
}

criterion_group!(benches, warm, large, fresh, cold);
criterion_main!(benches);
