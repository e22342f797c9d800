//! Addresses that wait for the next memory.
//!
//! To reserve addresses, to make the first pages in them and the tables of these pages, and to give all that back took 20 of the 29
//! microseconds of a fresh instance. So an instance that is dropped leaves its addresses, with as many pages as are quickly cleared.

use std::sync::{Mutex, PoisonError};

use ::wasmer::sys::vm::MemoryError;

use super::unchecked_addresses::Addresses;

/// As many wait as a run can need at a time, whose calls are nested.
const MOST_IDLE: usize = 10;

/// Addresses that no memory has. All that is accessible in them reads as zeros.
#[derive(Debug, Default)]
pub(super) struct IdleAddresses(Mutex<Vec<Addresses>>);

impl IdleAddresses {
    /// Addresses for a memory of `bytes` now, which reserves `reserved`.
    pub(super) fn take(&self, bytes: usize, reserved: usize) -> Result<Addresses, MemoryError> {
        let idle = self.with(|idle| {
            // With another size their protection must be changed.
            let same = idle.iter().rposition(|idle| idle.accessible() == bytes);
            match same {
                Some(index) => Some(idle.swap_remove(index)),
                None => idle.pop(),
            }
        });
        idle.map_or_else(|| Addresses::reserve(reserved), Ok)
    }

    /// Keeps what a memory leaves, cleared, or gives it back to the system.
    pub(super) fn put(&self, mut addresses: Addresses) {
        if self.with(|idle| idle.len() >= MOST_IDLE) || !addresses.clear() {
            return;
        }
        let too_many = self.with(|idle| {
            if idle.len() >= MOST_IDLE {
                return Some(addresses);
            }
            idle.push(addresses);
            None
        });
        drop(too_many);
    }

    /// Gives everything back to the system.
    pub(super) fn drop_all(&self) {
        drop(self.with(std::mem::take));
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.with(|idle| idle.len())
    }

    fn with<R>(&self, use_idle: impl FnOnce(&mut Vec<Addresses>) -> R) -> R {
        // Nothing in here can panic halfway.
        use_idle(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
