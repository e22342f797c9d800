//! What the child says besides its answers: never in the way, never too much.
//!
//! `ARWEN_FLOODS=64 cargo test --release --test driver floods` floods the driver 64 times, with 138 MiB each.

use crate::child::{FLOOD_BYTES, FLOOD_LINES, LONG_LINE_BYTES};
use crate::setup::*;
use arwen::driver::{Driver, ProfileError};
use arwen::messages::LogProfile;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

/// Keeps all events, as `LEVEL logger: field=value ...`.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Memory {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!(" {}={value:?}", field.name()));
            }
        }
        let metadata = event.metadata();
        let mut text = Text(format!("{} {}:", metadata.level(), metadata.target()));
        event.record(&mut text);
        self.0.lock().expect("no panic").push(text.0);
    }
}

/// Runs with a subscriber; what was logged.
pub fn logged(run: impl FnOnce()) -> Vec<String> {
    let memory = Memory::default();
    let subscriber = tracing_subscriber::registry().with(memory.clone());
    tracing::subscriber::with_default(subscriber, run);
    std::mem::take(&mut *memory.0.lock().expect("no panic"))
}

fn profile(patterns: &str) -> LogProfile {
    LogProfile {
        log_level_patterns: patterns.to_owned(),
        ..LogProfile::default()
    }
}

/// The log line counter soon has this value.
pub fn lines_become(driver: &Driver<Hook>, lines: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while driver.stats().log_lines_total != lines {
        let stats = driver.stats();
        assert!(Instant::now() < deadline, "never {lines} lines: {stats:?}");
        std::thread::yield_now();
    }
}

#[test]
fn floods_are_read_and_counted_and_take_no_memory() {
    if !alone(
        "output::floods_are_read_and_counted_and_take_no_memory",
        |_| {},
    ) {
        return;
    }
    let floods = std::env::var("ARWEN_FLOODS").map_or(1, |floods| {
        floods.parse().expect("ARWEN_FLOODS is a number")
    });
    let mut driver = driver();
    is_served(&mut driver);
    let before = resident_bytes();
    for _ in 0..floods {
        is_flooded(&mut driver);
    }
    let grown = resident_bytes() - before;
    assert!(grown < 8 << 20, "{grown} bytes more");
    let dropped = driver.stats().dropped_text_bytes_total;
    assert!(dropped as usize > FLOOD_BYTES, "{dropped}");
    // The end of stderr is the one that is kept.
    let error = driver.call(input("abort")).expect_err("it dies");
    let tail = error.exit.expect("a child").stderr_tail;
    assert!(tail.ends_with("xxx\nthe end of the flood\n"), "{tail}");
    assert_eq!(tail.len(), arwen::driver::STDERR_TAIL_BYTES);
}

fn is_flooded(driver: &mut Driver<Hook>) {
    assert_eq!(call(driver, "flood"), ["*"]);
}

#[test]
fn stdout_and_stderr_are_log_lines_of_the_node() {
    let lines = logged(|| {
        let mut driver = driver();
        is_flooded(&mut driver);
    });
    let shown: usize = lines.iter().map(String::len).sum();
    assert!(shown < FLOOD_BYTES / 4, "{shown} bytes shown");
    let f = "f".repeat(99);
    for expected in [
        format!("TRACE textOutputSink: message=arwen line=\"{f}\""),
        format!("ERROR textOutputSink: message=arwen line=\"{f}\""),
    ] {
        assert!(lines.contains(&expected), "{expected}");
    }
    let told = lines
        .iter()
        .any(|line| line.contains("text of arwen dropped"));
    assert!(told, "nothing said about what was dropped");
    assert!(lines.iter().all(|line| line.len() < LONG_LINE_BYTES / 100));
}

#[test]
fn log_lines_keep_their_level_and_logger() {
    let lines = logged(|| {
        let mut driver = driver();
        call(&mut driver, "log-recorded");
        lines_become(&driver, 25);
        // The reader goes on behind lines that it can't read.
        call(&mut driver, "log-recorded");
        lines_become(&driver, 50);
        assert!(driver.stats().bad_log_lines_total > 3);
    });
    for expected in [
        "INFO logLinesSink: message=an info line logger=\"arwen/host\" args=n = 42, ok = true",
        "WARN logLinesSink: message=a warning logger=\"arwen/host\" args=err = boom <&>",
        "TRACE logLinesSink: message=a trace line logger=\"arwen/host\" args=",
    ] {
        assert!(
            lines.iter().any(|line| line == expected),
            "{expected} in {lines:#?}"
        );
    }
}

