//! What the tool tells of runs: traces, gas reports, flame graphs.

use crate::world::{INCREMENT, counter};
use crate::{is_refused, json, refuses, root, succeeds, text, tool};
use serde_json::{Value, json as value};
use std::fs;
use std::path::Path;

/// The schedule of a node, where everything has a price of its own.
const SCHEDULE: &str = "docs/spec/gas_schedule.toml";

/// What `arwendebug scenario` prints, which succeeds.
fn scenarios(arguments: &[&str]) -> String {
    succeeds(root(), &[&["scenario"], arguments].concat())
}

fn parsed(printed: &str) -> Value {
    serde_json::from_str(printed).expect("JSON")
}

/// The steps of all transactions of a report.
fn all_steps(report: &Value) -> Vec<Value> {
    let transactions = report["transactions"].as_array().expect("a list").iter();
    let steps = transactions.map(|one| one["trace"]["steps"].as_array().expect("steps").clone());
    steps.flatten().collect()
}

/// The steps with this name in a tree, at any depth.
fn named<'a>(steps: &'a [Value], name: &str, found: &mut Vec<&'a Value>) {
    for step in steps {
        if step["step"] == name {
            found.push(step);
        }
        if let Some(inside) = step["steps"].as_array() {
            named(inside, name, found);
        }
    }
}

fn count(steps: &[Value], name: &str) -> usize {
    let mut found = Vec::new();
    named(steps, name, &mut found);
    found.len()
}

/// How many calls are inside of each other.
fn depth(steps: &[Value]) -> usize {
    let depths = steps.iter().map(|step| {
        let inside = step["steps"].as_array().map_or(0, |steps| depth(steps));
        inside + usize::from(step["step"] == "call")
    });
    depths.max().unwrap_or(0)
}

#[test]
fn outputs_are_the_same_with_a_trace() {
    for costs in [&[][..], &["--gas-schedule", SCHEDULE]] {
        let run = |more: &[&str]| {
            // With the costs of a node the expected gas is not that of the files.
            let arguments = [
                &["scenario", "tests/scenarios", "--report", "json"],
                costs,
                more,
            ]
            .concat();
            let output = tool(root(), &arguments).output().expect("it runs");
            parsed(&text(&output.stdout))
        };
        let plain = run(&[]);
        let mut traced = run(&["--trace", "--gas-report", "--jobs", "2"]);
        let transactions = traced["transactions"].as_array_mut().expect("a list");
        assert!(transactions.len() > 10);
        for transaction in transactions {
            let trace = transaction
                .as_object_mut()
                .expect("an object")
                .remove("trace");
            assert_eq!(trace.expect("a trace")["leftOut"], 0);
        }
        let report = traced
            .as_object_mut()
            .expect("an object")
            .remove("gasReport");
        let report = report.expect("a report");
        assert!(report["total"].as_u64() > Some(10_000));
        let operators = report["operators"].as_object().expect("an object");
        let sum: i64 = { operators.values() }
            .map(|gas| gas.as_i64().expect("a number"))
            .sum();
        assert_eq!(report["classes"]["wasm"], sum, "{operators:?}");
        assert_eq!(traced, plain);
    }
}

#[test]
fn a_call_is_a_tree() {
    let folder = counter();
    let shown = succeeds(folder.path(), &[INCREMENT, &["--trace"]].concat());
    let tree: Vec<_> = shown
        .lines()
        .skip_while(|line| !line.starts_with('['))
        .collect();
    let expected = [
        "[361] call contract0.increment() from alice, start 336  gas 100000000",
        "├ [1] int64storageLoad(key: ``COUNTER) -> 1  gas 99999658 -> 99999657",
        "│ └ read contract0[``COUNTER]: 0x01",
        "├ [1] int64storageStore(key: ``COUNTER, value: 2) -> 1  gas 99999647 -> 99999646",
        "│ └ [0] write contract0[``COUNTER]: 0x01 -> 0x02",
        "├ [1] int64finish(value: 2)  gas 99999642 -> 99999641",
        "└ ok 0x02",
    ];
    assert_eq!(tree, expected);
    // Without colours, as this is not a terminal.
    assert!(!shown.contains('\u{1b}'));
}

