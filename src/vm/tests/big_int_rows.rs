//! Rows of the big integers (docs/spec/eei.md#big-integer-handles, #big-integers).

use super::rows::*;

/// 1 is -129, 2 is 200, 4 is 13; 3 and 9 have never been used.
const NUMBERS: &str = "(call $bigIntSetInt64 (i32.const 1) (i64.const -129))
    (call $bigIntSetInt64 (i32.const 2) (i64.const 200))
    (call $bigIntSetInt64 (i32.const 4) (i64.const 13))";

/// Returns the result of the row.
const NINE: &str = "(call $bigIntFinishSigned (i32.const 9))";

fn big(key: &str) -> u64 {
    cost("BigIntAPICost", key)
}

pub fn rows() -> Vec<Row> {
    let mut rows = arithmetic();
    rows.extend(bits());
    rows.extend(conversions());
    rows.extend(from_outside());
    rows
}

/// An operation whose result is number 9, for the price of a subtraction (docs/spec/README.md#quirk-6).
fn operation(function: &'static str, arguments: &[i64], result: &[u8]) -> Row {
    good(function, arguments)
        .before(NUMBERS)
        .after(NINE)
        .data(&[result])
        .costs(big("BigIntSub"))
}

fn arithmetic() -> Vec<Row> {
    let no_divisor = |function| fault(function, &[9, 1, 3], "division by 0").before(NUMBERS);
    let compare = |left, right, result| {
        good("env.bigIntCmp", &[left, right])
            .before(NUMBERS)
            .returns(result)
            .costs(big("BigIntCmp"))
    };
    let sign = |operand, result| {
        good("env.bigIntSign", &[operand])
            .before(NUMBERS)
            .returns(result)
            .costs(big("BigIntSign"))
    };
    vec![
        operation("env.bigIntSetInt64", &[9, -5], &[0xfb]),
        // -129 + 200
        operation("env.bigIntAdd", &[9, 1, 2], &[71]),
        // -129 - 200 = -329 = 0xfeb7 - 0x10000
        operation("env.bigIntSub", &[9, 1, 2], &[0xfe, 0xb7]),
        // -129 * 200 = -25800 = 0x9b38 - 0x10000
        operation("env.bigIntMul", &[9, 1, 2], &[0x9b, 0x38]).costs(big("BigIntMul")),
        // -129 = -9 * 13 - 12 = -10 * 13 + 1
        operation("env.bigIntTDiv", &[9, 1, 4], &[0xf7]).costs(big("BigIntTDiv")),
        operation("env.bigIntTMod", &[9, 1, 4], &[0xf4]),
        operation("env.bigIntEDiv", &[9, 1, 4], &[0xf6]),
        operation("env.bigIntEMod", &[9, 1, 4], &[1]),
        no_divisor("env.bigIntTDiv"),
        no_divisor("env.bigIntTMod"),
        no_divisor("env.bigIntEDiv"),
        no_divisor("env.bigIntEMod"),
        // 129 needs a second byte for its sign.
        operation("env.bigIntAbs", &[9, 1], &[0, 0x81]),
        // -200 = 0xff38 - 0x10000
        operation("env.bigIntNeg", &[9, 2], &[0xff, 0x38]),
        // An operand may be the result.
        operation("env.bigIntSub", &[2, 2, 2], b"")
            .after("(call $bigIntFinishSigned (i32.const 2))"),
        sign(1, -1),
        sign(3, 0),
        sign(2, 1),
        compare(1, 2, -1),
        compare(2, 2, 0),
        compare(2, 1, 1),
    ]
}

fn bits() -> Vec<Row> {
    let bitwise = "bitwise operations only allowed on positive integers";
    let shift =
        "bitwise shift operations only allowed on positive integers and by a positive amount";
    let negative =
        |function, arguments: &[i64]| fault(function, arguments, bitwise).before(NUMBERS);
    let no_shift = |function, arguments: &[i64]| fault(function, arguments, shift).before(NUMBERS);
    vec![
        // -200 - 1 = 0xff37 - 0x10000
        operation("env.bigIntNot", &[9, 2], &[0xff, 0x37]),
        negative("env.bigIntNot", &[9, 1]),
        // 200 = 0b1100_1000, 13 = 0b0000_1101
        operation("env.bigIntAnd", &[9, 2, 4], &[0b0000_1000]),
        operation("env.bigIntOr", &[9, 2, 4], &[0, 0b1100_1101]),
        operation("env.bigIntXor", &[9, 2, 4], &[0, 0b1100_0101]),
        negative("env.bigIntAnd", &[9, 1, 2]),
        negative("env.bigIntOr", &[9, 2, 1]),
        negative("env.bigIntXor", &[9, 1, 1]),
        // 200 / 8, 200 * 16
        operation("env.bigIntShr", &[9, 2, 3], &[25]),
        operation("env.bigIntShl", &[9, 2, 4], &[0x0c, 0x80]),
        no_shift("env.bigIntShr", &[9, 1, 3]),
        no_shift("env.bigIntShr", &[9, 2, -1]),
        no_shift("env.bigIntShl", &[9, 1, 3]),
        no_shift("env.bigIntShl", &[9, 2, -1]),
    ]
}

