use super::level::Level;
use super::line;
use crate::messages::LogLine;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Memory of a line besides its text, in bytes: an upper estimate of the struct and its slot in the queue.
const LINE_OVERHEAD_BYTES: usize = 256;

/// The logger of the line that reports dropped lines.
const LOGGER: &str = "pipes/childPart";

/// A bounded queue of log lines for a writer that may be slow or stalled.
///
/// [`push`](LineQueue::push) and [`try_next`](LineQueue::try_next) never wait. When the queued lines take more than the
/// limit, further lines are dropped whole. As soon as there is room again, a line `... log lines dropped` reports how
/// many.
#[derive(Debug)]
pub struct LineQueue {
    state: Mutex<State>,
    changed: Condvar,
    limit_bytes: usize,
    /// Whether there is nothing to write, to be asked without the lock.
    is_idle: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<LogLine>,
    bytes: usize,
    /// Lines dropped since the last report.
    untold: u64,
    dropped_total: u64,
    /// Whether the line that was taken last may still be unwritten.
    unfinished: bool,
    closed: bool,
}

impl LineQueue {
    /// An empty queue, for lines of at most `limit_bytes` in total.
    pub fn new(limit_bytes: usize) -> LineQueue {
        LineQueue {
            state: Mutex::default(),
            changed: Condvar::new(),
            limit_bytes,
            is_idle: AtomicBool::new(true),
        }
    }

    /// Whether there is nothing to write: no line waits, and the one that was taken last is written. Of what other threads do at the
    /// same time it may know nothing yet.
    pub fn is_idle(&self) -> bool {
        self.is_idle.load(Ordering::Acquire)
    }

    /// Adds a line, or drops it when the queue is full or closed.
    pub fn push(&self, line: LogLine) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        let too_long = line::text_bytes(&line) > line::LINE_LIMIT_BYTES;
        if too_long || state.bytes + cost(&line) > self.limit_bytes {
            state.untold += 1;
            state.dropped_total += 1;
        } else {
            state.tell_dropped();
            state.put(line);
        }
        self.end(state);
        self.changed.notify_all();
    }

    /// The next line; `None` if the queue is empty or closed. The call also confirms that the previous line is written.
    pub fn try_next(&self) -> Option<LogLine> {
        let mut state = self.lock();
        if state.lines.is_empty() {
            state.tell_dropped();
        }
        let line = state.lines.pop_front();
        state.unfinished = line.is_some();
        state.bytes -= line.as_ref().map_or(0, cost);
        self.end(state);
        line
    }

    /// Waits until there is something to write: a queued line, or a taken line that is not confirmed as written. False
    /// once the queue is closed.
    pub fn wait(&self) -> bool {
        let mut state = self.lock();
        while !state.closed && state.is_idle() {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        !state.closed
    }

    /// Closes the queue: queued lines are lost, and further ones are dropped.
    pub fn close(&self) {
        let mut state = self.lock();
        *state = State {
            closed: true,
            dropped_total: state.dropped_total,
            ..State::default()
        };
        self.end(state);
        self.changed.notify_all();
    }

    /// Number of lines dropped so far.
    pub fn dropped_total(&self) -> u64 {
        self.lock().dropped_total
    }

    /// Ends a change.
    fn end(&self, state: MutexGuard<'_, State>) {
        self.is_idle.store(state.is_idle(), Ordering::Release);
    }

    /// Ignores poisoning: every change under the lock is complete or can't panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, line: LogLine) {
        self.bytes += cost(&line);
        self.lines.push_back(line);
    }

    fn tell_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.untold);
        if dropped > 0 {
            let message = format!("{dropped} log lines dropped");
            self.put(line::line(Level::Warn, LOGGER, message, Vec::new(), now()));
        }
    }

    fn is_idle(&self) -> bool {
        self.lines.is_empty() && self.untold == 0 && !self.unfinished
    }
}

fn cost(line: &LogLine) -> usize {
    line::text_bytes(line) + LINE_OVERHEAD_BYTES + line.args.len() * size_of::<String>()
}

/// Nanoseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn text(message: impl Into<String>) -> LogLine {
        line::line(Level::Info, "l", message.into(), Vec::new(), 1)
    }

    #[test]
    fn lines_come_out_in_order() {
        let queue = LineQueue::new(10_000);
        for n in 0..3 {
            queue.push(text(n.to_string()));
        }
        for n in 0..3 {
            let line = queue.try_next().expect("a line waits");
            assert_eq!(line.message, n.to_string());
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_told() {
        let queue = LineQueue::new(3 * cost(&text("second")));
        for message in ["first", "second", "third", "fourth", "lost"] {
            queue.push(text(message));
        }
        let next = || queue.try_next().expect("a line waits").message;
        assert_eq!(next(), "first");
        assert_eq!(next(), "second");
        queue.push(text("fifth"));
        let order = [next(), next(), next()];
        assert_eq!(order, ["third", "2 log lines dropped", "fifth"]);
        assert_eq!(queue.dropped_total(), 2);
    }

    #[test]
    fn the_last_drops_are_told_without_a_further_line() {
        let queue = LineQueue::new(1 << 30);
        queue.push(text("x".repeat(line::LINE_LIMIT_BYTES + 1)));
        let line = queue.try_next().expect("a line waits");
        assert_eq!(line.message, "1 log lines dropped");
        assert_eq!(line.logger_name, LOGGER);
    }

    #[test]
    fn a_writer_waits_until_there_is_something_to_write() {
        let queue = LineQueue::new(10_000);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut written = 0;
                while queue.wait() {
                    written += usize::from(queue.try_next().is_some());
                }
                written
            });
            queue.push(text("a"));
            queue.push(text("b"));
            while !queue.lock().is_idle() {
                thread::yield_now();
            }
            queue.close();
            assert_eq!(writer.join().expect("no panic"), 2);
        });
        queue.push(text("late"));
        assert_eq!(queue.try_next(), None);
        assert!(!queue.wait());
    }

    #[test]
    fn a_line_that_was_taken_is_something_to_write_until_the_next_is_asked_for() {
        let queue = LineQueue::new(10_000);
        queue.push(text("taken"));
        queue.try_next().expect("a line waits");
        assert!(queue.wait());
        assert_eq!(queue.try_next(), None);
        assert!(queue.lock().is_idle());
    }

    #[test]
    fn a_push_does_not_wait_for_the_writer() {
        let queue = LineQueue::new(100_000);
        queue.push(text("taken, never written"));
        queue.try_next().expect("a line waits");
        for _ in 0..10_000 {
            queue.push(text("waits"));
        }
        let state = queue.lock();
        assert!(state.bytes <= 100_000);
        assert_eq!(state.lines.len() as u64 + state.dropped_total, 10_000);
    }
}
