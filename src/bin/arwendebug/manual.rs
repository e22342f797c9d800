//! `arwendebug man` and `arwendebug completions`: what packagers install beside the programs, made from their options.

use crate::child_options;
use anyhow::Context as _;
use arwen::internal::tool::{Exit, write_files};
use clap::{Args, Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use std::io::{self, Write as _, stdout};
use std::path::PathBuf;

/// Prints the manual page of this program, or writes all pages.
#[derive(Args)]
#[command(after_help = "Examples:
  arwendebug man | man -l -
  arwendebug man --folder /usr/local/share/man/man1")]
pub struct ManOptions {
    /// Write all pages to FOLDER: of this program, of each of its commands, and of the program `arwen`.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Prints a script with which a shell completes commands and options.
#[derive(Args)]
#[command(after_help = "Examples:
  source <(arwendebug completions bash)
  arwendebug completions zsh > ~/.zfunc/_arwendebug
  arwendebug completions fish > ~/.config/fish/completions/arwendebug.fish")]
pub struct CompletionsOptions {
    /// The shell.
    shell: Shell,
}

/// Prints a page or writes all. `tool` is the command line of this program.
pub fn man(options: &ManOptions, tool: Command) -> anyhow::Result<Exit> {
    let tool = tool.disable_help_subcommand(true);
    match &options.folder {
        None => stdout().write_all(&page(tool)?)?,
        Some(folder) => {
            let mut files = Vec::new();
            for program in [tool, child_options::CommandLine::command()] {
                add_pages(program, &mut files)?;
            }
            write_files(folder, &files)?;
        }
    }
    Ok(Exit::Success)
}

/// Prints the script. `tool` is the command line of this program.
pub fn completions(options: &CompletionsOptions, mut tool: Command) -> anyhow::Result<Exit> {
    let name = tool.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut tool, name, &mut script);
    stdout().write_all(&script)?;
    Ok(Exit::Success)
}

fn page(program: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(program).render(&mut page)?;
    Ok(page)
}

/// Adds the pages of a command and of those below it, by the names of their files.
fn add_pages(mut program: Command, files: &mut Vec<(String, Vec<u8>)>) -> anyhow::Result<()> {
    // Gives the commands their names with that of the program, and the options of all commands to each.
    program.build();
    let mut left = vec![program];
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands().cloned());
        let name = command.get_display_name().unwrap_or(command.get_name());
        let name = name.to_owned();
        let page = page(command).with_context(|| format!("the page of {name}"))?;
        files.push((format!("{name}.1"), page));
    }
    Ok(())
}
