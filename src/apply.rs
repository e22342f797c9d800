//! Applies the output of a contract to the state of a node. docs/embedding.md describes what a node does before and
//! after.

use crate::escape::hex;
use crate::messages::{OutputAccount, VmOutput};
use bytes::Bytes;
use num_bigint::{BigInt, BigUint};
use thiserror::Error;

/// The changes of one account. The node creates the account if it does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change<'a> {
    /// Its address.
    pub address: &'a Bytes,
    /// To be added to its balance; may be negative.
    pub balance_delta: BigInt,
    /// Lower bound of its nonce after the change; 0 sets none.
    pub least_nonce: u64,
    /// Its new code, if it was deployed or upgraded.
    pub code: Option<NewCode<'a>>,
    /// Storage keys and their new values; an empty value deletes. Values that were only read are included, unchanged.
    pub storage: Vec<(&'a Bytes, &'a Bytes)>,
}

/// The code of a contract that was deployed or upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewCode<'a> {
    /// The wasm code.
    pub code: &'a Bytes,
    /// Its metadata; bit 0 of byte 0 marks it as upgradeable.
    pub metadata: &'a Bytes,
}

/// A transfer that asks for more than its value: a call that the node has to make, mostly in another shard. The value is
/// part of the account's [`Change`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transfer<'a> {
    /// The address of the recipient.
    pub to: &'a Bytes,
    /// What it carries: a function and its arguments as `function@hex@hex`, or the answer to such a call.
    pub data: &'a Bytes,
    /// The gas of the call, in units, already paid for.
    pub gas_limit: u64,
    /// A [`CallType`](crate::messages::CallType), for [`VmInput::call_type`](crate::messages::VmInput::call_type) of the call.
    pub call_type: i64,
}

/// An output that can't be applied. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The contract failed: its output changes nothing.
    #[error("the contract failed with code {code}: {message:?}")]
    Failed {
        /// The return code.
        code: i64,
        /// The return message.
        message: String,
    },
    /// An output account without a balance delta, which the VM always sets.
    #[error("the output account {} has no balance delta", hex(.0))]
    NoBalanceDelta(Bytes),
    /// The balance deltas do not add up: the VM created or destroyed coins.
    #[error(
        "sum of balance deltas should equal call value. Sum of balance deltas: {sum}. Call value: {value}"
    )]
    DeltaSum {
        /// The sum over all output accounts.
        sum: BigInt,
        /// The value of the transaction.
        value: BigUint,
    },
}

/// Applies a successful output, account by account. `change` is first called to take the value from the sender, which
/// no output does, then for each account of the output. The whole output is checked before the first change. An error
/// of `change` stops at once; changes already made stay.
///
/// `sender` is the account that the transaction takes `value` from; `None` if the coins come from nowhere, as in a reward.
///
/// The node still has to handle the returned transfers and everything that is not a change of an account: gas
/// ([`VmOutput::gas_remaining`], [`VmOutput::gas_refund`]), [`VmOutput::logs`], [`VmOutput::return_data`], who owns a
/// new contract, and who may upgrade one.
pub fn apply<'a, E: From<ApplyError>>(
    sender: Option<&'a Bytes>,
    value: &BigUint,
    output: &'a VmOutput,
    mut change: impl FnMut(Change<'a>) -> Result<(), E>,
) -> Result<Vec<Transfer<'a>>, E> {
    if !output.is_ok() {
        return Err(E::from(ApplyError::Failed {
            code: output.return_code,
            message: output.return_message.clone(),
        }));
    }
    let accounts = || {
        let entries = output.output_accounts.iter();
        entries.filter_map(|entry| entry.value.as_ref())
    };
    let changes = accounts().map(changed).collect::<Result<Vec<_>, _>>()?;
    if let Some(sender) = sender {
        let sum: BigInt = changes.iter().map(|change| &change.balance_delta).sum();
        let taken = BigInt::from(value.clone());
        if sum != taken {
            let value = value.clone();
            return Err(E::from(ApplyError::DeltaSum { sum, value }));
        }
        change(Change {
            address: sender,
            balance_delta: -taken,
            least_nonce: 0,
            code: None,
            storage: Vec::new(),
        })?;
    }
    changes.into_iter().try_for_each(change)?;
    Ok(accounts().filter_map(transfer).collect())
}

fn changed(account: &OutputAccount) -> Result<Change<'_>, ApplyError> {
    let missing = || ApplyError::NoBalanceDelta(account.address.clone());
    let delta = account.balance_delta.as_ref().ok_or_else(missing)?;
    let updates = account.storage_updates.iter();
    let updates = updates.filter_map(|entry| entry.value.as_ref());
    Ok(Change {
        address: &account.address,
        balance_delta: delta.into(),
        least_nonce: account.nonce,
        code: (!account.code.is_empty()).then_some(NewCode {
            code: &account.code,
            metadata: &account.code_metadata,
        }),
        storage: updates
            .map(|update| (&update.offset, &update.data))
            .collect(),
    })
}

fn transfer(account: &OutputAccount) -> Option<Transfer<'_>> {
    (!account.data.is_empty()).then_some(Transfer {
        to: &account.address,
        data: &account.data,
        gas_limit: account.gas_limit,
        call_type: account.call_type,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{BigInt as WireNumber, OutputAccountEntry};

    fn account(address: &'static str, delta: i64) -> OutputAccount {
        OutputAccount {
            address: address.into(),
            balance_delta: Some(WireNumber::from(delta)),
            ..OutputAccount::default()
        }
    }

    fn output(accounts: impl IntoIterator<Item = OutputAccount>) -> VmOutput {
        let entry = |account: OutputAccount| OutputAccountEntry {
            key: account.address.clone(),
            value: Some(account),
        };
        VmOutput {
            output_accounts: accounts.into_iter().map(entry).collect(),
            ..VmOutput::default()
        }
    }

    fn balances(output: &VmOutput, value: u8) -> (Result<usize, ApplyError>, Vec<(Bytes, BigInt)>) {
        let mut seen = Vec::new();
        let sender = Bytes::from("sender");
        let applied = apply(Some(&sender), &value.into(), output, |change| {
            seen.push((change.address.clone(), change.balance_delta));
            Ok(())
        });
        let transfers = applied.map(|transfers| transfers.len());
        (transfers, seen)
    }

    #[test]
    fn the_sender_pays_and_transfers_with_data_are_left() {
        let mut paid = account("a", 7);
        paid.data = "pay@01".into();
        let (transfers, seen) = balances(&output([paid, account("sender", -2)]), 5);
        assert_eq!(transfers, Ok(1));
        let expected = [("sender", -5), ("a", 7), ("sender", -2)];
        assert_eq!(
            seen,
            expected.map(|(name, delta)| (name.into(), delta.into()))
        );
    }

    #[test]
    fn nothing_is_changed_by_what_can_not_be() {
        let failed = VmOutput {
            return_code: 4,
            ..output([account("a", 0)])
        };
        let mut no_delta = account("b", 0);
        no_delta.balance_delta = None;
        for output in [
            failed,
            output([account("a", 0), no_delta]),
            output([account("a", 1)]),
        ] {
            let (transfers, seen) = balances(&output, 0);
            assert!(transfers.is_err(), "{output:?}");
            assert_eq!(seen, []);
        }
    }
}
