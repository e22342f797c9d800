//! Functions that the protocol itself implements: the hook runs them (docs/spec/host.md#built-in-functions,
//! docs/spec/gas.md#nested-gas).

use super::Host;
use crate::engine::InstanceAccess;
use crate::hooks::{BlockchainHook as _, HookError};
use crate::vm::contexts::input::CallInput;
use crate::vm::contexts::metering::use_gas;
use crate::vm::error::{Broken, Failure};

impl Host {
    /// Has the hook run a function and takes over what it did. The payer pays what the hook has used; all, on an error.
    pub(super) fn execute_builtin(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<(), Failure> {
        let provided = call.input.gas_provided;
        let answer = self.contexts.hook.process_builtin_function(&call.to_wire());
        if let Err(HookError::Refused(_)) = answer {
            use_gas(payer, provided);
        }
        let Some(output) = answer? else {
            return Err(
                Broken::host_fault("a built-in function gave no output and no error").into(),
            );
        };
        use_gas(payer, provided.saturating_sub(output.gas_remaining));
        self.contexts.output.merge_builtin(output)?;
        Ok(())
    }
}
