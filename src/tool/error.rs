//! The errors of the tool. Each names the file, address or value that is wrong, and says what to do.

use super::world::Unwritable;
use crate::gas_schedule::GasScheduleError;
use crate::scenario::StepFailure;
use crate::scenario::value::ValueError;
use crate::scenario::write::Inexpressible;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A command that can't do what was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ToolError {
    /// A file that a command was given can't be read.
    #[error("can't read {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        reason: io::Error,
    },
    /// The file is not a gas schedule.
    #[error("{}: {reason}", path.display())]
    GasSchedule {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: GasScheduleError,
    },
    /// A file in place of a contract.
    #[error(
        "{} is neither wasm nor its text: wasm begins with the bytes 00 61 73 6d, text with `(module`",
        path.display()
    )]
    NotWasm {
        /// The file.
        path: PathBuf,
    },
    /// The text of a contract that can't be made wasm.
    #[error("{}: {reason}", path.display())]
    BadText {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        reason: String,
    },
    /// A file that can't be written. What was there is still there.
    #[error("can't write {}: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        reason: io::Error,
    },
    /// A text that is not an expression of the value language.
    #[error("{text:?} is not a value: {reason}; values are such as 5, 0x05 and ''text")]
    Value {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: ValueError,
    },
    /// Half a byte in place of an argument.
    #[error(
        "{text:?} is an odd number of hexadecimal digits; write 0x0{text} for bytes, --arg {text} for a number"
    )]
    OddDigits {
        /// The argument.
        text: String,
    },
    /// An option that has hexadecimal digits.
    #[error("{option} {text:?} is not in pairs of hexadecimal digits")]
    NotDigits {
        /// The option.
        option: &'static str,
        /// What was given.
        text: String,
    },
    /// A number below zero where there is none, or one with a sign, which would be two's complement.
    #[error("{text:?}: a number without a sign is needed here")]
    Negative {
        /// The text.
        text: String,
    },
    /// A text that is not an address.
    #[error(
        "{text:?} is not an address: that is a name such as alice, of at most 32 letters, digits, dots, - and _, or 64 hexadecimal digits"
    )]
    Address {
        /// The text.
        text: String,
    },
    /// A deploy without code.
    #[error("there is no code: --code-path FILE or --code HEX names it")]
    NoCode,
    /// A name that can't be that of a world.
    #[error(
        "{0:?} can't be the name of a world: it is the name of a file, without / and without a dot in front"
    )]
    WorldName(String),
    /// A world that is not there.
    #[error("there is no world {name:?} ({}); `arwendebug account create NAME` makes one with an account", path.display())]
    NoWorld {
        /// Its name.
        name: String,
        /// Where it would be.
        path: PathBuf,
    },
    /// A world that must not be there yet.
    #[error("the world {name:?} exists already ({}); give the new one another name with --world", path.display())]
    WorldExists {
        /// Its name.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
    /// Another command changes the world for longer than we wait.
    #[error(
        "the world {name:?} is being changed by process {holder} for more than {seconds} s; try again, or use another one with --world"
    )]
    WorldLocked {
        /// Its name.
        name: String,
        /// The number of the process.
        holder: String,
        /// How long was waited.
        seconds: u64,
    },
    /// A file that is not a world, or no longer.
    #[error("the world is damaged: {reason}; mend the file, or take it away and begin anew")]
    WorldDamaged {
        /// The file, the place, and what is wrong there.
        reason: String,
    },
    /// A file of the reference's tool where one of ours should be.
    #[error("{} is a world of the reference's tool: `arwendebug world import FILE --world NAME` makes one of it", path.display())]
    WorldOfReference {
        /// The file.
        path: PathBuf,
    },
    /// A file that is not a world of the reference's tool.
    #[error("can't import {}: {reason}", path.display())]
    NotImported {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A world that can't be written.
    #[error(transparent)]
    Inexpressible(#[from] Inexpressible),
    /// A history that is not to be had as a scenario.
    #[error(transparent)]
    History(#[from] Unwritable),
    /// An account that is not in the world.
    #[error(
        "there is no account {address}: `arwendebug account create {address}` makes it, `arwendebug account list` shows those that there are"
    )]
    NoAccount {
        /// Its address.
        address: String,
    },
    /// An account that must not be there yet.
    #[error("the account {address} exists already; --replace begins it anew")]
    AccountExists {
        /// Its address.
        address: String,
    },
    /// A call of an account without code.
    #[error(
        "the account {address} has no code; `arwendebug account list` shows which accounts have some"
    )]
    NoContract {
        /// Its address.
        address: String,
    },
    /// A sender that can't pay for the gas.
    #[error(
        "{address} has {balance} and can't pay {price}, the gas limit times the gas price: give it more, or leave --gas-price out"
    )]
    GasNotPaid {
        /// The sender.
        address: String,
        /// What it has.
        balance: String,
        /// What it would pay.
        price: String,
    },
    /// Changes of files can't be noticed.
    #[error("can't watch for changes: {reason}")]
    NotWatched {
        /// The answer of the system.
        reason: io::Error,
    },
    /// A file that is not a gas report.
    #[error(
        "{} is not a gas report: {reason}; `arwendebug scenario PATH --gas-report=FILE` writes one",
        path.display()
    )]
    NotGasReport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No output: the machine failed.
    #[error("nothing was changed: {reason}")]
    NotRun {
        /// What happened.
        reason: StepFailure,
    },
}

impl ToolError {
    /// Whether a contract was ended because it took longer than a child may.
    pub fn is_time_expired(&self) -> bool {
        let ToolError::NotRun { reason } = self else {
            return false;
        };
        matches!(reason, StepFailure::Fatal(fatal) if fatal.is_time_expired())
    }

    /// The error for a file that can't be read.
    pub(super) fn unreadable(path: &Path, reason: io::Error) -> ToolError {
        let path = path.to_owned();
        ToolError::Unreadable { path, reason }
    }

    /// The error for a file that can't be written.
    pub(super) fn unwritable(path: &Path, reason: io::Error) -> ToolError {
        let path = path.to_owned();
        ToolError::Unwritable { path, reason }
    }
}
