//! The rules of memory at their edges, as contracts see them (docs/spec/eei.md#memory, #slices, #arguments). A page has
//! 65536 bytes.

use super::rows::{LOAD_BOUNDS, LOAD_LENGTH, LOWER, UPPER};
use crate::messages::VmOutput;
use crate::vm::fixtures::*;
use bytes::Bytes;

/// Adds a function that returns the pages of the memory.
const PAGES: &str = "(call $int64finish (i64.extend_i32_u (memory.size)))";

/// Runs a function of a contract with this much memory.
fn run(bench: &mut Bench, pages: &str, body: &str, arguments: &[&[u8]]) -> VmOutput {
    let functions = format!(r#"(func (export "f") {body})"#);
    let code = contract_with_memory(pages, &functions);
    bench.world().put_contract("self", code);
    bench.call("self", "f", arguments)
}

/// What a read gives: bytes, or the text of the fault.
type Read = Result<&'static [u8], &'static str>;

#[test]
fn reads_at_the_end_of_the_memory() {
    // Offset, length, and what that gives.
    let rows: [(i32, i32, Read); 17] = [
        (65534, 2, Ok(b"yz")),
        // What lies behind is zero.
        (65535, 3, Ok(b"z\0\0")),
        (65536, 2, Ok(b"\0\0")),
        (65537, 2, Err(LOAD_BOUNDS)),
        (i32::MAX, 1, Err(LOAD_BOUNDS)),
        (-1, 1, Err(LOAD_BOUNDS)),
        (i32::MIN, 1, Err(LOAD_BOUNDS)),
        (0, -1, Err(LOAD_LENGTH)),
        (65536, -1, Err(LOAD_LENGTH)),
        (0, i32::MIN, Err(LOAD_LENGTH)),
        // The offset comes first.
        (65537, -1, Err(LOAD_BOUNDS)),
        (-1, -1, Err(LOAD_BOUNDS)),
        // Nothing can be read anywhere.
        (0, 0, Ok(b"")),
        (65537, 0, Ok(b"")),
        (i32::MAX, 0, Ok(b"")),
        (-1, 0, Ok(b"")),
        (i32::MIN, 0, Ok(b"")),
    ];
    on_each_engine(|bench| {
        for (offset, length, expected) in rows {
            let body = format!(
                "(i32.store16 (i32.const 65534) (i32.const 0x7a79))
                (call $finish (i32.const {offset}) (i32.const {length})) {PAGES}"
            );
            let output = run(bench, "1", &body, &[]);
            match expected {
                // Reading never grows the memory.
                Ok(bytes) => assert_eq!(output.return_data, [bytes, &[1]], "{offset} {length}"),
                Err(text) => assert_eq!(end(&output), (10, text), "{offset} {length}"),
            }
        }
    });
}

#[test]
fn what_a_contract_grows_can_be_read() {
    on_each_engine(|bench| {
        let body = "(drop (memory.grow (i32.const 2)))
            (i32.store8 (i32.const 196607) (i32.const 122))
            (call $finish (i32.const 196607) (i32.const 2))
            (call $finish (i32.const 196608) (i32.const 1))";
        let output = run(bench, "1", body, &[]);
        assert_eq!(output.return_data, ["z\0", "\0"]);
        let output = run(bench, "1", &body.replace("196608", "196609"), &[]);
        assert_eq!(end(&output), (10, LOAD_BOUNDS));
        // No memory at all is a memory that ends where it begins.
        let output = run(
            bench,
            "0",
            "(call $finish (i32.const 0) (i32.const 1))",
            &[],
        );
        assert_eq!(output.return_data, ["\0"]);
    });
}

#[test]
fn writes_at_the_end_of_the_memory() {
    // Offset, what is written; the pages afterwards, or the text of the fault.
    let rows: [(i32, &[u8], Result<u8, &str>); 15] = [
        (65534, b"ab", Ok(1)),
        (65535, b"ab", Ok(2)),
        (65536, b"a", Ok(2)),
        (131_070, b"ab", Ok(2)),
        (131_071, b"ab", Err(UPPER)),
        (131_072, b"a", Err(UPPER)),
        (i32::MAX, b"a", Err(UPPER)),
        (0, &[b'a'; 131_072], Ok(2)),
        (0, &[b'a'; 131_073], Err(UPPER)),
        (-1, b"a", Err(LOWER)),
        (-1, b"ab", Err(LOWER)),
        (i32::MIN, b"a", Err(LOWER)),
        // Nothing can be written anywhere.
        (-1, b"", Ok(1)),
        (65537, b"", Ok(1)),
        (i32::MAX, b"", Ok(1)),
    ];
    on_each_engine(|bench| {
        for (offset, bytes, expected) in rows {
            let body = format!(
                "(call $finish (i32.const {offset})
                    (call $getArgument (i32.const 0) (i32.const {offset}))) {PAGES}"
            );
            let output = run(bench, "1", &body, &[bytes]);
            match expected {
                Ok(pages) => assert_eq!(output.return_data, [bytes, &[pages]], "{offset}"),
                Err(text) => assert_eq!(end(&output), (10, text), "{offset}"),
            }
        }
    });
}

