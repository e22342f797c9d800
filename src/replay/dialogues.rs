//! Frames to dialogues. Each can be played by itself: code that the node left out because the child knew it is put back.
//!
//! One thread reads and finds the dialogues by the kinds of their frames; those who play them decode them.

use super::error::ReplayError;
use super::hook_calls::{self, HookCall};
use super::source::{Source, decode};
use crate::messages::{Account, Arguments, Format, Message, MessageKind, Role};
use crate::recording::{Record, RecordedFrame};
use bytes::Bytes;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NO_RESPONSE: &str = "the child ended before it answered";
const GAP: &str = "frames are missing in the recording";
const NOT_A_MESSAGE: &str = "a frame is not a message";
const NOT_WHOLE: &str = "an output leaves out what its request has not told";
const OUT_OF_TURN: &str = "a message is out of turn";
const UNFINISHED: &str = "the next one begins before its end";
const UNKNOWN_CODE: &str = "code that its child knew is not in the recording";

/// The child that was recorded.
#[derive(Debug)]
pub(super) struct Life {
    pub file: PathBuf,
    pub arguments: Arguments,
    /// The format of the payloads.
    pub format: Format,
    /// From JSON lines, which went through a reader of Go.
    pub is_imported: bool,
}

/// A dialogue as it was recorded.
#[derive(Debug)]
pub(super) struct Dialogue {
    pub life: Arc<Life>,
    /// In its file, from 1.
    pub number: u64,
    pub request: Message,
    /// Those that were answered ahead come first: the recording does not tell when their answers were used.
    pub hook_calls: Vec<HookCall>,
    /// Whether some were answered ahead.
    pub is_read_ahead: bool,
    /// The response and its error message.
    pub response: Option<(Message, String)>,
    /// How long it took, in microseconds; `None` where there are no times.
    pub micros: Option<u64>,
    /// Why it can't be played.
    pub defect: Option<&'static str>,
}

/// The frames of a dialogue.
#[derive(Debug)]
pub(super) struct Frames {
    life: Arc<Life>,
    number: u64,
    frames: Vec<RecordedFrame>,
    /// Code that was left out of an answer, by the index of its frame.
    codes: Vec<(usize, Bytes)>,
    /// What the request answers before it is asked, with all code.
    /// By the numbers of the answers ahead.
    ahead: Vec<Option<HookCall>>,
    defect: Option<&'static str>,
}

/// Reads the dialogues of a file.
pub(super) struct Dialogues {
    source: Source,
    life: Option<Arc<Life>>,
    number: u64,
    open: Option<Frames>,
    /// Contract codes by their hashes.
    codes: HashMap<Bytes, Bytes>,
}

impl Dialogues {
    pub(super) fn open(path: &Path, contracts: Option<&Path>) -> Result<Dialogues, ReplayError> {
        Ok(Dialogues {
            source: Source::open(path, contracts)?,
            life: None,
            number: 0,
            open: None,
            codes: HashMap::new(),
        })
    }

    /// The next dialogue. After an error there are no more.
    pub(super) fn next(&mut self) -> Result<Option<Frames>, ReplayError> {
        loop {
            let finished = match self.source.next()? {
                None | Some(Record::End { .. }) => match self.break_off(NO_RESPONSE) {
                    None => return Ok(None),
                    finished => finished,
                },
                Some(Record::Gap { .. }) => self.break_off(GAP),
                Some(Record::Frame(frame)) => self.take(frame)?,
            };
            if finished.is_some() {
                return Ok(finished);
            }
        }
    }

    /// Takes a frame; the dialogue that it ends.
    fn take(&mut self, frame: RecordedFrame) -> Result<Option<Frames>, ReplayError> {
        let role = MessageKind::from_wire(frame.kind).and_then(MessageKind::role);
        match (role, frame.from_node) {
            (Some(Role::Control), true) => {
                if frame.kind == MessageKind::Initialize.wire() {
                    self.life = Some(Arc::new(self.initialize(&frame)?));
                }
                Ok(None)
            }
            (Some(Role::Request(_)), true) => self.begin(frame),
            (Some(Role::HookRequest(_)), false) | (Some(Role::HookResponse), true) => {
                self.keep_code(&frame);
                if let Some(open) = &mut self.open {
                    open.frames.push(frame);
                }
                Ok(None)
            }
            (Some(Role::Response), false) => {
                let mut open = self.open.take();
                if let Some(open) = &mut open {
                    open.frames.push(frame);
                }
                Ok(open)
            }
            _ => Ok(self.break_off(OUT_OF_TURN)),
        }
    }

    fn break_off(&mut self, defect: &'static str) -> Option<Frames> {
        let mut open = self.open.take()?;
        open.defect = Some(defect);
        Some(open)
    }

    fn initialize(&self, frame: &RecordedFrame) -> Result<Life, ReplayError> {
        let path = || self.source.path().to_owned();
        let (_, message) =
            decode(Format::Json, frame).map_err(|reason| ReplayError::Initialize {
                path: path(),
                reason,
            })?;
        let arguments = match message {
            Message::Initialize(initialize) => initialize.arguments,
            _ => None,
        };
        Ok(Life {
            file: path(),
            arguments: arguments.unwrap_or_default(),
            format: self.source.format(),
            is_imported: self.source.head().is_none(),
        })
    }

