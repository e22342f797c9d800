//! `arwendebug replay` and `arwendebug dialogue`, with recordings of the Go child and of our driver.

use super::{is_refused, json, refuses, root, succeeds, text, tool};
use arwen::driver::{DiskCache, Driver, DriverConfig};
use arwen::internal::scenario::{Account, SharedWorld};
use arwen::messages::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/dialogues.rs"]
mod dialogues;

const ARWEN: &str = env!("CARGO_BIN_EXE_arwen");
const COUNTER: &str = include_str!("../contracts/counter.wat");

/// The recorded lives of Go children as files of JSON lines; their names, in order. `change` may change the lines.
fn lines_of_go(folder: &Path, change: impl Fn(&str, Vec<String>) -> Vec<String>) -> Vec<String> {
    let mut names = Vec::new();
    for (name, rows) in dialogues::recordings() {
        let lines = rows.into_iter().map(|row| {
            let dir = if row.from_node {
                "node->arwen"
            } else {
                "arwen->node"
            };
            let (kind, payload) = (row.kind, row.payload);
            format!(r#"{{"dir":"{dir}","kind":{kind},"payload":{payload}}}"#)
        });
        let lines = change(name, lines.collect());
        let name = format!("{name}.jsonl");
        fs::write(folder.join(&name), lines.join("\n")).expect("writable");
        names.push(name);
    }
    names
}

/// Records calls of a counter; the recording.
fn recording(folder: &Path, calls: u64) -> PathBuf {
    let world: SharedWorld = common::world();
    let mut account = Account::default();
    account.set_code(wat::parse_str(COUNTER).expect("valid wat").into());
    world.lock().accounts.insert(common::CONTRACT, account);
    let mut config = DriverConfig::new(common::arguments(10_000_000)).binary(ARWEN);
    config = config
        .disk_cache(DiskCache::Off)
        .record(folder.join("recordings"));
    let mut driver = Driver::new(config, world.clone()).expect("the child starts");
    for _ in 0..calls {
        let input = ContractCallInput {
            input: Some(VmInput {
                caller_addr: common::USER,
                call_value: Some(BigInt::default()),
                gas_provided: 1_000_000,
                ..VmInput::default()
            }),
            recipient_addr: common::CONTRACT,
            function: "increment".to_owned(),
        };
        let output = driver.call(input).expect("no error").expect("no failure");
        let applied = world
            .lock()
            .apply(Some(&common::USER), &0u8.into(), &output);
        applied.expect("a consistent output");
    }
    drop(driver);
    let mut files = fs::read_dir(folder.join("recordings")).expect("there");
    files.next().expect("one").expect("an entry").path()
}

fn replay(folder: &Path, files: &[impl AsRef<str>], options: &[&str]) -> Output {
    let mut command = tool(folder, &["replay", "--binary", ARWEN]);
    command.args(files.iter().map(AsRef::as_ref)).args(options);
    command.output().expect("it runs")
}

/// The lines of results without times, and the summary.
fn results(output: &Output) -> (Vec<serde_json::Value>, serde_json::Value) {
    let told = text(&output.stdout);
    let lines = told
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let mut lines: Vec<serde_json::Value> = lines.collect();
    let summary = lines.pop().expect("the last line");
    for line in &mut lines {
        let line = line.as_object_mut().expect("an object");
        line.remove("micros").expect("times");
    }
    (lines, summary["summary"].clone())
}

#[test]
fn all_that_the_go_child_has_said_is_said_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = lines_of_go(folder.path(), |_, lines| lines);
    let output = replay(folder.path(), &files, &["--jobs", "2", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (lines, summary) = results(&output);
    assert_eq!(lines.len(), 78);
    assert_eq!(
        (&summary["dialogues"], &summary["same"]),
        (&78.into(), &78.into())
    );
    assert_eq!(summary["gas"]["recorded"], summary["gas"]["found"]);
    // And with each format of this build.
    for format in ["json", "protobuf"] {
        let output = replay(folder.path(), &files, &["--format", format]);
        match cfg!(feature = "protobuf") || format == "json" {
            true => {
                let told = text(&output.stdout);
                assert!(
                    told.starts_with("78 dialogues: 78 same, 0 different"),
                    "{told}"
                );
            }
            false => is_refused(&output, "build with --features protobuf"),
        }
    }
}

#[test]
fn the_shares_are_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = lines_of_go(folder.path(), |_, lines| lines);
    let whole = replay(folder.path(), &files, &["--json"]);
    let (mut whole_lines, whole_summary) = results(&whole);
    let mut shares = Vec::new();
    let mut names = Vec::new();
    for share in ["1/3", "2/3", "3/3"] {
        let output = replay(folder.path(), &files, &["--json", "--shard", share]);
        shares.extend(results(&output).0);
        let name = format!("{}.jsonl.result", &share[..1]);
        fs::write(folder.path().join(&name), &output.stdout).expect("writable");
        names.push(name);
    }
    let order = |line: &serde_json::Value| (line["file"].to_string(), line["dialogue"].as_u64());
    whole_lines.sort_by_key(order);
    shares.sort_by_key(order);
    assert_eq!(shares, whole_lines);
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    fn merge<'a>(names: &[&'a str]) -> Vec<&'a str> {
        [&["replay", "merge"], names].concat()
    }
    let (merged, code) = json(folder.path(), &merge(&names));
    assert_eq!((&merged["summary"], code), (&whole_summary, Some(0)));
    refuses(
        folder.path(),
        &merge(&names[..2]),
        "the share 3/3 is missing",
    );
    refuses(
        folder.path(),
        &merge(&[names[0], names[0], names[1]]),
        "is there twice",
    );
    refuses(folder.path(), &merge(&["counter.jsonl"]), "No such file");
    refuses(
        folder.path(),
        &merge(&[files[0].as_str()]),
        "is not a line of",
    );
}

