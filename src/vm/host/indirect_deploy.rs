//! Deploys by contracts (docs/spec/host.md#indirect-deploy).

use super::Host;
use super::observed::Begun;
use crate::engine::InstanceAccess;
use crate::trace::{CallKind, Event};
use crate::vm::contexts::input::CreateInput;
use crate::vm::contexts::metering::{restore_gas, use_gas};
use crate::vm::contexts::runtime::RuntimeState;
use crate::vm::error::{ExecutionError, Failure};
use bytes::Bytes;

impl Host {
    /// Deploys a contract for the one that runs as `creator`; returns the new address. Whatever happened before a
    /// failure stays, and the new contract uses the creator's storage and big integers (docs/spec/README.md#quirk-25).
    pub(super) fn deploy_from_contract(
        &mut self,
        creator: &mut dyn InstanceAccess,
        input: CreateInput,
    ) -> Result<Bytes, Failure> {
        tracing::trace!(
            target: "arwen/host",
            { "len(code)" = input.code.len(), metadata = &input.code_metadata[..] },
            "CreateNewContract"
        );
        let begun = |_: &Host| Begun::deploy(CallKind::Create, &input.input);
        let used = self.tell_entry(creator, begun);
        let result = self.create_for(creator, &input);
        self.tell_exit(creator, used, |host| host.end_of_shared(&result));
        result
    }

    fn create_for(
        &mut self,
        creator: &mut dyn InstanceAccess,
        input: &CreateInput,
    ) -> Result<Bytes, Failure> {
        use_gas(creator, input.input.gas_provided);
        if self.contexts.current_call().read_only {
            return Err(ExecutionError::ReadOnly.into());
        }
        let state = &mut self.contexts.runtime.state;
        // The promises are the creator's all the time.
        let promises = std::mem::take(&mut state.promises);
        let next = RuntimeState {
            input: input.input.clone(),
            address: state.address.clone(),
            function: state.function.clone(),
            read_only: state.read_only,
            async_call: state.async_call.clone(),
            promises,
        };
        state.enter(next);
        let result = self.create_from_contract(input);
        let state = &mut self.contexts.runtime.state;
        let promises = state.restore().promises;
        state.promises = promises;
        let (address, gas_left) = result?;
        restore_gas(creator, gas_left);
        Ok(address)
    }

    fn create_from_contract(&mut self, input: &CreateInput) -> Result<(Bytes, u64), Failure> {
        let contexts = &mut self.contexts;
        let creator = &input.input.caller;
        let address = contexts.new_address(creator)?;
        contexts.tell(|| Event::Addressed {
            address: address.clone(),
        });
        contexts.transfer(&address, creator, 0, &input.input.call_value, &[])?;
        contexts.increase_nonce(creator)?;
        contexts.runtime.state.address = address.clone();
        contexts.deduct_for_indirect_deploy(&input.code)?;
        contexts.runtime.waiting_instances += 1;
        let result = self.initialise(&input.code);
        self.contexts.runtime.waiting_instances -= 1;
        let gas_left = result?;
        let account = self.contexts.output.account(&address);
        account.code = input.code.clone();
        account.code_metadata = input.code_metadata.clone();
        Ok((address, gas_left))
    }

    /// Returns the gas that is left.
    fn initialise(&mut self, code: &Bytes) -> Result<u64, Failure> {
        let limit = self.contexts.current_call().input.gas_provided;
        let mut running = self.start_deploy(code, limit, "CreateNewContract")?;
        if let Some(init) = running.init_function() {
            self.run_function(&mut running, &init)?;
        }
        Ok(self.contexts.gas_left(running.access()))
    }
}
