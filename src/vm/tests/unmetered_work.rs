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

const CONTRACT: &str = include_str!("../../../tests/contracts/unmetered.wat");

#[test]
fn what_host_functions_do_for_little_gas_ends_a_run() {
    // One engine: the time is spent outside of it.
    let [mut bench, ..] = benches(&schedule_entries());
    let code = wat::parse_str(CONTRACT).expect("valid text");
    bench.world().put_contract("self", code.into());
    let mut kinds = 0;
    for export in CONTRACT.split("(export \"work_").skip(1) {
        let name = export.split('"').next().expect("the end of the name");
        let function = format!("work_{name}");
        let start = Instant::now();
        assert_eq!(bench.fault("self", &function, rich()), LIMIT, "{function}");
        assert!(start.elapsed() < LONGEST, "{:?} {name}", start.elapsed());
        kinds += 1;
    }
    assert!(kinds > 20, "{kinds}");
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
