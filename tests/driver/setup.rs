//! Drivers whose child is this test program, and what the tests look at.

use crate::child::MODE;
use arwen::driver::{CriticalError, Driver, DriverConfig, Fault};
use arwen::hooks::{BlockchainHook, HookError, HookResult};
use arwen::messages::*;
use bytes::Bytes;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// That this is what went wrong. The errors of hooks can't be compared, but their texts.
pub fn is_fault(error: &CriticalError, fault: &Fault) {
    assert_eq!(format!("{:?}", error.fault), format!("{fault:?}"));
}

/// How much longer than its budget a request may take, on a machine that is busy with other tests and other programs. Less than any
/// budget here, so that a request that takes twice its budget is noticed. The example `soak` measures how long it takes.
pub const OVERSHOOT: Duration = Duration::from_millis(240);

/// The environment variable that says that a test has its process to itself.
const ALONE: &str = "ARWEN_TEST_ALONE";

/// A directory with a script that starts this program as a child, under any name; the name is the mode.
static SCRIPTS: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a directory");
    let script = directory.path().join("script");
    let program = std::env::current_exe().expect("known");
    let text = format!(
        "{MODE}=${{0##*/}} exec '{}' --exact a_child_when_told_so --nocapture -q",
        program.display()
    );
    write_script(&script, &text);
    directory
});

/// Writes a shell script with this line. Another process does it: a child that another test starts meanwhile would inherit
/// the open file, and a file that is open for writing can't be executed.
pub fn write_script(path: &Path, line: &str) {
    let writer = r##"printf '#!/bin/sh\n%s\n' "$1" >"$0" && chmod 700 "$0""##;
    let mut shell = Command::new("sh");
    let status = shell.args(["-c", writer]).arg(path).arg(line).status();
    assert!(status.expect("a shell").success());
}

/// The path of a program that is a child of this mode.
pub fn program(mode: &str) -> PathBuf {
    let path = SCRIPTS.path().join(mode);
    // Tests in parallel want the same one.
    let _ = symlink(SCRIPTS.path().join("script"), &path);
    path
}

pub fn config(mode: &str) -> DriverConfig {
    let mut config = DriverConfig::new(Arguments::default());
    config.binary = Some(program(mode));
    // The child sends some messages byte by byte.
    config.format = Format::Json;
    config.max_loop_time = Duration::from_secs(20);
    config
}

pub fn driver() -> Driver<Hook> {
    Driver::new(config("child"), Hook::default()).expect("started")
}

/// A driver with a short time budget.
pub fn driver_with_budget(budget: Duration) -> Driver<Hook> {
    let mut config = config("child");
    config.max_loop_time = budget;
    Driver::new(config, Hook::default()).expect("started")
}

/// What the child is to do.
pub fn input(function: &str) -> ContractCallInput {
    ContractCallInput {
        function: function.to_owned(),
        ..ContractCallInput::default()
    }
}

/// A call that succeeds; what the child returns.
pub fn call(driver: &mut Driver<Hook>, function: &str) -> Vec<Bytes> {
    let outcome = driver.call(input(function)).expect("no critical error");
    outcome.expect("no failure of the VM").return_data
}

pub fn is_served(driver: &mut Driver<Hook>) {
    assert_eq!(call(driver, "ok"), ["*"]);
}

/// A node that knows one value.
#[derive(Debug, Default)]
pub struct Hook {
    pub fatal: bool,
    pub panics: bool,
}

fn refused<T>() -> HookResult<T> {
    Err(HookError::refused("not in this test"))
}

