//! When two messages mean the same, and where they differ.
//!
//! They are compared in their JSON form, whatever the format on the wire was. Null, an empty string, list or map mean the same
//! (docs/json.md). Accounts and storage are found by their bytes, not by their garbled names in JSON.

use crate::messages::{Envelope, Format, Message, VmOutput, codec, go_text};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;

/// Bytes of a preamble.
const PREAMBLE: usize = 8;

/// Letters of a value that a difference shows.
const SHOWN: usize = 160;

/// Something that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, such as `VMOutput.GasRemaining`.
    pub what: String,
    /// What was recorded.
    pub recorded: String,
    /// What was found.
    pub found: String,
}

/// What is the same for two questions that mean the same. Whether the child knows the code does not count.
pub(super) fn key(question: &Message) -> String {
    let mut question = question.clone();
    if let Message::BlockchainGetUserAccountRequest(request) = &mut question {
        request.known_code_hash = Bytes::new();
    }
    format!("{} {}", question.kind(), canonical(json(&question, "")))
}

/// Where two responses with their error messages differ. `is_imported` says that the first one has gone through a reader of Go, which
/// keeps one of several entries whose keys look alike as JSON text.
pub(super) fn differences(
    recorded: (&Message, &str),
    found: (&Message, &str),
    is_imported: bool,
) -> Vec<Difference> {
    // A report says what a child is, not what it does.
    if recorded == found || both_waited(recorded, found) {
        return Vec::new();
    }
    let form = |(message, error): (&Message, &str)| {
        let mut message = message.clone();
        if let Message::ContractResponse(response) = &mut message
            && let Some(output) = &mut response.vm_output
        {
            with_readable_keys(output, is_imported);
        }
        let kind = Value::from(message.kind());
        let mut form = json(&message, error);
        form["Kind"] = kind;
        canonical(form)
    };
    let mut differences = Vec::new();
    add_differences("", &form(recorded), &form(found), &mut differences);
    differences
}

fn both_waited(recorded: (&Message, &str), found: (&Message, &str)) -> bool {
    let waited = |message: &Message| matches!(message, Message::DiagnoseWaitResponse(_));
    waited(recorded.0) && waited(found.0) && recorded.1 == found.1
}

/// The message as a JSON object.
pub(super) fn json(message: &Message, error: &str) -> Value {
    let envelope = Envelope {
        error_message: error.to_owned(),
        kind: message.kind(),
        ..Envelope::default()
    };
    let mut frame = Vec::new();
    let written = codec::encode_message(Format::Json, &envelope, message, &mut frame);
    let value = written
        .ok()
        .and_then(|()| serde_json::from_slice(&frame[PREAMBLE..]).ok());
    value.unwrap_or_default()
}

/// Keys as hexadecimal digits of what they stand for.
fn with_readable_keys(output: &mut VmOutput, is_imported: bool) {
    let address = |entry: &crate::messages::OutputAccountEntry| {
        let value = entry.value.as_ref();
        value.map_or_else(Bytes::new, |account| account.address.clone())
    };
    output.output_accounts.sort_by_key(address);
    if is_imported {
        keep_last(&mut output.output_accounts, |entry| {
            go_text(&address(entry))
        });
    }
    for entry in &mut output.output_accounts {
        entry.key = hex(&address(entry));
        let Some(account) = &mut entry.value else {
            continue;
        };
        let offset = |entry: &crate::messages::StorageUpdateEntry| {
            let value = entry.value.as_ref();
            value.map_or_else(Bytes::new, |update| update.offset.clone())
        };
        account.storage_updates.sort_by_key(offset);
        if is_imported {
            keep_last(&mut account.storage_updates, |entry| {
                go_text(&offset(entry))
            });
        }
        for entry in &mut account.storage_updates {
            entry.key = hex(&offset(entry));
        }
    }
}

/// Of entries with the same text keeps the last.
fn keep_last<T>(entries: &mut Vec<T>, text: impl Fn(&T) -> String) {
    let by_text = entries.drain(..).map(|entry| (text(&entry), entry));
    let by_text: BTreeMap<_, _> = by_text.collect();
    entries.extend(by_text.into_values());
}

pub(super) fn hex(bytes: &[u8]) -> Bytes {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.into()
}

/// Without what means nothing: the nonce, and members that are empty.
fn canonical(value: Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(list) => Value::Array(list.into_iter().map(canonical).collect()),
        Value::Object(members) => {
            let members = members
                .into_iter()
                .filter(|(name, value)| name != "DialogueNonce" && !is_empty(value))
                .map(|(name, value)| (name, canonical(value)));
            Value::Object(members.collect())
        }
        other if is_empty(&other) => Value::Null,
        other => other,
    }
}

