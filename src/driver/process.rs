//! The life of a child: start, health check, end, reaping.

use super::DriverConfig;
use super::budget::{Budget, ENDLESS};
use super::child::Child;
use super::dialogue_loop;
use super::error::{BadMessage, Closed, Fault, StartError};
use super::exit::{ChildExit, ProcessEnd, lacked_memory_of_libc};
use super::limits::User;
use super::locate;
use super::logs::{OutputReader, Streams};
use super::placement::SharedCore;
use super::read_ahead::Asked;
#[cfg(feature = "record")]
use super::recorder::{Life, Recorder};
use super::sinks::Counters;
#[cfg(feature = "record")]
use crate::dialogue::Tap as _;
use crate::dialogue::{Messenger, Side};
use crate::escape::with_sources;
use crate::frame::{DEFAULT_PAYLOAD_LIMIT_BYTES, FrameError, Header};
use crate::hooks::BlockchainHook;
use crate::messages::{DiagnoseWaitRequest, Format, Initialize, MessageKind, Ready, Stop, codec};
use crate::transport::descriptors::ChildPipe;
use crate::transport::{Pipes, TransportError, Waiting, set_non_blocking, write_rest};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for the exit of a process that has closed its pipe: a dying process closes its pipes first. It
/// usually takes some milliseconds. On a busy machine 50 ms were not always enough, and a child that exited by itself
/// looked killed.
const GRACE: Duration = Duration::from_millis(250);

/// How long a child that was told to stop may take to write its last lines and exit. It needs a few milliseconds.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// Intervals of polling for the exit: each is twice the one before. A process mostly exits a tenth of a millisecond after
/// it has closed its pipe.
const FIRST_STEP: Duration = Duration::from_micros(20);
const LONGEST_STEP: Duration = Duration::from_millis(1);

/// A child that runs, or has ended unnoticed. Dropping it kills and reaps the process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    started: Instant,
    pub(super) messenger: Messenger<Pipes>,
    /// None after the first answer of the child.
    start: Option<Start>,
    profiles: Arc<OwnedFd>,
    output: Option<OutputReader>,
    shared_core: SharedCore,
    /// Number of answered requests.
    served: u64,
    #[cfg(feature = "record")]
    recording: Option<Life>,
}

/// Progress of a child's start. It can be resumed: if the start takes longer than the request that waits for it, the
/// next request continues it.
#[derive(Debug)]
struct Start {
    /// When the start must be complete.
    deadline: Instant,
    /// The pipe for Initialize, until all of it is sent.
    init: Option<OwnedFd>,
    /// Initialize.
    frame: Vec<u8>,
    sent_bytes: usize,
    /// Whether the first request is sent. Its answer shows that the program is a child of ours.
    asked: bool,
}

impl Start {
    /// The state before anything is sent.
    fn new(deadline: Instant, init: OwnedFd, initialize: Vec<u8>) -> Start {
        Start {
            deadline,
            init: Some(init),
            frame: initialize,
            sent_bytes: 0,
            asked: false,
        }
    }
}

/// How far a start has come.
#[derive(Debug)]
pub(super) enum Started {
    /// It goes on.
    NotYet,
    /// The child has given its first answer, perhaps with a report.
    Ready(Option<Ready>),
    /// The child had given its first answer before.
    Already,
}

/// The parent's ends of the pipes, and the child's.
struct PipePairs {
    parents: [OwnedFd; 5],
    childs: [OwnedFd; 5],
}

