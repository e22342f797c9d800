//! Runs that are told are read back as they were; what can't be read is named.

use super::MalformedTrace;
use crate::messages::{
    Trace, TraceCall, TraceCallCost, TraceCost, TraceEffect, TraceHostCost, TraceStep,
};
use crate::trace::costs::{CallCost, HostCost};
use crate::trace::event::{
    Argument, CallKind, Effect, End, Entry, Excerpt, Exit, HostEnd, HostEntry, HostExit, Transfer,
    Value, Written,
};
use crate::trace::step::{CallStep, HostStep, Step};
use crate::trace::{Filter, Run, StepKind};
use bytes::Bytes;
use num_bigint::BigInt;
use prost::Message as _;

fn excerpt(text: &'static str) -> Excerpt {
    text.as_bytes().into()
}

fn effects() -> Vec<Effect> {
    let key = excerpt("key");
    vec![
        Effect::Read {
            address: "contract".into(),
            key: key.clone(),
            value: Excerpt::default(),
        },
        Effect::Written(Written {
            address: "contract".into(),
            key,
            old: excerpt("1"),
            new: (&[7; 5000][..]).into(),
            gas: 9,
        }),
        Effect::Transfer(Transfer {
            from: "contract".into(),
            to: "user".into(),
            value: BigInt::from(-1) << 200,
            data: excerpt("data"),
            gas_limit: u64::MAX,
        }),
        Effect::Log {
            address: "contract".into(),
            topics: vec!["topic".into(), Bytes::new()],
            data: excerpt("data"),
        },
        Effect::Async {
            destination: "other".into(),
            data: excerpt("f@01"),
            value: BigInt::from(5),
            gas_limit: 0,
        },
    ]
}

fn host(end: HostEnd, steps: Vec<Step>) -> Step {
    let argument = |name: &'static str, value| Argument {
        name: name.into(),
        value,
    };
    Step::Host(Box::new(HostStep {
        entry: HostEntry {
            namespace: "env".into(),
            name: "storageStore".into(),
            gas_left: 10,
            used: 3,
        },
        steps,
        exit: Some(HostExit {
            arguments: vec![
                argument("number", Value::Number(i64::MIN)),
                argument("integer", Value::BigInt(BigInt::from(1) << 300)),
                argument("bytes", Value::Bytes(excerpt("x"))),
            ],
            written: vec![argument(
                "list",
                Value::List(vec![excerpt("a"), excerpt("")]),
            )],
            end,
            gas_left: 4,
            used: 8,
            lost: 2,
        }),
    }))
}

fn call(kind: CallKind, end: Option<End>, steps: Vec<Step>) -> Step {
    Step::Call(Box::new(CallStep {
        entry: Entry {
            kind,
            caller: "user".into(),
            address: "contract".into(),
            function: "f".into(),
            arguments: vec![Bytes::new(), "argument".into()],
            value: BigInt::from(7),
            gas: 1000,
        },
        export: end.is_some().then(String::new),
        start_gas: 4,
        steps,
        exit: end.map(|end| Exit { end, gas_used: -5 }),
    }))
}

/// A run with everything that there is.
fn run() -> Run {
    let ends = [
        End::Ok {
            return_data: vec!["1".into(), Bytes::new()],
        },
        End::Failed {
            code: 4,
            message: Bytes::from_static(b"\xff"),
        },
        End::Broken {
            reason: "host fault".to_owned(),
        },
    ];
    let kinds = CallKind::ALL
        .into_iter()
        .zip(ends.into_iter().map(Some).cycle());
    let calls: Vec<_> = kinds
        .map(|(kind, end)| call(kind, end, Vec::new()))
        .collect();
    let effects = effects().into_iter().map(Step::Effect).collect();
    let inside = vec![
        host(HostEnd::Returned(None), calls),
        host(HostEnd::Returned(Some(-1)), effects),
        host(
            HostEnd::AsyncCall,
            vec![call(CallKind::Call, None, Vec::new())],
        ),
        host(HostEnd::Failed("bad bounds".to_owned()), Vec::new()),
    ];
    let mut run = Run {
        steps: vec![call(CallKind::Call, None, inside)],
        left_out: 3,
        ..Run::default()
    };
    let cost = |count| CallCost {
        count,
        used: 1 << 90,
        start: -2,
        operators: [("calls".into(), 5), ("beyond the limit".into(), -1)].into(),
        functions: [("add".into(), 4)].into(),
        lost: i128::from(u64::MAX),
        ..CallCost::default()
    };
    let mut host = HostCost {
        count: 1,
        used: 5,
        ..HostCost::default()
    };
    host.calls.insert(("other".into(), "g".into()), cost(2));
    let mut outer = cost(1);
    outer
        .hosts
        .insert(("env".into(), "storageStore".into()), host);
    outer
        .calls
        .insert(("contract".into(), "callBack".into()), cost(1));
    run.costs
        .calls
        .insert(("contract".into(), "f".into()), outer);
    run.costs
        .calls
        .insert(("contract".into(), "g".into()), cost(9));
    run
}

#[test]
fn a_run_is_read_as_it_was_told() {
    for run in [Run::default(), run()] {
        assert_eq!(Run::of_field(run.to_field(usize::MAX)), Ok(run));
    }
}

