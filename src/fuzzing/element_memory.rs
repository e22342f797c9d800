//! What the elements of a message take in memory, counted in the message itself.

use crate::messages::{Message, VmInput, VmOutput};

/// A list takes memory for so many elements at once.
const FIRST: usize = 4;

/// The least limit with which a protobuf payload passes the check. Every refusal names a higher one.
pub fn least_limit(kind: u32, payload: &[u8]) -> usize {
    let message = Message::zero(kind);
    let mut least = 0;
    while let Err(refusal) = message.check_elements(payload, least) {
        assert!(
            refusal.limit == least && refusal.needed > least,
            "{refusal:?}"
        );
        least = refusal.needed;
    }
    for more in [least.saturating_add(1), usize::MAX] {
        assert!(message.check_elements(payload, more).is_ok());
    }
    least
}

/// The input of a message that has one.
pub(super) fn input(message: &mut Message) -> Option<&mut Option<VmInput>> {
    let call = match message {
        Message::ContractDeployRequest(request) => {
            return Some(&mut request.create_input.as_mut()?.input);
        }
        Message::ContractCallRequest(request) => &mut request.call_input,
        Message::BlockchainProcessBuiltinFunctionRequest(request) => &mut request.call_input,
        _ => return None,
    };
    Some(&mut call.as_mut()?.input)
}

/// What the elements of all lists of a message take at least, without what they point to.
pub fn element_bytes(message: &Message) -> usize {
    if let Some(Some(input)) = input(&mut message.clone()) {
        return list(&input.arguments);
    }
    match message {
        Message::Initialize(initialize) => initialize.arguments.as_ref().map_or(0, |arguments| {
            let sections = arguments.gas_schedule.iter();
            list(&arguments.gas_schedule)
                + sections.map(|section| list(&section.value)).sum::<usize>()
                + list(&arguments.protocol_builtin_functions)
        }),
        Message::ContractResponse(response) => output(response.vm_output.as_ref()),
        Message::BlockchainProcessBuiltinFunctionResponse(response) => {
            output(response.vm_output.as_ref())
        }
        Message::BlockchainGetBuiltinFunctionNamesResponse(response) => {
            list(&response.function_names)
        }
        Message::BlockchainGetAllStateResponse(response) => list(&response.all_state),
        Message::DiagnoseWaitResponse(response) => response
            .ready
            .as_ref()
            .map_or(0, |ready| list(&ready.sandbox) + list(&ready.capabilities)),
        _ => 0,
    }
}

fn output(output: Option<&VmOutput>) -> usize {
    let Some(output) = output else { return 0 };
    let accounts = output.output_accounts.iter();
    let accounts = accounts.filter_map(|entry| entry.value.as_ref());
    list(&output.return_data)
        + list(&output.output_accounts)
        + list(&output.deleted_accounts)
        + list(&output.touched_accounts)
        + list(&output.logs)
        + accounts
            .map(|account| list(&account.storage_updates))
            .sum::<usize>()
        + output
            .logs
            .iter()
            .map(|log| list(&log.topics))
            .sum::<usize>()
}

fn list<T>(elements: &[T]) -> usize {
    match elements.len() {
        0 => 0,
        length => (length + FIRST - 1) * size_of::<T>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::elements::Field;
    use crate::messages::{Format, codec};
    use bytes::Bytes;
    use prost::encoding::{WireType, encode_key, encode_varint};

    /// A protobuf in which each list of the schema has this many elements.
    fn with_elements(fields: &[Field], count: usize) -> Vec<u8> {
        let mut payload = Vec::new();
        for field in fields {
            let value = with_elements(field.below, count);
            let occurrences = if field.size == 0 { 1 } else { count };
            for _ in 0..occurrences {
                encode_key(field.number, WireType::LengthDelimited, &mut payload);
                encode_varint(value.len() as u64, &mut payload);
                payload.extend_from_slice(&value);
            }
        }
        payload
    }

    fn has_list(fields: &[Field]) -> bool {
        let mut fields = fields.iter();
        fields.any(|field| field.size > 0 || has_list(field.below))
    }

    /// A list that is new in the schema must be counted here, too: a campaign of hours missed one.
    #[test]
    fn every_list_of_the_schema_is_counted() {
        let mut with_lists = 0;
        for kind in 0..100 {
            let fields = Message::zero(kind).element_fields();
            with_lists += usize::from(has_list(fields));
            for count in [0, 1, 5] {
                let payload = with_elements(fields, count);
                let least = least_limit(kind, &payload);
                assert_eq!(least > 0, count > 0 && has_list(fields), "kind {kind}");
                let (_, message) =
                    codec::decode(Format::Protobuf, kind, Bytes::from(payload)).expect("valid");
                assert_eq!(
                    element_bytes(&message),
                    least,
                    "kind {kind}, {count} elements"
                );
            }
        }
        assert!(with_lists > 5, "{with_lists} kinds with lists");
    }
}
