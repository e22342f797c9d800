//! The VM as the machine of the child.

use super::message_loop::{BuildError, Machine, MachineError};
use crate::hooks::BlockchainHook;
use crate::messages::{Arguments, ContractCallInput, ContractCreateInput, VmOutput};
use crate::vm::{EngineSettings, Vm, VmError, VmParameters};

/// A machine that is the VM, with this engine.
pub fn build_vm(
    arguments: &Arguments,
    hook: Box<dyn BlockchainHook>,
    engine: &EngineSettings,
) -> Result<Box<dyn Machine>, BuildError> {
    let parameters = VmParameters {
        engine: engine.clone(),
        ..VmParameters::from(arguments)
    };
    match Vm::new(parameters, hook) {
        Ok(vm) => Ok(Box::new(vm)),
        Err(error @ VmError::Machine(_)) => Err(BuildError::Machine(error.to_string())),
        Err(error @ (VmError::Construction(_) | VmError::HostFault(_) | VmError::Fatal(_))) => {
            Err(BuildError::Arguments(error.to_string()))
        }
    }
}

impl Machine for Vm {
    fn create(&mut self, input: ContractCreateInput) -> Result<VmOutput, MachineError> {
        Vm::create(self, input).map_err(MachineError::from)
    }

    fn call(&mut self, input: ContractCallInput) -> Result<VmOutput, MachineError> {
        Vm::call(self, input).map_err(MachineError::from)
    }
}

impl From<VmError> for MachineError {
    /// After [`VmError::Fatal`] nobody is told: the message loop sees for itself that the node can't be reached.
    fn from(error: VmError) -> MachineError {
        let text = error.to_string();
        match error {
            VmError::Machine(_) => MachineError::Fatal(text),
            VmError::Construction(_) | VmError::HostFault(_) | VmError::Fatal(_) => {
                MachineError::NoOutput(text)
            }
        }
    }
}
