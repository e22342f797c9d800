//! Records hook answers, so that an abandoned run replays without asking the node twice.
//!
//! While a run may be given up, every answer is kept. The run that takes its place asks the same questions, gets the
//! same answers, and goes on asking the node where the first one has ended.

use crate::hooks::{BlockchainHook, HookError, HookResult};
use crate::messages::codec::Measure;
use crate::messages::elements::{self, TooManyElements};
use crate::messages::json::{self, JsonObject as _};
use crate::messages::{Account, ContractCallInput, StorageDataEntry, VmOutput};
use bytes::Bytes;
use prost::Message as _;
use std::any::Any;
use std::collections::VecDeque;
use thiserror::Error;

/// With more answers than this, in bytes, the run is given up before it asks more.
const MAXIMUM_RECORD_BYTES: usize = 1024 * 1024;

/// What a question and its answer take besides their bytes.
const EXCHANGE_BYTES: usize = 256;

/// Nothing more can be recorded. Comes as [`HookError::Fatal`], so that it ends the run.
#[derive(Debug, Error)]
#[error("the record of the hook calls is full")]
pub struct RecordFull;

/// A run asks something else than the run that it repeats, though both had the same answers: a bug. Comes as
/// [`HookError::Fatal`].
#[derive(Debug, Error)]
#[error("the repeated run asks {asked} in place of {recorded}")]
pub struct OtherQuestion {
    asked: &'static str,
    recorded: &'static str,
}

/// A question is too long to be sent to a node. Comes as [`HookError::Fatal`]; it is a fault of the run, and not of the
/// hook.
#[derive(Debug, Error)]
#[error("the question {asked} takes about {length} bytes {measure}; the limit is {limit}")]
pub struct QuestionTooLong {
    asked: &'static str,
    measure: Measure,
    length: usize,
    limit: usize,
}

/// What a message takes besides its byte strings, and some more.
const MESSAGE_BYTES: usize = 1024;

/// Asks a hook, and can repeat what it has answered.
pub struct RecordedHook {
    hook: Box<dyn BlockchainHook>,
    payload_limit_bytes: u32,
    mode: Mode,
    record: VecDeque<Exchange>,
    /// What the record takes.
    bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Only asks.
    PassOn,
    /// Keeps what is answered.
    Record,
    /// Answers from the record, as long as it lasts.
    Replay,
}

struct Exchange {
    method: &'static str,
    /// A tuple of the parameters.
    question: Box<dyn Any + Send>,
    /// A `Result<T, String>`: `T` is what the method returns, the text that of a refusal.
    answer: Box<dyn Any + Send>,
}

