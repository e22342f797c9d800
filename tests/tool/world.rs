//! The commands on a world.

use crate::{folder, is_refused, json, refuses, root, succeeds, text, tool};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

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
fn counter() -> tempfile::TempDir {
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

const INCREMENT: &[&str] = &[
    "call",
    "--from",
    "alice",
    "--contract",
    "contract0",
    "--function",
    "increment",
];

fn world_file(folder: &Path) -> String {
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

#[test]
fn a_failed_contract_is_explained() {
    let folder = counter();
    let folder = folder.path();
    for (more, first, next) in [
        (
            &["--function", "nothing"][..],
            "nothing: failed: function not found (code 1)",
            "contract0 has: increment, decrement, get",
        ),
        (
            &["--function", "get", "--gas-limit", "100"],
            "get: failed: out of gas (code 5)",
            "more gas: --gas-limit is 100 now",
        ),
        (
            &["--function", "get", "--value", "1001"],
            "get: failed: out of funds (code 7)",
            "`arwendebug account show alice` shows its balance; it sends 1001",
        ),
        (
            &["--function", "init"],
            "init: failed: user error (code 4)",
            "the contract signalled this itself, or the function may not be called directly",
        ),
    ] {
        let call = [
            &["call", "--from", "alice", "--contract", "contract0"],
            more,
        ]
        .concat();
        let output = tool(folder, &call).output().expect("it runs");
        let shown = text(&output.stdout);
        assert_eq!(
            (output.status.code(), text(&output.stderr).as_str()),
            (Some(1), ""),
            "{shown}"
        );
        assert_eq!(shown.lines().next(), Some(first));
        assert!(
            shown.contains(&format!("\n  next      {next}\n")),
            "{shown}"
        );
    }
    let (failed, code) = json(
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
    assert_eq!(
        (&failed["returnCodeName"], code),
        (&"function not found".into(), Some(1))
    );
    fs::write(
        folder.join("floats.wat"),
        "(module (func (drop (f64.const 0))))",
    )
    .expect("written");
    let output = tool(
        folder,
        &["deploy", "--from", "alice", "--code-path", "floats.wat"],
    )
    .output()
    .expect("it runs");
    let shown = text(&output.stdout);
    assert!(
        shown.starts_with("deploy: failed: contract invalid (code 9)\n"),
        "{shown}"
    );
    assert!(
        shown.contains("only deterministic operations are allowed"),
        "{shown}"
    );
}

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let folder = counter();
    let folder = folder.path();
    let before = world_file(folder);
    let call = |more: &[&'static str]| [INCREMENT, more].concat();
    for (arguments, expected) in [
        (
            call(&["--arguments", "100"]),
            "\"100\" is an odd number of hexadecimal digits; write 0x0100 for bytes, --arg 100 for a number",
        ),
        (
            call(&["--arg", "hello"]),
            "\"hello\" is not a value: could not parse base 10 value: hello; values are such as 5, 0x05 and ''text",
        ),
        (
            call(&["--arg", "file:nothing"]),
            "can't read nothing: No such file",
        ),
        (
            call(&["--value=-1"]),
            "\"-1\": a number without a sign is needed here",
        ),
        (
            call(&["--gas-price", "1"]),
            "alice has 1000 and can't pay 100000000, the gas limit times the gas price",
        ),
        (
            call(&["--world", "../x"]),
            "\"../x\" can't be the name of a world",
        ),
        (
            call(&["--gas-schedule", "nothing"]),
            "can't read nothing: No such file",
        ),
        (
            call(&["--outcome", "no/o.json"]),
            "can't write no/o.json: No such file",
        ),
        (
            call(&["--write-scenario", "no/o.scen.json"]),
            "can't write no/o.scen.json: No such file",
        ),
        (
            vec![
                "call",
                "--from",
                "alice",
                "--contract",
                "bob",
                "--function",
                "f",
            ],
            "there is no account bob: `arwendebug account create bob` makes it",
        ),
        (
            vec![
                "call",
                "--from",
                "bob",
                "--contract",
                "contract0",
                "--function",
                "f",
            ],
            "there is no account bob",
        ),
        (
            vec![
                "call",
                "--from",
                "alice",
                "--contract",
                "alice",
                "--function",
                "f",
            ],
            "the account alice has no code",
        ),
        (
            vec![
                "call",
                "--from",
                "0x00",
                "--contract",
                "alice",
                "--function",
                "f",
            ],
            "\"0x00\" is not an address: that is a name such as alice",
        ),
        (
            vec!["query", "--contract", "bob", "--function", "f"],
            "there is no account bob",
        ),
        (
            vec![
                "query",
                "--contract",
                "bob",
                "--function",
                "f",
                "--world",
                "w",
            ],
            "there is no world \"w\" (./db/worlds/w.json); `arwendebug account create NAME` makes one",
        ),
        (
            vec!["deploy", "--from", "alice"],
            "there is no code: --code-path FILE or --code HEX names it",
        ),
        (
            vec!["deploy", "--from", "alice", "--code", "0x0"],
            "--code \"0x0\" is not in pairs of hexadecimal digits",
        ),
        (
            vec!["deploy", "--from", "alice", "--code-path", "nothing.wasm"],
            "can't read nothing.wasm: No such file",
        ),
        (
            vec![
                "deploy",
                "--from",
                "alice",
                "--code",
                "00",
                "--code-metadata",
                "x",
            ],
            "--code-metadata \"x\" is not in pairs",
        ),
        (
            vec!["account", "create", "alice"],
            "the account alice exists already; --replace begins it anew",
        ),
        (
            vec!["account", "create", "bob", "--balance", "much"],
            "\"much\" is not a value",
        ),
        (vec!["account", "show", "bob"], "there is no account bob"),
        (
            vec!["world", "import", "nothing.json"],
            "can't read nothing.json: No such file",
        ),
    ] {
        refuses(folder, &arguments, expected);
        assert_eq!(world_file(folder), before, "{arguments:?}");
    }
    assert_eq!(
        fs::read_dir(folder.join("db/worlds"))
            .expect("a folder")
            .count(),
        2
    );
    // No program for a child is a machine that can't run.
    let mut command = tool(folder, &call(&["--ipc"]));
    let output = command
        .env("ARWEN_PATH", "/nowhere")
        .output()
        .expect("it runs");
    assert_ne!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn a_damaged_world_is_told() {
    let folder = counter();
    let folder = folder.path();
    let file = folder.join("db/worlds/default.json");
    let text = world_file(folder);
    fs::write(&file, &text[..text.len() - 10]).expect("written");
    refuses(
        folder,
        INCREMENT,
        "the world is damaged: ./db/worlds/default.json: line ",
    );
    fs::write(
        &file,
        text.replace("\"balance\": \"1000\"", "\"balance\": \"ten\""),
    )
    .expect("written");
    refuses(
        folder,
        &["account", "list"],
        "balance: not a number; mend the file, or take it away and begin anew",
    );
    fs::write(&file, "").expect("written");
    refuses(
        folder,
        &["account", "create", "bob"],
        "the world is damaged: ",
    );
}

#[test]
fn a_full_disk_leaves_the_world_as_it_was() {
    let folder = counter();
    let folder = folder.path();
    let before = world_file(folder);
    let program = env!("CARGO_BIN_EXE_arwendebug");
    // Files can't grow beyond this; without the signal a write fails as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let mut command = std::process::Command::new("sh");
    let command = command
        .args(["-c", script, "sh", program])
        .args(INCREMENT)
        .current_dir(folder);
    is_refused(
        &command.output().expect("it runs"),
        "can't write ./db/worlds/default.json: File too large",
    );
    assert_eq!(world_file(folder), before);
    assert_eq!(
        fs::read_dir(folder.join("db/worlds"))
            .expect("a folder")
            .count(),
        2
    );
    let full = [INCREMENT, &["--outcome", "/dev/full"]].concat();
    let output = tool(folder, &full).output().expect("it runs");
    assert!(
        text(&output.stderr).contains("can't write /dev/full: No space left on device"),
        "{output:?}"
    );
}

#[test]
fn many_processes_lose_no_change() {
    const PROCESSES: usize = 8;
    let folder = counter();
    let folder = folder.path();
    let start = |_| {
        tool(folder, INCREMENT)
            .stdout(Stdio::null())
            .spawn()
            .expect("it runs")
    };
    let children: Vec<_> = (0..PROCESSES).map(start).collect();
    for mut child in children {
        assert!(child.wait().expect("a child").success());
    }
    let (query, _) = json(
        folder,
        &["query", "--contract", "contract0", "--function", "get"],
    );
    assert_eq!(query["returnData"][0], format!("0x{:02x}", PROCESSES + 1));
}

#[test]
fn a_killed_process_leaves_a_whole_world_and_no_lock() {
    let folder = counter();
    let folder = folder.path();
    let deadline = Instant::now() + Duration::from_secs(2);
    let mut pauses = (0..30_000).step_by(700).cycle();
    while Instant::now() < deadline {
        let mut child = tool(folder, INCREMENT)
            .stdout(Stdio::null())
            .spawn()
            .expect("it runs");
        let pause = pauses.next().expect("endless");
        std::thread::sleep(Duration::from_micros(pause));
        child.kill().expect("killed");
        child.wait().expect("a child");
        let (query, code) = json(
            folder,
            &["query", "--contract", "contract0", "--function", "get"],
        );
        assert_eq!(code, Some(0), "{query}");
    }
    succeeds(folder, INCREMENT);
    assert_eq!(
        fs::read_dir(folder.join("db/worlds"))
            .expect("a folder")
            .count(),
        2
    );
}

#[test]
fn a_world_in_use_is_waited_for() {
    let folder = counter();
    let folder = folder.path();
    let lock = fs::File::options()
        .write(true)
        .open(folder.join("db/worlds/default.lock"))
        .expect("a lock");
    lock.lock().expect("free");
    let mut waiting = tool(folder, INCREMENT)
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(waiting.try_wait().expect("a child"), None);
    lock.unlock().expect("locked");
    assert!(waiting.wait().expect("a child").success());
    // Reading needs no turn.
    lock.lock().expect("free");
    succeeds(folder, &["account", "list"]);
    refuses(
        folder,
        INCREMENT,
        "the world \"default\" is being changed by process ",
    );
}