#[test]
fn what_is_not_as_recorded_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let changed: BTreeMap<_, (&str, &str)> = BTreeMap::from([
        (
            "allhooks.current",
            (r#""GasRemaining":99998311"#, r#""GasRemaining":99998312"#),
        ),
        // The node has answered a question that the child does not ask.
        (
            "allhooks.divzero",
            (
                r#""kind":40,"payload":{"DialogueNonce":2,"Kind":40,"ErrorMessage":"","Address":"Y2Fs"#,
                r#""kind":40,"payload":{"DialogueNonce":2,"Kind":40,"ErrorMessage":"","Address":"Y2Ft"#,
            ),
        ),
    ]);
    let files = lines_of_go(folder.path(), |name, mut lines| {
        if let Some((from, to)) = changed.get(name) {
            assert!(
                lines.iter().any(|line| line.contains(from)),
                "{name}: {lines:#?}"
            );
            lines
                .iter_mut()
                .for_each(|line| *line = line.replace(from, to));
        }
        lines
    });
    let output = replay(folder.path(), &files, &[]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), String::new())
    );
    let told = text(&output.stdout);
    let expected = "different allhooks.current.jsonl, dialogue 2: ContractCallRequest current\n  \
        VMOutput.GasRemaining: recorded 99998312, found 99998311\n";
    assert!(told.contains(expected), "{told}");
    assert!(
        told.contains("different allhooks.divzero.jsonl, dialogue 1: ContractDeployRequest\n"),
        "{told}"
    );
    assert!(
        told.contains(
            "\n  hook call 1: recorded not asked, found BlockchainGetUserAccountRequest {"
        ),
        "{told}"
    );
    assert!(
        told.contains("78 dialogues: 76 same, 2 different, 0 failed, 0 skipped"),
        "{told}"
    );
}

