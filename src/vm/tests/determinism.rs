//! Outputs depend on nothing but the input and the node's state: not on the run before, not on the engine, not on the
//! VM's age.

use super::texts::*;
use crate::machine::VmFailure;
use crate::messages::codec::encode_json_object;
use crate::messages::{BigInt, VmInput, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;
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

const RUNS: [Run; 13] = [
    run("self", "numbers", 0),
    run("self", "calldata", 0),
    run("self", "more calldata", 0),
    run("self", "storage", 0),
    run("self", "nested", 0),
    run("self", "nested", 1),
    run("self", "signal", 1),
    run("self", "trap", 1),
    run("self", "trap with locked gas", 1),
    run("self", "fault", 0),
    run("self", "panic", 0),
    run("promises", "f", 0),
    run("nobody", "f", 0),
];

fn set_up(bench: &mut Bench) {
    let callee = r#"(func (export "panic") (drop (call $getReturnDataSize (i32.const -1))))
        (func (export "g") (call $bigIntFinishUnsigned (i32.const 4)) (call $bigIntSetInt64 (i32.const 4) (i64.const 8)))"#;
    let selector = "(call $eth.callDataCopy (i32.const 0) (i32.const 0) (i32.const 4)) (call $finish (i32.const 0) (i32.const 4))";
    let functions = format!(
        r#"{} (data (i32.const 100) "gpanickey")
        (func (export "numbers")
            (call $bigIntFinishUnsigned (i32.const 4)) (call $bigIntSetInt64 (i32.const 4) (i64.const 9))
            {} (call $getCaller (i32.const 70000)) {})
        (func (export "calldata") {selector})
        (func (export "more calldata") {selector} {selector})
        (func (export "trap with locked gas") unreachable)
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
fn sent(result: Result<VmOutput, NoOutput>) -> String {
    match result {
        Ok(output) => {
            let mut bytes = Vec::new();
            encode_json_object(&output, false, &mut bytes);
            String::from_utf8(bytes).expect("JSON is text")
        }
        Err(NoOutput::Failure(VmFailure(text))) => text,
        Err(other) => panic!("{other}"),
    }
}

impl Run {
    fn on(&self, bench: &mut Bench) -> String {
        let input = VmInput {
            call_type: self.call_type,
            call_value: Some(BigInt::from(1u64)),
            ..input(&[b"argument"])
        };
        sent(bench.call_with(self.contract, self.function, input))
    }
}

/// The bytes of a run by a VM that has done nothing before.
fn first_bytes(run: &Run) -> Vec<String> {
    let found = RefCell::new(Vec::new());
    on_each_engine(|bench| {
        set_up(bench);
        found.borrow_mut().push(run.on(bench));
    });
    found.into_inner()
}

#[test]
fn a_run_gives_the_same_bytes_on_both_engines_and_after_any_other() {
    let expected = RUNS.each_ref().map(|run| {
        let mut found = first_bytes(run);
        found.dedup();
        assert_eq!(found.len(), 1, "{}: {found:?}", run.name);
        found.remove(0)
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
                assert_eq!(&found, expected, "{names:?}");
                assert_eq!(found, again, "{names:?}");
            }
        }
    });
}

#[test]
fn deploys_give_the_same_bytes_after_any_run() {
    // In init, where handles and calldata begin anew as well.
    let init = format!(
        r#"(func (export "init") (call $bigIntFinishUnsigned (i32.const 4)) {} {})"#,
        status("(call $bigIntNew (i64.const 1))"),
        status("(call $eth.getCallDataSize)")
    );
    let good = contract(&init);
    // A failure that reports gas, were any still locked.
    let bad = Bytes::from("no wasm");
    let deploys = |before: Option<&Run>, code: &Bytes| {
        let found = RefCell::new(Vec::new());
        on_each_engine(|bench| {
            set_up(bench);
            before.map(|run| run.on(bench));
            let output = bench.create(code.clone(), input(&[b"argument"]));
            found.borrow_mut().push(sent(Ok(output)));
        });
        found.into_inner()
    };
    for code in [&good, &bad] {
        let expected = deploys(None, code);
        assert_eq!(expected[0], expected[1]);
        for run in &RUNS {
            assert_eq!(deploys(Some(run), code), expected, "{}", run.name);
        }
    }
}
