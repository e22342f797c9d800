//! Finding and starting the child: what can be wrong with it is told apart.

use crate::output::logged;
use crate::setup::*;
use arwen::driver::locate::NoProgram;
use arwen::driver::{Blame, Driver, Fault, ProcessEnd, Sandbox, StartError};
use arwen::messages::{Arguments, Format, PROTOCOL_VERSION};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

fn start(binary: PathBuf) -> arwen::driver::CriticalError {
    let mut config = config("child");
    config.binary = Some(binary);
    config.start_time = Duration::from_millis(400);
    let error = Driver::new(config, Hook::default()).expect_err("no child");
    assert_eq!(error.blame(), Blame::Setup, "{error}");
    error
}

#[test]
fn what_can_not_be_a_child_is_told_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("arwen");
    let no_program = |error| Fault::Start(StartError::NoProgram(error));
    is_fault(
        &start(path.clone()),
        &no_program(NoProgram::Missing(path.clone())),
    );
    let here = directory.path().to_owned();
    is_fault(
        &start(here.clone()),
        &no_program(NoProgram::Directory(here)),
    );
    fs::write(&path, "junk").expect("written");
    is_fault(
        &start(path.clone()),
        &no_program(NoProgram::NotExecutable(path.clone())),
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("possible");
    let error = start(path.clone()).to_string();
    assert!(
        error.contains("is no program for this machine: neither"),
        "{error}"
    );
    fs::write(&path, "#!/no/such/program\n").expect("written");
    let text = format!(
        "critical error: cannot start arwen: {} can't be started without its interpreter: \
         /no/such/program does not exist",
        path.display()
    );
    assert_eq!(start(path).to_string(), text);
}

#[test]
fn what_does_not_behave_like_a_child_is_told_apart() {
    let error = start(program("exit-at-start"));
    is_fault(&error, &Fault::Start(StartError::DiedAtOnce));
    assert_eq!(
        error.to_string(),
        "critical error: cannot start arwen: it ended at once (arwen exited with code 7; last words: no room here)"
    );
    let error = start(program("exit-after-init"));
    assert_eq!(error.exit.expect("it ran").end, ProcessEnd::Exited(5));

    let error = start(program("bad-arguments"));
    let text = "Cannot create ArwenPart: no gas schedule";
    is_fault(&error, &Fault::BadArguments(text.to_owned()));

    let started = Instant::now();
    let budget = Duration::from_millis(400);
    let error = start(program("never-answers"));
    is_fault(&error, &Fault::Start(StartError::NoAnswer { budget }));
    assert!(
        started.elapsed() < budget + OVERSHOOT,
        "{:?}",
        started.elapsed()
    );

    let error = start(program("junk")).to_string();
    assert!(error.contains("is it another program?"), "{error}");
    // Ends as soon as it has read its empty standard input.
    let error = start(PathBuf::from("/bin/cat"));
    assert_eq!(error.exit.expect("it ran").end, ProcessEnd::Exited(0));
}

#[test]
fn a_child_that_reports_something_else_than_is_required_is_refused() {
    let refused = |config| {
        let error = Driver::new(config, Hook::default()).expect_err("not what is required");
        assert_eq!(error.blame(), Blame::Setup, "{error}");
        let Fault::Start(StartError::Mismatch(mismatch)) = error.fault else {
            panic!("{error}");
        };
        mismatch.to_string()
    };
    let mut driver = Driver::new(config("of-the-future"), Hook::default()).expect("any will do");
    is_served(&mut driver);
    let ready = driver.ready().expect("it reports");
    assert_eq!(ready.protocol_version, PROTOCOL_VERSION + 1);
    let required = |mode| config(mode).require_protocol_version(PROTOCOL_VERSION);
    assert_eq!(
        refused(required("of-the-future")),
        "the required protocol version is 1, the child has 2"
    );
    assert_eq!(
        refused(required("child")),
        "the required protocol version is 1, the child reports none"
    );
    assert_eq!(
        refused(config("of-the-future").sandbox(Sandbox::Required)),
        "the sandbox is required, the child has no layer: off"
    );
}

/// One line, in which nothing of the child's can move a cursor.
#[test]
fn what_is_in_force_is_logged_at_the_start() {
    let lines = |mode| {
        let lines = logged(|| drop(Driver::new(config(mode), Hook::default()).expect("started")));
        let of_the_start = |line: &String| line.contains("message=arwen is ready");
        lines.into_iter().filter(of_the_start).collect::<Vec<_>>()
    };
    let told = lines("of-the-future").concat();
    for part in [
        "DEBUG arwenDriver:",
        r"version=9.0\u{1b}[2J",
        "protocol=2",
        "sandbox=no layer: off",
    ] {
        assert!(told.contains(part), "{told}");
    }
    let told = lines("child");
    assert!(told[0].contains("reports nothing"), "{told:?}");
    assert_eq!(told.len(), 1);
}

#[cfg(feature = "vm")]
#[test]
fn a_variable_that_the_child_refuses_is_named() {
    const TEST: &str = "start::a_variable_that_the_child_refuses_is_named";
    if !alone(TEST, |command| {
        command.env("ARWEN_WARM_INSTANCES", "many");
    }) {
        return;
    }
    let mut config = config("child");
    config.binary = Some(env!("CARGO_BIN_EXE_arwen").into());
    let error = Driver::new(config, Hook::default()).expect_err("no child");
    assert_eq!(error.blame(), Blame::Setup);
    let text = "critical error: cannot start arwen: arwen: the environment variable ARWEN_WARM_INSTANCES has \
        the bad value \"many\"";
    assert!(error.to_string().starts_with(text), "{error}");
}

#[test]
fn the_binary_is_looked_for_in_the_places_of_the_spec() {
    const TEST: &str = "start::the_binary_is_looked_for_in_the_places_of_the_spec";
    let found = |driver: Result<Driver<Hook>, _>| driver.map(|mut driver| is_served(&mut driver));
    let mut config = arwen::driver::DriverConfig::new(Arguments::default());
    config.max_loop_time = Duration::from_secs(20);
    config.format = Format::Json;
    let directory = tempfile::tempdir().expect("a directory");
    let is_alone = alone(TEST, |command| {
        std::os::unix::fs::symlink(program("child"), directory.path().join("child"))
            .expect("possible");
        command.current_dir(directory.path());
        command.env("ARWEN_PATH", directory.path().join("child"));
    });
    if !is_alone {
        return;
    }
    // ARWEN_PATH; then the file in the current directory, which comes first, and fails.
    found(Driver::new(config.clone(), Hook::default())).expect("a child");
    fs::create_dir("arwen").expect("possible");
    found(Driver::new(config.clone(), Hook::default())).expect("a child");
    fs::remove_dir("arwen").expect("possible");
    fs::write("arwen", "").expect("possible");
    let error = found(Driver::new(config.clone(), Hook::default())).expect_err("not executable");
    assert!(error.to_string().contains("is not executable"), "{error}");
    fs::remove_file("arwen").expect("possible");
    fs::remove_file("child").expect("possible");
    let error = found(Driver::new(config, Hook::default())).expect_err("nothing is there");
    let text = error.to_string();
    assert!(
        text.starts_with("critical error: arwen binary not found; no file at /"),
        "{text}"
    );
    let here = std::env::current_dir().expect("known");
    for place in ["arwen", "child"] {
        assert!(
            text.contains(&here.join(place).display().to_string()),
            "{text}"
        );
    }
}
