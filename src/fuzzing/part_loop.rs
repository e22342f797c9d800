//! The child's loop, with a scripted node and a scripted machine.

use super::faults::{DueMessage, LIMIT_BYTES, Wire, WireFault, read_one, unsendable};
use super::hook_calls;
use crate::dialogue::{DialogueError, Messenger, MessengerError, Side};
use crate::frame::FrameError;
use crate::hooks::{BlockchainHook, HookError};
use crate::machine::{BuildError, Machine, Outcome, VmFailure};
use crate::messages::*;
use crate::part::{DialogueLoop, Link, LoopEnd, NodeLost};
use crate::transport::{Awaited, Transport, TransportError};
use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Instant;

#[derive(Arbitrary, Debug)]
struct Script {
    protobuf: bool,
    /// How many bytes a read gives.
    piece: u8,
    dialogues: Vec<Dialogue>,
}

impl Script {
    fn format(&self) -> Format {
        match self.protobuf {
            true => Format::Protobuf,
            false => Format::Json,
        }
    }
}

#[derive(Debug)]
struct Dialogue {
    /// In place of the request.
    fault: Option<WireFault>,
    request: Request,
    /// Why the answer can't be sent.
    unsendable: Option<TransportError>,
}

#[derive(Arbitrary, Debug)]
enum Request {
    Run {
        deploy: bool,
        hook_calls: Vec<HookCall>,
        outcome: MachineEnd,
    },
    NoInput {
        deploy: bool,
    },
    Wait,
    Undefined(u8),
    Stop,
}

#[derive(Debug)]
struct HookCall {
    number: u8,
    asked: u8,
    answer: u8,
    /// The length of the error message.
    error: u8,
    /// In place of the answer.
    fault: Option<WireFault>,
    /// Why it can't be sent.
    unsendable: Option<TransportError>,
}

/// What the machine makes of a run. The name is how it learns of it.
#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
enum MachineEnd {
    Output,
    Failure,
    PanicWithText,
    PanicWithFormattedText,
    PanicWithNumber,
}

impl<'a> Arbitrary<'a> for Dialogue {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Dialogue> {
        Ok(Dialogue {
            fault: WireFault::choose(input)?,
            request: Request::arbitrary(input)?,
            unsendable: unsendable(input)?,
        })
    }
}

impl<'a> Arbitrary<'a> for HookCall {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<HookCall> {
        Ok(HookCall {
            number: hook_calls::number(u8::arbitrary(input)?),
            asked: u8::arbitrary(input)?,
            answer: u8::arbitrary(input)?,
            error: u8::arbitrary(input)?.saturating_sub(200),
            fault: WireFault::choose(input)?,
            unsendable: unsendable(input)?,
        })
    }
}

impl HookCall {
    fn error_message(&self) -> String {
        "é".repeat(self.error.into())
    }

    /// What the machine reports of it.
    fn report(&self) -> Bytes {
        let refused = self.error > 0 && !hook_calls::ignores_errors(self.number);
        let (status, byte) = match refused {
            true => (REFUSED, self.error),
            false => (ANSWERED, hook_calls::answered(self.number, self.answer)),
        };
        Bytes::copy_from_slice(&[self.number, status, byte])
    }
}

const ANSWERED: u8 = 0;
const REFUSED: u8 = 1;
const FATAL: u8 = 2;

impl MachineEnd {
    const ALL: [MachineEnd; 5] = [
        MachineEnd::Output,
        MachineEnd::Failure,
        MachineEnd::PanicWithText,
        MachineEnd::PanicWithFormattedText,
        MachineEnd::PanicWithNumber,
    ];

    /// The error message of the response.
    fn error_message(self) -> &'static str {
        match self {
            MachineEnd::Output => "",
            MachineEnd::Failure => "no output",
            MachineEnd::PanicWithText => "host panic: text",
            MachineEnd::PanicWithFormattedText => "host panic: formatted text",
            MachineEnd::PanicWithNumber => "host panic: of unknown cause",
        }
    }
}

/// Makes the hook calls that the arguments are, whatever comes of them, and reports them.
struct ScriptedMachine {
    hook: Box<dyn BlockchainHook>,
}

impl ScriptedMachine {
    fn run(&mut self, input: Option<VmInput>, outcome: u8) -> Outcome {
        let calls = input.expect("sent with an input").arguments;
        let reports = calls.iter().map(|call| {
            let (status, byte) = match hook_calls::ask(&mut *self.hook, call[0], call[1]) {
                Ok(byte) => (ANSWERED, byte),
                Err(HookError::Refused(text)) => (REFUSED, text.chars().count() as u8),
                Err(HookError::Fatal(_)) => (FATAL, 0),
            };
            Bytes::copy_from_slice(&[call[0], status, byte])
        });
        let return_data = reports.collect();
        // A panic that no panic hook hears of: a fuzzer's ends the process.
        match MachineEnd::ALL[usize::from(outcome)] {
            MachineEnd::Output => Ok(VmOutput {
                return_data,
                ..VmOutput::default()
            }),
            MachineEnd::Failure => Err(VmFailure("no output".to_owned())),
            MachineEnd::PanicWithText => resume_unwind(Box::new("text")),
            MachineEnd::PanicWithFormattedText => {
                resume_unwind(Box::new(format!("{} text", "formatted")))
            }
            MachineEnd::PanicWithNumber => resume_unwind(Box::new(7)),
        }
    }
}

