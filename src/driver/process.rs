//! The child as a process: started, asked how it is, ended and reaped.

use super::DriverConfig;
use super::child::Child;
use super::config::PROFILE_FRAME_LIMIT_BYTES;
use super::error::{ChildExit, Fault, ProcessEnd, StartError};
use super::locate;
use super::logs::{Counters, OutputReader, Streams};
use super::placement::SharedCore;
use crate::dialogue::{Messenger, Side};
use crate::frame::FrameError;
use crate::logs::profile;
use crate::messages::{Format, Initialize, LogProfile, codec};
use crate::transport::descriptors::ChildPipe;
use crate::transport::{Pipes, TransportError, set_non_blocking, write_all};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the end of a process that has closed its pipe is waited for: a process that dies closes its pipes first.
const GRACE: Duration = Duration::from_millis(50);

/// How often it is looked whether it has ended.
const GRACE_STEP: Duration = Duration::from_micros(200);

/// A running child, or one that has ended and was not yet looked at. Dropping it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    started: Instant,
    pub(super) messenger: Messenger<Pipes>,
    init: Option<OwnedFd>,
    profiles: OwnedFd,
    output: Option<OutputReader>,
    shared_core: SharedCore,
}

/// The parent's ends of the pipes, and the child's.
struct PipePairs {
    parents: [OwnedFd; 5],
    childs: [OwnedFd; 5],
}

fn system(error: impl Into<std::io::Error>) -> StartError {
    StartError::System(error.into().to_string())
}

impl PipePairs {
    fn new() -> nix::Result<PipePairs> {
        let (mut parents, mut childs) = (Vec::new(), Vec::new());
        for pipe in ChildPipe::ALL {
            let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
            let (parent, child) = match pipe.is_read_by_arwen() {
                true => (write, read),
                false => (read, write),
            };
            set_non_blocking(parent.as_fd())?;
            parents.push(parent);
            childs.push(child);
        }
        let five = |ends: Vec<OwnedFd>| ends.try_into().expect("one of each pipe");
        Ok(PipePairs {
            parents: five(parents),
            childs: five(childs),
        })
    }
}

impl Process {
    /// Starts the program. Nothing is sent yet.
    pub(super) fn spawn(
        path: &Path,
        config: &DriverConfig,
        counters: Arc<Counters>,
    ) -> Result<Process, StartError> {
        locate::check(path)?;
        let pipes = PipePairs::new().map_err(system)?;
        let (stdout, its_stdout) = pipe2(OFlag::O_CLOEXEC).map_err(system)?;
        let (stderr, its_stderr) = pipe2(OFlag::O_CLOEXEC).map_err(system)?;
        let outputs = [its_stdout, its_stderr];
        // With it the parent's copies of the child's ends are closed: the end of the child is the end of the streams.
        let child = Child::spawn(path, config.disk_cache.variable(), outputs, pipes.childs);
        let mut child = child.map_err(system)?;
        let started = Instant::now();
        let [init, node_to_arwen, arwen_to_node, profiles, log_lines] = pipes.parents;
        let streams = Streams {
            stdout,
            stderr,
            log_lines,
        };
        let transport = Pipes::with_deadlines(arwen_to_node, node_to_arwen)
            .and_then(|pipes| pipes.spinning(config.spin));
        let output = OutputReader::start(streams, config.format, counters);
        let (transport, output) = match (transport, output) {
            (Ok(transport), Ok(output)) => (transport, output),
            (transport, output) => {
                child.kill();
                transport.map_err(system)?;
                return Err(output.err().map_or_else(|| system(nix::Error::EIO), system));
            }
        };
        Ok(Process {
            child,
            started,
            messenger: Messenger::new(
                Side::Node,
                transport,
                config.format,
                config.payload_limit_bytes,
            ),
            init: Some(init),
            profiles,
            output: Some(output),
            shared_core: SharedCore::default(),
        })
    }

    /// Sends the arguments; always JSON.
    pub(super) fn initialize(
        &mut self,
        config: &DriverConfig,
        deadline: Instant,
    ) -> Result<(), TransportError> {
        let mut arguments = config.arguments.clone();
        arguments.messages_marshalizer = config.format.marshalizer();
        arguments.logs_marshalizer = config.format.marshalizer();
        arguments.spin_microseconds = u32::try_from(config.spin.as_micros()).unwrap_or(u32::MAX);
        arguments.payload_limit_bytes = config.payload_limit_bytes;
        let initialize = Initialize {
            arguments: Some(arguments),
        };
        let mut frame = Vec::new();
        codec::encode(Format::Json, 0, "", &initialize, &mut frame)
            .map_err(|_: FrameError| TransportError::Closed)?;
        match self.init.take() {
            Some(pipe) => write_all(pipe.as_fd(), &frame, Some(deadline)),
            None => Ok(()),
        }
    }

    /// Sends a profile if the pipe has room, which it has unless the child does not read; whether it had.
    pub(super) fn send_profile(&self, profile: &LogProfile) -> bool {
        let mut frame = Vec::new();
        let fits = profile::encode(profile, &mut frame).is_ok()
            && frame.len() <= PROFILE_FRAME_LIMIT_BYTES;
        // At once or not at all; a child that is gone will not miss it.
        fits && nix::unistd::write(&self.profiles, &frame) != Err(nix::Error::EAGAIN)
    }

    /// Between two dialogues: a fault if the child has ended, or has said something that nobody asked for.
    pub(super) fn check_idle(&mut self) -> Result<(), Fault> {
        if self.messenger.has_unread_bytes() {
            return Err(unsolicited());
        }
        // A process that has ended has closed its pipe.
        if !self.messenger.transport_mut().has_input() {
            return Ok(());
        }
        if self.child.end().is_some() {
            return Err(Fault::Closed("it ended between two requests".to_owned()));
        }
        // Either bytes or the end of the stream.
        match self.messenger.receive(Some(Instant::now() + GRACE)) {
            Err(crate::dialogue::MessengerError::EndOfStream) => {
                Err(Fault::Closed("EOF between two requests".to_owned()))
            }
            Ok(_) | Err(_) => Err(unsolicited()),
        }
    }

    /// Has the current thread and the child run on one core, if the system allows it.
    pub(super) fn share_core(&mut self) {
        self.shared_core.share(self.child.id());
    }

    /// The number of the process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process, if it has not ended by itself, and tells how. How it ended is looked at before anything is
    /// cleaned up, since what is cleaned up looks killed.
    pub(super) fn end(mut self, fault: &Fault) -> ChildExit {
        let grace = match fault.is_of_a_dying_child() {
            true => GRACE,
            false => Duration::ZERO,
        };
        let end = self.wait(grace).unwrap_or(ProcessEnd::Killed);
        let lived = self.started.elapsed();
        self.child.kill();
        let output = self.output.take();
        ChildExit {
            cause: fault.to_string(),
            end,
            stderr_tail: output.map(OutputReader::finish).unwrap_or_default(),
            lived,
        }
    }

    /// Waits until the process has ended, but not for long.
    fn wait(&mut self, grace: Duration) -> Option<ProcessEnd> {
        let deadline = Instant::now() + grace;
        loop {
            if let Some(end) = self.child.end() {
                return Some(end);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(GRACE_STEP);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill();
    }
}

fn unsolicited() -> Fault {
    Fault::BadMessage("a message that nobody asked for".to_owned())
}
