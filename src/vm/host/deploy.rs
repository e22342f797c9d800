//! Deploys and upgrades by transactions (docs/spec/host.md#create, #upgrade).

use super::Host;
use super::instance::as_invalid_contract;
use crate::trace::Event;
use crate::vm::contexts::input::{CallInput, CreateInput};
use crate::vm::error::{ExecutionError, Failure};
use bytes::Bytes;

/// The code and its metadata; the arguments behind them are for the new code.
pub(super) const UPGRADE_ARGUMENTS: usize = 2;

impl Host {
    /// Deploys a contract at a new address.
    pub(super) fn create(&mut self, input: &CreateInput) -> Result<(), Failure> {
        let contexts = &mut self.contexts;
        let address = contexts.new_address(&input.input.caller)?;
        contexts.tell(|| Event::Addressed {
            address: address.clone(),
        });
        contexts.output.account(&address).balance_delta += &input.input.call_value;
        contexts.runtime.state.input = input.input.clone();
        contexts.runtime.state.address = address.clone();
        *contexts.storage_address = address.clone();
        self.deploy(&input.code, input.code_metadata.clone(), &address)
    }

    /// Deploys the code in the arguments of the call in place of the recipient's.
    pub(super) fn upgrade(&mut self, call: &CallInput) -> Result<(), Failure> {
        self.begin_top_level_call(call);
        let arguments = &mut self.contexts.runtime.state.input.arguments;
        if arguments.len() < UPGRADE_ARGUMENTS {
            return Err(ExecutionError::UpgradeArguments.into());
        }
        let rest = arguments.split_off(UPGRADE_ARGUMENTS);
        let (code, metadata) = (arguments[0].clone(), arguments[1].clone());
        *arguments = rest;
        self.deploy(&code, metadata, &call.recipient)
    }

    /// DEPLOY: what deploys and upgrades have in common.
    fn deploy(&mut self, code: &Bytes, metadata: Bytes, address: &Bytes) -> Result<(), Failure> {
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
            self.run_function(&mut running, &init)?;
        }
        let account = self.contexts.output.account(address);
        account.code = code.clone();
        account.code_metadata = metadata;
        self.contexts.output.gas_remaining = self.contexts.gas_left(running.access());
        Ok(())
    }
}
