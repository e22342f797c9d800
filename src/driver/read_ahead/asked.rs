//! What a child asks in the course of a request.

use super::sources::Gist;
use super::template::Question;
use crate::messages::ahead::is_readable_ahead;
use crate::messages::whole_output::StorageRead;
use crate::messages::{BlockchainGetUserAccountRequest, Message, MessageKind};
use bytes::Bytes;

/// A question and what later ones may depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub question: Question,
    pub gist: Gist,
}

/// The code hash that a child knows of an address after an answer; empty if it knows none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownHash {
    pub address: Bytes,
    pub code_hash: Bytes,
}

/// What an answer ahead has told that is needed later.
#[derive(Debug, Default)]
pub(super) enum Told {
    /// The child knows the code, once it has used the answer.
    CodeHash(KnownHash),
    /// The output may leave it out.
    Storage(StorageRead),
    #[default]
    Nothing,
}

impl Told {
    /// What is told by an answer to a question; storage values only `with_storage`.
    pub(super) fn by(question: &Message, answer: &Message, with_storage: bool) -> Told {
        match question {
            Message::BlockchainGetStorageDataRequest(_) if with_storage => {
                StorageRead::told_by(question, answer).map_or(Told::Nothing, Told::Storage)
            }
            Message::BlockchainGetUserAccountRequest(question) => {
                let hash = KnownHash::at(&question.address, answer);
                hash.map_or(Told::Nothing, Told::CodeHash)
            }
            _ => Told::Nothing,
        }
    }
}

impl KnownHash {
    /// What the child keeps of this answer (docs/spec/wire.md#known-code); `None` if it is no account's.
    fn at(address: &Bytes, answer: &Message) -> Option<KnownHash> {
        let Message::BlockchainGetUserAccountResponse(answer) = answer else {
            return None;
        };
        let account = answer.account.as_ref()?;
        let is_kept = account.code_unchanged || !account.code.is_empty();
        let code_hash = is_kept.then(|| account.code_hash.clone());
        Some(KnownHash {
            address: address.clone(),
            code_hash: code_hash.unwrap_or_default(),
        })
    }
}

/// Counts the hook calls of a request, and notes those that can be learned from.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// How many were answered.
    pub(crate) count: u64,
    /// Whether the code hashes that the child knows are followed.
    pub(super) is_following: bool,
    /// Whether questions are noted.
    pub(super) is_noting: bool,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) known_hashes: Vec<KnownHash>,
}

/// A hook call that has not been answered.
#[derive(Debug, Default)]
pub(in crate::driver) struct Pending {
    question: Option<Question>,
    /// The address of an account.
    account: Option<Bytes>,
}

impl Pending {
    fn is_nothing(&self) -> bool {
        self.question.is_none() && self.account.is_none()
    }
}

impl Asked {
    /// Follows the code hashes that the child knows.
    pub(super) fn following() -> Asked {
        Asked {
            is_following: true,
            ..Asked::default()
        }
    }

    /// A hook call was received.
    pub(in crate::driver) fn received(&mut self, message: &Message) -> Pending {
        let account = match message {
            Message::BlockchainGetUserAccountRequest(request) if self.is_following => {
                Some(request.address.clone())
            }
            // What is asked after it can't be answered ahead.
            Message::BlockchainProcessBuiltinFunctionRequest(_) => {
                self.is_noting = false;
                None
            }
            _ => None,
        };
        let question = self.is_noting.then(|| question(message)).flatten();
        Pending { question, account }
    }

    /// A hook call was answered.
    pub(in crate::driver) fn answered(&mut self, pending: Pending, answer: impl Into<Message>) {
        self.count += 1;
        if pending.is_nothing() {
            return;
        }
        let answer = answer.into();
        if let Some(address) = pending.account {
            self.known_hashes.extend(KnownHash::at(&address, &answer));
        }
        if let Some(question) = pending.question {
            let gist = Gist::of(&answer);
            self.exchanges.push(Exchange { question, gist });
        }
    }
}

/// The question of a hook call; `None` for a call that is never answered ahead.
fn question(message: &Message) -> Option<Question> {
    let kind = MessageKind::from_wire(message.kind()).filter(|kind| is_readable_ahead(*kind))?;
    let Message::BlockchainGetUserAccountRequest(request) = message else {
        return Question::new(kind, message);
    };
    let request = BlockchainGetUserAccountRequest {
        address: request.address.clone(),
        known_code_hash: Bytes::new(),
    };
    Question::new(kind, &request.into())
}
