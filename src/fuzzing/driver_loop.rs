//! The driver's loop, with a scripted child and scripted hooks.

use super::faults::{DueMessage, LIMIT_BYTES, Wire, WireFault, read_one, unsendable};
use super::hook_calls::{self, ByteHook, ExpectedCall};
use crate::dialogue::{DialogueError, Messenger, MessengerError, Side};
use crate::driver::budget::Budget;
use crate::driver::dialogue_loop;
use crate::driver::read_ahead::Asked;
use crate::driver::{BadMessage, Closed, Fault};
use crate::frame::FrameError;
use crate::hooks::{HookError, HookResult};
use crate::messages::*;
use crate::transport::{Awaited, Transport, TransportError};
use arbitrary::{Arbitrary, Unstructured};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// More than any run takes.
const BUDGET: Duration = Duration::from_secs(3600);

#[derive(Arbitrary, Debug)]
struct Script {
    protobuf: bool,
    /// How many bytes a read gives.
    piece: u8,
    dialogues: Vec<Dialogue>,
}

#[derive(Debug)]
struct Dialogue {
    request: RequestKind,
    /// There is no time at all.
    expired: bool,
    /// Why the request can't be sent.
    unsendable: Option<TransportError>,
    hook_calls: Vec<HookCall>,
    answer: RequestAnswer,
    /// In place of the answer.
    fault: Option<WireFault>,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum RequestKind {
    Call,
    Deploy,
    Wait,
}

/// What the answer says.
#[derive(Arbitrary, Debug)]
struct RequestAnswer {
    gas_remaining: u64,
    error: bool,
    /// Something that nobody asked for comes behind it.
    extra: bool,
}

#[derive(Debug)]
struct HookCall {
    number: u8,
    asked: u8,
    outcome: HookEnd,
    /// In place of the request.
    fault: Option<WireFault>,
    /// Why the answer can't be sent.
    unsendable: Option<TransportError>,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum HookEnd {
    Answer(u8),
    Refusal,
    WordlessRefusal,
    Fatal,
}

impl<'a> Arbitrary<'a> for Dialogue {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Dialogue> {
        Ok(Dialogue {
            request: RequestKind::arbitrary(input)?,
            expired: u8::arbitrary(input)? == 1,
            unsendable: unsendable(input)?,
            hook_calls: Vec::arbitrary(input)?,
            answer: RequestAnswer::arbitrary(input)?,
            fault: WireFault::choose(input)?,
        })
    }
}

impl<'a> Arbitrary<'a> for HookCall {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<HookCall> {
        Ok(HookCall {
            number: hook_calls::number(u8::arbitrary(input)?),
            asked: u8::arbitrary(input)?,
            outcome: HookEnd::arbitrary(input)?,
            fault: WireFault::choose(input)?,
            unsendable: unsendable(input)?,
        })
    }
}

impl HookEnd {
    /// What the hook says.
    fn result(self) -> HookResult<u8> {
        match self {
            HookEnd::Answer(value) => Ok(value),
            HookEnd::Refusal => Err(HookError::refused("no such thing")),
            HookEnd::WordlessRefusal => Err(HookError::refused("")),
            HookEnd::Fatal => Err(HookError::Fatal("no database".into())),
        }
    }

    /// What the child hears of it.
    fn reply(self, number: u8) -> (Message, &'static str) {
        match self {
            HookEnd::Answer(value) => (hook_calls::response(number, value), ""),
            HookEnd::Refusal => (nothing(number), "no such thing"),
            HookEnd::WordlessRefusal | HookEnd::Fatal => (nothing(number), "hook refused"),
        }
    }
}

impl RequestKind {
    fn request(self) -> Message {
        match self {
            RequestKind::Call => ContractCallRequest::default().into(),
            RequestKind::Deploy => ContractDeployRequest::default().into(),
            RequestKind::Wait => DiagnoseWaitRequest {
                milliseconds: 7,
                ..DiagnoseWaitRequest::default()
            }
            .into(),
        }
    }