#[test]
fn what_was_said_before_an_answer_is_shown_before_it() {
    let mut expected: Vec<String> = Vec::new();
    expected.push("TRACE textOutputSink: message=arwen line=\"word\"".to_owned());
    expected.push("ERROR textOutputSink: message=arwen line=\"word\"".to_owned());
    for n in 0..10 {
        let line = format!("INFO logLinesSink: message=line {n} logger=\"\" args=");
        expected.push(line);
    }
    let lines = logged(|| {
        let mut driver = driver();
        for n in 0..200 {
            call(&mut driver, "says-it-first");
            tracing::info!("answer {n}");
        }
    });
    let is_said = |line: &&String| line.contains("\"word\"") || line.contains("message=line ");
    let mut calls = lines.split(|line| line.contains("answer"));
    for n in 0..200 {
        let call = calls.next().expect("as many as there were answers");
        let mut said: Vec<_> = call.iter().filter(is_said).cloned().collect();
        // Of each stream in order; of the three in any.
        said.sort_by_key(|line| line.contains("logLinesSink"));
        said[..2].sort_by_key(|line| line.starts_with("ERROR"));
        assert_eq!(said, expected, "call {n}");
    }
}

#[test]
fn control_bytes_of_a_child_reach_no_terminal() {
    let lines = logged(|| {
        let mut driver = driver();
        let failure = driver.call(input("control-bytes")).expect("an answer");
        let failure = failure.expect_err("of the VM");
        assert_eq!(failure.0, "\x1b[0m");
        assert_eq!(failure.to_string(), "\\u{1b}[0m");
        let error = driver.call(input("dies-with-control-bytes"));
        let error = error.expect_err("it dies");
        let text = "last words: last \\u{1b}[5m words)";
        assert!(error.to_string().ends_with(text), "{error}");
    });
    for expected in [
        r#"INFO logLinesSink: message=\u{1b}[2J logger="\\u{7}" args=k = \u{9b}"#,
        r#"ERROR textOutputSink: message=arwen line="\\u{1b}]0;title\\u{7}""#,
        r#"TRACE textOutputSink: message=arwen line="\\u{1b}[31m\\rred""#,
    ] {
        assert!(lines.iter().any(|line| line == expected), "{lines:#?}");
    }
    let is_clean = |line: &String| !line.contains(char::is_control);
    assert!(lines.iter().all(is_clean), "{lines:#?}");
}

#[test]
fn a_flood_of_log_lines_delays_nothing_else() {
    let mut driver = driver();
    assert_eq!(call(&mut driver, "log-flood"), ["*"]);
    lines_become(&driver, FLOOD_LINES as u64);
    assert_eq!(call(&mut driver, "log-garbage"), ["*"]);
    is_served(&mut driver);
    assert_eq!(call(&mut driver, "log-flood"), ["*"]);
    let stats = driver.stats();
    assert!(stats.dropped_log_bytes_total > 1 << 19, "{stats:?}");
    assert_eq!(stats.starts_total, 1);
}

#[test]
fn a_log_profile_reaches_this_child_and_the_next() {
    let mut driver = driver();
    let first = r#"{"LogLevelPatterns":"*:INFO","WithCorrelation":false,"WithLoggerName":false}"#;
    assert_eq!(call(&mut driver, "profile"), [first]);
    driver
        .set_log_profile(profile("*:TRACE"))
        .expect("a good profile");
    let second = first.replace("INFO", "TRACE");
    assert_eq!(call(&mut driver, "profile"), [second.as_str()]);
    let error = driver.set_log_profile(profile("loud"));
    assert!(matches!(error, Err(ProfileError::Patterns(_))));
    driver.close();
    assert_eq!(call(&mut driver, "profile"), [second.as_str()]);
}

#[test]
fn a_child_that_reads_no_profiles_blocks_nothing() {
    let mut driver = driver();
    let long = format!("*:INFO{}", ",arwen:INFO".repeat(300));
    let start = Instant::now();
    for _ in 0..100 {
        driver
            .set_log_profile(profile(&long))
            .expect("a good profile");
    }
    driver
        .set_log_profile(profile("*:WARN"))
        .expect("a good profile");
    is_served(&mut driver);
    assert!(start.elapsed() < Duration::from_secs(5));
    // As soon as it reads, it gets the last one, too.
    let expected =
        r#"{"LogLevelPatterns":"*:WARN","WithCorrelation":false,"WithLoggerName":false}"#;
    let is_last = |driver: &mut Driver<Hook>| call(driver, "profile") == [expected];
    assert!((0..100).any(|_| is_last(&mut driver)));
}
