//! What a running contract calls: the engine calls the host, which passes on to the host functions; these call back for
//! other contracts.

use super::{Host, HostState};
use crate::engine::{Abort, HostCalls, InstanceAccess};
use crate::vm::contexts::Contexts;
use crate::vm::contexts::input::{CallInput, CreateInput};
use crate::vm::contexts::runtime::Breakpoint;
use crate::vm::eei::{self, Call, ContractCalls};
use crate::vm::error::{Broken, Failure, Interrupt};
use bytes::Bytes;

impl HostCalls for Host {
    fn call(
        &mut self,
        function: usize,
        instance: &mut dyn InstanceAccess,
        arguments: &[i64],
    ) -> Result<i64, Abort> {
        if self.contexts.is_observed() {
            return self.call_observed(function, instance, arguments);
        }
        let mut call = Call {
            host: self,
            instance: &mut *instance,
            accesses: None,
        };
        eei::dispatch(&mut call, function, arguments).map_err(|interrupt| {
            self.note_interrupt(instance, interrupt);
            Abort
        })
    }

    fn panicked(&mut self, message: String) {
        // Without a state there is nothing to note: then the panic came from the engine that has it.
        if let Some(state) = &mut self.0 {
            state.broken = Some(Broken::host_fault(message));
        }
    }
}

impl HostState {
    /// Remembers why a host function ends the execution (FAULT in docs/spec/eei.md#notation).
    pub(super) fn note_interrupt(
        &mut self,
        instance: &mut dyn InstanceAccess,
        interrupt: Interrupt,
    ) {
        self.contexts.runtime.breakpoint = match interrupt {
            Interrupt::Api(error) => {
                self.contexts.use_all_gas(instance);
                self.contexts.note_failure(&error);
                Breakpoint::ExecutionFailed
            }
            Interrupt::Signalled => Breakpoint::SignalError,
            Interrupt::AsyncCall => Breakpoint::AsyncCall,
            Interrupt::OutOfGas => Breakpoint::OutOfGas,
            Interrupt::Broken(broken) => {
                self.broken = Some(broken);
                Breakpoint::None
            }
        };
    }
}

impl ContractCalls for Host {
    fn contexts(&mut self) -> &mut Contexts {
        &mut self.contexts
    }

    fn call_on_dest_context(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<(), Failure> {
        match self.execute_on_dest_context(payer, call)?.error {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    fn call_on_same_context(
        &mut self,
        payer: &mut dyn InstanceAccess,
        call: &CallInput,
    ) -> Result<(), Failure> {
        self.execute_on_same_context(payer, call)
    }

    fn create_contract(
        &mut self,
        creator: &mut dyn InstanceAccess,
        input: CreateInput,
    ) -> Result<Bytes, Failure> {
        self.deploy_from_contract(creator, input)
    }
}
