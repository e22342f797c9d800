//! Payloads in both formats. The first byte of an input is the kind.

use super::element_memory::{element_bytes, input, least_limit};
use crate::frame::Header;
use crate::messages::ahead::AnswerSet;
use crate::messages::whole_output::{self, StorageRead};
use crate::messages::{
    Account, BigInt, ContractResponse, Envelope, Format, Message, NameEntry, StorageDataEntry,
    VmOutput, codec,
};
use bytes::Bytes;

type Decoded = (Envelope, Message);

fn decode(format: Format, data: &[u8]) -> Option<Decoded> {
    let (&kind, payload) = data.split_first()?;
    codec::decode(format, kind.into(), Bytes::copy_from_slice(payload)).ok()
}

/// What is read from the writing of a message; and the writing.
fn rewritten(format: Format, (envelope, message): &Decoded) -> (Decoded, Bytes) {
    let mut frame = Vec::new();
    codec::encode_message(format, envelope, message, &mut frame).expect("a short payload");
    let payload = Bytes::from(frame.split_off(Header::Preamble.size()));
    let again = codec::decode(format, envelope.kind, payload.clone()).expect("our own writing");
    (again, payload)
}

/// What can be read from JSON can be written, and reads the same again. Only a VMInput that is missing reads as zeros:
/// its members stand beside others.
pub fn json_messages(data: &[u8]) {
    stable(Format::Json, data);
}

/// The same for protobuf. What passes the check of the elements takes no more memory than the limit, and what was
/// written by us takes exactly what the check has counted.
pub fn protobuf_messages(data: &[u8]) {
    stable(Format::Protobuf, data);
    let Some((&kind, payload)) = data.split_first() else {
        return;
    };
    let limit = least_limit(kind.into(), payload);
    if let Some(message) = decode(Format::Protobuf, data) {
        let taken = element_bytes(&message.1);
        assert!(taken <= limit, "{taken} bytes pass a limit of {limit}");
        let (_, written) = rewritten(Format::Protobuf, &message);
        assert_eq!(taken, least_limit(kind.into(), &written));
    }
}

fn stable(format: Format, data: &[u8]) {
    let Some(message) = decode(format, data) else {
        return;
    };
    let (again, payload) = rewritten(format, &message);
    match format {
        Format::Json => assert_eq!(again, with_inputs(message)),
        Format::Protobuf => assert_eq!(again, message),
    }
    assert_eq!(rewritten(format, &again).1, payload);
    if let Message::ContractResponse(response) = again.1 {
        make_whole(format, ContractResponse::clone(&response));
    }
}

/// An output gets back each storage value that it leaves out, or is refused.
fn make_whole(format: Format, mut response: ContractResponse) {
    /// Answers that the request had.
    const TOLD: usize = 16;
    let left_out = AnswerSet::of_field(response.left_out.clone())
        .iter()
        .count();
    let before = storage_updates(&response);
    let accounts = response
        .vm_output
        .iter()
        .flat_map(|output| &output.output_accounts);
    let mut addresses = accounts.filter_map(|entry| Some(entry.value.as_ref()?.address.clone()));
    let address = addresses.next().unwrap_or_default();
    let completed = whole_output::complete(&mut response, format, TOLD, |answer| {
        Some(StorageRead {
            address: address.clone(),
            key: vec![answer as u8].into(),
            value: Bytes::new(),
        })
    });
    if completed.is_ok() {
        assert_eq!(storage_updates(&response), before + left_out);
        assert!(response.left_out.is_empty());
    }
}

fn storage_updates(response: &ContractResponse) -> usize {
    let accounts = response
        .vm_output
        .iter()
        .flat_map(|output| &output.output_accounts);
    let accounts = accounts.filter_map(|entry| entry.value.as_ref());
    accounts.map(|account| account.storage_updates.len()).sum()
}