    fn answer(self, gas_remaining: u64) -> Message {
        match self {
            RequestKind::Wait => DiagnoseWaitResponse::default().into(),
            RequestKind::Call | RequestKind::Deploy => {
                let vm_output = Some(VmOutput {
                    gas_remaining,
                    ..VmOutput::default()
                });
                ContractResponse {
                    vm_output,
                    ..Default::default()
                }
                .into()
            }
        }
    }
}

impl RequestAnswer {
    fn error_message(&self) -> &'static str {
        if self.error { "no output" } else { "" }
    }
}

/// What the child does next.
enum Turn {
    /// Hears a message with this nonce, or does not.
    Hear {
        message: Message,
        error_message: &'static str,
        unsendable: Option<TransportError>,
    },
    Say {
        message: Message,
        error_message: &'static str,
        fault: Option<WireFault>,
        extra: bool,
    },
}

/// The child, as the transport of the driver.
struct Child {
    format: Format,
    wire: Wire,
    turns: VecDeque<Turn>,
    nonce: u32,
    /// What the driver must have made of a fault, unless it is one of its own.
    seen: Option<MessengerError>,
}

impl Transport for Child {
    fn send(&mut self, bytes: &[u8], _: Option<Instant>) -> Result<(), TransportError> {
        self.nonce += 1;
        let (envelope, heard) = read_one(self.format, bytes, self.nonce);
        let Some(Turn::Hear {
            message,
            error_message,
            unsendable,
        }) = self.turns.pop_front()
        else {
            panic!("sent out of turn: {heard:?}");
        };
        assert_eq!(
            (heard, &envelope.error_message[..]),
            (message, error_message)
        );
        match unsendable {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn receive(
        &mut self,
        into: &mut Vec<u8>,
        _: Awaited,
        _: Option<Instant>,
    ) -> Result<usize, TransportError> {
        if self.wire.is_empty() {
            let Some(Turn::Say {
                message,
                error_message,
                fault,
                extra,
            }) = self.turns.pop_front()
            else {
                panic!("read out of turn");
            };
            self.nonce += 1;
            let due = DueMessage {
                format: self.format,
                nonce: self.nonce,
                error_message,
                message: &message,
            };
            match fault {
                None => due.send(&mut self.wire),
                Some(fault) => {
                    // A hook response: only the node sends those.
                    let other = hook_calls::response(0, 0);
                    let refusal = DialogueError::UnexpectedKind {
                        found: other.kind(),
                        expected: "a hook request or the answer",
                    };
                    self.seen = Some(due.send_broken(fault, (other, refusal), &mut self.wire));
                }
            }
            if extra {
                self.wire.append(b"x");
            }
        }
        self.wire.receive(into)
    }
}

/// How the dialogue has to end, the hook calls that are answered, and what the child and the hook do meanwhile.
struct Plan {
    turns: VecDeque<Turn>,
    calls: VecDeque<ExpectedCall>,
    answered: u64,
    end: End,
}

/// Why the driver has no answer, or that it has.
enum End {
    Answered,
    /// From the fault that came in place of a message.
    NotReceived,
    NotSent(fn(TransportError) -> Fault, TransportError),
    Expired,
    HookFailed,
}

impl Dialogue {
    fn plan(self) -> Plan {
        let mut plan = Plan {
            turns: VecDeque::new(),
            calls: VecDeque::new(),
            answered: 0,
            end: End::Answered,
        };
        plan.end = plan.fill(self);
        plan
    }
}

impl Plan {
    fn fill(&mut self, dialogue: Dialogue) -> End {
        if dialogue.expired {
            return End::Expired;
        }
        self.turns.push_back(Turn::Hear {
            message: dialogue.request.request(),
            error_message: "",
            unsendable: dialogue.unsendable.clone(),
        });
        if let Some(error) = dialogue.unsendable {
            return End::NotSent(Fault::CannotSendRequest, error);
        }
        for call in dialogue.hook_calls {
            if let Some(end) = self.add_hook_call(call) {
                return end;
            }
        }
        let broken = dialogue.fault.is_some();
        self.turns.push_back(Turn::Say {
            message: dialogue.request.answer(dialogue.answer.gas_remaining),
            error_message: dialogue.answer.error_message(),
            fault: dialogue.fault,
            extra: dialogue.answer.extra && !broken,
        });
        if broken {
            End::NotReceived
        } else {
            End::Answered
        }
    }

    /// The end, if the call is one.
    fn add_hook_call(&mut self, call: HookCall) -> Option<End> {
        let broken = call.fault.is_some();
        self.turns.push_back(Turn::Say {
            message: child_request(call.number, call.asked),
            error_message: "",
            fault: call.fault,
            extra: false,
        });
        if broken {
            return Some(End::NotReceived);
        }
        let (message, error_message) = if lacks_input(call.number, call.asked) {
            (nothing(call.number), "missing call input")
        } else {
            self.calls.push_back(ExpectedCall {
                number: call.number,
                asked: call.asked,
                answer: call.outcome.result(),
            });
            if matches!(call.outcome, HookEnd::Fatal) {
                return Some(End::HookFailed);
            }
            call.outcome.reply(call.number)
        };
        self.turns.push_back(Turn::Hear {
            message,
            error_message,
            unsendable: call.unsendable.clone(),
        });
        if let Some(error) = call.unsendable {
            let fault = |error: TransportError| Fault::CannotSendHookResponse(error.into());
            return Some(End::NotSent(fault, error));
        }
        self.answered += 1;
        None
    }
}

impl End {
    /// The fault of the driver, by the list of docs/spec/wire.md#critical-errors.
    fn fault(self, seen: Option<MessengerError>, budget: Duration) -> Option<Fault> {
        Some(match self {
            End::Answered => return None,
            End::Expired | End::NotSent(_, TransportError::DeadlinePassed(_)) => {
                Fault::TimeExpired { budget }
            }
            End::NotSent(fault, error) => fault(error),
            End::HookFailed => Fault::HookFailed(HookError::fatal("no database")),
            End::NotReceived => match seen.expect("it came") {
                MessengerError::Transport(TransportError::DeadlinePassed(_)) => {
                    Fault::TimeExpired { budget }
                }
                MessengerError::Dialogue(error @ DialogueError::InvalidNonce { .. }) => {
                    Fault::InvalidNonce(error)
                }
                error @ (MessengerError::Dialogue(_)
                | MessengerError::Message(_)
                | MessengerError::Frame(FrameError::TooLong { .. })) => {
                    Fault::BadMessage(BadMessage::Malformed(error))
                }
                error => Fault::Closed(Closed::Stream(error)),
            },
        })
    }
}

/// The answer to a hook call, with nothing in it.
fn nothing(number: u8) -> Message {
    let kind = hook_calls::response(number, 0).kind();
    let decoded = codec::decode(Format::Protobuf, kind, bytes::Bytes::new());
    decoded.expect("a message of zeros").1
}

/// Whether the child asks for a built-in function without saying what it is called with, which the hook can't be asked.
fn lacks_input(number: u8, asked: u8) -> bool {
    let request = hook_calls::request(number, asked);
    asked == 0 && matches!(request, Message::BlockchainProcessBuiltinFunctionRequest(_))
}

/// What a child asks. Some children know the code of the account already.
fn child_request(number: u8, asked: u8) -> Message {
    let mut message = hook_calls::request(number, asked);
    if let Message::BlockchainProcessBuiltinFunctionRequest(request) = &mut message
        && lacks_input(number, asked)
    {
        request.call_input = None;
    }
    if let Message::BlockchainGetUserAccountRequest(request) = &mut message
        && asked % 2 == 1
    {
        request.known_code_hash = "known".into();
    }
    message
}

/// The driver has the answer of the child or the right fault; hooks are asked and answered once; and nothing is sent or
/// read afterwards.
pub fn driver_loop(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let format = match script.protobuf {
        true => Format::Protobuf,
        false => Format::Json,
    };
    let child = Child {
        format,
        wire: Wire::new(script.piece),
        turns: VecDeque::new(),
        nonce: 0,
        seen: None,
    };
    let mut messenger = Messenger::new(Side::Node, child, format, LIMIT_BYTES);
    for dialogue in script.dialogues {
        let last = match dialogue.request {
            RequestKind::Call => run(&mut messenger, dialogue, &ContractCallRequest::default()),
            RequestKind::Deploy => run(&mut messenger, dialogue, &ContractDeployRequest::default()),
            RequestKind::Wait => run(
                &mut messenger,
                dialogue,
                &DiagnoseWaitRequest {
                    milliseconds: 7,
                    ..DiagnoseWaitRequest::default()
                },
            ),
        };
        if last {
            break;
        }
    }
}

/// Runs a dialogue; whether it must be the last one.
fn run<R: Request>(messenger: &mut Messenger<Child>, dialogue: Dialogue, request: &R) -> bool {
    let budget = if dialogue.expired {
        Duration::ZERO
    } else {
        BUDGET
    };
    let extra = dialogue.answer.extra;
    let expected = (
        dialogue.request.answer(dialogue.answer.gas_remaining),
        dialogue.answer.error_message().to_owned(),
    );
    let plan = dialogue.plan();
    let child = messenger.transport_mut();
    (child.turns, child.nonce) = (plan.turns, 0);
    let mut hook = ByteHook { calls: plan.calls };
    let mut asked = Asked::default();
    let mut time = Budget::new(budget);
    let result = dialogue_loop::run(messenger, &mut hook, request, &mut time, &mut asked);

    let child = messenger.transport_mut();
    assert!(
        child.turns.is_empty() && hook.calls.is_empty(),
        "not all was done"
    );
    assert_eq!(asked.count, plan.answered);
    let fault = plan.end.fault(child.seen.take(), budget);
    let wire_is_empty = child.wire.is_empty();
    match (result, fault) {
        (Ok((response, error)), None) => {
            assert_eq!((response.into(), error), expected);
            assert_eq!(messenger.has_unread_bytes(), extra && wire_is_empty);
            extra
        }
        (Err(fault), Some(expected)) => {
            // What differs between two faults is in their text.
            assert_eq!(format!("{fault:?}"), format!("{expected:?}"));
            true
        }
        (result, fault) => panic!("{:?} instead of {fault:?}", result.map(|(_, error)| error)),
    }
}
