//! Storage values of an account that a run has read or written.

use bytes::Bytes;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::{Entry, VacantEntry};

/// Values by key. A tree of keys compares a key with ten others to find it; contracts read and write hundreds. The hash only finds:
/// what comes out is sorted. Its seed is another one in each process, so that keys with equal hashes
/// can't be made in advance; contracts see neither hashes nor time.
#[derive(Debug, Clone, Default)]
pub struct StorageUpdates(IndexMap<Bytes, Bytes, RandomState>);

/// The place of a key.
pub enum Place<'a> {
    /// It has this value.
    Taken(&'a Bytes),
    /// It has none.
    Free(VacantEntry<'a, Bytes, Bytes>),
}

impl StorageUpdates {
    /// The value of a key, or where one can be set: to look once is enough.
    pub fn place_of(&mut self, key: Bytes) -> Place<'_> {
        match self.0.entry(key) {
            Entry::Occupied(entry) => Place::Taken(entry.into_mut()),
            Entry::Vacant(entry) => Place::Free(entry),
        }
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: Bytes, value: Bytes) {
        self.0.insert(key, value);
    }

    /// In the order of the bytes of the keys.
    pub fn into_sorted(self) -> impl ExactSizeIterator<Item = (Bytes, Bytes)> {
        self.0.sorted_unstable_by(|one, _, other, _| one.cmp(other))
    }
}

impl Extend<(Bytes, Bytes)> for StorageUpdates {
    fn extend<I: IntoIterator<Item = (Bytes, Bytes)>>(&mut self, updates: I) {
        self.0.extend(updates);
    }
}

impl FromIterator<(Bytes, Bytes)> for StorageUpdates {
    fn from_iter<I: IntoIterator<Item = (Bytes, Bytes)>>(updates: I) -> StorageUpdates {
        StorageUpdates(updates.into_iter().collect())
    }
}

impl IntoIterator for StorageUpdates {
    type Item = (Bytes, Bytes);
    type IntoIter = indexmap::map::IntoIter<Bytes, Bytes>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn the_last_value_of_each_key_comes_out_sorted(
            updates in prop::collection::vec((prop::collection::vec(0..4_u8, 0..4), 0..9_u8), 0..40),
        ) {
            let updates = updates.into_iter().map(|(key, value)| (Bytes::from(key), Bytes::from(vec![value])));
            let updates: Vec<_> = updates.collect();
            let expected: BTreeMap<Bytes, Bytes> = updates.iter().cloned().collect();
            let mut inserted = StorageUpdates::default();
            for (key, value) in updates.iter().cloned() {
                inserted.insert(key, value);
            }
            let mut placed = StorageUpdates::default();
            for (key, _) in &updates {
                if let Place::Free(place) = placed.place_of(key.clone()) {
                    place.insert(expected[key].clone());
                }
                prop_assert!(matches!(placed.place_of(key.clone()), Place::Taken(value) if *value == expected[key]));
            }
            let mut extended = StorageUpdates::default();
            extended.extend(updates.iter().cloned());
            for found in [inserted, placed, extended, updates.into_iter().collect()] {
                prop_assert!(found.into_sorted().eq(expected.clone()));
            }
        }
    }
}