impl RecordedHook {
    /// Asks `hook` what takes at most so many bytes as JSON: also a hook that has no node at the other end, so that a run
    /// ends the same way everywhere.
    pub fn new(hook: Box<dyn BlockchainHook>, payload_limit_bytes: u32) -> RecordedHook {
        RecordedHook {
            hook,
            payload_limit_bytes,
            mode: Mode::PassOn,
            record: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Keeps every answer from here on.
    pub fn record(&mut self) {
        self.forget();
        self.mode = Mode::Record;
    }

    /// Gives the answers that were kept to the same questions, asked in the same order; then asks again.
    pub fn replay(&mut self) {
        self.mode = Mode::Replay;
    }

    /// Ends a recording; what is being repeated goes on.
    pub fn stop_recording(&mut self) {
        if self.mode == Mode::Record {
            self.forget();
        }
    }

    /// Only asks from here on.
    pub fn forget(&mut self) {
        self.mode = Mode::PassOn;
        self.record.clear();
        self.bytes = 0;
    }

    /// Fails for a question that a node might not read: its parameters take `length` bytes as JSON, or one of them has too many
    /// elements. Those are counted last, as a question of any length takes any time to count.
    fn check_length(
        &self,
        asked: &'static str,
        length: usize,
        elements: impl FnOnce() -> Result<(), TooManyElements>,
    ) -> HookResult<()> {
        let (length, limit) = (MESSAGE_BYTES + length, self.payload_limit_bytes as usize);
        let (measure, length, limit) = if length > limit {
            (Measure::Json, length, limit)
        } else if let Err(error) = elements() {
            (Measure::Elements, error.needed, error.limit)
        } else {
            return Ok(());
        };
        Err(HookError::Fatal(Box::new(QuestionTooLong {
            asked,
            measure,
            length,
            limit,
        })))
    }

    /// The code of an account, empty if it has none; `None` for an account that the node does not have. Every run asks for it, and
    /// to record whole accounts would take a twentieth of a short call.
    pub fn code(&mut self, address: &[u8]) -> HookResult<Option<Bytes>> {
        self.check_length("user_account", address.json_bytes(), || Ok(()))?;
        self.exchange(
            "code",
            || address.to_owned(),
            |hook| Ok(hook.user_account(address)?.map(|account| account.code)),
        )
    }

    fn exchange<Q: PartialEq + Send + 'static, T: Recordable>(
        &mut self,
        method: &'static str,
        question: impl FnOnce() -> Q,
        ask: impl FnOnce(&mut dyn BlockchainHook) -> HookResult<T>,
    ) -> HookResult<T> {
        match self.mode {
            Mode::PassOn => ask(&mut *self.hook),
            Mode::Record if self.bytes > MAXIMUM_RECORD_BYTES => {
                Err(HookError::Fatal(Box::new(RecordFull)))
            }
            Mode::Record => {
                let answer = match ask(&mut *self.hook) {
                    Ok(answer) => Ok(answer),
                    Err(HookError::Refused(text)) => Err(text),
                    Err(fatal) => return Err(fatal),
                };
                self.bytes += EXCHANGE_BYTES + answer.as_ref().map_or_else(String::len, T::bytes);
                self.record.push_back(Exchange {
                    method,
                    question: Box::new(question()),
                    answer: Box::new(answer.clone()),
                });
                answer.map_err(HookError::Refused)
            }
            Mode::Replay => match self.record.pop_front() {
                Some(exchange) => exchange.repeat(method, &question()),
                None => {
                    self.forget();
                    ask(&mut *self.hook)
                }
            },
        }
    }
}

impl Exchange {
    /// The answer, if the question is the same.
    fn repeat<Q: PartialEq + 'static, T: Recordable>(
        self,
        method: &'static str,
        question: &Q,
    ) -> HookResult<T> {
        let is_same = self.method == method && self.question.downcast_ref() == Some(question);
        match self.answer.downcast::<Result<T, String>>() {
            Ok(answer) if is_same => answer.map_err(HookError::Refused),
            _ => Err(HookError::Fatal(Box::new(OtherQuestion {
                asked: method,
                recorded: self.method,
            }))),
        }
    }
}

/// What a hook call is given.
trait Parameter {
    /// How many bytes it takes as JSON, or something more.
    fn json_bytes(&self) -> usize;

    /// Whether a reader takes as many elements of lists as it has.
    fn check_elements(&self) -> Result<(), TooManyElements> {
        Ok(())
    }
}

impl Parameter for u64 {
    fn json_bytes(&self) -> usize {
        u64::MAX.ilog10() as usize + 1
    }
}

impl Parameter for &[u8] {
    fn json_bytes(&self) -> usize {
        json::base64_length(self.len())
    }
}

impl Parameter for &ContractCallInput {
    fn json_bytes(&self) -> usize {
        json::Writer::length(|out| out.object(|out| self.write_fields(out)))
    }

    fn check_elements(&self) -> Result<(), TooManyElements> {
        elements::check_message(*self, self.encoded_len())
    }
}

/// What a hook call returns.
trait Recordable: Clone + Send + 'static {
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
}

/// Says how many bytes the answers of a type take.
macro_rules! answers {
    ($($type:ty: |$answer:ident| $bytes:expr;)*) => {
        $(impl Recordable for $type {
            fn bytes(&self) -> usize {
                let $answer = self;
                $bytes
            }
        })*
    };
}

answers! {
    u32: |number| size_of_val(number);
    u64: |number| size_of_val(number);
    bool: |flag| size_of_val(flag);
    Bytes: |bytes| bytes.len();
    Account: |account| account.encoded_len();
    VmOutput: |output| output.encoded_len();
    StorageDataEntry: |entry| entry.encoded_len();
}

impl<T: Recordable> Recordable for Option<T> {
    fn bytes(&self) -> usize {
        self.as_ref().map_or(0, T::bytes)
    }
}

impl<T: Recordable> Recordable for Vec<T> {
    fn bytes(&self) -> usize {
        self.iter().map(T::bytes).sum()
    }
}

