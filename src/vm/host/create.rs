//! Deploys by transactions (docs/spec/host.md#create).

use super::{Host, as_invalid_contract};
use crate::vm::contexts::input::CreateInput;
use crate::vm::contexts::output::OutputState;
use crate::vm::error::{Broken, Failure};
use bytes::Bytes;

impl Host {
    /// Deploys a contract at a new address.
    pub fn run_create(&mut self, input: CreateInput) -> Result<OutputState, Broken> {
        self.complete(|host| host.create(&input))
    }

    fn create(&mut self, input: &CreateInput) -> Result<(), Failure> {
        let contexts = &mut self.contexts;
        let address = contexts.new_address(&input.input.caller)?;
        contexts.output.account(&address).balance_delta += &input.input.call_value;
        contexts.runtime.state.input = input.input.clone();
        contexts.runtime.state.address = address.clone();
        *contexts.storage_address = address.clone();
        self.deploy(&input.code, input.code_metadata.clone(), &address)
    }

    /// DEPLOY: what deploys and upgrades have in common.
    pub(super) fn deploy(
        &mut self,
        code: &Bytes,
        metadata: Bytes,
        address: &Bytes,
    ) -> Result<(), Failure> {
        tracing::trace!(
            target: "arwen/host",
            address = &address[..],
            "len(code)" = code.len(),
            metadata = &metadata[..],
            "performCodeDeploy"
        );
        self.contexts.deduct_for_direct_deploy(code)?;
        let limit = self.contexts.current_call().input.gas_provided;
        let started = self.start_deploy(code, limit, "performCodeDeploy");
        let mut running = started.map_err(as_invalid_contract)?;
        if let Some(init) = running.init_function() {
            self.run(&mut running, &init)?;
        }
        let account = self.contexts.output.account(address);
        account.code = code.clone();
        account.code_metadata = metadata;
        self.contexts.output.gas_remaining = self.contexts.gas_left(running.access());
        Ok(())
    }
}
