//! Host functions that ask and tell (docs/spec/eei.md#functions).

use crate::messages::{LogEntry, VmInput};
use crate::vm::fixtures::*;
use bytes::Bytes;

/// A function that returns the bytes at 1000, of the length that `call` gives.
fn returns(call: &str) -> String {
    format!(r#"(func (export "f") (call $finish (i32.const 1000) {call}))"#)
}

#[test]
fn call_values_have_32_bytes_or_none() {
    on_each_engine(|bench| {
        let functions = returns("(call $getCallValue (i32.const 1000))");
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(output.return_data, [""]);
        let input = VmInput {
            call_value: Some(258u64.into()),
            ..input(&[])
        };
        let output = bench.call_with("self", "f", input).expect("an output");
        let mut expected = vec![0; 30];
        expected.extend([1, 2]);
        assert_eq!(output.return_data, [expected]);
        assert_eq!(account(&output, "self").balance_delta, Some(258u64.into()));
    });
}

#[test]
fn balances_are_written_without_padding() {
    on_each_engine(|bench| {
        let functions = r#"(data (i32.const 0) "caller__________________________")
            (data (i32.const 50) "nobody__________________________")
            (data (i32.const 1000) "xxxx")
            (func (export "f")
                (call $getExternalBalance (i32.const 0) (i32.const 1000))
                (call $getExternalBalance (i32.const 50) (i32.const 1002))
                (call $finish (i32.const 1000) (i32.const 4)))"#;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(output.return_data, [&[3, 0xe8, b'x', b'x'][..]]);
        // Both were looked at; only one is known.
        assert_eq!(account_names(&output), ["caller", "nobody", "self"]);
        assert_eq!(account(&output, "caller").balance, Some(1000u64.into()));
        assert_eq!(account(&output, "nobody").balance, None);
    });
}

#[test]
fn transfers_move_value_and_collect_data() {
    on_each_engine(|bench| {
        let functions = r#"(data (i32.const 0) "receiver________________________")
            (data (i32.const 63) "\05") (data (i32.const 64) "data")
            (data (i32.const 100) "\ff")
            (func (export "f")
                (drop (call $transferValue (i32.const 0) (i32.const 32) (i32.const 64) (i32.const 2)))
                (drop (call $transferValue (i32.const 0) (i32.const 32) (i32.const 66) (i32.const 2)))
                (call $int64finish (i64.extend_i32_s
                    (call $transferValue (i32.const 0) (i32.const 100) (i32.const 0) (i32.const 0)))))"#;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [vec![1]]);
        let receiver = account(&output, "receiver");
        assert_eq!(receiver.balance_delta, Some(10u64.into()));
        assert_eq!((&receiver.data[..], receiver.gas_limit), (&b"data"[..], 0));
        assert_eq!(receiver.balance, None);
        assert_eq!(
            account(&output, "self").balance_delta,
            Some((-10i64).into())
        );
    });
}

#[test]
fn events_are_those_of_the_contract() {
    on_each_engine(|bench| {
        let topics: String = ["first", "second"]
            .map(|name| format!("{name:_<32}"))
            .concat();
        let functions = format!(
            r#"(data (i32.const 0) "{topics}data")
            (func (export "f")
                (call $writeLog (i32.const 64) (i32.const 4) (i32.const 0) (i32.const 2))
                (call $writeLog (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 0)))"#
        );
        let output = bench.run(&functions, "f", &[]);
        let log = |identifier: Bytes, topics: Vec<Bytes>, data: &'static str| LogEntry {
            identifier,
            address: address("self"),
            topics,
            data: data.into(),
            ..LogEntry::default()
        };
        let first = log(address("first"), vec![address("second")], "data");
        let second = LogEntry {
            null_lists: LogEntry::ALL_LISTS,
            ..log(Bytes::new(), vec![], "d")
        };
        assert_eq!(output.logs, [first, second]);
    });
}

