//! Rows of the namespace `env` for calls, storage, blocks, transfers and hashes (docs/spec/eei.md#base-functions,
//! #hashes).

use super::rows::*;
use crate::messages::LogEntry;
use crate::vm::fixtures::*;
use bytes::Bytes;

const RESERVED: &str = "cannot write to storage under Kalyan3104 reserved key";
const ARGUMENT_INDEX: &str = "argument index out of range";

pub fn rows() -> Vec<Row> {
    let mut rows = about_calls();
    rows.extend(about_results());
    rows.extend(about_storage());
    rows.extend(about_locks());
    rows.extend(about_blocks());
    rows.extend(about_accounts());
    rows.extend(hashes());
    rows
}

fn about_calls() -> Vec<Row> {
    let argument = api("GetArgument");
    let number = api("Int64GetArgument");
    let mut value = [0; 32];
    value[30..].copy_from_slice(&[1, 2]);
    vec![
        good("env.getSCAddress", &[RESULT])
            .writes(address("self"))
            .costs(api("GetSCAddress")),
        fault("env.getSCAddress", &[-1], LOWER),
        good("env.getOwnerAddress", &[RESULT])
            .writes(address("owner"))
            .costs(api("GetOwnerAddress")),
        fault("env.getOwnerAddress", &[-1], LOWER),
        good("env.getCaller", &[RESULT])
            .writes(address("caller"))
            .costs(api("GetCaller")),
        fault("env.getCaller", &[0x7fff_ffff], UPPER),
        good("env.getCallValue", &[RESULT])
            .returns(32)
            .writes(value)
            .costs(api("GetCallValue")),
        fault("env.getCallValue", &[-1], LOWER),
        good("env.getFunction", &[RESULT])
            .returns(3)
            .writes("abc")
            .costs(api("GetFunction")),
        fault("env.getFunction", &[-1], LOWER),
        good("env.getNumArguments", &[])
            .returns(4)
            .costs(api("GetNumArguments")),
        good("env.getArgumentLength", &[0])
            .returns(2)
            .costs(argument),
        bad("env.getArgumentLength", &[4])
            .returns(-1)
            .costs(argument),
        bad("env.getArgumentLength", &[-1])
            .returns(-1)
            .costs(argument),
        good("env.getArgument", &[0, RESULT])
            .returns(2)
            .writes("ab")
            .costs(argument),
        // Without bytes to write the offset does not matter.
        good("env.getArgument", &[1, -1]).returns(0).costs(argument),
        bad("env.getArgument", &[4, RESULT])
            .returns(-1)
            .costs(argument),
        bad("env.getArgument", &[-1, -1])
            .returns(-1)
            .costs(argument),
        fault("env.getArgument", &[0, -1], LOWER),
        good("env.int64getArgument", &[0])
            .returns(0x6162)
            .costs(number),
        good("env.int64getArgument", &[1]).returns(0).costs(number),
        good("env.int64getArgument", &[2]).returns(-2).costs(number),
        fault("env.int64getArgument", &[3], "argument out of range"),
        fault("env.int64getArgument", &[4], ARGUMENT_INDEX),
        fault("env.int64getArgument", &[-1], ARGUMENT_INDEX),
    ]
}

