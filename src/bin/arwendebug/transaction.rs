//! `arwendebug deploy`, `upgrade`, `run` (also `call`) and `query`.

use crate::options::{CostOptions, MachineOptions};
use crate::print;
use crate::trace_options::{TraceOptions, paint};
use crate::world_options::{WorldOptions, WrittenOptions};
use arwen::internal::tool::{
    self, Action, Environment, Exit, GasReport, Performed, Request, Session, ToolError,
};
use bytes::Bytes;
use clap::Args;
use std::path::PathBuf;

/// Enough for nearly everything.
const GAS_LIMIT: u64 = 100_000_000;

/// Upgradeable.
const METADATA: &str = "0100";

const ADDRESSES: &str = "Addresses are names such as alice, filled up with _ to 32 bytes, or 64 hexadecimal digits, or values of 32
bytes. Values are those of scenarios: 5, 0x05, +5, ''text, true, keccak256:..., file:..., and parts joined by |.";

/// Deploys a contract.
///
/// Its address is printed: `contract`, the nonce of the sender, and the rest of the sender's address. Exit codes: 0 ok, 1 the
/// contract failed, 2 bad input or no machine.
#[derive(Args)]
#[command(after_help = ADDRESSES, after_long_help = format!("{ADDRESSES}\n
Examples:
  arwendebug account create alice --balance 1000
  arwendebug deploy --impersonated alice --code-path tests/contracts/counter.wat"))]
pub struct Deploy {
    #[command(flatten)]
    code: CodeOptions,
    #[command(flatten)]
    transaction: TransactionOptions,
}

/// Replaces the code of a contract; its storage stays.
#[derive(Args)]
#[command(after_help = ADDRESSES, after_long_help = format!("{ADDRESSES}\n
Example:
  arwendebug upgrade --contract contract0 --impersonated alice --code-path tests/contracts/adder.wat --arg 5"))]
pub struct Upgrade {
    #[command(flatten)]
    contract: ContractOption,
    #[command(flatten)]
    code: CodeOptions,
    #[command(flatten)]
    transaction: TransactionOptions,
}

/// Calls a function of a contract.
#[derive(Args)]
#[command(after_help = ADDRESSES, after_long_help = format!("{ADDRESSES}\n
Examples:
  arwendebug call --contract contract0 --impersonated alice --function increment
  arwendebug run --contract contract0 --impersonated alice --function add --arguments 05 --value 10 --json"))]
pub struct Run {
    #[command(flatten)]
    contract: ContractOption,
    /// The function.
    #[arg(long)]
    function: String,
    #[command(flatten)]
    transaction: TransactionOptions,
}

/// Calls a function without a transaction: nothing is paid for, nothing changes.
#[derive(Args)]
#[command(after_help = ADDRESSES, after_long_help = format!("{ADDRESSES}\n
Example:
  arwendebug query --contract contract0 --function get"))]
pub struct Query {
    #[command(flatten)]
    contract: ContractOption,
    /// The function.
    #[arg(long)]
    function: String,
    /// Who calls; by default the contract itself.
    #[arg(long, visible_alias = "from", value_name = "ADDRESS")]
    impersonated: Option<String>,
    #[command(flatten)]
    arguments: ArgumentOptions,
    #[command(flatten)]
    gas: GasOptions,
    #[command(flatten)]
    machines: MachineOptions,
    #[command(flatten)]
    trace: TraceOptions,
    #[command(flatten)]
    world: WorldOptions,
    /// Write the outcome as JSON, as for the other commands.
    #[arg(long)]
    outcome: Option<String>,
}

#[derive(Args)]
struct ContractOption {
    /// The contract.
    #[arg(long, value_name = "ADDRESS")]
    contract: String,
}

/// Code that is deployed.
#[derive(Args)]
struct CodeOptions {
    /// A file with the code: wasm, or its text. A file `x.wasm` that is not there is made from `x.wat` beside it.
    #[arg(long, value_name = "FILE")]
    code_path: Option<PathBuf>,

    /// The wasm in hexadecimal digits, if there is no file.
    #[arg(long, value_name = "HEX")]
    code: Option<String>,

    /// The metadata in hexadecimal digits; 0100 means upgradeable. The virtual machine only keeps it.
    #[arg(long, value_name = "HEX", default_value = METADATA)]
    code_metadata: String,
}

/// What the function gets.
#[derive(Args)]
struct ArgumentOptions {
    /// An argument: hexadecimal digits, so that 10 is the byte 16, or a value that is not only digits. Can be given several
    /// times.
    #[arg(long, value_name = "HEX|VALUE", conflicts_with = "arg")]
    arguments: Vec<String>,

    /// An argument that is a value, so that 10 is ten. Can be given several times.
    #[arg(long, short, value_name = "VALUE", allow_hyphen_values = true)]
    arg: Vec<String>,
}

#[derive(Args)]
struct GasOptions {
    /// The most gas that is used.
    #[arg(long, value_name = "GAS", default_value_t = GAS_LIMIT)]
    gas_limit: u64,

    /// What the sender pays for each unit of the limit.
    #[arg(long, value_name = "PRICE", default_value_t = 0)]
    gas_price: u64,
}

