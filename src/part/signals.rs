//! Signal handling of the child, the same as in the reference's child, a program in Go:
//!
//! | signal | effect |
//! |---|---|
//! | `SIGHUP` | ends the process: the system's default, unless it was started with the signal ignored |
//! | `SIGUSR1`, `SIGUSR2`, `SIGALRM`, `SIGIO` | none |
//! | `SIGQUIT` | says on stderr what the process is doing, and ends it with the exit code 2 |
//!
//! There are no handlers, since little is async-signal-safe. All threads block these signals, and one thread waits for
//! them.

use crate::activity;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{Pid, setpgid};
use std::io::Write as _;

/// The exit code after `SIGQUIT`, as in Go programs.
const QUIT: i32 = 2;

fn taken() -> SigSet {
    SigSet::from_iter([
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        Signal::SIGALRM,
        Signal::SIGIO,
        Signal::SIGQUIT,
    ])
}

/// Blocks the signals that the child handles, in this thread and those that it starts. Call it before other threads
/// exist. On an error the signals keep their default effect.
pub fn block() {
    let _ = taken().thread_block();
}

/// Leaves the process group of the node. A terminal or a supervisor that ends the node signals its group; the child ends
/// with the node, not before the node has had its last answers.
pub fn leave_group() {
    // Refused to the leader of a session only, which leads a group of its own.
    let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
}

/// Starts the thread that waits for the signals. Without it they have no effect.
pub(super) fn watch() {
    let watch = || {
        loop {
            match taken().wait() {
                Ok(Signal::SIGQUIT) => quit(),
                Ok(_) => {}
                // Can't happen for a set of valid signals.
                Err(_) => return,
            }
        }
    };
    let name = "signals".to_owned();
    drop(std::thread::Builder::new().name(name).spawn(watch));
}

fn quit() -> ! {
    // Not eprintln, which panics when stderr has no reader any more.
    let _ = writeln!(
        std::io::stderr(),
        "SIGQUIT: quit\narwen is {}",
        activity::describe()
    );
    std::process::exit(QUIT)
}
