//! The node's side: a [`Driver`] starts the child, sends it requests to run contracts, and answers its hook calls
//! (docs/spec/wire.md#process, #dialogue, #driver).
//!
//! | file | what |
//! |---|---|
//! | `mod.rs` | the driver and its requests |
//! | `children` | one child at a time to serve them: its start, its end |
//! | `process` | a child that serves: its pipes, its first messages, its end |
//! | `ready`, `mismatch` | what a child reports about itself, and what is required of it |
//! | `child`, `exit` | the process itself: what it inherits, how it ended |
//! | `as_user` | the same, started as another user |
//! | `limits`, `oom` | what memory a child may take, and whether it was killed for it |
//! | `supervisor` | when a child that died is started again |
//! | `handle`, `stats` | what other threads may do and see meanwhile |
//! | `raw` | a child that is told whole messages, for replays |
//! | `recorder` | what both sides say, in files |
//! | `pool` | several drivers for parallel queries |
//! | `read_ahead` | answers that are sent before they are asked for |
//! | `traces` | what contracts do, as the child tells it |
//! | `pins` | code that children compile ahead and keep |
//! | `dialogue_loop`, `budget` | request, hook calls, answer; within their time |
//! | `hook_calls` | answers hook calls with the node's [`BlockchainHook`] |
//! | `logs`, `sinks`, `text_lines` | what the child says |
//! | [`locate`] | where the binary is |
//! | `placement` | one core for both sides |
//! | `error` | what can go wrong |
//!
//! # What a node can rely on
//!
//! - A contract that fails is an `Ok(Ok(output))` with a return code, a VM that fails an `Ok(Err(failure))`, and
//!   everything else a [`CriticalError`], after which the next request gets a fresh child.
//! - No request takes more of the child's time than its budget, whatever the child does, with the start of a new child if
//!   it needs one. Time in the node's hooks does not count; ending a broken child may add up to 0.3 s.
//!   A start that takes longer goes on for the next request, and has [`DriverConfig::start_time`] in all.
//! - A child that dies is noticed at once during a request, by the next one otherwise. When a driver is dropped, no
//!   process, thread or descriptor is left.
//! - A child that was ended because a request had used up its time is replaced at once. Children that break by themselves
//!   are started ever later ([`CriticalError::retry_after`]), until one serves a request.
//! - What the child writes to stdout and stderr and its log lines are always read, and never fill the node's memory. What it
//!   said before it answered is shown before the request returns the answer.

mod as_user;
pub(crate) mod budget;
mod child;
mod children;
mod config;
pub(crate) mod dialogue_loop;
mod error;
mod exit;
mod handle;
mod hook_calls;
mod limits;
pub mod locate;
mod logs;
mod mismatch;
mod oom;
mod pins;
mod placement;
mod pool;
mod process;
#[cfg(feature = "vm")]
pub(crate) mod raw;
pub(crate) mod read_ahead;
mod ready;
#[cfg(feature = "record")]
mod recorder;
mod sinks;
mod stats;
mod supervisor;
mod text_lines;
mod traces;
#[cfg(test)]
mod transcripts_tests;

pub use crate::messages::codec::DEFAULT_PAYLOAD_LIMIT_BYTES;
pub use config::{DiskCache, DriverConfig, Environment, GAS_PER_MILLISECOND, Sandbox};
pub use error::{BadMessage, Blame, Closed, CriticalError, Fault, ProfileError, StartError};
pub use exit::{ChildExit, ProcessEnd};
pub use handle::DriverHandle;
pub use limits::{ChildLimits, User};
pub use mismatch::Mismatch;
pub use pool::{DriverPool, Lease, PoolConfig, PoolError, PoolStats};
pub use read_ahead::ReadAhead;
pub use sinks::STDERR_TAIL_BYTES;
pub use stats::{DriverStats, Latencies};

// Types within the public errors.
pub use crate::dialogue::{DialogueError, MessengerError};
pub use crate::frame::FrameError;
pub use crate::logs::UnknownLevel;
pub use crate::logs::profile::PatternError;
pub use crate::messages::codec::{Measure, PayloadTooLong};
pub use crate::trace::MalformedTrace;
pub use crate::transport::{Direction, TransportError};