impl Machine for ScriptedMachine {
    type Fatal = Infallible;

    fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, Infallible> {
        Ok(self.run(input.input, input.contract_code[0]))
    }

    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, Infallible> {
        Ok(self.run(input.input, input.recipient_addr[0]))
    }
}

fn build(_: &Arguments, hook: Box<dyn BlockchainHook>) -> Result<ScriptedMachine, BuildError> {
    Ok(ScriptedMachine { hook })
}

/// What the child has to send next.
#[derive(Debug)]
enum Due {
    HookCall(HookCall),
    Answer {
        message: Box<Message>,
        error_message: &'static str,
        unsendable: Option<TransportError>,
    },
}

/// The node, and what has to come of its script.
struct Node {
    format: Format,
    wire: Wire,
    script: VecDeque<Dialogue>,
    /// What was said since the dialogue began.
    nonce: u32,
    due: VecDeque<Due>,
    /// The hook call that waits for its answer.
    asked: Option<HookCall>,
    /// How the loop has to end. From then on it may only read what is on the wire.
    end: Option<LoopEnd>,
}

impl Node {
    fn receive(&mut self, into: &mut Vec<u8>) -> Result<usize, TransportError> {
        if self.wire.is_empty() {
            assert!(self.end.is_none(), "read after its end");
            match self.asked.take() {
                Some(call) => self.answer(call),
                None => {
                    assert!(self.due.is_empty(), "reads where {:?} is due", self.due);
                    self.next_request();
                }
            }
        }
        self.wire.receive(into)
    }

    fn answer(&mut self, call: HookCall) {
        let message = hook_calls::response(call.number, call.answer);
        let due = DueMessage {
            format: self.format,
            nonce: self.nonce + 1,
            error_message: &call.error_message(),
            message: &message,
        };
        let Some(fault) = call.fault else {
            due.send(&mut self.wire);
            self.nonce += 1;
            return;
        };
        let other = hook_calls::response(hook_calls::number(call.number + 1), call.answer);
        let refusal = DialogueError::UnexpectedKind {
            found: other.kind(),
            expected: "the answer to the hook request",
        };
        let error = due.send_broken(fault, (other, refusal), &mut self.wire);
        self.due.clear();
        self.end = Some(LoopEnd::NodeLost(match error {
            MessengerError::Dialogue(error @ DialogueError::InvalidNonce { .. }) => {
                NodeLost::Dialogue(error)
            }
            MessengerError::Dialogue(_) | MessengerError::Message(_) => {
                NodeLost::BadAnswer(error.to_string())
            }
            error => NodeLost::NoAnswer(error),
        }));
    }

    fn next_request(&mut self) {
        let Some(Dialogue {
            fault,
            request,
            unsendable,
        }) = self.script.pop_front()
        else {
            self.wire.end_stream();
            self.end = Some(LoopEnd::Stream(MessengerError::EndOfStream));
            return;
        };
        let stop = matches!(request, Request::Stop);
        let message = request.message();
        let due = DueMessage {
            format: self.format,
            nonce: 1,
            error_message: "",
            message: &message,
        };
        match fault {
            // Any message is a request, though perhaps an undefined one.
            None | Some(WireFault::OtherMessage) => {
                due.send(&mut self.wire);
                self.nonce = 1;
                self.end = stop.then_some(LoopEnd::Stopped);
                request.add_due(unsendable, &mut self.due);
            }
            Some(fault) => {
                let never = (Message::Unknown(0), DialogueError::OutOfTurn { found: 0 });
                let error = due.send_broken(fault, never, &mut self.wire);
                self.end = Some(match error {
                    MessengerError::Dialogue(error) => LoopEnd::Dialogue(error),
                    MessengerError::Message(MessageError::KindMismatch { .. })
                    | MessengerError::Frame(FrameError::TooLong { .. }) => {
                        LoopEnd::BadMessage(error)
                    }
                    error => LoopEnd::Stream(error),
                });
            }
        }
    }

    /// The child sends: only what is due, and only once.
    fn hear(&mut self, frame: &[u8]) -> Result<(), TransportError> {
        assert!(self.end.is_none(), "sent after its end");
        self.nonce += 1;
        let (envelope, message) = read_one(self.format, frame, self.nonce);
        match self.due.pop_front().expect("something is due") {
            Due::HookCall(call) => {
                assert_eq!(message, hook_calls::request(call.number, call.asked));
                if let Some(error) = call.unsendable {
                    self.due.clear();
                    self.end = Some(LoopEnd::NodeLost(NodeLost::CannotAsk(error.clone().into())));
                    return Err(error);
                }
                self.asked = Some(call);
            }
            Due::Answer {
                message: expected,
                error_message,
                unsendable,
            } => {
                assert_eq!(
                    (message, &envelope.error_message[..]),
                    (*expected, error_message)
                );
                if let Some(error) = unsendable {
                    self.end = Some(LoopEnd::Stream(error.clone().into()));
                    return Err(error);
                }
                self.nonce = 0;
            }
        }
        Ok(())
    }
}