/// What every transaction has.
#[derive(Args)]
struct TransactionOptions {
    /// The sender.
    #[arg(long, visible_alias = "from", value_name = "ADDRESS")]
    impersonated: String,

    #[command(flatten)]
    arguments: ArgumentOptions,

    /// What the sender pays to the contract.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    value: String,

    #[command(flatten)]
    gas: GasOptions,
    #[command(flatten)]
    machines: MachineOptions,
    #[command(flatten)]
    trace: TraceOptions,
    #[command(flatten)]
    world: WorldOptions,
    #[command(flatten)]
    written: WrittenOptions,
}

/// Deploys.
pub fn deploy(options: Deploy, costs: &CostOptions) -> anyhow::Result<Exit> {
    let action = Action::Deploy {
        code: options.code.code()?,
        metadata: options.code.metadata()?,
        arguments: options.transaction.arguments.values()?,
    };
    transact(action, options.transaction, costs)
}

/// Upgrades.
pub fn upgrade(options: Upgrade, costs: &CostOptions) -> anyhow::Result<Exit> {
    let action = Action::Upgrade {
        contract: tool::address(&options.contract.contract)?,
        code: options.code.code()?,
        metadata: options.code.metadata()?,
        arguments: options.transaction.arguments.values()?,
    };
    transact(action, options.transaction, costs)
}

/// Calls.
pub fn call(options: Run, costs: &CostOptions) -> anyhow::Result<Exit> {
    let action = Action::Call {
        contract: tool::address(&options.contract.contract)?,
        function: options.function,
        arguments: options.transaction.arguments.values()?,
    };
    transact(action, options.transaction, costs)
}

fn transact(
    action: Action,
    options: TransactionOptions,
    costs: &CostOptions,
) -> anyhow::Result<Exit> {
    let request = Request {
        from: tool::address(&options.impersonated)?,
        value: tool::number(&options.value)?,
        gas_limit: options.gas.gas_limit,
        gas_price: options.gas.gas_price,
        action,
    };
    let gas_schedule = costs.gas_schedule()?;
    let recorded = options.trace.recorded();
    let machines = options.machines.machines()?;
    let environment = Environment {
        machines: &machines,
        idle: None,
        gas_schedule: &gas_schedule,
        recorded: recorded.as_ref(),
    };
    let json = options.world.json;
    let session = Session {
        gas_files: options.trace.gas_files(),
        ..options.written.add_to(options.world.session())
    };
    show(
        &session.transact(&request, environment)?,
        json,
        &options.trace,
    )
}

/// Queries.
pub fn query(options: Query, costs: &CostOptions) -> anyhow::Result<Exit> {
    let contract = tool::address(&options.contract.contract)?;
    let from = options.impersonated.as_deref().map(tool::address);
    let request = Request {
        from: from.transpose()?.unwrap_or_else(|| contract.clone()),
        value: 0u8.into(),
        gas_limit: options.gas.gas_limit,
        gas_price: options.gas.gas_price,
        action: Action::Call {
            contract,
            function: options.function,
            arguments: options.arguments.values()?,
        },
    };
    let gas_schedule = costs.gas_schedule()?;
    let recorded = options.trace.recorded();
    let machines = options.machines.machines()?;
    let environment = Environment {
        machines: &machines,
        idle: None,
        gas_schedule: &gas_schedule,
        recorded: recorded.as_ref(),
    };
    let session = Session {
        outcome: options.outcome,
        gas_files: options.trace.gas_files(),
        ..options.world.session()
    };
    show(
        &session.query(&request, environment)?,
        options.world.json,
        &options.trace,
    )
}

fn show(performed: &Performed, json: bool, trace: &TraceOptions) -> anyhow::Result<Exit> {
    let parts = trace.parts();
    if json || trace.is_json() {
        print::bytes(&tool::performed_json(performed, parts))?;
    } else {
        print::text(&tool::performed_text(performed))?;
        if let Some(run) = &performed.run {
            if parts.steps {
                print::text(&tool::trace_text(run, paint()))?;
            }
            if parts.gas {
                print::text(&GasReport::from(&run.costs))?;
            }
        }
    }
    Ok(Exit::from(performed.is_ok()))
}

impl CodeOptions {
    /// The file counts if both are given, as in the reference's tool.
    fn code(&self) -> Result<Bytes, ToolError> {
        let code = match (&self.code_path, &self.code) {
            (Some(path), _) => tool::read_code(path)?.wasm,
            (None, Some(code)) => digits("--code", code)?,
            (None, None) => Bytes::new(),
        };
        match code.is_empty() {
            true => Err(ToolError::NoCode),
            false => Ok(code),
        }
    }

    fn metadata(&self) -> Result<Bytes, ToolError> {
        digits("--code-metadata", &self.code_metadata)
    }
}

fn digits(option: &'static str, text: &str) -> Result<Bytes, ToolError> {
    let found = tool::digits(text.strip_prefix("0x").unwrap_or(text));
    found.ok_or_else(|| ToolError::NotDigits {
        option,
        text: text.to_owned(),
    })
}

impl ArgumentOptions {
    fn values(&self) -> Result<Vec<Bytes>, ToolError> {
        let digits = self.arguments.iter().map(|text| tool::argument(text));
        let values = self.arg.iter().map(|text| tool::value(text));
        digits.chain(values).collect()
    }
}
