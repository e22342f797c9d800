//! The steps of a run, as a tree.

use super::event::{Effect, Entry, Exit, HostEntry, HostExit};
use super::filter::StepKind;

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A call of a contract.
    Call(Box<CallStep>),
    /// A call of a host function.
    Host(Box<HostStep>),
    /// Something that the chain, or the contract itself, will see.
    Effect(Effect),
}

/// A call of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallStep {
    /// How it began.
    pub entry: Entry,
    /// The export that ran; none if no code ran.
    pub export: Option<String>,
    /// What was paid for the start, in units of gas.
    pub start_gas: u64,
    /// What happened inside of it.
    pub steps: Vec<Step>,
    /// How it ended; none if the run broke off.
    pub exit: Option<Exit>,
}

/// A call of a host function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostStep {
    /// How it began.
    pub entry: HostEntry,
    /// What happened inside of it.
    pub steps: Vec<Step>,
    /// How it ended; none if it panicked.
    pub exit: Option<HostExit>,
}

impl From<Entry> for CallStep {
    fn from(entry: Entry) -> CallStep {
        CallStep {
            entry,
            export: None,
            start_gas: 0,
            steps: Vec::new(),
            exit: None,
        }
    }
}

impl HostStep {
    /// The gas that it has used, calls of other contracts included. Some give gas back.
    pub fn gas_used(&self) -> i64 {
        let exit = self.exit.as_ref();
        exit.map_or(0, |exit| exit.used.wrapping_sub(self.entry.used) as i64)
    }
}

impl Effect {
    /// The kind of the step.
    pub(super) fn kind(&self) -> StepKind {
        match self {
            Effect::Read { .. } | Effect::Written(_) => StepKind::Storage,
            Effect::Transfer(_) => StepKind::Transfer,
            Effect::Log { .. } => StepKind::Log,
            Effect::Async { .. } => StepKind::Async,
        }
    }
}
