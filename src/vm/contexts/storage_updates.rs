//! Storage values of an account that a run has read or written.

use bytes::Bytes;
use indexmap::IndexMap;

/// Values by key. A tree of keys compares a key with ten others to find it; contracts read and write hundreds. The hash only finds:
/// what comes out is sorted.
#[derive(Debug, Clone, Default)]
pub struct StorageUpdates(IndexMap<Bytes, Bytes>);

impl StorageUpdates {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&Bytes> {
        self.0.get(key)
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
            let mut extended = StorageUpdates::default();
            extended.extend(updates.iter().cloned());
            for found in [inserted, extended, updates.into_iter().collect()] {
                for (key, value) in &expected {
                    prop_assert_eq!(found.get(key), Some(value));
                }
                prop_assert!(found.into_sorted().eq(expected.clone()));
            }
        }
    }
}