    /// Begins a dialogue; the one before, if it was not finished.
    fn begin(&mut self, frame: RecordedFrame) -> Result<Option<Frames>, ReplayError> {
        let before = self.break_off(UNFINISHED);
        if is_of_the_driver(self.source.format(), &frame) {
            return Ok(before);
        }
        let Some(life) = &self.life else {
            let path = self.source.path().to_owned();
            return Err(ReplayError::NoInitialize { path });
        };
        self.number += 1;
        let mut open = Frames {
            life: Arc::clone(life),
            number: self.number,
            frames: Vec::new(),
            codes: Vec::new(),
            ahead: hook_calls::ahead_of_request(life.format, &frame),
            defect: None,
        };
        for call in open.ahead.iter_mut().flatten() {
            if let Message::BlockchainGetUserAccountResponse(answer) = &mut call.answer
                && let Some(account) = &mut answer.account
            {
                match self.known_code(account) {
                    Ok(Some(code)) => hook_calls::put_back(account, code),
                    Ok(None) => {}
                    Err(defect) => open.defect = Some(defect),
                }
            }
        }
        open.frames.push(frame);
        self.open = Some(open);
        Ok(before)
    }

    /// Takes note of the code in an answer.
    fn keep_code(&mut self, frame: &RecordedFrame) {
        if frame.kind != MessageKind::BlockchainGetUserAccountResponse.wire() {
            return;
        }
        let account = match decode(self.source.format(), frame) {
            Ok((_, Message::BlockchainGetUserAccountResponse(response))) => response.account,
            _ => None,
        };
        let known = account.map(|account| self.known_code(&account));
        let Some(open) = &mut self.open else {
            return;
        };
        match known {
            Some(Ok(Some(code))) => open.codes.push((open.frames.len(), code)),
            Some(Err(defect)) => open.defect = Some(defect),
            Some(Ok(None)) | None => {}
        }
    }

    /// Remembers the code of an account, or finds the one that it leaves out.
    fn known_code(&mut self, account: &Account) -> Result<Option<Bytes>, &'static str> {
        if account.code_hash.is_empty() {
            return Ok(None);
        }
        if account.code_unchanged {
            let code = self.codes.get(&account.code_hash);
            return code.cloned().map(Some).ok_or(UNKNOWN_CODE);
        }
        let code = self.codes.entry(account.code_hash.clone());
        code.or_insert_with(|| account.code.clone());
        Ok(None)
    }
}

/// Whether it is the driver's own question at the start of a child.
pub(super) fn is_of_the_driver(format: Format, frame: &RecordedFrame) -> bool {
    frame.kind == MessageKind::DiagnoseWaitRequest.wire()
        && matches!(decode(format, frame), Ok((_, Message::DiagnoseWaitRequest(wait))) if wait.ready)
}

impl Frames {
    /// Decodes them.
    pub(super) fn decode(mut self) -> Dialogue {
        let took = match (self.frames.first(), self.frames.last()) {
            (Some(first), Some(last)) if !self.life.is_imported => {
                Some(last.micros.saturating_sub(first.micros))
            }
            _ => None,
        };
        let kind = self.frames.first().map_or(0, |frame| frame.kind);
        let mut dialogue = Dialogue {
            request: Message::zero(kind),
            hook_calls: Vec::new(),
            is_read_ahead: !self.ahead.is_empty(),
            response: None,
            micros: took,
            defect: self.defect,
            number: self.number,
            life: self.life,
        };
        let mut question = None;
        for (index, frame) in self.frames.iter().enumerate() {
            let Ok((envelope, mut message)) = decode(dialogue.life.format, frame) else {
                dialogue.defect = Some(NOT_A_MESSAGE);
                break;
            };
            let code = self.codes.iter().find(|(place, _)| *place == index);
            if let (Some((_, code)), Message::BlockchainGetUserAccountResponse(answer)) =
                (code, &mut message)
                && let Some(account) = &mut answer.account
            {
                hook_calls::put_back(account, code.clone());
            }
            let error = envelope.error_message;
            match MessageKind::from_wire(frame.kind).and_then(MessageKind::role) {
                Some(Role::Request(_)) => {
                    dialogue.request = hook_calls::without_extensions(message)
                }
                Some(Role::HookRequest(_)) => question = Some(message),
                Some(Role::HookResponse) => match question.take() {
                    Some(question) => dialogue.hook_calls.push(HookCall {
                        question,
                        answer: message,
                        error,
                    }),
                    None => dialogue.defect = Some(OUT_OF_TURN),
                },
                _ => {
                    let ahead = std::mem::take(&mut self.ahead);
                    match hook_calls::take_used(dialogue.life.format, &mut message, ahead) {
                        Ok(used) => drop(dialogue.hook_calls.splice(0..0, used)),
                        Err(_) => dialogue.defect = Some(NOT_WHOLE),
                    }
                    dialogue.response = Some((message, error));
                }
            }
        }
        dialogue
    }
}
