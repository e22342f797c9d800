//! The VM in this process, without pipes: calls of a warm contract, and the first call of unknown code, with the
//! interpreter and without.
//!
//! With `ARWEN_BENCH_WASM=/path/to/contract.wasm` that code is compiled as well (its `init` may fail, it runs all the
//! same).

mod support;

use arwen::internal::vm::QuickLimits;
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use support::in_process::{call, deploy, deployed, vm_on_tiers};
use support::world;

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

criterion_group!(benches, warm, cold);
criterion_main!(benches);
