//! The envelope and the fields of a message in one protobuf (docs/spec/wire.md#formats).

use bytes::Buf;
use prost::encoding::{DecodeContext, decode_key};

/// Field numbers up to this one belong to the envelope in every payload, which build/schema.rs checks.
const LAST_ENVELOPE_FIELD: u32 = 3;

/// Decodes a protobuf with the fields of an envelope and of a payload.
pub(super) fn merge_both<E: prost::Message, P: prost::Message>(
    envelope: &mut E,
    payload: &mut P,
    mut bytes: impl Buf,
) -> Result<(), prost::DecodeError> {
    while bytes.has_remaining() {
        let (number, wire_type) = decode_key(&mut bytes)?;
        let context = DecodeContext::default();
        match number {
            ..=LAST_ENVELOPE_FIELD => envelope.merge_field(number, wire_type, &mut bytes, context),
            _ => payload.merge_field(number, wire_type, &mut bytes, context),
        }?;
    }
    Ok(())
}
