//! Process-wide behaviour: interrupts, and the end with the node.

use crate::transport::exit_codes;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigHandler, Signal, signal};
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

/// How long the message loop has to notice that the node is gone before the process is ended, even while a contract
/// runs. Long enough to read what the node wrote last, short enough to leave no orphan.
const GRACE: Duration = Duration::from_millis(500);

/// Ignores SIGINT. A terminal sends it to both processes, and a node that finishes its work first still needs its
/// child. A node that exits closes the pipes, which ends the child.
pub fn ignore_interrupts() {
    // SAFETY: the signal is ignored, so that no handler runs.
    #[expect(
        unsafe_code,
        reason = "what a handler may do is not known to the function"
    )]
    let _ = unsafe { signal(Signal::SIGINT, SigHandler::SigIgn) };
}

/// Ends the process soon after the node has closed the pipe, also while a contract runs, whose result has no reader.
///
/// The loop itself sees the end of the stream only when it reads. If the thread can't be started, the process works
/// without it.
pub fn end_with_node(node_to_arwen: &OwnedFd) {
    let Ok(pipe) = node_to_arwen.try_clone() else {
        return;
    };
    let watch = move || {
        wait_for_hang_up(&pipe);
        std::thread::sleep(GRACE);
        // Not eprintln, which panics when stderr has no reader any more.
        let _ = writeln!(std::io::stderr(), "Ended Arwen loop: EOF");
        std::process::exit(exit_codes::ENDED_BY_NODE.into());
    };
    drop(
        std::thread::Builder::new()
            .name("end-with-node".to_owned())
            .spawn(watch),
    );
}

fn wait_for_hang_up(pipe: &OwnedFd) {
    loop {
        // poll always reports a hang-up, so no events are requested.
        let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::empty())];
        match poll(&mut polled, PollTimeout::NONE) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) | Err(_) => return,
        }
    }
}
