//! `arwendebug scenario`.

use crate::options::{CostOptions, MachineOptions};
use crate::print;
use crate::trace_options::{TraceOptions, paint};
use anyhow::Context;
use arwen::internal::escape::{escape_line, escape_text};
use arwen::internal::scenario::{Report, ScenarioReport, Settings, Suite, SuiteError};
use arwen::internal::tool::{self, Exit, GasFiles, GasReport, RunParts, Watch};
use clap::{Args, ValueEnum};
use std::collections::BTreeMap;
use std::io::{self, Write as _, stderr, stdout};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Runs scenarios: JSON files that put accounts into a world, run transactions and compare the results.
///
/// A line for each says whether it passed; under one that failed stands the first thing that is not as expected.
///
/// A file `x.wasm` that is not there is made from `x.wat` beside it.
///
/// Exit codes: 0 all passed, 1 some failed, 2 they could not be run, 4 this machine lacks memory, 141 the reader of the
/// output has gone (as if by SIGPIPE).
#[derive(Args)]
#[command(after_help = "Examples:
  arwendebug scenario tests/scenarios --jobs 2
  arwendebug scenario tests/scenarios --filter upgrade --junit report.xml
  arwendebug scenario tests/scenarios --watch --gas-schedule gasSchedule.toml")]
pub struct Options {
    /// Scenario files (*.scen.json, or *.test.json in the old format), or folders: then all *.scen.json below them are
    /// run, in the order of their names. Each PATH begins with an empty world; below one folder, the facts of blocks and
    /// the addresses of future contracts (newAddresses) stay from one scenario to the next, so that suites that have
    /// nothing to do with each other should be several PATHs.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    machines: MachineOptions,

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

    /// Run only the scenarios whose path has TEXT in it. What they inherit of the others is as if all ran and passed.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,

    /// Write a report as JUnit XML to FILE, for continuous integration.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Run again whenever one of the scenarios has changed, or a file that one names. Ctrl-C ends it.
    #[arg(long)]
    watch: bool,

    #[command(flatten)]
    trace: TraceOptions,

    /// What to print.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    report: ReportFormat,
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

/// Runs the scenarios and prints reports; with `--watch` again and again.
pub fn run(mut options: Options, costs: &CostOptions) -> anyhow::Result<Exit> {
    let replacements = BTreeMap::from_iter(std::mem::take(&mut options.replace));
    let mut suite = options.suite()?;
    if !options.watch {
        return run_once(&options, costs, &replacements, &suite);
    }
    loop {
        // Before the run, so that what changes meanwhile is noticed.
        let watch = Watch::new(&options.paths, &suite, &replacements, &options.written())?;
        run_once(&options, costs, &replacements, &suite)?;
        suite = loop {
            watch.wait()?;
            match options.suite() {
                Ok(suite) => break suite,
                // A folder that is being replaced may be back at once.
                Err(error) => {
                    let _ = writeln!(stderr(), "arwendebug: {}", escape_text(&error.to_string()));
                }
            }
        };
    }
}

impl Options {
    /// The files that a run writes.
    fn written(&self) -> Vec<PathBuf> {
        let GasFiles {
            report,
            flame_graph,
        } = self.trace.gas_files();
        let files = [self.junit.clone(), report, flame_graph];
        files.into_iter().flatten().collect()
    }

    fn suite(&self) -> Result<Suite, SuiteError> {
        let suite = Suite::find(&self.paths)?;
        match &self.filter {
            None => Ok(suite),
            Some(filter) => suite.filter(filter),
        }
    }
}

fn run_once(
    options: &Options,
    costs: &CostOptions,
    replacements: &BTreeMap<String, PathBuf>,
    suite: &Suite,
) -> anyhow::Result<Exit> {
    let gas_schedule = costs.gas_schedule()?;
    let machines = options.machines.machines()?;
    let recorded = options.trace.recorded();
    let settings = Settings {
        protected_prefix: options.protected_prefix.as_bytes(),
        replacements,
        gas_schedule: &gas_schedule,
        machines: &|arguments, world| machines.build(arguments, world),
        recorded: recorded.as_ref(),
    };
    let mut printer = Printer {
        format: match options.trace.is_json() {
            true => ReportFormat::Json,
            false => options.report,
        },
        parts: options.trace.parts(),
        status: print::Status::new(),
        finished: 0,
        all: suite.len(),
        outcome: Ok(()),
    };
    let report = suite.run(settings, options.jobs, |scenario| {
        printer.scenario(scenario)
    });
    printer.end(&report).context("can't print")?;
    if let Some(file) = &options.junit {
        tool::write_junit(&report, file)?;
    }
    let title = format!("{} scenarios", report.scenarios.len());
    options.trace.gas_files().write(&report.costs(), &title)?;
    Ok(Exit::from(report.failed() == 0))
}

/// Prints reports as they come.
struct Printer {
    format: ReportFormat,
    /// What is printed of runs.
    parts: RunParts,
    status: print::Status,
    finished: usize,
    all: usize,
    outcome: io::Result<()>,
}

impl Printer {
    /// Prints a report; breaks when the output is closed.
    fn scenario(&mut self, scenario: &ScenarioReport) -> ControlFlow<()> {
        self.finished += 1;
        self.status.show("");
        if self.format == ReportFormat::Text && self.outcome.is_ok() {
            self.outcome = self.text(scenario);
        }
        if self.finished < self.all {
            self.status
                .show(&format!("{} of {}", self.finished, self.all));
        }
        match self.outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn text(&self, scenario: &ScenarioReport) -> io::Result<()> {
        let mut stdout = stdout().lock();
        writeln!(stdout, "{scenario}")?;
        for transaction in scenario.transactions.iter().filter(|_| self.parts.steps) {
            if let Some(run) = &transaction.run {
                writeln!(stdout, "{}:", escape_line(&transaction.id))?;
                writeln!(stdout, "{}", tool::trace_text(run, paint()))?;
            }
        }
        Ok(())
    }

    fn end(self, report: &Report) -> io::Result<()> {
        self.outcome?;
        match self.format {
            ReportFormat::Text => {
                if self.parts.gas {
                    writeln!(stdout(), "{}", GasReport::from(&report.costs()))?;
                }
                writeln!(stdout(), "{report}")
            }
            ReportFormat::Json => {
                let json = report.to_json(self.parts.steps, |out| {
                    if self.parts.gas {
                        out.member("gasReport", |out| {
                            GasReport::from(&report.costs()).write(out);
                        });
                    }
                });
                let mut stdout = stdout().lock();
                stdout.write_all(&json)?;
                writeln!(stdout)
            }
        }
    }
}
