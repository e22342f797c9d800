//! A command line tool to run contracts without a node. Each command has a file; what it does is in the library's `tool`.

mod options;
mod scenario;

use arwen::internal::escape::escape_text;
use arwen::internal::part::allocator::ExitingAllocator;
use arwen::internal::tool::Exit;
use clap::{Parser, Subcommand};
use options::CostOptions;
use std::io::{self, Write as _, stderr};
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: ExitingAllocator = ExitingAllocator;

/// Runs smart contracts without a node.
///
/// Exit codes: 0 success, 1 a contract failed or something is not as expected, 2 bad input or a machine that can't run, 4
/// this machine lacks memory, 141 the reader of the output has gone (as if by SIGPIPE).
#[derive(Parser)]
#[command(name = "arwendebug", version)]
struct CommandLine {
    #[command(flatten)]
    costs: CostOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Scenario(scenario::Options),
}

fn main() -> ExitCode {
    let CommandLine { costs, command } = CommandLine::parse();
    let outcome = match command {
        Command::Scenario(options) => scenario::run(options, &costs),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return Exit::NoReader;
        }
        let text = format!("{error:#}");
        // Not eprintln, which panics when stderr has no reader any more.
        let _ = writeln!(stderr(), "arwendebug: {}", escape_text(&text));
        Exit::Unusable
    }))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
