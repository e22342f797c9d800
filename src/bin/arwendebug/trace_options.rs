//! Options of what is told of runs: the trace, where gas went.

use arwen::internal::tool::{GasFiles, Paint, RunParts};
use arwen::trace::{Filter, StepKind};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use std::io::{IsTerminal as _, stdout};
use std::path::PathBuf;

/// What is told of the run.
#[derive(Args)]
pub struct TraceOptions {
    /// Show what the contracts did, as a tree: calls, host functions with their arguments, storage, transfers, events, gas.
    /// `--trace=json` is `--trace` with the report as JSON.
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, default_missing_value = "text", value_name = "FORMAT")]
    trace: Option<TraceFormat>,

    /// Show only N calls inside of each other: 1 for what the contract itself does.
    #[arg(long, requires = "trace", value_name = "N")]
    trace_depth: Option<usize>,

    /// Show only calls and these kinds of steps, with commas between them.
    #[arg(
        long,
        value_parser = kinds(),
        requires = "trace",
        value_delimiter = ',',
        value_name = "KINDS"
    )]
    trace_kind: Vec<StepKind>,

    /// Show where gas went: by what was paid for, by function and by host function. `--gas-report=FILE` writes that as JSON to FILE
    /// in place, for `arwendebug gas diff`.
    #[arg(long, num_args = 0..=1, require_equals = true, value_name = "FILE")]
    gas_report: Option<Option<PathBuf>>,

    /// Draw where gas went: writes a flame graph (SVG) to FILE.
    #[arg(long, value_name = "FILE")]
    flamegraph: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum TraceFormat {
    Text,
    Json,
}

/// Reads a kind of steps by its name.
fn kinds() -> impl TypedValueParser<Value = StepKind> {
    let names = PossibleValuesParser::new(StepKind::ALL.map(StepKind::name));
    names.try_map(|name| StepKind::named(&name).ok_or("not a kind of steps"))
}

impl TraceOptions {
    /// What is shown.
    pub fn parts(&self) -> RunParts {
        RunParts {
            steps: self.trace.is_some(),
            gas: self.gas_report == Some(None),
        }
    }

    /// Whether the report is to be JSON.
    pub fn is_json(&self) -> bool {
        self.trace == Some(TraceFormat::Json)
    }

    /// Which files are written about gas.
    pub fn gas_files(&self) -> GasFiles {
        GasFiles {
            report: self.gas_report.clone().flatten(),
            flame_graph: self.flamegraph.clone(),
        }
    }

    /// What is recorded; none for nothing.
    pub fn recorded(&self) -> Option<Filter> {
        if self.trace.is_none() {
            let needs_costs = self.gas_report.is_some() || self.flamegraph.is_some();
            return needs_costs.then_some(Filter::COSTS);
        }
        let mut filter = Filter::all();
        filter.depth = self.trace_depth.unwrap_or(filter.depth);
        if !self.trace_kind.is_empty() {
            filter.kinds.clone_from(&self.trace_kind);
        }
        Some(filter)
    }
}

/// Colours, if stdout is a terminal and the variable NO_COLOR is not set (<https://no-color.org>).
pub fn paint() -> Paint {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match stdout().is_terminal() && !refused {
        true => Paint::Colours,
        false => Paint::Plain,
    }
}
