//! Whole requests over an in-memory transport, with a child whose machine asks what a program says.

use super::*;
use crate::dialogue::{Side, Tap};
use crate::hooks::HookError;
use crate::machine::{BuildError, Machine, Outcome};
use crate::part::{DialogueLoop, Link};
use crate::transport::memory::{MemoryTransport, pair};
use proptest::prelude::*;
use prost::Message as _;
use std::hash::{BuildHasher as _, DefaultHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

/// A part of a value that a program asks with.
#[derive(Debug, Clone)]
enum Part {
    Fixed(u8),
    Caller,
    Argument(usize),
    /// Eight bytes of an argument.
    EightOf(usize, usize),
    /// An argument with all bits turned: what no template has an open place for.
    Turned(usize),
    /// The last storage value or new address.
    Last,
}

/// A hook call of a program.
#[derive(Debug, Clone)]
enum Step {
    Storage(Vec<Part>),
    Account(Vec<Part>),
    IsContract(Vec<Part>),
    Shard(Vec<Part>),
    Create(Vec<Part>),
    BlockHash(u64),
    Time,
    Epoch,
    BuiltIn,
}

type Program = Vec<Step>;

/// Answers by a hash of the question and of `state`. So what was right for one request is wrong for the next one.
#[derive(Debug, Clone, Default)]
struct World {
    state: u64,
    /// Built-in functions that have changed it.
    changes: u64,
    /// Some answers are refused, and some accounts don't exist.
    refuses: bool,
    delay: Duration,
    calls: u64,
    is_fatal: bool,
    /// From the second call on.
    panics: bool,
}

impl World {
    fn number(&mut self, question: impl Hash) -> HookResult<u64> {
        self.calls += 1;
        thread::sleep(self.delay);
        assert!(!self.panics || self.calls < 2, "no database");
        if self.is_fatal {
            return Err(HookError::fatal("no database"));
        }
        let hasher = std::hash::BuildHasherDefault::<DefaultHasher>::default();
        let number = hasher.hash_one((self.state, self.changes, question));
        match self.refuses && number.is_multiple_of(5) {
            true => Err(HookError::refused(format!("refused {number}"))),
            false => Ok(number),
        }
    }

    fn bytes(&mut self, question: impl Hash) -> HookResult<Bytes> {
        Ok(self.number(question)?.to_be_bytes().repeat(2).into())
    }
}

impl BlockchainHook for World {
    fn new_address(&mut self, creator: &[u8], nonce: u64, vm_type: &[u8]) -> HookResult<Bytes> {
        self.bytes(("new", creator, nonce, vm_type))
    }

    fn storage_data(&mut self, address: &[u8], key: &[u8]) -> HookResult<Option<Bytes>> {
        let value = self.bytes(("storage", address, key))?;
        Ok(match value[0] % 4 {
            0 => None,
            1 => Some(Bytes::new()),
            _ => Some(value),
        })
    }

    fn user_account(&mut self, address: &[u8]) -> HookResult<Option<Account>> {
        let number = self.number(("account", address))?;
        let code = Bytes::from(format!("code of {address:?}"));
        let account = |code, code_hash: &str| Account {
            nonce: number,
            code,
            code_hash: Bytes::copy_from_slice(code_hash.as_bytes()),
            balance: Some(number.into()),
            ..Account::default()
        };
        Ok(match number % 5 {
            0 if self.refuses => None,
            1 => Some(account(Bytes::new(), "")),
            2 => Some(account(code, "")),
            // Code that changes now and then, as its hash does.
            other => Some(account(code, &other.to_string())),
        })
    }

    fn is_smart_contract(&mut self, address: &[u8]) -> HookResult<bool> {
        Ok(self.number(("is contract", address))?.is_multiple_of(2))
    }

    fn shard_of_address(&mut self, address: &[u8]) -> HookResult<u32> {
        Ok(self.number(("shard", address))? as u32)
    }

    fn block_hash(&mut self, nonce: u64) -> HookResult<Bytes> {
        self.bytes(("block", nonce))
    }

    fn current_time_stamp(&mut self) -> HookResult<u64> {
        let changes = std::mem::take(&mut self.changes);
        let time = self.number("time");
        self.changes = changes;
        time
    }

    fn current_epoch(&mut self) -> HookResult<u32> {
        Ok(self.current_time_stamp()? as u32)
    }

    /// Changes the world, but for the facts of the block.
    fn process_builtin_function(&mut self, _: &ContractCallInput) -> HookResult<Option<VmOutput>> {
        self.changes += 1;
        Ok(Some(VmOutput::default()))
    }
}

/// Runs a program, and tells all that it has heard.
fn run_program(
    program: &[Step],
    hook: &mut dyn BlockchainHook,
    input: &ContractCallInput,
) -> HookResult<Vec<Bytes>> {
    let vm_input = input.input.as_ref().expect("an input");
    let mut last = Bytes::new();
    let mut heard = Vec::new();
    for step in program {
        let value = |parts: &[Part]| {
            let parts = parts.iter().map(|part| match part {
                Part::Fixed(byte) => vec![*byte; 3],
                Part::Caller => vm_input.caller_addr.to_vec(),
                Part::Argument(place) => vm_input.arguments[*place].to_vec(),
                Part::EightOf(place, start) => {
                    let argument = vm_input.arguments[*place].iter();
                    argument.skip(*start).take(8).copied().collect()
                }
                Part::Turned(place) => vm_input.arguments[*place]
                    .iter()
                    .map(|byte| !byte)
                    .collect(),
                Part::Last => last.to_vec(),
            });
            parts.collect::<Vec<_>>().concat()
        };
        let here = &input.recipient_addr;
        let said = match step {
            Step::Storage(key) => heeded(hook.storage_data(here, &value(key))).map(|data| {
                last = data.clone().unwrap_or_default();
                format!("{data:?}")
            }),
            Step::Account(address) => hook
                .user_account(&value(address))
                .map(|account| format!("{account:?}")),
            Step::IsContract(address) => {
                heeded(hook.is_smart_contract(&value(address))).map(|is| is.to_string())
            }
            Step::Shard(address) => {
                heeded(hook.shard_of_address(&value(address))).map(|shard| shard.to_string())
            }
            Step::Create(creator) => {
                let creator = value(creator);
                let account = hook.user_account(&creator);
                let nonce = account.map(|account| account.map_or(0, |account| account.nonce));
                nonce
                    .and_then(|nonce| hook.new_address(&creator, nonce.saturating_sub(1), &[5, 0]))
                    .map(|address| {
                        last = address.clone();
                        format!("{address:?}")
                    })
            }
            Step::BlockHash(nonce) => hook.block_hash(*nonce).map(|hash| format!("{hash:?}")),
            Step::Time => hook.current_time_stamp().map(|time| time.to_string()),
            Step::Epoch => hook.current_epoch().map(|epoch| epoch.to_string()),
            Step::BuiltIn => hook
                .process_builtin_function(&ContractCallInput::default())
                .map(|output| format!("{output:?}")),
        };
        heard.push(Bytes::from(match said {
            Ok(text) => text,
            Err(HookError::Refused(text)) => text,
            Err(fatal) => return Err(fatal),
        }));
    }
    Ok(heard)
}

/// An answer whose value counts, whether it is refused or not.
fn heeded<T: Default>(answer: HookResult<T>) -> HookResult<T> {
    match answer {
        Err(HookError::Refused(_)) => Ok(T::default()),
        other => other,
    }
}

/// Runs the program that a call names by its number.
struct Programs {
    programs: Arc<Vec<Program>>,
    hook: Box<dyn BlockchainHook>,
}

impl Machine for Programs {
    type Fatal = HookError;

    fn deploy(&mut self, _: ContractCreateInput) -> Result<Outcome, HookError> {
        Ok(Ok(VmOutput::default()))
    }

    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, HookError> {
        let number: usize = input.function.parse().expect("a number");
        let return_data = run_program(&self.programs[number], &mut *self.hook, &input)?;
        Ok(Ok(VmOutput {
            return_data,
            ..VmOutput::default()
        }))
    }
}

/// Counts frames, both ways.
#[derive(Debug, Clone, Default)]
struct Frames(Arc<AtomicU64>);

impl Tap for Frames {
    fn sent(&mut self, _: &[u8]) {
        self.0.fetch_add(1, Relaxed);
    }

    fn received(&mut self, _: u32, _: &[u8]) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A node with a child that runs programs.
struct Node {
    messenger: Messenger<MemoryTransport>,
    predictor: Predictor,
    frames: Frames,
    stats: DriverStats,
    world: World,
}

fn understanding() -> Ready {
    Ready {
        capabilities: vec![READ_AHEAD.to_owned()],
        ..Ready::default()
    }
}

impl Node {
    fn start(programs: &[Program], limits: ReadAhead, format: Format) -> Node {
        let (near, far) = pair(1 << 20);
        let programs = Arc::new(programs.to_vec());
        thread::spawn(move || {
            let link = Link::new(Messenger::new(Side::Arwen, far, format, 1 << 20));
            let build = |_: &Arguments, hook| {
                let programs = Arc::clone(&programs);
                Ok::<_, BuildError>(Programs { programs, hook })
            };
            let looping = DialogueLoop::new(link, Arguments::default(), build);
            looping.expect("builds").run()
        });
        let mut predictor = Predictor::new(limits);
        predictor.child_started(Some(&understanding()));
        let mut messenger = Messenger::new(Side::Node, near, format, 1 << 20);
        let frames = Frames::default();
        messenger.set_tap(Box::new(frames.clone()));
        Node {
            messenger,
            predictor,
            frames,
            stats: DriverStats::default(),
            world: World::default(),
        }
    }

    fn try_call(&mut self, input: &ContractCallInput) -> Result<Vec<Bytes>, Fault> {
        let request = ContractCallRequest {
            call_input: Some(input.clone()),
            ..Default::default()
        };
        let mut budget = Budget::new(Duration::from_secs(60));
        let (response, _) = self.predictor.run(
            &mut self.messenger,
            &mut self.world,
            request,
            &mut budget,
            &mut self.stats,
        )?;
        Ok(response.vm_output.expect("an output").return_data)
    }

    /// Calls, compares the answer with that of a run without a child, and returns the number of frames.
    fn call(&mut self, input: &ContractCallInput, program: &[Step]) -> u64 {
        let before = self.frames.0.load(Relaxed);
        let expected = run_program(program, &mut self.world.clone(), input).expect("an outcome");
        let found = self.try_call(input).expect("an answer");
        assert_eq!(found, expected);
        self.frames.0.load(Relaxed) - before
    }
}

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
        3 => parts().prop_map(Step::Account),
        1 => parts().prop_map(Step::IsContract),
        1 => parts().prop_map(Step::Shard),
        1 => parts().prop_map(Step::Create),
        1 => (0u64..3).prop_map(Step::BlockHash),
        1 => Just(Step::Time),
        1 => Just(Step::Epoch),
        1 => Just(Step::BuiltIn),
    ];
    proptest::collection::vec(step, 0..12)
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
        let request = ContractCallRequest {
            call_input: Some(input),
            answers_ahead: AnswersAhead { answers }.encode_to_vec().into(),
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
        let output = answer.expect("an answer").0.vm_output.expect("an output");
        prop_assert_eq!(output.return_data, expected);
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
