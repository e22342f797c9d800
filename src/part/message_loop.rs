use super::gateway::{Gateway, Link};
use crate::dialogue::{DialogueError, MessengerError, Received};
use crate::frame::FrameError;
use crate::hooks::BlockchainHook;
use crate::messages::{
    Arguments, ContractCallInput, ContractCreateInput, ContractResponse, DiagnoseWaitRequest,
    DiagnoseWaitResponse, Message, MessageError, UndefinedRequestOrResponse, VmOutput, kind_name,
};
use crate::transport::Transport;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use thiserror::Error;
use tracing::{error, trace};

const LOGGER: &str = "arwen/part";

/// What runs the contracts. The VM, or a stand-in for tests.
pub trait Machine {
    /// Deploys a contract.
    fn create(&mut self, input: ContractCreateInput) -> Result<VmOutput, MachineError>;

    /// Calls or upgrades a contract.
    fn call(&mut self, input: ContractCallInput) -> Result<VmOutput, MachineError>;
}

/// There is no output: the machine itself failed, not the contract. The node is told why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct MachineError(pub String);

/// Makes a machine from the Initialize arguments and the hooks. The error says what is wrong with the arguments.
pub type MachineBuilder =
    Box<dyn Fn(&Arguments, Box<dyn BlockchainHook>) -> Result<Box<dyn Machine>, String>>;

/// Why the loop ended (spec wire.md 1 and 6). Whatever the node did wrong, a contract's result never comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LoopEnd {
    /// The stream of requests ended, cleanly or torn, or is no stream of messages.
    #[error("{0}")]
    Stream(MessengerError),
    /// The node broke the rules of the protocol.
    #[error("critical error: bad message from node: {0}")]
    BadMessage(MessengerError),
    /// The node broke the rules of the dialogue.
    #[error("critical error: {0}")]
    Dialogue(DialogueError),
    /// The node said Stop.
    #[error("critical error: arwen will stop, as requested")]
    Stopped,
    /// A hook request could not be sent.
    #[error("critical error: cannot send hook call request: {0}")]
    CannotSendHookRequest(MessengerError),
    /// There was no answer to a hook request.
    #[error("critical error: cannot receive hook call response: {0}")]
    CannotReceiveHookResponse(MessengerError),
    /// A hook request was answered by something else.
    #[error("critical error: bad hook response from node: {0}")]
    BadHookResponse(String),
}

impl From<MessengerError> for LoopEnd {
    fn from(error: MessengerError) -> LoopEnd {
        match error {
            MessengerError::Dialogue(error) => LoopEnd::Dialogue(error),
            MessengerError::Message(MessageError::KindMismatch { .. })
            | MessengerError::Frame(FrameError::TooLong { .. }) => LoopEnd::BadMessage(error),
            MessengerError::EndOfStream
            | MessengerError::Frame(_)
            | MessengerError::Message(_)
            | MessengerError::Transport(_) => LoopEnd::Stream(error),
        }
    }
}

impl LoopEnd {
    /// For what came in place of the answer to a hook request.
    pub(super) fn from_hook_answer(error: MessengerError) -> LoopEnd {
        match error {
            MessengerError::Dialogue(error @ DialogueError::InvalidNonce { .. }) => {
                LoopEnd::Dialogue(error)
            }
            MessengerError::Dialogue(_) | MessengerError::Message(_) => {
                LoopEnd::BadHookResponse(error.to_string())
            }
            MessengerError::EndOfStream
            | MessengerError::Frame(_)
            | MessengerError::Transport(_) => LoopEnd::CannotReceiveHookResponse(error),
        }
    }
}

/// Request in, response out, until the node ends it.
pub struct MessageLoop<T> {
    link: Link<T>,
    arguments: Arguments,
    build: MachineBuilder,
    machine: Box<dyn Machine>,
}

impl<T: Transport + 'static> MessageLoop<T> {
    /// Builds the machine; the error says what is wrong with the arguments.
    pub fn new(
        link: Link<T>,
        arguments: Arguments,
        build: MachineBuilder,
    ) -> Result<MessageLoop<T>, String> {
        let machine = build(&arguments, Box::new(Gateway::new(link.clone())))?;
        Ok(MessageLoop {
            link,
            arguments,
            build,
            machine,
        })
    }

    /// Runs until the end.
    pub fn run(mut self) -> LoopEnd {
        loop {
            if let Err(end) = self.dialogue() {
                error!(target: LOGGER, err = %end, "end of loop");
                return end;
            }
        }
    }

    /// Serves one request.
    fn dialogue(&mut self) -> Result<(), LoopEnd> {
        let Received { message, .. } = self.link.receive()?;
        let start = Instant::now();
        match message {
            Message::Stop(_) => return Err(LoopEnd::Stopped),
            Message::ContractDeployRequest(request) => {
                self.answer(request.create_input, |machine, input| machine.create(input))?;
            }
            Message::ContractCallRequest(request) => {
                self.answer(request.call_input, |machine, input| machine.call(input))?;
            }
            Message::DiagnoseWaitRequest(DiagnoseWaitRequest { milliseconds }) => {
                std::thread::sleep(Duration::from_millis(milliseconds.into()));
                self.link.send("", &DiagnoseWaitResponse {})?;
            }
            other => {
                let kind = kind_name(other.kind());
                error!(target: "arwen/messages", kind, "Not a request: answered as undefined.");
                self.link.send("", &UndefinedRequestOrResponse {})?;
            }
        }
        trace!(target: "arwen/duration", duration = ?start.elapsed(), "request answered");
        Ok(())
    }

    /// Runs the machine and sends what it says.
    fn answer<I>(
        &mut self,
        input: Option<I>,
        run: fn(&mut dyn Machine, I) -> Result<VmOutput, MachineError>,
    ) -> Result<(), LoopEnd> {
        let result = match input {
            Some(input) => self.run_machine(|machine| run(machine, input)),
            None => Err(MachineError("missing contract input".to_owned())),
        };
        // Whatever the machine made of it: without the node there is no result.
        if let Some(end) = self.link.broken() {
            return Err(end);
        }
        let (vm_output, error) = match result {
            Ok(output) => (Some(output), String::new()),
            Err(MachineError(text)) => (None, text),
        };
        trace!(target: LOGGER, response = "ContractResponse", "[ARWEN]: SendContractResponse");
        Ok(self.link.send(&error, &ContractResponse { vm_output })?)
    }

    /// Runs the machine. A panic is its answer, and the machine is replaced by a new one.
    fn run_machine(
        &mut self,
        run: impl FnOnce(&mut dyn Machine) -> Result<VmOutput, MachineError>,
    ) -> Result<VmOutput, MachineError> {
        let machine = &mut *self.machine;
        let panic = match catch_unwind(AssertUnwindSafe(|| run(machine))) {
            Ok(result) => return result,
            Err(panic) => panic,
        };
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("of unknown cause");
        error!(target: LOGGER, panic = text, "The machine panicked; a new one takes its place.");
        let gateway = Gateway::new(self.link.clone());
        if let Ok(machine) = (self.build)(&self.arguments, Box::new(gateway)) {
            self.machine = machine;
        }
        Err(MachineError(format!("host panic: {text}")))
    }
}
