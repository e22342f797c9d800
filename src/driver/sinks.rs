//! Turns the bytes of the child's log pipe and outputs into events of `tracing`.

use super::text_lines::{FloodGate, LineCutter};
use crate::escape::escape_line;
use crate::frame::{Decoder, Header};
use crate::logs::{Level, line};
use crate::messages::{Format, LogLine};
use nix::errno::Errno;
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::{debug, error, info, trace, warn};

/// The driver's own logger.
pub(super) const LOGGER: &str = "arwenDriver";

/// How much of the end of stderr is kept, in bytes: enough for a panic message with the top of its backtrace.
pub const STDERR_TAIL_BYTES: usize = 4 << 10;

/// Size of one read from a pipe, in bytes: the default capacity of a pipe.
const READ_BYTES: usize = 64 << 10;

/// The logger of the child's log lines.
const LINES: &str = "logLinesSink";

/// The logger of what the child writes to stdout and stderr.
const TEXT: &str = "textOutputSink";

/// The child's answer to Stop, which is an error message (docs/spec/wire.md#driver). Only a driver that closes the
/// child sends Stop.
const FAREWELL: &str = "critical error: arwen will stop, as requested";

/// The streams of a child: stdout, stderr and the log pipe.
pub(super) const STREAMS: usize = 3;

/// The streams, in the order of their pipes.
const IN_ORDER: [Stream; STREAMS] = [Stream::Stdout, Stream::Stderr, Stream::LogLines];

#[derive(Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
    LogLines,
}

/// Counts of lines read, bytes dropped and frames recorded, over all children.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub log_lines: AtomicU64,
    pub bad_log_lines: AtomicU64,
    pub dropped_log_bytes: AtomicU64,
    pub dropped_text_bytes: AtomicU64,
    pub recorded_frames: AtomicU64,
    pub unrecorded_frames: AtomicU64,
}

/// Splits the streams of one child into lines and emits them as events.
#[derive(Debug)]
pub(super) struct Sinks {
    /// Which streams have not ended.
    pub(super) open: [bool; STREAMS],
    buffer: Vec<u8>,
    stdout: LineCutter,
    stderr: LineCutter,
    stderr_tail: Arc<Mutex<VecDeque<u8>>>,
    gate: FloodGate,
    /// `None` after a framing error: the rest of the stream is dropped.
    lines: Option<Decoder>,
    format: Format,
    counters: Arc<Counters>,
    /// Bytes of text dropped since the last report of dropped text.
    untold_bytes: u64,
}

impl Sinks {
    pub(super) fn new(
        format: Format,
        counters: Arc<Counters>,
        stderr_tail: Arc<Mutex<VecDeque<u8>>>,
    ) -> Sinks {
        Sinks {
            open: [true; STREAMS],
            buffer: vec![0; READ_BYTES],
            stdout: LineCutter::default(),
            stderr: LineCutter::default(),
            stderr_tail,
            gate: FloodGate::new(Instant::now()),
            lines: Some(Decoder::new(Header::Log, line::PAYLOAD_LIMIT_BYTES)),
            format,
            counters,
            untold_bytes: 0,
        }
    }

    /// Reads each stream to its end, but not much more than `limit_bytes`.
    pub(super) fn take_rest(&mut self, pipes: &[OwnedFd; STREAMS], limit_bytes: usize) {
        for (index, pipe) in pipes.iter().enumerate() {
            let mut left = limit_bytes;
            while left > 0 && self.open[index] {
                match self.take(index, pipe) {
                    0 => break,
                    count => left = left.saturating_sub(count),
                }
            }
        }
    }

    /// Reads once and records the end of the stream. Returns the number of bytes read.
    pub(super) fn take(&mut self, index: usize, pipe: &OwnedFd) -> usize {
        match nix::unistd::read(pipe, &mut self.buffer) {
            Ok(count @ 1..) => {
                let bytes = std::mem::take(&mut self.buffer);
                self.put(IN_ORDER[index], &bytes[..count]);
                self.buffer = bytes;
                count
            }
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            Ok(0) | Err(_) => {
                self.open[index] = false;
                0
            }
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

    /// Shows the rest of an incomplete line.
    pub(super) fn end(&mut self) {
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
    trace!(target: TEXT, line = &*escape_line(line), "arwen");
}

fn show_stderr(line: &str) {
    match line.ends_with(FAREWELL) {
        true => trace!(target: LOGGER, line = &*escape_line(line), "arwen stops"),
        false => error!(target: TEXT, line = &*escape_line(line), "arwen"),
    }
}

/// Emits a line at its level. The logger is a field, because `tracing` targets are constants.
fn show_line(line: &LogLine) {
    macro_rules! show {
        ($event:ident) => {
            $event!(
                target: LINES,
                logger = &*escape_line(&line.logger_name),
                args = %Args(&line.args),
                "{}",
                escape_line(&line.message)
            )
        };
    }
    if line.args.iter().any(|arg| arg == FAREWELL) {
        return trace!(target: LOGGER, logger = &*escape_line(&line.logger_name), "arwen stops");
    }
    match u8::try_from(line.log_level).ok().and_then(Level::from_wire) {
        Some(Level::Trace) => show!(trace),
        Some(Level::Debug) => show!(debug),
        Some(Level::Info) => show!(info),
        Some(Level::Warn) => show!(warn),
        // Unknown levels count as errors.
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
                [key, value] => {
                    let (key, value) = (escape_line(key), escape_line(value));
                    write!(f, "{comma}{key} = {value}")?;
                }
                odd => write!(f, "{comma}{}", escape_line(&odd.concat()))?,
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
        let args: Vec<String> = ["\x1b[2J", "two\nlines"].map(str::to_owned).into();
        assert_eq!(Args(&args).to_string(), "\\u{1b}[2J = two\\nlines");
    }
}