fn add_differences(path: &str, recorded: &Value, found: &Value, out: &mut Vec<Difference>) {
    let join = |name: &str| match path.is_empty() {
        true => name.to_owned(),
        false => format!("{path}.{name}"),
    };
    match (recorded, found) {
        (Value::Object(first), Value::Object(second)) => {
            let names: std::collections::BTreeSet<_> = first.keys().chain(second.keys()).collect();
            for name in names {
                let get = |members: &serde_json::Map<String, Value>| {
                    members.get(name).cloned().unwrap_or_default()
                };
                add_differences(&join(name), &get(first), &get(second), out);
            }
        }
        (Value::Array(first), Value::Array(second)) if first.len() == second.len() => {
            for (index, (first, second)) in first.iter().zip(second).enumerate() {
                add_differences(&format!("{path}[{index}]"), first, second, out);
            }
        }
        _ if recorded == found => {}
        _ => out.push(Difference {
            what: path.to_owned(),
            recorded: short(recorded),
            found: short(found),
        }),
    }
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => "nothing".to_owned(),
        value => value.to_string(),
    };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}... ({} bytes)", &text[..end], text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        BlockchainGetUserAccountRequest, ContractResponse, OutputAccount, OutputAccountEntry,
    };

    fn response(change: impl FnOnce(&mut VmOutput)) -> Message {
        let mut output = VmOutput {
            gas_remaining: 5,
            ..VmOutput::default()
        };
        for last in [0x80_u8, 0x81] {
            let address = Bytes::from(vec![b'a', last]);
            output.output_accounts.push(OutputAccountEntry {
                key: address.clone(),
                value: Some(OutputAccount {
                    address,
                    nonce: last.into(),
                    ..OutputAccount::default()
                }),
            });
        }
        change(&mut output);
        let vm_output = Some(output);
        ContractResponse {
            vm_output,
            ..Default::default()
        }
        .into()
    }

    fn found(change: impl FnOnce(&mut VmOutput), is_imported: bool) -> Vec<String> {
        let (first, second) = (response(|_| {}), response(change));
        let found = differences((&first, ""), (&second, ""), is_imported);
        let texts = found.into_iter();
        texts
            .map(|difference| {
                let Difference {
                    what,
                    recorded,
                    found,
                } = difference;
                format!("{what}: {recorded}, {found}")
            })
            .collect()
    }

    #[test]
    fn every_difference_is_found_and_named() {
        assert_eq!(found(|_| {}, false), [""; 0]);
        assert_eq!(
            found(|output| output.gas_remaining = 4, false),
            ["VMOutput.GasRemaining: 5, 4"]
        );
        let nonce = |output: &mut VmOutput| {
            let account = output.output_accounts[1].value.as_mut();
            account.expect("there").nonce = 7;
        };
        assert_eq!(
            found(nonce, false),
            ["VMOutput.OutputAccounts.6181.Nonce: 129, 7"]
        );
        assert_eq!(
            found(|output| drop(output.output_accounts.pop()), false).len(),
            1
        );
        let data = |output: &mut VmOutput| output.return_data.push("x".into());
        assert_eq!(
            found(data, false),
            ["VMOutput.ReturnData: nothing, [\"eA==\"]"]
        );
        let (first, second) = (response(|_| {}), response(|_| {}));
        let error = differences((&first, ""), (&second, "no"), false);
        assert_eq!(error[0].what, "ErrorMessage");
    }

    #[test]
    fn null_and_empty_and_the_order_of_accounts_do_not_count() {
        assert_eq!(found(|output| output.null_lists = u32::MAX, false), [""; 0]);
        assert_eq!(
            found(|output| output.output_accounts.reverse(), false),
            [""; 0]
        );
    }

    /// Go's reader has kept one of the two.
    #[test]
    fn entries_that_look_alike_are_one_in_what_was_imported() {
        let first = |output: &mut VmOutput| drop(output.output_accounts.remove(0));
        assert_eq!(found(first, true), [""; 0]);
        assert_eq!(found(first, false).len(), 1);
    }

    #[test]
    fn what_the_child_knows_is_not_part_of_a_question() {
        let question = |address: &'static str, known: &'static str| {
            key(&Message::from(BlockchainGetUserAccountRequest {
                address: address.into(),
                known_code_hash: known.into(),
            }))
        };
        assert_eq!(question("a", "hash"), question("a", ""));
        assert_ne!(question("a", ""), question("b", ""));
    }
}
