//! Reads the child's stdout, stderr and log pipe (docs/spec/wire.md#process, #logs).
//!
//! A thread reads all the time. Before a request returns, its thread reads what has arrived, so that the lines that
//! explain an answer are shown before it. The two threads share the [`Sinks`] by turns.

use super::sinks::{Counters, STREAMS, Sinks};
use crate::messages::Format;
use crate::transport::set_non_blocking;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tracing::Dispatch;

/// How long a request waits for the reading thread to give back the sinks. That takes longer only with a slow
/// subscriber.
const PATIENCE: Duration = Duration::from_millis(50);

/// How much is read of each stream after the child's death, in bytes: the largest pipe that a user without privileges
/// can make. More can only come from another process that holds the other end.
const LAST_BYTES: usize = 1 << 20;

/// The three streams of one child.
#[derive(Debug)]
pub(super) struct Streams {
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
    pub log_lines: OwnedFd,
}

/// Reads the streams of one child.
#[derive(Debug)]
pub(super) struct OutputReader {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Closing it stops the thread.
    stop: Option<OwnedFd>,
    stderr_tail: Arc<Mutex<VecDeque<u8>>>,
}

impl OutputReader {
    /// Starts the thread. Lines go to the `tracing` subscriber of the calling thread.
    pub(super) fn start(
        streams: Streams,
        format: Format,
        counters: Arc<Counters>,
    ) -> io::Result<OutputReader> {
        let (stopped, stop) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let pipes = [streams.stdout, streams.stderr, streams.log_lines];
        let readable = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        for (pipe, number) in pipes.iter().chain([&stopped]).zip(0..) {
            set_non_blocking(pipe.as_fd())?;
            readable.add(pipe, EpollEvent::new(EpollFlags::EPOLLIN, number))?;
        }
        let stderr_tail = Arc::<Mutex<VecDeque<u8>>>::default();
        let sinks = Sinks::new(format, counters, stderr_tail.clone());
        let shared = Arc::new(Shared {
            pipes,
            readable,
            subscriber: tracing::dispatcher::get_default(Clone::clone),
            turn: Mutex::new(Turn {
                sinks: Some(Box::new(sinks)),
                wanted: false,
                thread_waits: false,
            }),
            returned: Condvar::new(),
        });
        let reader = shared.clone();
        let thread = thread::Builder::new()
            .name("arwen-output".to_owned())
            .spawn(move || {
                tracing::dispatcher::with_default(&reader.subscriber, || reader.read_all());
                // Open while the thread waits for its end.
                drop(stopped);
            })?;
        Ok(OutputReader {
            shared,
            thread: Some(thread),
            stop: Some(stop),
            stderr_tail,
        })
    }

    /// Shows what has arrived, unless that takes too long: one read of each stream, enough for a full pipe.
    pub(super) fn deliver(&self) {
        if self.shared.has_shown_all() {
            return;
        }
        let Some(mut sinks) = self.shared.sinks_within(PATIENCE) else {
            return;
        };
        let ready = self.shared.ready(EpollTimeout::ZERO);
        tracing::dispatcher::with_default(&self.shared.subscriber, || {
            self.shared.take_each(&mut sinks, ready);
        });
    }

    /// Reads what is left of a dead child's streams. Returns the end of its stderr.
    pub(super) fn finish(mut self) -> String {
        self.stop();
        let tail = self.stderr_tail.lock();
        let mut tail = tail.unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(tail.make_contiguous()).into_owned()
    }

    fn stop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It panics only if the subscriber does, which the driver does not report.
            let _ = thread.join();
        }
    }
}

impl Drop for OutputReader {
    fn drop(&mut self) {
        self.stop();
    }
}

/// State shared by the thread and requests.
#[derive(Debug)]
struct Shared {
    /// In the order of [`STREAMS`].
    pipes: [OwnedFd; STREAMS],
    /// The pipes that have not ended, by their index, and after them the one that stops the thread. Asking it whether
    /// any is readable, which each request does, takes less than asking each pipe.
    readable: Epoll,
    subscriber: Dispatch,
    turn: Mutex<Turn>,
    /// Notified when the sinks are put back.
    returned: Condvar,
}

#[derive(Debug)]
struct Turn {
    /// None while one of the two reads.
    sinks: Option<Box<Sinks>>,
    /// Whether a request waits for them. The thread then yields, since it would take them again at once.
    wanted: bool,
    /// Whether the thread waits for them.
    thread_waits: bool,
}

/// Guard of the taken sinks. It puts them back, also when the subscriber panics.
struct Taken<'a> {
    shared: &'a Shared,
    sinks: Option<Box<Sinks>>,
}

