//! A command line tool to run contracts without a node. Each command has a file; what it does is in the library's `tool`.

mod account;
// For its manual page; only the child parses them.
#[path = "../arwen/options.rs"]
mod child_options;
mod dialogue;
mod gas;
mod inspect;
mod manual;
mod options;
mod print;
mod replay;
mod scenario;
mod server;
mod trace_options;
mod transaction;
mod world;
mod world_options;

use arwen::internal::part::allocator::ExitingAllocator;
use arwen::internal::tool::Exit;
use clap::{CommandFactory as _, Parser, Subcommand};
use options::CostOptions;
use std::io;
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
    Inspect(inspect::Options),
    Account(account::Options),
    CreateAccount(account::CreateAccount),
    Deploy(transaction::Deploy),
    Upgrade(transaction::Upgrade),
    #[command(visible_alias = "call")]
    Run(transaction::Run),
    Query(transaction::Query),
    Gas(gas::Options),
    World(world::Options),
    Replay(replay::Options),
    Dialogue(dialogue::Options),
    Server(server::Options),
    Man(manual::ManOptions),
    Completions(manual::CompletionsOptions),
}

fn main() -> ExitCode {
    let CommandLine { costs, command } = CommandLine::parse();
    let outcome = match command {
        Command::Scenario(options) => scenario::run(options, &costs),
        Command::Inspect(options) => inspect::run(&options, &costs),
        Command::Account(options) => account::run(options),
        Command::CreateAccount(options) => account::create_account(options),
        Command::Deploy(options) => transaction::deploy(options, &costs),
        Command::Upgrade(options) => transaction::upgrade(options, &costs),
        Command::Run(options) => transaction::call(options, &costs),
        Command::Query(options) => transaction::query(options, &costs),
        Command::Gas(options) => gas::run(options),
        Command::World(options) => world::run(options),
        Command::Replay(options) => replay::run(options),
        Command::Dialogue(options) => dialogue::run(options),
        Command::Server(options) => server::run(options, &costs),
        Command::Man(options) => manual::man(&options, CommandLine::command()),
        Command::Completions(options) => manual::completions(&options, CommandLine::command()),
    };
    ExitCode::from(outcome.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return Exit::NoReader;
        }
        print::complaint(&error);
        Exit::Unusable
    }))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
