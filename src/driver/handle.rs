//! What other threads may do with a driver while it runs a request: they don't wait for it.

use super::config::{PROFILE_FRAME_LIMIT_BYTES, check_profile};
use super::error::ProfileError;
use super::sinks::Counters;
use super::stats::{DriverStats, Latencies};
use crate::logs::profile;
use crate::messages::LogProfile;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// A handle of a [`Driver`](super::Driver) for other threads: figures, the log profile, and the end of the request that runs. It
/// never waits for a request. Clones are of the same driver, and it may outlive it.
#[derive(Debug, Clone)]
pub struct DriverHandle(pub(super) Arc<Shared>);

impl DriverHandle {
    /// Figures so far, without the request that runs.
    pub fn stats(&self) -> DriverStats {
        self.0.stats()
    }

    /// How long the requests took that were answered.
    pub fn latencies(&self) -> Latencies {
        lock(&self.0.latencies).clone()
    }

    /// Sets which lines the child logs, from now on and in every later child. On an error nothing has changed.
    ///
    /// # Errors
    ///
    /// The patterns of the profile can't be read, or it is too long for the pipe.
    pub fn set_log_profile(&self, profile: LogProfile) -> Result<(), ProfileError> {
        self.0.set_log_profile(profile)
    }

    /// Ends the request that runs, by the end of its child: it fails with [`Fault::Aborted`](super::Fault::Aborted), and the next
    /// one gets a fresh child. Returns whether one was running.
    pub fn abort(&self) -> bool {
        let mut running = lock(&self.0.running);
        let Some(child) = running.child else {
            return false;
        };
        running.is_aborted = true;
        // While it is noted here it was not waited for, so that the number is still its own.
        let _ = kill(child, Signal::SIGKILL);
        true
    }
}

/// What a driver shares with its handles.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) counters: Arc<Counters>,
    stats: Mutex<DriverStats>,
    latencies: Mutex<Latencies>,
    profile: Mutex<Profile>,
    running: Mutex<Running>,
}

#[derive(Debug)]
struct Profile {
    current: LogProfile,
    /// The pipe of the child that runs; it goes with the child.
    pipe: Weak<OwnedFd>,
    /// Whether that child has the profile.
    is_sent: bool,
}

#[derive(Debug, Default)]
struct Running {
    /// The child that runs a request.
    child: Option<Pid>,
    is_aborted: bool,
}

/// A panic elsewhere leaves each value whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(profile: LogProfile) -> Shared {
        Shared {
            counters: Arc::default(),
            stats: Mutex::default(),
            latencies: Mutex::default(),
            profile: Mutex::new(Profile {
                current: profile,
                pipe: Weak::new(),
                is_sent: false,
            }),
            running: Mutex::default(),
        }
    }

    pub(super) fn stats(&self) -> DriverStats {
        DriverStats {
            log_lines_total: self.counters.log_lines.load(Relaxed),
            bad_log_lines_total: self.counters.bad_log_lines.load(Relaxed),
            dropped_log_bytes_total: self.counters.dropped_log_bytes.load(Relaxed),
            dropped_text_bytes_total: self.counters.dropped_text_bytes.load(Relaxed),
            ..lock(&self.stats).clone()
        }
    }

    /// What handles see from now on.
    pub(super) fn publish(&self, stats: &DriverStats) {
        lock(&self.stats).clone_from(stats);
    }

    pub(super) fn latencies(&self) -> MutexGuard<'_, Latencies> {
        lock(&self.latencies)
    }

    pub(super) fn set_log_profile(&self, profile: LogProfile) -> Result<(), ProfileError> {
        check_profile(&profile)?;
        let mut shared = lock(&self.profile);
        shared.current = profile;
        shared.is_sent = false;
        shared.send();
        Ok(())
    }

    /// A new child takes profiles from this pipe.
    pub(super) fn set_profile_pipe(&self, pipe: &Arc<OwnedFd>) {
        let mut shared = lock(&self.profile);
        shared.pipe = Arc::downgrade(pipe);
        shared.is_sent = false;
        shared.send();
    }

    /// Sends the log profile if the child does not have it yet.
    pub(super) fn send_profile(&self) {
        lock(&self.profile).send();
    }

    /// A request begins in this child. It runs until what is returned is dropped.
    pub(super) fn begin(&self, child: u32) -> Begun<'_> {
        *lock(&self.running) = Running {
            child: Some(Pid::from_raw(child as i32)),
            is_aborted: false,
        };
        Begun(self)
    }
}

/// A request that runs. While it is there the child is not waited for.
pub(super) struct Begun<'a>(&'a Shared);

impl Begun<'_> {
    /// The request has ended; whether a handle ended it.
    pub(super) fn end(self) -> bool {
        let running = std::mem::take(&mut *lock(&self.0.running));
        running.is_aborted
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        lock(&self.0.running).child = None;
    }
}

impl Profile {
    /// Sends the profile if the pipe has room, which it has unless the child does not read.
    fn send(&mut self) {
        let Some(pipe) = self.pipe.upgrade().filter(|_| !self.is_sent) else {
            return;
        };
        let mut frame = Vec::new();
        let fits = profile::encode(&self.current, &mut frame).is_ok()
            && frame.len() <= PROFILE_FRAME_LIMIT_BYTES;
        // At once or not at all; a child that is gone will not miss it.
        self.is_sent = fits && nix::unistd::write(&*pipe, &frame) != Err(nix::Error::EAGAIN);
    }
}
