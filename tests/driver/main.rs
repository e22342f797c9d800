//! The driver with a real child over real pipes. The child is this test program itself, see `child.rs`; in `real/` it is
//! the program `arwen`.

mod child;
#[cfg(feature = "vm")]
#[path = "../common/mod.rs"]
mod common;
mod handle;
mod output;
mod pins;
#[cfg(feature = "vm")]
mod real;
mod restarts;
mod setup;
mod start;

use arwen::driver::{Blame, ChildExit, CriticalError, Driver, DriverConfig, Fault, ProcessEnd};
use arwen::hooks::BlockchainHook;
use arwen::messages::*;
use bytes::Bytes;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use setup::*;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::time::{Duration, Instant};

/// Not a test: what the child runs.
#[test]
fn a_child_when_told_so() {
    if let Ok(mode) = std::env::var(child::MODE) {
        child::run(&mode);
    }
}

/// A call that ends with a critical error; the error.
fn fault(driver: &mut Driver<Hook>, function: &str) -> CriticalError {
    driver.call(input(function)).expect_err(function)
}

fn signal<H: BlockchainHook>(driver: &Driver<H>, signal: Signal) -> u32 {
    let id = driver.child_id().expect("a child");
    kill(Pid::from_raw(id.try_into().expect("a process")), signal).expect("alive");
    id
}

/// Sends a signal that ends the child, and waits until all of it has ended; the driver still has to reap it.
fn end_child<H: BlockchainHook>(driver: &Driver<H>, killer: Signal) {
    let id = signal(driver, killer);
    let id = Id::Pid(Pid::from_raw(id as i32));
    waitid(id, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("a child");
}

/// With the user and the group that this process has: every node may start a child as these.
fn as_own_user(config: DriverConfig) -> DriverConfig {
    let own = std::fs::metadata("/proc/self").expect("there");
    config.user(own.uid(), own.gid())
}

/// How the last child ended.
fn last_exit(driver: &Driver<Hook>) -> ChildExit {
    driver.last_exits().last().expect("one died").clone()
}

#[test]
fn deploys_calls_and_hooks() {
    let mut driver = driver();
    let code = Bytes::from_static(b"\0asm");
    let create = ContractCreateInput {
        contract_code: code.clone(),
        ..ContractCreateInput::default()
    };
    let deployed = driver.deploy(create).expect("no critical error");
    assert_eq!(deployed.expect("no failure").return_data, [code]);
    assert_eq!(
        call(&mut driver, "hooks"),
        ["me.key", "0", "not in this test"]
    );
    let waited = Instant::now();
    let answer = driver.diagnose_wait(Duration::from_millis(20));
    answer.expect("no critical error").expect("waited");
    assert!(waited.elapsed() >= Duration::from_millis(20));
    let stats = driver.stats();
    assert_eq!(
        (
            stats.requests_total,
            stats.hook_calls_total,
            stats.starts_total
        ),
        (3, 2, 1)
    );
    assert_eq!(driver.last_exits().len(), 0);
}

#[test]
fn outcomes_of_contracts_are_no_critical_errors() {
    let mut driver = driver();
    let failure = driver.call(input("vm-fails")).expect("an answer");
    assert_eq!(failure.expect_err("of the VM").0, "out of ideas");
    let output = driver.call(input("bad-code")).expect("an answer");
    assert_eq!(output.expect("an output").return_code, 4);
    assert_eq!(driver.stats().starts_total, 1);
    let error = fault(&mut driver, "nothing");
    let text = "critical error: bad message from arwen: neither an output nor an error";
    assert!(error.to_string().starts_with(text), "{error}");
    is_served(&mut driver);
}

#[test]
fn a_child_that_breaks_the_protocol_costs_one_request() {
    let mut driver = driver();
    for (function, text) in [
        ("wrong-nonce", "invalid dialogue nonce"),
        (
            "garbage",
            "bad message from arwen: a frame of kind 2880154539 announces",
        ),
        ("not-json", "bad message from arwen: ContractResponse: "),
        (
            "huge-length",
            "bad message from arwen: a frame of kind 5 announces a payload of 4294967295",
        ),
    ] {
        let start = Instant::now();
        let error = fault(&mut driver, function);
        assert!(
            error
                .to_string()
                .starts_with(&format!("critical error: {text}")),
            "{error}"
        );
        assert_eq!(error.blame(), Blame::Arwen);
        assert_eq!(error.exit.expect("it was alive").end, ProcessEnd::Killed);
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{function} took its time"
        );
        is_served(&mut driver);
    }
    assert_eq!(driver.last_exits().len(), 3);
}

