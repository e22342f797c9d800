//! Runs the scenarios of tests/scenarios with the real binaries.
#![cfg(feature = "vm")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The contracts of the scenarios, in tests/contracts.
const CONTRACTS: [&str; 5] = ["asking", "counter", "factory", "store", "token"];

/// The compiled contracts, by their names.
struct Contracts(tempfile::TempDir);

impl Contracts {
    fn compile() -> Contracts {
        let folder = tempfile::tempdir().expect("a folder");
        for name in CONTRACTS {
            let source = root().join(format!("tests/contracts/{name}.wat"));
            let code = wat::parse_file(source).expect("valid text");
            std::fs::write(folder.path().join(name), code).expect("writable");
        }
        Contracts(folder)
    }

    /// `arwendebug scenario`, with what the scenarios need and more arguments.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arwendebug"));
        command.arg("scenario");
        for name in CONTRACTS {
            let code = self.0.path().join(name);
            // As they are written in tests/scenarios and in a folder of that.
            for folder in ["../contracts", "../../contracts"] {
                let replacement = format!("{folder}/{name}.wasm={}", code.display());
                command.args(["--replace", &replacement]);
            }
        }
        command
            .args(arguments)
            .current_dir(root())
            .env_remove("ARWEN_PATH")
            .env("ARWEN_MODULE_CACHE", "")
            .output()
            .expect("it runs")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn our_scenarios_pass() {
    let output = Contracts::compile().run(&["tests/scenarios"]);
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
    let contracts = Contracts::compile();
    let report = |arguments: &[&str]| {
        let all = [&["tests/scenarios", "--report", "json"], arguments].concat();
        let output = contracts.run(&all);
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
    let output = Contracts::compile().run(&["tests/scenarios", "--ipc", "--format", "protobuf"]);
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
    let contracts = Contracts::compile();
    // The prefix is another one, also in the keys of the scenario; but not in the argument of its call.
    let arguments = ["tests/scenarios", "--protected-prefix", "OTHER"];
    let output = contracts.run(&arguments);
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
fn what_can_not_be_run_has_an_exit_code_of_its_own() {
    let contracts = Contracts::compile();
    let no_path = PathBuf::from("tests/none");
    let arguments: [&[&str]; 5] = [
        &[no_path.to_str().expect("a path")],
        &["tests/contracts"],
        &["tests/scenarios", "--replace", "no equals sign"],
        &["tests/scenarios", "--jobs", "0"],
        &["tests/scenarios", "--format", "json"],
    ];
    for arguments in arguments {
        let output = contracts.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
