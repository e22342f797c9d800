//! The state of a world.

use super::history::History;
use crate::scenario::{Account, World};
use bytes::Bytes;
use num_bigint::BigInt;
use std::collections::{BTreeMap, BTreeSet};

/// A world with its past.
#[derive(Debug, Default)]
pub struct State {
    /// Accounts, blocks, and addresses of contracts to come.
    pub world: World,
    /// What was done.
    pub history: History,
}

/// What a transaction has changed of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its address.
    pub address: Bytes,
    /// Whether there was no such account before.
    pub is_new: bool,
    /// Before and after, if it differs.
    pub nonce: Option<(u64, u64)>,
    /// Before and after, if it differs.
    pub balance: Option<(BigInt, BigInt)>,
    /// The length of the new code, if it has any.
    pub code_bytes: Option<usize>,
    /// Keys whose values differ, before and after.
    pub storage: Vec<(Bytes, Bytes, Bytes)>,
}

/// What differs between two states, account by account.
pub fn changes(before: &BTreeMap<Bytes, Account>, after: &BTreeMap<Bytes, Account>) -> Vec<Change> {
    let nothing = Account::default();
    let accounts = after.iter().filter_map(|(address, new)| {
        let found = before.get(address);
        let old = found.unwrap_or(&nothing);
        let keys: BTreeSet<&Bytes> = old.storage.keys().chain(new.storage.keys()).collect();
        let storage = keys.into_iter().filter_map(|key| {
            let (old, new) = (old.storage_value(key), new.storage_value(key));
            (old != new).then(|| (key.clone(), old, new))
        });
        let change = Change {
            address: address.clone(),
            is_new: found.is_none(),
            nonce: (old.nonce != new.nonce).then_some((old.nonce, new.nonce)),
            balance: (old.balance != new.balance)
                .then(|| (old.balance.clone(), new.balance.clone())),
            code_bytes: (old.code != new.code).then_some(new.code.len()),
            storage: storage.collect(),
        };
        let differs = change.is_new
            || change.nonce.is_some()
            || change.balance.is_some()
            || change.code_bytes.is_some()
            || !change.storage.is_empty();
        differs.then_some(change)
    });
    accounts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_those_of_accounts_that_differ() {
        let account = |balance: i64, entries: &[(&'static str, &'static str)]| Account {
            balance: balance.into(),
            storage: { entries.iter() }
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
            ..Account::default()
        };
        let before = BTreeMap::from([
            (
                "a".into(),
                account(1, &[("k", "v"), ("gone", "x"), ("empty", "")]),
            ),
            ("b".into(), account(2, &[])),
        ]);
        let mut after = before.clone();
        after.insert("a".into(), account(0, &[("k", "w"), ("gone", "")]));
        after.insert("c".into(), account(0, &[]));
        let found = changes(&before, &after);
        let [a, c] = &found[..] else {
            panic!("{found:?}");
        };
        assert_eq!(a.balance, Some((1.into(), 0.into())));
        let storage = [("gone", "x", ""), ("k", "v", "w")];
        assert_eq!(
            a.storage,
            storage.map(|(key, old, new)| (key.into(), old.into(), new.into()))
        );
        assert!(c.is_new && !a.is_new && c.storage.is_empty());
    }
}
