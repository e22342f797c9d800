//! The machines that run the contracts of scenarios.

use super::world::SharedWorld;
use crate::driver::{Blame, CriticalError, Driver, DriverConfig, ReadAhead};
use crate::machine::{BuildError, Machine, Outcome, Pinned};
use crate::messages::{Arguments, ContractCallInput, ContractCreateInput, Format};
use crate::trace::SharedRecorder;
use bytes::Bytes;
use std::error::Error;
#[cfg(feature = "record")]
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Builds a machine for a world: `in_process`, `in_child` with its settings, or a stand-in for tests.
pub type MachineFactory<'a> =
    dyn Fn(&Arguments, SharedWorld) -> Result<AnyMachine, BuildError> + Sync + 'a;

/// How the VM runs in a child process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSettings {
    /// How messages are encoded.
    pub format: Format,
    /// How long a transaction may take. Gas ends contracts; this is for a child that hangs, or for who won't wait that long.
    pub time_limit: Duration,
    /// The folder in which dialogues are recorded (docs/recordings.md), if they are.
    #[cfg(feature = "record")]
    pub recordings: Option<PathBuf>,
}

impl ChildSettings {
    /// A minute for each transaction, and no recordings.
    pub fn new(format: Format) -> ChildSettings {
        ChildSettings {
            format,
            time_limit: Duration::from_secs(60),
            #[cfg(feature = "record")]
            recordings: None,
        }
    }
}

/// The VM in this process.
#[cfg(feature = "vm")]
pub fn in_process(arguments: &Arguments, world: SharedWorld) -> Result<AnyMachine, BuildError> {
    let engine = crate::vm::EngineSettings::default();
    let vm = crate::vm::Vm::from_arguments(arguments, Box::new(world), engine)?;
    Ok(any(vm))
}

/// The VM in a child process, with the same pipes and messages as with a node. The field `binary` of [`DriverConfig`]
/// says where the program is searched.
pub fn in_child(
    arguments: &Arguments,
    world: SharedWorld,
    settings: &ChildSettings,
) -> Result<AnyMachine, BuildError> {
    let config = DriverConfig {
        max_loop_time: settings.time_limit,
        format: settings.format,
        #[cfg(feature = "record")]
        record: settings.recordings.clone(),
        // Reports count what contracts ask, and say the same wherever they run.
        read_ahead: ReadAhead::OFF,
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

impl AnyFatal {
    /// Whether the transaction took longer than it may.
    pub fn is_time_expired(&self) -> bool {
        let critical = self.0.downcast_ref::<CriticalError>();
        critical.is_some_and(|error| error.blame() == Blame::Time)
    }
}

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

    fn trace(&mut self, recorder: Option<SharedRecorder>) -> bool {
        self.0.trace(recorder)
    }

    fn pin(&mut self, code: Bytes) -> Result<Pinned, AnyFatal> {
        self.0.pin(code).map_err(untyped)
    }

    fn unpin(&mut self, code: &[u8]) -> Result<Pinned, AnyFatal> {
        self.0.unpin(code).map_err(untyped)
    }
}

fn untyped(error: impl Error + Send + Sync + 'static) -> AnyFatal {
    AnyFatal(Box::new(error))
}
