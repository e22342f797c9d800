//! Putting the child on the core of the thread that waits for its answers: the two only ever take turns.
//!
//! For speed alone: whatever the system refuses is left as it is.

use nix::libc::{self, cpu_set_t, pid_t};
use std::thread::{self, ThreadId};

/// Which thread stays on its core, with the child beside it.
#[derive(Debug, Default)]
pub(super) struct SharedCore {
    thread: Option<ThreadId>,
}

impl SharedCore {
    /// Has the current thread stay on the core that it is on, and moves the child's main thread there. Costs system calls
    /// only when it is another thread than the last time: to let a thread go and catch it again takes longer than a
    /// round trip on one core.
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

/// The core that this thread is on.
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

/// Lets a thread use these cores only; 0 is the current thread.
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

    /// The cores that a task may use, as the system tells everybody.
    fn cores(task: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{task}/status")).expect("it runs");
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.expect("Linux tells it").trim().to_owned()
    }

    /// The cores of a thread of its own and those of the child, after that thread has shared its core `times` times.
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
        // The next thread may be on another core; the child comes along.
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
