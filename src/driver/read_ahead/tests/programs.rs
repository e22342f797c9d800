//! A node and a child whose machine asks what a program says.

use super::super::*;
use crate::dialogue::{Side, Tap};
use crate::hooks::{HookError, HookResult};
use crate::machine::{BuildError, Machine, Outcome};
use crate::messages::json;
use crate::messages::null::not_null;
use crate::part::{DialogueLoop, Link};
use crate::transport::memory::{MemoryTransport, pair};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, DefaultHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// A part of a value that a program asks with.
#[derive(Debug, Clone)]
pub(super) enum Part {
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
pub(super) enum Step {
    Storage(Vec<Part>),
    /// Writes so many bytes at a key.
    Write(Vec<Part>, u8),
    Account(Vec<Part>),
    IsContract(Vec<Part>),
    Shard(Vec<Part>),
    Create(Vec<Part>),
    BlockHash(u64),
    Time,
    Epoch,
    BuiltIn,
}

pub(super) type Program = Vec<Step>;

thread_local! {
    static BEGINNING: Instant = Instant::now();
    /// What the hooks of this thread have taken.
    static PASSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// A clock that only the delays of hooks advance: what else the machine does must not decide what is answered ahead.
fn now() -> Instant {
    BEGINNING.with(|beginning| *beginning + PASSED.get())
}

/// Answers by a hash of the question and of `state`. So what was right for one request is wrong for the next one.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    pub(super) state: u64,
    /// Built-in functions that have changed it.
    pub(super) changes: u64,
    /// Some answers are refused, and some accounts don't exist.
    pub(super) refuses: bool,
    /// What each answer takes, by the clock of [`now`].
    pub(super) delay: Duration,
    pub(super) calls: u64,
    pub(super) is_fatal: bool,
    /// From the second call on.
    pub(super) panics: bool,
}

impl World {
    fn number(&mut self, question: impl Hash) -> HookResult<u64> {
        self.calls += 1;
        PASSED.set(PASSED.get() + self.delay);
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

/// Runs a program. Its output returns all that it has heard, and reports the storage values that it has read and written.
pub(super) fn run_program(
    program: &[Step],
    hook: &mut dyn BlockchainHook,
    input: &ContractCallInput,
) -> HookResult<VmOutput> {
    let vm_input = input.input.as_ref().expect("an input");
    let mut last = Bytes::new();
    let mut heard = Vec::new();
    let mut storage = BTreeMap::new();
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
            Step::Storage(key) => {
                let key = value(key);
                heeded(hook.storage_data(here, &key)).map(|data| {
                    last = data.clone().unwrap_or_default();
                    let text = format!("{data:?}");
                    if let Some(data) = data {
                        storage.insert(key, not_null(data));
                    }
                    text
                })
            }
            Step::Write(key, length) => {
                storage.insert(value(key), vec![7; usize::from(*length)].into());
                Ok(String::new())
            }
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
    Ok(VmOutput {
        return_data: heard,
        output_accounts: [
            account(b"another", &storage),
            account(&input.recipient_addr, &storage),
        ]
        .into(),
        ..VmOutput::default()
    })
}

fn account(address: &[u8], storage: &BTreeMap<Vec<u8>, Bytes>) -> OutputAccountEntry {
    let updates = storage.iter().map(|(key, data)| {
        let key = not_null(key.clone());
        let data = data.clone();
        StorageUpdateEntry {
            key: key.clone(),
            value: Some(StorageUpdate { offset: key, data }),
        }
    });
    OutputAccountEntry {
        key: Bytes::copy_from_slice(address),
        value: Some(OutputAccount {
            address: Bytes::copy_from_slice(address),
            storage_updates: updates.collect(),
            ..OutputAccount::default()
        }),
    }
}

/// As JSON, which tells null from empty.
pub(super) fn text(output: &VmOutput) -> String {
    let mut text = Vec::new();
    json::write_object(output, false, &mut text);
    String::from_utf8(text).expect("JSON")
}

/// An answer whose value counts, whether it is refused or not.
pub(super) fn heeded<T: Default>(answer: HookResult<T>) -> HookResult<T> {
    match answer {
        Err(HookError::Refused(_)) => Ok(T::default()),
        other => other,
    }
}

/// Runs the program that a call names by its number.
pub(super) struct Programs {
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
        let output = run_program(&self.programs[number], &mut *self.hook, &input)?;
        Ok(Ok(output))
    }
}

/// Counts frames, both ways, and responses whose output leaves something out.
#[derive(Debug, Clone)]
pub(super) struct Frames {
    format: Format,
    count: Arc<AtomicU64>,
    shortened: Arc<AtomicU64>,
}

impl Frames {
    fn new(format: Format) -> Frames {
        Frames {
            format,
            count: Arc::default(),
            shortened: Arc::default(),
        }
    }

