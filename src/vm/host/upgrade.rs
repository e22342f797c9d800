//! Upgrades (docs/spec/host.md#upgrade).

use super::Host;
use crate::vm::contexts::input::CallInput;
use crate::vm::contexts::output::OutputState;
use crate::vm::error::{Broken, ExecutionError, Failure};

/// The code and its metadata; the arguments behind them are for the new code.
const UPGRADE_ARGUMENTS: usize = 2;

impl Host {
    /// Deploys the code that the arguments bring in place of the recipient's. Whether that may be is the node's
    /// business.
    pub fn run_upgrade(&mut self, call: CallInput) -> Result<OutputState, Broken> {
        self.complete(|host| host.upgrade(&call))
    }

    fn upgrade(&mut self, call: &CallInput) -> Result<(), Failure> {
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
}
