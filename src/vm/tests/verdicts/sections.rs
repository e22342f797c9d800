//! Verdicts on sections, names, imports, the start function, and sizes.

use super::*;

#[test]
fn sections_and_names() {
    let right = with(&[]);
    let custom = |name: &[u8], content: &[u8]| {
        let mut named = Vec::new();
        name.encode(&mut named);
        section(0, &[&named, content].concat())
    };
    judge("right", right.clone(), [OK; 2]);
    let behind = |more: &[u8]| [&right, more].concat();
    judge(
        "a custom section",
        behind(&custom(b"any", b"\xff")),
        [OK; 2],
    );
    judge(
        "names that make no sense",
        behind(&custom(b"name", b"\xff\xff\xff")),
        [OK; 2],
    );
    judge(
        "a custom section without a name",
        behind(&[0, 0]),
        [INVALID; 2],
    );
    judge(
        "its name not UTF-8",
        behind(&custom(b"\xff", b"")),
        [INVALID; 2],
    );
    judge(
        "an unknown section",
        behind(&section(13, &[0])),
        [INVALID; 2],
    );
    judge(
        "a section out of order",
        behind(&section(1, &[0])),
        [INVALID; 2],
    );
    judge("a section twice", behind(&section(10, &[0])), [INVALID; 2]);
    judge("a byte behind", behind(&[0x0b]), [INVALID; 2]);
    judge(
        "a byte missing",
        right[..right.len() - 1].to_vec(),
        [INVALID; 2],
    );
    judge("more in a section", with(&[(3, &[1, 0, 0])]), [INVALID; 2]);
    judge("less in a section", with(&[(3, &[2, 0])]), [INVALID; 2]);
    judge(
        "a function without code",
        with(&[(3, &[2, 0, 0])]),
        [INVALID; 2],
    );
    judge("code without a function", with(&[(3, &[0])]), [INVALID; 2]);
    judge(
        "code without an end",
        with(&[(10, &[1, 2, 0, 1])]),
        [INVALID; 2],
    );
    judge(
        "code behind its end",
        with(&[(10, &[1, 4, 0, 0x0b, 1, 0x0b])]),
        [INVALID; 2],
    );
    judge(
        "a type that is no function",
        with(&[(1, &[1, 0x7f, 0, 0])]),
        [INVALID; 2],
    );
    judge("an unknown type", with(&[(3, &[1, 1])]), [INVALID; 2]);
    judge(
        "an export twice",
        with(&[(7, b"\x02\x03run\x00\x00\x03run\x02\x00")]),
        [INVALID; 2],
    );
    judge(
        "a name not UTF-8",
        with(&[(7, b"\x01\x01\xff\x02\x00")]),
        [INVALID; 2],
    );
    let export = |name: &str| format!("(func (export \"{name}\")) (func (export \"run\"))");
    judge_texts(
        [INVALID, OK],
        &[
            &export("caf\u{e9}"),
            &export(""),
            &export("finish"),
            &export("upgradeContract"),
            &export(BUILTIN),
        ],
    );
    judge_texts(
        [INVALID, OK],
        &["(func (export \"f\") (param i32)) (func (export \"run\"))"],
    );
    judge_texts(
        [INVALID, OK],
        &["(func (export \"f\") (result i32) i32.const 1) (func (export \"run\"))"],
    );
    accepted(&[&export("init"), &export("a b")]);
    judge(
        "nothing but the beginning",
        b"\0asm\x01\0\0\0".to_vec(),
        [INVALID, NO_FUNCTION],
    );
    judge("not wasm", b"not wasm".to_vec(), [INVALID; 2]);
    judge("nothing", Vec::new(), [INVALID, NO_CONTRACT]);
}

