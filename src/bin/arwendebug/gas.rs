//! `arwendebug gas`.

use crate::print;
use arwen::internal::tool::{self, Difference, Exit};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Works with gas reports, which `--gas-report=FILE` writes.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Diff(Diff),
}

/// Compares the gas of a call of each function in two reports.
///
/// The average counts: a report may have more calls than the other. Exit codes: 0 no function is dearer by more than the
/// threshold, 1 some are, 2 bad input.
#[derive(Args)]
#[command(after_help = "Examples:
  arwendebug scenario tests/scenarios --gas-report=new.json
  arwendebug gas diff old.json new.json --threshold 2.5")]
struct Diff {
    /// The older report.
    old: PathBuf,

    /// The newer report.
    new: PathBuf,

    /// By how much a function may be dearer, in per cent.
    #[arg(long, value_name = "PERCENT", default_value = "0", value_parser = percent)]
    threshold: f64,

    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => Err("a number that is not below zero is needed, such as 2.5".to_owned()),
    }
}

/// Runs the command.
pub fn run(options: Options) -> anyhow::Result<Exit> {
    let Command::Diff(options) = options.command;
    let old = tool::read_report(&options.old)?;
    let new = tool::read_report(&options.new)?;
    let difference = Difference::of(&old, &new, options.threshold);
    match options.json {
        true => print::bytes(&difference.to_json())?,
        false => print::text(&difference)?,
    }
    Ok(Exit::from(difference.is_within()))
}