#[test]
fn what_our_driver_recorded_is_replayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = recording(folder.path(), 20);
    let name = file.to_str().expect("text");
    let output = replay(folder.path(), &[name], &["--jobs", "2", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let (lines, summary) = results(&output);
    assert_eq!(
        (&summary["same"], &summary["hook_calls"]["found"]),
        (&20.into(), &40.into())
    );
    assert_eq!(lines[7]["function"], "increment");
    assert_eq!(lines[7]["dialogue"], 8);

    // Cut short: what is whole is replayed, and the cut is told.
    let whole = fs::read(&file).expect("readable");
    let cut = folder.path().join("cut.rec.gz");
    fs::write(&cut, &whole[..whole.len() - 200]).expect("writable");
    let output = replay(folder.path(), &["cut.rec.gz"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let (told, error) = (text(&output.stdout), text(&output.stderr));
    assert!(told.contains(" 0 different, 0 failed, 0 skipped"), "{told}");
    assert!(
        error.starts_with("arwendebug: cut.rec.gz: it is cut short"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_child_that_does_not_answer_fails_one_dialogue() {
    let folder = tempfile::tempdir().expect("a folder");
    let wait = |milliseconds: u32| {
        format!(
            r#"{{"dir":"node->arwen","kind":46,"payload":{{"Kind":46,"Milliseconds":{milliseconds}}}}}
            {{"dir":"arwen->node","kind":47,"payload":{{"Kind":47}}}}"#
        )
    };
    let (_, rows) = &dialogues::recordings()[0];
    let initialize = format!(
        r#"{{"dir":"node->arwen","kind":1,"payload":{}}}"#,
        rows[0].payload
    );
    let lines = [initialize, wait(1), wait(30_000), wait(2)].join("\n");
    fs::write(folder.path().join("waits.jsonl"), lines).expect("writable");
    let output = replay(folder.path(), &["waits.jsonl"], &["--time-limit", "1"]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), String::new())
    );
    let told = text(&output.stdout);
    assert!(
        told.starts_with("failed waits.jsonl, dialogue 2: DiagnoseWaitRequest\n"),
        "{told}"
    );
    assert!(told.contains("arwen time expired"), "{told}");
    assert!(
        told.contains("3 dialogues: 2 same, 0 different, 1 failed, 0 skipped"),
        "{told}"
    );
}

/// Nothing waits for ever when there is more to play than is played.
#[test]
fn a_replay_that_can_not_go_on_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = lines_of_go(folder.path(), |_, lines| lines);
    let mut command = tool(folder.path(), &["replay", "--binary", "/bin/false"]);
    let output = command.args(&files).output().expect("it runs");
    is_refused(&output, "cannot start arwen: it ended at once");
    let mut command = tool(folder.path(), &["replay", "--json", "--binary", ARWEN]);
    let mut closed = command
        .args(&files)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(closed.stdout.take());
    assert_eq!(closed.wait().expect("it ends").code(), Some(141));
}

#[test]
fn bad_recordings_and_options_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    fs::write(folder.join("text"), "hello").expect("writable");
    fs::write(folder.join("empty"), "").expect("writable");
    fs::write(folder.join("line.jsonl"), "{\"dir\":\"up\"}\n").expect("writable");
    let code =
        r#"{"dir":"node->arwen","kind":3,"payload":{"CreateInput":{"ContractCode":"@a/b.wasm"}}}"#;
    fs::write(folder.join("code.jsonl"), code).expect("writable");
    let call = r#"{"dir":"node->arwen","kind":4,"payload":{}}"#;
    fs::write(folder.join("call.jsonl"), call).expect("writable");
    for (file, expected) in [
        ("nothing", "can't read nothing: No such file"),
        ("line.jsonl", "line.jsonl, line 1: it has no dir, which is"),
        (
            "code.jsonl",
            "line 1: the code is that of the file \"a/b.wasm\"; --contracts FOLDER",
        ),
        ("text", "text: it is not a recording"),
        ("empty", "empty: it is not a recording"),
    ] {
        refuses(
            folder,
            &["dialogue", "html", file, "-o", "page.html"],
            expected,
        );
        assert!(!folder.join("page.html").exists(), "{file}");
        let output = tool(folder, &["replay", file]).output().expect("it runs");
        assert_eq!(output.status.code(), Some(2));
        assert!(
            text(&output.stderr).contains(expected),
            "{}",
            text(&output.stderr)
        );
    }
    let output = tool(folder, &["replay", "call.jsonl"])
        .output()
        .expect("it runs");
    assert!(
        text(&output.stderr).contains("no Initialize stands before"),
        "{}",
        text(&output.stderr)
    );
    let output = tool(folder, &["replay", "x", "--shard", "4/3"]).output();
    let output = output.expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("is not a share"),
        "{}",
        text(&output.stderr)
    );
    let file = recording(folder, 1);
    let name = file.to_str().expect("text");
    refuses(
        folder,
        &["replay", "--binary", "no/such/program", name],
        "no/such/program",
    );
    refuses(
        folder,
        &["dialogue", "html", name, "-o", "no/folder/page"],
        "can't write no/folder/page",
    );
}

#[test]
fn a_recording_is_shown_as_text() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = recording(folder.path(), 2);
    let name = file.to_str().expect("text");
    let told = succeeds(folder.path(), &["dialogue", "show", name]);
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with("child "), "{told}");
    let (titles, frames): (Vec<&str>, Vec<&str>) = lines
        .iter()
        .copied()
        .partition(|line: &&str| line.starts_with("dialogue "));
    assert_eq!(titles.len(), 2, "{told}");
    assert!(titles[1].ends_with(": increment"), "{told}");
    let calls = frames
        .iter()
        .filter(|line| line.contains("< #6   ContractResponse ("))
        .count();
    assert_eq!(calls, 2, "{told}");
    assert!(
        lines
            .last()
            .expect("some")
            .contains("the driver has closed it"),
        "{told}"
    );
    let whole = succeeds(folder.path(), &["dialogue", "show", name, "--whole"]);
    assert!(whole.len() > told.len() && whole.lines().count() == lines.len());
}

