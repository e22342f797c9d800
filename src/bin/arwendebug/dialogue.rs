//! `arwendebug dialogue`.

use anyhow::Context as _;
use arwen::internal::replay;
use arwen::internal::tool::Exit;
use clap::{Args, Subcommand};
use std::io::{Write as _, stdout};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Shows what a node and its child have said to each other.
///
/// Recordings are written by a driver with DriverConfig::record; files of JSON lines {"dir", "kind", "payload"} are read as well.
///
/// Exit codes: 0 success, 2 the file is not a recording, damaged or cut short. Of one that is cut short, what is whole is shown.
#[derive(Args)]
#[command(after_help = "Examples:
  arwendebug dialogue show arwen-1795940651000000-4711.rec.gz
  arwendebug dialogue html arwen-1795940651000000-4711.rec.gz -o page.html")]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Prints a recording: a line for each frame, with its time since the request.
    Show {
        #[command(flatten)]
        file: File,
        /// Print payloads as a whole, not their beginnings.
        #[arg(long)]
        whole: bool,
    },
    /// Writes a page for a browser: a timeline with payloads to unfold and a search. It needs no other files and no network.
    Html {
        #[command(flatten)]
        file: File,
        /// The page. What was there is replaced once the new page is complete.
        #[arg(long, short, value_name = "PAGE")]
        output: PathBuf,
    },
}

#[derive(Args)]
struct File {
    /// The recording.
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Where the files are that JSON lines name as the code of contracts.
    #[arg(long, value_name = "FOLDER")]
    contracts: Option<PathBuf>,
}

/// Prints, or writes a page.
pub fn run(options: Options) -> anyhow::Result<Exit> {
    match options.command {
        Command::Show { file, whole } => {
            let mut printed = Ok(());
            let shown = replay::show(&file.path, file.contracts.as_deref(), whole, |line| {
                printed = writeln!(stdout(), "{line}");
                match printed {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            });
            printed.context("can't print")?;
            shown?;
        }
        Command::Html { file, output } => {
            if let Some(defect) =
                replay::write_page(&file.path, file.contracts.as_deref(), &output)?
            {
                return Err(defect.into());
            }
        }
    }
    Ok(Exit::Success)
}
