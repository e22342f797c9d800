//! Work of host functions that gas does not bound ends a run, whatever gas it has (docs/spec/eei.md#limit-of-work).

use crate::messages::VmInput;
use crate::vm::fixtures::*;
use std::time::{Duration, Instant};

const LIMIT: &str =
    "host fault: host functions take more than 1073741824 steps that gas does not bound";

/// Longer than any of these takes here, and far less than they would without the limit.
const LONGEST: Duration = Duration::from_secs(60);

/// An input with more gas than any of these can use.
fn rich() -> VmInput {
    VmInput {
        gas_provided: u64::MAX / 2,
        ..input(&[])
    }
}

/// At 64 a counter that is the identifier of promises, and at 32 to 63 the contract's own address.
const FUNCTIONS: &str = r#"
    (func $next (i64.store (i32.const 64) (i64.add (i64.load (i32.const 64)) (i64.const 1))))
    (func (export "leaf"))
    (func (export "fill") (local $count i32)
        (loop (call $finish (i32.const 0) (i32.const 0))
            (local.set $count (i32.add (local.get $count) (i32.const 1)))
            (br_if 0 (i32.lt_u (local.get $count) (i32.const 100000))))
        unreachable)
    (func (export "log")
        (loop (call $writeLog (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 30000)) (br 0)))"#;

/// A contract whose function `f` does something once, and then something else for ever. It has a memory of 1.1 MB.
fn turns(once: &str, turn: &str) -> bytes::Bytes {
    let functions = format!(
        r#"(data (i32.const 0) "leaf") (data (i32.const 8) "log") (data (i32.const 16) "fill") {FUNCTIONS}
        (func (export "f") (local $count i32)
            (call $getSCAddress (i32.const 32)) {once} (loop {turn} (br 0)))"#
    );
    contract_with_memory("17", &functions)
}

/// Calls the contract's own function, whose name is somewhere, with so many empty arguments.
fn own(function: &str, [offset, length]: [u32; 2], arguments: u32) -> String {
    format!(
        "(drop (call ${function} (i64.const 0xfffffffff) (i32.const 32) {value}
            (i32.const {offset}) (i32.const {length})
            (i32.const {arguments}) (i32.const {END}) (i32.const 0)))",
        value = match function {
            "executeReadOnly" => "",
            _ => "(i32.const 128)",
        },
    )
}

/// Registers a promise in the group whose identifier is at 64.
const PROMISE: &str = "(call $createAsyncCall (i32.const 64) (i32.const 8) (i32.const 32)
    (i32.const 128) (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i64.const 0))";

/// Where the memory ends: what is read from here on are zeros, which are not copied.
const END: u32 = 17 << 16;

/// A host function is given a mebibyte of zeros.
fn with_zeros(function: &str, others: &str) -> String {
    format!("(drop (call ${function} (i32.const {END}) (i32.const 1048576) {others}))")
}

/// A number of 32 MiB.
const LONG_NUMBER: &str = "(call $bigIntSetInt64 (i32.const 1) (i64.const 1))
    (call $bigIntShl (i32.const 1) (i32.const 1) (i32.const 268435456))";

/// 20,000 items of return data.
const MANY_ITEMS: &str = "(loop (call $int64finish (i64.const 0))
    (local.set $count (i32.add (local.get $count) (i32.const 1)))
    (br_if 0 (i32.lt_u (local.get $count) (i32.const 20000))))";

#[test]
fn what_host_functions_do_for_little_gas_ends_a_run() {
    const LEAF: [u32; 2] = [0, 4];
    let turns = [
        ("", with_zeros("sha256", "(i32.const 0)")),
        ("", with_zeros("keccak256", "(i32.const 0)")),
        ("", with_zeros("clearStorageLock", "")),
        ("", with_zeros("getStorageLock", "")),
        ("", with_zeros("storageLoadLength", "")),
        ("", with_zeros("int64storageStore", "(i64.const 1)")),
        // Names of functions, and lists of arguments.
        ("", own("executeOnDestContext", [END, 1 << 20], 0)),
        ("", own("executeReadOnly", LEAF, 100_000)),
        // Copies of what nested executions set aside.
        (LONG_NUMBER, own("executeOnDestContext", LEAF, 0)),
        (LONG_NUMBER, own("executeOnSameContext", LEAF, 0)),
        (MANY_ITEMS, own("executeReadOnly", LEAF, 0)),
        // Topics and items of return data, of which none is kept.
        ("", own("executeReadOnly", [8, 3], 0)),
        ("", own("executeOnDestContext", [16, 4], 0)),
        // Promises of one group, and of very many.
        ("", PROMISE.to_owned()),
        ("", format!("(call $next) {PROMISE}")),
    ];
    // One engine: the time is spent outside of it.
    let [mut bench, ..] = benches(&schedule_entries());
    for (once, turn) in &turns {
        bench.world().put_contract("self", self::turns(once, turn));
        let start = Instant::now();
        assert_eq!(bench.fault("self", "f", rich()), LIMIT, "{once} {turn}");
        assert!(start.elapsed() < LONGEST, "{:?} {turn}", start.elapsed());
    }
}

/// Reading up to 1,024 bytes, and zeros behind the end of the memory, takes no steps.
#[test]
fn short_and_lazy_reads_are_free() {
    let repeated = |turn: &str| {
        format!(
            r#"(func (export "f") (local $count i32) (loop {turn}
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (br_if 0 (i32.lt_u (local.get $count) (i32.const 5000)))))"#
        )
    };
    on_each_engine(|bench| {
        for turn in [
            "(drop (call $sha256 (i32.const 0) (i32.const 1024) (i32.const 0)))",
            "(drop (call $getStorageLock (i32.const 0) (i32.const 1016)))",
        ] {
            let turn = turn.repeat(60);
            bench
                .world()
                .put_contract("self", contract(&repeated(&turn)));
            let output = bench.call_with("self", "f", rich()).expect("an output");
            assert_eq!(end(&output), (0, ""), "{turn}");
        }
        // 64 GiB of data, if zeros were any.
        let lazy = "(call $createAsyncCall (i32.const 64) (i32.const 8) (i32.const 32)
            (i32.const 128) (i32.const 65536) (i32.const 0x7fffffff) (i32.const 0) (i32.const 0)
            (i32.const 0) (i32.const 0) (i64.const 0))";
        let ends = format!(
            r#"(data (i32.const 0) "end") (func (export "f") {} (call $signalError (i32.const 0) (i32.const 3)))"#,
            lazy.repeat(32)
        );
        let output = bench.run(&ends, "f", &[]);
        assert_eq!(end(&output), (4, "end"));
    });
}