#[test]
fn imports_and_start() {
    accepted(&[
        "(func $start) (start $start) (func (export \"run\"))",
        "(func $start (i32.store (i32.const 0) (i32.const 1))) (start $start)
            (func (export \"run\") (if (i32.eqz (i32.load (i32.const 0))) (then unreachable)))",
    ]);
    refused(&[
        "(func $start unreachable) (start $start) (func (export \"run\"))",
        "(func $start (param i32)) (start $start) (func (export \"run\"))",
    ]);
    let import = |import: &str| {
        let module =
            format!("(module {import} (memory (export \"memory\") 1) (func (export \"run\")))");
        wat::parse_str(module).expect("the test's text is right")
    };
    let gas = "(import \"env\" \"getGasLeft\" (func (result i64)))";
    judge("an import", import(gas), [OK; 2]);
    judge("an import twice", import(&gas.repeat(2)), [OK; 2]);
    for wrong in [
        "(import \"env\" \"getGasLeft\" (func (result i32)))",
        "(import \"env\" \"getgasleft\" (func (result i64)))",
        "(import \"other\" \"getGasLeft\" (func (result i64)))",
        "(import \"env\" \"getGasLeft\" (global i64))",
        "(import \"env\" \"getGasLeft\" (table 1 funcref))",
        "(import \"env\" \"table\" (table 1 funcref))",
    ] {
        judge(wrong, import(wrong), [INVALID; 2]);
    }
}

#[test]
fn limits() {
    let operators = |count: usize| with_operators(&vec![1; count]);
    judge("a body of 128 KiB", operators(128 * 1024), [OK; 2]);
    judge("a body of 1,000,000 bytes", operators(1_000_000), [OK; 2]);
    let table = |targets: u32| {
        let mut operators = vec![0x41, 0, 0x0e];
        targets.encode(&mut operators);
        operators.resize(operators.len() + targets as usize + 1, 0);
        with_operators(&operators)
    };
    judge("131,072 targets", table(131_072), [OK; 2]);
    judge("131,073 targets", table(131_073), [INVALID; 2]);
    let function = |declarations: &str, operators: &str| {
        format!(
            "(module (memory (export \"memory\") 1) (func $f {declarations} {operators})
            (func (export \"run\")))"
        )
    };
    let judge_function = |what: &str, text: String, codes: [i64; 2]| {
        judge(
            what,
            wat::parse_str(text).expect("the test's text is right"),
            codes,
        );
    };
    let of = |kind: &str, count: usize| format!("({kind} {})", "i64 ".repeat(count));
    judge_function(
        "1,000 parameters",
        function(&of("param", 1_000), ""),
        [OK; 2],
    );
    judge_function(
        "1,001 parameters",
        function(&of("param", 1_001), ""),
        [INVALID; 2],
    );
    judge_function("50,000 locals", function(&of("local", 50_000), ""), [OK; 2]);
    judge_function(
        "50,001 locals",
        function(&of("local", 50_001), ""),
        [INVALID; 2],
    );
    judge(
        "a long name",
        with(&[(
            7,
            &[
                &b"\x02\x06memory\x02\x00\xa0\x8d\x06"[..],
                &[b'x'; 100_000],
                &[0, 0],
            ]
            .concat(),
        )]),
        [INVALID, NO_FUNCTION],
    );
    judge(
        "too long a name",
        with(&[(
            7,
            &[
                &b"\x02\x06memory\x02\x00\xa1\x8d\x06"[..],
                &[b'x'; 100_001],
                &[0, 0],
            ]
            .concat(),
        )]),
        [INVALID; 2],
    );
}

/// Parameters are not counted with the locals, so that there may be more of both than our engines take.
#[test]
fn more_locals_than_engines_take() {
    let text = format!(
        "(module (memory (export \"memory\") 1)
            (func $f (param i64 i32) (result i64) (local i32) (local {}) (local i32)
                (local.set 50001 (local.get 1))
                (local.set 49999 (local.tee 3 (i64.extend_i32_u (local.get 50001))))
                (i64.add (local.get 0) (local.get 49999)))
            (func (export \"run\")
                (if (i64.ne (call $f (i64.const 5) (i32.const 7)) (i64.const 12)) (then unreachable))))",
        "i64 ".repeat(49_998)
    );
    let code = wat::parse_str(text).expect("the test's text is right");
    judge("50,000 locals and two parameters", code, [OK; 2]);
}
