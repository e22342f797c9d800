//! The commands on a world.

use crate::{folder, json, refuses, root, succeeds, tool};
use serde_json::Value;
use std::fs;
use std::path::Path;

const ALICE: &str = "aa000000000000000000000000000000000000000000000000000000000000aa";

/// A folder with contracts and an empty database.
fn bench() -> tempfile::TempDir {
    let contract =
        |name: &str| fs::read(root().join("tests/contracts").join(name)).expect("a contract");
    folder(&[
        ("counter.wat", &contract("counter.wat")),
        ("adder.wat", &contract("adder.wat")),
    ])
}

/// A world with alice and a counter of hers.
pub fn counter() -> tempfile::TempDir {
    let folder = bench();
    succeeds(
        folder.path(),
        &["account", "create", "alice", "--balance", "1_000"],
    );
    succeeds(
        folder.path(),
        &["deploy", "--from", "alice", "--code-path", "counter.wasm"],
    );
    folder
}

pub const INCREMENT: &[&str] = &[
    "call",
    "--from",
    "alice",
    "--contract",
    "contract0",
    "--function",
    "increment",
];

pub fn world_file(folder: &Path) -> String {
    fs::read_to_string(folder.join("db/worlds/default.json")).expect("a world")
}

#[test]
fn a_contract_is_deployed_called_and_queried() {
    let folder = counter();
    let folder = folder.path();
    let shown = succeeds(folder, INCREMENT);
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[..2], ["increment: ok", "  returned  0x02 2"]);
    assert!(
        shown.contains("  changed   alice: nonce 1 -> 2\n"),
        "{shown}"
    );
    assert!(
        shown.contains("contract0[0x434f554e544552 ``COUNTER 18946051244574034]: 0x01 1 -> 0x02 2"),
        "{shown}"
    );
    let before = world_file(folder);
    let (query, code) = json(
        folder,
        &["query", "--contract", "contract0", "--function", "get"],
    );
    assert_eq!((&query["returnData"][0], code), (&"0x02".into(), Some(0)));
    assert_eq!(world_file(folder), before);
    let shown = succeeds(folder, &["account", "show", "contract0"]);
    assert!(
        shown.contains("\n  functions init, increment, decrement, get\n"),
        "{shown}"
    );
    let (accounts, _) = json(folder, &["account", "list"]);
    let names: Vec<_> = accounts
        .as_array()
        .expect("a list")
        .iter()
        .map(|account| &account["name"])
        .collect();
    assert_eq!(names, ["alice", "contract0"]);
}

#[test]
fn a_child_gives_the_same_world() {
    let [one, other] = [counter(), counter()];
    succeeds(one.path(), INCREMENT);
    succeeds(
        other.path(),
        &[INCREMENT, &["--ipc", "--format", "json"]].concat(),
    );
    let upgrade = [
        "upgrade",
        "--from",
        "alice",
        "--contract",
        "contract0",
        "--code-path",
        "adder.wat",
        "--arg",
        "5",
    ];
    succeeds(one.path(), &upgrade);
    succeeds(other.path(), &[&upgrade[..], &["--ipc"]].concat());
    assert_eq!(world_file(one.path()), world_file(other.path()));
    let (query, _) = json(
        other.path(),
        &[
            "query",
            "--contract",
            "contract0",
            "--function",
            "getSum",
            "--ipc",
        ],
    );
    assert_eq!(query["ok"], true, "{query}");
}

#[test]
fn commands_of_the_reference_work() {
    let folder = bench();
    let folder = folder.path();
    let common = ["--database", "base", "--world", "w", "--outcome", "o"];
    let run = |arguments: &[&str]| -> Value {
        succeeds(folder, &[arguments, &common].concat());
        let outcome = fs::read(folder.join("base/out/o.json")).expect("an outcome");
        serde_json::from_slice(&outcome).expect("JSON")
    };
    let made = run(&[
        "create-account",
        "--address",
        ALICE,
        "--balance",
        "100000",
        "--nonce",
        "0",
    ]);
    assert_eq!(made["Account"]["AddressHex"], ALICE);
    let code = wat::parse_file(folder.join("counter.wat")).expect("a module");
    let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    let deployed = run(&[
        "deploy",
        "--impersonated",
        ALICE,
        "--code",
        &code,
        "--code-metadata",
        "0100",
        "--gas-limit",
        "500000",
    ]);
    // As the reference makes it.
    let contract = "636f6e74726163743000000000000000000000000000000000000000000000aa";
    assert_eq!(deployed["ContractAddressHex"], contract);
    assert_eq!(
        (&deployed["Error"], &deployed["Output"]["ReturnCode"]),
        (&Value::Null, &0.into())
    );
    let of_alice = [
        "--impersonated",
        ALICE,
        "--contract",
        contract,
        "--gas-limit",
        "500000",
    ];
    let called = run(&[
        &[
            "run",
            "--function",
            "increment",
            "--value",
            "7",
            "--gas-price",
            "0",
        ][..],
        &of_alice,
    ]
    .concat());
    assert_eq!(called["Output"]["ReturnData"][0], "Ag==");
    assert_eq!(called["Input"]["CallValue"], 7);
    let queried = run(&[&["query", "--function", "get"][..], &of_alice].concat());
    assert_eq!(queried["Output"]["ReturnData"][0], "Ag==");
    run(&[
        &["upgrade", "--code-path", "adder.wat", "--arguments", "64"][..],
        &of_alice,
    ]
    .concat());
    let summed = run(&[&["query", "--function", "getSum"][..], &of_alice].concat());
    assert_eq!(summed["Output"]["ReturnData"][0], "ZA==");
    // In the reference an account can be made anew.
    run(&[
        "create-account",
        "--address",
        ALICE,
        "--balance",
        "5",
        "--nonce",
        "9",
    ]);
    let (account, _) = json(
        folder,
        &[
            "account",
            "show",
            ALICE,
            "--database",
            "base",
            "--world",
            "w",
        ],
    );
    assert_eq!(
        (&account["balance"], &account["nonce"]),
        (&5.into(), &9.into())
    );
}

