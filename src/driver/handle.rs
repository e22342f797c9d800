//! Access to a driver from other threads, without waiting for the request that runs.

use super::config::{PROFILE_FRAME_LIMIT_BYTES, check_profile};
use super::error::ProfileError;
use super::sinks::Counters;
use super::stats::{DriverStats, Latencies};
use crate::logs::profile;
use crate::messages::{LogProfile, Ready};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A handle of a [`Driver`](super::Driver) for other threads: reads statistics, sets the log profile, aborts the
/// running request. It never waits for a request. Clones refer to the same driver; a handle may outlive it.
#[derive(Debug, Clone)]
pub struct DriverHandle(pub(super) Arc<Shared>);

impl DriverHandle {
    /// Statistics so far, without the running request.
    pub fn stats(&self) -> DriverStats {
        self.0.stats()
    }

    /// Latencies of the answered requests.
    pub fn latencies(&self) -> Latencies {
        self.0.latencies()
    }

    /// What the current child reported about itself; see [`Driver::ready`](super::Driver::ready).
    pub fn ready(&self) -> Option<Ready> {
        self.0.ready()
    }

    /// Sets the log profile of the current child and of all later ones. On an error the old profile stays.
    ///
    /// # Errors
    ///
    /// The patterns of the profile can't be read, or it is too long for the pipe.
    pub fn set_log_profile(&self, profile: LogProfile) -> Result<(), ProfileError> {
        self.0.set_log_profile(profile)
    }

    /// Aborts the running request by killing its child. The request fails with
    /// [`Fault::Aborted`](super::Fault::Aborted); the next one gets a fresh child. Returns whether a request was
    /// running.
    pub fn abort(&self) -> bool {
        let mut running = lock(&self.0.running);
        let Some(child) = running.child else {
            return false;
        };
        running.is_aborted = true;
        // The child is not reaped while it is recorded here, so its process id can't have been reused.
        let _ = kill(child, Signal::SIGKILL);
        true
    }
}

/// State shared by a driver and its handles.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) counters: Arc<Counters>,
    figures: Mutex<Figures>,
    profile: Mutex<Profile>,
    /// Whether the child may lack the profile.
    owes_profile: AtomicBool,
    running: Mutex<Running>,
    /// The report of the current child.
    ready: Mutex<Option<Ready>>,
}

/// What handles read, without the running request.
#[derive(Debug, Default)]
struct Figures {
    stats: DriverStats,
    latencies: Latencies,
}

#[derive(Debug)]
struct Profile {
    current: LogProfile,
    /// The profile pipe of the running child, which owns it.
    pipe: Weak<OwnedFd>,
    /// Whether that child has the profile.
    is_sent: bool,
}

#[derive(Debug, Default)]
struct Running {
    /// The child that runs a request; `None` between requests.
    child: Option<Pid>,
    is_aborted: bool,
}

/// Ignores poisoning: a panic elsewhere leaves each value consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(profile: LogProfile) -> Shared {
        Shared {
            counters: Arc::default(),
            figures: Mutex::default(),
            profile: Mutex::new(Profile {
                current: profile,
                pipe: Weak::new(),
                is_sent: false,
            }),
            owes_profile: AtomicBool::new(true),
            running: Mutex::default(),
            ready: Mutex::default(),
        }
    }

    pub(super) fn ready(&self) -> Option<Ready> {
        lock(&self.ready).clone()
    }

    /// Sets the report of the current child; `None` when it is gone.
    pub(super) fn set_ready(&self, ready: Option<Ready>) {
        *lock(&self.ready) = ready;
    }

    pub(super) fn stats(&self) -> DriverStats {
        DriverStats {
            log_lines_total: self.counters.log_lines.load(Relaxed),
            bad_log_lines_total: self.counters.bad_log_lines.load(Relaxed),
            dropped_log_bytes_total: self.counters.dropped_log_bytes.load(Relaxed),
            dropped_text_bytes_total: self.counters.dropped_text_bytes.load(Relaxed),
            recorded_frames_total: self.counters.recorded_frames.load(Relaxed),
            unrecorded_frames_total: self.counters.unrecorded_frames.load(Relaxed),
            ..lock(&self.figures).stats.clone()
        }
    }

    pub(super) fn latencies(&self) -> Latencies {
        lock(&self.figures).latencies.clone()
    }

    /// Publishes the statistics after a request, with its latency if it was answered.
    pub(super) fn publish(&self, stats: &DriverStats, answered_in: Option<Duration>) {
        let mut figures = lock(&self.figures);
        figures.stats.clone_from(stats);
        if let Some(latency) = answered_in {
            figures.latencies.add(latency);
        }
    }

    pub(super) fn set_log_profile(&self, profile: LogProfile) -> Result<(), ProfileError> {
        check_profile(&profile)?;
        let mut shared = lock(&self.profile);
        shared.current = profile;
        self.send_anew(&mut shared);
        Ok(())
    }

    /// Sets the profile pipe, that of a new child.
    pub(super) fn set_profile_pipe(&self, pipe: &Arc<OwnedFd>) {
        let mut shared = lock(&self.profile);
        shared.pipe = Arc::downgrade(pipe);
        self.send_anew(&mut shared);
    }

    fn send_anew(&self, profile: &mut Profile) {
        profile.is_sent = false;
        profile.send();
        self.owes_profile.store(!profile.is_sent, Relaxed);
    }

    /// Sends the log profile if the child does not have it yet.
    pub(super) fn send_profile(&self) {
        if self.owes_profile.load(Relaxed) {
            let mut profile = lock(&self.profile);
            profile.send();
            self.owes_profile.store(!profile.is_sent, Relaxed);
        }
    }

    /// Records that a request runs in this child, until the returned guard is dropped.
    pub(super) fn begin(&self, child: u32) -> Begun<'_> {
        *lock(&self.running) = Running {
            child: Some(Pid::from_raw(child as i32)),
            is_aborted: false,
        };
        Begun(Some(self))
    }
}

/// Guard of a running request; `None` once it has ended. The child is not reaped while it exists.
pub(super) struct Begun<'a>(Option<&'a Shared>);

impl Begun<'_> {
    /// Ends the request. Returns whether a handle aborted it.
    pub(super) fn end(mut self) -> bool {
        let shared = self.0.take();
        shared.is_some_and(|shared| std::mem::take(&mut *lock(&shared.running)).is_aborted)
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            lock(&shared.running).child = None;
        }
    }
}

impl Profile {
    /// Sends the profile if the pipe has room. It has, unless the child does not read.
    fn send(&mut self) {
        let Some(pipe) = self.pipe.upgrade().filter(|_| !self.is_sent) else {
            return;
        };
        let mut frame = Vec::new();
        let fits = profile::encode(&self.current, &mut frame).is_ok()
            && frame.len() <= PROFILE_FRAME_LIMIT_BYTES;
        // The write is atomic. Errors other than a full pipe mean that the child is gone.
        self.is_sent = fits && nix::unistd::write(&*pipe, &frame) != Err(nix::Error::EAGAIN);
    }
}
