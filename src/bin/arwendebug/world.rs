//! `arwendebug world`.

use crate::print;
use crate::world_options::WorldOptions;
use arwen::internal::tool::{self, Exit};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Lists worlds, imports those of the reference's tool, writes one as a scenario.
#[derive(Args)]
#[command(after_help = "Examples:
  arwendebug world list
  arwendebug world import old/db/worlds/default.json --world old
  arwendebug world export what-i-did.scen.json")]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the worlds of the database.
    List(WorldOptions),
    /// Makes a world of a file of the reference's tool.
    Import {
        /// The file, which is only read.
        file: PathBuf,
        #[command(flatten)]
        world: WorldOptions,
    },
    /// Writes a scenario that does what was done to the world, and passes.
    Export {
        /// The file that is written, such as `x.scen.json`.
        file: PathBuf,
        #[command(flatten)]
        world: WorldOptions,
    },
}

/// Runs the command.
pub fn run(options: Options) -> anyhow::Result<Exit> {
    match options.command {
        Command::List(world) => {
            let names = world.database().worlds()?;
            match world.json {
                true => print::bytes(&tool::names_json(&names))?,
                false => names.iter().try_for_each(print::text)?,
            }
        }
        Command::Import { file, world } => {
            let accounts = world.session().import(&file)?;
            print::text(&format_args!("imported {accounts} accounts"))?;
        }
        Command::Export { file, world } => world.session().export(&file)?,
    }
    Ok(Exit::Success)
}
