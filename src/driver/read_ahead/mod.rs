//! Read-ahead: answers hook calls before the child asks them, so that a call takes one round trip
//! (docs/spec/wire.md#read-ahead).
//!
//! The driver learns what the functions of contracts ask, as templates. With the next request it sends the answers that it
//! expects to be asked for; the child uses them and says which. What a contract sees does not depend on it, as answers
//! don't change within a request.
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | predicts the questions of a request, and learns from it |
//! | `profile` | the templates of a function, and whether predicting pays |
//! | `template` | a question with places open for parts of the request and of earlier answers |
//! | `sources` | what open places are filled with |
//! | `parts` | finds what of a question may stand in an open place |
//! | `limits` | how much is answered ahead |
//! | `asked` | what a child has asked |
//! | `writer` | has the node answer questions, up to the limits |

mod asked;
mod limits;
mod parts;
mod profile;
mod sources;
mod template;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use asked::Asked;
pub(super) use asked::Pending;
pub use limits::ReadAhead;

use super::DriverStats;
use super::budget::Budget;
use super::dialogue_loop;
use super::error::{BadMessage, Fault};
use crate::byte_lru::ByteLru;
use crate::dialogue::{Messenger, MessengerError};
use crate::hooks::BlockchainHook;
use crate::messages::ahead::{AnswerSet, AnswersField};
use crate::messages::{whole_output, *};
use crate::transport::Transport;
use asked::{KnownHash, Told};
use bytes::Bytes;
use profile::{Prediction, Profile, Score};
use sources::{Gist, Sources, TemplateId};
use std::time::Instant;
use template::Filled;
use writer::{Clock, Writer};

/// The most memory that all templates take, in bytes.
const PROFILES_BYTES: usize = 16 << 20;

/// The most memory that the code hashes take which the child is taken to know, in bytes.
const KNOWN_HASHES_BYTES: usize = 4 << 20;

/// How much of the code tells deploys apart, in bytes.
const CODE_BYTES: usize = 4096;

/// How many deploys are remembered.
const DEPLOYS: usize = 256;

/// Outputs may leave out what answers tell if there are so many questions that it pays to find it.
const LEAVE_OUT_FROM: usize = 6;

/// Templates that are kept for each answer that may be sent.
const TEMPLATES_PER_ANSWER: usize = 2;

/// A request, as far as its hook calls may depend on it.
pub(super) struct Input<'a> {
    profile: ProfileKey,
    is_deploy: bool,
    sources: Vec<&'a [u8]>,
}

/// Which function of which contract. A hash: two that are equal by chance predict each other's questions, which the child
/// does not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ProfileKey(u64);

impl ProfileKey {
    fn of(parts: [&[u8]; 2]) -> ProfileKey {
        // Like FNV-1a, but of words; the lengths keep the parts apart.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ (parts[0].len() as u64) << 32;
        for chunk in parts.into_iter().flat_map(|part| part.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            hash ^= hash >> 32;
        }
        ProfileKey(hash)
    }
}

impl<'a> Input<'a> {
    fn new(profile: ProfileKey, input: Option<&'a VmInput>) -> Self {
        let mut sources = Vec::new();
        if let Some(input) = input {
            sources.push(&input.caller_addr[..]);
            sources.extend(input.arguments.iter().map(|argument| &argument[..]));
        }
        Input {
            profile,
            is_deploy: false,
            sources,
        }
    }
}

/// A request that may carry answers.
pub(super) trait Carrier: Request {
    /// What its hook calls may depend on; `None` if it has none.
    fn input(&self) -> Option<Input<'_>>;

    /// Has it carry answers ahead.
    fn carry(&mut self, answers_ahead: Bytes);

    /// The response, if it may depend on answers ahead.
    fn response(response: &mut Self::Response) -> Option<&mut ContractResponse>;
}

impl Carrier for ContractDeployRequest {
    fn input(&self) -> Option<Input<'_>> {
        let input = self.create_input.as_ref()?;
        let code = &input.contract_code;
        let beginning = &code[..code.len().min(CODE_BYTES)];
        let profile = ProfileKey::of([b"deploy", beginning]);
        Some(Input {
            is_deploy: true,
            ..Input::new(profile, input.input.as_ref())
        })
    }

    fn carry(&mut self, answers_ahead: Bytes) {
        self.answers_ahead = answers_ahead;
    }

    fn response(response: &mut ContractResponse) -> Option<&mut ContractResponse> {
        Some(response)
    }
}

