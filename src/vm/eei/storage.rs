//! The contract's storage (docs/spec/eei.md#base-functions, docs/spec/host.md#storage).

use super::call::{Call, HostResult, as_size};
use super::table::host_functions;
use crate::messages::null::not_null;
use crate::vm::contexts::big_int::{from_unsigned_bytes, low_i64, unsigned_bytes};
use crate::vm::effort::linear_steps;
use bytes::Bytes;

/// What follows a key in the key of its lock.
const LOCK_SUFFIX: &[u8] = b"timelock";

host_functions! {
    namespace "env", costs Kalyan3104APICost;

    /// Stores a value; returns what that did.
    "storageStore" => storage_store(
        key_offset: i32, key_length: i32, data_offset: i32, data_length: i32,
    ) -> i32, gas StorageStore;
    /// The length of a stored value.
    "storageLoadLength" => storage_load_length(key_offset: i32, key_length: i32) -> i32, gas StorageLoad;
    /// Copies a stored value; returns its length.
    "storageLoad" => storage_load(key_offset: i32, key_length: i32, data_offset: i32) -> i32, gas StorageLoad;
    /// The time until which a key is locked. Nothing enforces locks.
    "getStorageLock" => get_storage_lock(key_offset: i32, key_length: i32) -> i64, gas StorageLoad;
    /// Locks a key.
    "setStorageLock" => set_storage_lock(key_offset: i32, key_length: i32, time: i64) -> i32, gas Int64StorageStore;
    /// Whether the time until which a key is locked is still to come.
    "isStorageLocked" => is_storage_locked(key_offset: i32, key_length: i32) -> i32, gas StorageLoad;
    /// Unlocks a key.
    "clearStorageLock" => clear_storage_lock(key_offset: i32, key_length: i32) -> i32, gas Int64StorageStore;
    /// Stores the absolute value of a number (docs/spec/README.md#quirk-8).
    "int64storageStore" => int64_storage_store(
        key_offset: i32, key_length: i32, value: i64,
    ) -> i32, gas Int64StorageStore;
    /// A stored unsigned number, or its low 64 bits.
    "int64storageLoad" => int64_storage_load(key_offset: i32, key_length: i32) -> i64, gas Int64StorageLoad;
}

impl Call<'_> {
    /// Writes a value; returns the status as contracts see it.
    pub(super) fn write_storage(&mut self, key: &Bytes, value: Bytes) -> HostResult<i32> {
        let contexts = self.host.contexts();
        let status = contexts.store_storage(self.instance, key, not_null(value))?;
        Ok(status as i32)
    }

    /// Reads a value at a key in memory.
    pub(super) fn read_storage(&mut self, key_offset: i32, key_length: i32) -> HostResult<Bytes> {
        let key = self.load(key_offset, key_length)?;
        Ok(self.contexts().load_storage(&key)?)
    }

    fn storage_store(
        &mut self,
        key_offset: i32,
        key_length: i32,
        data_offset: i32,
        data_length: i32,
    ) -> HostResult<i32> {
        let key = self.load(key_offset, key_length)?;
        let data = self.load(data_offset, data_length)?;
        self.write_storage(&key, data)
    }

    fn storage_load_length(&mut self, key_offset: i32, key_length: i32) -> HostResult<i32> {
        Ok(as_size(self.read_storage(key_offset, key_length)?.len()))
    }

    fn storage_load(
        &mut self,
        key_offset: i32,
        key_length: i32,
        data_offset: i32,
    ) -> HostResult<i32> {
        let value = self.read_storage(key_offset, key_length)?;
        self.charge_copied_bytes(value.len() as u64);
        self.store(data_offset, &value)?;
        Ok(as_size(value.len()))
    }

    fn lock_key(&mut self, key_offset: i32, key_length: i32) -> HostResult<Bytes> {
        let key = self.load(key_offset, key_length)?;
        self.spend(linear_steps(key.len() as u64))?;
        Ok([&key, LOCK_SUFFIX].concat().into())
    }

    fn get_storage_lock(&mut self, key_offset: i32, key_length: i32) -> HostResult<i64> {
        let key = self.lock_key(key_offset, key_length)?;
        let value = self.contexts().load_storage(&key)?;
        Ok(low_i64(&from_unsigned_bytes(&value)))
    }

    fn set_storage_lock(&mut self, key_offset: i32, key_length: i32, time: i64) -> HostResult<i32> {
        let key = self.lock_key(key_offset, key_length)?;
        self.write_storage(&key, unsigned_bytes(&time.into()).into())
    }

    fn is_storage_locked(&mut self, key_offset: i32, key_length: i32) -> HostResult<i32> {
        let lock = self.get_storage_lock(key_offset, key_length)?;
        if lock < 0 {
            return Ok(-1);
        }
        let cost = self.contexts().schedule.Kalyan3104APICost.GetBlockTimeStamp;
        self.charge(cost);
        let now = self.current_time_stamp()? as i64;
        Ok(i32::from(lock > now))
    }

    fn clear_storage_lock(&mut self, key_offset: i32, key_length: i32) -> HostResult<i32> {
        self.set_storage_lock(key_offset, key_length, 0)
    }

    fn int64_storage_store(
        &mut self,
        key_offset: i32,
        key_length: i32,
        value: i64,
    ) -> HostResult<i32> {
        let key = self.load(key_offset, key_length)?;
        self.write_storage(&key, unsigned_bytes(&value.into()).into())
    }

    fn int64_storage_load(&mut self, key_offset: i32, key_length: i32) -> HostResult<i64> {
        let value = self.read_storage(key_offset, key_length)?;
        Ok(low_i64(&from_unsigned_bytes(&value)))
    }
}
