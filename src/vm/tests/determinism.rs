//! Outputs depend on nothing but the input and the node's state: not on the run before, not on the engine, not on the
//! VM's age.

use super::texts::*;
use crate::messages::codec::encode_json_object;
use crate::messages::{BigInt, VmInput, VmOutput};
use crate::vm::VmError;
use crate::vm::fixtures::*;
use std::cell::RefCell;

/// Runs something that uses what a VM remembers: big integers, calldata, return data, locked gas, instances, promises.
struct Run {
    name: &'static str,
    contract: &'static str,
    function: &'static str,
    call_type: i64,
}

const fn run(contract: &'static str, function: &'static str, call_type: i64) -> Run {
    Run {
        name: function,
        contract,
        function,
        call_type,
    }
}

const RUNS: [Run; 11] = [
    run("self", "numbers", 0),
    run("self", "calldata", 0),
    run("self", "storage", 0),
    run("self", "nested", 0),
    run("self", "nested", 1),
    run("self", "signal", 1),
    run("self", "trap", 1),
    run("self", "fault", 0),
    run("self", "panic", 0),
    run("promises", "f", 0),
    run("nobody", "f", 0),
];

fn set_up(bench: &mut Bench) {
    let callee = r#"(func (export "panic") (drop (call $getReturnDataSize (i32.const -1))))
        (func (export "g") (call $bigIntFinishUnsigned (i32.const 4)) (call $bigIntSetInt64 (i32.const 4) (i64.const 8)))"#;
    let functions = format!(
        r#"{} (data (i32.const 100) "gpanickey")
        (func (export "numbers")
            (call $bigIntFinishUnsigned (i32.const 4)) (call $bigIntSetInt64 (i32.const 4) (i64.const 9))
            {} (call $getCaller (i32.const 70000)) {})
        (func (export "calldata") {})
        (func (export "storage")
            (drop (call $storageStore (i32.const 106) (i32.const 3) (i32.const 106) (i32.const 2)))
            (call $writeLog (i32.const 106) (i32.const 3) (i32.const 0) (i32.const 2))
            (call $getExternalBalance (i32.const 0) (i32.const 200)))
        (func (export "nested") (drop {}) (call $bigIntFinishUnsigned (i32.const 4)) (call $int64finish (call $getGasLeft)))
        (func (export "signal") (drop {}) (call $signalError (i32.const 106) (i32.const 3)))
        (func (export "trap") (drop {}) unreachable)
        (func (export "fault") (drop {}) (call $getCaller (i32.const -1)))
        (func (export "panic") (drop {}))"#,
        callee_data("callee", ""),
        status("(call $bigIntNew (i64.const 1))"),
        status("(memory.size)"),
        status("(call $eth.getCallDataSize)"),
        execute("Dest", "g").replace("i32.const 64", "i32.const 100"),
        execute("Same", "g").replace("i32.const 64", "i32.const 100"),
        execute("Same", "g").replace("i32.const 64", "i32.const 100"),
        execute("Dest", "g").replace("i32.const 64", "i32.const 100"),
        execute("Dest", "panic").replace("i32.const 64", "i32.const 101"),
    );
    let calls = ["z", "a", "m"].map(|identifier| promised(identifier, "far", "f"));
    let mut world = bench.world();
    world.put_contract("callee", contract(callee));
    world.put_contract("self", contract(&functions));
    world.put_contract("promises", contract(&registering("f", &calls)));
    world.put_storage("self", "key", "value");
}

/// What the node is sent; the text of a fault, if there is no output.
fn bytes(result: Result<VmOutput, VmError>) -> Vec<u8> {
    match result {
        Ok(output) => {
            let mut bytes = Vec::new();
            encode_json_object(&output, false, &mut bytes);
            bytes
        }
        Err(VmError::HostFault(text)) => text.into(),
        Err(other) => panic!("{other}"),
    }
}

impl Run {
    fn on(&self, bench: &mut Bench) -> Vec<u8> {
        let input = VmInput {
            call_type: self.call_type,
            call_value: Some(BigInt::from(1u64)),
            ..input(&[b"argument"])
        };
        bytes(bench.call_with(self.contract, self.function, input))
    }
}

/// The bytes of a run by a VM that has done nothing before.
fn first_bytes(run: &Run) -> [Vec<u8>; 2] {
    let found = RefCell::new(Vec::new());
    on_each_engine(|bench| {
        set_up(bench);
        found.borrow_mut().push(run.on(bench));
    });
    let found = found.into_inner();
    found.try_into().expect("two engines")
}

#[test]
fn a_run_gives_the_same_bytes_on_both_engines_and_after_any_other() {
    let expected = RUNS.each_ref().map(|run| {
        let [wasmer, wasmi] = first_bytes(run);
        assert_eq!(
            String::from_utf8_lossy(&wasmer),
            String::from_utf8_lossy(&wasmi),
            "{}",
            run.name
        );
        wasmer
    });
    // Each is something else, so that one can't pass for another.
    for (index, bytes) in expected.iter().enumerate() {
        assert!(!expected[..index].contains(bytes), "{}", RUNS[index].name);
    }
    on_each_engine(|bench| {
        set_up(bench);
        for before in &RUNS {
            for (run, expected) in RUNS.iter().zip(&expected) {
                before.on(bench);
                let (found, again) = (run.on(bench), run.on(bench));
                let names = (before.name, run.name);
                assert_eq!(
                    String::from_utf8_lossy(&found),
                    String::from_utf8_lossy(expected),
                    "{names:?}"
                );
                assert_eq!(found, again, "{names:?}");
            }
        }
    });
}

#[test]
fn deploys_give_the_same_bytes_after_any_run() {
    on_each_engine(|bench| {
        set_up(bench);
        // In init, whose handles and calldata begin anew as well.
        let init = format!(
            r#"(func (export "init") (call $bigIntFinishUnsigned (i32.const 4)) {} {})"#,
            status("(call $bigIntNew (i64.const 1))"),
            status("(call $eth.getCallDataSize)")
        );
        let mut deploy = |before: Option<&Run>| {
            before.map(|run| run.on(bench));
            bytes(Ok(bench.create(contract(&init), input(&[b"argument"]))))
        };
        let expected = deploy(None);
        for run in &RUNS {
            assert_eq!(deploy(Some(run)), expected, "{}", run.name);
        }
    });
}
