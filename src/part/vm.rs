//! The VM as the machine of the child.

use super::message_loop::{Machine, MachineError};
use crate::hooks::BlockchainHook;
use crate::messages::{Arguments, ContractCallInput, ContractCreateInput, VmOutput};
use crate::vm::{QuickLimits, Vm, VmError, VmParameters};

/// The environment variable that says how far unknown code is interpreted; see [`QuickLimits::fuel`]. With 0, all code is
/// compiled before it runs.
const FUEL_VARIABLE: &str = "ARWEN_INTERPRETER_FUEL";

/// A machine that is the VM. The error says what is wrong with the arguments.
pub fn build_vm(
    arguments: &Arguments,
    hook: Box<dyn BlockchainHook>,
) -> Result<Box<dyn Machine>, String> {
    let parameters = VmParameters {
        interpreter_tier: interpreter_tier(std::env::var(FUEL_VARIABLE).ok().as_deref())?,
        ..VmParameters::from(arguments)
    };
    match Vm::new(parameters, hook) {
        Ok(vm) => Ok(Box::new(vm)),
        Err(error) => Err(error.to_string()),
    }
}

/// What the variable says.
fn interpreter_tier(variable: Option<&str>) -> Result<Option<QuickLimits>, String> {
    let Some(text) = variable else {
        return Ok(Some(QuickLimits::default()));
    };
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(fuel) => Ok(Some(QuickLimits { fuel })),
        Err(error) => Err(format!("{FUEL_VARIABLE}={text:?}: {error}")),
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
        MachineError(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_read() {
        let tier = |text| interpreter_tier(text);
        assert_eq!(tier(None), Ok(Some(QuickLimits::default())));
        assert_eq!(tier(Some("0")), Ok(None));
        assert_eq!(tier(Some("7")), Ok(Some(QuickLimits { fuel: 7 })));
        let error = tier(Some("much")).expect_err("no number");
        assert!(error.starts_with("ARWEN_INTERPRETER_FUEL=\"much\": "));
    }
}
