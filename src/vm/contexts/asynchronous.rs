//! Asynchronous calls that are to be made. Those of the old style end the function that makes them; promises are registered
//! while a contract runs and made when it has ended (docs/spec/host.md#asynccall, #promises).

use crate::vm::effort::{PROMISED_CALL_STEPS, hash_steps};
use bytes::Bytes;

/// An asynchronous call of the old style, which ends the function that makes it.
#[derive(Debug, Clone, Default)]
pub struct AsyncCall {
    pub destination: Bytes,
    pub data: Bytes,
    pub gas_limit: u64,
    /// Unsigned, big-endian.
    pub value: Bytes,
}

/// The state of a promise. The numbers are those of the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PromiseStatus {
    /// Not made yet, or not answered.
    #[default]
    Pending = 0,
    /// Answered, its callback was called.
    Resolved = 1,
    /// Failed, its callback was called.
    Rejected = 2,
}

/// One call.
#[derive(Debug, Clone, Default)]
pub struct Promise {
    pub status: PromiseStatus,
    pub destination: Bytes,
    pub data: Bytes,
    /// What the call is given: computed from what was asked for.
    pub gas_limit: u64,
    /// Unsigned, big-endian.
    pub value: Bytes,
    pub success_callback: Bytes,
    pub error_callback: Bytes,
    /// What the contract asked for; 0 for a share of what is left.
    pub provided_gas: u64,
}

/// Calls that belong together.
#[derive(Debug, Clone, Default)]
pub struct PromiseGroup {
    pub identifier: Bytes,
    /// Never called (docs/spec/README.md#quirk-39).
    pub callback: Bytes,
    pub calls: Vec<Promise>,
}

/// The promises of an execution, in the order of their registration. (The reference's order is random.)
#[derive(Debug, Clone, Default)]
pub struct Promises {
    /// Who called the contract that made them.
    pub caller: Bytes,
    /// Never set by the reference, but read from what is stored.
    pub return_data: Bytes,
    pub groups: Vec<PromiseGroup>,
}

impl Promises {
    /// The group with this identifier.
    pub fn group(&mut self, identifier: &[u8]) -> Option<&mut PromiseGroup> {
        self.groups
            .iter_mut()
            .find(|group| group.identifier == identifier)
    }

    /// Registers a call.
    pub fn add(&mut self, identifier: Bytes, promise: Promise) {
        if let Some(group) = self.group(&identifier) {
            group.calls.push(promise);
            return;
        }
        self.groups.push(PromiseGroup {
            identifier,
            callback: Bytes::new(),
            calls: vec![promise],
        });
    }

    /// The steps to ask where the destinations are, and to read or store what the calls carry (docs/spec/eei.md#limit-of-work).
    pub fn steps_to_process(&self) -> u64 {
        let groups = self.groups.iter().map(|group| {
            let calls = group.calls.iter().map(|call| {
                let texts = [&call.data, &call.success_callback, &call.error_callback];
                PROMISED_CALL_STEPS + hash_steps(texts.iter().map(|text| text.len()).sum())
            });
            hash_steps(group.identifier.len()) + calls.sum::<u64>()
        });
        groups.sum()
    }

    /// All calls.
    pub fn calls(&self) -> impl Iterator<Item = &Promise> {
        self.groups.iter().flat_map(|group| &group.calls)
    }

    /// All calls.
    pub fn calls_mut(&mut self) -> impl Iterator<Item = &mut Promise> {
        self.groups.iter_mut().flat_map(|group| &mut group.calls)
    }

    /// Those that are pending, in groups that have some.
    pub fn pending(&self) -> Promises {
        let mut pending = self.clone();
        for group in &mut pending.groups {
            group
                .calls
                .retain(|call| call.status == PromiseStatus::Pending);
        }
        pending.groups.retain(|group| !group.calls.is_empty());
        pending
    }

    /// Where the first call to `destination` is, as group and call. A group without an identifier is never found
    /// (quirk).
    pub fn position_of(&self, destination: &[u8]) -> Option<(usize, usize)> {
        let named = self.groups.iter().enumerate();
        named
            .filter(|(_, group)| !group.identifier.is_empty())
            .find_map(|(index, group)| {
                let call = group
                    .calls
                    .iter()
                    .position(|call| call.destination == destination)?;
                Some((index, call))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_promises_carry_takes_steps_where_it_is_long() {
        let promise = |data: usize, callback: usize| Promise {
            data: vec![0; data].into(),
            success_callback: vec![b'f'; callback].into(),
            ..Promise::default()
        };
        let mut promises = Promises::default();
        assert_eq!(promises.steps_to_process(), 0);
        promises.add("short".into(), promise(1000, 24));
        assert_eq!(promises.steps_to_process(), 8192);
        promises.add("short".into(), promise(1000, 25));
        promises.add(vec![0; 2000].into(), promise(0, 0));
        let long = 4 * 1025 + 4 * 2000;
        assert_eq!(promises.steps_to_process(), 3 * 8192 + long);
    }
}