fn about_results() -> Vec<Row> {
    let persist = base("PersistPerByte");
    let items = "(call $int64finish (i64.const 9)) (call $int64finish (i64.const 258))";
    let data: [&[u8]; 2] = [&[9], &[1, 2]];
    let topics = |output: &crate::messages::VmOutput| {
        let log = LogEntry {
            identifier: address("topic1"),
            address: address("self"),
            topics: vec![address("topic2")],
            data: "abc".into(),
            null_lists: 0,
        };
        assert_eq!(output.logs, [log]);
    };
    let signed = |name| good("env.int64finish", &[name]).costs(api("Int64Finish"));
    vec![
        good("env.finish", &[160, 3])
            .data(&[b"abc"])
            .costs(api("Finish") + 3 * persist),
        fault("env.finish", &[-1, 3], LOAD_BOUNDS),
        fault("env.finish", &[160, -3], LOAD_LENGTH),
        signed(0).data(&[b""]),
        signed(127).data(&[&[0x7f]]),
        signed(-129).data(&[&[0xff, 0x7f]]),
        good("env.signalError", &[160, 3]).stops(4, "abc"),
        fault("env.signalError", &[-1, 3], LOAD_BOUNDS),
        // Data, and 32 bytes for each topic.
        good("env.writeLog", &[160, 3, 256, 2])
            .costs(api("Log") + (2 * 32 + 3) * persist)
            .check(topics),
        fault("env.writeLog", &[-1, 3, 256, 2], LOAD_BOUNDS),
        fault("env.writeLog", &[160, 3, -1, 2], LOAD_BOUNDS),
        fault(
            "env.writeLog",
            &[160, 3, 256, -2],
            "GuardedMakeByteSlice2D: negative length (-2)",
        ),
        good("env.getNumReturnData", &[])
            .before(items)
            .data(&data)
            .returns(2)
            .costs(api("GetNumReturnData")),
        good("env.getReturnDataSize", &[1])
            .before(items)
            .data(&data)
            .returns(2)
            .costs(api("GetReturnDataSize")),
        bad("env.getReturnDataSize", &[2])
            .before(items)
            .data(&data)
            .returns(0)
            .costs(api("GetReturnDataSize")),
        panics(
            "env.getReturnDataSize",
            &[-1],
            "runtime error: index out of range [-1]",
        ),
        good("env.getReturnData", &[1, RESULT])
            .before(items)
            .data(&data)
            .returns(2)
            .writes([1, 2])
            .costs(api("GetReturnData")),
        bad("env.getReturnData", &[2, RESULT])
            .before(items)
            .data(&data)
            .returns(0)
            .costs(api("GetReturnData")),
        fault("env.getReturnData", &[0, -1], LOWER).before(items),
        panics(
            "env.getReturnData",
            &[-2, RESULT],
            "runtime error: index out of range [-2]",
        ),
    ]
}

/// What the run left in the storage under a key.
fn assert_update(output: &crate::messages::VmOutput, key: &'static str, value: &[u8]) {
    let expected = (Bytes::from(key), Bytes::copy_from_slice(value));
    assert_eq!(updates(account(output, "self")), [expected]);
}

fn about_storage() -> Vec<Row> {
    let (store, persist) = (base("StorePerByte"), base("PersistPerByte"));
    let copy = base("DataCopyPerByte");
    vec![
        // The key holds two bytes; five are written.
        good("env.storageStore", &[160, 3, 224, 5])
            .returns(1)
            .costs(api("StorageStore") + 2 * persist + 3 * store)
            .check(|output| assert_update(output, "abc", b"value")),
        fault("env.storageStore", &[-1, 3, 224, 5], LOAD_BOUNDS),
        fault("env.storageStore", &[160, 3, -1, 5], LOAD_BOUNDS),
        fault("env.storageStore", &[384, 12, 224, 5], RESERVED),
        good("env.storageLoadLength", &[160, 3])
            .returns(2)
            .costs(api("StorageLoad")),
        fault("env.storageLoadLength", &[-1, 3], LOAD_BOUNDS),
        good("env.storageLoad", &[160, 3, RESULT])
            .returns(2)
            .writes([1, 2])
            .costs(api("StorageLoad") + 2 * copy),
        // Nothing is stored under "ab".
        bad("env.storageLoad", &[160, 2, -1]).costs(api("StorageLoad")),
        fault("env.storageLoad", &[160, 3, -1], LOWER),
        fault("env.storageLoad", &[-1, 3, RESULT], LOAD_BOUNDS),
        // One byte instead of two; the sign is lost.
        good("env.int64storageStore", &[160, 3, -3])
            .returns(1)
            .costs(api("Int64StorageStore") + persist)
            .check(|output| {
                assert_update(output, "abc", &[3]);
                let released = Some(base("ReleasePerByte").into());
                assert_eq!(output.gas_refund, released);
            }),
        // 258 is there already.
        good("env.int64storageStore", &[160, 3, -258]).costs(api("Int64StorageStore") + 2 * copy),
        fault("env.int64storageStore", &[-1, 3, 5], LOAD_BOUNDS),
        fault("env.int64storageStore", &[384, 12, 5], RESERVED),
        good("env.int64storageLoad", &[160, 3])
            .returns(258)
            .costs(api("Int64StorageLoad")),
        // What is above 64 bits is not seen.
        good("env.int64storageLoad", &[192, 2])
            .returns(7)
            .costs(api("Int64StorageLoad")),
        fault("env.int64storageLoad", &[-1, 3], LOAD_BOUNDS),
    ]
}

