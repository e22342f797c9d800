//! Both formats of messages and log lines through the driver, and what a build without protobuf says.

use super::node::{Node, config};
use arwen::driver::DriverStats;
use arwen::messages::{Format, VmOutput};
use std::time::{Duration, Instant};

const COUNTER: &str = include_str!("../../contracts/counter.wat");

/// Calls the counter while the child logs everything: the output, and the figures once log lines have come.
fn call_and_log(format: Format) -> (VmOutput, DriverStats) {
    let mut config = config();
    config.format = format;
    config.log_profile.log_level_patterns = "*:TRACE".to_owned();
    let mut node = Node::with_contract(config, COUNTER);
    let output = node.call("increment");
    let deadline = Instant::now() + Duration::from_secs(10);
    // What a call logs at least: its request, two hook calls with their answers, its response.
    while node.driver.stats().log_lines_total < 6 {
        assert!(Instant::now() < deadline, "{:?}", node.driver.stats());
        std::thread::yield_now();
    }
    (output, node.driver.stats())
}

#[test]
fn json_is_in_every_build() {
    let (output, stats) = call_and_log(Format::Json);
    assert_eq!(output.return_data, [&[1][..]]);
    let bad = (stats.bad_log_lines_total, stats.dropped_log_bytes_total);
    assert_eq!(bad, (0, 0));
}

#[cfg(feature = "protobuf")]
#[test]
fn protobuf_is_the_default_and_means_the_same() {
    assert_eq!(config().format, Format::Protobuf);
    let (output, stats) = call_and_log(Format::Protobuf);
    let (mut expected, _) = call_and_log(Format::Json);
    // JSON has text for keys; the bytes stand in the values.
    for account in &mut expected.output_accounts {
        account.key = account.value.as_ref().expect("an account").address.clone();
    }
    assert_eq!(output, expected);
    let bad = (stats.bad_log_lines_total, stats.dropped_log_bytes_total);
    assert_eq!(bad, (0, 0));
}

#[cfg(not(feature = "protobuf"))]
#[test]
fn protobuf_is_refused_at_the_start_of_a_driver_without_it() {
    use arwen::driver::{Blame, Driver, Fault};
    use arwen::messages::UnsupportedMarshalizer;

    let mut config = config();
    assert_eq!(config.format, Format::Json);
    config.format = Format::Protobuf;
    let error = Driver::new(config, super::node::world()).expect_err("not in this build");
    assert!(matches!(
        error.fault,
        Fault::UnsupportedFormat(UnsupportedMarshalizer::Protobuf)
    ));
    assert_eq!(error.blame(), Blame::Setup);
    assert_eq!(error.exit, None);
    assert_eq!(
        error.to_string(),
        "critical error: bad arguments passed to arwen: marshalizer 2 (protobuf) is not in this build; \
         build with --features protobuf or use 0 (JSON)"
    );
}
