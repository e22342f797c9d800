//! Ends a read that blocks at its deadline. Waiting for a pipe before each read costs a system call more, which is a tenth
//! of a hook call; a watchdog costs two stores, and wakes up about once in a deadline.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::write;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// No read is under way.
const IDLE: u64 = u64::MAX;

/// The deadline of the read under way has passed, and the read was ended.
const EXPIRED: u64 = u64::MAX - 1;

/// Watches the reads of one pipe.
#[derive(Debug)]
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    pipe: Arc<OwnedFd>,
    /// What deadlines count from.
    start: Instant,
    /// [`IDLE`], [`EXPIRED`], or the deadline of the read under way, in nanoseconds.
    deadline: AtomicU64,
    /// The thread's next self-wake time, in nanoseconds; [`IDLE`] means never.
    wakes_at: AtomicU64,
    closed: AtomicBool,
}

impl Watchdog {
    /// For the reads of this pipe, which is opened a second time to end one: an error where that is refused.
    pub(super) fn new(pipe: Arc<OwnedFd>) -> Result<Watchdog, Errno> {
        let shared = Arc::new(Shared {
            pipe,
            start: Instant::now(),
            deadline: AtomicU64::new(IDLE),
            wakes_at: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        });
        shared.write_end()?;
        let watcher = shared.clone();
        let thread = thread::Builder::new().name("pipe-watchdog".to_owned());
        let thread = thread.spawn(move || watcher.watch());
        let thread = thread.map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
        Ok(Watchdog {
            shared,
            thread: Some(thread),
        })
    }

    /// Runs a read that must end by the deadline. Returns `None` if it was interrupted; the pipe then holds one stray wake-up
    /// byte.
    pub(super) fn watch<T>(&self, deadline: Instant, read: impl FnOnce() -> T) -> Option<T> {
        let since = deadline.saturating_duration_since(self.shared.start);
        let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(EXPIRED);
        let deadline = nanoseconds.min(EXPIRED - 1);
        self.shared.deadline.store(deadline, SeqCst);
        if self.shared.wakes_at.load(SeqCst) > deadline {
            self.wake();
        }
        let result = read();
        match self.shared.deadline.swap(IDLE, SeqCst) {
            EXPIRED => None,
            _ => Some(result),
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.closed.store(true, SeqCst);
        self.wake();
        // It can't panic, and has nothing to wait for any more.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    /// A further write end of the pipe. There is none as long as it is not needed, so that the pipe ends with its writer.
    fn write_end(&self) -> Result<OwnedFd, Errno> {
        let path = format!("/proc/self/fd/{}", self.pipe.as_raw_fd());
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        open(path.as_str(), flags, Mode::empty())
    }

    fn watch(&self) {
        loop {
            let deadline = self.deadline.load(SeqCst);
            let (wakes_at, left) = match deadline {
                IDLE | EXPIRED => (IDLE, Duration::MAX),
                at => (
                    at,
                    Duration::from_nanos(at).saturating_sub(self.start.elapsed()),
                ),
            };
            if left.is_zero() {
                self.end_read(deadline);
                continue;
            }
            self.wakes_at.store(wakes_at, SeqCst);
            if self.closed.load(SeqCst) {
                return;
            }
            // A read that began in between may not have seen how long this will sleep.
            if self.deadline.load(SeqCst) >= wakes_at.min(EXPIRED) {
                thread::park_timeout(left);
            }
        }
    }

    /// Ends the read that had this deadline, if it is still under way.
    fn end_read(&self, deadline: u64) {
        let expired = self
            .deadline
            .compare_exchange(deadline, EXPIRED, SeqCst, SeqCst);
        if expired.is_ok() {
            // A pipe that is full ends the read, too; opening it was tried at the start.
            let _ = self.write_end().map(|end| write(end, &[0]));
        }
    }
}
