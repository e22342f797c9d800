//! Hash functions, as contracts see them.

use ripemd::{Digest as _, Ripemd160};
use sha2::Sha256;
use sha3::Keccak256;
use thiserror::Error;

/// A function that is declared and not implemented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is not implemented")]
pub struct NotImplemented(&'static str);

/// The hash functions that contracts can ask for (docs/spec/host.md#hook).
pub trait CryptoHook: Send {
    /// SHA-256.
    fn sha256(&self, data: &[u8]) -> Vec<u8>;

    /// Keccak-256 as it was before it became SHA-3: with other padding.
    fn keccak256(&self, data: &[u8]) -> Vec<u8>;

    /// RIPEMD-160.
    fn ripemd160(&self, data: &[u8]) -> Vec<u8>;

    /// The signer of a message.
    fn ecrecover(&self, data: &[u8]) -> Result<Vec<u8>, NotImplemented>;
}

/// The hash functions themselves.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hashes;

impl CryptoHook for Hashes {
    fn sha256(&self, data: &[u8]) -> Vec<u8> {
        Sha256::digest(data).to_vec()
    }

    fn keccak256(&self, data: &[u8]) -> Vec<u8> {
        Keccak256::digest(data).to_vec()
    }

    fn ripemd160(&self, data: &[u8]) -> Vec<u8> {
        Ripemd160::digest(data).to_vec()
    }

    fn ecrecover(&self, _data: &[u8]) -> Result<Vec<u8>, NotImplemented> {
        Err(NotImplemented("ecrecover"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn hashes_of_the_empty_text() {
        assert_eq!(
            hex(&Hashes.sha256(b"")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        // The legacy padding; SHA3-256 would be a7ffc6f8...
        assert_eq!(
            hex(&Hashes.keccak256(b"")),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(
            hex(&Hashes.ripemd160(b"")),
            "9c1185a5c5e9fc54612808977ee8f548b2258d31"
        );
    }
}