#[test]
fn how_a_child_died_is_told() {
    let mut driver = driver();
    let error = fault(&mut driver, "torn");
    assert_eq!(
        error.to_string(),
        "critical error: arwen closed: unexpected EOF: the stream ended after 1 of 200 payload bytes \
         (arwen exited with code 101; last words: thread 'main' panicked: out of luck)"
    );
    is_served(&mut driver);
    let error = fault(&mut driver, "abort");
    let text = "critical error: arwen closed: EOF (arwen was ended by SIGABRT";
    assert!(error.to_string().starts_with(text), "{error}");
    is_served(&mut driver);
    let ends: Vec<_> = driver.last_exits().map(|exit| exit.end).collect();
    assert_eq!(ends, [ProcessEnd::Exited(101), ProcessEnd::Signalled(6)]);
    assert_eq!(driver.stats().critical_errors_total, 2);
}

#[test]
fn a_child_killed_between_two_requests_costs_none() {
    let mut driver = driver();
    for killer in [Signal::SIGKILL, Signal::SIGTERM] {
        end_child(&driver, killer);
        is_served(&mut driver);
        let exit = last_exit(&driver);
        assert_eq!(exit.end, ProcessEnd::Signalled(killer as i32));
        assert_eq!(exit.cause, "arwen closed: it ended between two requests");
    }
    assert_eq!(driver.stats().critical_errors_total, 0);
}

#[test]
fn a_child_killed_inside_a_dialogue_is_noticed_at_once() {
    let mut driver = driver();
    let id = driver.child_id().expect("a child");
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        kill(Pid::from_raw(id as i32), Signal::SIGKILL).expect("alive");
        Instant::now()
    });
    let error = fault(&mut driver, "hang");
    let noticed = killer.join().expect("no panic").elapsed();
    assert!(noticed < OVERSHOOT, "{noticed:?}");
    assert_eq!(error.fault.to_string(), "arwen closed: EOF");
    assert_eq!(error.exit.expect("a child").end, ProcessEnd::Signalled(9));
    is_served(&mut driver);
}

#[test]
fn the_budget_holds_whatever_the_child_does() {
    let budget = Duration::from_millis(300);
    let mut driver = driver_with_budget(budget);
    let mut expires = |prepare: &dyn Fn(&mut Driver<Hook>), input: ContractCallInput| {
        prepare(&mut driver);
        let start = Instant::now();
        let error = driver.call(input).expect_err("no answer");
        let took = start.elapsed();
        is_fault(&error, &Fault::TimeExpired { budget });
        let text = "critical error: arwen time expired";
        assert!(error.to_string().starts_with(text), "{error}");
        assert_eq!(error.blame(), Blame::Time);
        assert_eq!(error.retry_after(), None);
        assert!(took >= budget && took < budget + OVERSHOOT, "{took:?}");
        assert_eq!(error.exit.expect("a child").end, ProcessEnd::Killed);
        is_served(&mut driver);
    };
    let nothing = |_: &mut Driver<Hook>| {};
    for function in ["hang", "busy", "endless-hooks"] {
        expires(&nothing, input(function));
    }
    let stop = |driver: &mut Driver<Hook>| {
        let id = signal(driver, Signal::SIGSTOP);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_stopped(id) {
            assert!(Instant::now() < deadline, "never stopped");
            std::thread::yield_now();
        }
    };
    expires(&stop, input("ok"));
    // A request that fills the pipe.
    let mut large = input("ok");
    let arguments = vec![Bytes::from(vec![1; 1 << 20])];
    large.input.get_or_insert_default().arguments = arguments;
    let stop_reading = |driver: &mut Driver<Hook>| {
        assert!(call(driver, "never-read-again").is_empty());
    };
    expires(&stop_reading, large.clone());
    expires(&stop, large);
}

#[test]
fn what_nobody_asked_for_is_not_taken_for_an_answer() {
    let mut driver = driver();
    let cause = "bad message from arwen: a message that nobody asked for";
    // Read together with the answer; and later, when it is there for sure.
    for function in ["twice", "once-more"] {
        let id = driver.child_id();
        assert!(call(&mut driver, function).is_empty());
        if function == "once-more" {
            output::lines_become(&driver, 1);
        }
        is_served(&mut driver);
        assert_ne!(driver.child_id(), id);
        assert_eq!(last_exit(&driver).cause, cause);
    }
    assert_eq!(driver.stats().critical_errors_total, 0);
}

