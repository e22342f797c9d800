//! Limits and user of a real child, compared with what the system says of it; and what happens where they are reached.

use super::node::{GAS, Node, call_input, config, world};
use super::ready::{limit, proc};
use crate::end_child;
use crate::setup::{alone, write_script};
use arwen::driver::{
    Blame, ChildLimits, Driver, DriverConfig, Fault, Mismatch, ProcessEnd, Sandbox, StartError,
};
use nix::sys::signal::Signal;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const COUNTER: &str = include_str!("../../contracts/counter.wat");

/// Asks for 3 GiB, in a memory that may have them; `touch` writes into each page of 512 MiB.
const HUGE: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "grow")
    (if (i32.lt_s (memory.grow (i32.const 49152)) (i32.const 0)) (then unreachable)))
  (func (export "touch")
    (local $at i32)
    (if (i32.lt_s (memory.grow (i32.const 8192)) (i32.const 0)) (then unreachable))
    (loop $more
      (i32.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $more (i32.lt_u (local.get $at) (i32.const 536870912)))))
  (func (export "small")))"#;

const GIBIBYTE: u64 = 1 << 30;

/// A user that owns nothing here.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    fs::metadata("/proc/self").expect("there").uid() == 0
}

fn addresses(bytes: u64) -> ChildLimits {
    ChildLimits::default().address_space_bytes(bytes)
}

/// The child that is started with these variables.
fn child_with(folder: &Path, variables: &str) -> PathBuf {
    let path = folder.join("arwen");
    let child = env!("CARGO_BIN_EXE_arwen");
    write_script(&path, &format!("{variables} exec '{child}'"));
    path
}

#[test]
fn the_addresses_of_a_child_are_limited() {
    let bytes = 8 * GIBIBYTE;
    let is_limited = |config: DriverConfig| {
        let mut node = Node::with_contract(config, COUNTER);
        assert_eq!(
            limit(&node.driver, "Max address space"),
            [bytes.to_string(), bytes.to_string()]
        );
        let reported = node.driver.ready().and_then(|ready| ready.limits);
        assert_eq!(reported.expect("limits").address_space_bytes, bytes);
        assert_eq!(node.call("increment").return_data, [&[1][..]]);
    };
    is_limited(config().limits(addresses(bytes)));
    is_limited(config().limits(addresses(bytes)).sandbox(Sandbox::Off));
    // As a node with another driver does it.
    let folder = tempfile::tempdir().expect("a folder");
    let variable = format!("ARWEN_ADDRESS_SPACE_BYTES={bytes}");
    is_limited(config().binary(child_with(folder.path(), &variable)));
}

#[test]
fn a_child_without_the_limit_that_it_is_to_have_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = child_with(folder.path(), "ARWEN_ADDRESS_SPACE_BYTES=");
    let config = config().binary(path).limits(addresses(1 << 50));
    let error = Driver::new(config, world()).expect_err("it has no limit");
    assert_eq!(error.blame(), Blame::Setup, "{error}");
    let Fault::Start(StartError::Mismatch(Mismatch::AddressSpace { required, reported })) =
        error.fault
    else {
        panic!("{error}");
    };
    // The tests may run under a limit themselves, but not under this one.
    assert_eq!(required, 1 << 50);
    assert_eq!(reported, Some(0));
}

/// The machine is to blame, not the contract, and the next request is served.
#[test]
fn a_contract_that_needs_more_addresses_than_there_are_ends_the_child() {
    // Growing by so much takes a busy machine a while.
    let patient = || config().max_loop_time(Duration::from_secs(120));
    let mut node = Node::with_contract(patient().limits(addresses(2 * GIBIBYTE)), HUGE);
    node.call("small");
    let error = node.driver.call(call_input("grow", GAS));
    let error = error.expect_err("3 GiB are not there");
    assert_eq!(error.blame(), Blame::Machine, "{error}");
    let exit = error.exit.expect("the child ended");
    assert_eq!(exit.end, ProcessEnd::Exited(4));
    assert!(!exit.out_of_memory);
    node.call("small");
    // With more of them the same call succeeds.
    let mut node = Node::with_contract(patient().limits(addresses(8 * GIBIBYTE)), HUGE);
    node.call("grow");
}

#[test]
fn a_child_that_can_not_start_for_lack_of_addresses_is_not_a_broken_one() {
    let error = Driver::new(config().limits(addresses(1 << 20)), world());
    let error = error.expect_err("a megabyte is not enough");
    assert_eq!(error.blame(), Blame::Machine, "{error}");
}

#[test]
fn the_kernel_ends_a_child_as_readily_as_the_driver_says() {
    let limits = |adjustment| ChildLimits::default().oom_score_adj(adjustment);
    let own = fs::read_to_string("/proc/self/oom_score_adj").expect("there");
    let node = Node::with_contract(config(), COUNTER);
    assert_eq!(proc(&node.driver, "oom_score_adj"), own);
    let mut node = Node::with_contract(config().limits(limits(999)), COUNTER);
    assert_eq!(proc(&node.driver, "oom_score_adj"), "999\n");
    assert_eq!(node.call("increment").return_data, [&[1][..]]);

    let error = Driver::new(config().limits(limits(1001)), world()).expect_err("too much");
    assert_eq!(error.blame(), Blame::Setup, "{error}");
    let text = "critical error: cannot start arwen: its oom_score_adj can't be 1001: ";
    assert!(error.to_string().starts_with(text), "{error}");
}

