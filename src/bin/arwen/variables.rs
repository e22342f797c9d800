//! The command line together with the environment: most nodes start the child without options.
//!
//! An empty variable is none, unless its argument says otherwise. A bad value of a variable is told by the variable's name:
//! whoever set it does not know the option that clap would name.

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use std::env;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::num::ParseIntError;
use thiserror::Error;

/// Options or variables that the program can't run with, or a text that was asked for.
#[derive(Debug, Error)]
pub enum Refused {
    /// What clap says: a wrong option, the help, the version.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// An environment variable.
    #[error(
        "the environment variable {name} has the bad value {value:?} ({reason}); \
         allowed is {allowed}, or nothing for the default"
    )]
    Variable {
        /// Its name.
        name: String,
        /// Its value.
        value: OsString,
        /// What is wrong with the value.
        reason: String,
        /// What may stand there.
        allowed: String,
    },
}

/// Reads options and variables. `may_be_empty` are the arguments whose variable means something when it is empty.
pub fn parse<P: CommandFactory + FromArgMatches>(may_be_empty: &[&str]) -> Result<P, Refused> {
    let command = P::command();
    // Without variables first, so that what is wrong afterwards is one of them.
    without_variables(command.clone(), |_, _| true).try_get_matches()?;
    let is_ignored = |argument: &Arg, variable: &OsStr| {
        let is_empty = env::var_os(variable).is_none_or(|value| value.is_empty());
        is_empty && !may_be_empty.contains(&argument.get_id().as_str())
    };
    let mut command = without_variables(command, is_ignored);
    let matches = command.try_get_matches_from_mut(env::args_os());
    let matches = matches.map_err(|error| bad_variable(&command, error))?;
    Ok(P::from_arg_matches(&matches)?)
}

/// The command, in which the arguments that are chosen have no variable.
fn without_variables(command: Command, is_chosen: impl Fn(&Arg, &OsStr) -> bool) -> Command {
    command.mut_args(|argument| match argument.get_env() {
        Some(variable) if is_chosen(&argument, variable) => argument.env(Resettable::Reset),
        _ => argument,
    })
}

/// The variable that an error is about.
fn bad_variable(command: &Command, error: clap::Error) -> Refused {
    let Some(ContextValue::String(named)) = error.get(ContextKind::InvalidArg) else {
        return Refused::CommandLine(error);
    };
    let argument = command
        .get_arguments()
        .find(|argument| argument.to_string() == *named);
    let Some((argument, name)) = argument.and_then(|it| Some((it, it.get_env()?))) else {
        return Refused::CommandLine(error);
    };
    let values = argument.get_possible_values();
    let values: Vec<_> = values.iter().map(|value| value.get_name()).collect();
    let (reason, allowed) = match error.source() {
        Some(source) if source.is::<ParseIntError>() => {
            (source.to_string(), "a whole number".to_owned())
        }
        Some(source) => (source.to_string(), argument.to_string()),
        None => ("not one of its values".to_owned(), values.join(", ")),
    };
    Refused::Variable {
        name: name.to_string_lossy().into_owned(),
        value: env::var_os(name).unwrap_or_default(),
        reason,
        allowed,
    }
}
