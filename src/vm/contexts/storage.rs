//! Storage of contracts, with the output as a cache (docs/spec/host.md#storage).

use super::Contexts;
use super::metering::use_gas;
use super::storage_updates::Place;
use crate::engine::InstanceAccess;
use crate::hooks::BlockchainHook as _;
use crate::messages::null::not_null;
use crate::trace::{Effect, Written};
use crate::vm::effort::hash_steps;
use crate::vm::error::{Broken, ExecutionError, Failure, unless_refused};
use bytes::Bytes;

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageStatus {
    /// The value was there before, or nothing may be written.
    Unchanged = 0,
    /// Another value was there.
    Modified = 1,
    /// Nothing was there.
    Added = 2,
    /// Nothing is there any more.
    Deleted = 3,
}

impl Contexts {
    /// GETSTORAGE: empty for a key without a value. A value that there is, even an empty one, is reported as an update;
    /// for one that there is not, the hook is asked again each time.
    pub fn load_storage(&mut self, key: &Bytes) -> Result<Bytes, Broken> {
        let value = self.stored_value(key)?;
        if self.is_observed() {
            let address = Bytes::clone(&self.storage_address);
            self.tell_effect(|| Effect::Read {
                address,
                key: key[..].into(),
                value: value[..].into(),
            });
        }
        Ok(value)
    }

    fn stored_value(&mut self, key: &Bytes) -> Result<Bytes, Broken> {
        self.effort.spend(hash_steps(key.len()))?;
        let address = &*self.storage_address;
        let updates = &mut self.output.account(address).storage;
        let place = match updates.place_of(not_null(key.clone())) {
            Place::Taken(value) => return Ok(value.clone()),
            Place::Free(place) => place,
        };
        let answer = unless_refused(self.hook.storage_data(address, key))?;
        let Some(value) = answer.flatten() else {
            return Ok(Bytes::new());
        };
        let value = not_null(value);
        place.insert(value.clone());
        Ok(value)
    }

    /// SETSTORAGE: writes at the current storage address; `instance` pays for the bytes.
    pub fn store_storage(
        &mut self,
        instance: &mut dyn InstanceAccess,
        key: &Bytes,
        value: Bytes,
    ) -> Result<StorageStatus, Failure> {
        if key.starts_with(&self.settings.protected_key_prefix) {
            return Err(ExecutionError::ReservedKey.into());
        }
        if self.current_call().read_only {
            return Ok(StorageStatus::Unchanged);
        }
        let old = self.stored_value(key)?;
        let address = Bytes::clone(&self.storage_address);
        let account = self.output.account(&address);
        account.storage.insert(key.clone(), value.clone());
        let used = instance.used_points();
        let status = self.charge_write(instance, &old, &value);
        let gas = instance.used_points().wrapping_sub(used);
        self.tell_effect(|| {
            Effect::Written(Written {
                address,
                key: key[..].into(),
                old: old[..].into(),
                new: value[..].into(),
                gas,
            })
        });
        Ok(status)
    }

    /// Charges the bytes of a value that is written.
    fn charge_write(
        &mut self,
        instance: &mut dyn InstanceAccess,
        old: &[u8],
        new: &[u8],
    ) -> StorageStatus {
        if old == new {
            let cost = self.schedule.BaseOperationCost.DataCopyPerByte;
            use_gas(instance, cost.wrapping_mul(new.len() as u64));
            return StorageStatus::Unchanged;
        }
        self.charge_change(instance, old.len() as u64, new.len() as u64)
    }

    /// Charges or refunds the bytes of a value that takes the place of a different one. A value of the same length is
    /// free (docs/spec/README.md#quirk-21).
    fn charge_change(
        &mut self,
        instance: &mut dyn InstanceAccess,
        old_length: u64,
        new_length: u64,
    ) -> StorageStatus {
        let costs = &self.schedule.BaseOperationCost;
        let (store, persist, release) = (
            costs.StorePerByte,
            costs.PersistPerByte,
            costs.ReleasePerByte,
        );
        if old_length == 0 {
            use_gas(instance, store.wrapping_mul(new_length));
            return StorageStatus::Added;
        }
        if new_length == 0 {
            self.output.add_refund(release.wrapping_mul(old_length));
            return StorageStatus::Deleted;
        }
        if new_length > old_length {
            let kept = persist.wrapping_mul(old_length);
            let added = store.wrapping_mul(new_length - old_length);
            use_gas(instance, kept.wrapping_add(added));
        }
        if new_length < old_length {
            use_gas(instance, persist.wrapping_mul(new_length));
            let freed = release.wrapping_mul(old_length - new_length);
            self.output.add_refund(freed);
        }
        StorageStatus::Modified
    }
}
