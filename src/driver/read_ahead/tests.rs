//! Whole requests over an in-memory transport, with a child whose machine asks what a program says.

use super::*;
use crate::hooks::HookError;
use crate::messages::whole_output::StorageRead;
use programs::{Node, Part, Program, Step, World, run_program, text, understanding};
use proptest::prelude::*;
use prost::Message as _;
use std::time::Duration;

mod programs;

fn input(program: usize, caller: u8, arguments: &[Bytes]) -> ContractCallInput {
    ContractCallInput {
        input: Some(VmInput {
            caller_addr: vec![caller; 32].into(),
            arguments: arguments.to_vec(),
            ..VmInput::default()
        }),
        recipient_addr: "a contract".into(),
        function: program.to_string(),
    }
}

fn transfer() -> Program {
    let balance = |of| Step::Storage(vec![Part::Fixed(1), of]);
    vec![
        Step::Account(vec![Part::Fixed(9)]),
        balance(Part::Caller),
        balance(Part::Argument(0)),
        Step::Storage(vec![Part::Fixed(2), Part::EightOf(0, 5)]),
        Step::Time,
        Step::Create(vec![Part::Caller]),
        Step::Account(vec![Part::Last]),
    ]
}

fn argument(number: u64) -> Bytes {
    let numbers = (number..).step_by(7).take(4);
    numbers
        .flat_map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
        .collect()
}

#[test]
fn the_third_call_takes_one_round_trip_whoever_calls() {
    for format in [Format::Json, Format::PREFERRED] {
        let mut node = Node::start(&[transfer()], ReadAhead::default(), format);
        for number in 0..20 {
            node.world.state = number;
            let input = input(0, 100 + number as u8, &[argument(number)]);
            let frames = node.call(&input, &transfer());
            let expected = if number < 2 { 2 + 2 * 8 } else { 2 };
            assert_eq!(frames, expected, "call {number}");
        }
        let stats = &node.stats;
        assert_eq!(stats.read_ahead_missed_total, 16, "{stats:?}");
        assert_eq!(stats.read_ahead_used_total, 18 * 8, "{stats:?}");
        // Each call made its hook calls once, but for what was confirmed and then did not repeat.
        assert_eq!(node.world.calls, stats.hook_calls_total, "{stats:?}");
        assert!(stats.read_ahead_wasted_total < 10, "{stats:?}");
    }
}

#[test]
fn what_is_no_longer_asked_is_forgotten() {
    let read = |keys: std::ops::Range<u8>| -> Program {
        keys.map(|key| Step::Storage(vec![Part::Fixed(key)]))
            .collect()
    };
    // The same function of a contract whose code has changed.
    let programs = [read(0..10), read(20..30)];
    let mut node = Node::start(&programs[..1], ReadAhead::default(), Format::Json);
    for _ in 0..5 {
        node.call(&input(0, 1, &[]), &programs[0]);
    }
    let mut later = Node::start(&programs[1..], ReadAhead::default(), Format::Json);
    later.predictor = node.predictor;
    for call in 0..10 {
        let frames = later.call(&input(0, 1, &[]), &programs[1]);
        assert_eq!(frames == 2, call >= 2, "call {call}: {frames} frames");
    }
    assert_eq!(later.stats.read_ahead_wasted_total, 3 * 10);
}

#[test]
fn a_child_that_does_not_know_it_gets_nothing_ahead() {
    let mut node = Node::start(&[transfer()], ReadAhead::default(), Format::Json);
    for ready in [None, Some(Ready::default())] {
        node.predictor.child_started(ready.as_ref());
        for _ in 0..4 {
            assert_eq!(node.call(&input(0, 1, &[argument(1)]), &transfer()), 18);
        }
    }
    let off = [ReadAhead::OFF, ReadAhead::default().answers(0)];
    for limits in off {
        let mut node = Node::start(&[transfer()], limits, Format::Json);
        for _ in 0..4 {
            assert_eq!(node.call(&input(0, 1, &[argument(1)]), &transfer()), 18);
        }
        assert_eq!(node.stats.read_ahead_used_total, 0);
    }
}