use crate::hooks::BlockchainHook;
use crate::logs::GoDuration;
use crate::machine::Machine;
pub use crate::machine::{Outcome, Pinned, VmFailure};
use crate::messages::*;
use crate::trace::SharedRecorder;
use budget::{Budget, ENDLESS};
use bytes::Bytes;
use handle::Shared;
use pins::Pins;
use process::Process;
use read_ahead::{Carrier, Predictor};
use sinks::LOGGER;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use supervisor::Restarts;
use traces::Traces;
use tracing::{debug, trace};

/// Runs contracts in a child process.
#[derive(Debug)]
pub struct Driver<H> {
    config: DriverConfig,
    hook: H,
    /// Boxed: each request moves it out and back.
    process: Option<Box<Process>>,
    restarts: Restarts,
    /// Why the last child ended or could not be started.
    last_failure: String,
    exits: VecDeque<ChildExit>,
    stats: DriverStats,
    read_ahead: Predictor,
    traces: Traces,
    pins: Pins,
    shared: Arc<Shared>,
    #[cfg(feature = "record")]
    recorder: Option<recorder::Recorder>,
    /// Counts of deploys and calls, for the log.
    deploys: u64,
    calls: u64,
    /// The current action, in the words of the reference's log.
    action: &'static str,
}

impl<H: BlockchainHook> Driver<H> {
    /// Creates a driver and starts a child, so that a broken setup fails at once; the child has the pinned codes of the
    /// configuration. `hook` answers the hook calls of contracts.
    pub fn new(config: DriverConfig, hook: H) -> Result<Driver<H>, CriticalError> {
        let shared = Arc::new(Shared::new(config.log_profile.clone()));
        let mut driver = Driver {
            read_ahead: Predictor::new(config.read_ahead),
            traces: Traces::default(),
            pins: Pins::new(&config.pinned),
            config,
            hook,
            process: None,
            restarts: Restarts::default(),
            last_failure: String::new(),
            exits: VecDeque::new(),
            stats: DriverStats::default(),
            shared,
            #[cfg(feature = "record")]
            recorder: None,
            deploys: 0,
            calls: 0,
            action: "ArwenDriver.startArwen()",
        };
        driver
            .config
            .check()
            .map_err(|fault| driver.critical(fault, None))?;
        #[cfg(feature = "record")]
        driver.start_recorder()?;
        let mut budget = Budget::new(driver.config.start_time);
        // The first start has no budget but `start_time`.
        let mut process = driver.start(&Budget::new(ENDLESS))?;
        let (messenger, hook) = (&mut process.messenger, &mut driver.hook);
        if let Err(fault) = driver.pins.send_all(messenger, hook, &mut budget) {
            return Err(driver.fail(process, fault));
        }
        driver.process = Some(process);
        driver.shared.publish(&driver.stats, None);
        Ok(driver)
    }

    /// Deploys a contract.
    pub fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, CriticalError> {
        self.deploys += 1;
        self.action = "RunSmartContractCreate";
        trace!(target: LOGGER, counter = self.deploys, "RunSmartContractCreate");
        let request = ContractDeployRequest {
            create_input: Some(input),
            trace_filter: self.traces.filter(),
            ..Default::default()
        };
        self.contract_request(request)
    }

    /// Calls or upgrades a contract.
    pub fn call(&mut self, input: ContractCallInput) -> Result<Outcome, CriticalError> {
        self.calls += 1;
        self.action = "RunSmartContractCall";
        trace!(
            target: LOGGER,
            counter = self.calls,
            func = input.function,
            sc = &input.recipient_addr[..],
            "RunSmartContractCall"
        );
        let request = ContractCallRequest {
            call_input: Some(input),
            trace_filter: self.traces.filter(),
            ..Default::default()
        };
        self.contract_request(request)
    }

    /// Has the child tell `recorder` what contracts do, from the next request on; `None` ends that. No output depends on it. The
    /// recorder holds the run of the last request, and is empty after a request without an outcome. Returns whether the child can
    /// do it: one in Go can't.
    pub fn trace(&mut self, recorder: Option<SharedRecorder>) -> bool {
        self.traces.record(recorder)
    }