#[test]
fn commands_record_what_is_replayed() {
    let folder = super::world::counter();
    let folder = folder.path();
    let record = ["--ipc", "--record", "recordings"];
    succeeds(folder, &[super::world::INCREMENT, &record].concat());
    let query = ["query", "--contract", "contract0", "--function", "get"];
    succeeds(folder, &[&query[..], &record].concat());
    let scenario = root().join("tests/scenarios/counter.scen.json");
    let scenario = ["scenario", scenario.to_str().expect("text")];
    succeeds(folder, &[&scenario[..], &record].concat());
    let files = fs::read_dir(folder.join("recordings")).expect("there");
    let files = files.map(|file| file.expect("a file").path().display().to_string());
    let files: Vec<String> = files.collect();
    assert_eq!(files.len(), 3);
    let output = replay(folder, &files, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let (_, summary) = results(&output);
    assert!(
        summary["dialogues"].as_u64().expect("a number") > 3,
        "{summary}"
    );
    assert_eq!(summary["dialogues"], summary["same"]);
    let output = tool(
        folder,
        &[super::world::INCREMENT, &["--record", "x"]].concat(),
    );
    let output = { output }.output().expect("it runs");
    assert!(text(&output.stderr).contains("--ipc"), "{output:?}");
    assert!(!folder.join("x").exists());
    refuses(
        folder,
        &[
            super::world::INCREMENT,
            &["--ipc", "--record", "counter.wat/x"],
        ]
        .concat(),
        "counter.wat/x",
    );
}

/// The browser that the page is tried in: that of ARWEN_BROWSER, which must be there, or chromium if it is.
pub fn browser() -> Option<String> {
    if let Ok(browser) = std::env::var("ARWEN_BROWSER") {
        return Some(browser);
    }
    let version = Command::new("chromium").arg("--version").output();
    version.is_ok().then(|| "chromium".to_owned())
}

/// The page as the browser has made it.
fn rendered(browser: &str, folder: &Path, place: &str) -> String {
    let page = format!("file://{}/{place}", folder.display());
    let profile = format!("--user-data-dir={}/profile", folder.display());
    let options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"];
    let output = Command::new(browser)
        .args(options)
        .args([&profile, &page])
        .output();
    let output = output.expect("the browser runs");
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_page_has_the_recording_and_shows_it_in_a_browser() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    // A name that would be an element.
    let hostile = "<img src=x onerror=alert(1)></script>.jsonl".replace('/', "");
    let line = r#"{"dir":"node->arwen","kind":4,"payload":{"DialogueNonce":1,"CallInput":{"Function":"</script><b>bold</b>"}}}"#;
    fs::write(folder.join(&hostile), line).expect("writable");
    succeeds(
        folder,
        &["dialogue", "html", &hostile, "-o", "hostile.html"],
    );
    let page = fs::read_to_string(folder.join("hostile.html")).expect("written");
    assert!(!page.contains("<b>bold") && !page.contains("<img"));
    assert_eq!(page.matches("</script>").count(), 2);
    let file = recording(folder, 3);
    let name = file.to_str().expect("text");
    succeeds(folder, &["dialogue", "html", name, "-o", "page.html"]);
    let page = fs::read_to_string(folder.join("page.html")).expect("written");
    for external in ["http:", "https:", " src=", "@import", "url("] {
        assert!(!page.contains(external), "{external}");
    }

    let Some(browser) = browser() else {
        println!("no browser: ARWEN_BROWSER names one");
        return;
    };
    let shown = rendered(&browser, folder, "page.html");
    assert!(
        shown.contains(r#"<span id="count" role="status">3 dialogues</span>"#),
        "{shown}"
    );
    assert_eq!(shown.matches(r#"class="dialogue""#).count(), 5);
    // A search that comes with the link unfolds what it finds.
    let found = rendered(&browser, folder, "page.html#gasremaining");
    assert!(found.contains(r#"role="status">3 of 3</span>"#), "{found}");
    assert_eq!(found.matches("<mark>GasRemaining</mark>").count(), 3);
    let hostile = rendered(&browser, folder, "hostile.html");
    assert!(
        hostile.contains("&lt;/script&gt;&lt;b&gt;bold"),
        "{hostile}"
    );
}