#[test]
fn a_page_that_the_host_adds_is_the_contracts_own_and_free() {
    on_each_engine(|bench| {
        let body = |offset| {
            format!(
                "(drop (call $getArgument (i32.const 0) (i32.const {offset})))
                (i32.store8 (i32.const 65530) (i32.const 122)) {PAGES}"
            )
        };
        let within = run(bench, "1", &body(65532), &[b"abcd"]);
        let grown = run(bench, "1", &body(65533), &[b"abcd"]);
        assert_eq!(within.return_data, [vec![1]]);
        assert_eq!(grown.return_data, [vec![2]]);
        assert_eq!(within.gas_remaining, grown.gas_remaining);
        // The contract reads what was written there, finds zeros behind, and may write up to the end.
        let body = "(drop (call $getArgument (i32.const 0) (i32.const 65535)))
            (i32.store8 (i32.const 131071) (i32.load8_u (i32.const 65536)))
            (call $int64finish (i64.load32_u (i32.const 65537)))
            (call $finish (i32.const 131070) (i32.const 2))";
        let output = run(bench, "1", body, &[b"ab"]);
        assert_eq!(output.return_data, ["", "\0b"]);
    });
}

/// A write of 32 bytes that fails softly, and the pages afterwards.
fn soft_write(offset: i64) -> String {
    format!(
        "(call $int64finish (i64.extend_i32_s
            (call $eth.getBlockHash (i64.const 7) (i32.const {offset})))) {PAGES}"
    )
}

#[test]
fn the_page_of_a_write_that_does_not_fit_stays() {
    // Pages of the memory and at most; offset; whether it is written; pages afterwards.
    let rows = [
        ("1", 65536 - 32, true, 1),
        ("1", 65536 - 31, true, 2),
        ("1", 131_072 - 32, true, 2),
        // Two pages would be needed, and one is added.
        ("1", 131_072 - 31, false, 2),
        ("1", 0x7fff_ffff, false, 2),
        ("1", -1, false, 1),
        ("1 2", 65536, true, 2),
        ("1 2", 131_072, false, 2),
        // None can be added.
        ("1 1", 65536 - 31, false, 1),
        ("2 2", 131_072, false, 2),
        ("0", 0, true, 1),
        ("0 0", 0, false, 0),
    ];
    on_each_engine(|bench| {
        for (pages, offset, is_written, after) in rows {
            let output = run(bench, pages, &soft_write(offset), &[]);
            assert_eq!(end(&output), (0, ""), "{pages}, {offset}");
            let expected = [is_written.into(), after].map(number_bytes);
            assert_eq!(output.return_data, expected, "{pages}, {offset}");
        }
        // One page for each write, however far away.
        let output = run(bench, "1", &soft_write(10 * 65536).repeat(3), &[]);
        let expected = [0, 2, 0, 3, 0, 4].map(number_bytes);
        assert_eq!(output.return_data, expected);
    });
}

/// A small number of the return data.
fn number_bytes(number: u8) -> Bytes {
    let bytes = if number == 0 { vec![] } else { vec![number] };
    bytes.into()
}

#[test]
fn a_memory_at_its_declared_maximum_says_so() {
    on_each_engine(|bench| {
        // The text names the pages it would have, then the maximum.
        for (pages, offset, left, added) in [
            ("1 1", 65505, 2, 1),
            ("1 1", 0x7fff_ffff, 2, 1),
            ("2 2", 131_072, 3, 2),
            ("0 0", 0, 1, 0),
        ] {
            let body = format!("(call $getCaller (i32.const {offset}))");
            let output = run(bench, pages, &body, &[]);
            let message = format!(
                "Failed to grow the memory:\n    Failed to add pages because would exceed maximum \
                number of pages for the memory. Left: {left}, Added: {added}"
            );
            assert_eq!(end(&output), (10, &message[..]), "{pages}");
        }
        // Where no page is needed nothing is said; below zero another text comes first.
        let output = run(bench, "1 1", "(call $getCaller (i32.const 65504))", &[]);
        assert_eq!(end(&output), (0, ""));
        let output = run(bench, "1 1", "(call $getCaller (i32.const -1))", &[]);
        assert_eq!(end(&output), (10, LOWER));
    });
}

