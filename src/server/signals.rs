//! SIGINT and SIGTERM end a server: the first one once all requests are answered, the second one at once.

use nix::sys::signal::{SigSet, Signal};
use std::io;
use tokio::sync::watch;

/// Whether the server is to end.
pub type Stop = watch::Receiver<bool>;

/// Takes the signals over: threads that are started later don't have them. Children do, because the standard library gives
/// them none of our mask.
pub fn take() -> io::Result<Stop> {
    let ending = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    ending.thread_block()?;
    let (sender, stop) = watch::channel(false);
    let wait = move || {
        while let Ok(signal) = ending.wait() {
            if sender.send_replace(true) {
                // As a shell says it of a program that a signal ended. Worlds are replaced as a whole.
                std::process::exit(128 + signal as i32);
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(wait)?;
    Ok(stop)
}