impl std::ops::Deref for Taken<'_> {
    type Target = Sinks;
    fn deref(&self) -> &Sinks {
        self.sinks.as_deref().expect("only a drop takes them")
    }
}

impl std::ops::DerefMut for Taken<'_> {
    fn deref_mut(&mut self) -> &mut Sinks {
        self.sinks.as_deref_mut().expect("only a drop takes them")
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut turn = self.shared.turn();
        turn.sinks = self.sinks.take();
        // Notifying is a system call, which most requests don't need.
        if turn.wanted || turn.thread_waits {
            self.shared.returned.notify_all();
        }
    }
}

impl Shared {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the sinks, for the thread.
    fn sinks(&self) -> Taken<'_> {
        let mut turn = self.turn();
        loop {
            let is_wanted = turn.wanted;
            if let Some(sinks) = turn.sinks.take_if(|_| !is_wanted) {
                return self.taken(sinks);
            }
            turn.thread_waits = true;
            let woken = self.returned.wait(turn);
            turn = woken.unwrap_or_else(PoisonError::into_inner);
            turn.thread_waits = false;
        }
    }

    /// Takes the sinks, for a request.
    fn sinks_within(&self, patience: Duration) -> Option<Taken<'_>> {
        let mut turn = self.turn();
        if turn.sinks.is_none() {
            turn.wanted = true;
            let are_taken = |turn: &mut Turn| turn.sinks.is_none();
            let woken = self.returned.wait_timeout_while(turn, patience, are_taken);
            turn = woken.unwrap_or_else(PoisonError::into_inner).0;
            turn.wanted = false;
        }
        let sinks = turn.sinks.take()?;
        Some(self.taken(sinks))
    }

    fn taken(&self, sinks: Box<Sinks>) -> Taken<'_> {
        Taken {
            shared: self,
            sinks: Some(sinks),
        }
    }

    /// Whether nothing has arrived, and the thread shows nothing. Most requests find it so.
    fn has_shown_all(&self) -> bool {
        let turn = self.turn();
        turn.sinks.is_some() && self.ready(EpollTimeout::ZERO) == NOTHING
    }

    /// Body of the thread: reads until the streams end or it is told to stop, then reads what is left.
    fn read_all(&self) {
        let mut is_open = true;
        while is_open {
            let ready = self.ready(EpollTimeout::NONE);
            if ready[STOP] {
                break;
            }
            let mut sinks = self.sinks();
            self.take_each(&mut sinks, ready);
            is_open = sinks.open.contains(&true);
        }
        let mut sinks = self.sinks();
        sinks.take_rest(&self.pipes, LAST_BYTES);
        sinks.end();
    }

    /// Reads once from each of these streams. Those that end are not waited for any more.
    fn take_each(&self, sinks: &mut Sinks, ready: Ready) {
        for (index, pipe) in self.pipes.iter().enumerate() {
            if ready[index] && sinks.open[index] {
                sinks.take(index, pipe);
                if !sinks.open[index] {
                    // Refused only for a pipe that is not waited for.
                    let _ = self.readable.delete(pipe);
                }
            }
        }
    }

    /// Waits until something is readable, and returns what.
    fn ready(&self, timeout: EpollTimeout) -> Ready {
        let mut events = [EpollEvent::empty(); STREAMS + 1];
        let count = self.readable.wait(&mut events, timeout);
        let mut ready = NOTHING;
        // The wait is interrupted by a signal, or refused never: the thread then waits again.
        for event in &events[..count.unwrap_or(0)] {
            ready[event.data() as usize] = true;
        }
        ready
    }
}

/// Which of the streams are readable, and whether the thread is to stop.
type Ready = [bool; STREAMS + 1];

const NOTHING: Ready = [false; STREAMS + 1];

/// The index in [`Ready`] after the streams.
const STOP: usize = STREAMS;

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{pipe, write};

    /// Whether the thread has been quicker must not matter.
    #[test]
    fn a_request_shows_what_has_arrived_though_the_thread_does_not() {
        let [(stdout, _out), (stderr, err), (log_lines, _log)] =
            [(); 3].map(|()| pipe().expect("descriptors are left"));
        let streams = Streams {
            stdout,
            stderr,
            log_lines,
        };
        let started = OutputReader::start(streams, Format::Json, Arc::default());
        let mut reader = started.expect("threads can be started");
        reader.stop();
        for expected in ["", "word\n", "word\nword\n"] {
            let tail = reader.stderr_tail.lock().expect("no panic").clone();
            assert_eq!(tail, expected.as_bytes());
            write(&err, b"word\n").expect("there is room");
            reader.deliver();
        }
    }
}
