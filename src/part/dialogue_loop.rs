//! The message loop of the child: request in, hook calls in between, answer out (docs/spec/wire.md#dialogue).

use super::error::LoopEnd;
use super::hook_calls::Gateway;
use super::link::Link;
use crate::activity::{self, Activity, Serving};
use crate::dialogue::{MessageText, MessengerError, Received};
use crate::escape::panic_text;
use crate::hooks::BlockchainHook;
use crate::logs::GoDuration;
use crate::machine::{BuildError, Machine, Outcome, Pinned, VmFailure};
use crate::messages::{
    Arguments, ContractResponse, DiagnoseWaitRequest, DiagnoseWaitResponse, Message, MessageKind,
    PinRequest, Ready, UndefinedRequestOrResponse, kind_name,
};
use crate::trace::{Filter, SharedRecorder};
use crate::transport::Transport;
use bytes::Bytes;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use tracing::{debug, error, trace, warn};

const LOGGER: &str = "arwen/part";

/// The most bytes of steps in a trace. More are left out, as those are of which there are too many to keep.
const STEPS_BYTES: usize = 16 << 20;

/// Serves one dialogue after the other, until the node ends the loop.
pub struct DialogueLoop<T, M, F> {
    link: Link<T>,
    arguments: Arguments,
    build: F,
    machine: M,
    /// What the process reports about itself.
    ready: Ready,
    /// Number of received requests.
    served: u64,
    /// Whether the last request was traced.
    is_traced: bool,
    /// The code that the machine has pinned, for one that takes its place.
    pinned: Vec<Bytes>,
    /// The code that a machine before it had pinned, and it has not.
    lost_pins: VecDeque<Bytes>,
}

