use super::error::LoopEnd;
use super::gateway::Gateway;
use super::link::Link;
use crate::activity::{self, Activity, Serving};
use crate::dialogue::{MessageText, MessengerError, Received};
use crate::hooks::BlockchainHook;
use crate::logs::GoDuration;
use crate::messages::codec::PayloadTooLong;
use crate::messages::{
    Arguments, ContractCallInput, ContractCreateInput, ContractResponse, DiagnoseWaitRequest,
    DiagnoseWaitResponse, Message, MessageKind, UndefinedRequestOrResponse, VmOutput, kind_name,
};
use crate::transport::Transport;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use thiserror::Error;
use tracing::{debug, error, trace};

const LOGGER: &str = "arwen/part";

/// What runs the contracts. The VM, or a stand-in for tests.
pub trait Machine {
    /// Deploys a contract.
    fn create(&mut self, input: ContractCreateInput) -> Result<VmOutput, MachineError>;

    /// Calls or upgrades a contract.
    fn call(&mut self, input: ContractCallInput) -> Result<VmOutput, MachineError>;
}

/// Why there is no output. It is not the contract that failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MachineError {
    /// What runs the contracts has none for this input. The node is told why, and the machine can go on.
    #[error("{0}")]
    NoOutput(String),
    /// The process lacks what it needs to run contracts, such as memory. Nothing is known about the contract; the process
    /// must end.
    #[error("{0}")]
    Fatal(String),
}

/// Why there is no machine.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    /// The Initialize arguments can't be used.
    #[error("{0}")]
    Arguments(String),
    /// The process lacks what it needs to run contracts, such as a thread.
    #[error("{0}")]
    Machine(String),
}

impl From<PayloadTooLong> for MachineError {
    fn from(reason: PayloadTooLong) -> MachineError {
        MachineError::NoOutput(format!("host fault: {reason}"))
    }
}

/// Makes a machine from the Initialize arguments and the hooks.
pub type MachineBuilder =
    Box<dyn Fn(&Arguments, Box<dyn BlockchainHook>) -> Result<Box<dyn Machine>, BuildError>>;

/// Request in, response out, until the node ends it.
pub struct MessageLoop<T> {
    link: Link<T>,
    arguments: Arguments,
    build: MachineBuilder,
    machine: Box<dyn Machine>,
    /// Requests that came.
    served: u64,
}

impl<T: Transport + 'static> MessageLoop<T> {
    /// Builds the machine.
    pub fn new(
        link: Link<T>,
        arguments: Arguments,
        build: MachineBuilder,
    ) -> Result<MessageLoop<T>, BuildError> {
        let machine = build(&arguments, Box::new(Gateway::new(link.clone())))?;
        Ok(MessageLoop {
            link,
            arguments,
            build,
            machine,
            served: 0,
        })
    }

    /// Runs until the end.
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
        activity::begin(Activity::Serving(
            self.serving(&message, envelope.dialogue_nonce),
        ));
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
                if let Message::Unknown(kind) = other {
                    error!(target: "arwen/messages", kind, "Creating undefined message");
                }
                let kind = kind_name(other.kind());
                error!(target: LOGGER, kind, "noopReplier called");
                self.link.send("", &UndefinedRequestOrResponse {})?;
            }
        }
        trace!(target: "arwen/duration", duration = %GoDuration(start.elapsed()), "request answered");
        Ok(())
    }

    fn serving(&self, message: &Message, nonce: u32) -> Serving {
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
            since: Instant::now(),
            asking: None,
        }
    }

    /// Runs the machine and sends what it says.
    fn answer<I>(
        &mut self,
        input: Option<I>,
        run: fn(&mut dyn Machine, I) -> Result<VmOutput, MachineError>,
    ) -> Result<(), LoopEnd> {
        let result = match input {
            Some(input) => self.run_machine(|machine| run(machine, input)),
            None => Err(MachineError::NoOutput("missing contract input".to_owned())),
        };
        // Whatever the machine made of it: without the node there is no result.
        if let Some(end) = self.link.broken() {
            return Err(end);
        }
        let (vm_output, error) = match result {
            Ok(output) => (Some(output), String::new()),
            Err(MachineError::NoOutput(text)) => (None, text),
            Err(MachineError::Fatal(text)) => return Err(LoopEnd::Machine(text)),
        };
        let response = MessageText {
            kind: MessageKind::ContractResponse.as_str_name(),
            nonce: 0,
            error: &error,
        };
        trace!(target: LOGGER, %response, "[ARWEN]: SendContractResponse");
        match self.link.send(&error, &ContractResponse { vm_output }) {
            Err(MessengerError::TooLong(reason)) => {
                let error = MachineError::from(reason).to_string();
                Ok(self.link.send(&error, &ContractResponse::default())?)
            }
            sent => Ok(sent?),
        }
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
        match (self.build)(&self.arguments, Box::new(gateway)) {
            Ok(machine) => self.machine = machine,
            Err(BuildError::Machine(text)) => return Err(MachineError::Fatal(text)),
            // They were good once.
            Err(BuildError::Arguments(_)) => {}
        }
        Err(MachineError::NoOutput(format!("host panic: {text}")))
    }
}
