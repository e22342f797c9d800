//! Compares results and accounts with what a scenario expects of them, in the order of docs/spec/scenarios.md#steps,
//! #expected-results.

use super::model::{AccountCheck, CheckState, Expected, ExpectedLog, ExpectedResult};
use super::show::{Shown, list};
use super::world::{Account, World};
use crate::messages::{LogEntry, VmOutput};
use bytes::Bytes;
use num_bigint::{BigInt, BigUint};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use thiserror::Error;

/// A difference between an expected and an actual value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What is compared, such as `status` or `storage of ...`.
    pub subject: String,
    /// The expected value.
    pub expected: String,
    /// The actual value.
    pub actual: String,
}

/// The first failed comparison. For a storage it has all differences.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Mismatch(pub Vec<Difference>);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, difference) in self.0.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            let Difference {
                subject,
                expected,
                actual,
            } = difference;
            write!(f, "{newline}{subject}")?;
            write!(f, "\n  expected: {expected}\n       got: {actual}")?;
        }
        Ok(())
    }
}

fn differ(
    subject: impl fmt::Display,
    expected: impl fmt::Display,
    actual: impl fmt::Display,
) -> Result<(), Mismatch> {
    Err(Mismatch(vec![Difference {
        subject: subject.to_string(),
        expected: expected.to_string(),
        actual: actual.to_string(),
    }]))
}

/// Compares the result of a transaction.
pub fn result(
    expected: &ExpectedResult,
    actual: &VmOutput,
    checks_gas: bool,
) -> Result<(), Mismatch> {
    if expected.status != BigInt::from(actual.return_code) {
        let actual = match actual.return_message.as_str() {
            "" => actual.return_code.to_string(),
            message => format!("{} ({message})", actual.return_code),
        };
        return differ("status", &expected.status, actual);
    }
    if expected.message != actual.return_message {
        return differ("message", &expected.message, &actual.return_message);
    }
    out(&expected.out, &actual.return_data)?;
    let refund = actual
        .gas_refund
        .as_ref()
        .map_or(BigInt::ZERO, BigInt::from);
    number("refund", &expected.refund, &refund)?;
    if checks_gas && !expected.gas.allows(&actual.gas_remaining) {
        return differ("gas", &expected.gas, actual.gas_remaining);
    }
    match &expected.logs {
        Expected::Anything => Ok(()),
        Expected::Exactly(expected) => logs(expected, &actual.logs),
    }
}

fn out(expected: &[Expected<Bytes>], actual: &[Bytes]) -> Result<(), Mismatch> {
    let allowed = expected.iter().zip(actual);
    if expected.len() == actual.len() && { allowed }
        .all(|(expected, actual)| expected.allows(actual))
    {
        return Ok(());
    }
    let actual = list(actual.iter().map(|value| Shown(value)));
    differ("out", list(expected.iter().map(shown)), actual)
}

fn shown(expected: &Expected<Bytes>) -> Expected<Shown<'_>> {
    match expected {
        Expected::Anything => Expected::Anything,
        Expected::Exactly(bytes) => Expected::Exactly(Shown(bytes)),
    }
}

/// Compares a number. The actual one may be negative, which no scenario can expect.
fn number(
    subject: impl fmt::Display,
    expected: &Expected<BigUint>,
    actual: &BigInt,
) -> Result<(), Mismatch> {
    match expected {
        Expected::Exactly(number) if BigInt::from(number.clone()) != *actual => {
            differ(subject, number, actual)
        }
        _ => Ok(()),
    }
}

fn logs(expected: &[ExpectedLog], actual: &[LogEntry]) -> Result<(), Mismatch> {
    if expected.len() != actual.len() {
        let actual = list(actual.iter().map(|log| Shown(&log.identifier)));
        let expected = list(expected.iter().map(|log| Shown(&log.identifier)));
        return differ("identifiers of the logs", expected, actual);
    }
    for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        let compare = |field: &str, expected: &[u8], actual: &[u8]| match expected == actual {
            true => Ok(()),
            false => differ(
                format_args!("logs[{index}].{field}"),
                Shown(expected),
                Shown(actual),
            ),
        };
        compare("address", &expected.address, &actual.address)?;
        compare("identifier", &expected.identifier, &actual.identifier)?;
        if expected.topics != actual.topics {
            return differ(
                format_args!("logs[{index}].topics"),
                list(expected.topics.iter().map(|topic| Shown(topic))),
                list(actual.topics.iter().map(|topic| Shown(topic))),
            );
        }
        if BigUint::from_bytes_be(&expected.data) != BigUint::from_bytes_be(&actual.data) {
            compare("data", &expected.data, &actual.data)?;
        }
    }
    Ok(())
}

/// Compares the accounts of the world.
pub fn state(expected: &CheckState, world: &World) -> Result<(), Mismatch> {
    if !expected.others_allowed {
        let listed: BTreeSet<_> = expected
            .accounts
            .iter()
            .map(|(address, _)| address)
            .collect();
        if let Some(other) = world.accounts.keys().find(|&key| !listed.contains(key)) {
            return differ(subject(other), "not listed, thus no account", "exists");
        }
    }
    for (address, check) in &expected.accounts {
        match world.accounts.get(address) {
            Some(account) => account_state(address, check, account)?,
            None => return differ(subject(address), "exists", "does not exist"),
        }
    }
    Ok(())
}

fn subject(address: &[u8]) -> String {
    format!("account {}", Shown(address))
}

fn account_state(address: &[u8], check: &AccountCheck, account: &Account) -> Result<(), Mismatch> {
    let subject = |field: &str| format!("{field} of {}", subject(address));
    if !check.nonce.allows(&account.nonce) {
        return differ(subject("nonce"), &check.nonce, account.nonce);
    }
    number(subject("balance"), &check.balance, &account.balance)?;
    if !check.code.allows(&account.code) {
        return differ(subject("code"), shown(&check.code), Shown(&account.code));
    }
    if check.async_call_data != account.async_call_data {
        return differ(
            subject("asyncCallData"),
            Shown(&check.async_call_data),
            Shown(&account.async_call_data),
        );
    }
    match &check.storage {
        Expected::Anything => Ok(()),
        Expected::Exactly(storage) => account_storage(&subject("storage"), storage, account),
    }
}

/// A missing value equals an empty one.
fn account_storage(
    subject: &str,
    expected: &[(Bytes, Bytes)],
    account: &Account,
) -> Result<(), Mismatch> {
    let expected: BTreeMap<_, _> = expected.iter().map(|(key, value)| (key, value)).collect();
    let keys: BTreeSet<_> = expected
        .keys()
        .copied()
        .chain(account.storage.keys())
        .collect();
    let empty = Bytes::new();
    let differences = keys.into_iter().filter_map(|key| {
        let expected = expected.get(key).copied().unwrap_or(&empty);
        let actual = account.storage_value(key);
        (*expected != actual).then(|| Difference {
            subject: format!("{subject}, key {}", Shown(key)),
            expected: Shown(expected).to_string(),
            actual: Shown(&actual).to_string(),
        })
    });
    match Vec::from_iter(differences) {
        none if none.is_empty() => Ok(()),
        differences => Err(Mismatch(differences)),
    }
}

#[cfg(test)]
mod tests;
