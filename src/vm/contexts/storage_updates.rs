//! Storage values of an account that a run has read or written.

use bytes::Bytes;
use foldhash::fast::RandomState;
use indexmap::IndexMap;
use indexmap::map::{Entry, VacantEntry};
use std::sync::Arc;

/// By key.
type Values = IndexMap<Bytes, Bytes, RandomState>;

/// Values by key. A tree of keys compares a key with ten others to find it; contracts read and write hundreds. The hash only finds:
/// what comes out is sorted. Its seed is another one in each process, so that keys with equal hashes
/// can't be made in advance; contracts see neither hashes nor time.
///
/// Each nested execution sets a copy aside. Copies share their values until one of them is to have a new key or value, as most
/// executions write to few accounts. `None` is empty: most accounts have no storage.
#[derive(Debug, Clone, Default)]
pub struct StorageUpdates(Option<Arc<Values>>);

/// The place of a key.
pub enum Place<'a> {
    /// It has this value.
    Taken(&'a Bytes),
    /// It has none.
    Free(VacantEntry<'a, Bytes, Bytes>),
}

impl StorageUpdates {
    /// The value of a key, or where one can be set: to look once is enough, except where a copy shares the values.
    pub fn place_of(&mut self, key: Bytes) -> Place<'_> {
        let values = self.0.get_or_insert_default();
        if Arc::get_mut(values).is_none()
            && let Some(place) = values.get_index_of(&key)
        {
            return Place::Taken(&values[place]);
        }
        match Arc::make_mut(values).entry(key) {
            Entry::Occupied(entry) => Place::Taken(entry.into_mut()),
            Entry::Vacant(entry) => Place::Free(entry),
        }
    }

    /// Sets the value of a key.
    pub fn insert(&mut self, key: Bytes, value: Bytes) {
        Arc::make_mut(self.0.get_or_insert_default()).insert(key, value);
    }

    /// Takes over the values of a later state; what that does not know stays.
    pub fn merge(&mut self, later: StorageUpdates) {
        match (&mut self.0, later.0) {
            (_, None) => {}
            (_, Some(later)) if later.is_empty() => {}
            (ours @ None, later) => *ours = later,
            (Some(ours), Some(later)) if Arc::ptr_eq(ours, &later) => {}
            (Some(ours), Some(later)) => Arc::make_mut(ours).extend(Arc::unwrap_or_clone(later)),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |values| values.len())
    }

    /// In the order of the bytes of the keys.
    pub fn into_sorted(self) -> impl ExactSizeIterator<Item = (Bytes, Bytes)> {
        let values = self.0.map(Arc::unwrap_or_clone).unwrap_or_default();
        values.sorted_unstable_by(|one, _, other, _| one.cmp(other))
    }
}

impl FromIterator<(Bytes, Bytes)> for StorageUpdates {
    fn from_iter<I: IntoIterator<Item = (Bytes, Bytes)>>(updates: I) -> StorageUpdates {
        StorageUpdates(Some(Arc::new(updates.into_iter().collect())))
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
            let mut merged = StorageUpdates::default();
            merged.merge(updates.iter().cloned().collect());
            for found in [inserted, placed, merged, updates.into_iter().collect()] {
                prop_assert_eq!(found.len(), expected.len());
                prop_assert!(found.into_sorted().eq(expected.clone()));
            }
        }

        /// A copy that shares values is as good as one that has its own.
        #[test]
        fn copies_do_not_change_each_other(
            steps in prop::collection::vec((0..4_u8, 0..3_usize, 0..3_usize, 0..6_u8), 0..60),
        ) {
            let mut states = [const { StorageUpdates(None) }; 3];
            let mut expected: [BTreeMap<Bytes, Bytes>; 3] = Default::default();
            for (number, (step, one, other, key)) in (0_u8..).zip(steps) {
                let (key, value) = (Bytes::from(vec![key]), Bytes::from(vec![number]));
                match step {
                    0 => {
                        states[one] = states[other].clone();
                        expected[one] = expected[other].clone();
                    }
                    1 => {
                        let later = states[other].clone();
                        states[one].merge(later);
                        let later = expected[other].clone();
                        expected[one].extend(later);
                    }
                    2 => {
                        states[one].insert(key.clone(), value.clone());
                        expected[one].insert(key, value);
                    }
                    _ => match states[one].place_of(key.clone()) {
                        Place::Taken(found) => prop_assert_eq!(Some(found), expected[one].get(&key)),
                        Place::Free(place) => {
                            place.insert(value.clone());
                            prop_assert_eq!(expected[one].insert(key, value), None);
                        }
                    },
                }
            }
            for (state, expected) in states.into_iter().zip(expected) {
                prop_assert!(state.into_sorted().eq(expected));
            }
        }
    }
}
