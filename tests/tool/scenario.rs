//! Runs the scenarios of tests/scenarios with the real binaries.

use crate::{folder, root, text};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// `arwendebug scenario` in the folder of the project, as in a fresh clone: no contract is compiled.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arwendebug"));
    command
        .arg("scenario")
        .args(arguments)
        .current_dir(root())
        .env_remove("ARWEN_PATH")
        .env("ARWEN_MODULE_CACHE", "");
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("it runs")
}

/// What is printed for the scenarios of a folder, without the folder; and the exit code.
fn report(folder: &tempfile::TempDir) -> (String, Option<i32>) {
    let path = folder.path().display().to_string();
    let output = run(&[&path]);
    let printed = text(&output.stdout).replace(&format!("{path}/"), "");
    (printed, output.status.code())
}

#[test]
fn our_scenarios_pass() {
    let output = run(&["tests/scenarios"]);
    let names = [
        "asking",
        "counter",
        "factory",
        "protected",
        "token",
        "upgrade",
    ];
    let lines = names.map(|name| format!("ok    tests/scenarios/{name}.scen.json\n"));
    let expected = lines.concat() + "6 scenarios: 6 passed, 0 failed\n";
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    // Nobody watches: no progress.
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_child_and_more_machines_give_the_same_report() {
    let report = |arguments: &[&str]| {
        let all = [&["tests/scenarios", "--report", "json"], arguments].concat();
        let output = run(&all);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let expected = report(&[]);
    let json: serde_json::Value = serde_json::from_str(&expected).expect("valid JSON");
    let ids = json["transactions"].as_array().expect("a list").iter();
    let ids: Vec<_> = ids
        .map(|transaction| transaction["txId"].as_str())
        .collect();
    assert_eq!(ids.len(), 39);
    let counter = ["deploy", "increment", "no such function", "get"];
    assert_eq!(ids[4..8], counter.map(Some));
    // `increment` asks for the code and for the value.
    assert_eq!(json["transactions"][5]["hookCalls"], 2);
    for arguments in [
        &["--jobs", "2"][..],
        &["--ipc", "--format", "json"],
        &["--ipc", "--jobs", "4"],
    ] {
        assert_eq!(report(arguments), expected, "{arguments:?}");
    }
    #[cfg(feature = "protobuf")]
    assert_eq!(report(&["--ipc", "--format", "protobuf"]), expected);
}

#[cfg(not(feature = "protobuf"))]
#[test]
fn a_format_that_is_not_in_this_build_is_refused() {
    let output = run(&["tests/scenarios", "--ipc", "--format", "protobuf"]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "arwendebug: marshalizer 2 (protobuf) is not in this build; \
        build with --features protobuf or use 0 (JSON)\n";
    assert_eq!(
        (text(&output.stdout).as_str(), text(&output.stderr).as_str()),
        ("", expected)
    );
}

#[test]
fn a_failed_scenario_is_explained() {
    // The prefix is another one, also in the keys of the scenario; but not in the argument of its call.
    let output = run(&["tests/scenarios", "--protected-prefix", "OTHER"]);
    let expected = "ok    tests/scenarios/asking.scen.json\n\
        ok    tests/scenarios/counter.scen.json\n\
        ok    tests/scenarios/factory.scen.json\n\
        FAIL  tests/scenarios/protected.scen.json\n      \
        tests/scenarios/protected.scen.json: steps[2] (scCall write): status\n        \
        expected: 10\n             got: 0\n\
        ok    tests/scenarios/token.scen.json\n\
        ok    tests/scenarios/upgrade.scen.json\n\
        6 scenarios: 5 passed, 1 failed\n";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_that_stands_for_another_is_taken() {
    let code = wat::parse_file(root().join("tests/contracts/counter.wat")).expect("valid text");
    let compiled = folder(&[("counter", &code), ("other.wat", b"(module)")]);
    let run_with = |name: &str| {
        let file = compiled.path().join(name);
        let replacement = format!("../contracts/counter.wasm={}", file.display());
        run(&[
            "tests/scenarios/counter.scen.json",
            "--replace",
            &replacement,
        ])
    };
    assert_eq!(run_with("counter").status.code(), Some(0));
    // Made of its source; it is no counter.
    assert_eq!(run_with("other.wasm").status.code(), Some(1));
}

#[test]
fn an_error_in_the_source_of_a_contract_is_found() {
    let scenario = br#"{"steps": [{"step": "setState", "accounts": {
        "''a_______________________________": {"balance": "0", "code": "file:x.wasm"}}}]}"#;
    let source = b"(module\n  (func (result i32)\n    i32.konst 1))";
    let folder = folder(&[("s.scen.json", scenario), ("x.wat", source)]);
    let (printed, code) = report(&folder);
    assert!(printed.contains("x.wat:3:5"), "{printed}");
    assert!(printed.contains("unknown operator"), "{printed}");
    assert_eq!(code, Some(1));
}

