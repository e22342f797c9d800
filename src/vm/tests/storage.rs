//! Storage (docs/spec/host.md#storage).

use crate::vm::fixtures::*;
use bytes::Bytes;

/// `store` writes argument 1 under argument 0 and returns the status; `load` returns what is there.
const CONTRACT: &str = r#"
    (func (export "store")
        (call $int64finish (i64.extend_i32_s (call $storageStore
            (i32.const 0) (call $getArgument (i32.const 0) (i32.const 0))
            (i32.const 1000) (call $getArgument (i32.const 1) (i32.const 1000))))))
    (func (export "load") (local $length i32)
        (local.set $length (call $storageLoad
            (i32.const 0) (call $getArgument (i32.const 0) (i32.const 0)) (i32.const 1000)))
        (call $finish (i32.const 1000) (local.get $length)))
    (func (export "length")
        (call $int64finish (i64.extend_i32_s (call $storageLoadLength
            (i32.const 0) (call $getArgument (i32.const 0) (i32.const 0))))))
"#;

fn schedule() -> Vec<crate::messages::GasSectionEntry> {
    let mut schedule = schedule_entries();
    for cost in &mut schedule[0].value {
        cost.value = match &cost.key[..] {
            b"StorePerByte" => 1_000,
            b"PersistPerByte" => 100,
            b"ReleasePerByte" => 7,
            b"DataCopyPerByte" => 10,
            _ => 1,
        };
    }
    schedule
}

#[test]
fn writes_cost_what_they_change() {
    on_each_engine_with(schedule(), |bench| {
        // Old value, new value, status, gas, refund.
        let rows: [(&'static str, &[u8], u8, u64, u64); 8] = [
            ("", b"", 0, 0, 0),
            ("abc", b"abc", 0, 30, 0),
            ("", b"abcd", 2, 4_000, 0),
            ("abc", b"", 3, 0, 21),
            ("ab", b"abcde", 1, 200 + 3_000, 0),
            ("abcde", b"xy", 1, 200, 21),
            // A value of the same length is free (docs/spec/README.md#quirk-21).
            ("abc", b"xyz", 1, 0, 0),
            ("a", b"b", 1, 0, 0),
        ];
        let mut free = None;
        for (old, new, status, gas, refund) in rows {
            bench.world().put_storage("self", "key", old);
            let output = bench.run(CONTRACT, "store", &[b"key", new]);
            assert_eq!(end(&output), (0, ""), "{old}");
            let expected = if status == 0 { vec![] } else { vec![status] };
            assert_eq!(output.return_data, [expected], "{old}");
            let used = GAS - output.gas_remaining;
            let free = *free.get_or_insert(used);
            assert_eq!(used - free, gas, "{old} -> {new:?}");
            assert_eq!(output.gas_refund, Some(refund.into()));
            let expected = (Bytes::from("key"), Bytes::copy_from_slice(new));
            assert_eq!(updates(account(&output, "self")), [expected]);
        }
    });
}

#[test]
fn values_merely_read_are_reported_but_not_those_that_are_missing() {
    on_each_engine(|bench| {
        bench.world().put_storage("self", "key", "value");
        bench.world().put_storage("self", "empty", "");
        let output = bench.run(CONTRACT, "load", &[b"key"]);
        assert_eq!(output.return_data, ["value"]);
        assert_eq!(
            updates(account(&output, "self")),
            [("key".into(), "value".into())]
        );
        let output = bench.call("self", "length", &[b"empty"]);
        assert_eq!(
            updates(account(&output, "self")),
            [("empty".into(), Bytes::new())]
        );
        let output = bench.call("self", "length", &[b"missing"]);
        assert_eq!(updates(account(&output, "self")), []);
        assert_eq!(bench.world().calls, ["account(self)", "storage(missing)"]);
    });
}

#[test]
fn protected_keys_fault_without_asking_the_hook() {
    on_each_engine(|bench| {
        let output = bench.run(CONTRACT, "store", &[b"PROTECTEDkey", b"value"]);
        let message = "cannot write to storage under Kalyan3104 reserved key";
        assert_eq!(end(&output), (10, message));
        assert_eq!(output.output_accounts, []);
        assert_eq!(bench.world().calls, ["account(self)"]);
        let output = bench.call("self", "store", &[b"PROTECTE", b"value"]);
        assert_eq!(end(&output), (0, ""));
    });
}

#[test]
fn numbers_lose_their_sign_and_locks_are_a_suffix() {
    on_each_engine(|bench| {
        let output = bench.run(
            r#"(data (i32.const 0) "key")
            (func (export "f")
                (drop (call $int64storageStore (i32.const 0) (i32.const 3) (i64.const -258)))
                (call $int64finish (call $int64storageLoad (i32.const 0) (i32.const 3)))
                (drop (call $setStorageLock (i32.const 0) (i32.const 3) (i64.const 14)))
                (call $int64finish (call $getStorageLock (i32.const 0) (i32.const 3)))
                (call $int64finish (i64.extend_i32_s (call $isStorageLocked (i32.const 0) (i32.const 3))))
                (drop (call $clearStorageLock (i32.const 0) (i32.const 3)))
                (call $int64finish (i64.extend_i32_s (call $isStorageLocked (i32.const 0) (i32.const 3)))))"#,
            "f",
            &[],
        );
        assert_eq!(end(&output), (0, ""));
        assert_eq!(output.return_data, [&[1, 2][..], &[14], &[1], &[]]);
        let expected = [
            (Bytes::from("key"), Bytes::from(vec![1, 2])),
            (Bytes::from("keytimelock"), Bytes::new()),
        ];
        assert_eq!(updates(account(&output, "self")), expected);
    });
}
