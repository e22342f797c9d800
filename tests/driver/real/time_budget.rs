//! The rule by which a node chooses the time budget for its block gas limit, measured with the realistic gas schedule.

use super::node::*;
use arwen::driver::{DriverConfig, GAS_PER_MILLISECOND};
use arwen::gas_schedule::GasScheduleFile;
use std::time::Duration;

const SCHEDULE: &str = include_str!("../../../docs/spec/gas_schedule.toml");

/// Enough gas for some ten milliseconds.
const GAS_OF_A_CALL: u64 = 30_000_000;

/// For how long the main thread of a process has been on a core, however many others want it.
fn time_on_core(process: u32) -> Duration {
    let path = format!("/proc/{process}/task/{process}/schedstat");
    let figures = std::fs::read_to_string(path).expect("Linux tells it");
    let nanoseconds = figures.split_whitespace().next();
    Duration::from_nanos(
        nanoseconds
            .and_then(|text| text.parse().ok())
            .expect("a number"),
    )
}

#[test]
fn gas_takes_no_longer_than_the_rule_for_the_time_budget_says() {
    let mut config: DriverConfig = config();
    // A contract gets no more gas than a block has.
    config.arguments.block_gas_limit = GAS_OF_A_CALL;
    let schedule: GasScheduleFile = SCHEDULE.parse().expect("a schedule");
    config.arguments.gas_schedule = schedule.entries;
    let mut node = Node::with_contract(config, include_str!("../../contracts/loops.wat"));
    let child = node.driver.child_id().expect("a child");
    for function in ["empty", "divide", "load", "call"] {
        let mut run = || {
            let before = time_on_core(child);
            let outcome = node.driver.call(call_input(function, GAS_OF_A_CALL));
            let output = outcome.expect("in time").expect("an output");
            assert_eq!(output.gas_remaining, 0, "{function}: {output:?}");
            time_on_core(child) - before
        };
        // The first run may wait for the compiler, and the system may disturb any.
        let fastest = (0..4).map(|_| run()).min().expect("some");
        let allowed = Duration::from_millis(GAS_OF_A_CALL / GAS_PER_MILLISECOND);
        let gas = GAS_OF_A_CALL as f64 / fastest.as_secs_f64() / 1000.0;
        println!("{function}: {gas:.0} units of gas in a millisecond");
        assert!(
            fastest > allowed / 1000,
            "{function} has not run: {fastest:?}"
        );
        assert!(
            fastest < allowed,
            "{function}: {fastest:?}, the rule allows for {allowed:?}"
        );
    }
}

/// Hashes and keys cost the same gas whatever their length. The run ends before the child would have to.
#[test]
fn work_that_gas_does_not_bound_has_a_limit_and_the_child_goes_on() {
    let config = config().max_loop_time(Duration::from_secs(120));
    let mut node = Node::with_contract(config, include_str!("../../contracts/unmetered.wat"));
    let child = node.driver.child_id();
    for function in ["work_sha256", "work_clear_lock", "work_arguments"] {
        let outcome = node.driver.call(call_input(function, u64::MAX / 2));
        let failure = outcome.expect("in time").expect_err("no output");
        assert_eq!(
            failure.to_string(),
            "host fault: host functions take more than 1073741824 steps that gas does not bound",
            "{function}"
        );
        assert_eq!(node.call("short").return_data, [&[32][..]], "{function}");
        assert_eq!(node.driver.child_id(), child, "{function}");
    }
}
