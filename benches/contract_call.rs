//! Whole requests through the driver and the real child: calls of warm contracts, and the way from the start to the first
//! answer.
//!
//! All contracts are ours. With `ARWEN_BENCH_ERC20=/path/to/erc20.wasm` another token is called as well: its `init` takes
//! the supply, its `transferToken` an address and an amount. With `ARWEN_PEER=/path/to/arwen` the calls and starts are
//! compared with those of another binary that speaks the protocol, in JSON, and the ratios printed. With
//! `ARWEN_BENCH_DELEGATION=/path/to/delegation.wasm`, a large contract with a view `getServiceFee`, its first call after a
//! start is measured as well.

mod support;

use arwen::driver::{DiskCache, Driver, DriverConfig, DriverPool, PoolConfig, Sandbox};
use arwen::internal::scenario::SharedWorld;
use arwen::messages::*;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use support::{
    COUNTER, OTHER, call, compare, config, deployed, large_counter, own_binary, peer_binary, timed,
};

/// How the two sides wait for each other.
#[derive(Clone, Copy)]
enum Waiting {
    /// As the system has it.
    Plain,
    /// On one core.
    SharedCore,
    /// Each on its own core, looking for a while.
    Spinning,
}

impl Waiting {
    const ALL: [Waiting; 3] = [Waiting::Plain, Waiting::SharedCore, Waiting::Spinning];

    fn name(self) -> &'static str {
        match self {
            Waiting::Plain => "",
            Waiting::SharedCore => ", shared core",
            Waiting::Spinning => ", spinning",
        }
    }

    fn config(self, binary: &Path, format: Format) -> DriverConfig {
        let mut config = config(binary, format);
        match self {
            Waiting::Plain => {}
            Waiting::SharedCore => config.share_core = true,
            Waiting::Spinning => config.spin = Some(Duration::from_micros(200)),
        }
        config
    }
}

/// A contract and the call that is measured.
struct Case {
    name: &'static str,
    code: Bytes,
    init: Vec<Bytes>,
    function: &'static str,
    arguments: Vec<Bytes>,
}

const TOKEN: &str = include_str!("../tests/contracts/token.wat");

fn cases() -> Vec<Case> {
    let amount = |bytes: &'static [u8]| Bytes::from_static(bytes);
    let supply = vec![amount(&[1, 0, 0, 0, 0, 0, 0])];
    let transfer = vec![OTHER, amount(&[1])];
    let case = |name, source: &str, function| Case {
        name,
        code: wat::parse_str(source).expect("valid").into(),
        init: Vec::new(),
        function,
        arguments: Vec::new(),
    };
    let mut cases = vec![
        case("counter", COUNTER, "increment"),
        Case {
            init: supply.clone(),
            arguments: transfer.clone(),
            ..case("token", TOKEN, "transfer")
        },
        case("counter of 50 KB", &large_counter(1050, 0), "increment"),
        case("100 hook calls", HOOK_CALLS, "run"),
        case("loop of 1M", LOOP, "run"),
    ];
    if let Some(path) = std::env::var_os("ARWEN_BENCH_ERC20") {
        let code = std::fs::read(path).expect("ARWEN_BENCH_ERC20 names a readable file");
        cases.push(Case {
            name: "erc20 of ARWEN_BENCH_ERC20",
            code: code.into(),
            init: supply,
            function: "transferToken",
            arguments: transfer,
        });
    }
    cases
}

/// xorshift, a million times.
const LOOP: &str = r#"(module
  (import "env" "int64finish" (func $finish (param i64)))
  (memory (export "memory") 1)
  (func (export "init"))
  (func (export "run")
    (local $i i32) (local $x i64)
    (local.set $x (i64.const 88172645463325252))
    (loop $again
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
      (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 1000000))))
    (call $finish (local.get $x))))"#;

/// Reads 100 storage values, each of which is a hook call.
const HOOK_CALLS: &str = r#"(module
  (import "env" "storageLoad" (func $load (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "a_storage_key_of_32_bytes_______")
  (func (export "init"))
  (func (export "run")
    (local $i i32)
    (loop $again
      (i32.store8 (i32.const 31) (local.get $i))
      (drop (call $load (i32.const 0) (i32.const 32) (i32.const 64)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))))"#;

impl Case {
    fn driver(&self, binary: &Path, format: Format, waiting: Waiting) -> Driver<SharedWorld> {
        let config = waiting.config(binary, format);
        deployed(config, self.code.clone(), &self.init)
    }

    fn call(&self, driver: &mut Driver<SharedWorld>) {
        call(driver, self.function, &self.arguments);
    }
}

/// On a thread of its own: one that shares its core stays there.
fn on_a_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(work).join().expect("no panic"))
}

