//! Interrupts a blocking read at its deadline. Polling before each read would cost a system call, a tenth of a hook
//! call. A watchdog costs two stores per read, and wakes up about once per deadline.

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
    /// The time that deadlines are relative to.
    start: Instant,
    /// [`IDLE`], [`EXPIRED`], or the deadline of the read under way, in nanoseconds.
    deadline: AtomicU64,
    /// The thread's next self-wake time, in nanoseconds; [`IDLE`] means never.
    wakes_at: AtomicU64,
    closed: AtomicBool,
}

impl Watchdog {
    /// A watchdog for the reads of this pipe. It opens the pipe a second time to interrupt a read, and fails if the
    /// system refuses that.
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

    /// Watches the read that follows: it must end by the deadline.
    pub(super) fn begin(&self, deadline: Instant) {
        let since = deadline.saturating_duration_since(self.shared.start);
        let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(EXPIRED);
        let deadline = nanoseconds.min(EXPIRED - 1);
        self.shared.deadline.store(deadline, SeqCst);
        if self.shared.wakes_at.load(SeqCst) > deadline {
            self.wake();
        }
    }

    /// The read has ended. Returns whether it was interrupted; the pipe then holds one stray wake-up byte.
    pub(super) fn end(&self) -> bool {
        self.shared.deadline.swap(IDLE, SeqCst) == EXPIRED
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
        // The thread can't panic, and has been told to stop.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    /// Opens another write end of the pipe. It exists only while needed, so that the pipe ends when its writer closes
    /// it.
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
            // A read that began in between may have missed the new wake-up time.
            if self.deadline.load(SeqCst) >= wakes_at.min(EXPIRED) {
                thread::park_timeout(left);
            }
        }
    }

    /// Interrupts the read with this deadline, if it is still under way.
    fn end_read(&self, deadline: u64) {
        let expired = self
            .deadline
            .compare_exchange(deadline, EXPIRED, SeqCst, SeqCst);
        if expired.is_ok() {
            // If the pipe is full, the read returns anyway. Opening was tested at the start.
            let _ = self.write_end().map(|end| write(end, &[0]));
        }
    }
}
