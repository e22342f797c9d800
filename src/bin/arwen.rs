//! The child process. A node starts it; see the library's documentation.

use arwen::part::{self, PartPipes};
use clap::Parser;
use std::io::Write as _;
use std::process::ExitCode;

/// Runs smart contracts for a blockchain node.
///
/// The node starts this program without arguments, with pipes on the descriptors 3 to 7: 3 brings the Initialize message,
/// 4 the node's messages, 5 takes ours, 6 brings log profiles, 7 takes log lines. It ends when the node closes
/// descriptor 4.
///
/// Exit codes: 1 a pipe is missing, 2 bad Initialize arguments, 3 the node ended it. The reason is on stderr.
#[derive(Parser)]
#[command(version)]
struct CommandLine {}

fn main() -> ExitCode {
    // SAFETY: the first thing that the process does; nothing has opened a descriptor yet.
    #[expect(unsafe_code, reason = "the pipes are given by number")]
    let inherited = unsafe { arwen::transport::descriptors::inherited() };
    CommandLine::parse();
    let end = match PartPipes::new(inherited) {
        Ok(pipes) => part::run(pipes, part::build_vm),
        Err(error) => error,
    };
    // Not eprintln, which panics when nobody reads stderr any more.
    let _ = writeln!(std::io::stderr(), "{end}");
    ExitCode::from(end.exit_code())
}