fn calls(c: &mut Criterion) {
    let mut group = c.benchmark_group("call over IPC");
    group.throughput(Throughput::Elements(1));
    for case in cases() {
        for (format_name, format) in support::formats() {
            for waiting in Waiting::ALL {
                let name = format!("{}, {format_name}{}", case.name, waiting.name());
                let mut driver = case.driver(&own_binary(), format, waiting);
                group.bench_function(name, |b| {
                    b.iter_custom(|count| on_a_thread(|| timed(count, || case.call(&mut driver))));
                });
            }
        }
        for waiting in [Waiting::Plain, Waiting::SharedCore] {
            let Some(peer) = peer_binary() else { break };
            let mut ours = case.driver(&own_binary(), Format::Json, waiting);
            let mut peer = case.driver(&peer, Format::Json, waiting);
            on_a_thread(|| {
                compare(
                    &format!("call over IPC, {}{}", case.name, waiting.name()),
                    ("ours", |count| timed(count, || case.call(&mut ours))),
                    ("peer", |count| timed(count, || case.call(&mut peer))),
                );
            });
        }
    }
    group.finish();
}

fn wait(driver: &mut Driver<SharedWorld>) {
    let answer = driver.diagnose_wait(Duration::ZERO).expect("answered");
    answer.expect("no failure");
}

/// Requests that run nothing.
fn waits(c: &mut Criterion) {
    let start = |binary: &Path, format, waiting: Waiting| {
        let config = waiting.config(binary, format);
        Driver::new(config, SharedWorld::default()).expect("the child starts")
    };
    let mut group = c.benchmark_group("DiagnoseWait(0)");
    for (format_name, format) in support::formats() {
        for waiting in Waiting::ALL {
            let name = format!("{format_name}{}", waiting.name());
            let mut driver = start(&own_binary(), format, waiting);
            group.bench_function(name, |b| {
                b.iter_custom(|count| on_a_thread(|| timed(count, || wait(&mut driver))));
            });
        }
    }
    group.finish();
    for waiting in [Waiting::Plain, Waiting::SharedCore] {
        let Some(peer) = peer_binary() else { break };
        let mut ours = start(&own_binary(), Format::Json, waiting);
        let mut peer = start(&peer, Format::Json, waiting);
        on_a_thread(|| {
            compare(
                &format!("DiagnoseWait(0){}", waiting.name()),
                ("ours", |count| timed(count, || wait(&mut ours))),
                ("peer", |count| timed(count, || wait(&mut peer))),
            );
        });
    }
}

/// What the child's sandbox costs, where a call is shortest: both processes on one core.
fn sandbox(_: &mut Criterion) {
    let counter = cases().swap_remove(0);
    let [mut within, mut without] = [Sandbox::BestEffort, Sandbox::Off].map(|sandbox| {
        let config = Waiting::SharedCore.config(&own_binary(), Format::Json);
        deployed(config.sandbox(sandbox), counter.code.clone(), &counter.init)
    });
    on_a_thread(|| {
        compare(
            "sandbox, counter",
            ("within", |count| timed(count, || counter.call(&mut within))),
            ("without", |count| {
                timed(count, || counter.call(&mut without))
            }),
        );
        compare(
            "sandbox, DiagnoseWait(0)",
            ("within", |count| timed(count, || wait(&mut within))),
            ("without", |count| timed(count, || wait(&mut without))),
        );
    });
}

/// What the driver's recording costs, in turns; on one core, and as the system has it.
fn recording(_: &mut Criterion) {
    let counter = cases().swap_remove(0);
    let folder = tempfile::tempdir().expect("a folder");
    for waiting in Waiting::ALL {
        let config = waiting.config(&own_binary(), Format::Json);
        let recorded = config.clone().record(folder.path());
        let [mut with, mut without] =
            [recorded, config].map(|config| deployed(config, counter.code.clone(), &counter.init));
        on_a_thread(|| {
            compare(
                &format!("recording, counter{}", waiting.name()),
                ("with", |count| timed(count, || counter.call(&mut with))),
                ("without", |count| {
                    timed(count, || counter.call(&mut without))
                }),
            )
        });
        let stats = with.stats();
        assert_eq!(stats.unrecorded_frames_total, 0, "{stats:?}");
    }
}

/// The memory of a node that starts a child: it must not be copied, nor the tables of its pages.
const LARGE_NODE_BYTES: usize = 1 << 30;

