//! `arwendebug inspect`.

use crate::{folder, json, refuses, root, succeeds, text, tool};

#[test]
fn a_contract_is_shown() {
    let shown = succeeds(root(), &["inspect", "tests/contracts/counter.wat"]);
    for line in [
        "accepted: it can be deployed\n",
        "  env.int64storageLoad (i32, i32) -> i64  gas Int64StorageLoad = 1\n",
        "  increment ()\n",
        "  memory memory\n",
        "  1 pages of 64 KiB at first, without a maximum\n",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    // The deploy of the first example costs this, and what `init` uses.
    let (found, code) = json(root(), &["inspect", "tests/contracts/counter.wasm"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        found["deployGas"].as_u64(),
        found["bytes"].as_u64().map(|bytes| bytes + 1)
    );
    let real = [
        "inspect",
        "tests/contracts/counter.wat",
        "--gas-schedule",
        "docs/spec/gas_schedule.toml",
    ];
    let (real, _) = json(root(), &real);
    assert!(real["deployGas"].as_u64() > found["deployGas"].as_u64());
}

#[test]
fn every_reason_to_refuse_a_contract_is_shown() {
    let contract = br#"(module
        (memory 1)
        (func $first (drop (f64.const 1)))
        (func (export "second") (drop (f64.const 2))))"#;
    let folder = folder(&[("floats.wat", contract)]);
    let output = tool(folder.path(), &["inspect", "floats.wat"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(
        shown.contains("refused: it can't be deployed\n  function #0 first, byte "),
        "{shown}"
    );
    assert!(shown.contains("\n  function #1 second, byte "), "{shown}");
}

#[test]
fn what_is_no_contract_is_refused() {
    let folder = folder(&[
        ("text", b"hello"),
        ("bad.wat", b"(module\n (func"),
        ("a\x1b.wat", b""),
    ]);
    let folder = folder.path();
    refuses(
        folder,
        &["inspect", "text"],
        "text is neither wasm nor its text: wasm begins with",
    );
    refuses(folder, &["inspect", "bad.wat"], "bad.wat: line 2, column ");
    refuses(folder, &["inspect", "a\x1b.wat"], "a\\u{1b}.wat is neither");
    refuses(
        folder,
        &["inspect", "nothing.wasm"],
        "can't read nothing.wasm: No such file",
    );
    refuses(folder, &["inspect", "."], "can't read .: Is a directory");
}
