//! Why an instance was interrupted (docs/spec/host.md#breakpoints).

use super::Host;
use crate::engine::InstanceAccess;
use crate::vm::contexts::runtime::Breakpoint;
use crate::vm::error::{ExecutionError, Failure};

impl Host {
    /// What an abort means for the function that it ended.
    pub(super) fn after_abort(
        &mut self,
        instance: &mut dyn InstanceAccess,
        function: &str,
    ) -> Result<(), Failure> {
        if let Some(broken) = self.broken.take() {
            return Err(broken.into());
        }
        let error = match std::mem::take(&mut self.contexts.runtime.breakpoint) {
            Breakpoint::None => ExecutionError::Trap(function.to_owned()),
            Breakpoint::ExecutionFailed => ExecutionError::ExecutionFailed,
            Breakpoint::SignalError => ExecutionError::Signalled,
            Breakpoint::OutOfGas => ExecutionError::NotEnoughGas,
            Breakpoint::AsyncCall => return self.make_async_call(instance),
        };
        Err(error.into())
    }
}
