//! Where instrumentation leads the interpreter around its faults.

use super::{End, run};

/// On both sides of 65,536.
const OFFSETS: [usize; 5] = [0, 65_534, 65_535, 65_536, 66_000];

/// Where the addresses begin, and how far one is from the next: no value overlaps another.
const FIRST_ADDRESS: usize = 320;
const STEP: usize = 16;

/// A store, how many bytes it writes, and how the address becomes its value.
const STORES: [(&str, usize, &str); 7] = [
    ("i32.store8", 1, ""),
    ("i32.store16", 2, ""),
    ("i32.store", 4, ""),
    ("i64.store8", 1, "i64.extend_i32_u"),
    ("i64.store16", 2, "i64.extend_i32_u"),
    ("i64.store32", 4, "i64.extend_i32_u"),
    ("i64.store", 8, "i64.extend_i32_u"),
];

/// Ways to have the address twice on the operand stack; it was computed just before.
const ADDRESSES: [&str; 3] = [
    "local.set $x local.get $x local.get $x",
    "local.tee $x local.get $x",
    "local.tee $x local.set $y local.get $y local.get $x",
];

#[test]
fn a_store_of_its_own_address_is_like_any_other() {
    for offset in OFFSETS {
        for addresses in ADDRESSES {
            let mut expected = vec![0_u8; 2 * 65_536];
            let mut body = String::new();
            for (index, (store, width, value)) in STORES.into_iter().enumerate() {
                let address = FIRST_ADDRESS + STEP * index;
                body += &format!(
                    "memory.size i32.const {} i32.add {addresses} {value} {store} offset={offset}\n",
                    address - 2
                );
                let bytes = address.to_le_bytes();
                expected[address + offset..][..width].copy_from_slice(&bytes[..width]);
            }
            let text = format!(
                r#"(module (memory (export "memory") 2)
                (func (export "f") (local $x i32) (local $y i32) {body}))"#
            );
            let outcome = run(&text, 1_000);
            assert_eq!(outcome.end, End::Returned, "{text}");
            assert!(outcome.memory == expected, "{text}");
        }
    }
}

/// While a number that is not 0 was computed last.
#[test]
fn a_select_tests_what_was_compared() {
    let conditions = [
        ("i32.eqz", 1),
        ("i32.const 0 i32.eq", 1),
        ("i32.const 0 i32.ne", 2),
        ("i32.const 1 i32.ne", 1),
        ("i64.extend_i32_u i64.eqz", 1),
    ];
    for (condition, expected) in conditions {
        let text = format!(
            r#"(module (memory (export "memory") 2)
            (func (export "f") (local $zero i32) (local $other i32)
                (local.set $other (i32.add (memory.size) (i32.const 5)))
                i32.const 0
                i32.const 1 i32.const 2 local.get $zero {condition} select
                i32.store8))"#
        );
        let outcome = run(&text, 1_000);
        assert_eq!(
            (outcome.end, outcome.memory[0]),
            (End::Returned, expected),
            "{condition}"
        );
    }
}