#[test]
fn asynchronous_calls_deploys_and_failures_are_in_the_tree() {
    let asking = scenarios(&["tests/scenarios/asking.scen.json", "--trace"]);
    for line in [
        "│ └ asks to call counter, data ``increment, gas 999716",
        "├ [362] async counter.increment() from asking, start 337  gas 999715",
        "├ [283] callback asking.callBack(empty, 0x05) from counter, start 261  gas 998981",
        "│ └ failed: function not found (code 1): invalid function (not found)",
        "└ failed: execution failed (code 10): tokenize failed",
        "├ transfer 0 from asking to far, data ``increment@00, gas 999713",
    ] {
        assert!(
            asking.lines().any(|shown| shown == line),
            "{line}: {asking}"
        );
    }
    let factory = scenarios(&["tests/scenarios/factory.scen.json", "--trace"]);
    for line in [
        "│ └ [347] create child() from factory, value 50, runs init, start 336  gas 999691",
        "│   ├ transfer 50 from factory to child",
        "│   │ └ [1] write factory[``COUNTER]: empty -> 0x01",
    ] {
        assert!(
            factory.lines().any(|shown| shown == line),
            "{line}: {factory}"
        );
    }
}

#[test]
fn steps_are_chosen_by_kind_and_depth() {
    let steps = |more: &[&str]| {
        let all = [&["tests/scenarios", "--trace=json"], more].concat();
        all_steps(&parsed(&scenarios(&all)))
    };
    let all = steps(&[]);
    assert!(depth(&all) > 1 && count(&all, "host") > 50 && count(&all, "read") > 5);
    let storage = steps(&["--trace-kind", "storage"]);
    for (name, kept) in [
        ("call", true),
        ("read", true),
        ("write", true),
        ("host", false),
    ] {
        let expected = if kept { count(&all, name) } else { 0 };
        assert_eq!(count(&storage, name), expected, "{name}");
    }
    let some = steps(&["--trace-kind", "host,async"]);
    assert_eq!(count(&some, "host"), count(&all, "host"));
    assert_eq!(
        (count(&some, "async"), count(&some, "write")),
        (count(&all, "async"), 0)
    );
    let outer = steps(&["--trace-depth", "1"]);
    assert_eq!((depth(&outer), count(&outer, "call")), (1, all.len()));
    assert_eq!(count(&steps(&["--trace-depth", "0"]), "call"), 0);
}

#[test]
fn a_trace_is_json() {
    let folder = counter();
    let (told, _) = json(folder.path(), &[INCREMENT, &["--trace"]].concat());
    let implied = succeeds(folder.path(), &[INCREMENT, &["--trace=json"]].concat());
    assert_eq!(told["trace"]["leftOut"], 0);
    let call = &told["trace"]["steps"][0];
    let host = &call["steps"][1];
    let expected = value!({
        "step": "host", "namespace": "env", "name": "int64storageStore", "gasBefore": 99999647, "gasAfter": 99999646,
        "gasUsed": 1, "arguments": {"key": "0x434f554e544552", "value": 2}, "written": {}, "result": 1,
        "steps": [{
            "step": "write", "contract": told["contract"], "key": "0x434f554e544552", "old": "0x01", "new": "0x02",
            "gasUsed": 0,
        }],
    });
    assert_eq!(host, &expected);
    assert_eq!(call["ok"], true);
    assert_eq!(parsed(&implied)["trace"]["steps"][0]["kind"], "call");
}

/// A gas report of the scenarios, as a file.
fn report(folder: &Path, name: &str, more: &[&str]) -> (String, Value) {
    let file = folder.join(name).display().to_string();
    let option = format!("--gas-report={file}");
    scenarios(&[&["tests/scenarios", &option], more].concat());
    let report = parsed(&fs::read_to_string(&file).expect("written"));
    (file, report)
}

