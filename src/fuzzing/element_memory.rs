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
