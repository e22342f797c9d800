//! Runs, from the input to the output. A run that the interpreter gives up is run again with compiled code.
//!
//! Only runs whose first contract is interpreted can be given up. In all others no answers of the hook are recorded, and the
//! contracts that they call are compiled before they run.

use super::Host;
use super::deploy::UPGRADE_ARGUMENTS;
use super::observed::Begun;
use crate::trace::CallKind;
use crate::vm::contexts::input::{CallInput, CreateInput};
use crate::vm::contexts::output::OutputState;
use crate::vm::contexts::recorded_hook::{OtherQuestion, QuestionTooLong, RecordFull};
use crate::vm::error::{Broken, Failure};

impl Host {
    /// Calls a function of a contract.
    pub fn run_call(&mut self, call: CallInput) -> Result<OutputState, Broken> {
        self.complete(Begun::call(CallKind::Call, &call), |host| {
            host.call_contract(&call)
        })
    }

    /// Deploys a contract at a new address.
    pub fn run_create(&mut self, input: CreateInput) -> Result<OutputState, Broken> {
        let begun = Begun::deploy(CallKind::Deploy, &input.input);
        self.complete(begun, |host| host.create(&input))
    }

    /// Deploys the code that the arguments bring in place of the recipient's. The node has checked who may upgrade.
    pub fn run_upgrade(&mut self, call: CallInput) -> Result<OutputState, Broken> {
        let all = &call.input.arguments;
        let begun = Begun {
            arguments: all.get(UPGRADE_ARGUMENTS..).unwrap_or_default(),
            ..Begun::call(CallKind::Upgrade, &call)
        };
        self.complete(begun, |host| host.upgrade(&call))
    }

    /// Runs from an empty state to the output. A run that is given up begins anew, and replays the answers of the hook
    /// that the first attempt recorded.
    fn complete(
        &mut self,
        begun: Begun<'_>,
        run: impl Fn(&mut Host) -> Result<(), Failure>,
    ) -> Result<OutputState, Broken> {
        self.contexts.reset();
        self.contexts.hook.forget();
        if self.modules.engine().begin_run() {
            self.contexts.hook.record();
        }
        self.tell_begin(begun);
        let mut result = run(self);
        if is_given_up(&result) {
            self.contexts.reset();
            self.broken = None;
            self.modules.engine().require_last_tier();
            self.contexts.hook.replay();
            self.tell_begin(begun);
            result = run(self);
        }
        self.contexts.hook.forget();
        if let Some(failure) = self.modules.engine().take_machine_failure() {
            result = Err(Broken::from(failure).into());
        }
        if let Err(Failure::Broken(Broken::Machine(failure))) = &result {
            tracing::error!(target: "arwen/engine", error = %failure, "the machine failed");
            // If the VM is used again all the same, it does not use modules that were made when the machine failed.
            self.modules.clear();
        }
        let output = self.finish_run(result.map_err(told_as_host_fault));
        self.tell_end(begun.input.gas_provided, &output);
        output
    }

    /// The output of a run that ended with `result`; the state is empty after that.
    fn finish_run(&mut self, result: Result<(), Failure>) -> Result<OutputState, Broken> {
        let output = match result {
            Ok(()) => Ok(std::mem::take(&mut *self.contexts.output)),
            Err(Failure::Execution(error)) => Ok(self.contexts.failure_output(&error)),
            Err(Failure::Broken(broken)) => Err(broken),
        };
        self.contexts.reset();
        self.broken = None;
        output
    }
}

fn is_given_up(result: &Result<(), Failure>) -> bool {
    match result {
        Err(Failure::Broken(Broken::Abandoned)) => true,
        Err(Failure::Broken(Broken::Hook(source))) => source.is::<RecordFull>(),
        _ => false,
    }
}

/// A question out of turn is a fault of ours, one that is too long a fault of the contract's: nothing is wrong with the
/// hook.
fn told_as_host_fault(failure: Failure) -> Failure {
    match failure {
        Failure::Broken(Broken::Hook(source))
            if source.is::<OtherQuestion>() || source.is::<QuestionTooLong>() =>
        {
            Broken::host_fault(source).into()
        }
        failure => failure,
    }
}
