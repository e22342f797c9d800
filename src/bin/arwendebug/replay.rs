//! `arwendebug replay`.

use crate::options::PayloadFormat;
use crate::print;
use anyhow::Context as _;
use arwen::internal::escape::escape_line;
use arwen::internal::replay::{self, Outcome, ReplayError, Settings, Shard, Totals, Verdict};
use arwen::internal::tool::Exit;
use arwen::messages::Format;
use clap::{Args, Subcommand};
use std::io::{self, Write as _, stdout};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

/// Plays recorded dialogues to a child, and compares responses, gas and hook calls with the recording.
///
/// Recordings are written by a driver with DriverConfig::record; files of JSON lines {"dir", "kind", "payload"} are read as well.
/// A dialogue that the recording does not have as a whole is skipped. A recording that is cut short is replayed up to the cut.
///
/// Exit codes: 0 everything is as recorded, 1 something is different or failed, 2 a recording is not one, damaged or cut short, or
/// the child can't be started.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  arwendebug replay recordings/*.rec.gz --binary ./arwen --jobs 8
  arwendebug replay recordings/*.rec.gz --shard 2/3 --json > 2.jsonl
  arwendebug replay merge 1.jsonl 2.jsonl 3.jsonl"
)]
pub struct Options {
    #[command(subcommand)]
    command: Option<Command>,

    /// The recordings.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The program to compare. Without it the program `arwen` is looked for in the current folder, then where the environment
    /// variable ARWEN_PATH says, then beside this program.
    #[arg(long, value_name = "PROGRAM")]
    binary: Option<PathBuf>,

    /// How the messages to and from the child are encoded, whatever the recording has; protobuf needs a build with the feature
    /// `protobuf`, and is the default of such a build.
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<PayloadFormat>,

    /// How many children to have at a time. The results and their order don't depend on it.
    #[arg(long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,

    /// Replay the K-th share of N: of all dialogues in the order of the files each N-th, from the K-th on. All shares must be
    /// given the same files in the same order.
    #[arg(long, value_name = "K/N", default_value = "1/1", value_parser = shard)]
    shard: Shard,

    /// Print a JSON object for each dialogue, each on its line, and one with the sums.
    #[arg(long)]
    json: bool,

    /// How long a dialogue may take, in seconds; then the child is ended, and the dialogue has failed.
    #[arg(long, value_name = "SECONDS", default_value = "10")]
    time_limit: u32,

    /// Where the files are that JSON lines name as the code of contracts.
    #[arg(long, value_name = "FOLDER")]
    contracts: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    Merge(MergeOptions),
}

/// Sums the results of all shares.
///
/// Each file has what `arwendebug replay --json --shard K/N` has printed for one K. The sums are those of a replay of the whole.
///
/// Exit codes: 0 everything is as recorded, 1 something is different or failed, 2 a share is missing, there twice, or not whole.
#[derive(Args)]
struct MergeOptions {
    /// The results.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Print the sums as a JSON object.
    #[arg(long)]
    json: bool,
}

fn shard(text: &str) -> Result<Shard, String> {
    text.parse().map_err(|error: ReplayError| error.to_string())
}

/// Replays, or merges results.
pub fn run(options: Options) -> anyhow::Result<Exit> {
    if let Some(Command::Merge(options)) = options.command {
        let totals = replay::merge(&options.files)?;
        return print_totals(&totals, Shard::WHOLE, options.json);
    }
    let settings = Settings {
        binary: options.binary,
        format: options.format.map_or(Format::PREFERRED, Format::from),
        jobs: options.jobs,
        shard: options.shard,
        time: Duration::from_secs(options.time_limit.into()),
        contracts: options.contracts,
    };
    let mut printer = Printer {
        json: options.json,
        status: print::Status::new(),
        finished: 0,
        outcome: Ok(()),
    };
    let mut defects = Vec::new();
    let totals = replay::run(
        &options.files,
        &settings,
        |outcome| printer.outcome(outcome),
        |defect| defects.push(defect),
    )?;
    printer.status.show("");
    printer.outcome.context("can't print")?;
    let exit = print_totals(&totals, settings.shard, options.json)?;
    let last = defects.pop();
    for defect in defects {
        print::complaint(&defect.into());
    }
    match last {
        Some(defect) => Err(defect.into()),
        None => Ok(exit),
    }
}

fn print_totals(totals: &Totals, shard: Shard, json: bool) -> anyhow::Result<Exit> {
    let printed = match json {
        true => writeln!(stdout(), "{}", totals.to_json(shard)),
        false => writeln!(stdout(), "{totals}"),
    };
    printed.context("can't print")?;
    Ok(Exit::from(totals.is_good()))
}

/// Prints a result, without control characters of contracts.
fn print_lines(outcome: &Outcome) -> io::Result<()> {
    let mut stdout = stdout().lock();
    let text = outcome.to_string();
    text.lines()
        .try_for_each(|line| writeln!(stdout, "{}", escape_line(line)))
}

/// Prints results as they come: all of them as JSON, or those that are not as recorded.
struct Printer {
    json: bool,
    status: print::Status,
    finished: u64,
    outcome: io::Result<()>,
}

impl Printer {
    /// Breaks when the output is closed.
    fn outcome(&mut self, outcome: &Outcome) -> ControlFlow<()> {
        self.finished += 1;
        self.outcome = match (self.json, outcome.verdict) {
            (true, _) => writeln!(stdout(), "{}", outcome.to_json()),
            (false, Verdict::Same) => Ok(()),
            (false, _) => {
                self.status.show("");
                print_lines(outcome)
            }
        };
        if self.finished.is_multiple_of(100) {
            self.status.show(&format!("{} dialogues", self.finished));
        }
        match self.outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}