fn about_locks() -> Vec<Row> {
    let (store, persist) = (base("StorePerByte"), base("PersistPerByte"));
    let is_locked = api("StorageLoad") + api("GetBlockTimeStamp");
    vec![
        good("env.getStorageLock", &[160, 3])
            .returns(14)
            .costs(api("StorageLoad")),
        fault("env.getStorageLock", &[-1, 3], LOAD_BOUNDS),
        good("env.setStorageLock", &[160, 3, -258])
            .returns(1)
            .costs(api("Int64StorageStore") + persist + store)
            .check(|output| assert_update(output, "abctimelock", &[1, 2])),
        fault("env.setStorageLock", &[-1, 3, 5], LOAD_BOUNDS),
        fault("env.setStorageLock", &[384, 12, 5], RESERVED),
        // It is 13 now, so 14 is locked and 13 is not.
        good("env.isStorageLocked", &[160, 3])
            .returns(1)
            .costs(is_locked),
        good("env.isStorageLocked", &[160, 3])
            .before("(drop (call $setStorageLock (i32.const 160) (i32.const 3) (i64.const 13)))")
            .returns(0)
            .costs(is_locked),
        // The lock of "k" is below zero: the clock is not read.
        bad("env.isStorageLocked", &[192, 1])
            .returns(-1)
            .costs(api("StorageLoad")),
        fault("env.isStorageLocked", &[-1, 3], LOAD_BOUNDS),
        good("env.clearStorageLock", &[160, 3])
            .returns(3)
            .costs(api("Int64StorageStore"))
            .check(|output| {
                assert_update(output, "abctimelock", b"");
                let released = Some(base("ReleasePerByte").into());
                assert_eq!(output.gas_refund, released);
            }),
        fault("env.clearStorageLock", &[-1, 3], LOAD_BOUNDS),
        fault("env.clearStorageLock", &[384, 12], RESERVED),
    ]
}

fn about_blocks() -> Vec<Row> {
    let number = |function, value, key| good(function, &[]).returns(value).costs(api(key));
    let bytes =
        |function, value: &str, key| good(function, &[RESULT]).writes(value).costs(api(key));
    vec![
        number("env.getBlockTimestamp", 13, "GetBlockTimeStamp"),
        number("env.getBlockNonce", 11, "GetBlockNonce"),
        number("env.getBlockRound", 12, "GetBlockRound"),
        number("env.getBlockEpoch", 14, "GetBlockEpoch"),
        number("env.getPrevBlockTimestamp", 3, "GetBlockTimeStamp"),
        number("env.getPrevBlockNonce", 1, "GetBlockNonce"),
        number("env.getPrevBlockRound", 2, "GetBlockRound"),
        number("env.getPrevBlockEpoch", 4, "GetBlockEpoch"),
        bytes("env.getBlockRandomSeed", "seed", "GetBlockRandomSeed"),
        fault("env.getBlockRandomSeed", &[-1], LOWER),
        bytes(
            "env.getPrevBlockRandomSeed",
            "last seed",
            "GetBlockRandomSeed",
        ),
        fault("env.getPrevBlockRandomSeed", &[-1], LOWER),
        bytes("env.getStateRootHash", "root", "GetStateRootHash"),
        fault("env.getStateRootHash", &[-1], LOWER),
        good("env.getBlockHash", &[7, RESULT])
            .writes([7; 32])
            .costs(api("GetBlockHash")),
        // No hash is no failure here, and hides a bad offset.
        good("env.getBlockHash", &[100, -1]).costs(api("GetBlockHash")),
        good("env.getBlockHash", &[-1, -1]).costs(api("GetBlockHash")),
        fault("env.getBlockHash", &[7, -1], LOWER),
    ]
}