/// What one format reads, the other writes and reads back (docs/spec/wire.md#json). The second byte chooses the first
/// format.
///
/// From JSON to protobuf nothing changes. From protobuf to JSON: keys that are not text, which become text; the sign and the
/// leading zeros of big integers, which have one form in JSON; bits of `null_lists` for lists that have elements, or for none; and a
/// VMInput that is missing, which is one of zeros.
pub fn codec_agreement(data: &[u8]) {
    let [kind, choice, payload @ ..] = data else {
        return;
    };
    let data = [&[*kind], payload].concat();
    if choice % 2 == 0 {
        let Some(message) = decode(Format::Json, &data) else {
            return;
        };
        assert_eq!(rewritten(Format::Protobuf, &message).0, message);
    } else {
        let Some(message) = decode(Format::Protobuf, &data) else {
            return;
        };
        let (again, json) = rewritten(Format::Json, &message);
        assert_eq!(comparable(again.clone()), comparable(message));
        assert_eq!(rewritten(Format::Json, &again).1, json);
    }
}

/// The message with a VMInput wherever there can be one.
fn with_inputs((envelope, mut message): Decoded) -> Decoded {
    if let Some(input) = input(&mut message) {
        input.get_or_insert_default();
    }
    (envelope, message)
}

/// The message without what JSON may change.
fn comparable(message: Decoded) -> Decoded {
    let (envelope, mut message) = with_inputs(message);
    if let Some(Some(input)) = input(&mut message) {
        big_int(&mut input.call_value);
        input.null_lists = input.empty_null_lists();
    }
    match &mut message {
        Message::Initialize(initialize) => {
            if let Some(arguments) = &mut initialize.arguments {
                names(&mut arguments.protocol_builtin_functions);
                arguments.null_lists = arguments.empty_null_lists();
                for section in &mut arguments.gas_schedule {
                    section.key.clear();
                    section.value.iter_mut().for_each(|cost| cost.key.clear());
                }
            }
        }
        Message::ContractResponse(response) => output(&mut response.vm_output),
        Message::BlockchainProcessBuiltinFunctionResponse(response) => {
            output(&mut response.vm_output);
        }
        Message::BlockchainGetBuiltinFunctionNamesResponse(response) => {
            names(&mut response.function_names);
            response.null_lists = response.empty_null_lists();
        }
        Message::BlockchainGetAllStateResponse(response) => {
            keyless(&mut response.all_state);
            response.null_lists = response.empty_null_lists();
        }
        Message::BlockchainGetUserAccountResponse(response) => account(&mut response.account),
        _ => {}
    }
    (envelope, message)
}

fn names(entries: &mut [NameEntry]) {
    entries.iter_mut().for_each(|entry| entry.key.clear());
}

fn keyless(entries: &mut [StorageDataEntry]) {
    entries.iter_mut().for_each(|entry| entry.key.clear());
}

fn account(account: &mut Option<Account>) {
    if let Some(account) = account {
        big_int(&mut account.balance);
        big_int(&mut account.developer_reward);
    }
}

fn output(output: &mut Option<VmOutput>) {
    let Some(output) = output else { return };
    big_int(&mut output.gas_refund);
    output.null_lists = output.empty_null_lists();
    for log in &mut output.logs {
        log.null_lists = log.empty_null_lists();
    }
    for entry in &mut output.output_accounts {
        entry.key.clear();
        let Some(account) = &mut entry.value else {
            continue;
        };
        big_int(&mut account.balance);
        big_int(&mut account.balance_delta);
        account.null_lists = account.empty_null_lists();
        for update in &mut account.storage_updates {
            update.key.clear();
        }
    }
}

/// Without leading zeros, and without a sign if it is zero.
fn big_int(number: &mut Option<BigInt>) {
    let Some(number) = number else { return };
    let zeros = number
        .magnitude
        .iter()
        .take_while(|byte| **byte == 0)
        .count();
    number.magnitude = number.magnitude.slice(zeros..);
    number.negative &= !number.magnitude.is_empty();
}

#[cfg(test)]
mod tests {
    use super::codec_agreement;

    /// Initialize in protobuf, whose `null_lists` names field 0. JSON has no such list, so it does not come back.
    #[test]
    fn null_lists_of_no_list_are_no_disagreement() {
        codec_agreement(&[1, 1, 0x10, 1, 0x22, 3, 0xb0, 6, 0x19]);
    }
}
