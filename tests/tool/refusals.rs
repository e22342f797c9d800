//! What commands on a world say of contracts that fail, of bad input, and of files that can't be used.

use crate::world::{INCREMENT, counter, world_file};
use crate::{is_refused, json, refuses, text, tool};
use std::fs;

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

/// Options of a call that would succeed without them, and what is said of each.
const BAD_OPTIONS: &[(&str, &str)] = &[
    (
        "--arguments 100",
        "\"100\" is an odd number of hexadecimal digits; write 0x0100 for bytes, --arg 100 for a number",
    ),
    (
        "--arg hello",
        "\"hello\" is not a value: could not parse base 10 value: hello; values are such as 5, 0x05 and ''text",
    ),
    ("--arg file:nothing", "can't read nothing: No such file"),
    (
        "--value=-1",
        "\"-1\": a number without a sign is needed here",
    ),
    (
        "--gas-price 1",
        "alice has 1000 and can't pay 100000000, the gas limit times the gas price",
    ),
    ("--world ../x", "\"../x\" can't be the name of a world"),
    ("--gas-schedule nothing", "can't read nothing: No such file"),
    ("--outcome no/o.json", "can't write no/o.json: No such file"),
    (
        "--write-scenario no/o.scen.json",
        "can't write no/o.scen.json: No such file",
    ),
];

/// Commands, and what is said of each.
const BAD_COMMANDS: &[(&str, &str)] = &[
    (
        "call --from alice --contract bob --function f",
        "there is no account bob: `arwendebug account create bob` makes it",
    ),
    (
        "call --from bob --contract contract0 --function f",
        "there is no account bob",
    ),
    (
        "call --from alice --contract alice --function f",
        "the account alice has no code",
    ),
    (
        "call --from 0x00 --contract alice --function f",
        "\"0x00\" is not an address: that is a name such as alice",
    ),
    (
        "query --contract bob --function f",
        "there is no account bob",
    ),
    (
        "query --contract bob --function f --world w",
        "there is no world \"w\" (./db/worlds/w.json); `arwendebug account create NAME` makes one",
    ),
    (
        "deploy --from alice",
        "there is no code: --code-path FILE or --code HEX names it",
    ),
    (
        "deploy --from alice --code 0x0",
        "--code \"0x0\" is not in pairs of hexadecimal digits",
    ),
    (
        "deploy --from alice --code-path nothing.wasm",
        "can't read nothing.wasm: No such file",
    ),
    (
        "deploy --from alice --code 00 --code-metadata x",
        "--code-metadata \"x\" is not in pairs",
    ),
    (
        "account create alice",
        "the account alice exists already; --replace begins it anew",
    ),
    (
        "account create bob --balance much",
        "\"much\" is not a value",
    ),
    ("account show bob", "there is no account bob"),
    (
        "world import nothing.json",
        "can't read nothing.json: No such file",
    ),
];

#[test]
fn bad_input_is_refused_and_changes_nothing() {
    let folder = counter();
    let folder = folder.path();
    let before = world_file(folder);
    let words = |text: &'static str| text.split(' ').collect::<Vec<_>>();
    let call = |more: &'static str| [INCREMENT, &words(more)].concat();
    let options = BAD_OPTIONS.iter().map(|(more, told)| (call(more), told));
    let commands = { BAD_COMMANDS.iter() }.map(|(command, told)| (words(command), told));
    for (arguments, expected) in options.chain(commands) {
        refuses(folder, &arguments, expected);
        assert_eq!(world_file(folder), before, "{arguments:?}");
    }
    let files = fs::read_dir(folder.join("db/worlds")).expect("a folder");
    assert_eq!(files.count(), 2);
    // No program for a child is a machine that can't run.
    let mut command = tool(folder, &call("--ipc"));
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