#[test]
fn a_world_of_the_reference_is_imported() {
    let contract = "636f6e74726163743000000000000000000000000000000000000000000000aa";
    let code = wat::parse_file(root().join("tests/contracts/counter.wat")).expect("a module");
    let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    let world = format!(
        "{{\n\t\"ID\": \"default\",\n\t\"Accounts\": {{\n\t\t\"{ALICE}\": {{\"AddressHex\": \"{ALICE}\", \"Nonce\": 0, \"Balance\": 100000, \
        \"CodeHex\": \"\", \"CodeMetadataHex\": \"\", \"OwnerAddressHex\": \"\", \"UserNameHex\": \"\", \"Storage\": {{}}, \"ShardID\": 0}},\
        \n\t\t\"{contract}\": {{\"AddressHex\": \"{contract}\", \"Nonce\": 0, \"Balance\": 0, \"CodeHex\": \"{code}\", \
        \"CodeMetadataHex\": \"0100\", \"OwnerAddressHex\": \"\", \"UserNameHex\": \"\", \"Storage\": {{\"434f554e544552\": \"29\"}}, \"ShardID\": 0}}\n\t}}\n}}"
    );
    let folder = folder(&[("old.json", world.as_bytes())]);
    let folder = folder.path();
    assert_eq!(
        succeeds(folder, &["world", "import", "old.json"]),
        "imported 2 accounts\n"
    );
    let call = [
        "call",
        "--from",
        ALICE,
        "--contract",
        contract,
        "--function",
        "increment",
    ];
    assert!(succeeds(folder, &call).contains("  returned  0x2a ``* 42\n"));
    assert_eq!(succeeds(folder, &["world", "list"]), "default\n");
    refuses(
        folder,
        &["world", "import", "old.json"],
        "the world \"default\" exists already",
    );
    // In the place of one of ours it is told apart.
    fs::write(folder.join("db/worlds/old.json"), &world).expect("written");
    refuses(
        folder,
        &["account", "list", "--world", "old"],
        "`arwendebug world import FILE --world NAME` makes one of it",
    );
    fs::write(folder.join("cut.json"), &world[..world.len() / 2]).expect("written");
    refuses(
        folder,
        &["world", "import", "cut.json", "--world", "new"],
        "can't import cut.json: bad JSON at byte ",
    );
    refuses(
        folder,
        &["account", "list", "--world", "new"],
        "there is no world \"new\"",
    );
}

#[test]
fn what_was_done_is_a_scenario_that_passes() {
    let folder = counter();
    let folder = folder.path();
    succeeds(folder, INCREMENT);
    let mut failed = tool(
        folder,
        &[
            "call",
            "--from",
            "alice",
            "--contract",
            "contract0",
            "--function",
            "nothing",
        ],
    );
    assert_eq!(failed.output().expect("it runs").status.code(), Some(1));
    succeeds(
        folder,
        &[INCREMENT, &["--write-scenario", "done.scen.json"]].concat(),
    );
    let expected = "ok    done.scen.json\n1 scenarios: 1 passed, 0 failed\n";
    assert_eq!(succeeds(folder, &["scenario", "done.scen.json"]), expected);
    assert_eq!(
        succeeds(folder, &["scenario", "done.scen.json", "--ipc"]),
        expected
    );
    succeeds(folder, &["world", "export", "again.scen.json"]);
    let [one, other] = ["done", "again"]
        .map(|name| fs::read_to_string(folder.join(format!("{name}.scen.json"))).expect("there"));
    assert_eq!(one, other);
    // It is a check: with another value it fails.
    let damaged = one.replace("\"0x03\"", "\"0x04\"");
    assert_ne!(damaged, one);
    fs::write(folder.join("done.scen.json"), damaged).expect("written");
    let output = tool(folder, &["scenario", "done.scen.json"])
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(1));
}
