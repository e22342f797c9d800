//! Quirks of memory and API (docs/spec/README.md#quirks-memory-and-api): memory, and what single host functions do.

use super::texts::*;
use crate::messages::VmInput;
use crate::vm::fixtures::*;
use bytes::Bytes;

fn store(bench: &mut Bench, key: &[u8], value: &[u8]) {
    let key = (address("self"), Bytes::copy_from_slice(key));
    let value = Bytes::copy_from_slice(value);
    bench.world().storage.insert(key, value);
}

fn valued(value: u64) -> VmInput {
    VmInput {
        call_value: Some(value.into()),
        ..input(&[])
    }
}

#[test]
fn quirk_01_reads_past_the_end_of_memory_are_zero_filled() {
    on_each_engine(|bench| {
        let functions = r#"(data (i32.const 65534) "ab")
            (func (export "f")
                (call $finish (i32.const 65534) (i32.const 4))
                (call $finish (i32.const 65536) (i32.const 2))
                (call $finish (i32.const -1) (i32.const 0))
                (call $int64finish (i64.extend_i32_u (memory.size))))
            (func (export "beyond") (call $finish (i32.const 65537) (i32.const 1)))"#;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&b"ab\0\0"[..], &[0, 0], b"", &[1]]);
        let output = bench.call("self", "beyond", &[]);
        assert_eq!(end(&output), (10, "mem load: bad bounds"));
    });
}

#[test]
fn quirk_02_writes_past_the_end_add_one_page_for_free() {
    on_each_engine(|bench| {
        let size = status("(memory.size)");
        let functions = format!(
            r#"(func (export "grow") (call $getCaller (i32.const 65520)) {size}
                (call $finish (i32.const 65520) (i32.const 32)))
            (func (export "fit") (call $getCaller (i32.const 1)) {size}
                (call $finish (i32.const 65520) (i32.const 32)))
            (func (export "two pages")
                (drop (call $eth.getBlockHash (i64.const 7) (i32.const 131041))) {size})
            (func (export "fail") (call $getCaller (i32.const 131041)))"#
        );
        // getCaller: 2 and 1; the size: 3 and 1; the item: 3, 1 and 32 bytes; end.
        for function in ["grow", "fit"] {
            let executed = bench.executed(&functions, function, &[]);
            assert_eq!(executed, 3 + 4 + 36 + 1, "{function}");
        }
        let output = bench.call("self", "grow", &[]);
        assert_eq!(output.return_data, [&[2][..], &address("caller")]);
        // One byte too far even then: the page stays. Only this function survives that.
        let output = bench.call("self", "two pages", &[]);
        assert_eq!(output.return_data, [vec![2]]);
        let output = bench.call("self", "fail", &[]);
        assert_eq!(end(&output), (10, "bad bounds (upper)"));

        let code = r#"(module (import "env" "getCaller" (func $f (param i32)))
            (memory (export "memory") 1 1) (func (export "f") (call $f (i32.const 65520))))"#;
        let code = wat::parse_str(code).expect("valid text");
        bench.world().put_contract("self", code.into());
        let message = "Failed to grow the memory:\n    Failed to add pages because would exceed maximum number of pages \
            for the memory. Left: 2, Added: 1";
        assert_eq!(end(&bench.call("self", "f", &[])), (10, message));
    });
}

#[test]
fn quirk_03_addresses_of_new_contracts_go_to_the_creators_memory() {
    on_each_engine(|bench| {
        // The reference dies when the last host call was the child's.
        let child = contract(
            r#"(func (export "init") (call $getOwnAddress))
            (func $getOwnAddress (call $getSCAddress (i32.const 0)))"#,
        );
        let functions = format!(
            r#"(func (export "f") (local $length i32) {READ_CODE} {}
                (call $finish (i32.const 0) (i32.const 32))
                (drop (call $eth.create (i32.const 512) (i32.const 2000) (local.get $length) (i32.const 100)))
                (call $finish (i32.const 100) (i32.const 32)))"#,
            status(CREATE)
        );
        let output = bench.run(&functions, "f", &[&child]);
        assert_eq!(end(&output), (0, ""));
        let expected = [Bytes::new(), address("new0"), address("new0")];
        assert_eq!(output.return_data, expected);
    });
}