fn system(error: impl Into<std::io::Error>) -> StartError {
    StartError::System(error.into())
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
    /// Starts the program without sending anything.
    pub(super) fn spawn(
        path: &Path,
        config: &DriverConfig,
        counters: Arc<Counters>,
    ) -> Result<Process, StartError> {
        let initialize = initialize_frame(config, DEFAULT_PAYLOAD_LIMIT_BYTES)?;
        locate::check(path).map_err(StartError::NoProgram)?;
        let pipes = PipePairs::new().map_err(system)?;
        let (stdout, its_stdout) = pipe2(OFlag::O_CLOEXEC).map_err(system)?;
        let (stderr, its_stderr) = pipe2(OFlag::O_CLOEXEC).map_err(system)?;
        let outputs = [its_stdout, its_stderr];
        // This closes the parent's copies of the child's ends, so that the streams end when the child does.
        let mut child = start(path, config, outputs, pipes.childs)?;
        let started = Instant::now();
        let [init, node_to_arwen, arwen_to_node, profiles, log_lines] = pipes.parents;
        let streams = Streams {
            stdout,
            stderr,
            log_lines,
        };
        let transport = Pipes::with_deadlines(arwen_to_node, node_to_arwen)
            .and_then(|pipes| pipes.waiting(config.waiting()));
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
            start: Some(Start::new(
                started + config.start_time.min(ENDLESS),
                init,
                initialize,
            )),
            profiles: Arc::new(profiles),
            output: Some(output),
            shared_core: SharedCore::default(),
            served: 0,
            #[cfg(feature = "record")]
            recording: None,
        })
    }

    /// Records all frames of a child that has just been started.
    #[cfg(feature = "record")]
    pub(super) fn record(&mut self, recorder: &Recorder, format: Format) {
        let life = recorder.begin(self.id(), format);
        let mut tap = life.tap();
        if let Some(start) = &self.start {
            tap.sent(&start.frame);
        }
        self.messenger.set_tap(Box::new(tap));
        self.recording = Some(life);
    }

    /// Whether the child has yet to give its first answer.
    pub(super) fn is_starting(&self) -> bool {
        self.start.is_some()
    }

    /// Sends Initialize and a first request, and waits for its answer until `deadline`; if it is late, this can be called
    /// again. A start that exceeds its own time limit is a fault.
    pub(super) fn finish_start(
        &mut self,
        hook: &mut dyn BlockchainHook,
        deadline: Instant,
        asked: &mut Asked,
    ) -> Result<Started, Fault> {
        let Some(start) = &mut self.start else {
            return Ok(Started::Already);
        };
        let until = start.deadline.min(deadline);
        match Process::advance(start, &mut self.messenger, until) {
            Ok(()) => {}
            Err(Fault::TimeExpired { .. }) if until < start.deadline => return Ok(Started::NotYet),
            Err(fault) => return Err(fault),
        }
        // The answer is short: once its first bytes are there, so is the rest, unless the program is not a child of
        // ours. They may have come at the last moment, and a child must not be ended for that.
        let soon = until.max(Instant::now() + GRACE);
        let mut budget = Budget::until(soon.min(start.deadline));
        let (answer, _) = dialogue_loop::answer::<_, DiagnoseWaitRequest>(
            &mut self.messenger,
            hook,
            &mut budget,
            asked,
        )?;
        self.start = None;
        Ok(Started::Ready(answer.ready.map(|report| *report)))
    }

    /// Continues a start until the first bytes of the answer arrive.
    fn advance(
        start: &mut Start,
        messenger: &mut Messenger<Pipes>,
        until: Instant,
    ) -> Result<(), Fault> {
        let fault = |error| match error {
            TransportError::DeadlinePassed(_) => Budget::until(until).expired(),
            error => Fault::Closed(Closed::Start(error)),
        };
        if let Some(init) = &start.init {
            let mut rest = &start.frame[start.sent_bytes..];
            let sent = write_rest(init.as_fd(), &mut rest, Some(until));
            start.sent_bytes = start.frame.len() - rest.len();
            sent.map_err(fault)?;
            start.init = None;
            start.frame = Vec::new();
            start.sent_bytes = 0;
        }
        if !start.asked {
            // A child that does not know the extension ignores it.
            let request = DiagnoseWaitRequest {
                ready: true,
                ..DiagnoseWaitRequest::default()
            };
            dialogue_loop::send(messenger, &request, &Budget::until(until))?;
            start.asked = true;
        }
        messenger
            .transport_mut()
            .wait_for_input(until)
            .map_err(fault)
    }

    /// The pipe that log profiles go to.
    pub(super) fn profile_pipe(&self) -> &Arc<OwnedFd> {
        &self.profiles
    }

    /// Counts an answered request.
    pub(super) fn served(&mut self) {
        self.served += 1;
    }

    /// Whether it has answered a request.
    pub(super) fn has_served(&self) -> bool {
        self.served > 0
    }

    /// Whether the child has reached a recycling limit and is to be replaced before the next request.
    pub(super) fn is_worn(&self, config: &DriverConfig) -> bool {
        let is_old = |limit| self.served >= limit;
        let is_large = |limit| self.child.memory_bytes().is_some_and(|bytes| bytes > limit);
        config.recycle_after_requests.is_some_and(is_old)
            || config.recycle_above_bytes.is_some_and(is_large)
    }

    /// Checks the child between two dialogues. Having ended, or having sent an unsolicited message, is a fault.
    pub(super) fn check_idle(&mut self) -> Result<(), Fault> {
        if self.messenger.has_unread_bytes() {
            return Err(unsolicited());
        }
        // A process that has ended has closed its pipe.
        if !self.messenger.transport_mut().has_input() {
            return Ok(());
        }
        if self.child.end().is_some() {
            return Err(Fault::Closed(Closed::Idle));
        }
        // Either bytes or the end of the stream.
        match self.messenger.receive(Some(Instant::now() + GRACE)) {
            Err(crate::dialogue::MessengerError::EndOfStream) => {
                Err(Fault::Closed(Closed::IdlePipe))
            }
            Ok(_) | Err(_) => Err(unsolicited()),
        }
    }

    /// Pins the current thread and the child to one core, if the system allows it.
    pub(super) fn share_core(&mut self) {
        self.shared_core.share(self.child.id());
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops an idle child: sends Stop, shows its output until it exits, and kills it if that takes too long.
    pub(super) fn close(mut self) {
        let deadline = Instant::now() + CLOSE_GRACE;
        // A child that is still starting has a request to answer first, so it is killed without waiting.
        if self.messenger.send("", &Stop {}, Some(deadline)).is_ok() {
            self.wait(CLOSE_GRACE);
        }
        self.child.kill();
        drop(self.output.take().map(OutputReader::finish));
        #[cfg(feature = "record")]
        if let Some(recording) = &mut self.recording {
            recording.set_end("the driver has closed it".to_owned());
        }
    }

    /// Shows the output that the child has written so far.
    pub(super) fn deliver_output(&self) {
        if let Some(output) = &self.output {
            output.deliver();
        }
    }

    /// Ends the process, unless it has ended by itself, and returns its exit. The exit status is read before killing;
    /// afterwards every child looks killed.
    pub(super) fn end(mut self, fault: &Fault) -> ChildExit {
        let grace = match fault.is_of_a_dying_child() {
            true => GRACE,
            false => Duration::ZERO,
        };
        let end = self.wait(grace).unwrap_or(ProcessEnd::Killed);
        let lived = self.started.elapsed();
        self.child.kill();
        let output = self.output.take();
        let stderr_tail = output.map(OutputReader::finish).unwrap_or_default();
        let exit = ChildExit {
            cause: with_sources(fault),
            end,
            out_of_memory: self.child.is_out_of_memory()
                || lacked_memory_of_libc(end, &stderr_tail),
            stderr_tail,
            lived,
        };
        #[cfg(feature = "record")]
        if let Some(recording) = &mut self.recording {
            recording.set_end(format!("{} (arwen {exit})", exit.cause));
        }
        exit
    }

    /// Waits for the process to exit, at most for `grace`.
    fn wait(&mut self, grace: Duration) -> Option<ProcessEnd> {
        let deadline = Instant::now() + grace;
        let mut step = FIRST_STEP;
        loop {
            if let Some(end) = self.child.end() {
                return Some(end);
            }
            if Instant::now() >= deadline {
                return None;
            }
            std::thread::sleep(step);
            step = LONGEST_STEP.min(step * 2);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill();
    }
}

/// Starts the program as the configured user and with the limits that the driver sets.
fn start(
    path: &Path,
    config: &DriverConfig,
    outputs: [OwnedFd; 2],
    pipes: [OwnedFd; 5],
) -> Result<Child, StartError> {
    let child = Child::spawn(path, config.user, config.variables(), outputs, pipes);
    let mut child = child.map_err(|error| match config.user {
        Some(User { uid, gid }) => StartError::User { uid, gid, error },
        None => StartError::System(error),
    })?;
    let Some(value) = config.limits.oom_score_adj else {
        return Ok(child);
    };
    match child.set_oom_score_adj(value) {
        Ok(()) => Ok(child),
        Err(error) => {
            child.kill();
            Err(StartError::Limit {
                limit: "oom_score_adj",
                value: value.into(),
                error,
            })
        }
    }
}

/// The Initialize frame; always JSON. Fails if its payload is longer than a child reads.
fn initialize_frame(config: &DriverConfig, limit: u32) -> Result<Vec<u8>, StartError> {
    let mut arguments = config.arguments.clone();
    arguments.messages_marshalizer = config.format.marshalizer();
    arguments.logs_marshalizer = config.format.marshalizer();
    let spin = config.spin.unwrap_or_default();
    arguments.spin_microseconds = u32::try_from(spin.as_micros()).unwrap_or(u32::MAX);
    arguments.sleep_at_once = config.waiting() == Waiting::Sleeping;
    arguments.payload_limit_bytes = config.payload_limit_bytes;
    let initialize = Initialize {
        arguments: Some(arguments),
    };
    let mut frame = Vec::new();
    codec::encode(Format::Json, 0, "", &initialize, &mut frame).map_err(StartError::Unsendable)?;
    match u32::try_from(frame.len() - Header::Preamble.size()) {
        Ok(length) if length > limit => Err(StartError::Unsendable(FrameError::TooLong {
            kind: MessageKind::Initialize.wire(),
            length,
            limit,
        })),
        _ => Ok(frame),
    }
}

fn unsolicited() -> Fault {
    Fault::BadMessage(BadMessage::Unsolicited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{Arguments, Message};

    #[test]
    fn arguments_that_no_child_could_read_are_refused() {
        let config = DriverConfig::new(Arguments::default());
        let frame = initialize_frame(&config, DEFAULT_PAYLOAD_LIMIT_BYTES).expect("short");
        let length = u32::try_from(frame.len() - 8).expect("short");
        let same = initialize_frame(&config, length).expect("just as long as allowed");
        assert_eq!(same, frame);
        let error = initialize_frame(&config, length - 1).expect_err("too long");
        let text = "cannot start arwen: Initialize can't be sent: a frame of kind 1 announces";
        assert!(error.to_string().starts_with(text), "{error}");
    }
    #[test]
    fn a_child_is_told_how_to_wait() {
        let told = |config: DriverConfig| {
            let frame = initialize_frame(&config, DEFAULT_PAYLOAD_LIMIT_BYTES).expect("short");
            let decoded = codec::decode(Format::Json, MessageKind::Initialize.wire(), &frame[8..]);
            let (_, Message::Initialize(initialize)) = decoded.expect("a message") else {
                panic!("another message");
            };
            let arguments = initialize.arguments.expect("it has some");
            (arguments.spin_microseconds, arguments.sleep_at_once)
        };
        let config = || DriverConfig::new(Arguments::default());
        assert_eq!(told(config()), (0, false));
        assert_eq!(told(config().share_core(true)), (0, true));
        assert_eq!(told(config().spin(Duration::ZERO)), (0, true));
        assert_eq!(told(config().spin(Duration::from_micros(70))), (70, false));
    }
}
