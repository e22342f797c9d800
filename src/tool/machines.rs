//! Where contracts run.

use crate::machine::BuildError;
use crate::messages::Arguments;
use crate::scenario::{AnyMachine, ChildSettings, SharedWorld, in_child, in_process};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What runs the contracts of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Machines {
    /// The virtual machine in this process.
    InProcess,
    /// A child process, as a node has it.
    Child(ChildSettings),
}

impl Machines {
    /// Builds a machine whose hook is `world`.
    pub fn build(
        &self,
        arguments: &Arguments,
        world: SharedWorld,
    ) -> Result<AnyMachine, BuildError> {
        match self {
            Machines::InProcess => in_process(arguments, world),
            Machines::Child(settings) => in_child(arguments, world, settings),
        }
    }
}

/// Machines that wait for their next transaction, for a program that runs many of them with one gas schedule.
#[derive(Default)]
pub struct IdleMachines(Mutex<Vec<(SharedWorld, AnyMachine)>>);

impl IdleMachines {
    /// The machine that was used last, with the world that is its hook.
    pub fn take(&self) -> Option<(SharedWorld, AnyMachine)> {
        self.lock().pop()
    }

    /// Keeps a machine with the world that is its hook.
    pub fn put(&self, world: SharedWorld, machine: AnyMachine) {
        self.lock().push((world, machine));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(SharedWorld, AnyMachine)>> {
        // A list is whole after a panic, too.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for IdleMachines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} idle machines", self.lock().len())
    }
}
