//! When children are sent pinned code, and when not (docs/spec/wire.md#pin).

use crate::setup::*;
use arwen::driver::{Blame, Driver, DriverConfig, Fault, Pinned};
use bytes::Bytes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

fn start(config: DriverConfig) -> Driver<Hook> {
    Driver::new(config, Hook::default()).expect("started")
}

/// The codes that the child has pinned.
fn pinned(driver: &mut Driver<Hook>) -> Vec<Bytes> {
    call(driver, "pinned")
}

const COMPILING: Pinned = Pinned::Compiling { module_bytes: 9 };

#[test]
fn the_first_child_has_the_codes_of_the_configuration_from_the_start() {
    let mut driver = start(config("pins").pinned(["a", "b", "invalid"]));
    assert_eq!(pinned(&mut driver), ["a", "b"]);
    assert_eq!(driver.pin("c").expect("answered"), COMPILING);
    assert_eq!(driver.pin("a").expect("answered"), COMPILING);
    assert_eq!(driver.unpin(b"b").expect("answered"), Pinned::Unpinned);
    assert_eq!(pinned(&mut driver), ["c", "a"]);
}

#[test]
fn another_child_is_sent_pinned_code_from_its_second_request_on() {
    let mut driver = start(config("pins").pinned(["a", "b"]));
    for code in ["c", "d"] {
        driver.pin(code).expect("answered");
    }
    for code in ["invalid", "large"] {
        let state = driver.pin(code).expect("answered");
        assert!(!state.is_pinned(), "{state}");
    }
    driver.unpin(b"c").expect("answered");
    let child = driver.child_id().expect("it lives");
    kill(Pid::from_raw(child as i32), Signal::SIGKILL).expect("killed");
    while driver.call(input("pinned")).is_err() {}
    assert_ne!(driver.child_id(), Some(child));
    for expected in [&["a"][..], &["a", "b"], &["a", "b", "d"], &["a", "b", "d"]] {
        assert_eq!(pinned(&mut driver), expected);
    }

    // A child that was closed is another one, too. It need not be told of code that it was not sent.
    driver.close();
    assert_eq!(driver.unpin(b"b").expect("no child"), Pinned::Unpinned);
    assert_eq!(driver.child_id(), None);
    assert_eq!(driver.pin("e").expect("answered"), COMPILING);
    for expected in [&["e", "a"][..], &["e", "a", "d"], &["e", "a", "d"]] {
        assert_eq!(pinned(&mut driver), expected);
    }
}

/// Its requests are those without pinned code.
#[test]
fn a_child_that_does_not_know_it_is_sent_nothing() {
    for mode in ["child", "of-the-future"] {
        let mut driver = start(config(mode).pinned(["a", "deadly"]));
        assert_eq!(
            driver.pin("slow").expect("nothing is sent"),
            Pinned::Ignored
        );
        let unpinned = driver.unpin(b"a").expect("nothing is sent");
        assert_eq!(unpinned, Pinned::Ignored);
        for _ in 0..3 {
            assert_eq!(pinned(&mut driver), [""; 0]);
        }
        let stats = driver.stats();
        assert_eq!((stats.requests_total, stats.starts_total), (3, 1));
    }
}

#[test]
fn a_child_that_breaks_over_pinned_code_is_replaced() {
    let mut driver = start(config("pins").max_loop_time(Duration::from_secs(2)));
    driver.pin("a").expect("answered");
    let error = driver.pin("deadly").expect_err("it dies");
    assert!(error.exit.is_some(), "{error}");
    assert_eq!(error.blame(), Blame::Arwen, "{error}");
    // The code was not kept, the other one was.
    for expected in [&[][..], &["a"], &["a"]] {
        assert_eq!(pinned(&mut driver), expected);
    }
    let error = driver.pin("slow").expect_err("it hangs");
    assert_eq!(error.blame(), Blame::Time, "{error}");
    is_served(&mut driver);

    let broken = Driver::new(config("pins").pinned(["a", "deadly"]), Hook::default());
    let error = broken.expect_err("it dies");
    assert!(error.exit.is_some(), "{error}");
    let broken = config("pins").pinned(["slow"]);
    let broken = broken.start_time(Duration::from_secs(2));
    let error = Driver::new(broken, Hook::default()).expect_err("it hangs");
    assert_eq!(error.blame(), Blame::Time, "{error}");
}

#[test]
fn code_that_is_too_long_is_an_error_before_it_is_sent() {
    let config = || config("pins").payload_limit_bytes(4096);
    let long = vec![b'x'; 4096];
    let mut driver = start(config());
    let child = driver.child_id();
    let error = driver.pin(long.clone()).expect_err("it is too long");
    assert!(
        matches!(error.fault, Fault::UnsendableRequest(_)),
        "{error}"
    );
    assert_eq!(error.blame(), Blame::Node);
    assert_eq!(driver.child_id(), child, "it was kept");
    assert_eq!(pinned(&mut driver), [""; 0]);
    let refused = Driver::new(config().pinned([long]), Hook::default());
    let error = refused.expect_err("it is too long");
    assert_eq!(error.blame(), Blame::Node, "{error}");
}
