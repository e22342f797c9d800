//! A child that is told whole messages, for those who replay what another node has said.

use super::budget::Budget;
use super::process::Process;
use super::{CriticalError, Driver, DriverConfig, Fault};
use crate::dialogue::Received;
use crate::hooks::{BlockchainHook, HookError, HookResult};
use crate::messages::{Account, Message};
use bytes::Bytes;
use std::time::Instant;

/// A child without a driver. Dropping it ends it.
pub(crate) struct RawChild {
    process: Process,
}

impl RawChild {
    /// Starts a child and waits for its first answer.
    pub(crate) fn start(config: &DriverConfig) -> Result<RawChild, CriticalError> {
        let mut driver = Driver::new(config.clone(), NoHook)?;
        let process = driver.process.take();
        Ok(RawChild {
            process: *process.expect("a driver that was made has a child"),
        })
    }

    /// Sends a message that the dialogue allows now.
    pub(crate) fn send(
        &mut self,
        message: &Message,
        error_message: &str,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let budget = Budget::until(deadline);
        let messenger = &mut self.process.messenger;
        let sent = messenger.send_message(error_message, message, Some(deadline));
        sent.map_err(|error| Fault::sending(error, budget.whole))
    }

    /// Waits for the next message of the child.
    pub(crate) fn receive(&mut self, deadline: Instant) -> Result<Received, Fault> {
        let budget = Budget::until(deadline);
        let received = self.process.messenger.receive(Some(deadline));
        let received = received.map_err(|error| Fault::receiving(error, budget.whole))?;
        budget.check()?;
        Ok(received)
    }

    /// Ends a child that has failed.
    pub(crate) fn end(self, fault: Fault) -> CriticalError {
        let exit = Some(Box::new(self.process.end(&fault)));
        CriticalError { fault, exit }
    }
}

/// A child that is only being started asks nothing.
struct NoHook;

fn nothing<T>() -> HookResult<T> {
    Err(HookError::Fatal(
        "a hook call before the first request".into(),
    ))
}

impl BlockchainHook for NoHook {
    fn new_address(&mut self, _: &[u8], _: u64, _: &[u8]) -> HookResult<Bytes> {
        nothing()
    }

    fn storage_data(&mut self, _: &[u8], _: &[u8]) -> HookResult<Option<Bytes>> {
        nothing()
    }

    fn user_account(&mut self, _: &[u8]) -> HookResult<Option<Account>> {
        nothing()
    }
}