impl Carrier for ContractCallRequest {
    fn input(&self) -> Option<Input<'_>> {
        let input = self.call_input.as_ref()?;
        let recipient = &input.recipient_addr;
        let profile = ProfileKey::of([recipient, input.function.as_bytes()]);
        Some(Input::new(profile, input.input.as_ref()))
    }

    fn carry(&mut self, answers_ahead: Bytes) {
        self.answers_ahead = answers_ahead;
    }

    fn response(response: &mut ContractResponse) -> Option<&mut ContractResponse> {
        Some(response)
    }
}

impl Carrier for DiagnoseWaitRequest {
    fn input(&self) -> Option<Input<'_>> {
        None
    }

    fn carry(&mut self, _: Bytes) {}

    fn response(_: &mut DiagnoseWaitResponse) -> Option<&mut ContractResponse> {
        None
    }
}

/// Predicts the hook calls of requests.
#[derive(Debug)]
pub(super) struct Predictor {
    limits: ReadAhead,
    clock: Clock,
    /// Whether the current child uses answers ahead.
    is_understood: bool,
    profiles: ByteLru<ProfileKey, Profile>,
    /// What was deployed lately, by the remainder of its key.
    deployed: Box<[Option<ProfileKey>; DEPLOYS]>,
    /// The code hashes that the current child knows, by address.
    known_hashes: ByteLru<Bytes, Bytes>,
    /// The answers of the current request.
    field: AnswersField,
    /// The questions of the current request.
    filled: Filled,
}

/// The answers ahead of a request.
#[derive(Debug, Default)]
struct Answers {
    /// What is learned from; `None` if nothing is.
    profile: Option<ProfileKey>,
    /// For the request; empty if there are none.
    field: Bytes,
    predictions: Vec<Prediction>,
    /// What each prediction has told.
    told: Vec<Told>,
    /// What the node answered ahead, in the order of the templates.
    gists: Vec<(TemplateId, Gist)>,
}

impl Answers {
    /// Puts back into a response what it leaves out of what was told. Returns which answers were used.
    fn complete(
        &mut self,
        response: &mut ContractResponse,
        format: Format,
    ) -> Result<AnswerSet, Fault> {
        let count = self.told.len();
        let completed = whole_output::complete(response, format, count, |answer| {
            match std::mem::take(self.told.get_mut(answer)?) {
                Told::Storage(read) => Some(read),
                _ => None,
            }
        });
        completed.map_err(|error| Fault::BadMessage(BadMessage::LeftOut(error)))?;
        Ok(AnswerSet::of_field(std::mem::take(
            &mut response.used_ahead,
        )))
    }
}

impl Predictor {
    pub(super) fn new(limits: ReadAhead) -> Predictor {
        Predictor {
            limits,
            clock: Instant::now,
            is_understood: false,
            profiles: ByteLru::new(PROFILES_BYTES),
            deployed: Box::new([None; DEPLOYS]),
            known_hashes: ByteLru::new(KNOWN_HASHES_BYTES),
            field: AnswersField::default(),
            filled: Filled::default(),
        }
    }

    /// A new child has reported this.
    pub(super) fn child_started(&mut self, ready: Option<&Ready>) {
        let capabilities = ready.map_or(&[][..], |ready| &ready.capabilities);
        self.is_understood =
            self.limits.answers > 0 && capabilities.iter().any(|name| name == READ_AHEAD);
        self.known_hashes.clear();
    }

    /// Runs a request, with the answers ahead that its child is expected to use, and learns from it.
    pub(super) fn run<T: Transport, R: Carrier>(
        &mut self,
        messenger: &mut Messenger<T>,
        hook: &mut dyn BlockchainHook,
        mut request: R,
        budget: &mut Budget,
        stats: &mut DriverStats,
    ) -> Result<(R::Response, String), Fault> {
        let (mut answers, mut asked) = self.answers(&request, hook, budget);
        stats.hook_calls_total += answers.predictions.len() as u64;
        request.carry(std::mem::take(&mut answers.field));
        let mut answer = dialogue_loop::run(messenger, hook, &request, budget, &mut asked);
        if let Err(Fault::UnsendableRequest(MessengerError::TooLong(_))) = answer
            && !answers.predictions.is_empty()
        {
            request.carry(Bytes::new());
            answer = dialogue_loop::run(messenger, hook, &request, budget, &mut asked);
        }
        stats.hook_calls_total += asked.count;
        let mut answer = answer?;
        let used = match R::response(&mut answer.0) {
            Some(response) => answers.complete(response, messenger.format())?,
            None => AnswerSet::default(),
        };
        if asked.is_following {
            stats.read_ahead_missed_total += asked.count;
            let score = self.learn(&request, answers, asked, &used);
            stats.read_ahead_used_total += score.used;
            stats.read_ahead_wasted_total += score.wasted;
        }
        Ok(answer)
    }

