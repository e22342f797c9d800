//! What a newcomer sees first: the example of the README, and what the programs say of themselves.
#![cfg(feature = "tool")]

use nix::libc;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

const ARWEN: &str = env!("CARGO_BIN_EXE_arwen");
const ARWENDEBUG: &str = env!("CARGO_BIN_EXE_arwendebug");

/// How the lines begin that `minimal_node` prints: what a request logs, and then what it returns.
const LINES: [&str; 15] = [
    " INFO arwenDriver: ArwenDriver.startArwen() path=",
    " INFO logLinesSink: Profile change applied. ",
    "TRACE logLinesSink: RunSmartContractCreate begin ",
    "TRACE logLinesSink: performCodeDeploy ",
    "TRACE logLinesSink: RunSmartContractCreate end ",
    "deploy: returned [], used 348 units of gas",
    "TRACE logLinesSink: RunSmartContractCall begin ",
    "TRACE logLinesSink: RunSmartContractCall end ",
    r#"increment: returned [b"\x02"], used 361 units of gas"#,
    "TRACE logLinesSink: RunSmartContractCall begin ",
    "TRACE logLinesSink: RunSmartContractCall end ",
    r#"increment: returned [b"\x03"], used 361 units of gas"#,
    "TRACE logLinesSink: RunSmartContractCall begin ",
    "TRACE logLinesSink: RunSmartContractCall end ",
    r#"increment: returned [b"\x04"], used 361 units of gas"#,
];

/// The example, which `cargo test` builds beside the tests.
fn minimal_node() -> Command {
    let test = std::env::current_exe().expect("known");
    let folder = test.ancestors().nth(2).expect("the folder of the build");
    let example: PathBuf = folder.join("examples/minimal_node");
    assert!(example.is_file(), "cargo build --release --examples");
    let mut command = Command::new(example);
    command.env_remove("NO_COLOR").env("ARWEN_MODULE_CACHE", "");
    command
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

fn without_reader(command: &mut Command) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let command = command.stdout(writer).stderr(Stdio::piped());
    command.output().expect("it runs")
}

#[test]
fn the_example_prints_the_same_every_time() {
    let print = || {
        let output = minimal_node().output().expect("it runs");
        assert_eq!(text(&output.stderr), "");
        text(&output.stdout)
    };
    let first = print();
    let lines: Vec<_> = first.lines().collect();
    assert_eq!(lines.len(), LINES.len(), "{first}");
    for (line, beginning) in lines.iter().zip(LINES) {
        assert!(line.starts_with(beginning), "{line}");
    }
    for run in 1..25 {
        assert_eq!(print(), first, "run {run}");
    }
}

#[test]
fn colours_are_for_terminals() {
    // The test above has none in a pipe.
    let colours = |refused: &str| {
        let (mut reader, terminal) = terminal();
        let mut command = minimal_node();
        command
            .env("NO_COLOR", refused)
            .stdout(terminal)
            .stdin(Stdio::null());
        let mut child = command.spawn().expect("it runs");
        // It holds the other end.
        drop(command);
        let mut printed = Vec::new();
        // At the end of the other side a terminal gives an error.
        let _ = reader.read_to_end(&mut printed);
        assert!(child.wait().expect("a child").success());
        let printed = text(&printed);
        assert!(printed.contains("increment: returned"), "{printed}");
        printed.contains("\x1b[")
    };
    assert!(colours(""));
    assert!(!colours("1"));
}

/// A terminal: the end of the people and the end of the program.
fn terminal() -> (File, OwnedFd) {
    // SAFETY: a call without memory of ours; the number is checked before it is owned.
    #[expect(unsafe_code, reason = "there is no safe function for it here")]
    let people = unsafe {
        let number = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(number >= 0, "no terminal");
        OwnedFd::from_raw_fd(number)
    };
    let mut name = [0; 64];
    // SAFETY: the descriptor is open, and the length is that of the buffer, which is larger than any such name.
    #[expect(unsafe_code, reason = "likewise")]
    let unlocked = unsafe {
        libc::grantpt(people.as_raw_fd())
            | libc::unlockpt(people.as_raw_fd())
            | libc::ptsname_r(people.as_raw_fd(), name.as_mut_ptr(), name.len())
    };
    assert_eq!(unlocked, 0);
    let name = name.map(|character| character as u8);
    let name = std::ffi::CStr::from_bytes_until_nul(&name).expect("a name");
    let name = name.to_str().expect("a path");
    let program = File::options().read(true).write(true).open(name);
    (people.into(), program.expect("opened").into())
}

#[test]
fn programs_know_their_names() {
    for (program, name) in [(ARWEN, "arwen"), (ARWENDEBUG, "arwendebug")] {
        let output = Command::new(program)
            .arg("--version")
            .output()
            .expect("it runs");
        let expected = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(text(&output.stdout), expected);
        let output = Command::new(program)
            .arg("--help")
            .output()
            .expect("it runs");
        let usage = format!("Usage: {name}");
        assert!(text(&output.stdout).contains(&usage), "{output:?}");
        assert!(!output.stdout.contains(&b'\x1b'), "{output:?}");
    }
}

#[test]
fn without_a_reader_programs_end_quietly() {
    let output = without_reader(&mut minimal_node());
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(141));
    for program in [ARWEN, ARWENDEBUG] {
        for argument in ["--help", "--version"] {
            let output = without_reader(Command::new(program).arg(argument));
            assert_eq!(text(&output.stderr), "", "{program} {argument}");
            assert_eq!(output.status.code(), Some(0), "{program} {argument}");
        }
    }
}

/// Exit code and stderr of the child with a variable, started by hand.
fn child_with(variable: &str, value: &str) -> (Option<i32>, String) {
    let mut command = Command::new(ARWEN);
    let output = command.env(variable, value).output().expect("it runs");
    (output.status.code(), text(&output.stderr))
}

#[test]
fn an_empty_variable_is_none_and_a_bad_one_is_named() {
    let number = [
        "ARWEN_MODULE_CACHE_BYTES",
        "ARWEN_MODULE_MEMORY_BYTES",
        "ARWEN_WARM_INSTANCES",
        "ARWEN_WARM_INSTANCE_BYTES",
        "ARWEN_INTERPRETER_FUEL",
    ];
    for variable in number {
        // As far as without it: there are no pipes.
        assert_eq!(child_with(variable, "").0, Some(1), "{variable}");
        assert_eq!(child_with(variable, "7").0, Some(1), "{variable}");
        for (value, reason) in [
            ("many", "invalid digit found in string"),
            ("-1", "invalid digit found in string"),
            (
                "99999999999999999999",
                "number too large to fit in target type",
            ),
        ] {
            let (code, error) = child_with(variable, value);
            let expected = format!(
                "arwen: the environment variable {variable} has the bad value \"{value}\" ({reason}); \
                 allowed is a whole number, or nothing for the default\n"
            );
            assert_eq!((code, error), (Some(5), expected));
        }
    }
    assert_eq!(child_with("ARWEN_MODULE_CACHE", "").0, Some(1));
}

#[test]
fn an_option_wins_over_a_bad_variable_and_is_named_itself() {
    let run = |value: &str| {
        let mut command = Command::new(ARWEN);
        let command = command.args(["--warm-instances", value]);
        let output = command.env("ARWEN_WARM_INSTANCES", "many").output();
        let output = output.expect("it runs");
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(run("7").0, Some(1));
    let (code, error) = run("few");
    assert_eq!(code, Some(5));
    let expected = "error: invalid value 'few' for '--warm-instances <N>'";
    assert!(error.starts_with(expected), "{error}");
}
