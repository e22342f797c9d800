//! Values that are long, and values that are too long: the same over pipes, in both formats, as in one process.

use super::node::{CONTRACT, Node, arguments, call_input, config, wasm, world};
use arwen::driver::{Blame, DriverConfig, Fault, VmFailure};
use arwen::internal::scenario::Account;
use arwen::internal::vm::{Vm, VmParameters};
use arwen::machine::Machine as _;
use arwen::messages::{ContractCallInput, Format};
use std::time::Duration;

const LARGE: &str = include_str!("../../contracts/large.wat");

/// Enough for every call here: a byte costs 1.
const GAS: u64 = 10_000_000_000;

/// Time for what takes a while on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn formats() -> impl Iterator<Item = Format> {
    let formats = [Format::Json, Format::Protobuf].into_iter();
    formats.filter(|format| format.check().is_ok())
}

fn limited(format: Format, payload_limit_bytes: u32) -> DriverConfig {
    let mut config = config();
    config.format = format;
    config.payload_limit_bytes = payload_limit_bytes;
    config
}

fn call(function: &str, length: u32) -> ContractCallInput {
    let mut input = call_input(function, GAS);
    let argument = u64::from(length).to_be_bytes().to_vec();
    input.input.as_mut().expect("there is one").arguments = vec![argument.into()];
    input
}

/// A VM in this process with the contract.
fn in_process(payload_limit_bytes: u32) -> Vm {
    let mut arguments = arguments();
    arguments.payload_limit_bytes = payload_limit_bytes;
    let world = world();
    let mut account = Account::default();
    account.set_code(wasm(LARGE));
    world.lock().accounts.insert(CONTRACT, account);
    Vm::new(VmParameters::from(&arguments), Box::new(world)).expect("good arguments")
}

/// The most memory that a process has taken, in MiB.
fn peak_mib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.expect("Linux tells").parse::<u64>().expect("a number") / 1024
}

#[test]
fn sixty_megabytes_are_returned_in_either_format() {
    for format in formats() {
        let mut config = config();
        config.format = format;
        let mut node = Node::with_contract(config, LARGE);
        let outcome = node.driver.call(call("return", 60_000_000));
        let output = outcome.expect("in time").expect("an output");
        assert_eq!((output.return_code, output.return_data.len()), (0, 1));
        assert_eq!(output.return_data[0].len(), 60_000_000);
        assert_eq!(&output.return_data[0][..4], b"key\0");
        let peak = peak_mib(node.driver.child_id().expect("it lives"));
        assert!(peak < 400, "{format:?}: {peak} MiB");
    }
}

#[test]
fn reads_have_no_limit_where_nothing_is_sent() {
    // Nearly 2 GiB, the longest length there is.
    let longest = i32::MAX as u32;
    let outcome = in_process(0).call(call("revert", longest));
    let outcome = outcome.expect("this machine has what it needs");
    let expected = outcome.expect("the contract fails, not the VM");
    assert_eq!(
        (expected.return_code, expected.return_message.as_str()),
        (4, "revert")
    );
    for format in formats() {
        let mut config = config();
        config.format = format;
        let mut node = Node::with_contract(config, LARGE);
        let output = node.driver.call(call("revert", longest));
        let output = output.expect("in time").expect("an output");
        assert_eq!(output, expected);
    }
}

#[test]
fn what_is_too_long_is_the_same_failure_everywhere() {
    const LIMIT: u32 = 1 << 20;
    // Whether they fit in base64, and with escapes.
    let cases = [
        ("return", 700_000, true),
        ("return", 800_000, false),
        ("store", 700_000, true),
        ("store", 800_000, false),
        ("complain", 100_000, true),
        ("complain", 200_000, false),
        // The key stands in the output, too, as text, where a zero takes six bytes.
        ("ask", 100_000, true),
        ("ask", 150_000, false),
        // The question is too long.
        ("ask", 800_000, false),
    ];
    let mut vm = in_process(LIMIT);
    for format in formats() {
        let mut node = Node::with_contract(limited(format, LIMIT), LARGE);
        let child = node.driver.child_id();
        for (function, length, fits) in cases {
            let outcome = node.driver.call(call(function, length));
            let outcome = outcome.expect("an answer");
            match vm.call(call(function, length)).expect("an outcome") {
                Ok(output) => {
                    assert!(fits, "{function} {length}");
                    assert!(outcome == Ok(output), "{function} {length}");
                }
                Err(VmFailure(text)) => {
                    assert!(!fits, "{function} {length}: {text}");
                    assert!(text.ends_with("as JSON; the limit is 1048576"), "{text}");
                    assert_eq!(outcome, Err(VmFailure(text)), "{function} {length}");
                }
            }
        }
        assert_eq!(node.driver.child_id(), child, "the child goes on");
    }
}

#[test]
fn what_the_node_says_has_the_same_limit() {
    const LIMIT: u32 = 1 << 20;
    for format in formats() {
        let mut node = Node::with_contract(limited(format, LIMIT), LARGE);
        let child = node.driver.child_id();
        // A request is not sent, and the child knows nothing of it.
        let mut input = call("return", 1);
        input.input.as_mut().expect("there is one").arguments = vec![vec![1; 800_000].into()];
        let error = node.driver.call(input).expect_err("it is too long");
        assert!(
            matches!(error.fault, Fault::UnsendableRequest(_)),
            "{error}"
        );
        assert_eq!((error.blame(), error.exit), (Blame::Node, None));
        assert_eq!(node.driver.child_id(), child);
        // The answer to a question can't be left out.
        node.change(|account| {
            let value = vec![7; 800_000].into();
            account.storage.insert("key".into(), value);
        });
        let error = node
            .driver
            .call(call("load", 0))
            .expect_err("the value is too long");
        assert!(
            matches!(error.fault, Fault::HookAnswerTooLong(_)),
            "{error}"
        );
        assert_eq!(error.blame(), Blame::Node);
        let outcome = node.driver.call(call("return", 1));
        let output = outcome.expect("a fresh child").expect("an output");
        assert_eq!(output.return_data, ["k"]);
    }
}

/// Returns very many empty values.
const EMPTY_VALUES: &str = r#"(module
  (import "env" "finish" (func $finish (param i32 i32)))
  (memory (export "memory") 1)
  (func $return (param $left i32)
    (loop $more
      (call $finish (i32.const 0) (i32.const 0))
      (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
  (func (export "many") (call $return (i32.const 500000)))
  (func (export "tooMany") (call $return (i32.const 3000000))))"#;

/// What no reader of ours takes is not sent, so the request has an outcome: the same in every format.
#[test]
fn millions_of_tiny_elements_are_a_failure_and_cost_no_child() {
    let mut failures = Vec::new();
    for format in formats() {
        let config = config().format(format);
        let mut node = Node::with_contract(config.max_loop_time(PATIENCE), EMPTY_VALUES);
        let child = node.driver.child_id();
        let mut outcome = |function| {
            let outcome = node.driver.call(call_input(function, GAS));
            outcome.expect("no critical error")
        };
        let output = outcome("many").expect("an output");
        assert_eq!((output.return_code, output.return_data.len()), (0, 500_000));
        failures.push(outcome("tooMany").expect_err("too many").0);
        assert_eq!(node.driver.child_id(), child);
    }
    let start = "host fault: a payload of ContractResponse that takes ";
    assert!(failures[0].starts_with(start), "{}", failures[0]);
    let measure = "bytes as elements in memory; the limit is ";
    assert!(failures[0].contains(measure), "{}", failures[0]);
    assert!(failures.iter().all(|failure| *failure == failures[0]));
}