#[test]
fn steps_that_would_take_too_much_are_left_out_from_the_last_on() {
    fn count(steps: &[Step]) -> u64 {
        let inside = |step: &Step| match step {
            Step::Call(step) => count(&step.steps),
            Step::Host(step) => count(&step.steps),
            Step::Effect(_) => 0,
        };
        steps.iter().map(|step| 1 + inside(step)).sum()
    }
    let whole = run();
    let all = count(&whole.steps);
    let mut before = 0;
    for limit in (0..10_000).step_by(50) {
        let told = Run::of_field(whole.to_field(limit)).expect("readable");
        let kept = count(&told.steps);
        assert_eq!(kept + told.left_out, all + 3, "{limit}");
        assert!(kept >= before, "{limit}");
        assert_eq!(told.costs, whole.costs, "{limit}");
        before = kept;
    }
    assert_eq!(before, all);
    assert_eq!(
        whole.to_field(0).len(),
        Run {
            steps: Vec::new(),
            left_out: 3 + all,
            ..run()
        }
        .to_field(0)
        .len()
    );
}

/// Many short steps take more memory than a reader gives them, long before they have many bytes.
#[test]
fn no_more_steps_are_told_than_are_read() {
    let step = run().steps.into_iter().next().expect("it has steps");
    let many = Run {
        steps: vec![step; 100_000],
        ..run()
    };
    let told = Run::of_field(many.to_field(usize::MAX)).expect("readable");
    assert!(told.left_out > many.left_out);
    assert!(told.steps.len() > 1_000, "{}", told.steps.len());
    assert_eq!(told.costs, many.costs);
}

#[test]
fn a_filter_is_read_as_it_was_told() {
    let some = Filter {
        depth: 3,
        kinds: vec![StepKind::Log, StepKind::Storage],
    };
    for filter in [Filter::COSTS, Filter::all(), some] {
        assert_eq!(Filter::of_field(filter.to_field()), Ok(filter));
    }
    assert!(Filter::of_field("\x08".into()).is_err());
}

fn refusal(trace: Trace) -> String {
    let refused = Run::of_field(trace.encode_to_vec().into());
    refused.expect_err("it can't be read").to_string()
}

fn step(level: u32, call: Option<TraceCall>, effect: Option<TraceEffect>) -> TraceStep {
    TraceStep {
        level,
        call: call.map(Box::new),
        effect: effect.map(Box::new),
        ..TraceStep::default()
    }
}

fn steps(steps: Vec<TraceStep>) -> Trace {
    Trace {
        steps,
        ..Trace::default()
    }
}

#[test]
fn steps_that_can_not_be_are_refused() {
    let kind = |kind: &str| {
        let kind = kind.to_owned();
        TraceCall {
            kind,
            ..TraceCall::default()
        }
    };
    let log = || {
        let kind = "log".to_owned();
        Some(TraceEffect {
            kind,
            ..TraceEffect::default()
        })
    };
    let torn = Run::of_field("torn".into());
    assert!(matches!(torn, Err(MalformedTrace::Protobuf(_))), "{torn:?}");
    let cases = [
        (
            steps(vec![step(0, None, None)]),
            "an element is neither of the things that it may be",
        ),
        (
            steps(vec![step(1, None, log())]),
            "an element of level 1 follows one of level 0",
        ),
        (
            steps(vec![step(0, None, log()), step(1, None, log())]),
            "an element of level 1 follows one of level 0",
        ),
        (
            steps(vec![
                step(0, Some(kind("call")), None),
                step(3, None, log()),
            ]),
            "an element of level 3 follows one of level 0",
        ),
        (
            steps(vec![step(0, Some(kind("visit")), None)]),
            "\"visit\" is not a kind of call",
        ),
    ];
    for (trace, text) in cases {
        assert_eq!(refusal(trace), text);
    }
    let deep = (0..=256).map(|level| step(level, Some(kind("call")), None));
    assert_eq!(
        refusal(steps(deep.collect())),
        "an element of level 256 follows one of level 255"
    );
}

#[test]
fn costs_that_can_not_be_are_refused() {
    let amount = |bits: u32| Some((&(BigInt::from(1) << bits)).into());
    let call = |level, cost| TraceCost {
        level,
        call: Some(Box::new(cost)),
        host: None,
    };
    let host = |level, name: &str| TraceCost {
        level,
        call: None,
        host: Some(Box::new(TraceHostCost {
            name: name.to_owned(),
            ..TraceHostCost::default()
        })),
    };
    let too_large = "an amount of gas has more than 96 bits, or a count more than 48";
    let outer = || call(0, TraceCallCost::default());
    let cases = [
        (
            vec![host(0, "f")],
            "an element of level 0 follows one of level 0",
        ),
        (
            vec![outer(), host(1, "f"), host(2, "f")],
            "an element of level 2 follows one of level 1",
        ),
        (
            vec![outer(), host(1, "\x1b[31m")],
            "\"\\u{1b}[31m\" is not a kind of name",
        ),
        (
            vec![call(
                0,
                TraceCallCost {
                    used: amount(96),
                    ..TraceCallCost::default()
                },
            )],
            too_large,
        ),
        (
            vec![call(
                0,
                TraceCallCost {
                    count: 1 << 48,
                    ..TraceCallCost::default()
                },
            )],
            too_large,
        ),
    ];
    for (costs, text) in cases {
        let trace = Trace {
            costs,
            ..Trace::default()
        };
        assert_eq!(refusal(trace), text);
    }
}