#[test]
fn gas_is_reported_by_class_function_and_host_function() {
    let folder = counter();
    let shown = succeeds(folder.path(), &[INCREMENT, &["--gas-report"]].concat());
    let lines: Vec<_> = shown
        .lines()
        .skip_while(|line| !line.starts_with("gas of"))
        .collect();
    let expected = [
        "gas of 1 transactions                      calls           gas    share",
        "  wasm                                                      22    6.1 %",
        "    calls                                                    6    1.7 %",
        "    locals, globals, stack                                   6    1.7 %",
        "    constants                                                5    1.4 %",
        "    control                                                  4    1.1 %",
        "    arithmetic                                               1    0.3 %",
        "  host functions                                             3    0.8 %",
        "  starts                                                   336   93.1 %",
        "contract0.increment                            1           361  100.0 %",
        "  add                                                        9    2.5 %",
        "  write                                                      6    1.7 %",
        "  read                                                       4    1.1 %",
        "  increment                                                  3    0.8 %",
        "  env.int64finish                              1             1    0.3 %",
        "  env.int64storageLoad                         1             1    0.3 %",
        "  env.int64storageStore                        1             1    0.3 %",
    ];
    assert_eq!(lines, expected);
    let (_, report) = report(folder.path(), "a.json", &[]);
    let (outer, inner) = (&report["functions"], |name: &str| {
        let functions = report["functions"].as_array().expect("a list");
        let found = functions
            .iter()
            .find(|function| function["function"] == name);
        found.unwrap_or_else(|| panic!("no {name}")).clone()
    });
    assert!(
        outer
            .as_array()
            .is_some_and(|functions| functions.len() > 5)
    );
    // The callee is in both, and in the caller's own gas it is not.
    let ask = inner("ask");
    assert!(ask["own"].as_u64() < ask["total"].as_u64());
    let classes = report["classes"].as_object().expect("an object").values();
    let sum: i64 = classes.map(|gas| gas.as_i64().expect("a number")).sum();
    assert_eq!(report["total"].as_i64(), Some(sum));
}

#[test]
fn a_report_does_not_depend_on_jobs_and_is_compared() {
    let folder = tempfile::tempdir().expect("a folder");
    let (old, report_of_one) = report(folder.path(), "old.json", &[]);
    let (same, report_of_two) = report(folder.path(), "same.json", &["--jobs", "2"]);
    assert_eq!(report_of_one, report_of_two);
    let told = succeeds(root(), &["gas", "diff", &old, &same]);
    assert!(
        told.ends_with(" changed, 0 by more than +0 %\n") && told.lines().count() == 1,
        "{told}"
    );
    // A function that has become dearer by a tenth.
    let mut dearer = report_of_one.clone();
    let total = dearer["functions"][0]["total"].as_u64().expect("a number");
    dearer["functions"][0]["total"] = (total + total / 10).into();
    let new = folder.path().join("new.json");
    fs::write(&new, dearer.to_string()).expect("written");
    let new = new.display().to_string();
    let output = tool(root(), &["gas", "diff", &old, &new])
        .output()
        .expect("it runs");
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("+10.0 %  above the threshold\n"), "{told}");
    succeeds(root(), &["gas", "diff", &old, &new, "--threshold", "10"]);
    succeeds(root(), &["gas", "diff", &new, &old]);
    let (told, code) = json(root(), &["gas", "diff", &old, &new]);
    assert_eq!((told["within"].as_bool(), code), (Some(false), Some(1)));
    assert_eq!(told["changes"][0]["above"], true);
}

