//! Leaves out of an output what the node has told (docs/spec/wire.md#read-ahead).

use crate::messages::ahead::AnswerSet;
use crate::messages::null::is_null;
use crate::messages::{OutputAccount, StorageUpdate, VmOutput};
use bytes::Bytes;

/// Leaves out of an output the storage updates that only repeat a value that was read. `told` gives the number of the answer that has
/// told this value of this key of an account.
pub(super) fn leave_out(
    output: &mut VmOutput,
    mut told: impl FnMut(&Bytes, &StorageUpdate) -> Option<usize>,
) -> AnswerSet<Vec<u8>> {
    let mut left_out = AnswerSet::default();
    let accounts = output.output_accounts.iter_mut();
    for account in accounts.filter_map(|entry| entry.value.as_mut()) {
        let OutputAccount {
            address,
            storage_updates,
            ..
        } = account;
        // Any other order would be lost.
        if !storage_updates.is_sorted_by(|one, next| one.key < next.key) {
            continue;
        }
        storage_updates.retain(|entry| {
            let update = entry.value.as_ref();
            let update = update.filter(|update| is_repeated_alike(&entry.key, update));
            let answer = update.and_then(|update| told(address, update));
            answer.inspect(|answer| left_out.insert(*answer)).is_none()
        });
    }
    left_out
}

/// Whether an update is as the node makes it when it puts it back.
fn is_repeated_alike(key: &Bytes, update: &StorageUpdate) -> bool {
    *key == update.offset && ![key, &update.offset, &update.data].into_iter().any(is_null)
}