impl BlockchainHook for Hook {
    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        assert!(!self.panics, "the hook panics");
        if self.fatal {
            return Err(HookError::Fatal("the database is gone".into()));
        }
        Ok(Some([address, b".", key].concat().into()))
    }
    fn new_address(&mut self, _: &[u8], _: u64, _: &[u8]) -> HookResult<Bytes> {
        refused()
    }
    fn block_hash(&mut self, _: u64) -> HookResult<Bytes> {
        refused()
    }
    fn last_nonce(&mut self) -> HookResult<u64> {
        refused()
    }
    fn last_round(&mut self) -> HookResult<u64> {
        refused()
    }
    fn last_time_stamp(&mut self) -> HookResult<u64> {
        refused()
    }
    fn last_random_seed(&mut self) -> HookResult<Bytes> {
        refused()
    }
    fn last_epoch(&mut self) -> HookResult<u32> {
        refused()
    }
    fn state_root_hash(&mut self) -> HookResult<Bytes> {
        refused()
    }
    fn current_nonce(&mut self) -> HookResult<u64> {
        refused()
    }
    fn current_round(&mut self) -> HookResult<u64> {
        refused()
    }
    fn current_time_stamp(&mut self) -> HookResult<u64> {
        refused()
    }
    fn current_random_seed(&mut self) -> HookResult<Bytes> {
        refused()
    }
    fn current_epoch(&mut self) -> HookResult<u32> {
        refused()
    }
    fn process_builtin_function(&mut self, _: &ContractCallInput) -> HookResult<Option<VmOutput>> {
        refused()
    }
    fn builtin_function_names(&mut self) -> HookResult<Vec<Bytes>> {
        refused()
    }
    fn all_state(&mut self, _: &[u8]) -> HookResult<Vec<StorageDataEntry>> {
        refused()
    }
    fn user_account(&mut self, _: &[u8]) -> HookResult<Option<Account>> {
        refused()
    }
    fn shard_of_address(&mut self, _: &[u8]) -> HookResult<u32> {
        refused()
    }
    fn is_smart_contract(&mut self, _: &[u8]) -> HookResult<bool> {
        refused()
    }
}

/// Runs a test in a process of its own, for what it measures of the process; `prepare` sets the process up. True in that
/// process.
pub fn alone(test: &str, prepare: impl FnOnce(&mut Command)) -> bool {
    if std::env::var_os(ALONE).is_some_and(|name| name == test) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().expect("known"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(ALONE, test);
    prepare(&mut command);
    let output = command.output().expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(text.contains("1 passed"), "{text}");
    false
}

/// What a process holds that could leak.
#[derive(Debug, PartialEq, Eq)]
pub struct Holdings {
    pub descriptors: usize,
    pub threads: usize,
    pub children: usize,
}

pub fn holdings() -> Holdings {
    let count = |path: &str| fs::read_dir(path).expect("there").count();
    Holdings {
        descriptors: count("/proc/self/fd"),
        threads: count("/proc/self/task"),
        children: children(),
    }
}

/// What the process holds as soon as that is `expected`, or else after two seconds: a thread that was joined can be seen for
/// a moment longer.
pub fn holdings_like(expected: &Holdings) -> Holdings {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let found = holdings();
        if found == *expected || Instant::now() > deadline {
            return found;
        }
        std::thread::yield_now();
    }
}

/// Children of this process, zombies included.
fn children() -> usize {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").expect("there");
    let parents = processes.filter_map(|entry| {
        let stat = fs::read_to_string(entry.ok()?.path().join("stat")).ok()?;
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_whitespace().nth(1).map(str::to_owned)
    });
    parents.filter(|parent| *parent == own).count()
}

/// Whether there is such a process, perhaps as a zombie.
pub fn exists(id: u32) -> bool {
    Path::new("/proc").join(id.to_string()).exists()
}

/// Whether all threads of a process are stopped.
pub fn is_stopped(id: u32) -> bool {
    let tasks = Path::new("/proc").join(id.to_string()).join("task");
    fs::read_dir(tasks).expect("there").all(|task| {
        let stat = fs::read_to_string(task.expect("an entry").path().join("stat"));
        let stat = stat.unwrap_or_default();
        stat.rsplit_once(')')
            .is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    })
}

/// The memory of this process, in bytes.
pub fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("there");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kibibytes.expect("a number") << 10
}
