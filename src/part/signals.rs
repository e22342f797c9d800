//! What signals do to the child. A node's operator knows the reference's child, a program in Go, and ours takes signals as it does:
//!
//! | signal | effect |
//! |---|---|
//! | `SIGHUP` | ends the process: the system's default, unless it was started with the signal ignored |
//! | `SIGUSR1`, `SIGUSR2`, `SIGALRM`, `SIGIO` | none |
//! | `SIGQUIT` | says on stderr what the process is doing, and ends it with the exit code 2 |
//!
//! There are no handlers, in which hardly anything may be done: all threads block these signals, and one waits for them.

use crate::activity;
use nix::sys::signal::{SigSet, Signal};
use std::io::Write as _;

/// The exit code after `SIGQUIT`, that of a program in Go.
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

/// Blocks the signals that the child takes, in this thread and in those that it starts. To be called before there are others.
/// On an error they have their default effect.
pub fn block() {
    let _ = taken().thread_block();
}

/// Starts the thread that takes the signals. Without it they have no effect at all.
pub(super) fn watch() {
    let watch = || {
        loop {
            match taken().wait() {
                Ok(Signal::SIGQUIT) => quit(),
                Ok(_) => {}
                // Never seen for a set of real signals.
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
