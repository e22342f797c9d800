//! Transfers of value (docs/spec/eei.md#base-functions).

use super::call::{Call, HostResult, as_count};
use super::table::host_functions;
use crate::vm::contexts::big_int::from_unsigned_bytes;
use crate::vm::error::Failure;
use crate::vm::memory::VALUE_BYTES;
use bytes::Bytes;
use num_bigint::BigInt;

host_functions! {
    namespace "env", costs Kalyan3104APICost;

    /// Sends value and data; returns 1 if there is too little.
    "transferValue" => transfer_value(
        destination_offset: i32, value_offset: i32, data_offset: i32, length: i32,
    ) -> i32, gas TransferValue;
}

impl Call<'_> {
    /// TRANSFER without data; false if it failed.
    pub(super) fn transfer(
        &mut self,
        destination: &Bytes,
        sender: &Bytes,
        value: &BigInt,
        data: &[u8],
    ) -> HostResult<bool> {
        match self
            .contexts()
            .transfer(destination, sender, 0, value, data)
        {
            Ok(()) => Ok(true),
            Err(Failure::Execution(_)) => Ok(false),
            Err(Failure::Broken(broken)) => Err(broken.into()),
        }
    }

    fn transfer_value(
        &mut self,
        destination_offset: i32,
        value_offset: i32,
        data_offset: i32,
        length: i32,
    ) -> HostResult<i32> {
        let sender = self.contexts().current_call().address.clone();
        let destination = self.load_address(destination_offset)?;
        let value = from_unsigned_bytes(&self.load(value_offset, VALUE_BYTES)?);
        let data = self.load(data_offset, length)?;
        self.charge_persisted_bytes(as_count(length));
        let transferred = self.transfer(&destination, &sender, &value, &data)?;
        Ok(i32::from(!transferred))
    }
}
