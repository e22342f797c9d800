//! The machines that run the contracts of scenarios.

use super::world::SharedWorld;
use crate::driver::{Driver, DriverConfig};
use crate::machine::{BuildError, Machine, Outcome};
use crate::messages::{Arguments, ContractCallInput, ContractCreateInput, Format};
use std::error::Error;
use std::time::Duration;
use thiserror::Error;

/// Builds a machine for a world: `in_process`, `in_child` with a format, or a stand-in for tests.
pub type MachineFactory<'a> =
    dyn Fn(&Arguments, SharedWorld) -> Result<AnyMachine, BuildError> + Sync + 'a;

/// Time budget of a child for a transaction. Gas ends contracts; this is for a child that hangs.
const MAX_LOOP_TIME: Duration = Duration::from_secs(60);

/// The VM in this process.
#[cfg(feature = "vm")]
pub fn in_process(arguments: &Arguments, world: SharedWorld) -> Result<AnyMachine, BuildError> {
    let engine = crate::vm::EngineSettings::default();
    crate::vm::Vm::from_arguments(arguments, Box::new(world), engine).map(any)
}

/// The VM in a child process, with the same pipes and messages as with a node. The field `binary` of [`DriverConfig`]
/// says where the program is searched.
pub fn in_child(
    arguments: &Arguments,
    world: SharedWorld,
    format: Format,
) -> Result<AnyMachine, BuildError> {
    let config = DriverConfig {
        max_loop_time: MAX_LOOP_TIME,
        format,
        ..DriverConfig::new(arguments.clone())
    };
    let driver = Driver::new(config, world);
    driver
        .map(any)
        .map_err(|error| BuildError::Resources(Box::new(error)))
}

/// Runs contracts: the VM, a driver, or any other [`Machine`].
pub type AnyMachine = Box<dyn Machine<Fatal = AnyFatal>>;

/// The fatal error of any machine, type-erased.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct AnyFatal(Box<dyn Error + Send + Sync>);

/// Erases the type of a machine and of its fatal error.
pub fn any(machine: impl Machine + 'static) -> AnyMachine {
    Box::new(Untyped(machine))
}

struct Untyped<M>(M);

impl<M: Machine> Machine for Untyped<M> {
    type Fatal = AnyFatal;

    fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, AnyFatal> {
        self.0.deploy(input).map_err(untyped)
    }

    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, AnyFatal> {
        self.0.call(input).map_err(untyped)
    }
}

fn untyped(error: impl Error + Send + Sync + 'static) -> AnyFatal {
    AnyFatal(Box::new(error))
}
