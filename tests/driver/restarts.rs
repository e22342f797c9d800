//! When a child is started again, and whose time that takes.

use crate::child::SLOW_START;
use crate::output::logged;
use crate::setup::*;
use crate::{end_child, fault};
use arwen::driver::{Blame, Driver, DriverConfig, Fault, StartError};
use nix::sys::signal::Signal;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A program that is a child of one mode after the other.
struct Switch {
    folder: tempfile::TempDir,
}

impl Switch {
    fn new(mode: &str) -> Switch {
        let folder = tempfile::tempdir().expect("a directory");
        let switch = Switch { folder };
        write_script(&switch.program(), r#"exec "$(cat "$0.mode")""#);
        switch.set(mode);
        switch
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("switch")
    }

    fn set(&self, mode: &str) {
        let program = program(mode).display().to_string();
        fs::write(self.program().with_extension("mode"), program).expect("written");
    }

    fn config(&self) -> DriverConfig {
        let mut config = config("child");
        config.binary = Some(self.program());
        config
    }
}

#[test]
fn a_child_that_keeps_dying_is_started_ever_later() {
    for (function, cause) in [
        ("abort", "was ended by SIGABRT"),
        ("nothing", "neither an output nor an error"),
    ] {
        let mut config = config("child");
        // More than a wait of 640 ms and less than one of 2560 ms, each a quarter more or less.
        config.max_loop_time = Duration::from_millis(1400);
        let mut driver = Driver::new(config, Hook::default()).expect("started");
        let mut starts = Vec::new();
        // At once, after 10, 40, 160 and 640 ms; then after 2560 ms, which is too late for the request.
        for _ in 0..7 {
            driver.call(input(function)).expect_err("it breaks");
            starts.push(driver.stats().starts_total);
        }
        assert_eq!(starts, [1, 2, 3, 4, 5, 6, 6], "{function}");
        let error = driver.call(input("ok")).expect_err("not yet");
        assert!(
            matches!(error.fault, Fault::RestartPostponed { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(cause), "{error}");
        assert_eq!(error.blame(), Blame::Restarts);
        assert_eq!(error.exit, None);
        let wait = error.retry_after().expect("it is known");
        // 2.56 s, a quarter more or less.
        assert!(
            wait > Duration::from_secs(1) && wait < Duration::from_secs(4),
            "{wait:?}"
        );
        std::thread::sleep(wait);
        is_served(&mut driver);
        // A request that was served makes good for all.
        fault(&mut driver, function);
        is_served(&mut driver);
    }
}

#[test]
fn requests_that_use_up_their_time_postpone_no_others() {
    let budget = Duration::from_millis(250);
    let mut driver = driver_with_budget(budget);
    for deaths in 1..=8 {
        let start = Instant::now();
        let error = fault(&mut driver, "hang");
        let took = start.elapsed();
        assert!(
            matches!(error.fault, Fault::TimeExpired { budget: whole } if whole == budget),
            "{error}"
        );
        assert!(took >= budget && took < budget + OVERSHOOT, "{took:?}");
        assert_eq!(driver.stats().starts_total, deaths);
    }
    is_served(&mut driver);
}

#[test]
fn a_node_that_fails_postpones_no_requests() {
    let mut driver = driver_with_budget(Duration::from_secs(1));
    driver.hook_mut().fatal = true;
    for _ in 0..8 {
        assert_eq!(fault(&mut driver, "hooks").blame(), Blame::Node);
    }
    is_served(&mut driver);
}

#[test]
fn a_request_has_one_time_for_the_start_and_itself() {
    let budget = Duration::from_millis(250);
    let mut config = config("starts-slowly");
    config.max_loop_time = budget;
    let mut driver = Driver::new(config, Hook::default()).expect("the start has its own time");
    is_served(&mut driver);
    end_child(&driver, Signal::SIGKILL);
    let restarted = Instant::now();
    let mut child = None;
    let mut late = 0;
    loop {
        let start = Instant::now();
        let outcome = driver.call(input("ok"));
        let took = start.elapsed();
        assert!(took < budget + OVERSHOOT, "{took:?}");
        let Err(error) = outcome else { break };
        assert!(took >= budget, "{took:?}");
        assert!(
            matches!(error.fault, Fault::StillStarting { budget: whole } if whole == budget),
            "{error}"
        );
        assert_eq!((error.blame(), error.exit), (Blame::Time, None));
        // It is the same child, which goes on.
        let id = driver.child_id();
        assert!(id.is_some() && (child.is_none() || child == id));
        child = id;
        late += 1;
        assert!(late < 20, "it never starts");
    }
    assert!(restarted.elapsed() >= SLOW_START);
    assert_eq!(driver.child_id(), child);
    assert_eq!(driver.stats().starts_total, 2);
    is_served(&mut driver);
}

#[test]
fn a_start_that_takes_too_long_is_given_up_between_requests_too() {
    let switch = Switch::new("child");
    let mut config = switch.config();
    config.max_loop_time = Duration::from_millis(200);
    config.start_time = Duration::from_millis(700);
    let mut driver = Driver::new(config, Hook::default()).expect("started");
    switch.set("never-answers");
    end_child(&driver, Signal::SIGKILL);
    let start = Instant::now();
    let gave_up = loop {
        let error = fault(&mut driver, "ok");
        match error.fault {
            Fault::StillStarting { .. } => assert!(start.elapsed() < Duration::from_secs(5)),
            _ => break error,
        }
    };
    let budget = Duration::from_millis(700);
    let no_answer = Fault::Start(StartError::NoAnswer { budget });
    assert_eq!(gave_up.fault.to_string(), no_answer.to_string());
    assert!(start.elapsed() >= budget);
    switch.set("child");
    is_served(&mut driver);
}

#[test]
fn a_child_is_heard_to_its_end_when_it_is_closed() {
    let mut driver = None;
    let lines = logged(|| {
        let mut stopping = Driver::new(config("stops-slowly"), Hook::default()).expect("started");
        is_served(&mut stopping);
        stopping.close();
        assert_eq!(stopping.child_id(), None);
        driver = Some(stopping);
    });
    for n in 0..100 {
        for text in [format!("farewell {n} "), format!("\"last word {n}\"")] {
            assert!(lines.iter().any(|line| line.contains(&text)), "{text}");
        }
    }
    assert_eq!(driver.expect("there").stats().log_lines_total, 100);
}

#[test]
fn a_child_that_does_not_stop_is_ended_all_the_same() {
    for mode in ["never-stops", "starts-slowly"] {
        let mut driver = Driver::new(config(mode), Hook::default()).expect("started");
        is_served(&mut driver);
        let id = driver.child_id().expect("a child");
        let start = Instant::now();
        drop(driver);
        let took = start.elapsed();
        assert!(took < Duration::from_millis(500) + OVERSHOOT, "{took:?}");
        assert!(!exists(id));
    }
}
