//! The child's logs: lines to fd 7, levels from fd 6 (spec wire.md 7). A contract never waits for them.

use crate::frame::{Decoder, Header};
use crate::logs::{LogLayer, Logs, line, profile};
use crate::messages::Format;
use crate::transport::{has_input, read_some, write_all};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;
use tracing::{info, warn};
use tracing_subscriber::layer::SubscriberExt as _;

const LOGGER: &str = "pipes/childPart";

/// How long the process waits at its end for the last lines to be written: a reader that is there needs far less.
pub const FLUSH_PATIENCE: Duration = Duration::from_millis(100);

/// How much of the profile pipe is read at a time, in bytes: profiles are short.
const READ_BYTES: usize = 4 << 10;

/// The logs of the child, as long as it runs.
#[derive(Debug)]
pub struct LogsHandle {
    logs: Arc<Logs>,
    format: Arc<OnceLock<Format>>,
    writer: Option<thread::Thread>,
    /// Until [`LogsHandle::begin`].
    profiles: Option<ProfileReader>,
}

/// Makes every `tracing` event of the process a log line on the log pipe, with the levels that come on the profile pipe.
///
/// Both pipes may be missing. Lines wait until [`LogsHandle::begin`] says how they are written. A thread is started:
/// whatever must happen before the process has a second one comes first.
pub fn start(profile_pipe: Option<OwnedFd>, log_pipe: Option<OwnedFd>) -> LogsHandle {
    attach(profile_pipe, log_pipe, |layer| {
        // It fails when there is one already; then that one gets the events, and ours none.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    })
}

/// Nothing is written unless the layer gets events.
fn attach(
    profile_pipe: Option<OwnedFd>,
    log_pipe: Option<OwnedFd>,
    install: impl FnOnce(LogLayer),
) -> LogsHandle {
    let logs = Arc::new(Logs::default());
    let format = Arc::new(OnceLock::new());
    install(LogLayer::new(logs.clone()));
    let writer = log_pipe.and_then(|pipe| {
        let (logs, format) = (logs.clone(), format.clone());
        spawn("log-writer", move || write_lines(&pipe, &logs, &format))
    });
    if writer.is_none() {
        logs.close();
    }
    let profiles = profile_pipe.map(|pipe| ProfileReader {
        pipe,
        decoder: Decoder::new(Header::Log, profile::PROFILE_LIMIT_BYTES),
        logs: logs.clone(),
    });
    LogsHandle {
        logs,
        format,
        writer,
        profiles,
    }
}

impl LogsHandle {
    /// Writes the lines in this format, once Initialize has told which; a second time has no effect.
    ///
    /// Profiles that the node sent before Initialize are applied at once, so that its first request is logged as they
    /// say; later ones whenever they come, by a second thread.
    pub fn begin(&mut self, format: Format) {
        if let Some(mut profiles) = self.profiles.take()
            && profiles.apply_waiting().is_some()
        {
            spawn("log-profiles", move || profiles.apply_all());
        }
        if self.format.set(format).is_ok()
            && let Some(writer) = &self.writer
        {
            writer.unpark();
        }
    }

    /// Waits for the lines that are not yet written, at most [`FLUSH_PATIENCE`]. For the end of the process.
    pub fn flush(&self) {
        // Without a format nothing can be written, so that there is nothing to wait for.
        if self.format.get().is_some() {
            self.logs.queue.wait_written(FLUSH_PATIENCE);
        }
    }
}

/// A process without the thread works all the same, only without its logs.
fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Option<thread::Thread> {
    let builder = thread::Builder::new().name(name.to_owned());
    let handle = builder.spawn(run).ok()?;
    Some(handle.thread().clone())
}

/// Writes lines until nobody reads them any more.
fn write_lines(pipe: &OwnedFd, logs: &Logs, format: &OnceLock<Format>) {
    let format = loop {
        match format.get() {
            Some(format) => break *format,
            None => thread::park(),
        }
    };
    let mut frame = Vec::new();
    while let Some(line) = logs.queue.next() {
        frame.clear();
        // The queue takes no line that is too long for a frame.
        if line::encode(format, &line, &mut frame).is_ok()
            && write_all(pipe.as_fd(), &frame, None).is_err()
        {
            return logs.close();
        }
    }
}

/// The profiles that come from the node.
#[derive(Debug)]
struct ProfileReader {
    pipe: OwnedFd,
    decoder: Decoder,
    logs: Arc<Logs>,
}

impl ProfileReader {
    /// Applies what is in the pipe already; none if no more can come.
    fn apply_waiting(&mut self) -> Option<()> {
        while has_input(self.pipe.as_fd()) {
            self.apply_next()?;
        }
        Some(())
    }

    fn apply_all(mut self) {
        while self.apply_next().is_some() {}
    }

    /// Waits for bytes and applies the profiles that they complete; none at the end of the pipe, and when they can't be
    /// cut into profiles. A profile that can't be read is skipped.
    fn apply_next(&mut self) -> Option<()> {
        let pipe = self.pipe.as_fd();
        let read = |buffer: &mut Vec<u8>| read_some(pipe, buffer, None);
        if self.decoder.receive(READ_BYTES, read).ok()? == 0 {
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
    // Also then, as in the reference: the other members of the profile have been taken over.
    info!(target: LOGGER, "Profile change applied.");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{LogLine, LogProfile};
    use std::time::Instant;

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
                let pipe = self.lines.as_fd();
                let read = |buffer: &mut Vec<u8>| read_some(pipe, buffer, deadline);
                self.decoder.receive(1000, read).expect("a line comes");
            }
        }
    }

    fn child() -> (LogLayer, LogsHandle, Node) {
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

    /// Applies profiles on this thread, where the subscriber is set.
    fn applied(logs: &LogsHandle, text: &str) {
        apply(text.as_bytes(), &logs.logs);
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
        let logs = handle.logs.clone();
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
        assert_eq!(
            handle.logs.level_of("arwen/host"),
            crate::logs::Level::Trace
        );
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
            while handle.logs.level_of("arwen/host") != crate::logs::Level::None {
                info!(target: "arwen/host", "nobody reads");
                assert!(Instant::now() < deadline, "the writer goes on");
            }
            handle.flush();
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
