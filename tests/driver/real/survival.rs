//! Children that are killed, run out of time, or are not listened to.

use super::node::{Node, call_input, config};
use crate::end_child;
use crate::setup::{OVERSHOOT, alone, holdings, holdings_like};
use arwen::driver::{Blame, Fault, ProcessEnd};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::{Duration, Instant};

const COUNTER: &str = include_str!("../../contracts/counter.wat");
const ENDLESS: &str = r#"(module (memory (export "memory") 1)
    (func (export "spin") (loop (br 0))))"#;

#[test]
fn a_contract_without_end_costs_the_time_budget_and_no_more() {
    let mut config = config();
    let budget = Duration::from_millis(300);
    config.max_loop_time = budget;
    let mut node = Node::with_contract(config, ENDLESS);
    let start = Instant::now();
    let error = node
        .driver
        .call(call_input("spin", u64::MAX))
        .expect_err("it never ends");
    let elapsed = start.elapsed();
    assert!(matches!(error.fault, Fault::TimeExpired { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("critical error: arwen time expired"),
        "{error}"
    );
    assert!(
        elapsed >= budget && elapsed < budget + OVERSHOOT,
        "{elapsed:?}"
    );
    node.driver
        .diagnose_wait(Duration::ZERO)
        .expect("a new child")
        .expect("no failure");
}

#[test]
fn a_child_killed_between_dialogues_is_replaced_unseen() {
    let mut node = Node::with_contract(config(), COUNTER);
    for value in 1..4u8 {
        assert_eq!(node.call("increment").return_data, [&[value][..]]);
        end_child(&node.driver, Signal::SIGKILL);
    }
    assert_eq!(node.call("get").return_data, [&[3][..]]);
    assert_eq!(node.driver.last_exits().len(), 3);
}

#[test]
fn a_child_killed_inside_a_dialogue_costs_that_request() {
    let mut node = Node::with_contract(config(), ENDLESS);
    for _ in 0..5 {
        let victim = Pid::from_raw(node.driver.child_id().expect("a child") as i32);
        let assassin = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            kill(victim, Signal::SIGKILL).expect("it lives");
            Instant::now()
        });
        let error = node
            .driver
            .call(call_input("spin", u64::MAX))
            .expect_err("it is killed");
        let noticed_after = assassin.join().expect("no panic").elapsed();
        assert!(noticed_after < OVERSHOOT, "{noticed_after:?}");
        assert_eq!(error.blame(), Blame::Arwen, "{error}");
        let exit = error.exit.as_ref().expect("it was alive");
        assert_eq!(
            exit.end,
            ProcessEnd::Signalled(Signal::SIGKILL as i32),
            "{error}"
        );
        node.driver
            .diagnose_wait(Duration::ZERO)
            .expect("a new child")
            .expect("no failure");
    }
}

#[test]
fn two_hundred_restarts_leave_nothing_behind() {
    const TEST: &str = "real::survival::two_hundred_restarts_leave_nothing_behind";
    if !alone(TEST, |_| {}) {
        return;
    }
    let before_all = holdings();
    let mut node = Node::with_contract(config(), COUNTER);
    node.call("get");
    let before = holdings();
    for _ in 0..200 {
        node.driver.close();
        node.call("get");
    }
    assert_eq!(holdings_like(&before), before);
    assert_eq!(node.driver.stats().starts_total, 201);
    drop(node);
    assert_eq!(holdings_like(&before_all), before_all);
}