#[test]
fn a_hook_without_an_answer_ends_the_dialogue() {
    let mut driver = driver();
    driver.hook_mut().fatal = true;
    let error = fault(&mut driver, "hooks");
    assert!(
        error.to_string().starts_with("critical error: hook failed"),
        "{error}"
    );
    let hook_error = error.hook_error().expect("it is the hook's");
    assert_eq!(hook_error.to_string(), "the database is gone");
    assert_eq!(error.blame(), Blame::Node);
    driver.hook_mut().fatal = false;
    is_served(&mut driver);

    driver.hook_mut().panics = true;
    let id = driver.child_id().expect("a child");
    let panicked = catch_unwind(AssertUnwindSafe(|| driver.call(input("hooks"))));
    assert!(panicked.is_err());
    assert!(!exists(id), "the child is left over");
    driver.hook_mut().panics = false;
    is_served(&mut driver);
}

#[test]
fn nothing_is_left_behind() {
    if !alone("nothing_is_left_behind", |_| {}) {
        return;
    }
    drop(driver());
    let before = holdings();
    let mut driver = driver();
    let with_child = holdings();
    for _ in 0..200 {
        end_child(&driver, Signal::SIGKILL);
        is_served(&mut driver);
    }
    assert_eq!(driver.stats().starts_total, 201);
    assert_eq!(holdings_like(&with_child), with_child);
    driver.close();
    assert_eq!(holdings_like(&before), before);
    is_served(&mut driver);
    drop(driver);
    assert_eq!(holdings_like(&before), before);
    for mode in ["exit-at-start", "exit-after-init", "junk"] {
        let result = Driver::new(config(mode), Hook::default());
        assert!(result.is_err(), "{mode}");
    }
    assert_eq!(holdings_like(&before), before);
}

#[test]
fn a_child_inherits_nothing_but_its_pipes() {
    if !alone("a_child_inherits_nothing_but_its_pipes", |_| {}) {
        return;
    }
    // The node has descriptors that it forgot to mark, low and high.
    let leaks: Vec<_> = (0..10)
        .map(|_| nix::unistd::dup(std::io::stdin()).expect("room"))
        .collect();
    // The last number is that of the directory that is being listed.
    let fds = ["[0, 1, 2, 3, 4, 5, 6, 7, 8]"];
    let mut driver = driver();
    assert_eq!(call(&mut driver, "fds"), fds);
    // As a user, even the node's own, it is started in another way.
    let mut of_user = Driver::new(as_own_user(config("child")), Hook::default()).expect("started");
    assert_eq!(call(&mut of_user, "fds"), fds);
    drop(of_user);
    // So it is when the numbers of the pipes are free in the node.
    drop(leaks);
    // What else the node starts gets no pipe of the driver, or it would keep it open.
    let listed = || {
        Command::new("ls")
            .arg("/proc/self/fd")
            .output()
            .expect("started")
            .stdout
    };
    let with_driver = listed();
    drop(driver);
    assert_eq!(listed(), with_driver);
}

#[test]
fn signals_that_the_node_blocks_reach_the_child() {
    let mut blocked = SigSet::empty();
    blocked.add(Signal::SIGTERM);
    // Of this thread only.
    blocked.thread_block().expect("a signal");
    for config in [config("child"), as_own_user(config("child"))] {
        let mut driver = Driver::new(config, Hook::default()).expect("started");
        assert_eq!(call(&mut driver, "blocked-signals"), ["0000000000000000"]);
    }
    blocked.thread_unblock().expect("a signal");
}

#[test]
fn a_driver_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let driver = driver();
    is_send(&driver);
    std::thread::spawn(move || {
        let mut driver = driver;
        is_served(&mut driver);
    })
    .join()
    .expect("no panic");
}

#[test]
fn formats_and_limits_are_the_configured_ones() {
    let mut config: DriverConfig = config("child");
    config.payload_limit_bytes = 200;
    let mut driver = Driver::new(config, Hook::default()).expect("started");
    let large = ContractCreateInput {
        contract_code: vec![0; 1000].into(),
        ..ContractCreateInput::default()
    };
    let error = driver.deploy(large).expect_err("the answer is too long");
    assert!(error.to_string().contains("the limit is 200"), "{error}");
}
