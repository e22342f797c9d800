//! How the two sides wait for each other changes the speed, and nothing else.

use super::node::{Node, call_input, config};
use crate::end_child;
use arwen::driver::{DriverConfig, Fault};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

const COUNTER: &str = include_str!("../../contracts/counter.wat");
const ENDLESS: &str =
    r#"(module (memory (export "memory") 1) (func (export "spin") (loop $ever (br $ever))))"#;

fn spinning() -> DriverConfig {
    let mut config = config();
    // Longer than any wait of a test.
    config.spin = Some(Duration::from_secs(60));
    config
}

/// What the main thread of this process does: R it runs, S it sleeps.
fn state(process: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it is not reaped");
    let state = stat
        .rsplit(") ")
        .next()
        .and_then(|rest| rest.chars().next());
    state.expect("Linux tells")
}

/// The cores that a process, or `self`, may use.
fn cores(process: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status
        .lines()
        .find(|line| line.starts_with("Cpus_allowed_list"));
    line.expect("Linux tells").to_owned()
}

/// How often the child was seen running while it had nothing to do.
fn times_running(node: &Node) -> usize {
    let child = node.driver.child_id().expect("it runs");
    let look = |_| {
        std::thread::sleep(Duration::from_millis(5));
        state(child) == 'R'
    };
    (0..20).filter(|&i| look(i)).count()
}

fn increments(node: &mut Node) {
    for count in 1..=3 {
        assert_eq!(node.call("increment").return_data, [&[count][..]]);
    }
}

#[test]
fn a_spinning_child_looks_for_the_next_request_and_another_sleeps() {
    let mut node = Node::with_contract(spinning(), COUNTER);
    increments(&mut node);
    assert!(times_running(&node) > 10);
    let mut node = Node::with_contract(config(), COUNTER);
    increments(&mut node);
    assert!(times_running(&node) < 10);
}

#[test]
fn spinning_ends_with_the_time_budget_and_with_the_child() {
    let mut config = spinning();
    config.max_loop_time = Duration::from_millis(300);
    let mut node = Node::with_contract(config, ENDLESS);
    let start = Instant::now();
    let endless = node.driver.call(call_input("spin", u64::MAX));
    let fault = endless.expect_err("it never ends").fault;
    assert!(matches!(fault, Fault::TimeExpired { .. }), "{fault}");
    assert!(start.elapsed() < Duration::from_secs(10));

    let mut node = Node::with_contract(spinning(), COUNTER);
    increments(&mut node);
    end_child(&node.driver, Signal::SIGKILL);
    // The next request finds out, and starts another.
    assert_eq!(node.call("increment").return_data, [&[4][..]]);
}

#[test]
fn a_driver_that_shares_its_core_takes_the_child_there() {
    // On a thread of its own, which stays where it is.
    let shared = std::thread::spawn(|| {
        let mut config = config();
        config.share_core = true;
        let mut node = Node::with_contract(config, COUNTER);
        increments(&mut node);
        let child = node.driver.child_id().expect("it runs").to_string();
        (cores("thread-self"), cores(&child))
    });
    let (thread, child) = shared.join().expect("no panic");
    assert_eq!(thread, child);
    assert!(!thread.contains([',', '-']), "{thread}: one core");
}
