//! What another thread does with a driver that runs a request; and children that are replaced, or get less.

use crate::setup::*;
use crate::{end_child, fault};
use arwen::driver::{Blame, Driver, Environment, Fault};
use arwen::messages::LogProfile;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

#[test]
fn a_handle_aborts_the_request_that_runs_and_no_other() {
    let mut driver = driver();
    let handle = driver.handle();
    for _ in 0..8 {
        is_served(&mut driver);
        assert!(!handle.abort(), "none runs");
        let child = driver.child_id();
        is_served(&mut driver);
        assert_eq!(driver.child_id(), child, "it was not touched");

        let other = handle.clone();
        let aborting = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            assert!(other.abort());
            Instant::now()
        });
        let error = fault(&mut driver, "hang");
        let took = aborting.join().expect("no panic").elapsed();
        assert!(took < OVERSHOOT, "{took:?}");
        is_fault(&error, &Fault::Aborted);
        assert_eq!(error.blame(), Blame::Aborted);
        assert_eq!(error.retry_after(), None);
    }
    // No child has died by itself, so no start is postponed.
    is_served(&mut driver);
    assert_eq!(driver.stats().starts_total, 9);
    // A child that dies is not one that was aborted.
    end_child(&driver, Signal::SIGKILL);
    let error = fault(&mut driver, "abort");
    assert_eq!(error.blame(), Blame::Arwen, "{error}");
}

#[test]
fn figures_are_seen_from_other_threads_and_after_the_driver() {
    let mut driver = driver();
    let handle = driver.handle();
    for _ in 0..3 {
        is_served(&mut driver);
    }
    fault(&mut driver, "abort");
    let read = |handle: arwen::driver::DriverHandle| (handle.stats(), handle.latencies());
    let of_thread = handle.clone();
    let seen = std::thread::spawn(move || read(of_thread));
    let (stats, latencies) = seen.join().expect("no panic");
    assert_eq!(
        (stats.clone(), latencies.clone()),
        (driver.stats(), driver.latencies())
    );
    assert_eq!((stats.requests_total, stats.critical_errors_total), (4, 1));
    // Those that were answered.
    assert_eq!(latencies.count(), 3);
    assert!(latencies.quantile(0.5) > Duration::ZERO);
    assert!(latencies.longest() >= latencies.quantile(0.5));
    drop(driver);
    assert_eq!(read(handle.clone()).0, stats);
    assert!(!handle.abort(), "there is no child");
}

#[test]
fn a_handle_changes_the_log_profile_while_a_request_runs() {
    let mut driver = driver();
    let handle = driver.handle();
    let profile = |patterns: &str| LogProfile {
        log_level_patterns: patterns.to_owned(),
        ..LogProfile::default()
    };
    handle
        .set_log_profile(profile("*:NOTHING"))
        .expect_err("no level");
    let other = handle.clone();
    let changing = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(50));
        other
            .set_log_profile(profile("*:WARN"))
            .expect("good patterns");
    });
    let has = |driver: &mut Driver<Hook>, patterns: &str| {
        let profile = call(driver, "profile").concat();
        let profile = String::from_utf8(profile).expect("JSON");
        assert!(profile.contains(patterns), "{profile}");
    };
    // In each of these requests the child waits for a profile: that of its start, and then the other thread's.
    has(&mut driver, "*:INFO");
    has(&mut driver, "*:WARN");
    changing.join().expect("no panic");
    // The next child has it from the start.
    fault(&mut driver, "abort");
    has(&mut driver, "*:WARN");
}

#[test]
fn a_child_is_replaced_after_so_many_requests_or_above_so_much_memory() {
    let children = |driver: &mut Driver<Hook>| {
        let ids = (0..6).map(|_| {
            is_served(driver);
            driver.child_id().expect("it lives")
        });
        let mut ids: Vec<_> = ids.collect();
        ids.dedup();
        ids.len()
    };
    let make = |config| Driver::new(config, Hook::default()).expect("started");
    let mut driver = make(config("child").recycle_after_requests(2));
    assert_eq!(children(&mut driver), 3);
    assert_eq!(driver.stats().recycled_total, 2);
    // One that was closed has not died.
    assert_eq!(driver.last_exits().len(), 0);
    let mut driver = make(config("child").recycle_above_bytes(1));
    assert_eq!(children(&mut driver), 6);
    let mut driver = make(config("child").recycle_above_bytes(1 << 40));
    assert_eq!(children(&mut driver), 1);
    assert_eq!(driver.stats().recycled_total, 0);
}

#[test]
fn a_child_gets_no_variables_of_the_node_but_those_that_it_reads() {
    const TEST: &str = "handle::a_child_gets_no_variables_of_the_node_but_those_that_it_reads";
    if !alone(TEST, |command| {
        command.env("NODE_PASSWORD", "secret");
        command.env("ARWEN_INTERPRETER_FUEL", "7");
    }) {
        return;
    }
    let names = |environment| {
        let config = config("child").environment(environment);
        let mut driver = Driver::new(config, Hook::default()).expect("started");
        let names = call(&mut driver, "environment");
        names
            .into_iter()
            .map(|name| String::from_utf8_lossy(&name).into_owned())
            .collect::<Vec<_>>()
    };
    let has = |names: &[String], name: &str| names.iter().any(|known| known == name);
    let scrubbed = names(Environment::Scrubbed);
    assert!(has(&scrubbed, "ARWEN_INTERPRETER_FUEL"), "{scrubbed:?}");
    assert!(has(&scrubbed, "PATH"), "{scrubbed:?}");
    assert!(!has(&scrubbed, "NODE_PASSWORD"), "{scrubbed:?}");
    assert!(has(&names(Environment::OfNode), "NODE_PASSWORD"));
}
