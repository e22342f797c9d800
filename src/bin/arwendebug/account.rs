//! `arwendebug account`, and `create-account` as in the reference's tool.

use crate::print;
use crate::world_options::{WorldOptions, WrittenOptions};
use arwen::internal::tool::{self, Exit};
use bytes::Bytes;
use clap::{Args, Subcommand};

/// Makes and shows the accounts of a world.
#[derive(Args)]
#[command(after_help = "Examples:
  arwendebug account create alice --balance 1000
  arwendebug account show alice
  arwendebug account list --json")]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Create(Create),
    Show(Show),
    /// Lists all accounts.
    List(WorldOptions),
}

/// Makes an account, and the world if it is not there.
#[derive(Args)]
struct Create {
    /// A name such as alice, or 64 hexadecimal digits.
    address: String,

    /// What it has.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    balance: String,

    /// How many transactions it has sent.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    nonce: u64,

    /// Begin an account anew that is there.
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    world: WorldOptions,
    #[command(flatten)]
    written: WrittenOptions,
}

/// Shows an account: nonce, balance, code, owner, storage.
#[derive(Args)]
struct Show {
    /// A name such as alice, or 64 hexadecimal digits.
    address: String,

    #[command(flatten)]
    world: WorldOptions,
}

/// Makes an account, or begins it anew: `account create --replace` with the options of the reference's tool.
#[derive(Args)]
#[command(after_help = "Example:
  arwendebug create-account --address alice --balance 1000 --nonce 0")]
pub struct CreateAccount {
    /// A name such as alice, or 64 hexadecimal digits.
    #[arg(long)]
    address: String,

    /// What it has.
    #[arg(long, value_name = "NUMBER", default_value = "0")]
    balance: String,

    /// How many transactions it has sent.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    nonce: u64,

    #[command(flatten)]
    world: WorldOptions,
    #[command(flatten)]
    written: WrittenOptions,
}

/// Runs the command.
pub fn run(options: Options) -> anyhow::Result<Exit> {
    match options.command {
        Command::Create(options) => create(options),
        Command::Show(Show { address, world }) => {
            let address = tool::address(&address)?;
            let account = world.session().account(&address)?;
            match world.json {
                true => print::bytes(&tool::account_json(&address, &account))?,
                false => print::text(&tool::account_text(&address, &account))?,
            }
            Ok(Exit::Success)
        }
        Command::List(world) => {
            let accounts = world.session().accounts()?;
            match world.json {
                true => print::bytes(&tool::accounts_json(&accounts))?,
                false => print::text(&tool::accounts_text(&accounts))?,
            }
            Ok(Exit::Success)
        }
    }
}

/// Runs `create-account`.
pub fn create_account(options: CreateAccount) -> anyhow::Result<Exit> {
    create(Create {
        address: options.address,
        balance: options.balance,
        nonce: options.nonce,
        replace: true,
        world: options.world,
        written: options.written,
    })
}

fn create(options: Create) -> anyhow::Result<Exit> {
    let address: Bytes = tool::address(&options.address)?;
    let balance = tool::number(&options.balance)?;
    let session = options.written.add_to(options.world.session());
    let account = session.create_account(&address, options.nonce, balance, options.replace)?;
    match options.world.json {
        true => print::bytes(&tool::account_json(&address, &account))?,
        false => print::text(&tool::account_text(&address, &account))?,
    }
    Ok(Exit::Success)
}
