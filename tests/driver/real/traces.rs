//! A child tells what contracts did, and nothing else depends on it (docs/spec/wire.md#trace).

use super::node::{CONTRACT, GAS, Node, arguments, call_input, config, deploy_input, wasm, world};
use arwen::internal::scenario::{Account, SharedWorld};
use arwen::internal::vm::{Vm, VmParameters};
use arwen::machine::{Machine, Outcome};
use arwen::messages::*;
use arwen::trace::{Filter, Run, SharedRecorder, StepKind};

const COUNTER: &str = include_str!("../../contracts/counter.wat");
const LARGE: &str = include_str!("../../contracts/large.wat");

/// A VM in this process, in a world with this contract.
fn in_process(source: &str) -> Vm {
    let world: SharedWorld = world();
    let mut account = Account::default();
    account.set_code(wasm(source));
    world.lock().accounts.insert(CONTRACT, account);
    Vm::new(VmParameters::from(&arguments()), Box::new(world)).expect("good arguments")
}

/// What a machine does when it deploys and calls, and what it tells of that.
fn runs<M: Machine>(machine: &mut M, filter: &Filter) -> Vec<(Outcome, Run)> {
    let recorder = SharedRecorder::new(filter.clone());
    assert!(machine.trace(Some(recorder.clone())));
    let deployed = machine.deploy(deploy_input(wasm(COUNTER)));
    let mut runs = vec![(deployed.expect("an outcome"), recorder.take())];
    for (function, gas) in [("increment", GAS), ("missing", GAS), ("increment", 400)] {
        let outcome = machine.call(call_input(function, gas));
        runs.push((outcome.expect("an outcome"), recorder.take()));
    }
    runs
}

#[test]
fn a_child_tells_what_a_vm_in_the_same_process_tells() {
    let some = Filter {
        depth: 1,
        kinds: vec![StepKind::Storage],
    };
    for filter in [Filter::all(), Filter::COSTS, some] {
        let expected = runs(&mut in_process(COUNTER), &filter);
        assert!(expected.iter().all(|(_, run)| run.costs.total() > 0));
        let steps = |run: &Run| !run.steps.is_empty();
        assert!(
            expected
                .iter()
                .all(|(_, run)| steps(run) == (filter.depth > 0))
        );
        for format in [Format::Json, Format::PREFERRED] {
            let mut node = Node::with_contract(config().format(format), COUNTER);
            // Twice: the second time hook calls are answered ahead, and the run is the same.
            for _ in 0..2 {
                assert_eq!(runs(&mut node.driver, &filter), expected, "{format:?}");
            }
        }
    }
}

#[test]
fn nothing_is_told_of_other_requests() {
    let recorder = SharedRecorder::new(Filter::all());
    let mut node = Node::with_contract(config(), COUNTER);
    assert!(node.driver.trace(Some(recorder.clone())));
    node.call("increment");
    assert_eq!(recorder.take().steps.len(), 1);
    assert_eq!(recorder.take(), Run::default(), "it was taken");
    assert!(node.driver.trace(None));
    node.call("increment");
    assert_eq!(recorder.take(), Run::default());

    // Of a request that has no outcome, and then of one on a new child.
    assert!(node.driver.trace(Some(recorder.clone())));
    node.call("increment");
    let child = node.driver.child_id().expect("it lives");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child as i32),
        nix::sys::signal::Signal::SIGKILL,
    )
    .expect("killed");
    while node.driver.call(call_input("increment", GAS)).is_err() {
        assert_eq!(recorder.take(), Run::default());
    }
    assert_eq!(recorder.take().steps.len(), 1);
}

#[test]
fn a_response_that_would_be_too_long_goes_without_steps() {
    let call = || {
        let mut input = call_input("return", GAS);
        let argument = 700_000_u64.to_be_bytes().to_vec();
        input.input.get_or_insert_default().arguments = vec![argument.into()];
        input
    };
    for format in [Format::Json, Format::PREFERRED] {
        let mut config = config().format(format);
        config.payload_limit_bytes = 1 << 20;
        let mut node = Node::with_contract(config, LARGE);
        let expected = node
            .driver
            .call(call())
            .expect("an answer")
            .expect("it fits");
        let recorder = SharedRecorder::new(Filter::all());
        assert!(node.driver.trace(Some(recorder.clone())));
        let output = node
            .driver
            .call(call())
            .expect("an answer")
            .expect("it fits");
        assert_eq!(output, expected);
        let run = recorder.take();
        assert_eq!((run.steps.len(), run.left_out > 0), (0, true), "{run:#?}");
        assert_eq!(run.costs.total(), i128::from(GAS - output.gas_remaining));
    }
}
