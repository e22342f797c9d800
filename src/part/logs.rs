//! The child's logs: lines to fd 7, levels from fd 6 (docs/spec/wire.md#logs). A contract never waits for them.
//!
//! Two threads write lines. Before it sends a message, the message loop writes the queued lines, as far as the pipe
//! takes them, so that the node can show them before the answer that they explain. A writer thread writes the rest, and
//! what is logged meanwhile.

use crate::frame::{Decoder, Header};
use crate::logs::{LogLayer, Logs, line, profile};
use crate::messages::Format;
use crate::transport::{has_input, read_some, set_non_blocking, wait_for_room, write_some};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tracing::{info, warn};
use tracing_subscriber::layer::SubscriberExt as _;

const LOGGER: &str = "pipes/childPart";

/// How long the process waits at its end for the last lines to be written. A live reader needs far less.
pub const FLUSH_PATIENCE: Duration = Duration::from_millis(100);

/// Size of one read from the profile pipe, in bytes: profiles are short.
const READ_BYTES: usize = 4 << 10;

/// Handle of the child's logs.
#[derive(Debug)]
pub struct LogsHandle {
    /// None without a log pipe.
    writer: Option<(LogFlusher, thread::Thread)>,
    /// Taken by [`LogsHandle::begin`].
    profiles: Option<ProfileReader>,
}