    /// Has the child compile `code` ahead, and keep it compiled however much other code comes; and each child that replaces it.
    /// Returns at once, while the code is compiled in the background. Called again, this tells its present state. The time budget
    /// applies. No output depends on pinned code.
    ///
    /// A child that replaces another one is not sent pinned codes before it has answered its first request. Then it is sent one
    /// before each request, within the time budget of that request. Code that ended two children in a row so is sent no more,
    /// until it is pinned again.
    ///
    /// A child that does not know of pinned code is sent nothing ([`Pinned::Ignored`]); a later child that does is sent the code.
    /// [`Pinned::Invalid`] and [`Pinned::NoRoom`]: the code is not kept.
    pub fn pin(&mut self, code: impl Into<Bytes>) -> Result<Pinned, CriticalError> {
        let code = code.into();
        self.action = "Pin";
        if !self.pins.is_understood() {
            self.pins.keep(code);
            return Ok(Pinned::Ignored);
        }
        let pinned = self.request(pins::request(code.clone(), false), accept_pinned)?;
        self.pins.answered(code, &pinned);
        Ok(pinned)
    }

    /// Ends what [`pin`](Self::pin) or the configuration has begun: the child keeps the code like any other, and later children are
    /// not sent it.
    pub fn unpin(&mut self, code: &[u8]) -> Result<Pinned, CriticalError> {
        self.action = "Unpin";
        let is_known = self.pins.remove(code);
        match self.pins.is_understood() {
            false => Ok(Pinned::Ignored),
            true if is_known && self.process.is_some() => {
                let code = Bytes::copy_from_slice(code);
                self.request(pins::request(code, true), accept_pinned)
            }
            true => Ok(Pinned::Unpinned),
        }
    }

    /// Makes the child wait before it answers, in whole milliseconds, rounded down. Serves as a health check. The time
    /// budget applies.
    pub fn diagnose_wait(
        &mut self,
        wait: Duration,
    ) -> Result<Result<(), VmFailure>, CriticalError> {
        self.action = "DiagnoseWait";
        let milliseconds = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let outcome = |_, error: String| match error.is_empty() {
            true => Ok(Ok(())),
            false => Ok(Err(VmFailure(error))),
        };
        let request = DiagnoseWaitRequest {
            milliseconds,
            ..DiagnoseWaitRequest::default()
        };
        self.request(request, outcome)
    }

    /// Sets the log profile of the current child and of all later ones. On an error the old profile stays.
    pub fn set_log_profile(&mut self, profile: LogProfile) -> Result<(), ProfileError> {
        self.shared.set_log_profile(profile)
    }

    /// Stops the child and shows its last log lines: usually within milliseconds, at most within half a second. A later
    /// request starts another child. Dropping the driver does the same.
    pub fn close(&mut self) {
        self.shared.set_ready(None);
        close(self.process.take());
    }

    /// The exits of the last children that were not closed, the latest last.
    pub fn last_exits(&self) -> impl ExactSizeIterator<Item = &ChildExit> {
        self.exits.iter()
    }

    /// Statistics so far.
    pub fn stats(&self) -> DriverStats {
        self.shared.stats()
    }

    /// Latencies of the answered requests.
    pub fn latencies(&self) -> Latencies {
        self.shared.latencies()
    }

    /// A handle for other threads.
    pub fn handle(&self) -> DriverHandle {
        DriverHandle(self.shared.clone())
    }

    /// The process id of the child; `None` if there is none.
    pub fn child_id(&self) -> Option<u32> {
        self.process.as_deref().map(Process::id)
    }

    /// What the current child reported about itself at its start: version, limits and sandbox in force
    /// (docs/spec/wire.md#ready). `None` if there is no child, or one that reports nothing, such as a child in Go.
    pub fn ready(&self) -> Option<Ready> {
        self.shared.ready()
    }

    /// The hook.
    pub fn hook(&self) -> &H {
        &self.hook
    }

    /// The hook, to change what it answers.
    pub fn hook_mut(&mut self) -> &mut H {
        &mut self.hook
    }

    fn contract_request<R>(&mut self, request: R) -> Result<Outcome, CriticalError>
    where
        R: Carrier<Response = ContractResponse>,
    {
        let traces = self.traces.clone();
        self.request(request, |mut response, error| {
            traces.take(response.trace.take())?;
            outcome(response, error)
        })
    }

