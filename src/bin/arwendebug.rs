//! A command line tool to run contracts without a node.

use anyhow::Context;
use arwen::internal::escape::escape_text;
use arwen::internal::part::allocator::ExitingAllocator;
use arwen::internal::scenario::{self, MachineFactory, Report, ScenarioReport, Settings, Suite};
use arwen::messages::Format;
use clap::{Parser, Subcommand, ValueEnum};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write as _, stderr, stdout};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: ExitingAllocator = ExitingAllocator;

/// Runs smart contracts without a node.
#[derive(Parser)]
#[command(name = "arwendebug", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Scenario(ScenarioArguments),
}

/// Runs scenarios: JSON files that put accounts into a world, run transactions and compare the results.
///
/// A line for each says whether it passed; under one that failed stands the first thing that is not as expected.
/// The gas schedule is that of the reference's tests: everything costs 1, the gas lock of asynchronous calls 100000.
///
/// A file `x.wasm` that is not there is made from `x.wat` beside it.
///
/// Exit codes: 0 all passed, 1 some failed, 2 they could not be run, 4 this machine lacks memory, 141 the reader of the
/// output has gone (as if by SIGPIPE).
#[derive(clap::Args)]
struct ScenarioArguments {
    /// Scenario files (*.scen.json, or *.test.json in the old format), or folders: then all *.scen.json below them are
    /// run, in the order of their names. Each PATH begins with an empty world; below one folder, the facts of blocks and
    /// the addresses of future contracts (newAddresses) stay from one scenario to the next, so that suites that have
    /// nothing to do with each other should be several PATHs.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Run contracts as a node does: in child processes. The program `arwen` is looked for in the current folder, then
    /// where the environment variable ARWEN_PATH says, then beside this program. Without it they run in this process.
    #[arg(long)]
    ipc: bool,

    /// How the messages to and from the children are encoded; protobuf needs a build with the feature `protobuf`, and is
    /// the default of such a build.
    #[arg(long, value_enum, requires = "ipc", value_name = "FORMAT")]
    format: Option<PayloadFormat>,

    /// What storage keys begin with that contracts can't write. Storage keys that begin with KALYAN3104 in the scenarios
    /// are read as if they began with PREFIX.
    #[arg(long, value_name = "PREFIX", default_value = "KALYAN3104")]
    protected_prefix: String,

    /// Take the file TO where a scenario names the file FROM, exactly as it is written there after `file:`. Can be given
    /// several times.
    #[arg(long, value_name = "FROM=TO", value_parser = replacement)]
    replace: Vec<(String, PathBuf)>,

    /// How many scenarios to run at a time. The results and their order don't depend on it.
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,

    /// What to print.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    report: ReportFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum PayloadFormat {
    Json,
    Protobuf,
}

impl From<PayloadFormat> for Format {
    fn from(format: PayloadFormat) -> Format {
        match format {
            PayloadFormat::Json => Format::Json,
            PayloadFormat::Protobuf => Format::Protobuf,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// A line for each scenario, and a summary.
    Text,
    /// One JSON object: counts, scenarios, and for every transaction its return code, message, gas remaining, refund and
    /// the number of hook calls.
    Json,
}

fn replacement(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.into())),
        _ => Err("two file names with = between them are needed".to_owned()),
    }
}

fn main() -> ExitCode {
    let CommandLine { command } = CommandLine::parse();
    let outcome = match command {
        Command::Scenario(arguments) => run_scenarios(arguments),
    };
    outcome.unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            return ExitCode::from(NO_READER);
        }
        let text = format!("{error:#}");
        // Not eprintln, which panics when stderr has no reader any more.
        let _ = writeln!(stderr(), "arwendebug: {}", escape_text(&text));
        ExitCode::from(2)
    })
}

/// The exit code when the reader of the output, such as `head`, has closed it: that of a program ended by SIGPIPE. This
/// program ignores the signal, because it also has pipes to its children.
const NO_READER: u8 = 128 + 13;

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run_scenarios(arguments: ScenarioArguments) -> anyhow::Result<ExitCode> {
    let suite = Suite::find(&arguments.paths)?;
    let replacements = BTreeMap::from_iter(arguments.replace);
    let format = arguments.format.map_or(Format::PREFERRED, Format::from);
    format.check()?;
    let in_child = |arguments: &_, world| scenario::in_child(arguments, world, format);
    let machines: &MachineFactory<'_> = match arguments.ipc {
        true => &in_child,
        false => &scenario::in_process,
    };
    let settings = Settings {
        protected_prefix: arguments.protected_prefix.as_bytes(),
        replacements: &replacements,
        gas_schedule: &arwen::gas_schedule::flat_gas_schedule(1, 100_000),
        machines,
    };
    let mut printer = Printer {
        format: arguments.report,
        progress: stderr().is_terminal(),
        finished: 0,
        all: suite.len(),
        outcome: Ok(()),
    };
    let report = suite.run(settings, arguments.jobs, |scenario| {
        printer.scenario(scenario)
    });
    printer.end(&report).context("can't print")?;
    Ok(match report.failed() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// Prints reports as they come.
struct Printer {
    format: ReportFormat,
    /// Whether stderr is a terminal.
    progress: bool,
    finished: usize,
    all: usize,
    outcome: io::Result<()>,
}

impl Printer {
    /// Prints a report; breaks when the output is closed.
    fn scenario(&mut self, scenario: &ScenarioReport) -> ControlFlow<()> {
        self.finished += 1;
        self.status("");
        if self.format == ReportFormat::Text && self.outcome.is_ok() {
            self.outcome = writeln!(stdout(), "{scenario}");
        }
        if self.finished < self.all {
            self.status(&format!("{} of {}", self.finished, self.all));
        }
        match self.outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    /// Replaces the last line of the terminal.
    fn status(&self, text: &str) {
        if self.progress {
            // An error is ignored: the status line is optional.
            let _ = write!(stderr(), "\r\x1b[K{text}");
        }
    }

    fn end(self, report: &Report) -> io::Result<()> {
        self.outcome?;
        match self.format {
            ReportFormat::Text => writeln!(stdout(), "{report}"),
            ReportFormat::Json => {
                let mut stdout = stdout().lock();
                stdout.write_all(&report.to_json())?;
                writeln!(stdout)
            }
        }
    }
}
