//! Runs scenarios one after the other, in one world, with one machine.

use super::check;
use super::failure::{Failure, INCLUDE_LIMIT, StepFailure};
use super::files::Files;
use super::machine::{AnyMachine, MachineFactory};
use super::model::{CheckState, SetState, Step, TransactionStep};
use super::parse::{self, Reader};
use super::report::{ScenarioReport, TransactionReport};
use super::world::{Leftovers, SharedWorld};
use crate::messages::{Arguments, GasSectionEntry};
use crate::trace::{Filter, Run, SharedRecorder};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The VM type in the reference's runner.
const VM_TYPE: &[u8] = &[0, 0];
const BLOCK_GAS_LIMIT: u64 = 10_000_000;

/// The settings of a run.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// Prefix of storage keys that contracts can't write. Not empty.
    pub protected_prefix: &'a [u8],
    /// Replacement files, by the names exactly as scenarios write them.
    pub replacements: &'a BTreeMap<String, PathBuf>,
    /// The gas schedule of the VM.
    pub gas_schedule: &'a [GasSectionEntry],
    /// Builds the machine.
    pub machines: &'a MachineFactory<'a>,
    /// What of the runs is recorded for reports; none for nothing. The machines must be able to tell.
    pub recorded: Option<&'a Filter>,
}

impl Settings<'_> {
    pub(super) fn arguments(&self) -> Arguments {
        arguments(self.protected_prefix, self.gas_schedule)
    }
}

/// What a machine that runs scenarios is built with.
pub fn arguments(protected_prefix: &[u8], gas_schedule: &[GasSectionEntry]) -> Arguments {
    Arguments {
        vm_type: Bytes::from_static(VM_TYPE),
        block_gas_limit: BLOCK_GAS_LIMIT,
        gas_schedule: gas_schedule.to_vec(),
        kalyan3104_protected_key_prefix: Bytes::copy_from_slice(protected_prefix),
        ..Arguments::default()
    }
}

/// The world and the machine of a run.
pub struct Runner<'a> {
    pub(super) settings: Settings<'a>,
    pub(super) world: SharedWorld,
    /// Built when it is first needed; its hook is the world. Dropped when it fails.
    pub machine: Option<AnyMachine>,
    pub(super) recorder: Option<SharedRecorder>,
    files: Files<'a>,
    checks_gas: bool,
    transactions: Vec<TransactionReport>,
}