impl<T, M, F> DialogueLoop<T, M, F>
where
    T: Transport + 'static,
    M: Machine,
    F: Fn(&Arguments, Box<dyn BlockchainHook>) -> Result<M, BuildError>,
{
    /// Builds the machine with the gateway to the node as its hook.
    pub fn new(link: Link<T>, arguments: Arguments, build: F) -> Result<Self, BuildError> {
        let machine = build(&arguments, Box::new(Gateway::new(link.clone())))?;
        Ok(DialogueLoop {
            link,
            arguments,
            build,
            machine,
            ready: Ready::default(),
            served: 0,
            is_traced: false,
            pinned: Vec::new(),
            lost_pins: VecDeque::new(),
        })
    }

    /// Answers a request that asks for a report with this one.
    pub fn with_report(self, ready: Ready) -> Self {
        DialogueLoop { ready, ..self }
    }

    /// Runs until the loop ends, and returns why.
    pub fn run(mut self) -> LoopEnd {
        loop {
            if let Err(end) = self.dialogue() {
                debug!(target: "arwen/baseMessenger", "Messenger.Shutdown()");
                error!(target: LOGGER, err = %end, "end of loop");
                return end;
            }
        }
    }

    /// Serves one request.
    fn dialogue(&mut self) -> Result<(), LoopEnd> {
        activity::begin(Activity::Waiting {
            served: self.served,
        });
        let Received { envelope, message } = self.link.receive()?;
        let start = Instant::now();
        self.served += 1;
        activity::begin(Activity::Serving(self.serving(
            &message,
            envelope.dialogue_nonce,
            start,
        )));
        match message {
            Message::Stop(_) => return Err(LoopEnd::Stopped),
            Message::ContractDeployRequest(request) => {
                self.answer(request.create_input, request.trace_filter, M::deploy)?;
            }
            Message::ContractCallRequest(request) => {
                self.answer(request.call_input, request.trace_filter, M::call)?;
            }
            Message::DiagnoseWaitRequest(request) => self.wait(request)?,
            other => {
                if let Message::Unknown(kind) = other {
                    error!(target: "arwen/messages", kind, "Creating undefined message");
                }
                let kind = kind_name(other.kind());
                error!(target: LOGGER, kind, "noopReplier called");
                self.link.answer("", &UndefinedRequestOrResponse {})?;
            }
        }
        trace!(target: "arwen/duration", duration = %GoDuration(start.elapsed()), "request answered");
        self.pin_again()
    }

    /// Waits as the request says, reports what is in force if it asks for that, and pins the code that it has.
    fn wait(&mut self, request: DiagnoseWaitRequest) -> Result<(), LoopEnd> {
        std::thread::sleep(Duration::from_millis(request.milliseconds.into()));
        let pinned = match request.pin {
            Some(pin) => self.pin(*pin)?.into_wire().map(Box::new),
            None => None,
        };
        let ready = request.ready.then(|| Box::new(self.ready.clone()));
        match self
            .link
            .answer("", &DiagnoseWaitResponse { ready, pinned })
        {
            // A node with so small a limit goes without a report.
            Err(LoopEnd::Stream(MessengerError::TooLong(_))) => {
                self.link.answer("", &DiagnoseWaitResponse::default())
            }
            answered => answered,
        }
    }

    /// Has the machine pin code, or unpin it.
    fn pin(&mut self, request: PinRequest) -> Result<Pinned, LoopEnd> {
        let PinRequest { code, unpin } = request;
        self.pinned.retain(|pinned| *pinned != code);
        self.lost_pins.retain(|pinned| *pinned != code);
        let pinned = match unpin {
            true => self.guarded(|machine| machine.unpin(&code))?,
            false => self.guarded(|machine| machine.pin(code.clone()))?,
        };
        let pinned = pinned.unwrap_or_else(|panic| Pinned::Invalid {
            error: format!("host panic: {panic}"),
        });
        if pinned.is_pinned() {
            self.pinned.push(code);
        }
        Ok(pinned)
    }

    fn serving(&self, message: &Message, nonce: u32, since: Instant) -> Serving {
        let call = match message {
            Message::ContractCallRequest(request) => request.call_input.as_ref(),
            _ => None,
        };
        Serving {
            number: self.served,
            nonce,
            kind: message.kind(),
            contract: call
                .map(|call| call.recipient_addr.clone())
                .unwrap_or_default(),
            function: call.map(|call| call.function.clone()).unwrap_or_default(),
            since,
        }
    }

    /// Runs the machine and sends its answer.
    fn answer<I>(
        &mut self,
        input: Option<I>,
        trace_filter: Option<Bytes>,
        run: fn(&mut M, I) -> Result<Outcome, M::Fatal>,
    ) -> Result<(), LoopEnd> {
        let recorder = self.trace(trace_filter);
        let outcome = match input {
            Some(input) => self.run_machine(|machine| run(machine, input))?,
            None => Err(VmFailure("missing contract input".to_owned())),
        };
        let (vm_output, error) = match outcome {
            Ok(output) => (Some(output), String::new()),
            Err(VmFailure(text)) => (None, text),
        };
        let text = MessageText {
            kind: MessageKind::ContractResponse.as_str_name(),
            nonce: 0,
            error: &error,
        };
        trace!(target: LOGGER, response = %text, "[ARWEN]: SendContractResponse");
        let mut response = ContractResponse {
            vm_output,
            ..ContractResponse::default()
        };
        self.link.finish_ahead(&mut response, recorder.is_some());
        let answered = match recorder {
            Some(recorder) => self.send_traced(&error, response, &recorder),
            None => self.send(&error, response),
        };
        match answered {
            Err(LoopEnd::Stream(MessengerError::TooLong(reason))) => {
                let error = format!("host fault: {reason}");
                self.link.answer(&error, &ContractResponse::default())
            }
            answered => answered,
        }
    }

    /// Has the machine tell a recorder what it does, if the request asks for that.
    fn trace(&mut self, trace_filter: Option<Bytes>) -> Option<SharedRecorder> {
        let filter = trace_filter.map(Filter::of_field).transpose();
        let filter = filter.unwrap_or_else(|error| {
            warn!(target: LOGGER, %error, "the trace filter of a request is malformed; there is no trace");
            None
        });
        let recorder = filter.map(SharedRecorder::new);
        if recorder.is_some() || self.is_traced {
            self.is_traced = self.machine.trace(recorder.clone()) && recorder.is_some();
        }
        recorder.filter(|_| self.is_traced)
    }

    /// Sends a response with the trace; with costs alone, or without it, if the response would be too long.
    fn send_traced(
        &self,
        error: &str,
        response: ContractResponse,
        recorder: &SharedRecorder,
    ) -> Result<(), LoopEnd> {
        let run = recorder.take();
        for steps_bytes in [STEPS_BYTES, 0] {
            let trace = Some(run.to_field(steps_bytes));
            let traced = ContractResponse {
                trace,
                ..response.clone()
            };
            let answered = self.link.answer(error, &traced);
            if !is_too_long(&answered) {
                return answered;
            }
        }
        self.send(error, response)
    }

    /// Sends a response, without what was used of read-ahead if it would be too long: what is too long must not depend on it.
    fn send(&self, error: &str, mut response: ContractResponse) -> Result<(), LoopEnd> {
        let answered = self.link.answer(error, &response);
        if is_too_long(&answered) && !response.used_ahead.is_empty() {
            response.used_ahead.clear();
            return self.link.answer(error, &response);
        }
        answered
    }

    /// Runs the machine. A panic is a failure of this request.
    fn run_machine(
        &mut self,
        run: impl FnOnce(&mut M) -> Result<Outcome, M::Fatal>,
    ) -> Result<Outcome, LoopEnd> {
        let outcome = self.guarded(run)?;
        Ok(outcome.unwrap_or_else(|panic| Err(VmFailure(format!("host panic: {panic}")))))
    }

    /// What the machine returns, or the text of its panic. Then another machine has taken its place.
    fn guarded<R>(
        &mut self,
        run: impl FnOnce(&mut M) -> Result<R, M::Fatal>,
    ) -> Result<Result<R, String>, LoopEnd> {
        let text = match caught(&mut self.machine, run)? {
            Ok(result) => return Ok(Ok(result)),
            Err(text) => text,
        };
        self.replace_machine()?;
        self.lost_pins.extend(self.pinned.drain(..));
        Ok(Err(text))
    }

    /// Has a new machine pin one of the codes that the last one had pinned: after an answer, so that none waits for all of them.
    fn pin_again(&mut self) -> Result<(), LoopEnd> {
        let Some(code) = self.lost_pins.pop_front() else {
            return Ok(());
        };
        match caught(&mut self.machine, |machine| machine.pin(code.clone()))? {
            Ok(pinned) if pinned.is_pinned() => self.pinned.push(code),
            Ok(pinned) => warn!(target: LOGGER, %pinned, "The new machine does not pin code."),
            // Contracts are run without pinned code rather than not at all.
            Err(_) => {
                self.pinned.clear();
                self.lost_pins.clear();
                self.replace_machine()?;
            }
        }
        Ok(())
    }

    fn replace_machine(&mut self) -> Result<(), LoopEnd> {
        let gateway = Gateway::new(self.link.clone());
        match (self.build)(&self.arguments, Box::new(gateway)) {
            Ok(machine) => self.machine = machine,
            Err(BuildError::Resources(error)) => return Err(LoopEnd::Machine(error)),
            // The same arguments were valid at the start.
            Err(BuildError::Arguments(_)) => {}
        }
        Ok(())
    }
}

/// What the machine returns, or the text of its panic, after which it must be replaced.
fn caught<M: Machine, R>(
    machine: &mut M,
    run: impl FnOnce(&mut M) -> Result<R, M::Fatal>,
) -> Result<Result<R, String>, LoopEnd> {
    let panic = match catch_unwind(AssertUnwindSafe(|| run(machine))) {
        Ok(result) => return result.map(Ok).map_err(LoopEnd::of_machine),
        Err(panic) => panic,
    };
    let text = panic_text(&*panic).unwrap_or("of unknown cause");
    error!(target: LOGGER, panic = text, "The machine panicked; a new one takes its place.");
    Ok(Err(text.to_owned()))
}

fn is_too_long(answered: &Result<(), LoopEnd>) -> bool {
    matches!(answered, Err(LoopEnd::Stream(MessengerError::TooLong(_))))
}
