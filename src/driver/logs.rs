//! What the child says: stdout, stderr and the log pipe are read at all times, whatever comes (spec wire.md 1, 7).

use super::text_lines::{FloodGate, LineCutter};
use crate::frame::{Decoder, Header};
use crate::logs::{Level, line};
use crate::messages::{Format, LogLine};
use crate::transport::set_non_blocking;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use tracing::{debug, error, info, trace, warn};

/// How much of the end of stderr is kept, in bytes: a panic message with the top of its backtrace.
pub const STDERR_TAIL_BYTES: usize = 4 << 10;

/// How much is read from a pipe at a time, in bytes: what a pipe holds by default.
const READ_BYTES: usize = 64 << 10;

/// How much is still read of each stream when the child is dead, in bytes: the largest pipe that an ordinary user can
/// make. More can only come from somebody else who holds the other end.
const LAST_BYTES: usize = 1 << 20;

/// The logger of the child's log lines.
const LINES: &str = "logLinesSink";

/// The logger of what the child writes to stdout and stderr.
const TEXT: &str = "textOutputSink";

/// What was read and what was lost, over all children.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub log_lines: AtomicU64,
    pub bad_log_lines: AtomicU64,
    pub dropped_log_bytes: AtomicU64,
    pub dropped_text_bytes: AtomicU64,
}

/// The three streams of one child.
#[derive(Debug)]
pub(super) struct Streams {
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    pub log_lines: OwnedFd,
}

/// The thread that reads the streams of one child.
#[derive(Debug)]
pub(super) struct OutputReader {
    thread: Option<JoinHandle<()>>,
    /// The thread ends soon after this is closed.
    stop: Option<OwnedFd>,
    stderr_tail: Arc<Mutex<VecDeque<u8>>>,
}

impl OutputReader {
    /// Starts the thread. The lines go to the subscriber of the thread that calls this.
    pub(super) fn start(
        streams: Streams,
        format: Format,
        counters: Arc<Counters>,
    ) -> io::Result<OutputReader> {
        let (stopped, stop) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        for stream in [&streams.stdout, &streams.stderr, &streams.log_lines] {
            set_non_blocking(stream.as_fd())?;
        }
        let stderr_tail = Arc::<Mutex<VecDeque<u8>>>::default();
        let sinks = Sinks {
            stdout: LineCutter::default(),
            stderr: LineCutter::default(),
            stderr_tail: stderr_tail.clone(),
            gate: FloodGate::new(Instant::now()),
            lines: Some(Decoder::new(Header::Log, line::PAYLOAD_LIMIT_BYTES)),
            format,
            counters,
            untold_bytes: 0,
        };
        let subscriber = tracing::dispatcher::get_default(Clone::clone);
        let thread = thread::Builder::new()
            .name("arwen-output".to_owned())
            .spawn(move || {
                tracing::dispatcher::with_default(&subscriber, || read(streams, sinks, &stopped));
            })?;
        Ok(OutputReader {
            thread: Some(thread),
            stop: Some(stop),
            stderr_tail,
        })
    }

    /// Reads what is left, for a child that is dead, and gives the end of what it wrote to stderr.
    pub(super) fn finish(mut self) -> String {
        self.stop();
        let tail = self.stderr_tail.lock();
        let mut tail = tail.unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(tail.make_contiguous()).into_owned()
    }

    fn stop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It panics only if the subscriber does, which is not the driver's to tell.
            let _ = thread.join();
        }
    }
}

impl Drop for OutputReader {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What becomes of the bytes.
struct Sinks {
    stdout: LineCutter,
    stderr: LineCutter,
    stderr_tail: Arc<Mutex<VecDeque<u8>>>,
    gate: FloodGate,
    /// `None` once it is unknown where the next line begins: the rest is dropped.
    lines: Option<Decoder>,
    format: Format,
    counters: Arc<Counters>,
    /// Text that was dropped and not yet told.
    untold_bytes: u64,
}

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
    LogLines,
}

fn read(streams: Streams, mut sinks: Sinks, stopped: &OwnedFd) {
    let mut open = vec![
        (Stream::Stdout, streams.stdout),
        (Stream::Stderr, streams.stderr),
        (Stream::LogLines, streams.log_lines),
    ];
    let mut bytes = vec![0; READ_BYTES];
    while !open.is_empty() {
        let pipes = open.iter().map(|(_, pipe)| pipe).chain([stopped]);
        let mut polled: Vec<_> = pipes
            .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
            .collect();
        if poll(&mut polled, PollTimeout::NONE).is_err_and(|errno| errno != Errno::EINTR) {
            break;
        }
        let ready: Vec<bool> = polled
            .iter()
            .map(|pipe| pipe.any().unwrap_or(true))
            .collect();
        if ready.last() == Some(&true) {
            break;
        }
        let mut ready = ready.into_iter();
        open.retain(|(stream, pipe)| {
            ready.next() != Some(true) || sinks.take(*stream, pipe, &mut bytes).is_some()
        });
    }
    for (stream, pipe) in open {
        let mut left = LAST_BYTES;
        while let Some(count @ 1..) = sinks.take(stream, &pipe, &mut bytes) {
            left = left.saturating_sub(count);
            if left == 0 {
                break;
            }
        }
    }
    sinks.end();
}

