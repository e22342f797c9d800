//! Hashes (docs/spec/eei.md#hashes).

use super::call::{Call, HostResult};
use super::table::host_functions;
use crate::vm::effort::hash_steps;

host_functions! {
    namespace "env", costs CryptoAPICost;

    /// SHA-256 of a range of the memory.
    "sha256" => sha256(data_offset: i32, length: i32, result_offset: i32) -> i32, gas SHA256;
    /// Legacy Keccak-256. Its own key is never charged (docs/spec/README.md#quirk-6).
    "keccak256" => keccak256(data_offset: i32, length: i32, result_offset: i32) -> i32, gas SHA256;
}

impl Call<'_> {
    fn sha256(&mut self, data_offset: i32, length: i32, result_offset: i32) -> HostResult<i32> {
        let data = self.load(data_offset, length)?;
        self.spend(hash_steps(data.len()))?;
        let hash = self.contexts().crypto.sha256(&data);
        self.store(result_offset, &hash)?;
        Ok(0)
    }

    fn keccak256(&mut self, data_offset: i32, length: i32, result_offset: i32) -> HostResult<i32> {
        let data = self.load(data_offset, length)?;
        self.spend(hash_steps(data.len()))?;
        let hash = self.contexts().crypto.keccak256(&data);
        self.store(result_offset, &hash)?;
        Ok(0)
    }
}
