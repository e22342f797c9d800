//! The fields of hook calls for storage values, without their messages: contracts make hundreds of such calls in a run, and to encode
//! and decode messages takes several times as long.

use super::BlockchainGetStorageDataRequest;
use bytes::Bytes;
use prost::encoding::decode_varint;

#[cfg(any(feature = "vm", fuzzing, test))]
pub(crate) use writing::StorageCalls;

/// The keys of the fields of requests. They are taken from what prost writes.
#[derive(Debug)]
pub(crate) struct StorageRequests {
    address: FieldKey,
    index: FieldKey,
}

impl Default for StorageRequests {
    fn default() -> StorageRequests {
        let request = |address, index| BlockchainGetStorageDataRequest { address, index };
        let none = Bytes::new;
        StorageRequests {
            address: FieldKey::of(&request(FieldKey::ONE_BYTE, none())),
            index: FieldKey::of(&request(none(), FieldKey::ONE_BYTE)),
        }
    }
}

impl StorageRequests {
    /// The request with these fields, whose memory it shares, if they are as they are mostly written.
    pub(crate) fn read(&self, fields: &Bytes) -> Option<BlockchainGetStorageDataRequest> {
        let (address, rest) = self.address.value(fields)?;
        let (index, rest) = self.index.value(rest)?;
        let share =
            |value: Option<&[u8]>| value.map_or(Bytes::new(), |value| fields.slice_ref(value));
        rest.is_empty().then(|| BlockchainGetStorageDataRequest {
            address: share(address),
            index: share(index),
        })
    }
}

/// What stands before the length of a field of bytes.
#[derive(Debug)]
struct FieldKey(Vec<u8>);

impl FieldKey {
    const ONE_BYTE: Bytes = Bytes::from_static(b"1");

    /// The key of the only field of a message, which is [`ONE_BYTE`](Self::ONE_BYTE).
    fn of(message: &impl prost::Message) -> FieldKey {
        let mut fields = message.encode_to_vec();
        // The length and the byte.
        fields.truncate(fields.len() - 2);
        FieldKey(fields)
    }

    /// The value of the field, if it is the first of these, and what follows; `None` if it is malformed.
    fn value<'a>(&self, fields: &'a [u8]) -> Option<(Option<&'a [u8]>, &'a [u8])> {
        let Some(mut rest) = fields.strip_prefix(&self.0[..]) else {
            return Some((None, fields));
        };
        let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        Some((Some(value), rest))
    }
}

/// What only a child does.
#[cfg(any(feature = "vm", fuzzing, test))]
mod writing {
    use super::*;
    use crate::messages::BlockchainGetStorageDataResponse;
    use crate::messages::ahead::put_varint;
    use prost::Message as _;

    /// Writes the fields of requests, and reads those of responses.
    #[derive(Debug)]
    pub(crate) struct StorageCalls {
        index: FieldKey,
        data: FieldKey,
        /// The address of the last request.
        address: Vec<u8>,
        /// The fields of a request for that address, without the index.
        before_index: Vec<u8>,
    }

    impl Default for StorageCalls {
        fn default() -> StorageCalls {
            let data = Some(FieldKey::ONE_BYTE);
            StorageCalls {
                index: StorageRequests::default().index,
                data: FieldKey::of(&BlockchainGetStorageDataResponse { data }),
                address: Vec::new(),
                before_index: Vec::new(),
            }
        }
    }

    impl StorageCalls {
        /// Appends the fields of a request.
        pub(crate) fn write_request(&mut self, address: &[u8], index: &[u8], out: &mut Vec<u8>) {
            if self.address != address {
                let request = BlockchainGetStorageDataRequest {
                    address: Bytes::copy_from_slice(address),
                    ..Default::default()
                };
                self.address = address.to_vec();
                self.before_index = request.encode_to_vec();
            }
            out.extend_from_slice(&self.before_index);
            if !index.is_empty() {
                out.extend_from_slice(&self.index.0);
                put_varint(index.len() as u64, out);
                out.extend_from_slice(index);
            }
        }

        /// The value that the fields of a response have, if they are as they are mostly written.
        pub(crate) fn value<'a>(&self, response: &'a [u8]) -> Option<Option<&'a [u8]>> {
            let (data, rest) = self.data.value(response)?;
            rest.is_empty().then_some(data)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::BlockchainGetStorageDataResponse;
    use proptest::prelude::*;
    use prost::Message as _;

    proptest! {
        #[test]
        fn fields_are_as_in_the_messages(
            requests in prop::collection::vec(("(.{0,2}|.{200})", "(.{0,3}|.{200})"), 1..5),
            data in prop::option::of(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..5),
                prop::collection::vec(any::<u8>(), 120..140),
            ]),
            damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let (requests_read, mut calls) = (StorageRequests::default(), StorageCalls::default());
            for (address, index) in requests {
                let mut found = Vec::new();
                calls.write_request(address.as_bytes(), index.as_bytes(), &mut found);
                let request = BlockchainGetStorageDataRequest { address: address.into(), index: index.into() };
                prop_assert_eq!(&found, &request.encode_to_vec());
                prop_assert_eq!(requests_read.read(&found.clone().into()), Some(request));
                if let (Some((place, byte)), false) = (&damage, found.is_empty()) {
                    let place = place.index(found.len());
                    found[place] = *byte;
                    if let Some(request) = requests_read.read(&found.clone().into()) {
                        let decoded = BlockchainGetStorageDataRequest::decode(&found[..]);
                        prop_assert_eq!(request, decoded.expect("it was read"));
                    }
                }
            }
            let data = data.map(Bytes::from);
            let mut response = BlockchainGetStorageDataResponse { data: data.clone() }.encode_to_vec();
            prop_assert_eq!(calls.value(&response), Some(data.as_deref()));
            if let (Some((place, byte)), false) = (damage, response.is_empty()) {
                let place = place.index(response.len());
                response[place] = byte;
                if let Some(value) = calls.value(&response) {
                    let decoded = BlockchainGetStorageDataResponse::decode(&response[..]);
                    let decoded = decoded.expect("it was read");
                    prop_assert_eq!(decoded.data.as_deref(), value);
                }
            }
        }
    }
}
