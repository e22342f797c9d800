//! Work of host functions that gas does not bound (docs/spec/eei.md#limit-of-work).

use thiserror::Error;

/// The most steps of a run: about a nanosecond each (`cargo bench --bench limit_of_work`), and no more than as many bytes of results.
pub const EFFORT_LIMIT: u64 = 1 << 30;

/// To go through at most so many bytes is free. Gas bounds how often that is done, and contracts need no longer values: numbers of
/// RSA with 4096 bits have 512.
pub const FREE_BYTES: u64 = 1024;

/// Of an element of a list: about the bytes of its place there.
pub const ELEMENT_STEPS: u64 = 32;

/// Of a registered promise, which is free of gas: about the bytes that it takes until it is made.
pub const PROMISE_STEPS: u64 = 2048;

/// Of an argument in the data of an asynchronous call: to decode it, and its place in the copies of the list.
pub const CALL_ARGUMENT_STEPS: u64 = 128;

/// Of a promise that is processed: about what it takes to ask the node whether the destination has code.
pub const PROMISED_CALL_STEPS: u64 = 8192;

/// Of a copy of an account, and to merge it again.
pub const ACCOUNT_STEPS: u64 = 512;

/// Of a copy of a storage value with its account, and to merge it again.
pub const STORAGE_VALUE_STEPS: u64 = 64;

/// Of a copy of a big integer, besides its bytes.
pub const NUMBER_STEPS: u64 = 64;

/// A run has taken more steps than it may. Ends it, on every machine alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("host functions take more than {EFFORT_LIMIT} steps that gas does not bound")]
pub struct TooMuchEffort;

/// The steps of a run so far, nested executions included.
#[derive(Debug, Clone, Default)]
pub struct Effort(u64);

impl Effort {
    /// A run takes more steps. An error once they are too many.
    pub fn spend(&mut self, steps: u64) -> Result<(), TooMuchEffort> {
        self.0 = self.0.saturating_add(steps);
        match self.0 <= EFFORT_LIMIT {
            true => Ok(()),
            false => Err(TooMuchEffort),
        }
    }
}

/// To go through so many bytes once.
pub fn linear_steps(bytes: u64) -> u64 {
    if bytes <= FREE_BYTES { 0 } else { bytes }
}

/// To hash so many bytes, or to send them to the node as a part of a key.
pub fn hash_steps(bytes: usize) -> u64 {
    4 * linear_steps(bytes as u64)
}

/// To copy a list of so many elements.
pub fn list_steps(elements: usize) -> u64 {
    ELEMENT_STEPS.saturating_mul(elements as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_free() {
        assert_eq!([linear_steps(1024), linear_steps(1025)], [0, 1025]);
        assert_eq!([hash_steps(1024), hash_steps(1025)], [0, 4100]);
    }

    #[test]
    fn steps_add_up_and_end_a_run() {
        let mut effort = Effort::default();
        effort.spend(EFFORT_LIMIT).expect("as much as allowed");
        let error = effort.spend(1).expect_err("too much");
        assert!(error.to_string().contains("1073741824 steps"), "{error}");
        effort.spend(u64::MAX).expect_err("and not forgotten");
    }
}