impl Request {
    fn message(&self) -> Message {
        match self {
            Request::Run {
                deploy,
                hook_calls,
                outcome,
            } => {
                let calls = hook_calls.iter();
                let input = Some(VmInput {
                    arguments: calls
                        .map(|call| Bytes::copy_from_slice(&[call.number, call.asked]))
                        .collect(),
                    ..VmInput::default()
                });
                let outcome = Bytes::copy_from_slice(&[*outcome as u8]);
                if *deploy {
                    let create_input = Some(ContractCreateInput {
                        input,
                        contract_code: outcome,
                        ..ContractCreateInput::default()
                    });
                    ContractDeployRequest {
                        create_input,
                        ..Default::default()
                    }
                    .into()
                } else {
                    let call_input = Some(ContractCallInput {
                        input,
                        recipient_addr: outcome,
                        ..ContractCallInput::default()
                    });
                    ContractCallRequest {
                        call_input,
                        ..Default::default()
                    }
                    .into()
                }
            }
            Request::NoInput { deploy: true } => ContractDeployRequest::default().into(),
            Request::NoInput { deploy: false } => ContractCallRequest::default().into(),
            Request::Wait => DiagnoseWaitRequest {
                milliseconds: 0,
                ..DiagnoseWaitRequest::default()
            }
            .into(),
            Request::Undefined(2..=4 | 46) => UndefinedRequestOrResponse {}.into(),
            Request::Undefined(kind) => {
                let payload = Bytes::new();
                let decoded = codec::decode(Format::Protobuf, (*kind).into(), payload);
                decoded.expect("a message of zeros").1
            }
            Request::Stop => Stop {}.into(),
        }
    }

    /// What the child has to do about it.
    fn add_due(self, unsendable: Option<TransportError>, due: &mut VecDeque<Due>) {
        let (message, error_message) = match self {
            Request::Stop => return,
            Request::Run {
                hook_calls,
                outcome,
                ..
            } => {
                let return_data = add_hook_calls(hook_calls, due);
                let vm_output = (outcome == MachineEnd::Output).then(|| VmOutput {
                    return_data,
                    ..VmOutput::default()
                });
                (
                    ContractResponse {
                        vm_output,
                        ..Default::default()
                    }
                    .into(),
                    outcome.error_message(),
                )
            }
            Request::NoInput { .. } => {
                (ContractResponse::default().into(), "missing contract input")
            }
            Request::Wait => (DiagnoseWaitResponse::default().into(), ""),
            Request::Undefined(_) => (UndefinedRequestOrResponse {}.into(), ""),
        };
        due.push_back(Due::Answer {
            message: Box::new(message),
            error_message,
            unsendable,
        });
    }
}

/// The hook calls that the child has to make, and what the machine reports: a fact that was answered is not asked for again.
fn add_hook_calls(calls: Vec<HookCall>, due: &mut VecDeque<Due>) -> Vec<Bytes> {
    let mut facts = BTreeMap::new();
    let mut reports = Vec::new();
    for call in calls {
        if let Some(report) = facts.get(&call.number) {
            reports.push(Bytes::clone(report));
            continue;
        }
        let report = call.report();
        if hook_calls::is_fact(call.number) && call.error == 0 {
            facts.insert(call.number, report.clone());
        }
        reports.push(report);
        due.push_back(Due::HookCall(call));
    }
    reports
}

/// The child's end of the connection.
struct Connection(Arc<Mutex<Node>>);

impl Transport for Connection {
    fn send(&mut self, bytes: &[u8], _: Option<Instant>) -> Result<(), TransportError> {
        self.0.lock().expect("no check failed").hear(bytes)
    }

    fn receive(
        &mut self,
        into: &mut Vec<u8>,
        _: Awaited,
        _: Option<Instant>,
    ) -> Result<usize, TransportError> {
        self.0.lock().expect("no check failed").receive(into)
    }
}

/// The loop does what is due, in the right order and with the right nonces, and ends as it must, whatever the node does.
pub fn part_loop(data: &[u8]) {
    let Ok(script) = Script::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let format = script.format();
    let node = Arc::new(Mutex::new(Node {
        format,
        wire: Wire::new(script.piece),
        script: script.dialogues.into(),
        nonce: 0,
        due: VecDeque::new(),
        asked: None,
        end: None,
    }));
    let connection = Connection(Arc::clone(&node));
    let messenger = Messenger::new(Side::Arwen, connection, format, LIMIT_BYTES);
    let message_loop = DialogueLoop::new(Link::new(messenger), Arguments::default(), build);
    let end = message_loop.expect("builds").run();
    let node = node.lock().expect("no check failed");
    // What differs between two ends is in their text.
    let text = |end: &LoopEnd| format!("{end:?}");
    assert_eq!(Some(text(&end)), node.end.as_ref().map(text));
}