#[test]
fn a_new_child_knows_no_code() {
    let program = vec![Step::Account(vec![Part::Fixed(3)])];
    let programs = [program.clone()];
    let mut node = Node::start(&programs, ReadAhead::default(), Format::Json);
    for state in 0..40 {
        node.world.state = state / 4;
        node.call(&input(0, 1, &[]), &program);
        if state % 7 == 6 {
            let fresh = Node::start(&programs, ReadAhead::default(), Format::Json);
            node.messenger = fresh.messenger;
            node.predictor.child_started(Some(&understanding()));
        }
    }
    assert!(node.stats.read_ahead_used_total >= 38, "{:?}", node.stats);
}

#[test]
fn answers_are_bounded_in_number_bytes_and_time() {
    let program: Program = (0..20)
        .map(|key| Step::Storage(vec![Part::Fixed(key)]))
        .collect();
    let ahead = |limits: ReadAhead, delay| {
        let mut node = Node::start(std::slice::from_ref(&program), limits, Format::Json);
        for _ in 0..3 {
            node.call(&input(0, 1, &[]), &program);
        }
        node.world.delay = delay;
        let before = node.stats.read_ahead_used_total;
        node.call(&input(0, 1, &[]), &program);
        node.stats.read_ahead_used_total - before
    };
    let limits = ReadAhead::default();
    assert_eq!(ahead(limits, Duration::ZERO), 20);
    assert_eq!(ahead(limits.answers(7), Duration::ZERO), 7);
    let few = ahead(limits.bytes(200), Duration::ZERO);
    assert!((1..10).contains(&few), "{few}");
    let slow = Duration::from_millis(20);
    assert_eq!(ahead(limits.time(Duration::from_millis(30)), slow), 2);
}

/// Predictions that cost more than they save.
#[test]
fn a_function_that_loses_is_left_alone() {
    // One of three keys, so that no template fails often enough to be forgotten.
    let program = vec![Step::Storage(vec![Part::Turned(0)])];
    let mut node = Node::start(
        std::slice::from_ref(&program),
        ReadAhead::default(),
        Format::Json,
    );
    let key = |number: u64| input(0, 1, &[Bytes::from(vec![number as u8; 3])]);
    for number in 0..12 {
        node.call(&key(number % 3), &program);
    }
    node.world.delay = Duration::from_micros(400);
    let before = node.stats.read_ahead_wasted_total;
    for number in 0..60 {
        node.call(&key(number % 3), &program);
    }
    let wasted = node.stats.read_ahead_wasted_total - before;
    assert!((1..20).contains(&wasted), "{wasted} of 120");
}