/// A copy of the child that every user may execute, in a folder that every user may enter. Another process writes it; see
/// [`write_script`].
fn child_for_all(folder: &Path) -> PathBuf {
    let path = folder.join("arwen");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("a folder of ours");
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_arwen"))
        .arg(&path)
        .status();
    assert!(copied.expect("there is cp").success());
    path
}

fn line<'a>(status: &'a str, name: &str) -> Vec<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.expect("Linux has it").split_whitespace().collect()
}

#[test]
fn a_child_runs_as_the_user_that_it_is_to_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = addresses(8 * GIBIBYTE).oom_score_adj(500);
    let config = config().binary(child_for_all(folder.path())).limits(limits);
    let started = Driver::new(config.clone().user(NOBODY, NOBODY - 1), world());
    if !is_root() {
        let error = started.expect_err("only root may");
        let Fault::Start(StartError::User {
            uid,
            gid,
            ref error,
        }) = error.fault
        else {
            panic!("{error}");
        };
        assert_eq!((uid, gid), (NOBODY, NOBODY - 1));
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        return;
    }
    drop(started.expect("root may"));
    let config = config.user(NOBODY, NOBODY - 1).sandbox(Sandbox::BestEffort);
    let mut node = Node::with_contract(config, COUNTER);
    assert_eq!(node.call("increment").return_data, [&[1][..]]);
    let status = proc(&node.driver, "status");
    assert_eq!(line(&status, "Uid:"), ["65534"; 4]);
    assert_eq!(line(&status, "Gid:"), ["65533"; 4]);
    assert_eq!(line(&status, "Groups:"), [""; 0]);
    assert_eq!(line(&status, "CapEff:"), ["0000000000000000"]);
    assert_eq!(proc(&node.driver, "oom_score_adj"), "500\n");
    assert_eq!(
        limit(&node.driver, "Max address space"),
        ["8589934592", "8589934592"]
    );
    // It is restarted as the same user, and ended like any other.
    end_child(&node.driver, Signal::SIGKILL);
    assert_eq!(node.call("increment").return_data, [&[2][..]]);
    assert_eq!(line(&proc(&node.driver, "status"), "Uid:"), ["65534"; 4]);
}

#[test]
fn a_user_that_can_not_execute_the_program_is_named() {
    if !is_root() {
        // Then no other user is possible at all, which another test shows.
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = child_with(folder.path(), "");
    let config = config().binary(path).user(NOBODY, NOBODY);
    let error = Driver::new(config, world()).expect_err("the folder is root's alone");
    assert_eq!(error.blame(), Blame::Setup, "{error}");
    let text = "critical error: cannot start arwen as user 65534, group 65534: Permission denied";
    assert!(error.to_string().starts_with(text), "{error}");
}

/// A control group with less memory than the contract touches, if this process may make one.
fn small_group() -> Option<PathBuf> {
    let groups = fs::read_to_string("/proc/self/cgroup").expect("Linux has it");
    let own = groups
        .lines()
        .find_map(|line| line.split_once(":memory:"))?
        .1;
    let group = Path::new("/sys/fs/cgroup/memory")
        .join(own.trim_start_matches('/'))
        .join(format!("arwen-test-{}", std::process::id()));
    fs::create_dir(&group).ok()?;
    let limited = fs::write(group.join("memory.limit_in_bytes"), "268435456");
    limited
        .and_then(|()| fs::write(group.join("cgroup.procs"), std::process::id().to_string()))
        .ok()?;
    Some(group)
}

/// A SIGKILL is a lack of memory only where the kernel says so.
#[test]
fn a_child_that_is_killed_for_lack_of_memory_is_told_apart() {
    const TEST: &str = "real::limits::a_child_that_is_killed_for_lack_of_memory_is_told_apart";
    if !alone(TEST, |_| {}) {
        return;
    }
    let group = small_group();
    let limits = ChildLimits::default().oom_score_adj(1000);
    let patient = config().max_loop_time(Duration::from_secs(120));
    let mut node = Node::with_contract(patient.limits(limits), HUGE);
    end_child(&node.driver, Signal::SIGKILL);
    node.call("small");
    let exit = node.driver.last_exits().last().expect("it was killed");
    assert_eq!(exit.end, ProcessEnd::Signalled(9));
    assert!(!exit.out_of_memory, "{exit}");

    let Some(group) = group else {
        println!("no control group can be made here: the rest is left to src/driver/oom.rs");
        return;
    };
    let error = node.driver.call(call_input("touch", 1_000_000_000));
    let error = error.expect_err("more memory than there is");
    assert_eq!(error.blame(), Blame::Machine, "{error}");
    let exit = error.exit.as_ref().expect("it was killed");
    assert_eq!(exit.end, ProcessEnd::Signalled(9), "{error}");
    assert!(exit.out_of_memory, "{error}");
    let text = "was ended by SIGKILL, as the control group lacked memory";
    assert!(error.to_string().contains(text), "{error}");
    node.call("small");
    drop(node);
    // Back, so that the group can be removed.
    let parent = group.parent().expect("it has one");
    fs::write(parent.join("cgroup.procs"), std::process::id().to_string()).expect("ours");
    fs::remove_dir(&group).expect("empty");
}