#[test]
fn quirk_04_a_call_value_of_zero_is_not_written() {
    on_each_engine(|bench| {
        let functions = format!(
            r#"(data (i32.const 1031) "x") (func (export "f") {}
                (call $finish (i32.const 1030) (i32.const 2)))"#,
            status("(call $getCallValue (i32.const 1000))")
        );
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(output.return_data, [&b""[..], b"\0x"]);
        let output = bench.call_with("self", "f", valued(1)).expect("an output");
        assert_eq!(output.return_data, [&[32][..], &[0, 1]]);
    });
}

#[test]
fn quirk_05_balances_are_written_unpadded() {
    on_each_engine(|bench| {
        bench.world().put_account("poor", 0);
        for name in ["getExternalBalance", "eth.getExternalBalance"] {
            let functions = format!(
                r#"(data (i32.const 0) "{:_<32}{:_<32}") (data (i32.const 100) "uvwxyz")
                (func (export "f")
                    (call ${name} (i32.const 0) (i32.const 100)) (call ${name} (i32.const 32) (i32.const 103))
                    (call $finish (i32.const 100) (i32.const 6)))"#,
                "caller", "poor"
            );
            // 1000 is 3e8.
            let output = bench.run(&functions, "f", &[]);
            assert_eq!(output.return_data, [&b"\x03\xe8wxyz"[..]]);
        }
    });
}

#[test]
fn quirk_06_some_functions_are_charged_as_others() {
    let own_keys = [
        "Keccak256",
        "GetBlockDifficulty",
        "BigIntSetInt64",
        "BigIntAdd",
        "BigIntTMod",
        "BigIntEDiv",
        "BigIntEMod",
        "BigIntAbs",
        "BigIntNeg",
        "BigIntNot",
        "BigIntAnd",
        "BigIntOr",
        "BigIntXor",
        "BigIntShr",
        "BigIntShl",
    ];
    let mut costs = vec![("SHA256", 50), ("GetBlockCoinbase", 60), ("BigIntSub", 70)];
    costs.extend(own_keys.map(|key| (key, 100_000)));
    costs.push(("BigIntMul", 80));
    on_each_engine_with(schedule_with(&costs), |bench| {
        let hash = r#"(func (export "f") (drop (call $keccak256 (i32.const 0) (i32.const 0) (i32.const 0))))"#;
        assert_eq!(bench.executed(hash, "f", &[]), 4 + 50 + 1 + 1);
        let difficulty = r#"(func (export "f") (call $eth.getBlockDifficulty (i32.const 0)))"#;
        assert_eq!(bench.executed(difficulty, "f", &[]), 2 + 60 + 1);
        // Number 1 becomes 5: three operators, one for the host; then as many operands as the function has, the call.
        let big_int = |name: &str, operands: &str| {
            format!(
                r#"(func (export "f") (call $bigIntGetUnsignedArgument (i32.const 0) (i32.const 1))
                    (call ${name} (i32.const 0) {operands}))"#
            )
        };
        let one = "(i32.const 1)";
        for name in [
            "Add", "Sub", "TMod", "EDiv", "EMod", "And", "Or", "Xor", "Shr", "Shl",
        ] {
            let functions = big_int(&format!("bigInt{name}"), "(i32.const 1) (i32.const 1)");
            let executed = bench.executed(&functions, "f", &[&[5]]);
            assert_eq!(executed, 4 + 4 + 70 + 1, "{name}");
        }
        for (name, operand) in [
            ("Abs", one),
            ("Neg", one),
            ("Not", one),
            ("SetInt64", "(i64.const 1)"),
        ] {
            let functions = big_int(&format!("bigInt{name}"), operand);
            let executed = bench.executed(&functions, "f", &[&[5]]);
            assert_eq!(executed, 4 + 3 + 70 + 1, "{name}");
        }
        let multiply = big_int("bigIntMul", "(i32.const 1) (i32.const 1)");
        assert_eq!(bench.executed(&multiply, "f", &[&[5]]), 4 + 4 + 80 + 1);
    });
}