fn conversions() -> Vec<Row> {
    let (copy, persist) = (base("DataCopyPerByte"), base("PersistPerByte"));
    let get = |function, key, result| {
        let row = good(function, &[1]).before(NUMBERS);
        row.returns(result).costs(big(key))
    };
    // 5 * 2^62.
    let large = "(call $bigIntSetInt64 (i32.const 1) (i64.const 5))
        (call $bigIntShl (i32.const 1) (i32.const 1) (i32.const 62))";
    vec![
        good("env.bigIntNew", &[-5])
            .after("(call $bigIntFinishSigned (i32.const 0))")
            .data(&[&[0xfb]])
            .costs(big("BigIntNew")),
        // Three numbers, so 3 is the first to be tried.
        good("env.bigIntNew", &[5])
            .before(NUMBERS)
            .returns(3)
            .costs(big("BigIntNew")),
        // One number, but 1 is taken.
        good("env.bigIntNew", &[5])
            .before("(call $bigIntSetInt64 (i32.const 1) (i64.const 5))")
            .returns(2)
            .costs(big("BigIntNew")),
        // -129 is 0x81 without its sign, and 0xff7f with it.
        get(
            "env.bigIntUnsignedByteLength",
            "BigIntUnsignedByteLength",
            1,
        ),
        get("env.bigIntSignedByteLength", "BigIntSignedByteLength", 2),
        get("env.bigIntIsInt64", "BigIntIsInt64", 1),
        get("env.bigIntGetInt64", "BigIntGetInt64", -129),
        // 5 * 2^62 has 65 bits; the lower 64 are 2^62.
        get("env.bigIntIsInt64", "BigIntIsInt64", 0).before(large),
        get("env.bigIntGetInt64", "BigIntGetInt64", 1 << 62).before(large),
        good("env.bigIntGetUnsignedBytes", &[1, RESULT])
            .before(NUMBERS)
            .returns(1)
            .writes([0x81])
            .costs(big("BigIntGetUnsignedBytes") + copy),
        fault("env.bigIntGetUnsignedBytes", &[1, -1], LOWER).before(NUMBERS),
        good("env.bigIntGetSignedBytes", &[1, RESULT])
            .before(NUMBERS)
            .returns(2)
            .writes([0xff, 0x7f])
            .costs(big("BigIntGetSignedBytes") + 2 * copy),
        fault("env.bigIntGetSignedBytes", &[1, -1], LOWER).before(NUMBERS),
        // Nothing is written for zero, wherever.
        good("env.bigIntGetSignedBytes", &[3, -1]).costs(big("BigIntGetSignedBytes")),
        // Two bytes of ones.
        good("env.bigIntSetUnsignedBytes", &[9, 416, 2])
            .after(NINE)
            .data(&[&[0, 0xff, 0xff]])
            .costs(big("BigIntSetUnsignedBytes") + 2 * copy),
        fault("env.bigIntSetUnsignedBytes", &[9, -1, 2], LOAD_BOUNDS),
        good("env.bigIntSetSignedBytes", &[9, 416, 2])
            .after(NINE)
            .data(&[&[0xff]])
            .costs(big("BigIntSetSignedBytes") + 2 * copy),
        fault("env.bigIntSetSignedBytes", &[9, 416, -2], LOAD_LENGTH),
        good("env.bigIntFinishUnsigned", &[1])
            .before(NUMBERS)
            .data(&[&[0x81]])
            .costs(big("BigIntFinishUnsigned") + persist),
        good("env.bigIntFinishSigned", &[1])
            .before(NUMBERS)
            .data(&[&[0xff, 0x7f]])
            .costs(big("BigIntFinishSigned") + 2 * persist),
        good("env.bigIntFinishSigned", &[3])
            .data(&[b""])
            .costs(big("BigIntFinishSigned")),
    ]
}

fn from_outside() -> Vec<Row> {
    let (copy, persist) = (base("DataCopyPerByte"), base("PersistPerByte"));
    let argument = |function, id, result: &[u8], key| {
        let row = good(function, &[id, 9]).after(NINE);
        row.data(&[result]).costs(big(key))
    };
    let no_argument = |function, key| {
        let row =
            bad(function, &[4, 9]).before("(call $bigIntSetInt64 (i32.const 9) (i64.const 6))");
        row.after(NINE).data(&[&[6]]).costs(big(key))
    };
    let (unsigned, signed) = (
        "env.bigIntGetUnsignedArgument",
        "env.bigIntGetSignedArgument",
    );
    vec![
        // Two bytes are there; 129 takes one.
        good("env.bigIntStorageStoreUnsigned", &[160, 3, 1])
            .before(NUMBERS)
            .returns(1)
            .costs(big("BigIntStorageStoreUnsigned") + persist),
        fault("env.bigIntStorageStoreUnsigned", &[-1, 3, 1], LOAD_BOUNDS),
        fault(
            "env.bigIntStorageStoreUnsigned",
            &[384, 12, 1],
            "cannot write to storage under Kalyan3104 reserved key",
        ),
        good("env.bigIntStorageLoadUnsigned", &[160, 3, 9])
            .returns(2)
            .after(NINE)
            .data(&[&[1, 2]])
            .costs(big("BigIntStorageLoadUnsigned") + 2 * copy),
        fault("env.bigIntStorageLoadUnsigned", &[-1, 3, 9], LOAD_BOUNDS),
        argument(unsigned, 2, &[0, 0xff, 0xfe], "BigIntGetUnsignedArgument"),
        no_argument(unsigned, "BigIntGetUnsignedArgument"),
        panics(unsigned, &[-1, 9], "runtime error: index out of range [-1]"),
        argument(signed, 2, &[0xfe], "BigIntGetSignedArgument"),
        no_argument(signed, "BigIntGetSignedArgument"),
        panics(signed, &[-7, 9], "runtime error: index out of range [-7]"),
        good("env.bigIntGetCallValue", &[9])
            .after(NINE)
            .data(&[&[1, 2]])
            .costs(big("BigIntGetCallValue")),
        good("env.bigIntGetExternalBalance", &[32, 9])
            .after(NINE)
            .data(&[&[3, 0xe8]])
            .costs(big("BigIntGetExternalBalance")),
        fault("env.bigIntGetExternalBalance", &[-1, 9], LOAD_BOUNDS),
    ]
}