impl Sinks {
    /// Reads once; how much, or `None` at the end of the stream.
    fn take(&mut self, stream: Stream, pipe: &OwnedFd, buffer: &mut [u8]) -> Option<usize> {
        match nix::unistd::read(pipe, buffer) {
            Ok(0) => None,
            Ok(count) => {
                self.put(stream, &buffer[..count]);
                Some(count)
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Some(0),
            Err(_) => None,
        }
    }

    fn put(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.put_text(false, bytes),
            Stream::Stderr => {
                keep_tail(&self.stderr_tail, bytes);
                self.put_text(true, bytes);
            }
            Stream::LogLines => self.put_lines(bytes),
        }
    }

    fn put_text(&mut self, is_stderr: bool, bytes: &[u8]) {
        let now = Instant::now();
        let (cutter, show): (_, fn(&str)) = match is_stderr {
            false => (&mut self.stdout, show_stdout),
            true => (&mut self.stderr, show_stderr),
        };
        let mut held_back = 0;
        let cut = cutter.push(bytes, |line| match self.gate.lets_pass(line.len(), now) {
            true => show(&String::from_utf8_lossy(line)),
            false => held_back += line.len(),
        });
        let lost = (held_back + cut) as u64;
        self.counters.dropped_text_bytes.fetch_add(lost, Relaxed);
        self.untold_bytes += lost;
        if self.untold_bytes > 0 && self.gate.lets_pass(0, now) {
            self.tell_dropped();
        }
    }

    fn put_lines(&mut self, bytes: &[u8]) {
        let Some(decoder) = &mut self.lines else {
            let lost = bytes.len() as u64;
            self.counters.dropped_log_bytes.fetch_add(lost, Relaxed);
            return;
        };
        decoder.push(bytes);
        while let Some(frame) = decoder.next() {
            let payload = match frame {
                Ok(frame) => frame.payload,
                Err(error) => {
                    warn!(target: LINES, %error, "the log pipe is no stream of log lines any more");
                    self.lines = None;
                    return;
                }
            };
            match line::decode(self.format, &payload) {
                Ok(line) => {
                    self.counters.log_lines.fetch_add(1, Relaxed);
                    show_line(&line);
                }
                Err(error) => {
                    self.counters.bad_log_lines.fetch_add(1, Relaxed);
                    debug!(target: LINES, %error, "unreadable log line");
                }
            }
        }
    }

    fn end(&mut self) {
        self.stdout
            .end(|line| show_stdout(&String::from_utf8_lossy(line)));
        self.stderr
            .end(|line| show_stderr(&String::from_utf8_lossy(line)));
        if self.untold_bytes > 0 {
            self.tell_dropped();
        }
    }

    fn tell_dropped(&mut self) {
        let bytes = std::mem::take(&mut self.untold_bytes);
        warn!(target: TEXT, bytes, "text of arwen dropped: too much, or too long lines");
    }
}

fn keep_tail(tail: &Mutex<VecDeque<u8>>, bytes: &[u8]) {
    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = &bytes[bytes.len().saturating_sub(STDERR_TAIL_BYTES)..];
    let too_many = (tail.len() + kept.len()).saturating_sub(STDERR_TAIL_BYTES);
    tail.drain(..too_many);
    tail.extend(kept);
}

fn show_stdout(line: &str) {
    trace!(target: TEXT, line, "arwen");
}

fn show_stderr(line: &str) {
    error!(target: TEXT, line, "arwen");
}

/// Passes a line on, with its level; the logger is a field, since targets are fixed.
fn show_line(line: &LogLine) {
    macro_rules! show {
        ($event:ident) => {
            $event!(target: LINES, logger = line.logger_name, args = %Args(&line.args), "{}", line.message)
        };
    }
    match u8::try_from(line.log_level).ok().and_then(Level::from_wire) {
        Some(Level::Trace) => show!(trace),
        Some(Level::Debug) => show!(debug),
        Some(Level::Info) => show!(info),
        Some(Level::Warn) => show!(warn),
        // Unknown levels are higher ones.
        Some(Level::Error | Level::None) | None => show!(error),
    }
}

/// Keys and values as `key = value, ...`.
struct Args<'a>(&'a [String]);

impl std::fmt::Display for Args<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, pair) in self.0.chunks(2).enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match pair {
                [key, value] => write!(f, "{comma}{key} = {value}")?,
                odd => write!(f, "{comma}{}", odd.concat())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_the_end_and_no_longer_than_its_limit() {
        let tail = Mutex::default();
        keep_tail(&tail, b"early ");
        keep_tail(&tail, &[b'x'; STDERR_TAIL_BYTES - 4]);
        keep_tail(&tail, b"late");
        let kept = tail
            .lock()
            .expect("not poisoned")
            .make_contiguous()
            .to_vec();
        assert_eq!(kept.len(), STDERR_TAIL_BYTES);
        assert!(kept.starts_with(b"xx") && kept.ends_with(b"late"));
        keep_tail(&tail, &[b'y'; 3 * STDERR_TAIL_BYTES]);
        let kept = tail
            .lock()
            .expect("not poisoned")
            .make_contiguous()
            .to_vec();
        assert_eq!(kept, [b'y'; STDERR_TAIL_BYTES]);
    }

    #[test]
    fn args_are_shown_in_pairs() {
        let args: Vec<String> = ["a", "1", "b", "2", "odd"].map(str::to_owned).into();
        assert_eq!(Args(&args).to_string(), "a = 1, b = 2, odd");
    }
}
