use super::level::Level;
use super::line;
use crate::messages::LogLine;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a line takes besides its text, in bytes: the struct and its place in the queue, generously.
const LINE_OVERHEAD_BYTES: usize = 256;

/// The logger of the line that tells about dropped lines.
const LOGGER: &str = "pipes/childPart";

/// Log lines on their way to a writer that may be slow, or stand still.
///
/// [`push`](LineQueue::push) never waits. When the lines that wait take more than the limit, further ones are dropped
/// whole; as soon as there is room again, a line `... log lines dropped` says how many.
#[derive(Debug)]
pub struct LineQueue {
    state: Mutex<State>,
    changed: Condvar,
    limit_bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<LogLine>,
    bytes: usize,
    /// Dropped since the last line that told about it.
    untold: u64,
    dropped_total: u64,
    /// Whether a line has been taken and not yet been written.
    busy: bool,
    closed: bool,
}

impl LineQueue {
    /// An empty queue for lines of `limit_bytes` in all.
    pub fn new(limit_bytes: usize) -> LineQueue {
        LineQueue {
            state: Mutex::default(),
            changed: Condvar::new(),
            limit_bytes,
        }
    }

    /// Takes in a line, or drops it when there is no room or nobody writes any more.
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
        drop(state);
        self.changed.notify_all();
    }

    /// The next line, as soon as there is one; `None` once the queue is closed. What was taken before counts as written.
    pub fn next(&self) -> Option<LogLine> {
        let mut state = self.lock();
        state.busy = false;
        self.changed.notify_all();
        loop {
            if state.closed {
                return None;
            }
            if state.lines.is_empty() {
                state.tell_dropped();
            }
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= cost(&line);
                state.busy = true;
                return Some(line);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the queue: what waits is lost, and nothing is taken in any more.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.busy = false;
        state.lines.clear();
        state.bytes = 0;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until all lines are written, but no longer than `patience`; whether they are.
    pub fn wait_written(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            if state.closed || state.is_idle() {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lines that were dropped so far.
    pub fn dropped_total(&self) -> u64 {
        self.lock().dropped_total
    }

    /// A panic elsewhere leaves the state whole: every change under the lock is complete or can't panic.
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
        self.lines.is_empty() && self.untold == 0 && !self.busy
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

    impl LineQueue {
        /// The next line if there is one, as if it were written at once.
        pub fn try_next(&self) -> Option<LogLine> {
            let mut state = self.lock();
            state.tell_dropped();
            let line = state.lines.pop_front()?;
            state.bytes -= cost(&line);
            Some(line)
        }
    }

    #[test]
    fn lines_come_out_in_order() {
        let queue = LineQueue::new(10_000);
        for n in 0..3 {
            queue.push(text(n.to_string()));
        }
        for n in 0..3 {
            let line = queue.next().expect("the queue is open");
            assert_eq!(line.message, n.to_string());
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped_and_told() {
        let queue = LineQueue::new(3 * cost(&text("second")));
        for message in ["first", "second", "third", "fourth", "lost"] {
            queue.push(text(message));
        }
        let next = || queue.next().expect("the queue is open").message;
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
        let line = queue.next().expect("the queue is open");
        assert_eq!(line.message, "1 log lines dropped");
        assert_eq!(line.logger_name, LOGGER);
    }

    #[test]
    fn written_means_taken_and_done() {
        let queue = LineQueue::new(10_000);
        assert!(queue.wait_written(Duration::ZERO));
        queue.push(text("a"));
        assert!(!queue.wait_written(Duration::from_millis(1)));
        thread::scope(|scope| {
            scope.spawn(|| while queue.next().is_some() {});
            assert!(queue.wait_written(Duration::from_secs(10)));
            queue.close();
        });
        queue.push(text("late"));
        assert!(queue.next().is_none());
        assert!(queue.wait_written(Duration::ZERO));
    }

    #[test]
    fn a_push_does_not_wait_for_the_writer() {
        let queue = LineQueue::new(100_000);
        queue.push(text("taken, never written"));
        queue.next().expect("the queue is open");
        for _ in 0..10_000 {
            queue.push(text("waits"));
        }
        let state = queue.lock();
        assert!(state.bytes <= 100_000);
        assert_eq!(state.lines.len() as u64 + state.dropped_total, 10_000);
    }
}
