//! Makes the output of a response whole (docs/spec/wire.md#read-ahead, #map-keys).

use super::ahead::AnswerSet;
use super::null::not_null;
use super::{
    ContractResponse, Format, Message, OutputAccount, OutputAccountEntry, StorageUpdate,
    StorageUpdateEntry, VmOutput,
};
use bytes::Bytes;
use std::collections::HashMap;
use thiserror::Error;

/// A storage value that was answered ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StorageRead {
    pub(crate) address: Bytes,
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
}

impl StorageRead {
    /// The storage value that the answer to a hook call tells; `None` if the call asks for something else or nothing is stored.
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

/// A response that is said to leave out what it can't have left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MalformedLeftOut {
    /// Its request did not send a storage value as the answer with this number.
    #[error(
        "an output that leaves out answer {0}, which its request did not send as a storage value"
    )]
    NoValue(usize),
    /// The account of the answer with this number is not in it.
    #[error("an output that leaves out answer {0} but does not have its account")]
    NoAccount(usize),
    /// It has a storage value that it is said to leave out.
    #[error("an output that has a storage value which it says it leaves out")]
    Twice,
}

/// Makes the output of a response whole: gives its entries the keys that JSON can't tell if they are not UTF-8, and puts back what was
/// left out. `answers` is the number of answers that the request has; `read` gives the storage value that one has told. What is put back
/// is as if it had come in this format.
pub(crate) fn complete(
    response: &mut ContractResponse,
    format: Format,
    answers: usize,
    read: impl FnMut(usize) -> Option<StorageRead>,
) -> Result<(), MalformedLeftOut> {
    let left_out = std::mem::take(&mut response.left_out);
    if left_out.len() > answers.div_ceil(8) {
        return Err(MalformedLeftOut::NoValue(answers));
    }
    let mut accounts = Vec::new();
    if let Some(output) = &mut response.vm_output {
        set_keys(output);
        accounts = output.output_accounts.iter_mut().collect();
    }
    match left_out.is_empty() {
        true => Ok(()),
        false => put_back(accounts, format, &left_out, read),
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
    entries: Vec<&mut OutputAccountEntry>,
    format: Format,
    left_out: &Bytes,
    mut read: impl FnMut(usize) -> Option<StorageRead>,
) -> Result<(), MalformedLeftOut> {
    let accounts = entries.into_iter().filter_map(|entry| entry.value.as_mut());
    let mut accounts: Vec<(&mut OutputAccount, bool)> =
        accounts.map(|account| (account, false)).collect();
    let mut places: Option<HashMap<Bytes, usize>> = None;
    let mut at = 0;
    for answer in AnswerSet::of_field(left_out).iter() {
        let read = read(answer).ok_or(MalformedLeftOut::NoValue(answer))?;
        // Mostly it is the account of the last answer.
        let is_it = |(account, _): &(&mut OutputAccount, bool)| account.address == read.address;
        if !accounts.get(at).is_some_and(is_it) {
            let places = places.get_or_insert_with(|| places_of(&accounts));
            let found = places.get(&read.address).copied();
            at = found.ok_or(MalformedLeftOut::NoAccount(answer))?;
        }
        let (account, is_completed) = &mut accounts[at];
        *is_completed = true;
        account.storage_updates.push(update(read, format));
    }
    let mut completed = accounts
        .into_iter()
        .filter_map(|(account, is_completed)| is_completed.then_some(account));
    match completed.all(is_sorted) {
        true => Ok(()),
        false => Err(MalformedLeftOut::Twice),
    }
}

/// The places of the accounts by their addresses.
fn places_of(accounts: &[(&mut OutputAccount, bool)]) -> HashMap<Bytes, usize> {
    let places = accounts.iter().enumerate();
    places
        .map(|(place, (account, _))| (account.address.clone(), place))
        .collect()
}

/// The update by which an output repeats a value that was read, as it would be decoded. Children leave out only such.
fn update(read: StorageRead, format: Format) -> StorageUpdateEntry {
    let decoded = |bytes: Bytes| match format {
        Format::Json => not_null(bytes),
        // Protobuf does not tell null from empty.
        _ if bytes.is_empty() => Bytes::new(),
        _ => bytes,
    };
    let key = decoded(read.key);
    StorageUpdateEntry {
        key: key.clone(),
        value: Some(StorageUpdate {
            offset: key,
            data: decoded(read.value),
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
    use crate::messages::null::{empty, is_null};
    use MalformedLeftOut::{NoAccount, NoValue, Twice};

    fn read(address: &'static str, key: &'static [u8]) -> StorageRead {
        StorageRead {
            address: address.into(),
            key: key.into(),
            value: "value".into(),
        }
    }

    /// A response that leaves out these answers, with such keys at `contract`, in an entry with a key that JSON has garbled.
    fn response(left_out: &'static [u8], keys: &[&'static [u8]]) -> ContractResponse {
        let mut updates: Vec<_> = keys
            .iter()
            .map(|key| update(read("", key), Format::Json))
            .collect();
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

    fn completed(
        mut response: ContractResponse,
    ) -> Result<Vec<StorageUpdateEntry>, MalformedLeftOut> {
        let told = [
            read("contract", b"m"),
            read("contract", b"\xffz"),
            read("other", b"m"),
        ];
        complete(&mut response, Format::Json, told.len(), |answer| {
            told.get(answer).cloned()
        })?;
        assert!(response.left_out.is_empty());
        let output = response.vm_output.expect("it was there");
        let [_, account] = output.output_accounts.try_into().expect("two accounts");
        assert_eq!(account.key, "contract");
        Ok(account.value.expect("it was there").storage_updates)
    }

    #[test]
    fn what_was_left_out_is_back_in_order() {
        let updates = |keys: &[&'static [u8]]| -> Vec<StorageUpdateEntry> {
            keys.iter()
                .map(|key| update(read("", key), Format::Json))
                .collect()
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
        assert_eq!(completed(response(&[0, 2], &[])), Err(NoValue(3)));
        assert_eq!(completed(response(&[0b1000], &[])), Err(NoValue(3)));
        assert_eq!(completed(response(&[0b111], &[])), Err(NoAccount(2)));
        assert_eq!(completed(response(&[0b1], &[b"m"])), Err(Twice));
        let nothing = ContractResponse {
            left_out: Bytes::from_static(&[1]),
            ..ContractResponse::default()
        };
        assert_eq!(completed(nothing), Err(NoAccount(0)));
    }

    #[test]
    fn no_output_becomes_of_none() {
        let mut response = ContractResponse {
            left_out: Bytes::from_static(&[0]),
            ..ContractResponse::default()
        };
        let completed = complete(&mut response, Format::Json, 1, |_| None);
        assert_eq!(completed, Ok(()));
        assert_eq!(response.vm_output, None);
    }

    #[test]
    fn empty_values_are_as_their_format_tells_them() {
        for (format, is_null_there) in [(Format::Json, false), (Format::Protobuf, true)] {
            let empty = StorageRead {
                value: empty(),
                key: empty(),
                ..read("contract", b"")
            };
            let value = update(empty, format).value.expect("it is there");
            for bytes in [value.offset, value.data] {
                assert_eq!(is_null(&bytes), is_null_there, "{format:?}");
            }
        }
    }
}
