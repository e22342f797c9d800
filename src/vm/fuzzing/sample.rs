//! Which inputs are compared on engines that take long. Most are only run, so that more inputs that reach something new
//! are found in the same time; of their variants some are compared.

/// A hash without a seed, so that a finding is found again. Each bit of the input changes half of its bits.
pub fn hash_of(data: &[u8]) -> u64 {
    let hash = blake3::hash(data);
    let (first, _) = hash.as_bytes().split_first_chunk().expect("32 bytes");
    u64::from_le_bytes(*first)
}

/// Whether the input is one of those, of which there is one in so many.
pub fn is_one_in(many: u64, data: &[u8]) -> bool {
    hash_of(data).is_multiple_of(many)
}
