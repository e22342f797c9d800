//! Keeping the thread that waits for an answer and the child on one core, while they take turns.
//!
//! For speed alone: whatever the system refuses is left as it is.

use nix::libc::{self, cpu_set_t, pid_t};

/// Where the child was put last.
#[derive(Debug, Default)]
pub(super) struct ChildCore(Option<usize>);

/// Keeps the current thread on its core until it is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    before: cpu_set_t,
}

impl ChildCore {
    /// Keeps the current thread where it is, and moves the child's main thread there. `None` if the system does not let
    /// us.
    pub(super) fn share(&mut self, child: u32) -> Option<Kept> {
        let before = allowed()?;
        let core = current()?;
        let only = single(core);
        allow(0, &only)?;
        let kept = Kept { before };
        if self.0 != Some(core) {
            allow(pid_t::try_from(child).ok()?, &only)?;
            self.0 = Some(core);
        }
        Some(kept)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        allow(0, &self.before);
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

/// The cores that this thread may use.
fn allowed() -> Option<cpu_set_t> {
    let mut set = no_core();
    // SAFETY: the size is that of the set that is written.
    #[expect(unsafe_code, reason = "a question to the system")]
    let answer = unsafe { libc::sched_getaffinity(0, size_of::<cpu_set_t>(), &mut set) };
    (answer == 0).then_some(set)
}

/// Lets a thread use these cores only; 0 is the current thread.
fn allow(thread: pid_t, cores: &cpu_set_t) -> Option<()> {
    // SAFETY: the size is that of the set, which is only read.
    #[expect(unsafe_code, reason = "tells the system")]
    let answer = unsafe { libc::sched_setaffinity(thread, size_of::<cpu_set_t>(), cores) };
    (answer == 0).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn cores(set: &cpu_set_t) -> Vec<usize> {
        let all = 0..libc::CPU_SETSIZE as usize;
        // SAFETY: the set has a bit for each of them.
        #[expect(unsafe_code, reason = "reads bits of a C struct")]
        all.filter(|core| unsafe { libc::CPU_ISSET(*core, set) })
            .collect()
    }

    /// The cores that a process may use, as the system tells everybody.
    fn cores_of(process: u32) -> String {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        list.expect("Linux tells it").trim().to_owned()
    }

    #[test]
    fn both_are_on_one_core_until_it_is_over() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("started");
        let before = cores(&allowed().expect("known"));
        let mut child_core = ChildCore::default();
        let kept = child_core.share(child.id()).expect("allowed");
        let during = cores(&allowed().expect("known"));
        let of_child = cores_of(child.id());
        drop(kept);
        child.kill().and_then(|()| child.wait()).expect("ended");
        assert_eq!(during.len(), 1);
        assert_eq!(of_child, during[0].to_string());
        assert_eq!(child_core.0, Some(during[0]));
        assert_eq!(cores(&allowed().expect("known")), before);
    }

    #[test]
    fn a_child_that_is_gone_changes_nothing() {
        let mut child = Command::new("true").spawn().expect("started");
        child.wait().expect("ended");
        let before = cores(&allowed().expect("known"));
        assert!(ChildCore::default().share(child.id()).is_none());
        assert_eq!(cores(&allowed().expect("known")), before);
    }
}