fn starts(c: &mut Criterion) {
    fn restart(driver: &mut Driver<SharedWorld>) {
        driver.close();
        wait(driver);
    }
    let counter = cases().swap_remove(0);
    let first_call = |driver: &mut Driver<SharedWorld>| {
        driver.close();
        counter.call(driver);
    };
    let mut group = c.benchmark_group("start");
    group.sample_size(50);
    let mut driver = counter.driver(&own_binary(), Format::Json, Waiting::Plain);
    group.bench_function("to the first answer", |b| b.iter(|| restart(&mut driver)));
    group.bench_function("to the first call", |b| b.iter(|| first_call(&mut driver)));
    let of_a_large_node = vec![1_u8; LARGE_NODE_BYTES];
    group.bench_function("to the first answer, node of 1 GiB", |b| {
        b.iter(|| restart(&mut driver));
    });
    drop(std::hint::black_box(of_a_large_node));
    group.finish();
    if let Some(peer) = peer_binary() {
        let mut peer = counter.driver(&peer, Format::Json, Waiting::Plain);
        compare(
            "start to the first answer",
            ("ours", |count| timed(count, || restart(&mut driver))),
            ("peer", |count| timed(count, || restart(&mut peer))),
        );
        compare(
            "start to the first call",
            ("ours", |count| timed(count, || first_call(&mut driver))),
            ("peer", |count| timed(count, || first_call(&mut peer))),
        );
    }
}

/// First calls after a restart, without compiled modules on disk and with them.
fn starts_with_disk(c: &mut Criterion) {
    let mut contracts = vec![
        ("counter", cases().swap_remove(0).code, "increment"),
        ("counter of 50 KB", cases().swap_remove(2).code, "increment"),
    ];
    if let Some(path) = std::env::var_os("ARWEN_BENCH_DELEGATION") {
        let code = std::fs::read(path).expect("ARWEN_BENCH_DELEGATION names a readable file");
        contracts.push(("ARWEN_BENCH_DELEGATION", code.into(), "getServiceFee"));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let disk = DiskCache::Folder(folder.path().join("modules"));
    let mut group = c.benchmark_group("start to the first call");
    group.sample_size(20);
    for (name, code, function) in contracts {
        for (place, disk_cache) in [("compiled", DiskCache::Off), ("on disk", disk.clone())] {
            let mut config = config(&own_binary(), Format::Json);
            config.disk_cache = disk_cache;
            let mut driver = support::with_code(config, code.clone());
            call(&mut driver, function, &[]);
            // The file is written beside the call, and the end of the child does not wait for it.
            std::thread::sleep(Duration::from_millis(500));
            group.bench_function(format!("{name}, {place}"), |b| {
                b.iter(|| {
                    driver.close();
                    call(&mut driver, function, &[]);
                });
            });
        }
    }
    group.finish();
}

/// Queries that compute, from as many threads as there are children.
fn pools(c: &mut Criterion) {
    let code: Bytes = wat::parse_str(LOOP).expect("valid").into();
    let [one, two] = [1, 2].map(|children| {
        let world = support::world_with(code.clone());
        let config = PoolConfig::new(config(&own_binary(), Format::Json)).children(children);
        DriverPool::new(config, |_| world.clone()).expect("the children start")
    });
    let input = support::call_input("run", &[]);
    let query = |pool: &DriverPool<SharedWorld>| {
        let outcome = pool.query(input.clone()).expect("a child");
        let output = outcome.expect("the VM does not fail");
        assert_eq!(output.return_code, 0, "{}", output.return_message);
    };
    let queries = |pool: &DriverPool<SharedWorld>, threads: u64, count: u64| {
        let left = AtomicU64::new(count);
        let take_one = || {
            left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1))
                .is_ok()
        };
        timed(1, || {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(|| {
                        while take_one() {
                            query(pool);
                        }
                    });
                }
            });
        })
    };
    let mut group = c.benchmark_group("pool: queries of a loop of 1M");
    group.throughput(Throughput::Elements(1));
    for (name, pool, threads) in [("1 child", &one, 1), ("2 children", &two, 2)] {
        group.bench_function(name, |b| {
            b.iter_custom(|count| queries(pool, threads, count));
        });
    }
    group.finish();
    compare(
        "pool: queries of a loop of 1M",
        ("one_child", |count| queries(&one, 1, count)),
        ("two_children", |count| queries(&two, 2, count)),
    );
}

// Those that need both cores come first: a driver with a shared core pins the thread that makes it, and all that it starts.
criterion_group!(
    benches,
    pools,
    recording,
    calls,
    waits,
    sandbox,
    starts,
    starts_with_disk
);
criterion_main!(benches);