    /// The answers ahead of a request, and what notes what is asked all the same. The time of the node's hook does not count
    /// in `budget`.
    fn answers<R: Carrier>(
        &mut self,
        request: &R,
        hook: &mut dyn BlockchainHook,
        budget: &mut Budget,
    ) -> (Answers, Asked) {
        let input = request.input().filter(|_| self.is_understood);
        let Some(input) = input else {
            return Default::default();
        };
        let mut asked = Asked::following();
        let none = Answers {
            profile: Some(input.profile),
            ..Answers::default()
        };
        let Some(profile) = self.profiles.get_mut(&input.profile) else {
            asked.is_noting = true;
            return (none, asked);
        };
        asked.is_noting = profile.is_learning();
        if !profile.begin() {
            return (none, asked);
        }
        // A hook that panicked has left it as it was.
        self.field.clear();
        let start = (self.clock)();
        let most = profile.confirmed();
        let mut writer = Writer {
            limits: &self.limits,
            until: start + self.limits.time,
            now: start,
            clock: self.clock,
            known: &mut self.known_hashes,
            field: &mut self.field,
            may_leave_out: most >= LEAVE_OUT_FROM,
            told: Vec::with_capacity(most),
        };
        let mut sources = Sources {
            input: input.sources,
            answers: Vec::with_capacity(most),
        };
        let filled = &mut self.filled;
        let predictions = profile.predict(&mut sources, filled, |question| {
            writer.answer(question, hook)
        });
        budget.deadline += writer.now - start;
        let answers = Answers {
            profile: Some(input.profile),
            field: writer.field.take(writer.may_leave_out),
            told: writer.told,
            predictions,
            gists: sources.answers,
        };
        (answers, asked)
    }

    /// Learns from an answered request.
    fn learn<R: Carrier>(
        &mut self,
        request: &R,
        answers: Answers,
        asked: Asked,
        used: &AnswerSet,
    ) -> Score {
        let Some(key) = answers.profile else {
            return Score::default();
        };
        let used_hashes = answers.told.into_iter().enumerate();
        let used_hashes = used_hashes.filter_map(|(place, told)| match told {
            Told::CodeHash(hash) => Some(hash).filter(|_| used.contains(place)),
            _ => None,
        });
        for hash in used_hashes.chain(asked.known_hashes) {
            self.child_knows(hash);
        }
        let has_asked = !asked.exchanges.is_empty();
        if has_asked && self.profiles.peek(&key).is_none() {
            let input = request.input();
            if !input.is_some_and(|input| self.is_expected_again(&input)) {
                return Score::default();
            }
            self.profiles.put(key, Profile::default(), 0);
        }
        let Some(profile) = self.profiles.get_mut(&key) else {
            return Score::default();
        };
        let sources = || Sources {
            input: request
                .input()
                .map(|input| input.sources)
                .unwrap_or_default(),
            answers: answers.gists,
        };
        let most = TEMPLATES_PER_ANSWER * self.limits.answers as usize;
        let is_used = |place| used.contains(place);
        let predictions = &answers.predictions;
        let score = profile.learn(
            sources,
            &mut self.filled,
            predictions,
            is_used,
            &asked.exchanges,
            most,
        );
        if has_asked {
            let bytes = profile.bytes();
            self.profiles.resize(&key, bytes);
        }
        score
    }

    /// Whether it pays to learn from a request. Most code is deployed once, so that of a first deploy would only take memory.
    fn is_expected_again(&mut self, input: &Input<'_>) -> bool {
        if !input.is_deploy {
            return true;
        }
        let key = input.profile;
        let last = &mut self.deployed[key.0 as usize % DEPLOYS];
        last.replace(key) == Some(key)
    }

    fn child_knows(&mut self, hash: KnownHash) {
        let KnownHash { address, code_hash } = hash;
        if code_hash.is_empty() {
            self.known_hashes.remove(&address);
        } else if self.known_hashes.peek(&address) != Some(&code_hash) {
            /// What an entry takes besides its bytes.
            const ENTRY_BYTES: usize = 128;
            let bytes = ENTRY_BYTES + address.len() + code_hash.len();
            // Both may be parts of much more memory.
            let [address, code_hash] =
                [address, code_hash].map(|part| Bytes::copy_from_slice(&part));
            self.known_hashes.put(address, code_hash, bytes);
        }
    }
}
