//! The child: takes requests from the node, runs them, and asks the node's hooks meanwhile (docs/spec/wire.md#process,
//! #dialogue).
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the life of the child: start, loop, end, and what is said about it |
//! | `message_loop` | request in, response out |
//! | [`logs`] | log lines to the node, log profiles from it |
//! | `gateway` | the hooks as the VM sees them: messages to the node |
//! | `link` | the connection that the loop and the gateway share |
//! | `error` | why the child ends |
//! | `known_code` | code that the node need not send again |
//! | `process` | what concerns the process as such |
//! | [`signals`] | what signals do |
//! | [`allocator`] | what happens when there is no memory |

pub mod allocator;
mod error;
mod gateway;
mod known_code;
mod link;
pub mod logs;
mod message_loop;
mod process;
pub mod signals;
#[cfg(feature = "vm")]
mod vm;

pub use error::{InitializeError, LoopEnd, PartError};
pub use gateway::Gateway;
pub use link::Link;
pub use message_loop::{BuildError, Machine, MachineBuilder, MachineError, MessageLoop};
#[cfg(feature = "vm")]
pub use vm::build_vm;

use crate::dialogue::{Messenger, Side};
use crate::frame::{Decoder, Header};
use crate::messages::{Arguments, Format, Message, MessageKind, UnsupportedMarshalizer, codec};
use crate::transport::descriptors::ChildPipe;
use crate::transport::{Pipes, Transport};
use logs::LogsHandle;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// The pipes of the child.
#[derive(Debug)]
pub struct PartPipes {
    init: OwnedFd,
    node_to_arwen: OwnedFd,
    arwen_to_node: OwnedFd,
    read_log_profile: Option<OwnedFd>,
    log_to_node: Option<OwnedFd>,
}

impl PartPipes {
    /// From what the process was started with, in the order of [`ChildPipe::ALL`]. It can do without the log pipes.
    pub fn new(inherited: [Option<OwnedFd>; 5]) -> Result<PartPipes, PartError> {
        if inherited.iter().all(Option::is_none) {
            return Err(PartError::NotAChild);
        }
        let [
            init,
            node_to_arwen,
            arwen_to_node,
            read_log_profile,
            log_to_node,
        ] = inherited;
        let need = |pipe, which| Option::ok_or(pipe, PartError::MissingPipe(which));
        Ok(PartPipes {
            init: need(init, ChildPipe::ArwenInit)?,
            node_to_arwen: need(node_to_arwen, ChildPipe::NodeToArwen)?,
            arwen_to_node: need(arwen_to_node, ChildPipe::ArwenToNode)?,
            read_log_profile,
            log_to_node,
        })
    }
}

/// Runs the child until its end, which is always reported as an error: there is no other way to end it. Payloads take at most
/// `payload_limit_bytes`, unless the node says otherwise.
pub fn run(pipes: PartPipes, payload_limit_bytes: u32, build: MachineBuilder) -> PartError {
    process::ignore_interrupts();
    signals::watch();
    let mut logs = logs::start(pipes.read_log_profile, pipes.log_to_node);
    let end = match serve(
        pipes.init,
        pipes.node_to_arwen,
        pipes.arwen_to_node,
        &mut logs,
        payload_limit_bytes,
        build,
    ) {
        Ok(end) => PartError::Loop(end),
        Err(error) => error,
    };
    logs.flush();
    end
}

fn serve(
    init: OwnedFd,
    node_to_arwen: OwnedFd,
    arwen_to_node: OwnedFd,
    logs: &mut LogsHandle,
    payload_limit_bytes: u32,
    build: MachineBuilder,
) -> Result<LoopEnd, PartError> {
    let mut arguments = receive_arguments(init, payload_limit_bytes)?;
    if arguments.payload_limit_bytes == 0 {
        arguments.payload_limit_bytes = payload_limit_bytes;
    }
    let refuse = |error: UnsupportedMarshalizer| PartError::Arguments(error.to_string());
    let format = Format::from_marshalizer(arguments.messages_marshalizer).map_err(refuse)?;
    logs.begin(Format::from_marshalizer(arguments.logs_marshalizer).map_err(refuse)?);

    process::end_with_node(&node_to_arwen);
    let transport = transport(node_to_arwen, arwen_to_node, arguments.spin_microseconds)
        .map_err(|errno| PartError::Arguments(format!("the pipes can't be set up: {errno}")))?;
    let limit = arguments.payload_limit_bytes;
    let messenger = Messenger::new(Side::Arwen, transport, format, limit);
    let link = Link::new(messenger).with_logs(logs.flusher());
    let message_loop = MessageLoop::new(link, arguments, build)?;
    Ok(message_loop.run())
}

/// The pipes of messages. Spinning wants a read that does not block, everything else one that does.
fn transport(input: OwnedFd, output: OwnedFd, spin_microseconds: u32) -> nix::Result<Pipes> {
    let pipes = Pipes::blocking(input, output);
    match spin_microseconds {
        0 => Ok(pipes),
        spin => pipes.spinning(Duration::from_micros(spin.into())),
    }
}

/// How much of Initialize is read at a time, in bytes: mostly all of it.
const INITIALIZE_BYTES: usize = 16 << 10;

/// Reads the one frame that comes on the init pipe; always JSON.
fn receive_arguments(
    init: OwnedFd,
    payload_limit_bytes: u32,
) -> Result<Arguments, InitializeError> {
    let nowhere = init.try_clone().map_err(|_| InitializeError::EndOfStream)?;
    let mut pipes = Pipes::blocking(init, nowhere);
    let mut decoder = Decoder::new(Header::Preamble, payload_limit_bytes);
    let frame = loop {
        if let Some(frame) = decoder.next() {
            break frame?;
        }
        if decoder.receive(INITIALIZE_BYTES, |buffer| pipes.receive(buffer, None))? == 0 {
            decoder.end()?;
            return Err(InitializeError::EndOfStream);
        }
    };
    if frame.kind != MessageKind::Initialize.wire() {
        return Err(InitializeError::WrongKind(frame.kind));
    }
    match codec::decode(Format::Json, frame.kind, frame.payload)? {
        (_, Message::Initialize(initialize)) => Ok(initialize.arguments.unwrap_or_default()),
        (envelope, _) => Err(InitializeError::WrongKind(envelope.kind)),
    }
}

#[cfg(test)]
mod tests;