/// Where a contract spends its own gas: by function of its module, with the names that the module has for them.
#[test]
fn a_profile_names_the_functions_of_a_module() {
    let module = r#"(module
        (memory (export "memory") 1)
        (func $square (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
        (func (param i32) (result i32) (call $square (i32.const 3)))
        (func (export "run") (drop (call 1 (call $square (i32.const 2)))))
        (func (export "unused") nop))"#;
    let folder = counter();
    fs::write(folder.path().join("named.wat"), module).expect("written");
    let deploy = ["deploy", "--from", "alice", "--code-path", "named.wat"];
    succeeds(folder.path(), &deploy);
    for more in [&[][..], &["--ipc"]] {
        let call = ["query", "--contract", "contract1", "--function", "run"];
        let files = ["--gas-report=report.json", "--flamegraph=flame.svg"];
        let told = succeeds(folder.path(), &[&call[..], &files, more].concat());
        assert!(told.contains("run: ok"), "{told}");
        let shown = succeeds(
            folder.path(),
            &[&call[..], &["--gas-report"], more].concat(),
        );
        let inner: Vec<_> = { shown.lines() }
            .skip_while(|line| !line.starts_with("contract1.run"))
            .skip(1)
            .collect();
        let expected = [
            "  square                                                     8    6.5 %",
            "  run                                                        5    4.0 %",
            "  func[1]                                                    3    2.4 %",
        ];
        assert_eq!(inner, expected, "{shown}");
        let read = |name| fs::read_to_string(folder.path().join(name)).expect("written");
        let report = parsed(&read("report.json"));
        let expected = value!({"func[1]": 3, "run": 5, "square": 8});
        assert_eq!(report["functions"][0]["wasm"], expected);
        let drawn = read("flame.svg");
        for frame in ["square (8 gas", "run (5 gas", "func[1] (3 gas"] {
            assert!(
                drawn.contains(&format!("<title>{frame}")),
                "{frame}: {drawn}"
            );
        }
    }
}

#[test]
fn a_flame_graph_is_drawn_by_gas() {
    let folder = counter();
    let svg = |arguments: &[&str]| {
        succeeds(
            folder.path(),
            &[arguments, &["--flamegraph", "flame.svg"]].concat(),
        );
        fs::read_to_string(folder.path().join("flame.svg")).expect("written")
    };
    let drawn = svg(INCREMENT);
    assert!(
        drawn.contains("<title>contract0 (361 gas, 100.00%)</title>"),
        "{drawn}"
    );
    for frame in [
        "increment (361 gas",
        "env.int64storageLoad (1 gas",
        "wasm (22 gas",
        "start (336 gas",
    ] {
        assert!(drawn.contains(&format!("<title>{frame}")), "{frame}");
    }
    assert!(drawn.contains("Gas of increment"));
    let query = ["query", "--contract", "contract0", "--function", "get"];
    assert_eq!(svg(&query), svg(&query));
}

/// A child tells what the tool's own process does.
#[test]
fn children_tell_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = |format: &[&str], more: &[&str]| {
        let report = folder.path().join("report.json");
        let graph = folder.path().join("graph.svg");
        let files = [
            format!("--gas-report={}", report.display()),
            format!("--flamegraph={}", graph.display()),
        ];
        let files = [&files[0][..], &files[1]];
        let printed = scenarios(&[&["tests/scenarios"], format, &files[..], more].concat());
        let read = |path: &Path| fs::read_to_string(path).expect("written");
        (printed, read(&report), read(&graph))
    };
    let formats = [
        &["--trace"][..],
        &["--trace=json"],
        &["--trace", "--trace-depth", "1", "--trace-kind", "storage"],
        &[],
    ];
    for format in formats {
        let expected = told(format, &[]);
        assert!(expected.0.contains("storageStore") == (format.len() == 1));
        for more in [&["--ipc"][..], &["--ipc", "--jobs", "2"]] {
            assert_eq!(told(format, more), expected, "{format:?} {more:?}");
        }
    }
}

#[test]
fn what_can_not_be_told_is_refused_and_changes_nothing() {
    let folder = counter();
    let folder = folder.path();
    let before = crate::world::world_file(folder);
    let call = |more: &[&'static str]| [INCREMENT, more].concat();
    refuses(
        folder,
        &call(&["--gas-report=no/x.json"]),
        "can't write no/x.json: No such file",
    );
    refuses(
        folder,
        &call(&["--flamegraph", "no/x.svg"]),
        "can't write no/x.svg: No such file",
    );
    for arguments in [
        &["--trace", "--trace-kind", "hosts"][..],
        &["--trace-kind", "host"],
        &["--trace-depth", "1"],
        &["--trace", "--trace-depth", "-1"],
        &["--trace=xml"],
    ] {
        let output = tool(folder, &call(arguments)).output().expect("it runs");
        assert_eq!(
            (output.status.code(), text(&output.stdout).as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
    }
    assert_eq!(crate::world::world_file(folder), before);
    assert!(!folder.join("x.svg").exists());
}

#[test]
fn a_scenario_that_fails_to_write_its_report_says_so() {
    let output = tool(
        root(),
        &[
            "scenario",
            "tests/scenarios/counter.scen.json",
            "--gas-report=/nothing/x.json",
        ],
    );
    let mut output = { output }.output().expect("it runs");
    assert!(text(&output.stdout).ends_with("1 passed, 0 failed\n"));
    output.stdout.clear();
    is_refused(&output, "can't write /nothing/x.json: No such file");
}

#[test]
fn only_gas_reports_are_compared() {
    let folder = counter();
    let folder = folder.path();
    fs::write(folder.join("bad.json"), "{}").expect("written");
    for (old, expected) in [
        (
            "bad.json",
            "bad.json is not a gas report: its \"format\" is not",
        ),
        ("db/worlds/default.json", "is not a gas report"),
        (
            "counter.wat",
            "counter.wat is not a gas report: expected value at line 1",
        ),
        ("nothing", "can't read nothing: No such file"),
    ] {
        refuses(folder, &["gas", "diff", old, "bad.json"], expected);
    }
    let output = tool(folder, &["gas", "diff", "a", "b", "--threshold", "-1"]).output();
    assert_eq!(output.expect("it runs").status.code(), Some(2));
}
