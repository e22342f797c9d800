//! Which contract runs, and with what input (docs/spec/host.md#contexts).

use super::asynchronous::{AsyncCall, Promises};
use super::input::{CallInput, Input};
use super::layered::Layered;
use bytes::Bytes;

/// What happened to the instance that runs, if its function ends abnormally (docs/spec/host.md#breakpoints).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Breakpoint {
    /// Nothing: it trapped, or its gas is spent.
    #[default]
    None,
    /// A host function failed.
    ExecutionFailed,
    /// An asynchronous call is to be made.
    AsyncCall,
    /// The contract signalled an error.
    SignalError,
    /// A host function found too little gas.
    OutOfGas,
}

/// The state of a call.
#[derive(Debug, Clone, Default)]
pub struct RuntimeState {
    pub input: Input,
    /// The contract that runs.
    pub address: Bytes,
    /// The function as it was called, not as it was found.
    pub function: Bytes,
    pub read_only: bool,
    pub async_call: Option<AsyncCall>,
    pub promises: Promises,
}

impl RuntimeState {
    /// The state of a call in this one, which inherits whether it is read-only.
    pub fn of_call(&self, call: &CallInput) -> RuntimeState {
        RuntimeState {
            input: call.input.clone(),
            address: call.recipient.clone(),
            function: call.function.clone(),
            read_only: self.read_only,
            async_call: self.async_call.clone(),
            promises: Promises {
                caller: call.input.caller.clone(),
                ..Promises::default()
            },
        }
    }
}

/// The calls that are running.
#[derive(Debug, Default)]
pub struct Runtime {
    pub state: Layered<RuntimeState>,
    /// Of the instance that runs; set aside while another one runs.
    pub breakpoint: Breakpoint,
    /// Instances that wait for another one (docs/spec/host.md#depth).
    pub waiting_instances: usize,
}
