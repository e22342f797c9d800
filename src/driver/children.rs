//! The child of a driver: started when a request needs one, and ended when it fails.

use super::budget::Budget;
use super::error::{BadMessage, CriticalError, Fault, StartError};
use super::exit::{ChildExit, ProcessEnd};
use super::process::{Process, Started};
use super::read_ahead::Asked;
#[cfg(feature = "record")]
use super::recorder;
use super::sinks::LOGGER;
use super::{Driver, ready};
use crate::escape::with_sources;
use crate::hooks::BlockchainHook;
use crate::transport::exit_codes;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How many exits are remembered: enough to compare them.
const REMEMBERED_EXITS: usize = 3;

impl<H: BlockchainHook> Driver<H> {
    /// Returns a live child, started if necessary, within the budget of the request.
    pub(super) fn live_process(&mut self, budget: &Budget) -> Result<Box<Process>, CriticalError> {
        if let Some(mut process) = self.process.take() {
            if process.is_starting() {
                return self.finish_start(process, budget);
            }
            if process.is_worn(&self.config) {
                self.stats.recycled_total += 1;
                info!(target: LOGGER, id = process.id(), "arwen is replaced: its age or memory");
                self.shared.set_ready(None);
                process.close();
                return self.start(budget);
            }
            match process.check_idle() {
                Ok(()) => return Ok(process),
                // No request failed because of it.
                Err(fault) => {
                    self.bury(process, &fault);
                }
            }
        }
        self.start(budget)
    }

    /// Starts a child and waits for its first answer.
    pub(super) fn start(&mut self, budget: &Budget) -> Result<Box<Process>, CriticalError> {
        let due_in = self.restarts.delay(Instant::now());
        if due_in > budget.left() {
            let last = self.last_failure.clone();
            return Err(self.critical(Fault::RestartPostponed { due_in, last }, None));
        }
        std::thread::sleep(due_in);
        self.stats.starts_total += 1;
        let spawned = self.config.binary_path().and_then(|path| {
            info!(target: LOGGER, path = %path.display(), "ArwenDriver.startArwen()");
            Ok(Process::spawn(
                &path,
                &self.config,
                self.shared.counters.clone(),
            )?)
        });
        #[cfg_attr(
            not(feature = "record"),
            expect(unused_mut, reason = "it is not recorded")
        )]
        let mut process = match spawned {
            Ok(process) => Box::new(process),
            Err(fault) => {
                self.restarts.died(Instant::now());
                self.last_failure = with_sources(&fault);
                return Err(self.critical(fault, None));
            }
        };
        #[cfg(feature = "record")]
        if let Some(recorder) = &self.recorder {
            process.record(recorder, self.config.format);
        }
        self.shared.set_profile_pipe(process.profile_pipe());
        self.finish_start(process, budget)
    }

    #[cfg(feature = "record")]
    pub(super) fn start_recorder(&mut self) -> Result<(), CriticalError> {
        let Some(folder) = self.config.record.clone() else {
            return Ok(());
        };
        match recorder::Recorder::start(&folder, self.shared.counters.clone()) {
            Ok(recorder) => self.recorder = Some(recorder),
            Err(error) => {
                let fault = Fault::Start(StartError::Recording { folder, error });
                return Err(self.critical(fault, None));
            }
        }
        Ok(())
    }

    /// Waits for the first answer of a child. If the budget of the request is used up first, the start continues for
    /// the next request.
    fn finish_start(
        &mut self,
        mut process: Box<Process>,
        budget: &Budget,
    ) -> Result<Box<Process>, CriticalError> {
        let mut asked = Asked::default();
        let started = process.finish_start(&mut self.hook, budget.deadline, &mut asked);
        self.stats.hook_calls_total += asked.count;
        match started {
            Ok(Started::Ready(report)) => {
                process.deliver_output();
                ready::log(process.id(), report.as_ref());
                if let Err(mismatch) = ready::check(&self.config, report.as_ref()) {
                    let fault = Fault::Start(StartError::Mismatch(mismatch));
                    return Err(self.fail(process, fault));
                }
                self.read_ahead.child_started(report.as_ref());
                self.traces.child_started(report.as_ref());
                self.pins.child_started(report.as_ref());
                self.shared.set_ready(report);
                Ok(process)
            }
            Ok(Started::Already) => Ok(process),
            Ok(Started::NotYet) => {
                self.process = Some(process);
                let budget = budget.whole;
                Err(self.critical(Fault::StillStarting { budget }, None))
            }
            Err(fault) => Err(self.fail_start(process, fault)),
        }
    }

    /// Ends a child that failed before its first answer.
    fn fail_start(&mut self, process: Box<Process>, fault: Fault) -> CriticalError {
        let budget = self.config.start_time;
        let fault = match fault {
            Fault::TimeExpired { .. } => Fault::Start(StartError::NoAnswer { budget }),
            Fault::BadMessage(what) => Fault::Start(StartError::BadAnswer(what)),
            Fault::InvalidNonce(error) => {
                let message = BadMessage::Malformed(error.into());
                Fault::Start(StartError::BadAnswer(message))
            }
            fault if fault.is_of_a_dying_child() => Fault::Start(StartError::DiedAtOnce),
            other => other,
        };
        let exit = self.bury(process, &fault);
        // The exit code tells bad arguments from bad settings in the node's environment (docs/spec/wire.md#exit-codes).
        let words = || exit.stderr_tail.trim().to_owned();
        let fault = match exit.end {
            ProcessEnd::Exited(code) if code == i32::from(exit_codes::BAD_ARGUMENTS) => {
                Fault::BadArguments(words())
            }
            ProcessEnd::Exited(code) if code == i32::from(exit_codes::BAD_SETTING) => {
                Fault::Start(StartError::BadSetting(words()))
            }
            _ => fault,
        };
        self.critical(fault, Some(exit))
    }

    /// Ends a child that failed in a dialogue.
    pub(super) fn fail(&mut self, process: Box<Process>, fault: Fault) -> CriticalError {
        let exit = self.bury(process, &fault);
        self.critical(fault, Some(exit))
    }

    pub(super) fn critical(&mut self, fault: Fault, exit: Option<ChildExit>) -> CriticalError {
        self.stats.critical_errors_total += 1;
        let exit = exit.map(Box::new);
        let error = CriticalError { fault, exit };
        warn!(target: LOGGER, err = with_sources(&error), "{}", self.action);
        error
    }

    /// Ends the child and records its exit.
    fn bury(&mut self, process: Box<Process>, fault: &Fault) -> ChildExit {
        self.shared.set_ready(None);
        let exit = process.end(fault);
        warn!(target: LOGGER, cause = exit.cause, %exit, "arwen is gone");
        if fault.is_the_childs() {
            self.restarts.died(Instant::now());
        }
        self.last_failure = format!("{} (arwen {exit})", exit.cause);
        if self.exits.len() == REMEMBERED_EXITS {
            self.exits.pop_front();
        }
        self.exits.push_back(exit.clone());
        exit
    }
}

impl<H> Driver<H> {
    pub(super) fn has_child(&self) -> bool {
        self.process.is_some()
    }

    /// How long the next start is put off, if there is no child.
    pub(super) fn start_due_in(&self, now: Instant) -> Duration {
        match self.process {
            Some(_) => Duration::ZERO,
            None => self.restarts.delay(now),
        }
    }
}