impl<'a> Runner<'a> {
    /// A new runner.
    pub fn new(settings: Settings<'a>) -> Runner<'a> {
        Runner {
            settings,
            world: SharedWorld::default(),
            machine: None,
            recorder: settings.recorded.cloned().map(SharedRecorder::new),
            files: Files::new(settings.replacements),
            checks_gas: true,
            transactions: Vec::new(),
        }
    }

    /// A runner whose transactions change this world.
    pub fn in_world(settings: Settings<'a>, world: SharedWorld) -> Runner<'a> {
        Runner {
            world,
            ..Runner::new(settings)
        }
    }

    /// What the last transaction did, if that is recorded.
    pub fn take_run(&self) -> Option<Run> {
        self.recorder.as_ref().map(SharedRecorder::take)
    }

    /// Runs a file in a world that has only the leftovers of earlier scenarios. Returns them, updated by this one.
    pub fn run(&mut self, file: &Path, leftovers: Leftovers) -> (ScenarioReport, Leftovers) {
        let start = Instant::now();
        self.world.lock().reset(leftovers);
        let outcome = match is_old_test(file) {
            true => self.run_old_tests(file),
            false => self.run_file(file, 0),
        };
        let report = ScenarioReport {
            file: file.to_owned(),
            transactions: std::mem::take(&mut self.transactions),
            failure: outcome.err(),
            elapsed: start.elapsed(),
        };
        let leftovers = std::mem::take(&mut self.world.lock().lasting);
        (report, leftovers)
    }

    /// Runs the steps of a file. The context folder and the gas check are not restored afterwards, so the steps after
    /// an externalSteps use those of the included file.
    fn run_file(&mut self, file: &Path, depth: usize) -> Result<(), Failure> {
        self.files.set_context(file);
        let scenario = parse::scenario(file, self.reader())?;
        self.checks_gas = scenario.checks_gas;
        for (index, step) in scenario.steps.iter().enumerate() {
            let outcome = match step {
                Step::External(_) if depth == INCLUDE_LIMIT => {
                    Err(StepFailure::IncludeLimit(file.to_owned()))
                }
                Step::External(path) => {
                    let included = self.files.resolve(path);
                    self.run_file(&included, depth + 1)?;
                    Ok(())
                }
                Step::SetState(step) => {
                    self.set_state(step);
                    Ok(())
                }
                Step::CheckState(step) => self.check_state(step),
                Step::Transaction(step) => self.transaction_step(step),
            };
            outcome.map_err(|cause| Failure::Step {
                file: file.to_owned(),
                place: place(index, step),
                cause: Box::new(cause),
            })?;
        }
        Ok(())
    }

    /// Runs the tests of a file in the old format, each in a new world.
    fn run_old_tests(&mut self, file: &Path) -> Result<(), Failure> {
        self.files.set_context(file);
        for (name, test) in parse::old_tests(file, self.reader())? {
            let fail = |place: String| {
                let file = file.to_owned();
                move |cause| Failure::Step {
                    file,
                    place,
                    cause: Box::new(cause),
                }
            };
            {
                let mut world = self.world.lock();
                let leftovers = std::mem::take(&mut world.lasting);
                world.reset(leftovers);
                world.block_hashes = test.block_hashes;
                world.accounts.extend(test.accounts);
            }
            self.checks_gas = test.checks_gas;
            for step in &test.transactions {
                let place = format!("{name}: transaction {}", step.id);
                self.transaction_step(step).map_err(fail(place))?;
            }
            let place = format!("{name}: postState");
            self.check_state(&test.post_state).map_err(fail(place))?;
        }
        Ok(())
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            files: &self.files,
            protected_prefix: self.settings.protected_prefix,
        }
    }

    fn set_state(&self, step: &SetState) {
        let mut world = self.world.lock();
        world.accounts.extend(step.accounts.iter().cloned());
        world.block_hashes.clone_from(&step.block_hashes);
        step.leave_to(&mut world.lasting);
    }

    fn check_state(&self, step: &CheckState) -> Result<(), StepFailure> {
        Ok(check::state(step, &self.world.lock())?)
    }

    fn transaction_step(&mut self, step: &TransactionStep) -> Result<(), StepFailure> {
        self.world.lock().take_hook_calls();
        let output = self.transact(step)?;
        let refund = output.gas_refund.clone().unwrap_or_default();
        let reason = self.why_invalid(&step.transaction, &output);
        self.transactions.push(TransactionReport {
            id: step.id.clone(),
            return_code: output.return_code,
            message: output.return_message.clone(),
            reason: reason.clone(),
            gas_remaining: output.gas_remaining,
            refund,
            hook_calls: self.world.lock().take_hook_calls(),
            run: self.take_run(),
        });
        if let Some(expected) = &step.expect {
            let checked = check::result(expected, &output, self.checks_gas);
            checked.map_err(|mismatch| match reason {
                None => StepFailure::Mismatch(mismatch),
                Some(reason) => StepFailure::InvalidCode { mismatch, reason },
            })?;
        }
        Ok(())
    }
}

impl SetState {
    /// Applies the step to the leftovers for later scenarios.
    fn leave_to(&self, leftovers: &mut Leftovers) {
        leftovers.previous_block = self.previous_block.clone();
        leftovers.current_block = self.current_block.clone();
        leftovers
            .new_addresses
            .extend(self.new_addresses.iter().cloned());
    }
}

fn place(index: usize, step: &Step) -> String {
    let kind = step.kind();
    match step {
        Step::Transaction(step) if !step.id.is_empty() => {
            format!("steps[{index}] ({kind} {})", step.id)
        }
        _ => format!("steps[{index}] ({kind})"),
    }
}

fn is_old_test(file: &Path) -> bool {
    file.to_str()
        .is_some_and(|path| path.ends_with(".test.json"))
}

/// Predicts what a file leaves to later scenarios, from its setState steps, assuming that all steps run. A wrong
/// prediction only costs time.
pub fn guess_leftovers(file: &Path, settings: &Settings<'_>, leftovers: &mut Leftovers) {
    let mut files = Files::new(settings.replacements);
    guess(file, settings, &mut files, leftovers, 0);
}

/// Returns whether the following steps would be run.
fn guess(
    file: &Path,
    settings: &Settings<'_>,
    files: &mut Files<'_>,
    leftovers: &mut Leftovers,
    depth: usize,
) -> bool {
    if is_old_test(file) || depth > INCLUDE_LIMIT {
        return false;
    }
    files.set_context(file);
    let reader = Reader {
        files,
        protected_prefix: settings.protected_prefix,
    };
    let Ok(scenario) = parse::scenario(file, reader) else {
        return false;
    };
    scenario.steps.iter().all(|step| {
        match step {
            Step::SetState(step) => step.leave_to(leftovers),
            Step::External(path) => {
                let included = files.resolve(path);
                return guess(&included, settings, files, leftovers, depth + 1);
            }
            Step::CheckState(_) | Step::Transaction(_) => {}
        }
        true
    })
}

#[cfg(test)]
mod tests;
