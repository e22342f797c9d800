//! The members of a map or set; null means empty.
//!
//! Keys are not decoded: reading gives the bytes of the JSON string, with U+FFFD for bytes that are not UTF-8.

#![allow(
    missing_docs,
    reason = "read, write and is_zero are the same in every module of a field type"
)]

use super::error::JsonError;
use super::escapes::push_escaped;
use super::reader::Reader;
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
    if !ascending && !are_all_different(entries.iter().map(E::key)) {
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
        if are_sorted_texts(entries) {
            for entry in entries {
                out.bytes_member(entry.key(), |out| entry.write_value(out));
            }
            return;
        }
        let names = Names::of_keys(entries);
        if are_all_different(names.iter()) {
            for (entry, name) in entries.iter().zip(names.iter()) {
                out.escaped_member(name, |out| entry.write_value(out));
            }
            return;
        }
        for (entry, name) in entries.iter().zip(&unique_names(entries)) {
            out.named_member(name, |out| entry.write_value(out));
        }
    });
}

/// Whether the keys are UTF-8 and sorted, as Go and we write them, so that no two are equal.
fn are_sorted_texts<E: JsonEntry>(entries: &[E]) -> bool {
    let is_text = |entry: &E| str::from_utf8(entry.key()).is_ok();
    entries.is_sorted_by(|one, next| one.key() < next.key()) && entries.iter().all(is_text)
}

/// The keys of a map as Go writes them, one behind the other.
struct Names {
    all: Vec<u8>,
    ends: Vec<usize>,
}

impl Names {
    fn of_keys<E: JsonEntry>(entries: &[E]) -> Names {
        let mut all = Vec::new();
        let ends = entries.iter().map(|entry| {
            push_escaped(entry.key(), &mut all);
            all.len()
        });
        Names {
            ends: ends.collect(),
            all,
        }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let ranges = starts.zip(&self.ends);
        ranges.map(|(start, end)| &self.all[start..*end])
    }
}

/// Whether no two texts have the same hash, so that they are all different.
fn are_all_different<T: AsRef<[u8]>>(texts: impl Iterator<Item = T>) -> bool {
    let mut hashes: Vec<u64> = texts.map(|text| hash(text.as_ref())).collect();
    hashes.sort_unstable();
    hashes.is_sorted_by(|one, next| one < next)
}

/// A hash of a text, eight bytes at a time. Texts that are made to have equal ones are compared.
fn hash(text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mut hash = text.len() as u64;
    for word in words.iter().chain([&last]) {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 32;
    }
    hash
}

/// The member names: the keys as Go writes them. Of several equal ones, the first keeps the name. To the others `#`
/// and the hex of their bytes are appended, repeatedly until the name is unique.
fn unique_names<E: JsonEntry>(entries: &[E]) -> Vec<String> {
    let texts = entries.iter().map(|entry| bytes_text::go_text(entry.key()));
    let texts: Vec<String> = texts.collect();
    let mut taken: HashSet<String> = texts.iter().cloned().collect();
    let mut first = HashSet::new();
    let names = entries.iter().zip(&texts).map(|(entry, text)| {
        let mut name = text.clone();
        if first.insert(text) {
            return name;
        }
        while !taken.insert(name.clone()) {
            name.push('#');
            for byte in entry.key() {
                write!(name, "{byte:02x}").expect("writing to a String can't fail");
            }
        }
        name
    });
    names.collect()
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

    /// The names under which entries with these keys are written.
    fn names(keys: &[Vec<u8>]) -> Vec<String> {
        let mut text = Vec::new();
        write(&entries(keys), &mut Writer::new(&mut text, false));
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&text).expect("JSON");
        members.keys().cloned().collect()
    }

    #[test]
    fn equal_texts_are_found_wherever_they_are() {
        let names =
            |keys: &[&[u8]]| names(&keys.iter().map(|key| key.to_vec()).collect::<Vec<_>>());
        let name = char::REPLACEMENT_CHARACTER;
        assert_eq!(
            names(&[b"a", b"b", b"\xffa"]),
            ["a", "b", &format!("{name}a")]
        );
        assert_eq!(
            names(&[b"\xfea", b"\xfeb", b"\xffa"]),
            [
                format!("{name}a"),
                format!("{name}a#ff61"),
                format!("{name}b")
            ]
        );
        let keys = [format!("a{name}").into_bytes(), b"a\xff".to_vec()];
        assert_eq!(
            super::tests::names(&keys),
            [format!("a{name}"), format!("a{name}#61ff")]
        );
    }

    proptest! {
        #[test]
        fn every_key_has_a_name_of_its_own(
            keys in proptest::collection::hash_set(
                proptest::collection::vec(prop_oneof![Just(0xff_u8), Just(0xfe), 97..100_u8], 0..12),
                0..8,
            ),
        ) {
            let keys: Vec<Vec<u8>> = keys.into_iter().collect();
            prop_assert_eq!(names(&keys).len(), keys.len());
        }
    }
}