#[test]
fn quirk_07_promising_is_free() {
    on_each_engine(|bench| {
        // In init, because what is promised there is not kept, which would cost.
        let code = contract(
            r#"(func (export "init")
                (call $createAsyncCall (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 9) (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 9) (i64.const 0))
                (drop (call $setAsyncContextCallback (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9))))"#,
        );
        let length = code.len() as u64;
        let output = bench.create(code, input(&[]));
        assert_eq!(end(&output), (0, ""));
        // The deploy and the code; 11 operands and a call, 4 and a call, drop, end.
        assert_eq!(output.gas_remaining, GAS - 1 - length - 12 - 6 - 1);
    });
}

#[test]
fn quirk_08_signs_are_dropped_and_numbers_wrap() {
    on_each_engine(|bench| {
        store(bench, b"long", &[1, 255, 255, 255, 255, 255, 255, 255, 254]);
        // -(2^64 + 5) and 2^63, as two's complement.
        let functions = format!(
            r#"(data (i32.const 0) "key") (data (i32.const 10) "long")
            (data (i32.const 20) "\fe\ff\ff\ff\ff\ff\ff\ff\fb") (data (i32.const 40) "\00\80")
            (func (export "f")
                (drop (call $int64storageStore (i32.const 0) (i32.const 1) (i64.const -258)))
                (drop (call $setStorageLock (i32.const 0) (i32.const 2) (i64.const -5)))
                (call $bigIntSetInt64 (i32.const 1) (i64.const -3))
                (drop (call $bigIntStorageStoreUnsigned (i32.const 0) (i32.const 3) (i32.const 1)))
                {} (call $finish (i32.const 100) (i32.const 1))
                (call $bigIntFinishUnsigned (i32.const 1))
                (call $int64finish (call $int64storageLoad (i32.const 10) (i32.const 4)))
                (call $bigIntSetSignedBytes (i32.const 2) (i32.const 20) (i32.const 9))
                (call $int64finish (call $bigIntGetInt64 (i32.const 2)))
                (call $bigIntSetSignedBytes (i32.const 2) (i32.const 40) (i32.const 9))
                (call $int64finish (call $bigIntGetInt64 (i32.const 2))))"#,
            status("(call $bigIntGetUnsignedBytes (i32.const 1) (i32.const 100))")
        );
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data[..3], [vec![1], vec![3], vec![3]]);
        let numbers: Vec<i64> = output.return_data[3..]
            .iter()
            .map(|item| number(item))
            .collect();
        assert_eq!(numbers, [-2, -5, i64::MIN]);
        let stored: Vec<(Bytes, Bytes)> = [
            ("k", vec![1, 2]),
            ("key", vec![3]),
            ("ketimelock", vec![5]),
            ("long", vec![1, 255, 255, 255, 255, 255, 255, 255, 254]),
        ]
        .map(|(key, value)| (key.into(), value.into()))
        .into();
        let mut found = updates(account(&output, "self"));
        found.sort_by_key(|(key, _)| stored.iter().position(|(other, _)| other == key));
        assert_eq!(found, stored);
    });
}

