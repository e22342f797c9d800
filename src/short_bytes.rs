//! Short byte strings that share an allocation.

use bytes::{Bytes, BytesMut};

/// Longer strings have an allocation of their own, in bytes: a string that is kept keeps the whole allocation.
pub(crate) const SHORT: usize = 128;

/// The most bytes of an allocation.
const LONGEST_CHUNK: usize = 4096;

/// Makes byte strings. Contracts read hundreds of keys and addresses in a run: an allocation for each takes longer than to copy it.
#[derive(Debug)]
pub(crate) struct ShortBytes {
    room: BytesMut,
    /// The length of an allocation, in bytes.
    chunk: usize,
}

impl Default for ShortBytes {
    fn default() -> ShortBytes {
        ShortBytes::in_chunks(LONGEST_CHUNK)
    }
}

impl ShortBytes {
    /// Makes allocations of so many bytes, but of 128 to 4096.
    pub(crate) fn in_chunks(bytes: usize) -> ShortBytes {
        ShortBytes {
            room: BytesMut::new(),
            chunk: bytes.clamp(SHORT, LONGEST_CHUNK),
        }
    }

    /// A copy of these bytes.
    #[inline]
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.is_empty() || bytes.len() > SHORT {
            return Bytes::copy_from_slice(bytes);
        }
        if self.room.capacity() < bytes.len() {
            self.room.reserve(self.chunk);
        }
        self.room.extend_from_slice(bytes);
        self.room.split().freeze()
    }

    /// So many bytes, which `write` is given as zeros.
    #[cfg(any(feature = "vm", test))]
    pub(crate) fn written(&mut self, length: usize, write: impl FnOnce(&mut [u8])) -> Bytes {
        if length == 0 || length > SHORT {
            let mut bytes = vec![0; length];
            write(&mut bytes);
            return bytes.into();
        }
        let mut bytes = [0; SHORT];
        write(&mut bytes[..length]);
        self.copy(&bytes[..length])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn strings_are_what_they_were_made_of(
            strings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..60),
            dropped in any::<prop::sample::Index>(),
            chunk in 0..10_000_usize,
        ) {
            let mut short = ShortBytes::in_chunks(chunk);
            let mut made = Vec::new();
            for (place, string) in strings.iter().enumerate() {
                made.push((place, short.copy(string)));
                made.push((place, short.written(string.len(), |zeros| {
                    assert!(zeros.iter().all(|byte| *byte == 0));
                    zeros.copy_from_slice(string);
                })));
                if dropped.index(3) == 0 {
                    made.remove(dropped.index(made.len()));
                }
            }
            for (place, string) in made {
                prop_assert_eq!(&string, &strings[place]);
            }
        }
    }
}