fn about_accounts() -> Vec<Row> {
    let transfer = api("TransferValue") + 3 * base("PersistPerByte");
    vec![
        good("env.getShardOfAddress", &[0])
            .returns(0)
            .costs(api("GetShardOfAddress")),
        fault("env.getShardOfAddress", &[-1], LOAD_BOUNDS),
        good("env.isSmartContract", &[0])
            .returns(1)
            .costs(api("IsSmartContract")),
        good("env.isSmartContract", &[32]).costs(api("IsSmartContract")),
        fault("env.isSmartContract", &[-1], LOAD_BOUNDS),
        // 1000.
        good("env.getExternalBalance", &[32, RESULT])
            .writes([3, 0xe8])
            .costs(api("GetExternalBalance")),
        // No bytes for an address without an account.
        good("env.getExternalBalance", &[64, -1]).costs(api("GetExternalBalance")),
        fault("env.getExternalBalance", &[-1, RESULT], LOAD_BOUNDS),
        fault("env.getExternalBalance", &[32, -1], LOWER),
        good("env.transferValue", &[0, 128, 160, 3])
            .costs(transfer)
            .check(|output| {
                let callee = account(output, "callee");
                assert_eq!(callee.balance_delta, Some(5u64.into()));
                assert_eq!(callee.data, "abc");
                // The call brought 258.
                let delta = &account(output, "self").balance_delta;
                assert_eq!(*delta, Some(253u64.into()));
            }),
        // 2^256 - 1 is too much.
        bad("env.transferValue", &[0, 416, 160, 3])
            .returns(1)
            .costs(transfer)
            .check(|output| assert_eq!(account_names(output), ["self"])),
        fault("env.transferValue", &[-1, 128, 160, 3], LOAD_BOUNDS),
        fault("env.transferValue", &[0, -1, 160, 3], LOAD_BOUNDS),
        fault("env.transferValue", &[0, 128, -1, 3], LOAD_BOUNDS),
    ]
}

/// The digests of "abc", as everybody publishes them; both cost what SHA-256 costs.
fn hashes() -> Vec<Row> {
    let price = cost("CryptoAPICost", "SHA256");
    let sha256 = [
        0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22,
        0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00,
        0x15, 0xad,
    ];
    let keccak256 = [
        0x4e, 0x03, 0x65, 0x7a, 0xea, 0x45, 0xa9, 0x4f, 0xc7, 0xd4, 0x7b, 0xa8, 0x26, 0xc8, 0xd6,
        0x67, 0xc0, 0xd1, 0xe6, 0xe3, 0x3a, 0x64, 0xa0, 0x36, 0xec, 0x44, 0xf5, 0x8f, 0xa1, 0x2d,
        0x6c, 0x45,
    ];
    let mut rows = Vec::new();
    for (function, digest) in [("env.sha256", sha256), ("env.keccak256", keccak256)] {
        rows.push(
            good(function, &[160, 3, RESULT])
                .writes(digest)
                .costs(price),
        );
        rows.push(fault(function, &[-1, 3, RESULT], LOAD_BOUNDS));
        rows.push(fault(function, &[160, 3, -1], LOWER));
    }
    rows
}