#[test]
fn numbers_of_blocks_come_from_the_hook() {
    on_each_engine(|bench| {
        let calls: String = [
            ("getBlockTimestamp", 13),
            ("getBlockNonce", 11),
            ("getBlockRound", 12),
            ("getBlockEpoch", 14),
            ("getPrevBlockTimestamp", 3),
            ("getPrevBlockNonce", 1),
            ("getPrevBlockRound", 2),
            ("getPrevBlockEpoch", 4),
            ("eth.getBlockGasLimit", 10_000_000),
        ]
        .map(|(name, value)| {
            format!("(if (i64.ne (call ${name}) (i64.const {value})) (then unreachable))")
        })
        .concat();
        let functions = format!(
            r#"(func (export "f") {calls}
                (call $getBlockRandomSeed (i32.const 0)) (call $finish (i32.const 0) (i32.const 5))
                (call $getPrevBlockRandomSeed (i32.const 0)) (call $finish (i32.const 0) (i32.const 10))
                (call $getStateRootHash (i32.const 0)) (call $finish (i32.const 0) (i32.const 5))
                (drop (call $getBlockHash (i64.const 7) (i32.const 32)))
                (drop (call $getBlockHash (i64.const 100) (i32.const 32)))
                (drop (call $getBlockHash (i64.const -1) (i32.const 32)))
                (call $finish (i32.const 32) (i32.const 2))
                (call $getOwnerAddress (i32.const 0)) (call $finish (i32.const 0) (i32.const 32)))"#
        );
        let output = bench.run(&functions, "f", &[]);
        assert_eq!(end(&output), (0, ""));
        let expected = [
            Bytes::from("seed\0"),
            "last seed\0".into(),
            "root ".into(),
            vec![7, 7].into(),
            address("owner"),
        ];
        assert_eq!(output.return_data, expected);
    });
}

#[test]
fn arguments_are_read_as_bytes_and_as_numbers() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f")
            (call $int64finish (i64.extend_i32_s (call $getNumArguments)))
            (call $int64finish (i64.extend_i32_s (call $getArgumentLength (i32.const 0))))
            (call $int64finish (i64.extend_i32_s (call $getArgumentLength (i32.const 3))))
            (call $int64finish (i64.extend_i32_s (call $getArgument (i32.const -1) (i32.const 0))))
            (call $int64finish (call $int64getArgument (i32.const 1)))
            (call $bigIntGetUnsignedArgument (i32.const 1) (i32.const 9))
            (call $bigIntFinishUnsigned (i32.const 9))
            (call $bigIntGetSignedArgument (i32.const 1) (i32.const 9))
            (call $bigIntFinishSigned (i32.const 9))
            (call $bigIntGetSignedArgument (i32.const 3) (i32.const 9))
            (call $bigIntFinishUnsigned (i32.const 9)))"#;
        let output = bench.run(functions, "f", &[b"abc", &[0xff, 0xfe], b""]);
        assert_eq!(end(&output), (0, ""));
        let expected: [&[u8]; 8] = [
            &[3],
            &[3],
            &[0xff],
            &[0xff],
            &[0xfe],
            &[0xff, 0xfe],
            &[0xfe],
            &[2],
        ];
        assert_eq!(output.return_data, expected);
        let functions = r#"(func (export "f") (drop (call $int64getArgument (i32.const 0))))"#;
        let output = bench.run(functions, "f", &[&[0, 0x80, 0, 0, 0, 0, 0, 0, 0]]);
        assert_eq!(end(&output), (10, "argument out of range"));
    });
}

#[test]
fn hashes_are_written_to_memory() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f")
            (drop (call $sha256 (i32.const 0) (i32.const 0) (i32.const 0)))
            (call $finish (i32.const 0) (i32.const 2))
            (drop (call $keccak256 (i32.const 0) (i32.const 0) (i32.const 0)))
            (call $finish (i32.const 0) (i32.const 2)))"#;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(output.return_data, [&[0xe3, 0xb0][..], &[0xc5, 0xd2]]);
    });
}

#[test]
fn the_ethereum_namespace_has_rules_of_its_own() {
    on_each_engine(|bench| {
        let functions = r#"(func (export "f")
            (call $eth.getCaller (i32.const 0))
            (call $eth.finish (i32.const 0) (i32.const 20)))
            (func (export "calldata")
                (call $eth.callDataCopy (i32.const 0) (i32.const 4) (i32.const 32))
                (call $eth.finish (i32.const 30) (i32.const 2)))
            (func (export "value")
                (call $eth.getCallValue (i32.const 0))
                (call $eth.finish (i32.const 0) (i32.const 16)))"#;
        let output = bench.run(functions, "f", &[]);
        assert_eq!(output.return_data, [address("caller").slice(12..)]);
        let output = bench.call("self", "calldata", &[b"ab"]);
        assert_eq!(output.return_data, ["ab"]);
        let valued = VmInput {
            call_value: Some(258u64.into()),
            ..input(&[])
        };
        let output = bench.call_with("self", "value", valued).expect("an output");
        assert_eq!(output.return_data[0][..3], [2, 1, 0]);
        let short = VmInput {
            caller_addr: "abc".into(),
            ..input(&[])
        };
        let error = bench.call_with("self", "f", short).expect_err("no output");
        let message = "runtime error: slice bounds out of range [:32] with capacity 3";
        assert_eq!(error.to_string(), message);
    });
}