    /// Runs one dialogue with a live child. `accept` turns the answer and its error message into a result; if it
    /// refuses them, the child is at fault and is ended.
    fn request<R: Carrier, T>(
        &mut self,
        request: R,
        accept: impl FnOnce(R::Response, String) -> Result<T, Fault>,
    ) -> Result<T, CriticalError> {
        let start = Instant::now();
        self.stats.requests_total += 1;
        let budget = Budget::from(start, self.config.max_loop_time);
        let result = self.dialogue(request, budget, accept);
        let took = start.elapsed();
        trace!(target: LOGGER, request = R::KIND.as_str_name(), duration = %GoDuration(took), "end of dialogue");
        self.shared
            .publish(&self.stats, result.is_ok().then_some(took));
        result
    }

    fn dialogue<R: Carrier, T>(
        &mut self,
        request: R,
        mut budget: Budget,
        accept: impl FnOnce(R::Response, String) -> Result<T, Fault>,
    ) -> Result<T, CriticalError> {
        self.shared.send_profile();
        // Taken out, so that a panic of the hook drops the child, which still waits for an answer.
        let mut process = self.live_process(&budget)?;
        let begun = self.shared.begin(process.id());
        // The first request of a child does not wait for pinned code.
        let has_served = process.has_served();
        let (messenger, hook) = (&mut process.messenger, &mut self.hook);
        let pinned = match has_served {
            true => self.pins.send_next(messenger, hook, &mut budget),
            false => Ok(()),
        };
        let answer = pinned.and_then(|()| {
            self.read_ahead
                .run(messenger, hook, request, &mut budget, &mut self.stats)
        });
        let is_aborted = begun.end();
        match answer.and_then(|(response, error)| accept(response, error)) {
            Ok(result) => {
                process.deliver_output();
                // After the first answer: threads that the child has started by then are not pinned.
                if self.config.share_core {
                    process.share_core();
                }
                process.served();
                self.process = Some(process);
                self.restarts.served();
                Ok(result)
            }
            // Nothing was sent, so the child can be kept.
            Err(fault @ Fault::UnsendableRequest(MessengerError::TooLong(_))) => {
                self.process = Some(process);
                Err(self.critical(fault, None))
            }
            Err(_) if is_aborted => Err(self.fail(process, Fault::Aborted)),
            Err(fault) => Err(self.fail(process, fault)),
        }
    }
}

impl<H: BlockchainHook> Machine for Driver<H> {
    /// Not fatal for the driver: the next request gets a fresh child.
    type Fatal = CriticalError;

    fn deploy(&mut self, input: ContractCreateInput) -> Result<Outcome, CriticalError> {
        Driver::deploy(self, input)
    }

    fn call(&mut self, input: ContractCallInput) -> Result<Outcome, CriticalError> {
        Driver::call(self, input)
    }

    fn trace(&mut self, recorder: Option<SharedRecorder>) -> bool {
        Driver::trace(self, recorder)
    }

    fn pin(&mut self, code: Bytes) -> Result<Pinned, CriticalError> {
        Driver::pin(self, code)
    }

    fn unpin(&mut self, code: &[u8]) -> Result<Pinned, CriticalError> {
        Driver::unpin(self, code)
    }
}

impl<H> Drop for Driver<H> {
    fn drop(&mut self) {
        self.shared.set_ready(None);
        close(self.process.take());
    }
}

fn close(process: Option<Box<Process>>) {
    if let Some(process) = process {
        process.close();
        debug!(target: LOGGER, "arwen is closed");
    }
}

/// Converts the answer to a request that pins or unpins code.
fn accept_pinned(response: DiagnoseWaitResponse, error: String) -> Result<Pinned, Fault> {
    Ok(pins::state(response, error))
}

/// Converts the answer to a contract request.
fn outcome(response: ContractResponse, error: String) -> Result<Outcome, Fault> {
    match response.vm_output {
        _ if !error.is_empty() => Ok(Err(VmFailure(error))),
        Some(output) => Ok(Ok(output)),
        None => Err(Fault::BadMessage(BadMessage::Empty)),
    }
}
