//! Reads what the child says, whatever comes: stdout, stderr and the log pipe (docs/spec/wire.md#process, #logs).
//!
//! A thread of its own reads at all times. Before a request returns its answer, the thread that made it reads what has come
//! by then, so that what explains an answer is shown before it. The two take turns with the [`Sinks`].

use super::sinks::{Counters, STREAMS, Sinks};
use crate::messages::Format;
use crate::transport::set_non_blocking;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tracing::Dispatch;

/// How long a request waits for the thread to show what it has just read. Longer only if the node's own subscriber is slow.
const PATIENCE: Duration = Duration::from_millis(50);

/// How much is still read of each stream when the child is dead, in bytes: the largest pipe that an ordinary user can
/// make. More can only come from another process that holds the other end.
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
        let pipes = [streams.stdout, streams.stderr, streams.log_lines];
        for pipe in &pipes {
            set_non_blocking(pipe.as_fd())?;
        }
        let stderr_tail = Arc::<Mutex<VecDeque<u8>>>::default();
        let sinks = Sinks::new(format, counters, stderr_tail.clone());
        let shared = Arc::new(Shared {
            pipes,
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
                tracing::dispatcher::with_default(&reader.subscriber, || reader.read_all(&stopped));
            })?;
        Ok(OutputReader {
            shared,
            thread: Some(thread),
            stop: Some(stop),
            stderr_tail,
        })
    }

    /// Shows what has come until now, unless that takes long: one read of each stream, which takes what a pipe holds.
    pub(super) fn deliver(&self) {
        let Some(mut sinks) = self.shared.sinks_within(PATIENCE) else {
            return;
        };
        let (ready, _) = self.shared.ready(sinks.open, None, PollTimeout::ZERO);
        if ready.contains(&true) {
            tracing::dispatcher::with_default(&self.shared.subscriber, || {
                sinks.take_each(ready, &self.shared.pipes);
            });
        }
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

/// What the thread and requests share.
#[derive(Debug)]
struct Shared {
    /// In the order of [`STREAMS`].
    pipes: [OwnedFd; STREAMS],
    subscriber: Dispatch,
    turn: Mutex<Turn>,
    /// Signals that the sinks have come back.
    returned: Condvar,
}

#[derive(Debug)]
struct Turn {
    /// None while one of the two reads.
    sinks: Option<Box<Sinks>>,
    /// Whether a request waits for them. The thread, which would take them again at once, lets it go first.
    wanted: bool,
    /// Whether the thread waits for them.
    thread_waits: bool,
}

/// The sinks, taken out. They go back on a panic of the subscriber, too.
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
        // A system call, which most requests need not make.
        if turn.wanted || turn.thread_waits {
            self.shared.returned.notify_all();
        }
    }
}

impl Shared {
    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the thread.
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

    /// For a request.
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

    /// What the thread does: reads until the streams have ended or it is told to stop, and then what is left.
    fn read_all(&self, stopped: &OwnedFd) {
        loop {
            let open = self.sinks().open;
            if !open.contains(&true) {
                break;
            }
            let (ready, is_stopped) = self.ready(open, Some(stopped), PollTimeout::NONE);
            if is_stopped {
                break;
            }
            self.sinks().take_each(ready, &self.pipes);
        }
        let mut sinks = self.sinks();
        sinks.take_rest(&self.pipes, LAST_BYTES);
        sinks.end();
    }

    /// Which of the open streams can be read, and whether `stopped` can; all if the system does not tell.
    fn ready(
        &self,
        open: [bool; STREAMS],
        stopped: Option<&OwnedFd>,
        timeout: PollTimeout,
    ) -> ([bool; STREAMS], bool) {
        let pipes = self.pipes.iter().zip(open);
        let pipes = pipes.filter_map(|(pipe, open)| open.then_some(pipe));
        let mut polled: Vec<_> = pipes
            .chain(stopped)
            .map(|pipe| PollFd::new(pipe.as_fd(), PollFlags::POLLIN))
            .collect();
        let told = match poll(&mut polled, timeout) {
            Ok(_) => true,
            Err(Errno::EINTR) => return ([false; STREAMS], false),
            Err(_) => false,
        };
        let mut ready = polled
            .iter()
            .map(|pipe| !told || pipe.any().unwrap_or(true));
        let streams = open.map(|open| open && ready.next() == Some(true));
        (streams, stopped.is_some() && ready.next() == Some(true))
    }
}
