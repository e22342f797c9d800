//! A byte-bounded LRU cache.

#[cfg(feature = "vm")]
use foldhash::fast::RandomState;
use lru::LruCache;
use std::borrow::Borrow;
use std::hash::Hash;
// The driver alone does without a package for it.
#[cfg(not(feature = "vm"))]
use std::hash::RandomState;

/// Keeps values that together take at most `limit_bytes`; the least recently used go first.
#[derive(Debug)]
pub(crate) struct ByteLru<K: Hash + Eq, V> {
    entries: LruCache<K, Entry<V>, RandomState>,
    limit_bytes: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    bytes: usize,
}

impl<K: Hash + Eq, V> ByteLru<K, V> {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            entries: LruCache::unbounded_with_hasher(RandomState::default()),
            limit_bytes,
            bytes: 0,
        }
    }

    /// The total size of the values, in bytes.
    #[cfg(any(feature = "vm", test))]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The value of a key; does not count as a use.
    pub(crate) fn peek<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.peek(key).map(|entry| &entry.value)
    }

    /// The value of a key; counts as a use.
    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Like [`get`](Self::get), with the size of the value, in bytes.
    #[cfg(feature = "vm")]
    pub(crate) fn get_sized<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<(&V, usize)>
    where
        K: Borrow<Q>,
    {
        self.entries
            .get(key)
            .map(|entry| (&entry.value, entry.bytes))
    }

    /// Like [`get`](Self::get), to change the value.
    pub(crate) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Removes all values.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    /// Inserts a value of size `bytes`, replacing one with the same key. A value larger than the limit is not kept.
    /// Returns the number of evictions.
    pub(crate) fn put(&mut self, key: K, value: V, bytes: usize) -> usize {
        self.remove(&key);
        if bytes > self.limit_bytes {
            return 0;
        }
        self.bytes += bytes;
        self.entries.put(key, Entry { value, bytes });
        self.keep_limit()
    }

    /// Updates the size of the value of a key to `bytes`. Returns the number of evictions.
    pub(crate) fn resize(&mut self, key: &K, bytes: usize) -> usize {
        if let Some(entry) = self.entries.peek_mut(key) {
            self.bytes -= std::mem::replace(&mut entry.bytes, bytes);
            self.bytes += bytes;
        }
        self.keep_limit()
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.bytes -= self.entries.pop(key).map_or(0, |entry| entry.bytes);
    }

    fn keep_limit(&mut self) -> usize {
        let before = self.entries.len();
        while self.bytes > self.limit_bytes
            && let Some((_, oldest)) = self.entries.pop_lru()
        {
            self.bytes -= oldest.bytes;
        }
        before - self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let mut lru = ByteLru::new(10);
        for key in ["a", "b", "c"] {
            assert_eq!(lru.put(key, (), 3), 0);
        }
        assert!(lru.get("a").is_some());
        assert!(lru.peek("b").is_some(), "this is no use");
        assert_eq!(lru.put("d", (), 4), 1);
        assert_eq!(
            ["a", "b", "c", "d"].map(|key| lru.peek(key).is_some()),
            [true, false, true, true]
        );
        assert_eq!(lru.resize(&"d", 7), 1);
        assert_eq!(
            ["a", "c", "d"].map(|key| lru.peek(key).is_some()),
            [true, false, true]
        );
    }

    #[test]
    fn what_is_too_large_by_itself_is_not_kept() {
        let mut lru = ByteLru::new(10);
        lru.put("a", 1, 10);
        assert_eq!(lru.put("b", 2, 11), 0);
        assert_eq!(
            (lru.peek("a"), lru.peek("b"), lru.bytes()),
            (Some(&1), None, 10)
        );
        lru.put("a", 3, 11);
        assert_eq!((lru.peek("a"), lru.bytes()), (None, 0));
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_what_is_there(steps in prop::collection::vec((0..5, 0..6_u8, 0..50_usize), 0..60)) {
            let mut lru = ByteLru::new(100);
            for (step, key, bytes) in steps {
                match step {
                    0 => lru.remove(&key),
                    1 => drop(lru.resize(&key, bytes)),
                    2 => drop(lru.get(&key)),
                    _ => drop(lru.put(key, (), bytes)),
                }
                let sum: usize = lru.entries.iter().map(|(_, entry)| entry.bytes).sum();
                prop_assert_eq!(lru.bytes(), sum);
                prop_assert!(sum <= 100);
            }
        }
    }
}