/// Calls `show` of itself: name, number of arguments, where their lengths and bytes are.
fn show(name: (i32, i32), count: i32, lengths: i32, data: i32) -> String {
    format!(
        r#"(data (i32.const 0) "self____________________________")
        (data (i32.const 100) "show") (data (i32.const 110) "abc")
        (data (i32.const 120) "\02\00\00\00\01\00\00\00")
        (data (i32.const 150) "\00\00\00\00\fe\ff\ff\ff")
        (data (i32.const 160) "\03\00\00\00\fe\ff\ff\ff")
        (data (i32.const 65532) "show")
        (func (export "f")
            (i32.store8 (i32.const 65535) (i32.const 119))
            (drop (call $delegateExecution (i64.const 100000) (i32.const 0)
                (i32.const {}) (i32.const {})
                (i32.const {count}) (i32.const {lengths}) (i32.const {data}))))
        (func (export "main") (local $index i32)
            (call $finish (i32.const 200) (call $getFunction (i32.const 200)))
            (loop $next
                (if (i32.lt_s (local.get $index) (call $getNumArguments)) (then
                    (call $finish (i32.const 200)
                        (call $getArgument (local.get $index) (i32.const 200)))
                    (local.set $index (i32.add (local.get $index) (i32.const 1)))
                    (br $next)))))"#,
        name.0, name.1
    )
}

#[test]
fn arguments_of_nested_calls_are_read_like_everything_else() {
    let name = (100, 4);
    // The call; the function and the arguments that arrive.
    let good: [(String, &[&[u8]]); 9] = [
        (show(name, 2, 120, 110), &[b"show", b"ab", b"c"]),
        // Without arguments there is nothing to read.
        (show(name, 0, -1, -1), &[b"show"]),
        (show((-1, 0), 0, -1, -1), &[b""]),
        // The name ends behind the memory, and so do lengths and bytes.
        (show((65532, 6), 0, 0, 0), &[b"show\0\0"]),
        (show(name, 3, 124, 65535), &[b"show", b"w", b"", b""]),
        (show(name, 1, 120, 65535), &[b"show", b"w\0"]),
        (show(name, 1, 120, 65536), &[b"show", b"\0\0"]),
        (show(name, 2, 65536, 70_000), &[b"show", b"", b""]),
        // Arguments of no bytes may be anywhere.
        (show(name, 1, 150, -1), &[b"show", b""]),
    ];
    let bad = [
        (show((-1, 1), 0, 0, 0), LOAD_BOUNDS),
        (show((100, -1), 0, 0, 0), LOAD_LENGTH),
        (show((65537, 1), 0, 0, 0), LOAD_BOUNDS),
        (show(name, -1, 120, 110), LOAD_LENGTH),
        (show(name, 1, -1, 110), LOAD_BOUNDS),
        (show(name, 1, 65537, 110), LOAD_BOUNDS),
        (show(name, 1, 120, -1), LOAD_BOUNDS),
        (show(name, 1, 120, 65537), LOAD_BOUNDS),
        // The second argument begins behind the end, or is shorter than nothing.
        (show(name, 2, 120, 65535), LOAD_BOUNDS),
        (show(name, 2, 160, 110), LOAD_LENGTH),
        // Four times this is 0 in 32 bits, so the lengths can be read.
        (
            show(name, i32::MIN, 120, 110),
            "GuardedMakeByteSlice2D: negative length (-2147483648)",
        ),
    ];
    on_each_engine(|bench| {
        for (functions, expected) in &good {
            let output = bench.run(functions, "f", &[]);
            assert_eq!(end(&output), (0, ""));
            assert_eq!(output.return_data, *expected);
        }
        for (functions, message) in &bad {
            let output = bench.run(functions, "f", &[]);
            assert_eq!(end(&output), (10, *message));
        }
        // More arguments than there is memory for: the reference panics, or dies.
        let code = contract(&show(name, 1 << 30, 120, 110));
        bench.world().put_contract("self", code);
        let error = bench.call_with("self", "f", input(&[]));
        assert_eq!(
            error.expect_err("no output").to_string(),
            "host fault: 1073741824 arguments whose lengths are not all there"
        );
    });
}
