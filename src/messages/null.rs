//! Null and empty: Go's nil and empty byte strings, lists and maps.
//!
//! Go encodes a nil byte string, list or map as `null`, and an empty one as `""`, `[]` or `{}`. Readers treat both the
//! same, except in fields that the schema calls `optional`. We keep the difference, so that our frames equal those of
//! the reference byte for byte:
//!
//! - A byte string that is empty is null unless it is [`empty`]. That is equal to every other empty byte string; the
//!   difference is where it stands in memory, which copies of the [`Bytes`] share. Protobuf does not carry it.
//! - A list that is empty is empty unless its message says in `null_lists` that it is null.
//!
//! So a plain Rust value is written as a Go node writes it: a byte string that was never set is null, a list is `[]`.

use bytes::Bytes;

/// The address of the empty byte string that is not null: the middle of this array, so that no adjacent object ends
/// here.
static EMPTY: [u8; 3] = [0; 3];

/// A byte string that is empty and not null.
pub fn empty() -> Bytes {
    Bytes::from_static(&EMPTY[1..1])
}

/// The byte string, which is not null even if it is empty.
pub fn not_null(bytes: impl Into<Bytes>) -> Bytes {
    let bytes = bytes.into();
    if bytes.is_empty() { empty() } else { bytes }
}

/// Whether a byte string is null.
pub(crate) fn is_null(bytes: &Bytes) -> bool {
    bytes.is_empty() && bytes.as_ptr() != EMPTY[1..].as_ptr()
}

/// Whether the field with this number is among the lists that are null.
pub(super) fn is_null_list(null_lists: u32, number: u32) -> bool {
    null_lists >> number & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_stays_empty_in_copies_and_equals_null() {
        for bytes in [
            empty(),
            empty().clone(),
            not_null(Vec::new()),
            empty().slice(..),
        ] {
            assert!(!is_null(&bytes));
            assert_eq!(bytes, Bytes::new());
        }
        let emptied = Bytes::from(vec![7; 100]).slice(50..50);
        for bytes in [Bytes::new(), Bytes::default(), Vec::new().into(), emptied] {
            assert!(is_null(&bytes));
        }
        assert!(!is_null(&not_null(vec![0])));
    }
}
