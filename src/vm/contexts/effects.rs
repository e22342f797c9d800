//! What an execution adds to the output: transfers, events, failures (docs/spec/host.md#transfer, #logs, #return-codes).

use super::Contexts;
use super::output::OutputState;
use crate::messages::{LogEntry, ReturnCode};
use crate::trace::{Effect, Transfer};
use crate::vm::effort::linear_steps;
use crate::vm::error::{Broken, ExecutionError, Failure};
use bytes::Bytes;
use num_bigint::{BigInt, Sign};

impl Contexts {
    /// TRANSFER: moves `value` between the output accounts, and `data` with it (docs/spec/host.md#transfer).
    pub fn transfer(
        &mut self,
        destination: &Bytes,
        sender: &Bytes,
        gas_limit: u64,
        value: &BigInt,
        data: &[u8],
    ) -> Result<(), Failure> {
        if value.sign() == Sign::Minus {
            return Err(ExecutionError::NegativeTransfer.into());
        }
        if self.balance(sender)? < *value {
            return Err(ExecutionError::InsufficientFunds.into());
        }
        let steps = linear_steps(data.len() as u64);
        self.effort.spend(steps).map_err(Broken::from)?;
        self.output.account(sender).balance_delta -= value;
        let receiver = self.output.account(destination);
        receiver.balance_delta += value;
        receiver.gas_limit = gas_limit;
        if !data.is_empty() {
            receiver.add_data(data);
        }
        // Every nested call moves a value, mostly 0.
        if value.sign() == Sign::Plus || !data.is_empty() || gas_limit > 0 {
            self.tell_effect(|| {
                Effect::Transfer(Transfer {
                    from: sender.clone(),
                    to: destination.clone(),
                    value: value.clone(),
                    data: data.into(),
                    gas_limit,
                })
            });
        }
        Ok(())
    }

    /// Emits an event of the current contract, unless in read-only mode. The first topic is its identifier.
    pub fn write_log(&mut self, topics: Vec<Bytes>, data: Bytes) {
        if self.current_call().read_only {
            return;
        }
        let address = self.current_call().address.clone();
        self.tell_effect(|| Effect::Log {
            address: address.clone(),
            topics: topics.clone(),
            data: data[..].into(),
        });
        // Without topics the reference sets neither of the two.
        let null_lists = match topics.is_empty() {
            true => LogEntry::ALL_LISTS,
            false => 0,
        };
        let mut topics = topics.into_iter();
        self.output.logs.push(LogEntry {
            identifier: topics.next().unwrap_or_default(),
            address,
            topics: topics.collect(),
            data,
            null_lists,
        });
    }

    /// Makes the output tell of an error in a host function.
    pub fn note_failure(&mut self, error: &ExecutionError) {
        self.output.return_code = i64::from(ReturnCode::ExecutionFailed as i32);
        self.output.return_message = error.to_string().into();
    }

    /// The output of a run that failed: nothing but the reason (docs/spec/host.md#output).
    pub fn failure_output(&self, error: &ExecutionError) -> OutputState {
        OutputState {
            return_code: i64::from(error.return_code() as i32),
            return_message: self.output.message_for(error),
            gas_remaining: self.gas_locked,
            ..OutputState::default()
        }
    }
}
