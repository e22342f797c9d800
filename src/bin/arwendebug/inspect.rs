//! `arwendebug inspect`.

use crate::options::CostOptions;
use crate::print;
use arwen::internal::tool::{self, Exit};
use clap::Args;
use std::path::PathBuf;

/// Shows what a contract is made of, and why the virtual machine refuses it.
///
/// Imports with the signatures and costs of the host functions, exports, memory, sections, what each function takes of the
/// stack, and the gas of a deploy. The contract does not run.
///
/// Exit codes: 0 it can be deployed, 1 it can't, 2 it can't be read.
#[derive(Args)]
#[command(after_help = "Examples:
  arwendebug inspect tests/contracts/counter.wat
  arwendebug inspect counter.wasm --json --gas-schedule gasSchedule.toml")]
pub struct Options {
    /// The contract: wasm, or its text. A file `x.wasm` that is not there is made from `x.wat` beside it.
    file: PathBuf,

    /// Print a JSON object.
    #[arg(long)]
    json: bool,
}

/// Prints the inspection.
pub fn run(options: &Options, costs: &CostOptions) -> anyhow::Result<Exit> {
    let code = tool::read_code(&options.file)?;
    let inspection = tool::inspect(&code.wasm, &costs.gas_schedule()?);
    match options.json {
        true => print::bytes(&inspection.to_json())?,
        false => print::text(&inspection)?,
    }
    Ok(Exit::from(inspection.is_accepted()))
}