/// Installs a `tracing` subscriber that writes the process's events to the log pipe, filtered by the levels from the
/// profile pipe.
///
/// Both pipes may be missing. Lines are queued until [`LogsHandle::begin`] sets their format. This starts a thread, so
/// anything that needs a single-threaded process must be done before.
pub fn start(profile_pipe: Option<OwnedFd>, log_pipe: Option<OwnedFd>) -> LogsHandle {
    attach(profile_pipe, log_pipe, |layer| {
        // Fails if a subscriber is already set; then that one gets all events.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    })
}

/// Creates the layer and the handle. Without events in the layer nothing is written.
fn attach(
    profile_pipe: Option<OwnedFd>,
    log_pipe: Option<OwnedFd>,
    install: impl FnOnce(LogLayer),
) -> LogsHandle {
    let logs = Arc::new(Logs::default());
    install(LogLayer::new(logs.clone()));
    let writer = log_pipe.and_then(|pipe| start_writer(pipe, logs.clone()));
    if writer.is_none() {
        logs.close();
    }
    let profiles = profile_pipe.map(|pipe| ProfileReader {
        pipe,
        decoder: Decoder::new(Header::Log, profile::PROFILE_LIMIT_BYTES),
        logs,
    });
    LogsHandle { writer, profiles }
}

impl LogsHandle {
    /// Starts writing lines in this format, which Initialize sets; a second call has no effect.
    ///
    /// Profiles that the node sent before Initialize are applied at once, so that they hold for its first request. A
    /// second thread applies later ones.
    pub fn begin(&mut self, format: Format) {
        if let Some(mut profiles) = self.profiles.take()
            && profiles.apply_waiting().is_some()
        {
            spawn("log-profiles", move || profiles.apply_all());
        }
        if let Some((LogFlusher(lines), thread)) = &self.writer
            && lines.format.set(format).is_ok()
        {
            thread.unpark();
        }
    }

    /// The flusher of lines before messages; `None` without a log pipe.
    pub fn flusher(&self) -> Option<LogFlusher> {
        let (flusher, _) = self.writer.as_ref()?;
        Some(flusher.clone())
    }

    /// Waits until queued lines are written, at most [`FLUSH_PATIENCE`]. For the end of the process.
    pub fn flush(&self) {
        let Some((LogFlusher(lines), _)) = &self.writer else {
            return;
        };
        let deadline = Some(Instant::now() + FLUSH_PATIENCE);
        while matches!(lines.write_waiting(), Progress::PipeFull)
            && wait_for_room(lines.pipe.as_fd(), deadline).is_ok()
        {}
    }
}

/// Writes queued lines without blocking, as far as the pipe takes them.
#[derive(Debug, Clone)]
pub struct LogFlusher(Arc<LineWriter>);

impl LogFlusher {
    /// Writes what the pipe takes without waiting.
    pub fn flush(&self) {
        if !self.0.logs.queue.is_idle() && matches!(self.0.write_waiting(), Progress::Closed) {
            self.0.logs.close();
        }
    }
}

/// Moves lines from the queue to the pipe.
#[derive(Debug)]
struct LineWriter {
    logs: Arc<Logs>,
    /// Non-blocking.
    pipe: OwnedFd,
    /// Until it is set, lines stay queued.
    format: OnceLock<Format>,
    /// The partly written frame. Its lock keeps lines in order.
    frame: Mutex<Frame>,
}

#[derive(Debug, Default)]
struct Frame {
    bytes: Vec<u8>,
    written: usize,
}

/// The result of a step of a [`LineWriter`].
enum Progress {
    /// The queue is empty, or the format is not yet set.
    Done,
    PipeFull,
    /// The node has closed the pipe.
    Closed,
}

impl LineWriter {
    fn write_waiting(&self) -> Progress {
        let Some(format) = self.format.get() else {
            return Progress::Done;
        };
        let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let mut rest = &frame.bytes[frame.written..];
            let written = write_some(self.pipe.as_fd(), &mut rest);
            frame.written = frame.bytes.len() - rest.len();
            match written {
                Ok(true) => {}
                Ok(false) => return Progress::PipeFull,
                Err(_) => return Progress::Closed,
            }
            let Some(line) = self.logs.queue.try_next() else {
                return Progress::Done;
            };
            frame.bytes.clear();
            frame.written = 0;
            // The queue takes no line that is too long for a frame.
            if line::encode(*format, &line, &mut frame.bytes).is_err() {
                frame.bytes.clear();
            }
        }
    }

    /// Writes lines until the pipe has no reader.
    fn run(&self) {
        while self.format.get().is_none() {
            thread::park();
        }
        loop {
            let goes_on = match self.write_waiting() {
                Progress::Done => self.logs.queue.wait(),
                Progress::PipeFull => wait_for_room(self.pipe.as_fd(), None).is_ok(),
                Progress::Closed => false,
            };
            if !goes_on {
                return self.logs.close();
            }
        }
    }
}

fn start_writer(pipe: OwnedFd, logs: Arc<Logs>) -> Option<(LogFlusher, thread::Thread)> {
    set_non_blocking(pipe.as_fd()).ok()?;
    let lines = Arc::new(LineWriter {
        logs,
        pipe,
        format: OnceLock::new(),
        frame: Mutex::default(),
    });
    let writer = lines.clone();
    let thread = spawn("log-writer", move || writer.run())?;
    Some((LogFlusher(lines), thread))
}

/// If the thread can't be started, the process works without logs.
fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Option<thread::Thread> {
    let builder = thread::Builder::new().name(name.to_owned());
    let handle = builder.spawn(run).ok()?;
    Some(handle.thread().clone())
}

/// Reads log profiles from the node.
#[derive(Debug)]
struct ProfileReader {
    pipe: OwnedFd,
    decoder: Decoder,
    logs: Arc<Logs>,
}

impl ProfileReader {
    /// Applies the profiles that are already in the pipe. Returns `None` if no more can come.
    fn apply_waiting(&mut self) -> Option<()> {
        while has_input(self.pipe.as_fd()) {
            self.apply_next()?;
        }
        Some(())
    }

    fn apply_all(mut self) {
        while self.apply_next().is_some() {}
    }

    /// Waits for bytes and applies the profiles that they complete. Returns `None` at the end of the pipe and on a
    /// framing error. A profile that can't be decoded is skipped.
    fn apply_next(&mut self) -> Option<()> {
        let room = self.decoder.room(READ_BYTES);
        if read_some(self.pipe.as_fd(), room, None).ok()? == 0 {
            return None;
        }
        while let Some(frame) = self.decoder.next() {
            apply(&frame.ok()?.payload, &self.logs);
        }
        Some(())
    }
}

fn apply(payload: &[u8], logs: &Logs) {
    let profile = match profile::decode(payload) {
        Ok(profile) => profile,
        Err(error) => {
            warn!(target: LOGGER, err = %error, "Unreadable log profile.");
            return;
        }
    };
    let patterns = profile.log_level_patterns.parse();
    if let Err(error) = patterns.and_then(|patterns| logs.apply(&patterns)) {
        warn!(target: LOGGER, err = %error, "The log levels stay as they are.");
    }
    // Logged on errors as well, as in the reference, which has applied the other members of the profile by then.
    info!(target: LOGGER, "Profile change applied.");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{LogLine, LogProfile};
    use crate::transport::write_all;
    use std::sync::LazyLock;
    use tracing::Dispatch;

    struct Node {
        profiles: OwnedFd,
        lines: OwnedFd,
        decoder: Decoder,
    }

    impl Node {
        fn send(&self, payload: &[u8]) {
            let mut frame = Vec::new();
            crate::frame::encode_log(&mut frame, |out| out.extend_from_slice(payload))
                .expect("fits");
            write_all(self.profiles.as_fd(), &frame, None).expect("the child reads");
        }

        fn line(&mut self) -> LogLine {
            let deadline = Some(Instant::now() + Duration::from_secs(10));
            loop {
                if let Some(frame) = self.decoder.next() {
                    let payload = frame.expect("a frame").payload;
                    return line::decode(Format::Json, &payload).expect("a line");
                }
                let room = self.decoder.room(1000);
                read_some(self.lines.as_fd(), room, deadline).expect("a line comes");
            }
        }
    }

    /// A second subscriber. Of one alone, tracing asks the thread that meets an event first, which may be that of another test,
    /// without a subscriber: then the event is off for all threads.
    static SECOND: LazyLock<Dispatch> =
        LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

    fn child() -> (LogLayer, LogsHandle, Node) {
        LazyLock::force(&SECOND);
        let (profile_pipe, profiles) = nix::unistd::pipe().expect("a pipe");
        let (lines, log_pipe) = nix::unistd::pipe().expect("a pipe");
        let mut layer = None;
        let handle = attach(Some(profile_pipe), Some(log_pipe), |it| layer = Some(it));
        let layer = layer.expect("installed");
        let decoder = Decoder::new(Header::Log, line::PAYLOAD_LIMIT_BYTES);
        let node = Node {
            profiles,
            lines,
            decoder,
        };
        (layer, handle, node)
    }

    fn logs_of(handle: &LogsHandle) -> &Arc<Logs> {
        let (LogFlusher(lines), _) = handle.writer.as_ref().expect("a log pipe");
        &lines.logs
    }

    /// Applies profiles on this thread, which has the test's subscriber.
    fn applied(logs: &LogsHandle, text: &str) {
        apply(text.as_bytes(), logs_of(logs));
    }

    #[test]
    fn lines_wait_for_the_format_and_follow_the_profile() {
        let (layer, mut handle, mut node) = child();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            info!(target: "arwen/host", "early");
            handle.flush();
            handle.begin(Format::Json);
            assert_eq!(node.line().message, "early");
            for (profile, second) in [
                (
                    r#"{"LogLevelPatterns":"*:TRACE"}"#,
                    "Profile change applied.",
                ),
                ("nope", "Unreadable log profile."),
                (
                    r#"{"LogLevelPatterns":"*:LOUD"}"#,
                    "The log levels stay as they are.",
                ),
            ] {
                applied(&handle, profile);
                assert_eq!(node.line().message, second);
            }
            let last = node.line();
            assert_eq!(
                (last.message.as_str(), last.log_level),
                ("Profile change applied.", 2)
            );
            tracing::trace!(target: "arwen/host", "still at TRACE");
            handle.flush();
            assert_eq!(node.line().message, "still at TRACE");
        });
    }

    #[test]
    fn the_profile_pipe_is_read_until_it_is_no_stream_of_profiles() {
        let (_layer, mut handle, node) = child();
        let patterns = |text: &str| {
            let log_level_patterns = text.to_owned();
            let profile = LogProfile {
                log_level_patterns,
                ..LogProfile::default()
            };
            let mut frame = Vec::new();
            profile::encode(&profile, &mut frame).expect("fits");
            frame.split_off(4)
        };
        let logs = logs_of(&handle).clone();
        let level_becomes = |level| {
            let deadline = Instant::now() + Duration::from_secs(10);
            while logs.level_of("arwen/host") != level {
                assert!(Instant::now() < deadline, "never {level}");
                thread::yield_now();
            }
        };
        node.send(&patterns("*:TRACE"));
        handle.begin(Format::Json);
        // What was sent before is applied already.
        assert_eq!(logs.level_of("arwen/host"), crate::logs::Level::Trace);
        node.send(b"garbage");
        node.send(&patterns("*:DEBUG"));
        level_becomes(crate::logs::Level::Debug);
        write_all(node.profiles.as_fd(), &u32::MAX.to_le_bytes(), None).expect("the child reads");
        // The reader has ended and closed its end.
        let deadline = Instant::now() + Duration::from_secs(10);
        while write_all(node.profiles.as_fd(), b"x", None).is_ok() {
            assert!(Instant::now() < deadline, "the reader goes on");
            thread::yield_now();
        }
    }

    #[test]
    fn a_closed_log_pipe_ends_only_the_writer() {
        let (layer, mut handle, node) = child();
        handle.begin(Format::Json);
        drop(node);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            let deadline = Instant::now() + Duration::from_secs(10);
            while logs_of(&handle).level_of("arwen/host") != crate::logs::Level::None {
                info!(target: "arwen/host", "nobody reads");
                assert!(Instant::now() < deadline, "the writer goes on");
            }
            handle.flush();
        });
    }

    #[test]
    fn a_flush_writes_whole_lines_in_order_and_never_waits() {
        const LINES: usize = 2000;
        let (layer, mut handle, mut node) = child();
        handle.begin(Format::Json);
        let flusher = handle.flusher().expect("a log pipe");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            // More than a pipe holds, while it is not being read.
            for n in 0..LINES {
                info!(target: "arwen/host", n, "{}", "x".repeat(100));
                flusher.flush();
            }
            for n in 0..LINES {
                assert_eq!(node.line().args, ["n", &n.to_string()]);
            }
            info!(target: "arwen/host", "before the answer");
            flusher.flush();
            // No thread is involved, so no waiting is needed.
            assert!(has_input(node.lines.as_fd()));
            assert_eq!(node.line().message, "before the answer");
        });
    }

    #[test]
    fn a_child_without_log_pipes_is_silent() {
        let mut layer = None;
        let mut handle = attach(None, None, |it| layer = Some(it));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            info!(target: "arwen/host", "nobody reads");
        });
        handle.begin(Format::Json);
        handle.flush();
    }
}
