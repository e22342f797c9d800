//! Makes the output of a response whole (docs/spec/wire.md#read-ahead, #map-keys).

use super::ahead::AnswerSet;
use super::null::not_null;
use super::{
    ContractResponse, Message, OutputAccount, StorageUpdate, StorageUpdateEntry, VmOutput,
};
use bytes::Bytes;
use thiserror::Error;

/// A storage value that was answered ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StorageRead {
    pub(crate) address: Bytes,
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
}

impl StorageRead {
    /// What the answer to a hook call has told; `None` if that is no storage value.
    pub(crate) fn told_by(question: &Message, answer: &Message) -> Option<StorageRead> {
        match (question, answer) {
            (
                Message::BlockchainGetStorageDataRequest(question),
                Message::BlockchainGetStorageDataResponse(answer),
            ) => Some(StorageRead {
                address: question.address.clone(),
                key: question.index.clone(),
                value: answer.data.clone()?,
            }),
            _ => None,
        }
    }
}

/// An output that is said to leave out what it can't have left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotLeftOut {
    /// Its request has not told a storage value as the answer with this number.
    #[error("an output that leaves out answer {0}, which is no storage value of its request")]
    NoValue(usize),
    /// The account of the answer with this number is not in it.
    #[error("an output that leaves out answer {0}, and has not its account")]
    NoAccount(usize),
    /// It has a storage value that it is said to leave out.
    #[error("an output that leaves out a storage value, and has it")]
    Twice,
}

/// Makes the output of a response whole: gives its entries the keys that JSON can't tell if they are not UTF-8, and puts back what was
/// left out. `read` gives the storage value that an answer has told.
pub(crate) fn complete(
    response: &mut ContractResponse,
    read: impl FnMut(usize) -> Option<StorageRead>,
) -> Result<(), NotLeftOut> {
    let left_out = std::mem::take(&mut response.left_out);
    if let Some(output) = &mut response.vm_output {
        set_keys(output);
    }
    match left_out.is_empty() {
        true => Ok(()),
        false => put_back(response.vm_output.get_or_insert_default(), &left_out, read),
    }
}

/// Sets the keys of accounts and storage updates to what the values say.
fn set_keys(output: &mut VmOutput) {
    for entry in &mut output.output_accounts {
        let Some(account) = &mut entry.value else {
            continue;
        };
        set_key(&mut entry.key, &account.address);
        for entry in &mut account.storage_updates {
            if let Some(update) = &entry.value {
                set_key(&mut entry.key, &update.offset);
            }
        }
    }
}

fn set_key(key: &mut Bytes, said: &Bytes) {
    if !said.is_empty() && key != said {
        *key = said.clone();
    }
}

fn put_back(
    output: &mut VmOutput,
    left_out: &Bytes,
    mut read: impl FnMut(usize) -> Option<StorageRead>,
) -> Result<(), NotLeftOut> {
    let accounts = output.output_accounts.iter_mut();
    let mut accounts: Vec<&mut OutputAccount> =
        accounts.filter_map(|entry| entry.value.as_mut()).collect();
    let mut is_completed = vec![false; accounts.len()];
    let mut at = 0;
    for answer in AnswerSet::of_field(left_out).iter() {
        let read = read(answer).ok_or(NotLeftOut::NoValue(answer))?;
        // Mostly it is the account of the last answer.
        let is_it = |account: &&mut OutputAccount| account.address == read.address;
        if !accounts.get(at).is_some_and(is_it) {
            let found = accounts.iter().position(is_it);
            at = found.ok_or(NotLeftOut::NoAccount(answer))?;
        }
        is_completed[at] = true;
        accounts[at].storage_updates.push(update(read));
    }
    let completed = accounts.into_iter().zip(is_completed);
    let mut completed = completed.filter(|(_, is_completed)| *is_completed);
    match completed.all(|(account, _)| is_sorted(account)) {
        true => Ok(()),
        false => Err(NotLeftOut::Twice),
    }
}

/// The update by which an output repeats a value that was read. Children leave out only such.
fn update(read: StorageRead) -> StorageUpdateEntry {
    let key = not_null(read.key);
    StorageUpdateEntry {
        key: key.clone(),
        value: Some(StorageUpdate {
            offset: key,
            data: not_null(read.value),
        }),
    }
}

/// Sorts the updates of an account by their keys. Whether no two are equal.
fn is_sorted(account: &mut OutputAccount) -> bool {
    let updates = &mut account.storage_updates;
    updates.sort_by(|one, other| one.key.cmp(&other.key));
    updates.is_sorted_by(|one, next| one.key < next.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::OutputAccountEntry;
    use NotLeftOut::{NoAccount, NoValue, Twice};

    fn read(address: &'static str, key: &'static [u8]) -> StorageRead {
        StorageRead {
            address: address.into(),
            key: key.into(),
            value: "value".into(),
        }
    }

    /// A response that leaves out these answers, with such keys at `contract`, in an entry with a key that JSON has garbled.
    fn response(left_out: &'static [u8], keys: &[&'static [u8]]) -> ContractResponse {
        let mut updates: Vec<_> = keys.iter().map(|key| update(read("", key))).collect();
        for entry in &mut updates {
            entry.key = String::from_utf8_lossy(&entry.key).into_owned().into();
        }
        let account = OutputAccountEntry {
            key: "garbled".into(),
            value: Some(OutputAccount {
                address: "contract".into(),
                storage_updates: updates,
                ..OutputAccount::default()
            }),
        };
        ContractResponse {
            vm_output: Some(VmOutput {
                output_accounts: vec![OutputAccountEntry::default(), account],
                ..VmOutput::default()
            }),
            left_out: left_out.into(),
            ..ContractResponse::default()
        }
    }

    fn completed(mut response: ContractResponse) -> Result<Vec<StorageUpdateEntry>, NotLeftOut> {
        let told = [
            read("contract", b"m"),
            read("contract", b"\xffz"),
            read("other", b"m"),
        ];
        complete(&mut response, |answer| told.get(answer).cloned())?;
        assert!(response.left_out.is_empty());
        let output = response.vm_output.expect("it was there");
        let [_, account] = output.output_accounts.try_into().expect("two accounts");
        assert_eq!(account.key, "contract");
        Ok(account.value.expect("it was there").storage_updates)
    }

    #[test]
    fn what_was_left_out_is_back_in_order() {
        let updates = |keys: &[&'static [u8]]| -> Vec<StorageUpdateEntry> {
            keys.iter().map(|key| update(read("", key))).collect()
        };
        for (left_out, there, whole) in [
            (
                &[][..],
                &[&b"a"[..], b"\xff"][..],
                &[&b"a"[..], b"\xff"][..],
            ),
            (&[0b11], &[b"a", b"\xff"], &[b"a", b"m", b"\xff", b"\xffz"]),
            (&[0b10], &[], &[b"\xffz"]),
        ] {
            assert_eq!(completed(response(left_out, there)), Ok(updates(whole)));
        }
    }

    #[test]
    fn what_can_not_have_been_left_out_is_an_error() {
        assert_eq!(completed(response(&[0, 2], &[])), Err(NoValue(9)));
        assert_eq!(completed(response(&[0b111], &[])), Err(NoAccount(2)));
        assert_eq!(completed(response(&[0b1], &[b"m"])), Err(Twice));
        let nothing = ContractResponse {
            left_out: Bytes::from_static(&[1]),
            ..ContractResponse::default()
        };
        assert_eq!(completed(nothing), Err(NoAccount(0)));
    }
}