#[test]
fn quirk_09_what_panics_the_host_is_a_fault_and_the_vm_goes_on() {
    let five_topics =
        "(call $eth.log (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0))";
    let rows = [
        (
            "(drop (call $getReturnDataSize (i32.const -1)))",
            "index out of range [-1]",
        ),
        (
            "(drop (call $getReturnData (i32.const -2) (i32.const 0)))",
            "index out of range [-2]",
        ),
        (
            "(call $bigIntGetUnsignedArgument (i32.const -3) (i32.const 0))",
            "index out of range [-3]",
        ),
        (
            "(call $bigIntGetSignedArgument (i32.const -4) (i32.const 0))",
            "index out of range [-4]",
        ),
        (five_topics, "index out of range [4] with length 4"),
        // A value of 33 bytes and an argument of 40, where there is room for 32.
        (
            "(call $eth.storageLoad (i32.const 0) (i32.const 0))",
            "slice bounds out of range [-1:]",
        ),
        (
            "(drop (call $eth.getCallDataSize))",
            "slice bounds out of range [-8:]",
        ),
        (
            "(call $eth.getCaller (i32.const 0))",
            "slice bounds out of range [:32] with capacity 3",
        ),
        (
            "(call $eth.getTxOrigin (i32.const 0))",
            "slice bounds out of range [:32] with capacity 3",
        ),
    ];
    on_each_engine(|bench| {
        store(bench, &[0; 32], &[7; 33]);
        bench.world().put_contract(
            "good",
            contract(r#"(func (export "f") (call $int64finish (i64.const 1)))"#),
        );
        let before = bench.call("good", "f", &[]);
        for (call, message) in rows {
            let functions = format!(r#"(func (export "f") {call})"#);
            bench.world().put_contract("self", contract(&functions));
            let short = VmInput {
                caller_addr: "abc".into(),
                ..input(&[&[1; 40]])
            };
            let text = bench.fault("self", "f", short);
            assert_eq!(text, format!("runtime error: {message}"));
            assert_eq!(bench.call("good", "f", &[]), before);
        }
    });
}

#[test]
fn quirk_13_locks_are_keys_like_any_other_and_lock_nothing() {
    on_each_engine(|bench| {
        let locked = status("(call $isStorageLocked (i32.const 0) (i32.const 3))");
        let write = |key: u32, length: u32, value: u32| {
            status(&format!(
                "(call $storageStore (i32.const {key}) (i32.const {length}) (i32.const 0) (i32.const {value}))"
            ))
        };
        let functions = format!(
            r#"(data (i32.const 0) "keytimelock") (data (i32.const 20) "originalasyncCalls")
            (func (export "f")
                (drop (call $setStorageLock (i32.const 0) (i32.const 3) (i64.const 14)))
                {locked} {} {} {locked} {})"#,
            write(0, 3, 2),
            write(0, 11, 0),
            write(20, 18, 1)
        );
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        // Locked until 14, and it is 13; added all the same; the lock is deleted; none is left; added.
        assert_eq!(output.return_data, [&[1][..], &[2], &[3], &[], &[2]]);
        let expected = [
            ("key", "ke"),
            ("keytimelock", ""),
            ("originalasyncCalls", "k"),
        ];
        let expected = expected.map(|(key, value)| (Bytes::from(key), Bytes::from(value)));
        assert_eq!(updates(account(&output, "self")), expected);
    });
}

#[test]
fn quirk_14_the_original_hash_is_not_importable() {
    on_each_engine(|bench| {
        let module = |name: &str| -> Bytes {
            let text = format!(
                r#"(module (import "env" "{name}" (func (param i32))) (memory (export "memory") 1) (func (export "f")))"#
            );
            wat::parse_str(text).expect("valid text").into()
        };
        // Another function of that type can be imported.
        for (name, end_expected) in [
            ("getCaller", (0, "")),
            ("getOriginalTxHash", (9, "invalid contract code")),
        ] {
            assert_eq!(end(&bench.create(module(name), input(&[]))), end_expected);
            bench.world().put_contract("self", module(name));
            assert_eq!(end(&bench.call("self", "f", &[])), end_expected);
        }
    });
}