#[test]
fn a_folder_in_place_of_a_file_is_named() {
    let external = br#"{"steps": [{"step": "externalSteps", "path": "."}]}"#;
    let value = br#"{"steps": [{"step": "setState", "accounts": {
        "''a_______________________________": {"balance": "file:."}}}]}"#;
    let folder = folder(&[("external.scen.json", external), ("value.scen.json", value)]);
    let path = folder.path().display().to_string();
    let (printed, code) = report(&folder);
    let is_said = |text: &str| printed.contains(&format!("      {text}{path} is a directory\n"));
    assert!(is_said(&format!("{path}: ")), "{printed}");
    let place = "value.scen.json: steps[0].accounts.''a_______________________________.balance";
    assert!(is_said(&format!("{place}: `file:.`: ")), "{printed}");
    assert_eq!(code, Some(1));
    // Also where it is named with the shortest path.
    let mut here = command(&["external.scen.json"]);
    let output = here.current_dir(folder.path()).output().expect("it runs");
    assert!(
        text(&output.stdout).contains("      .: . is a directory\n"),
        "{output:?}"
    );
}

#[test]
fn bytes_of_files_reach_no_terminal() {
    // In a name that is shown, and the control character CSI, which is one in UTF-8 too.
    let scenario = "{\"steps\": [{\"step\": \"scCall\", \"txId\": \"\x1b[2J\u{9b}\", \"tx\": {
        \"from\": \"''a_______________________________\", \"to\": \"''b_______________________________\",
        \"value\": \"\x07\"}}, {\"step\": \"\x1b]0;title\x07\"}]}";
    let folder = folder(&[
        ("a\x1b[31m.scen.json", scenario.as_bytes()),
        ("b.scen.json", b"{\"na\x08me\": \"x\"}"),
        ("c.scen.json", b"{\"steps\": [{\"step\": \"a\xff\x1b\"}]}"),
    ]);
    let (printed, code) = report(&folder);
    assert!(
        printed.starts_with("FAIL  a\\u{1b}[31m.scen.json\n"),
        "{printed}"
    );
    let is_control = |character: char| character != '\n' && character.is_control();
    assert!(!printed.contains(is_control), "{printed:?}");
    assert_eq!(code, Some(1));
}

