//! What the open places of templates are filled with: parts of the request and of earlier answers.

use crate::messages::Message;

/// Values and sources are compared up to this length, in bytes: longer ones are no addresses or keys.
pub(super) const LONGEST_VALUE: usize = 256;

/// The most sources that a value is compared with.
const MOST_SOURCES: usize = 64;

/// The longest answer that later questions may have in them, in bytes.
const LONGEST_GIST: usize = 48;

/// What later questions may have in them of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gist {
    /// A storage value, or the address of a new contract, of this length; none if it is longer.
    pub(super) bytes: [u8; LONGEST_GIST],
    pub(super) length: usize,
    /// The nonce of an account.
    pub(super) nonce: Option<u64>,
}

impl Default for Gist {
    fn default() -> Gist {
        Gist {
            bytes: [0; LONGEST_GIST],
            length: 0,
            nonce: None,
        }
    }
}

impl Gist {
    /// The gist of an answer.
    pub(super) fn of(answer: &Message) -> Gist {
        match answer {
            Message::BlockchainGetStorageDataResponse(storage) => storage
                .data
                .as_deref()
                .map(Gist::of_bytes)
                .unwrap_or_default(),
            Message::BlockchainNewAddressResponse(created) => Gist::of_bytes(&created.result),
            Message::BlockchainGetUserAccountResponse(account) => Gist {
                nonce: account.account.as_ref().map(|account| account.nonce),
                ..Gist::default()
            },
            _ => Gist::default(),
        }
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Gist {
        let mut gist = Gist::default();
        if let Some(start) = gist.bytes.get_mut(..bytes.len()) {
            start.copy_from_slice(bytes);
            gist.length = bytes.len();
        }
        gist
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Names a template within its profile. Later templates have larger ones.
pub(super) type TemplateId = u32;

/// Where a part of a question comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// The input of the request, by its place in [`Sources::input`].
    Input(usize),
    /// The answer to the question of another template.
    Answer(TemplateId),
}

/// What the open places of templates are filled with.
#[derive(Debug, Default)]
pub(super) struct Sources<'a> {
    /// The caller and the arguments of the request. Not the recipient: it is always the same for the templates of a function.
    pub input: Vec<&'a [u8]>,
    /// The answers so far, in the order of their templates.
    pub answers: Vec<(TemplateId, Gist)>,
}

impl Sources<'_> {
    pub(super) fn gist(&self, id: TemplateId) -> Option<&Gist> {
        let found = self.answers.binary_search_by_key(&id, |(id, _)| *id);
        found.ok().map(|place| &self.answers[place].1)
    }

    pub(super) fn bytes(&self, source: Source) -> Option<&[u8]> {
        match source {
            Source::Input(place) => self.input.get(place).copied(),
            Source::Answer(id) => self.gist(id).map(Gist::bytes),
        }
    }

    /// All sources of bytes, those of the request first.
    pub(super) fn all(&self) -> impl Iterator<Item = (Source, &[u8])> {
        let input = self.input.iter().enumerate();
        let input = input.map(|(place, bytes)| (Source::Input(place), *bytes));
        let answers = self.answers.iter();
        let answers = answers.map(|(id, gist)| (Source::Answer(*id), gist.bytes()));
        let usable = |(_, bytes): &(Source, &[u8])| (1..=LONGEST_VALUE).contains(&bytes.len());
        input.chain(answers).filter(usable).take(MOST_SOURCES)
    }
}
