//! The operating system's view of a child: process id, inherited descriptors, exit status (docs/spec/wire.md#process).
//!
//! Spawned with `posix_spawn`: `std::process::Command` can place the pipes only in a fork of the node, and forking a
//! node of 8 GiB takes 0.2 s. Another user takes such a fork all the same (`as_user`).

use super::as_user;
use super::exit::ProcessEnd;
use super::limits::User;
use super::oom::OomKills;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::Mode;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Number of descriptors of the child: standard input, output and error, and the five pipes.
const DESCRIPTORS: usize = 8;

/// A started process, which must be reaped.
#[derive(Debug)]
pub(super) struct Child {
    id: Pid,
    end: Option<ProcessEnd>,
    /// The count at its start.
    oom_kills: OomKills,
}

impl Child {
    /// Starts a program with `outputs` as standard output and error, `pipes` as descriptors 3 and up, no other
    /// descriptors, and these environment variables; as this user, or as that of the node.
    pub(super) fn spawn(
        path: &Path,
        user: Option<User>,
        variables: BTreeMap<OsString, OsString>,
        outputs: [OwnedFd; 2],
        pipes: [OwnedFd; 5],
    ) -> io::Result<Child> {
        let oom_kills = OomKills::now();
        let id = match user {
            None => spawn_as_node(path, variables, outputs, pipes)?,
            Some(user) => {
                let pipes = away(&pipes)?;
                let others = other_descriptors().collect();
                let id = as_user::spawn(path, user, variables, outputs, pipes, others)?;
                Pid::from_raw(id as i32)
            }
        };
        Ok(Child {
            id,
            end: None,
            oom_kills,
        })
    }

    /// Its process id.
    pub(super) fn id(&self) -> u32 {
        self.id.as_raw().unsigned_abs()
    }

    /// Its memory in use, in bytes; `None` without /proc.
    pub(super) fn memory_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id)).ok()?;
        let mut lines = status.lines();
        let resident = lines.find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix(" kB"))?;
        Some(resident.trim().parse::<u64>().ok()? * 1024)
    }

    /// Sets how readily the kernel ends it where memory is short.
    pub(super) fn set_oom_score_adj(&self, adjustment: i16) -> io::Result<()> {
        let path = format!("/proc/{}/oom_score_adj", self.id);
        std::fs::write(path, adjustment.to_string())
    }

    /// Whether the kernel probably killed it for lack of memory.
    pub(super) fn is_out_of_memory(&self) -> bool {
        let killed = ProcessEnd::Signalled(Signal::SIGKILL as i32);
        self.end == Some(killed) && self.oom_kills.have_grown()
    }

    /// How it ended; `None` while it runs.
    pub(super) fn end(&mut self) -> Option<ProcessEnd> {
        self.wait(Some(WaitPidFlag::WNOHANG))
    }

    /// Kills it, unless it has ended.
    pub(super) fn kill(&mut self) {
        if self.end.is_none() {
            // Only fails for a process that another part of the node has waited for.
            let _ = kill(self.id, Signal::SIGKILL);
            self.wait(None);
        }
    }

    fn wait(&mut self, flags: Option<WaitPidFlag>) -> Option<ProcessEnd> {
        while self.end.is_none() {
            self.end = match waitpid(self.id, flags) {
                Ok(WaitStatus::Exited(_, code)) => Some(ProcessEnd::Exited(code)),
                Ok(WaitStatus::Signaled(_, signal, _)) => {
                    Some(ProcessEnd::Signalled(signal as i32))
                }
                Ok(_) => return None,
                Err(Errno::EINTR) => None,
                // Another part of the node reaped it, or the signal that ended it is unknown to nix.
                Err(_) => Some(ProcessEnd::Unknown),
            };
        }
        self.end
    }
}

/// Starts the program as the node's user, without a copy of the node's memory. Returns its process id.
fn spawn_as_node(
    path: &Path,
    variables: BTreeMap<OsString, OsString>,
    outputs: [OwnedFd; 2],
    pipes: [OwnedFd; 5],
) -> io::Result<Pid> {
    let input = open(
        "/dev/null",
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    let descriptors: [OwnedFd; DESCRIPTORS] = {
        let [stdout, stderr] = outputs;
        let [init, requests, answers, profiles, lines] = pipes;
        [
            input, stdout, stderr, init, requests, answers, profiles, lines,
        ]
    };
    let (actions, _until_it_runs) = placed(descriptors)?;
    let name = CString::new(path.as_os_str().as_bytes())?;
    let id = posix_spawn(
        path,
        &actions,
        &attributes()?,
        &[name],
        &environment(variables)?,
    )?;
    Ok(id)
}

/// Spawn actions that place these descriptors at the numbers from 0 on and close all others. The returned duplicates
/// must stay open until the child runs.
fn placed(
    descriptors: [OwnedFd; DESCRIPTORS],
) -> io::Result<(PosixSpawnFileActions, Vec<OwnedFd>)> {
    let mut actions = PosixSpawnFileActions::init()?;
    let away = away(&descriptors)?;
    for (descriptor, number) in away.iter().zip(0..) {
        actions.add_dup2(descriptor.as_raw_fd(), number)?;
    }
    // Exec closes most of them, but not those that the node opened without `O_CLOEXEC`.
    for number in other_descriptors() {
        // Refused is a number beyond a limit that was lowered since; it stays open.
        let _ = actions.add_close(number);
    }
    Ok((actions, away))
}

/// Duplicates of these descriptors above the numbers that are about to be overwritten.
fn away(descriptors: &[OwnedFd]) -> io::Result<Vec<OwnedFd>> {
    let end = DESCRIPTORS as RawFd;
    let duplicates = descriptors.iter();
    duplicates
        .map(|descriptor| Ok(rustix::io::fcntl_dupfd_cloexec(descriptor, end)?))
        .collect()
}

/// The numbers of the node's open descriptors that a child does not get; none where there is no /proc.
fn other_descriptors() -> impl Iterator<Item = RawFd> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
    let open = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    open.filter(|number| *number >= DESCRIPTORS as RawFd)
}

/// No signal is blocked, and SIGPIPE has its default effect.
fn attributes() -> nix::Result<PosixSpawnAttr> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
    )?;
    attributes.set_sigmask(&SigSet::empty())?;
    attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
    Ok(attributes)
}

fn environment(variables: BTreeMap<OsString, OsString>) -> io::Result<Vec<CString>> {
    let line = |(mut name, value): (OsString, OsString)| {
        name.push("=");
        name.push(value);
        Ok(CString::new(name.into_vec())?)
    };
    variables.into_iter().map(line).collect()
}