/// A key and a value are stored, by the scenario and by a contract, and compared with other ways to write them.
#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let scenario = b"{\"name\": \"\xff\xfe\", \"steps\": [
        {\"step\": \"setState\", \"comment\": \"\x80\", \"accounts\": {
            \"''user____________________________\": {\"balance\": \"''\xff\"},
            \"''store___________________________\": {\"balance\": \"0\", \"code\": \"file:store.wasm\",
                \"storage\": {\"''\xfe\": \"''\xff\xfe\"}}}},
        {\"step\": \"scCall\", \"txId\": \"\xff\", \"tx\": {
            \"from\": \"''user____________________________\", \"to\": \"''store___________________________\",
            \"value\": \"0\", \"function\": \"store\", \"arguments\": [\"``\xc3\", \"''\x80\xff\"],
            \"gasLimit\": \"100,000\", \"gasPrice\": \"0\"},
            \"expect\": {\"gas\": \"*\", \"refund\": \"*\"}},
        {\"step\": \"checkState\", \"accounts\": {
            \"''user____________________________\": {\"nonce\": \"1\", \"balance\": \"255\"},
            \"''store___________________________\": {\"balance\": \"0\", \"code\": \"*\",
                \"storage\": {\"0xfe\": \"0xfffe\", \"0xc3\": \"0x80ff\"}}}}]}";
    let at = scenario.windows(6).position(|part| part == b"0xfffe");
    let at = at.expect("there");
    let wrong = [&scenario[..at], b"''\xff\xff", &scenario[at + 6..]].concat();
    let contract = std::fs::read(root().join("tests/contracts/store.wat")).expect("there");
    let folder = folder(&[
        ("right.scen.json", scenario),
        ("store.wat", &contract),
        ("wrong.scen.json", &wrong),
    ]);
    let (printed, code) = report(&folder);
    let mismatch = "key 0xfe 254\n        expected: 0xffff 65535\n             got: 0xfffe 65534\n";
    assert!(
        printed.starts_with("ok    right.scen.json\nFAIL  wrong.scen.json\n"),
        "{printed}"
    );
    assert!(printed.contains(mismatch), "{printed}");
    assert_eq!(code, Some(1));
}

/// Also names of files need not be UTF-8. Messages show them as text, without control characters.
#[test]
fn a_value_that_is_not_utf8_is_shown_as_text() {
    let scenario = b"{\"steps\": [{\"step\": \"setState\", \"blockHashes\": [\"file:h\xff\", \"1\xff\x1b\"]}]}";
    let folder = folder(&[("s.scen.json", scenario)]);
    let name = std::ffi::OsStr::from_bytes(b"h\xff");
    std::fs::write(folder.path().join(name), "hash").expect("written");
    let (printed, code) = report(&folder);
    let expected = "FAIL  s.scen.json\n      s.scen.json: steps[0].blockHashes[1]: \
        `1\u{fffd}\\u{1b}`: could not parse base 10 value: 1\u{fffd}\\u{1b}\n";
    assert!(printed.starts_with(expected), "{printed}");
    assert_eq!(code, Some(1));
}

#[test]
fn what_can_not_be_run_has_an_exit_code_of_its_own() {
    let no_path = PathBuf::from("tests/none");
    let arguments: [&[&str]; 5] = [
        &[no_path.to_str().expect("a path")],
        &["tests/contracts"],
        &["tests/scenarios", "--replace", "no equals sign"],
        &["tests/scenarios", "--jobs", "0"],
        &["tests/scenarios", "--format", "json"],
    ];
    for arguments in arguments {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn without_a_reader_it_ends_quietly() {
    for arguments in [
        &["tests/scenarios"][..],
        &["tests/scenarios", "--jobs", "2"],
        &["tests/scenarios", "--ipc", "--report", "json"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .expect("it runs");
        assert_eq!(text(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(141), "{arguments:?}");
    }
}

/// The output of a transaction says only that the code is invalid.
#[test]
fn the_reason_of_invalid_code_is_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let code =
        wat::parse_str(r#"(module (import "env" "nothing" (func)) (memory (export "m") 1))"#);
    let code = code.expect("valid text");
    std::fs::write(folder.path().join("code.wasm"), code).expect("writable");
    let deploy = r#"{"step": "scDeploy", "txId": "t", "tx": {"from": "''user____________________________", "value": "0",
        "contractCode": "file:code.wasm", "arguments": [], "gasLimit": "1000", "gasPrice": "0"},
        "expect": {"status": "0", "message": "", "gas": "*", "refund": "*"}}"#;
    let state = r#"{"step": "setState", "accounts": {"''user____________________________": {"nonce": "0", "balance": "0"}},
        "newAddresses": [{"creatorAddress": "''user____________________________", "creatorNonce": "0", "newAddress": "''contract________________________"}]}"#;
    let file = folder.path().join("invalid.scen.json");
    std::fs::write(&file, format!(r#"{{"steps": [{state}, {deploy}]}}"#)).expect("writable");
    let reason = "could not create wasmer instance: link error: Import not found, namespace: env, name: nothing";
    for more in [&[][..], &["--ipc"], &["--report", "json"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_arwendebug"))
            .arg("scenario")
            .arg(&file)
            .args(more)
            .env_remove("ARWEN_PATH")
            .env("ARWEN_MODULE_CACHE", "")
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let report = text(&output.stdout);
        assert!(
            report.contains(&format!("invalid contract code: {reason}")),
            "{report}"
        );
        let is_json = more.contains(&"json");
        let member = format!(r#""reason":"{reason}""#);
        assert_eq!(report.contains(&member), is_json, "{report}");
    }
}

#[test]
fn gas_costs_what_the_schedule_of_a_node_says() {
    const FILE: &str = "tests/scenarios/counter.scen.json";
    let gas_left = |arguments: &[&str]| -> Vec<u64> {
        let all = [&[FILE, "--report", "json"], arguments].concat();
        let output = run(&all);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let transactions = json["transactions"].as_array().expect("a list");
        let gas = transactions.iter();
        gas.map(|one| one["gasRemaining"].as_u64().expect("a number"))
            .collect()
    };
    let flat = gas_left(&[]);
    const SCHEDULE: &[&str] = &["--gas-schedule", "docs/spec/gas_schedule.toml"];
    let real = gas_left(SCHEDULE);
    // The scenario ends at the first transaction whose gas is another one.
    assert!(real[0] < flat[0], "{real:?}, {flat:?}");
    assert_eq!(gas_left(&[SCHEDULE, &["--ipc"]].concat()), real);
}

#[test]
fn a_gas_schedule_that_is_none_is_named() {
    let folder = folder(&[("costs.toml", b"[BaseOperationCost]\nStorePerByte = 1.5\n")]);
    let bad = folder.path().join("costs.toml").display().to_string();
    let missing = folder.path().join("nothing.toml").display().to_string();
    for (file, expected) in [
        (
            &bad,
            format!(
                "{bad}: the gas schedule can't be used: BaseOperationCost.StorePerByte = 1.5 (line 2) is not an integer"
            ),
        ),
        (
            &missing,
            format!("can't read {missing}: No such file or directory"),
        ),
    ] {
        let output = run(&["tests/scenarios", "--gas-schedule", file]);
        let told = text(&output.stderr);
        assert!(
            told.starts_with(&format!("arwendebug: {expected}")),
            "{told}"
        );
        assert_eq!((told.lines().count(), output.status.code()), (1, Some(2)));
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn a_filter_runs_some_and_junit_tells_of_them() {
    let folder = folder(&[]);
    let report = folder.path().join("report.xml").display().to_string();
    let run = |filter: &str| {
        run(&[
            "tests/scenarios",
            "--filter",
            filter,
            "--junit",
            &report,
            "--protected-prefix",
            "OTHER",
        ])
    };
    let output = run("pro");
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(
        printed.ends_with("1 scenarios: 0 passed, 1 failed\n"),
        "{printed}"
    );
    let xml = std::fs::read_to_string(&report).expect("a report");
    assert!(
        xml.contains("<testsuites tests=\"1\" failures=\"1\" errors=\"0\" time=\""),
        "{xml}"
    );
    let case = "<testcase classname=\"tests/scenarios\" name=\"protected.scen.json\" time=\"";
    assert!(xml.contains(case), "{xml}");
    let failure = "<failure message=\"tests/scenarios/protected.scen.json: steps[2] (scCall write): status\">";
    assert!(xml.contains(failure), "{xml}");
    assert_eq!(run("counter").status.code(), Some(0));
    let expected = "none of the 6 scenarios has \"nothing\" in its path";
    crate::is_refused(&run("nothing"), expected);
    let output = command(&[
        "tests/scenarios/counter.scen.json",
        "--junit",
        "/nowhere/x.xml",
    ])
    .output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("can't write /nowhere/x.xml: No such file"),
        "{output:?}"
    );
}

#[test]
fn a_changed_contract_is_noticed() {
    use std::io::{BufRead as _, BufReader};
    let folder = folder(&[]);
    let place = |file: &str| folder.path().join(file);
    std::fs::create_dir_all(place("scenarios/steps")).expect("made");
    std::fs::create_dir(place("contracts")).expect("made");
    for file in [
        "scenarios/counter.scen.json",
        "scenarios/steps/deploy_counter.steps.json",
        "contracts/counter.wat",
    ] {
        std::fs::copy(root().join("tests").join(file), place(file)).expect("copied");
    }
    let contract = std::fs::read(place("contracts/counter.wat")).expect("there");
    let path = place("scenarios").display().to_string();
    let mut command = command(&[&path, "--watch"]);
    let mut child = Killed(command.stdout(Stdio::piped()).spawn().expect("it runs"));
    let mut lines = BufReader::new(child.0.stdout.take().expect("piped")).lines();
    let mut summary = || loop {
        let line = lines.next().expect("it goes on").expect("text");
        if line.contains(" scenarios: ") {
            return line;
        }
    };
    assert_eq!(summary(), "1 scenarios: 1 passed, 0 failed");
    let changed =
        text(&contract).replace("(call $write (i64.const 1))", "(call $write (i64.const 5))");
    std::fs::write(place("contracts/counter.wat"), changed).expect("written");
    assert_eq!(summary(), "1 scenarios: 0 passed, 1 failed");
    std::fs::write(place("contracts/counter.wat"), &contract).expect("written");
    assert_eq!(summary(), "1 scenarios: 1 passed, 0 failed");
}

/// A process that ends with the test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
