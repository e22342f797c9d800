//! The machines that run the contracts of scenarios.

use super::world::SharedWorld;
use crate::driver::{CriticalError, Driver, DriverConfig, Outcome};
use crate::messages::{Arguments, ContractCallInput, ContractCreateInput, Format, VmOutput};
use crate::part::{BuildError, Machine, MachineError};
use std::time::Duration;

/// Makes a machine for a world: `in_process`, `in_child` with a format, or a stand-in for tests.
pub type MachineFactory<'a> =
    dyn Fn(&Arguments, SharedWorld) -> Result<Box<dyn Machine>, BuildError> + Sync + 'a;

/// How long a child may take for a transaction. Scenarios stop by gas; this is for a child that hangs.
const MAX_LOOP_TIME: Duration = Duration::from_secs(60);

/// The VM in this process.
#[cfg(feature = "vm")]
pub fn in_process(
    arguments: &Arguments,
    world: SharedWorld,
) -> Result<Box<dyn Machine>, BuildError> {
    let engine = crate::vm::EngineSettings::default();
    crate::part::build_vm(arguments, Box::new(world), &engine)
}

/// The VM in a child process, with the pipes and messages between that a node has. [`DriverConfig`] says at its field
/// `binary` where the program is looked for.
pub fn in_child(
    arguments: &Arguments,
    world: SharedWorld,
    format: Format,
) -> Result<Box<dyn Machine>, BuildError> {
    let config = DriverConfig {
        max_loop_time: MAX_LOOP_TIME,
        format,
        ..DriverConfig::new(arguments.clone())
    };
    match Driver::new(config, world) {
        Ok(driver) => Ok(Box::new(driver)),
        Err(error) => Err(BuildError::Machine(error.to_string())),
    }
}

impl Machine for Driver<SharedWorld> {
    fn create(&mut self, input: ContractCreateInput) -> Result<VmOutput, MachineError> {
        output(self.deploy(input))
    }

    fn call(&mut self, input: ContractCallInput) -> Result<VmOutput, MachineError> {
        output(Driver::call(self, input))
    }
}

/// Without a child there is no output; the next request would start another one.
fn output(answer: Result<Outcome, CriticalError>) -> Result<VmOutput, MachineError> {
    match answer {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(failure)) => Err(MachineError::NoOutput(failure.to_string())),
        Err(error) => Err(MachineError::Fatal(error.to_string())),
    }
}