#[test]
fn a_fatal_hook_is_met_by_the_call_that_asks() {
    let program = vec![Step::Time, Step::Epoch];
    let mut node = Node::start(
        std::slice::from_ref(&program),
        ReadAhead::default(),
        Format::Json,
    );
    for _ in 0..3 {
        node.call(&input(0, 1, &[]), &program);
    }
    node.world.is_fatal = true;
    match node.try_call(&input(0, 1, &[])) {
        Err(Fault::HookFailed(HookError::Fatal(error))) => {
            assert_eq!(error.to_string(), "no database");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_before_a_panic_of_the_hook_are_not_sent_later() {
    let program = vec![Step::Time, Step::Epoch];
    let mut node = Node::start(
        std::slice::from_ref(&program),
        ReadAhead::default(),
        Format::Json,
    );
    for _ in 0..3 {
        node.call(&input(0, 1, &[]), &program);
    }
    (node.world.panics, node.world.calls) = (true, 0);
    let call = std::panic::AssertUnwindSafe(|| node.try_call(&input(0, 1, &[])).map(drop));
    std::panic::catch_unwind(call).expect_err("it panics");
    // The driver starts another child then.
    node.messenger = Node::start(
        std::slice::from_ref(&program),
        ReadAhead::default(),
        Format::Json,
    )
    .messenger;
    node.predictor.child_started(Some(&understanding()));
    (node.world.panics, node.world.state) = (false, 7);
    node.call(&input(0, 1, &[]), &program);
}

#[test]
fn a_request_that_is_too_long_with_answers_goes_without_them() {
    let program: Program = (0..20)
        .map(|key| Step::Storage(vec![Part::Fixed(key)]))
        .collect();
    let mut node = Node::start(
        std::slice::from_ref(&program),
        ReadAhead::default(),
        Format::Json,
    );
    let filler = |length: usize| [Bytes::from(vec![7; length])];
    for _ in 0..3 {
        node.call(&input(0, 1, &filler(8)), &program);
    }
    // As base64 it fits, and the answers don't.
    let long = filler(((1 << 20) - 1000) / 4 * 3);
    assert_eq!(node.call(&input(0, 1, &long), &program), 42);
    assert_eq!(node.call(&input(0, 1, &filler(8)), &program), 2);
}

fn parts() -> impl Strategy<Value = Vec<Part>> {
    let part = prop_oneof![
        (0u8..3).prop_map(Part::Fixed),
        Just(Part::Caller),
        (0usize..2).prop_map(Part::Argument),
        (0usize..2, 0usize..20).prop_map(|(place, start)| Part::EightOf(place, start)),
        (0usize..2).prop_map(Part::Turned),
        Just(Part::Last),
    ];
    proptest::collection::vec(part, 0..3)
}

fn steps() -> impl Strategy<Value = Program> {
    let step = prop_oneof![
        5 => parts().prop_map(Step::Storage),
        2 => (parts(), 0u8..2).prop_map(|(key, length)| Step::Write(key, length)),
        3 => parts().prop_map(Step::Account),
        1 => parts().prop_map(Step::IsContract),
        1 => parts().prop_map(Step::Shard),
        1 => parts().prop_map(Step::Create),
        1 => (0u64..3).prop_map(Step::BlockHash),
        1 => Just(Step::Time),
        1 => Just(Step::Epoch),
        1 => Just(Step::BuiltIn),
    ];
    proptest::collection::vec(step, 0..20)
}

/// A call: the program, the caller, the arguments, and whether the world has changed before it.
fn calls() -> impl Strategy<Value = Vec<(usize, u8, u64, u64)>> {
    proptest::collection::vec((0usize..3, 0u8..3, 0u64..3, 0u64..3), 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// No answer of a contract depends on read-ahead: not when it is learned, not when the code, the caller or the world changes.
    #[test]
    fn answers_are_those_of_a_run_without_it(
        programs in proptest::collection::vec(steps(), 3),
        calls in calls(),
        refuses: bool,
        protobuf: bool,
    ) {
        let format = if protobuf { Format::PREFERRED } else { Format::Json };
        let mut node = Node::start(&programs, ReadAhead::default(), format);
        node.world.refuses = refuses;
        for (program, caller, number, state) in calls {
            node.world.state = state;
            let input = input(program, caller, &[argument(number), argument(number + 100)]);
            node.call(&input, &programs[program]);
        }
    }

    /// Nor on what is predicted: too little, too much, what another contract asks, in any order, or unreadable.
    #[test]
    fn answers_do_not_depend_on_what_is_predicted(
        program in steps(),
        others in steps(),
        kept in proptest::collection::vec(any::<bool>(), 0..24),
        garbled in 0usize..40,
        refuses: bool,
    ) {
        let mut node = Node::start(std::slice::from_ref(&program), ReadAhead::OFF, Format::Json);
        node.world.refuses = refuses;
        let input = input(0, 1, &[argument(1), argument(2)]);
        let expected = run_program(&program, &mut node.world.clone(), &input).expect("an outcome");
        let mut answers = truth(&others, &node.world, &input);
        answers.extend(truth(&program, &node.world, &input));
        let mut kept = kept.into_iter().chain(std::iter::repeat(true));
        answers.retain(|_| kept.next() == Some(true));
        if let Some(answer) = answers.get_mut(garbled) {
            answer.response = Bytes::from_static(&[0xff]);
        }
        let ahead = AnswersAhead {
            answers,
            may_leave_out: true,
        };
        let request = ContractCallRequest {
            call_input: Some(input),
            answers_ahead: ahead.encode_to_vec().into(),
            ..ContractCallRequest::default()
        };
        let mut budget = Budget::new(Duration::from_secs(60));
        let mut asked = Asked::default();
        let answer = dialogue_loop::run(
            &mut node.messenger,
            &mut node.world,
            &request,
            &mut budget,
            &mut asked,
        );
        let (mut response, _) = answer.expect("an answer");
        let completed = whole_output::complete(&mut response, Format::Json, ahead.answers.len(), |answer| {
            let answer = ahead.answers.get(answer)?;
            let kind = MessageKind::from_wire(answer.kind)?;
            let question = Message::of_fields(kind, answer.request.clone())?;
            let Some(Role::HookRequest(response)) = kind.role() else {
                return None;
            };
            let answer = Message::of_fields(response, answer.response.clone())?;
            StorageRead::told_by(&question, &answer)
        });
        prop_assert_eq!(completed, Ok(()));
        let output = response.vm_output.expect("an output");
        prop_assert_eq!(&output, &expected);
        prop_assert_eq!(text(&output), text(&expected));
    }
}

/// What a node answers to the hook calls of a program, up to the first one that changes the world.
fn truth(program: &[Step], world: &World, input: &ContractCallInput) -> Vec<AnswerAhead> {
    let end = program
        .iter()
        .position(|step| matches!(step, Step::BuiltIn));
    let program = program[..end.unwrap_or(program.len())].to_vec();
    let mut node = Node::start(&[program], ReadAhead::default(), Format::Json);
    node.world = world.clone();
    let mut input = input.clone();
    input.function = "0".to_owned();
    for _ in 0..2 {
        node.try_call(&input).expect("an answer");
    }
    // A fresh child knows no code.
    node.predictor.child_started(Some(&understanding()));
    let request = ContractCallRequest {
        call_input: Some(input),
        ..Default::default()
    };
    let mut budget = Budget::new(Duration::from_secs(60));
    let (answers, _) = node
        .predictor
        .answers(&request, &mut node.world, &mut budget);
    let answers = AnswersAhead::decode(answers.field).expect("readable");
    answers.answers
}

#[test]
fn outputs_leave_out_values_that_were_told_if_there_are_many() {
    for (reads, format, shortened) in [
        (5, Format::Json, 0),
        (6, Format::Json, 3),
        (60, Format::Json, 3),
        (60, Format::PREFERRED, 3),
    ] {
        let program: Program = (0..reads)
            .map(|key| Step::Storage(vec![Part::Fixed(key)]))
            .collect();
        let mut node = Node::start(std::slice::from_ref(&program), ReadAhead::default(), format);
        for state in 0..5 {
            node.world.state = state;
            node.call(&input(0, 1, &[]), &program);
        }
        assert_eq!(node.frames.shortened(), shortened, "{reads} reads");
    }
}

#[test]
fn what_was_not_told_can_not_be_left_out() {
    let mut answers = Answers {
        told: vec![Told::Nothing],
        ..Answers::default()
    };
    for left_out in [&[1][..], &[2], &[0, 0]] {
        let mut response = ContractResponse {
            left_out: Bytes::copy_from_slice(left_out),
            ..ContractResponse::default()
        };
        let completed = answers.complete(&mut response, Format::Json);
        assert!(
            matches!(completed, Err(Fault::BadMessage(BadMessage::LeftOut(_)))),
            "{completed:?}"
        );
    }
}

#[test]
fn whether_an_output_is_too_long_does_not_depend_on_what_it_leaves_out() {
    let program: Program = (0..100)
        .map(|key| Step::Storage(vec![Part::Fixed(key)]))
        .collect();
    let input = input(0, 1, &[]);
    let output = run_program(&program, &mut World::default(), &input).expect("an outcome");
    let whole = text(&output).len() as u32;
    for (limit, is_too_long) in [(whole, true), (whole + 1000, false)] {
        let programs = std::slice::from_ref(&program);
        let mut node = Node::with_limit(programs, ReadAhead::default(), Format::Json, limit);
        for call in 0..5 {
            let (response, error) = node.answer(&input).expect("an answer");
            assert_eq!(error.is_empty(), !is_too_long, "call {call}: {error}");
            let expected = Some(&output).filter(|_| !is_too_long);
            assert_eq!(response.vm_output.as_ref(), expected, "call {call}");
        }
        assert_eq!(node.stats.read_ahead_used_total > 0, !is_too_long);
    }
}

#[test]
fn what_is_deployed_once_takes_no_memory() {
    let mut predictor = Predictor::new(ReadAhead::default());
    let deploy = |code: u64| ContractDeployRequest {
        create_input: Some(ContractCreateInput {
            contract_code: code.to_le_bytes().to_vec().into(),
            ..ContractCreateInput::default()
        }),
        ..ContractDeployRequest::default()
    };
    let mut is_learned = |code| {
        let request = deploy(code);
        predictor.is_expected_again(&request.input().expect("there is one"))
    };
    assert!((0..10_000).all(|code| !is_learned(code)));
    assert!(is_learned(9_999), "it was the last one");
    assert!(!is_learned(0), "it is long ago");
    assert!(is_learned(0));
    let call = ContractCallRequest {
        call_input: Some(ContractCallInput::default()),
        ..ContractCallRequest::default()
    };
    assert!(predictor.is_expected_again(&call.input().expect("there is one")));
}
