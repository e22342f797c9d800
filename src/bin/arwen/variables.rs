//! Parses the command line and the environment: most nodes start the child without options.
//!
//! An empty variable counts as unset, except for the arguments in `may_be_empty`. An error in a variable names the
//! variable, not the option as clap would, since the node's operator set the variable.

use clap::builder::Resettable;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use std::env;
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::num::ParseIntError;
use thiserror::Error;

/// Invalid options or variables, or a requested text such as the help.
#[derive(Debug, Error)]
pub enum Refused {
    /// A result of clap: a wrong option, the help, the version.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// An invalid environment variable.
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
        /// The allowed values.
        allowed: String,
    },
}

/// Parses options and variables. `may_be_empty` names the arguments whose variable has a meaning when empty.
pub fn parse<P: CommandFactory + FromArgMatches>(may_be_empty: &[&str]) -> Result<P, Refused> {
    let command = P::command();
    // Parses without variables first, so that any later error is in a variable.
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

/// The command with the variables of the chosen arguments removed.
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