    pub(super) fn shortened(&self) -> u64 {
        self.shortened.load(Relaxed)
    }
}

impl Tap for Frames {
    fn sent(&mut self, _: &[u8]) {
        self.count.fetch_add(1, Relaxed);
    }

    fn received(&mut self, kind: u32, payload: &[u8]) {
        self.count.fetch_add(1, Relaxed);
        let payload = Bytes::copy_from_slice(payload);
        let (_, message) = codec::decode(self.format, kind, payload).expect("a message");
        if matches!(message, Message::ContractResponse(response) if !response.left_out.is_empty()) {
            self.shortened.fetch_add(1, Relaxed);
        }
    }
}

/// A node with a child that runs programs.
pub(super) struct Node {
    pub(super) messenger: Messenger<MemoryTransport>,
    pub(super) predictor: Predictor,
    pub(super) frames: Frames,
    pub(super) stats: DriverStats,
    pub(super) world: World,
    is_json: bool,
}

pub(super) fn understanding() -> Ready {
    Ready {
        capabilities: vec![READ_AHEAD.to_owned()],
        ..Ready::default()
    }
}

impl Node {
    pub(super) fn start(programs: &[Program], limits: ReadAhead, format: Format) -> Node {
        Node::with_limit(programs, limits, format, 1 << 20)
    }

    /// One whose payloads have so many bytes at most.
    pub(super) fn with_limit(
        programs: &[Program],
        limits: ReadAhead,
        format: Format,
        payload_limit_bytes: u32,
    ) -> Node {
        let (near, far) = pair(1 << 20);
        let programs = Arc::new(programs.to_vec());
        thread::spawn(move || {
            let link = Link::new(Messenger::new(
                Side::Arwen,
                far,
                format,
                payload_limit_bytes,
            ));
            let build = |_: &Arguments, hook| {
                let programs = Arc::clone(&programs);
                Ok::<_, BuildError>(Programs { programs, hook })
            };
            let looping = DialogueLoop::new(link, Arguments::default(), build);
            looping.expect("builds").run()
        });
        let mut predictor = Predictor::new(limits);
        predictor.clock = now;
        predictor.child_started(Some(&understanding()));
        let mut messenger = Messenger::new(Side::Node, near, format, payload_limit_bytes);
        let frames = Frames::new(format);
        messenger.set_tap(Box::new(frames.clone()));
        Node {
            messenger,
            predictor,
            frames,
            stats: DriverStats::default(),
            world: World::default(),
            is_json: format == Format::Json,
        }
    }

    pub(super) fn try_call(&mut self, input: &ContractCallInput) -> Result<VmOutput, Fault> {
        let (response, _) = self.answer(input)?;
        Ok(response.vm_output.expect("an output"))
    }

    /// The response to a call and its error message.
    pub(super) fn answer(
        &mut self,
        input: &ContractCallInput,
    ) -> Result<(ContractResponse, String), Fault> {
        let request = ContractCallRequest {
            call_input: Some(input.clone()),
            ..Default::default()
        };
        let mut budget = Budget::new(Duration::from_secs(60));
        self.predictor.run(
            &mut self.messenger,
            &mut self.world,
            request,
            &mut budget,
            &mut self.stats,
        )
    }

    /// Calls, compares the answer with that of a run without a child, and returns the number of frames.
    pub(super) fn call(&mut self, input: &ContractCallInput, program: &[Step]) -> u64 {
        let before = self.frames.count.load(Relaxed);
        let expected = run_program(program, &mut self.world.clone(), input).expect("an outcome");
        let found = self.try_call(input).expect("an answer");
        assert_eq!(found, expected);
        if self.is_json {
            assert_eq!(text(&found), text(&expected));
        }
        self.frames.count.load(Relaxed) - before
    }
}