/// Implements the methods of the hook.
macro_rules! recorded {
    ($($method:ident($($parameter:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl BlockchainHook for RecordedHook {
            $(fn $method(&mut self, $($parameter: $type),*) -> HookResult<$answer> {
                let elements = || Ok(())$(.and_then(|()| $parameter.check_elements()))*;
                self.check_length(stringify!($method), 0 $(+ $parameter.json_bytes())*, elements)?;
                self.exchange(
                    stringify!($method),
                    || ($($parameter.to_owned(),)*),
                    |hook| hook.$method($($parameter),*),
                )
            })*
        }
    };
}

recorded! {
    new_address(creator: &[u8], creator_nonce: u64, vm_type: &[u8]) -> Bytes;
    storage_data(address: &[u8], key: &[u8]) -> Option<Bytes>;
    block_hash(nonce: u64) -> Bytes;
    last_nonce() -> u64;
    last_round() -> u64;
    last_time_stamp() -> u64;
    last_random_seed() -> Bytes;
    last_epoch() -> u32;
    state_root_hash() -> Bytes;
    current_nonce() -> u64;
    current_round() -> u64;
    current_time_stamp() -> u64;
    current_random_seed() -> Bytes;
    current_epoch() -> u32;
    process_builtin_function(input: &ContractCallInput) -> Option<VmOutput>;
    builtin_function_names() -> Vec<Bytes>;
    all_state(address: &[u8]) -> Vec<StorageDataEntry>;
    user_account(address: &[u8]) -> Option<Account>;
    user_account_with_known_code(address: &[u8], known_code_hash: &[u8]) -> Option<Account>;
    shard_of_address(address: &[u8]) -> u32;
    is_smart_contract(address: &[u8]) -> bool;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::VmInput;
    use crate::messages::codec::DEFAULT_PAYLOAD_LIMIT_BYTES;
    use crate::vm::fixtures::{address, node};

    /// A node would not read millions of empty arguments, and the child would end for it. Whether they are too many is only
    /// counted if they are not too long.
    #[test]
    fn a_question_with_too_many_elements_is_not_asked() {
        let (node, world) = node();
        let mut hook = RecordedHook::new(node, DEFAULT_PAYLOAD_LIMIT_BYTES);
        let ask = |hook: &mut RecordedHook, arguments| {
            let input = VmInput {
                arguments: vec![Bytes::new(); arguments],
                ..VmInput::default()
            };
            hook.process_builtin_function(&ContractCallInput {
                input: Some(input),
                ..ContractCallInput::default()
            })
        };
        for (limit, measure) in [
            (
                DEFAULT_PAYLOAD_LIMIT_BYTES,
                "bytes as elements in memory; the limit is",
            ),
            (1 << 20, "bytes as JSON; the limit is 1048576"),
        ] {
            hook.payload_limit_bytes = limit;
            let Err(HookError::Fatal(error)) = ask(&mut hook, 3_000_000) else {
                panic!("too many arguments");
            };
            let text = error.to_string();
            assert!(error.is::<QuestionTooLong>(), "{text}");
            assert!(text.contains(measure), "{text}");
        }
        hook.payload_limit_bytes = DEFAULT_PAYLOAD_LIMIT_BYTES;
        assert!(!matches!(
            ask(&mut hook, 2_000_000),
            Err(HookError::Fatal(_))
        ));
        assert_eq!(world.lock().expect("no panic").calls.len(), 1);
    }

    #[test]
    fn code_is_asked_for_once() {
        let (node, world) = node();
        let code = Bytes::from_static(b"code");
        let mut told = world.lock().expect("no panic");
        told.put_contract("a", code.clone());
        told.refuses = Some((address("c"), "not told"));
        drop(told);
        let mut hook = RecordedHook::new(node, DEFAULT_PAYLOAD_LIMIT_BYTES);
        hook.record();
        for _ in 0..2 {
            assert_eq!(hook.code(&address("a")).ok(), Some(Some(code.clone())));
            assert_eq!(hook.code(&address("b")).ok(), Some(None));
            let refused = hook.code(&address("c"));
            assert!(matches!(refused, Err(HookError::Refused(text)) if text == "not told"));
            hook.replay();
        }
        let asked = &world.lock().expect("no panic").calls;
        assert_eq!(asked[..], ["account(a)", "account(b)", "account(c)"]);
    }

    #[test]
    fn another_question_than_the_recorded_one_is_an_error() {
        let ask = |hook: &mut RecordedHook| hook.storage_data(&address("a"), b"key").map(drop);
        let others: [fn(&mut RecordedHook) -> HookResult<()>; 2] = [
            |hook| hook.storage_data(&address("a"), b"other").map(drop),
            |hook| hook.last_nonce().map(drop),
        ];
        for other in others {
            let (node, world) = node();
            let mut hook = RecordedHook::new(node, DEFAULT_PAYLOAD_LIMIT_BYTES);
            hook.record();
            ask(&mut hook).expect("an answer");
            ask(&mut hook).expect("an answer");
            hook.replay();
            ask(&mut hook).expect("the answer of before");
            let Err(HookError::Fatal(error)) = other(&mut hook) else {
                panic!("there is no such answer");
            };
            assert!(error.is::<OtherQuestion>(), "{error}");
            assert_eq!(world.lock().expect("no panic").calls.len(), 2);
        }
    }
}
