//! Rows of the namespace `ethereum` (docs/spec/eei.md#predefined-contracts, #calldata, #ethereum).

use super::execution_rows::TRAP;
use super::rows::*;
use crate::messages::{LogEntry, VmOutput};
use crate::vm::fixtures::*;
use bytes::Bytes;

const RESERVED: &str = "cannot write to storage under Kalyan3104 reserved key";
const SLICE_BOUNDS: &str = "GuardedGetBytesSlice: bad bounds";
const SLICE_LENGTH: &str = "GuardedGetBytesSlice: negative length";

/// Reads the code of [`idle_child`] from the storage.
const READ_CHILD: &str =
    "(drop (call $storageLoad (i32.const 480) (i32.const 8) (i32.const 2000)))";

pub fn rows() -> Vec<Row> {
    let mut rows = about_calls();
    rows.extend(calldata());
    rows.extend(about_storage());
    rows.extend(about_code());
    rows.extend(about_blocks());
    rows.extend(about_logs());
    rows.extend(about_results());
    rows.extend(executions());
    rows.extend(about_gas());
    rows
}

/// Its init does nothing.
pub fn idle_child() -> Bytes {
    contract(r#"(func (export "init") nop)"#)
}

fn about_calls() -> Vec<Row> {
    // 258 in 16 bytes, the last digit first; 772 in 16 bytes, the last digit last.
    let mut value = [0; 16];
    value[..2].copy_from_slice(&[2, 1]);
    let mut price = [0; 16];
    price[14..].copy_from_slice(&[3, 4]);
    let caller = address("caller").slice(12..32);
    vec![
        good("ethereum.getAddress", &[RESULT])
            .writes(address("self"))
            .costs(eth("GetAddress")),
        fault("ethereum.getAddress", &[-1], LOWER),
        good("ethereum.getCaller", &[RESULT])
            .writes(&caller)
            .costs(eth("GetCaller")),
        fault("ethereum.getCaller", &[-1], LOWER),
        good("ethereum.getTxOrigin", &[RESULT])
            .writes(&caller)
            .costs(eth("GetTxOrigin")),
        fault("ethereum.getTxOrigin", &[-1], LOWER),
        good("ethereum.getCallValue", &[RESULT])
            .writes(value)
            .costs(eth("GetCallValue")),
        fault("ethereum.getCallValue", &[-1], LOWER),
        good("ethereum.getTxGasPrice", &[RESULT])
            .writes(price)
            .costs(eth("GetTxGasPrice")),
        fault("ethereum.getTxGasPrice", &[-1], LOWER),
        // 1000.
        good("ethereum.getExternalBalance", &[32, RESULT])
            .writes([3, 0xe8])
            .costs(eth("GetExternalBalance")),
        good("ethereum.getExternalBalance", &[64, -1]).costs(eth("GetExternalBalance")),
        fault("ethereum.getExternalBalance", &[-1, RESULT], LOAD_BOUNDS),
        fault("ethereum.getExternalBalance", &[32, -1], LOWER),
        good("ethereum.selfDestruct", &[32])
            .costs(eth("SelfDestruct"))
            .check(|output| {
                assert_eq!(account_names(output), ["self"]);
                assert_eq!(output.deleted_accounts, Vec::<Bytes>::new());
            }),
        fault("ethereum.selfDestruct", &[-1], LOAD_BOUNDS),
    ]
}

/// Four bytes of the Keccak-256 of "abc", then four arguments in 32 bytes each: 132.
fn calldata() -> Vec<Row> {
    let (function, copy) = ("ethereum.callDataCopy", base("DataCopyPerByte"));
    let price = |bytes: u64| eth("CallDataCopy") + bytes * copy;
    let mut argument = [0; 32];
    argument[30..].copy_from_slice(b"ab");
    vec![
        good("ethereum.getCallDataSize", &[])
            .returns(132)
            .costs(eth("GetCallDataSize")),
        good(function, &[RESULT, 0, 4])
            .writes([0x4e, 0x03, 0x65, 0x7a])
            .costs(price(4)),
        good(function, &[RESULT, 4, 32])
            .writes(argument)
            .costs(price(32)),
        // The third argument is -2; the fourth has nine bytes.
        good(function, &[RESULT, 98, 2])
            .writes([0xff, 0xfe])
            .costs(price(2)),
        good(function, &[RESULT, 123, 9])
            .writes(ARGUMENTS[3])
            .costs(price(9)),
        // The end is inside.
        good(function, &[-1, 132, 0]).costs(price(0)),
        fault(function, &[RESULT, 133, 0], SLICE_BOUNDS),
        fault(function, &[RESULT, 131, 2], SLICE_BOUNDS),
        fault(function, &[RESULT, -1, 2], SLICE_BOUNDS),
        fault(function, &[RESULT, 0, -1], SLICE_BOUNDS),
        fault(function, &[RESULT, 132, -1], SLICE_LENGTH),
        fault(function, &[-1, 0, 4], LOWER),
    ]
}

fn about_storage() -> Vec<Row> {
    let store = eth("StorageStore") + 32 * base("StorePerByte");
    let mut loaded = [0; 32];
    loaded[27..].copy_from_slice(b"value");
    fn assert_update(output: &VmOutput, key: Bytes, value: Bytes) {
        assert_eq!(updates(account(output, "self")), [(key, value)]);
    }
    vec![
        // A new key.
        good("ethereum.storageStore", &[256, 224])
            .costs(store)
            .check(|output| assert_update(output, address("topic1"), address("value"))),
        // Zeros are a value like any other.
        good("ethereum.storageStore", &[256, 448])
            .costs(store)
            .check(|output| assert_update(output, address("topic1"), vec![0; 32].into())),
        // Instead of five bytes.
        good("ethereum.storageStore", &[192, 224])
            .costs(eth("StorageStore") + 5 * base("PersistPerByte") + 27 * base("StorePerByte"))
            .check(|output| assert_update(output, address("key"), address("value"))),
        fault("ethereum.storageStore", &[-1, 224], LOAD_BOUNDS),
        fault("ethereum.storageStore", &[192, -1], LOAD_BOUNDS),
        fault("ethereum.storageStore", &[384, 224], RESERVED),
        good("ethereum.storageLoad", &[192, RESULT])
            .writes(loaded)
            .costs(eth("StorageLoad") + 5 * base("DataCopyPerByte")),
        good("ethereum.storageLoad", &[256, RESULT])
            .writes([0; 32])
            .costs(eth("StorageLoad")),
        fault("ethereum.storageLoad", &[-1, RESULT], LOAD_BOUNDS),
        fault("ethereum.storageLoad", &[192, -1], LOWER),
    ]
}

fn about_code() -> Vec<Row> {
    let (own, other) = ("ethereum.codeCopy", "ethereum.externalCodeCopy");
    let copy = 4 * base("DataCopyPerByte");
    let size = eth("GetExternalCodeSize");
    let own_size = good("ethereum.getCodeSize", &[]).costs(eth("GetCodeSize"));
    let own_length = own_size.contract().len() as i64;
    let length = callee().len() as i64;
    // Code begins with a zero byte and "asm", then version 1.
    vec![
        own_size.returns(own_length),
        good(own, &[RESULT, 0, 4])
            .writes("\0asm")
            .costs(eth("CodeCopy") + copy),
        good(own, &[RESULT, 4, 4])
            .writes([1, 0, 0, 0])
            .costs(eth("CodeCopy") + copy),
        fault(own, &[RESULT, -1, 4], SLICE_BOUNDS),
        fault(own, &[RESULT, 0, 0x7fff_ffff], SLICE_BOUNDS),
        fault(own, &[RESULT, 4, -4], SLICE_LENGTH),
        fault(own, &[-1, 0, 4], LOWER),
        good("ethereum.getExternalCodeSize", &[0])
            .returns(length)
            .costs(size),
        // An account without code, and no account.
        good("ethereum.getExternalCodeSize", &[32]).costs(size),
        bad("ethereum.getExternalCodeSize", &[64]).costs(size),
        bad("ethereum.getExternalCodeSize", &[-1]).costs(size),
        // The node refuses.
        bad("ethereum.getExternalCodeSize", &[576]).costs(size),
        good(other, &[0, RESULT, 0, 4])
            .writes("\0asm")
            .costs(eth("ExternalCodeCopy") + copy),
        good(other, &[0, -1, length, 0]).costs(eth("ExternalCodeCopy")),
        fault(other, &[0, RESULT, length + 1, 0], SLICE_BOUNDS),
        fault(other, &[0, RESULT, length, -1], SLICE_LENGTH),
        fault(other, &[-1, RESULT, 0, 4], LOAD_BOUNDS),
        fault(other, &[0, -1, 0, 4], LOWER),
        fault(
            other,
            &[32, RESULT, 0, 4],
            "invalid contract code (not found)",
        ),
        fault(other, &[64, RESULT, 0, 4], "account does not exist"),
        fault(other, &[576, RESULT, 0, 4], "the node does not say"),
    ]
}

fn about_blocks() -> Vec<Row> {
    let hash = eth("GetBlockHash");
    let number = |function, value, key| good(function, &[]).returns(value).costs(eth(key));
    vec![
        good("ethereum.getBlockHash", &[7, RESULT])
            .returns(1)
            .writes([7; 32])
            .costs(hash),
        bad("ethereum.getBlockHash", &[100, -1]).costs(hash),
        bad("ethereum.getBlockHash", &[-1, RESULT]).costs(hash),
        // A bad offset is no fault here.
        bad("ethereum.getBlockHash", &[7, -1]).costs(hash),
        // The coinbase is the random seed, and so is the difficulty, for the same price (docs/spec/README.md#quirk-6,
        // #quirk-12).
        good("ethereum.getBlockCoinbase", &[RESULT])
            .writes("seed")
            .costs(eth("GetBlockCoinbase")),
        fault("ethereum.getBlockCoinbase", &[-1], LOWER),
        good("ethereum.getBlockDifficulty", &[RESULT])
            .writes("seed")
            .costs(eth("GetBlockCoinbase")),
        fault("ethereum.getBlockDifficulty", &[-1], LOWER),
        number("ethereum.getBlockGasLimit", 10_000_000, "GetBlockGasLimit"),
        number("ethereum.getBlockNumber", 11, "GetBlockNumber"),
        number("ethereum.getBlockTimestamp", 13, "GetBlockTimeStamp"),
    ]
}

fn about_logs() -> Vec<Row> {
    let log = "ethereum.log";
    // Always the price of four topics.
    let price = eth("Log") + (4 * 32 + 3) * base("PersistPerByte");
    fn assert_log(output: &VmOutput, identifier: Bytes, topics: &[&str]) {
        let log = LogEntry {
            identifier: identifier.clone(),
            address: address("self"),
            topics: topics.iter().map(|name| address(name)).collect(),
            data: "abc".into(),
            null_lists: match identifier.is_empty() {
                true => LogEntry::ALL_LISTS,
                false => 0,
            },
        };
        assert_eq!(output.logs, [log]);
    }
    vec![
        good(log, &[160, 3, 4, 256, 288, 320, 352])
            .costs(price)
            .check(|output| {
                assert_log(output, address("topic1"), &["topic2", "topic3", "topic4"]);
            }),
        // Offsets of further topics do not matter.
        good(log, &[160, 3, 1, 288, -1, -1, -1])
            .costs(price)
            .check(|output| assert_log(output, address("topic2"), &[])),
        good(log, &[160, 3, 0, -1, -1, -1, -1])
            .costs(price)
            .check(|output| assert_log(output, Bytes::new(), &[])),
        fault(log, &[-1, 3, 0, 0, 0, 0, 0], LOAD_BOUNDS),
        fault(
            log,
            &[160, 3, -3, 0, 0, 0, 0],
            "GuardedMakeByteSlice2D: negative length (-3)",
        ),
        // The data comes before the number of topics.
        fault(log, &[160, -3, -3, 0, 0, 0, 0], LOAD_LENGTH),
        fault(log, &[160, 3, 2, 256, -1, 0, 0], LOAD_BOUNDS),
        fault(log, &[160, 3, 5, 256, 256, 256, -1], LOAD_BOUNDS),
        panics(
            log,
            &[160, 3, 5, 256, 256, 256, 256],
            "runtime error: index out of range [4] with length 4",
        ),
    ]
}

fn about_results() -> Vec<Row> {
    let items =
        "(call $finish (i32.const 160) (i32.const 2)) (call $finish (i32.const 162) (i32.const 1))";
    let data: [&[u8]; 2] = [b"ab", b"c"];
    let (finish, revert) = ("ethereum.finish", "ethereum.revert");
    let copy = "ethereum.returnDataCopy";
    let too_short = "invalid API call";
    vec![
        // In the place of what was there; and the contract goes on.
        good(finish, &[224, 5])
            .before(items)
            .data(&[b"value"])
            .costs(eth("Finish") + 5 * base("PersistPerByte")),
        fault(finish, &[-1, 5], LOAD_BOUNDS),
        fault(finish, &[224, -1], LOAD_LENGTH),
        // The message is not what the contract gives.
        good(revert, &[224, 5]).before(items).stops(4, "revert"),
        fault(revert, &[-1, 5], LOAD_BOUNDS),
        fault(revert, &[224, -1], LOAD_LENGTH),
        good("ethereum.getReturnDataSize", &[])
            .before(items)
            .data(&data)
            .returns(3)
            .costs(eth("GetReturnDataSize")),
        // All items in one; the bytes are free.
        good(copy, &[RESULT, 1, 2])
            .before(items)
            .data(&data)
            .writes("bc")
            .costs(eth("ReturnDataCopy")),
        good(copy, &[-1, 3, 0])
            .before(items)
            .data(&data)
            .costs(eth("ReturnDataCopy")),
        fault(copy, &[RESULT, 2, 2], too_short).before(items),
        fault(copy, &[RESULT, 4, 0], too_short).before(items),
        // Short enough, but not a part.
        fault(copy, &[RESULT, -1, 2], SLICE_BOUNDS).before(items),
        fault(copy, &[RESULT, 3, -1], SLICE_LENGTH).before(items),
        // The sum wraps to below zero.
        fault(copy, &[RESULT, 0x7fff_ffff, 1], SLICE_BOUNDS).before(items),
        fault(copy, &[-1, 0, 3], LOWER).before(items),
    ]
}

fn executions() -> Vec<Row> {
    let bytes = 3 * base("DataCopyPerByte");
    let mut rows = Vec::new();
    // Those with a value: 5 in little-endian for `call`; 0 for `callCode`, where each byte order is another number.
    for (function, key, value) in [
        ("ethereum.call", "Call", 96),
        ("ethereum.callCode", "CallCode", 448),
    ] {
        let price = eth(key) + bytes;
        rows.extend([
            good(function, &[50_000, 0, value, 160, 3]).costs(price + callee_gas()),
            good(function, &[-1, 0, value, 160, 3]).costs(price + callee_gas()),
            // No code, and too little gas for the code.
            bad(function, &[50_000, 64, value, 160, 3])
                .returns(1)
                .costs(price + 50_000),
            bad(function, &[100, 0, value, 160, 3])
                .returns(1)
                .costs(price + 100),
            // Too little money.
            bad(function, &[50_000, 0, 416, 160, 3])
                .returns(1)
                .costs(price)
                .check(|output| assert_eq!(account_names(output), ["self"])),
            bad(function, &[50_000, -1, value, 160, 3])
                .returns(1)
                .costs(price),
            bad(function, &[50_000, 0, -1, 160, 3])
                .returns(1)
                .costs(price),
            // The data comes first, so its bytes are not charged.
            bad(function, &[50_000, 0, value, -1, 3])
                .returns(1)
                .costs(eth(key)),
            bad(function, &[50_000, 0, value, 160, -3])
                .returns(1)
                .costs(eth(key)),
        ]);
    }
    let delegate = "ethereum.callDelegate";
    let price = eth("CallDelegate") + bytes;
    rows.extend([
        good(delegate, &[50_000, 0, 160, 3]).costs(price + callee_gas()),
        bad(delegate, &[50_000, 64, 160, 3])
            .returns(1)
            .costs(price + 50_000),
        bad(delegate, &[50_000, -1, 160, 3]).returns(1).costs(price),
        bad(delegate, &[50_000, 0, -1, 3])
            .returns(1)
            .costs(eth("CallDelegate")),
    ]);
    let call_static = "ethereum.callStatic";
    let price = eth("CallStatic") + bytes;
    rows.extend([
        // The identity at 4 is next to SHA-256 at 2; here only the price matters.
        good(call_static, &[50_000, 540, 160, 3])
            .data(&[&SHA256_OF_ABC])
            .before("(call $finish (i32.const 0) (i32.const 9))")
            .costs(price),
        bad(call_static, &[50_000, 0, 160, 3])
            .returns(1)
            .costs(price + 50_000),
        bad(call_static, &[50_000, -1, 160, 3])
            .returns(1)
            .costs(price),
        bad(call_static, &[50_000, 540, -1, 3])
            .returns(1)
            .costs(eth("CallStatic")),
    ]);
    rows.extend(deploys());
    rows
}

/// As everybody publishes it.
pub const SHA256_OF_ABC: [u8; 32] = [
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
];

fn deploys() -> Vec<Row> {
    let create = "ethereum.create";
    let length = idle_child().len() as i64;
    // Compiled, then a nop and an end.
    let price = eth("Create") + base("CompilePerByte") * idle_child().len() as u64 + 2;
    fn assert_deployed(output: &VmOutput) {
        let new = account(output, "new0");
        assert_eq!(
            (&new.code, &new.code_metadata[..]),
            (&idle_child(), &b""[..])
        );
        assert_eq!(new.balance_delta, Some(5u64.into()));
        let creator = account(output, "self");
        assert_eq!(creator.balance_delta, Some(253u64.into()));
        assert_eq!(creator.nonce, 1);
    }
    vec![
        // The value is big-endian here.
        good(create, &[128, 2000, length, RESULT])
            .before(READ_CHILD)
            .writes(address("new0"))
            .costs(price)
            .check(assert_deployed),
        // The address can't be written, but the contract is there.
        bad(create, &[128, 2000, length, -1])
            .before(READ_CHILD)
            .returns(1)
            .costs(price)
            .check(assert_deployed),
        bad(create, &[-1, 2000, length, RESULT])
            .returns(1)
            .costs(eth("Create")),
        bad(create, &[128, -1, length, RESULT])
            .returns(1)
            .costs(eth("Create")),
        // A deploy that fails takes all gas, so the contract ends at the next call: without code, without money.
        bad(create, &[128, 2000, 0, RESULT]).stops(10, TRAP),
        bad(create, &[96, 2000, length, RESULT])
            .before(READ_CHILD)
            .stops(10, TRAP),
    ]
}

fn about_gas() -> Vec<Row> {
    let left = good("ethereum.getGasLeft", &[]);
    let code = base("CompilePerByte") * left.contract().len() as u64;
    // The row asks `env` before; the two calls are operators, and so is what stores the first answer.
    let amount = GAS - code - api("GetGasLeft") - eth("GetGasLeft") - 3;
    vec![
        left.returns(amount as i64).costs(eth("GetGasLeft")),
        good("ethereum.useGas", &[1000]).costs(eth("UseGas") + 1000),
        // Less than nothing gives gas back.
        good("ethereum.useGas", &[-50]).costs(eth("UseGas") - 50),
    ]
}
