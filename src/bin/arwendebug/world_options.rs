//! Options of the commands that work on a world.

use arwen::internal::tool::{Database, GasFiles, Session};
use clap::Args;
use std::path::PathBuf;

/// Which world, and what is printed.
#[derive(Args)]
pub struct WorldOptions {
    /// The world: a file `worlds/NAME.json` in the database.
    #[arg(long, value_name = "NAME", default_value = "default")]
    world: String,

    /// The folder of the database. Worlds are files in it, and outcomes.
    #[arg(long, value_name = "FOLDER", default_value = "./db")]
    database: PathBuf,

    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

impl WorldOptions {
    /// The database.
    pub fn database(&self) -> Database {
        Database::new(&self.database)
    }

    /// The world, without anything else that is written.
    pub fn session(&self) -> Session {
        Session {
            database: self.database(),
            world: self.world.clone(),
            outcome: None,
            scenario: None,
            gas_files: GasFiles::default(),
        }
    }
}

/// What else commands that change a world write.
#[derive(Args)]
pub struct WrittenOptions {
    /// Write the outcome as JSON, like the reference's tool: to a file, if OUTCOME has a slash or ends in `.json`, else to
    /// `out/OUTCOME.json` in the database.
    #[arg(long)]
    outcome: Option<String>,

    /// Write a scenario to FILE that does what was done to this world so far, and passes.
    #[arg(long, value_name = "FILE")]
    write_scenario: Option<PathBuf>,
}

impl WrittenOptions {
    /// Adds them to a session.
    pub fn add_to(self, session: Session) -> Session {
        Session {
            outcome: self.outcome,
            scenario: self.write_scenario,
            ..session
        }
    }
}
