//! Runs that begin twice: what the interpreter gives up is run again, with compiled code.
//!
//! Only runs whose first contract is interpreted can be given up. In all others nothing is recorded, and what they call
//! is compiled before it runs.

use super::Host;
use crate::vm::contexts::output::OutputState;
use crate::vm::contexts::recorded_hook::{OtherQuestion, QuestionTooLong, RecordFull};
use crate::vm::error::{Broken, Failure};

impl Host {
    /// Runs something to its end, in an empty state. If it is given up, it begins anew, and gets the answers of the hook
    /// that the first attempt has got.
    pub(super) fn complete(
        &mut self,
        run: impl Fn(&mut Host) -> Result<(), Failure>,
    ) -> Result<OutputState, Broken> {
        self.contexts.reset();
        self.contexts.hook.forget();
        if self.modules.engine().begin_run() {
            self.contexts.hook.record();
        }
        let mut result = run(self);
        if is_given_up(&result) {
            self.contexts.reset();
            self.broken = None;
            self.modules.engine().require_last_tier();
            self.contexts.hook.replay();
            result = run(self);
        }
        self.contexts.hook.forget();
        if let Some(failure) = self.modules.engine().take_machine_failure() {
            result = Err(Broken::from(failure).into());
        }
        if let Err(Failure::Broken(Broken::Machine(failure))) = &result {
            tracing::error!(target: "arwen/engine", error = %failure, "the machine failed");
            // Whoever goes on with this VM all the same begins without what was made when the machine failed.
            self.modules.clear();
        }
        self.finish_run(result.map_err(told_as_host_fault))
    }

    /// Once there is an instance, it is known whether the run may be given up.
    pub(super) fn after_instantiation(&mut self) {
        if !self.modules.engine().may_give_up() {
            self.modules.engine().require_last_tier();
            self.contexts.hook.stop_recording();
        }
    }
}

fn is_given_up(result: &Result<(), Failure>) -> bool {
    match result {
        Err(Failure::Broken(Broken::Abandoned)) => true,
        Err(Failure::Broken(Broken::Hook(source))) => source.is::<RecordFull>(),
        _ => false,
    }
}

/// A question out of turn is a fault of ours, one that is too long a fault of the contract's: nothing is wrong with the hook.
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
