//! The members of a map or set; null means empty.
//!
//! Keys are not decoded: reading gives the bytes of the JSON string, with U+FFFD for bytes that are not UTF-8.

#![allow(
    missing_docs,
    reason = "read, write and is_zero are the same in every module of a field type"
)]

use super::reader::{JsonError, Reader};
use super::writer::Writer;
use super::{JsonEntry, bytes_text};
use std::collections::HashSet;
use std::fmt::Write as _;

pub fn read<E: JsonEntry>(entries: &mut Vec<E>, input: &mut Reader<'_>) -> Result<(), JsonError> {
    if input.null()? {
        entries.clear();
        return Ok(());
    }
    // Go sorts the keys of maps: as long as keys ascend, there are no duplicates. Where they were not UTF-8 they need not.
    let mut ascending = entries.is_empty();
    input.map(|key, input| {
        ascending &= entries.last().is_none_or(|last| *last.key() < key);
        input.element::<E>(entries.len())?;
        let mut entry = E::with_key(key);
        entry.read_value(input)?;
        entries.push(entry);
        Ok(())
    })?;
    if !ascending && !are_all_different(entries, |entry, hash| hash.add(entry.key())) {
        keep_last_of_equal_keys(entries);
    }
    Ok(())
}

fn keep_last_of_equal_keys<E: JsonEntry>(entries: &mut Vec<E>) {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_unstable_by(|a, b| (entries[*a].key(), a).cmp(&(entries[*b].key(), b)));
    let mut overruled = vec![false; entries.len()];
    for pair in order.windows(2) {
        overruled[pair[0]] = entries[pair[0]].key() == entries[pair[1]].key();
    }
    let mut overruled = overruled.into_iter();
    entries.retain(|_| overruled.next() == Some(false));
}

/// Writes keys as Go does, except that member names are unique (docs/spec/wire.md#map-keys).
pub fn write<E: JsonEntry>(entries: &[E], out: &mut Writer<'_>) {
    out.object(|out| {
        if are_keys_unique_as_text(entries) {
            for entry in entries {
                out.bytes_member(entry.key(), |out| entry.write_value(out));
            }
            return;
        }
        for (entry, name) in entries.iter().zip(&unique_names(entries)) {
            out.named_member(name, |out| entry.write_value(out));
        }
    });
}

/// Whether no two keys are equal as Go writes them; false if it is not easy to see.
fn are_keys_unique_as_text<E: JsonEntry>(entries: &[E]) -> bool {
    let is_text = |entry: &E| str::from_utf8(entry.key()).is_ok();
    // Sorted, as Go and we write them, so there are no duplicates.
    if entries.is_sorted_by(|one, next| one.key() < next.key()) && entries.iter().all(is_text) {
        return true;
    }
    are_all_different(entries, |entry, hash| {
        for chunk in entry.key().utf8_chunks() {
            hash.add(chunk.valid().as_bytes());
            for _ in chunk.invalid() {
                hash.add("\u{fffd}".as_bytes());
            }
        }
    })
}

/// Whether no two entries have the same hash, so that they are all different. `add` adds to a hash what makes them so.
fn are_all_different<E>(entries: &[E], add: impl Fn(&E, &mut KeyHash)) -> bool {
    let mut hashes: Vec<u64> = entries
        .iter()
        .map(|entry| {
            let mut hash = KeyHash::default();
            add(entry, &mut hash);
            hash.0
        })
        .collect();
    hashes.sort_unstable();
    hashes.is_sorted_by(|one, next| one < next)
}

/// A hash of bytes, however they are cut into pieces: FNV-1a. Keys that are made to have equal ones are compared.
struct KeyHash(u64);

impl Default for KeyHash {
    fn default() -> KeyHash {
        KeyHash(0xcbf2_9ce4_8422_2325)
    }
}

impl KeyHash {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

/// The member names: the keys as Go writes them. Of several equal ones, the first keeps the name. To the others `#`
/// and the hex of their bytes are appended, repeatedly until the name is unique.
fn unique_names<E: JsonEntry>(entries: &[E]) -> Vec<String> {
    let mut names: Vec<String> = entries
        .iter()
        .map(|entry| bytes_text::go_text(entry.key()))
        .collect();
    let go_names: HashSet<&str> = names.iter().map(String::as_str).collect();
    if go_names.len() == names.len() {
        return names;
    }
    let mut taken: HashSet<String> = go_names.into_iter().map(str::to_owned).collect();
    let mut first = HashSet::new();
    for (entry, name) in entries.iter().zip(&mut names) {
        if first.insert(name.clone()) {
            continue;
        }
        while !taken.insert(name.clone()) {
            name.push('#');
            for byte in entry.key() {
                write!(name, "{byte:02x}").expect("writing to a String can't fail");
            }
        }
    }
    names
}

pub fn is_zero<E>(entries: &[E]) -> bool {
    entries.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::StorageUpdateEntry;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn entries(keys: &[Vec<u8>]) -> Vec<StorageUpdateEntry> {
        let keys = keys.iter().map(|key| Bytes::copy_from_slice(key));
        keys.map(StorageUpdateEntry::with_key).collect()
    }

    fn are_unique(keys: &[&[u8]]) -> bool {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
        are_keys_unique_as_text(&entries(&keys))
    }

    #[test]
    fn equal_texts_are_found_wherever_they_are() {
        assert!(are_unique(&[b"a", b"b", b"\xffa"]));
        assert!(!are_unique(&[b"\xfea", b"\xfeb", b"\xffa"]));
        assert!(!are_unique(&["a\u{fffd}".as_bytes(), b"a\xff"]));
        assert!(!are_unique(&[b"b", b"a", b"b"]));
    }

    proptest! {
        #[test]
        fn only_unique_texts_are_said_to_be_so(
            keys in proptest::collection::vec(
                proptest::collection::vec(prop_oneof![Just(0xff_u8), Just(0xfe), 97..100_u8], 0..4),
                0..8,
            ),
        ) {
            let names: HashSet<String> = keys.iter().map(|key| bytes_text::go_text(key)).collect();
            let is_unique = names.len() == keys.len();
            prop_assert_eq!(are_keys_unique_as_text(&entries(&keys)), is_unique);
        }
    }
}
