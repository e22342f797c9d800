//! The child's side: receives requests from the node, runs them on a [`Machine`], and forwards its hook calls to the
//! node (docs/spec/wire.md#process, #dialogue).
//!
//! The files mirror those of `driver`: the first seven stand on both sides.
//!
//! | file | what | on the node's side |
//! |---|---|---|
//! | `mod.rs` | the life of the child: start, loop, end | the life of the driver |
//! | `dialogue_loop` | request in, response out | request out, response in |
//! | `hook_calls` | asks hooks: the gateway | answers with hooks |
//! | [`logs`] | log lines to the node, log profiles from it | the other ends of both |
//! | `error` | why the child ends | why there is no answer |
//! | `process` | this process: its parent, its interrupts | that process: start, end |
//! | `read_ahead` | answers that came before their questions | predicts and sends them |
//! | `left_out` | leaves out of outputs what the node has told | puts it back: `messages::whole_output` |
//! | `link` | the connection that the loop and the gateway share | |
//! | `known_code` | code that the node need not send again | |
//! | `sandbox` | what this process may do to the machine | |
//! | `report` | what this process reports about itself | |
//! | [`signals`] | what signals do | |
//! | [`allocator`] | what happens when there is no memory | |
//!
//! The factory passed to [`run`] decides which machine runs the contracts.

pub mod allocator;
mod dialogue_loop;
mod error;
mod hook_calls;
mod known_code;
mod left_out;
mod link;
pub mod logs;
mod process;
mod read_ahead;
#[cfg(feature = "vm")]
pub mod report;
#[cfg(feature = "vm")]
pub mod sandbox;
pub mod signals;

pub use dialogue_loop::DialogueLoop;
pub use error::{InitializeError, LoopEnd, NodeLost, PartError};
pub use hook_calls::Gateway;
pub use link::Link;

use crate::dialogue::{Messenger, Side};
use crate::frame::{Decoder, Header};
use crate::hooks::BlockchainHook;
use crate::machine::{BuildError, Machine};
use crate::messages::{Arguments, Format, Message, MessageKind, Ready, codec};
use crate::transport::descriptors::ChildPipe;
use crate::transport::{Awaited, Pipes, Transport, Waiting};
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
    /// The pipes from the inherited descriptors, in the order of [`ChildPipe::ALL`]. The log pipes are optional.
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

/// Runs until shutdown; every shutdown, even a requested one, is a [`PartError`]. Payloads take at most `payload_limit_bytes`,
/// unless the node says otherwise. A node that asks for a report gets `ready`, with the limit of payloads that is then in force.
/// `build` makes a machine from the Initialize arguments and the node's hooks.
pub fn run<M: Machine>(
    pipes: PartPipes,
    payload_limit_bytes: u32,
    ready: Ready,
    build: impl Fn(&Arguments, Box<dyn BlockchainHook>) -> Result<M, BuildError>,
) -> PartError {
    process::ignore_interrupts();
    signals::watch();
    let mut logs = logs::start(pipes.read_log_profile, pipes.log_to_node);
    let dialogue = [pipes.init, pipes.node_to_arwen, pipes.arwen_to_node];
    let end = match serve(dialogue, &mut logs, payload_limit_bytes, ready, build) {
        Ok(end) => PartError::Loop(end),
        Err(error) => error,
    };
    logs.flush();
    end
}

fn serve<M: Machine>(
    [init, node_to_arwen, arwen_to_node]: [OwnedFd; 3],
    logs: &mut LogsHandle,
    payload_limit_bytes: u32,
    mut ready: Ready,
    build: impl Fn(&Arguments, Box<dyn BlockchainHook>) -> Result<M, BuildError>,
) -> Result<LoopEnd, PartError> {
    let received = receive_arguments(init, payload_limit_bytes);
    let mut arguments = received.map_err(PartError::Initialize)?;
    if arguments.payload_limit_bytes == 0 {
        arguments.payload_limit_bytes = payload_limit_bytes;
    }
    let format = |marshalizer| Format::from_marshalizer(marshalizer).map_err(PartError::Format);
    let messages_format = format(arguments.messages_marshalizer)?;
    logs.begin(format(arguments.logs_marshalizer)?);

    process::end_with_node(&node_to_arwen);
    let transport = Pipes::blocking(node_to_arwen, arwen_to_node)
        .waiting(waiting(&arguments))
        .map_err(PartError::Pipes)?;
    let limit = arguments.payload_limit_bytes;
    let messenger = Messenger::new(Side::Arwen, transport, messages_format, limit);
    let link = Link::new(messenger).with_logs(logs.flusher());
    ready.limits.get_or_insert_default().payload_bytes = limit;
    let dialogues = DialogueLoop::new(link, arguments, build).map_err(PartError::Build)?;
    Ok(dialogues.with_report(ready).run())
}

/// How to wait for messages. A node in Go says nothing of it.
fn waiting(arguments: &Arguments) -> Waiting {
    match arguments.spin_microseconds {
        0 if arguments.sleep_at_once => Waiting::Sleeping,
        0 => Waiting::Adapting,
        spin => Waiting::Spinning(Duration::from_micros(spin.into())),
    }
}

/// Size of one read of Initialize, in bytes: mostly all of it.
const INITIALIZE_BYTES: usize = 16 << 10;

/// Reads the one frame on the init pipe; always JSON.
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
        if pipes.receive(decoder.room(INITIALIZE_BYTES), Awaited::Answer, None)? == 0 {
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
