//! Pins the child to the core of the thread that waits for its answers, since the two only ever take turns.
//!
//! An optimisation only: errors of the system are ignored.

use nix::libc::{self, cpu_set_t, pid_t};
use std::thread::{self, ThreadId};

/// The thread that is pinned together with the child.
#[derive(Debug, Default)]
pub(super) struct SharedCore {
    thread: Option<ThreadId>,
}

impl SharedCore {
    /// Pins the current thread to its core, and the child's main thread to the same one. Makes system calls only for
    /// another thread than the last time: unpinning and pinning again takes longer than a round trip on one core.
    pub(super) fn share(&mut self, child: u32) {
        let thread = thread::current().id();
        if self.thread == Some(thread) {
            return;
        }
        self.thread = Some(thread);
        if let Some(core) = current()
            && let Ok(child) = pid_t::try_from(child)
        {
            let only = single(core);
            allow(0, &only);
            allow(child, &only);
        }
    }
}

/// The core of the current thread.
fn current() -> Option<usize> {
    // SAFETY: has no arguments and touches no memory of ours.
    #[expect(unsafe_code, reason = "a question to the system")]
    let core = unsafe { libc::sched_getcpu() };
    let core = usize::try_from(core).ok()?;
    (core < libc::CPU_SETSIZE as usize).then_some(core)
}

fn single(core: usize) -> cpu_set_t {
    let mut set = no_core();
    // SAFETY: `current` has checked that the set has a bit for the core.
    #[expect(unsafe_code, reason = "sets a bit of a C struct")]
    unsafe {
        libc::CPU_SET(core, &mut set);
    }
    set
}

fn no_core() -> cpu_set_t {
    // SAFETY: it is an array of bits, for which zero is a value.
    #[expect(unsafe_code, reason = "a C struct without a constructor")]
    unsafe {
        std::mem::zeroed()
    }
}

/// Sets the CPU affinity of a thread; 0 is the current one.
fn allow(thread: pid_t, cores: &cpu_set_t) {
    // SAFETY: the size is that of the set, which is only read.
    #[expect(unsafe_code, reason = "tells the system")]
    unsafe {
        libc::sched_setaffinity(thread, size_of::<cpu_set_t>(), cores);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    /// The CPU affinity of a task, read from /proc.
    fn cores(task: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{task}/status")).expect("it runs");
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.expect("Linux tells it").trim().to_owned()
    }

    /// Spawns a thread that shares its core `times` times. Returns its affinity and the child's.
    fn after_sharing(shared: &mut SharedCore, child: &Child, times: usize) -> [String; 2] {
        thread::scope(|scope| {
            let sharing = scope.spawn(|| {
                (0..times).for_each(|_| shared.share(child.id()));
                [cores("thread-self"), cores(&child.id().to_string())]
            });
            sharing.join().expect("no panic")
        })
    }

    #[test]
    fn the_child_follows_the_thread_to_its_core() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("started");
        let before = cores(&child.id().to_string());
        assert_eq!(cores("thread-self"), before);
        let mut shared = SharedCore::default();
        let untouched = after_sharing(&mut shared, &child, 0);
        let [thread, of_child] = after_sharing(&mut shared, &child, 3);
        // The next thread may be on another core; the child moves to it.
        let [next_thread, of_child_then] = after_sharing(&mut shared, &child, 1);
        child.kill().and_then(|()| child.wait()).expect("ended");
        assert_eq!(untouched, [before.clone(), before.clone()]);
        assert!(thread.parse::<usize>().is_ok(), "one core: {thread}");
        assert_eq!(of_child, thread);
        assert_eq!(of_child_then, next_thread);
        assert_eq!(
            cores("thread-self"),
            before,
            "of other threads nothing is changed"
        );
    }

    #[test]
    fn a_child_that_is_gone_is_no_error() {
        let mut child = Command::new("true").spawn().expect("started");
        child.wait().expect("ended");
        thread::scope(|scope| {
            scope.spawn(|| SharedCore::default().share(child.id()));
        });
    }
}
