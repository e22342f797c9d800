//! Signals that an operator may send to the child.

use super::node::{Node, call_input, config};
use crate::end_child;
use arwen::driver::{ChildExit, ProcessEnd};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::Duration;

const COUNTER: &str = include_str!("../../contracts/counter.wat");
const ENDLESS: &str = r#"(module (memory (export "memory") 1)
    (func (export "spin") (loop (br 0))))"#;

fn child(node: &Node) -> Pid {
    Pid::from_raw(node.driver.child_id().expect("a child") as i32)
}

#[test]
fn some_signals_have_no_effect() {
    let mut node = Node::with_contract(config(), COUNTER);
    let before = child(&node);
    for signal in [
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGIO,
    ] {
        kill(before, signal).expect("it lives");
        node.driver
            .diagnose_wait(Duration::from_millis(20))
            .expect("it lives on")
            .expect("no failure");
    }
    node.call("increment");
    assert_eq!(child(&node), before);
}

/// Whether this process ignores a signal, such as SIGHUP below `nohup`. What it ignores, its children do.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").expect("a process");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = u64::from_str_radix(ignored.expect("a line").trim(), 16).expect("a number");
    ignored >> (signal as i32 - 1) & 1 == 1
}

#[test]
fn a_hang_up_ends_the_child_unless_it_is_ignored() {
    let mut node = Node::with_contract(config(), COUNTER);
    if is_ignored(Signal::SIGHUP) {
        let before = child(&node);
        kill(before, Signal::SIGHUP).expect("it lives");
        node.call("get");
        assert_eq!(child(&node), before);
        return;
    }
    end_child(&node.driver, Signal::SIGHUP);
    node.call("get");
    let exits: Vec<_> = node.driver.last_exits().collect();
    assert_eq!(exits[0].end, ProcessEnd::Signalled(Signal::SIGHUP as i32));
}

fn assert_quit(exit: &ChildExit, expected: &str) {
    assert_eq!(exit.end, ProcessEnd::Exited(2), "{exit}");
    let words = &exit.stderr_tail;
    assert!(words.contains("SIGQUIT: quit\n"), "{words}");
    assert!(words.contains(expected), "{words}");
}

#[test]
fn a_child_says_that_it_waits() {
    let mut node = Node::with_contract(config(), COUNTER);
    // The answer that the driver has may be ahead of the child, which has yet to come back to its loop.
    std::thread::sleep(Duration::from_millis(100));
    end_child(&node.driver, Signal::SIGQUIT);
    node.call("get");
    let exits: Vec<_> = node.driver.last_exits().collect();
    // The driver's first question.
    assert_quit(exits[0], "arwen is waiting for a request, 1 answered");
}

#[test]
fn a_child_says_what_it_runs() {
    let mut node = Node::with_contract(config(), ENDLESS);
    let pid = child(&node);
    let operator = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        kill(pid, Signal::SIGQUIT).expect("it lives");
    });
    let error = node
        .driver
        .call(call_input("spin", u64::MAX))
        .expect_err("it is ended");
    operator.join().expect("no panic");
    let exit = error.exit.as_ref().expect("it was alive");
    assert_quit(
        exit,
        "arwen is running request 2 [kind=ContractCallRequest nonce=1] for 0.",
    );
    let contract = "contract 00000000000000000500636f6e74726163745f5f5f5f5f5f5f5f5f5f5f5f5f5f, function \"spin\"";
    assert_quit(exit, contract);
}
