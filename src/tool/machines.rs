//! Where contracts run.

use crate::machine::BuildError;
use crate::messages::{Arguments, Format};
use crate::scenario::{AnyMachine, SharedWorld, in_child, in_process};

/// What runs the contracts of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Machines {
    /// The virtual machine in this process.
    InProcess,
    /// A child process, as a node has it, with messages in this format.
    Child(Format),
}

impl Machines {
    /// Builds a machine whose hook is `world`.
    pub fn build(
        self,
        arguments: &Arguments,
        world: SharedWorld,
    ) -> Result<AnyMachine, BuildError> {
        match self {
            Machines::InProcess => in_process(arguments, world),
            Machines::Child(format) => in_child(arguments, world, format),
        }
    }
}
