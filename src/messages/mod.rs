//! Messages: the typed payloads of frames.
//!
//! Everything here is generated from the schema in proto/arwen/v1: the structs, the kinds, their roles and pairs, and
//! both encodings. There is no other list of kinds or fields.
//!
//! A message is a [`Payload`] and travels with an [`Envelope`]; `codec` turns the two into bytes and back.

pub(crate) mod ahead;
#[cfg(any(feature = "vm", fuzzing, test))]
pub(crate) mod answer_places;
mod big_int;
pub(crate) mod codec;
pub(crate) mod elements;
pub(crate) mod json;
pub(crate) mod null;
mod pair;
mod return_code;
pub(crate) mod storage_fields;
pub(crate) mod whole_output;

pub use ahead::READ_AHEAD;
pub use big_int::NotABigInt;
pub use codec::{Format, MessageError, UnsupportedMarshalizer};
pub use elements::TooManyElements;
pub use json::JsonError;
#[cfg(any(feature = "vm", fuzzing, test))]
pub(crate) use json::go_text;
pub use whole_output::MalformedLeftOut;

/// The types that prost generates from the schema.
mod schema {
    #![allow(
        missing_docs,
        reason = "the schema documents most of them; enum values speak for themselves"
    )]
    include!(concat!(env!("OUT_DIR"), "/arwen.v1.rs"));
}
pub use schema::kinds::MessageKind;
pub use schema::*;

/// The version of the protocol, which a child reports in [`Ready`] (docs/spec/wire.md#ready). It is raised when a message
/// changes in a way that an older peer can't ignore.
pub const PROTOCOL_VERSION: u32 = 1;

/// The capability of a child that tells what contracts do, as it reports it in `Ready.capabilities` (docs/spec/wire.md#trace).
pub const TRACE: &str = "trace";

/// The capability of a child that compiles code ahead and keeps it, as it reports it in `Ready.capabilities`
/// (docs/spec/wire.md#pin).
pub const PIN: &str = "pin";

/// The role of a kind in a dialogue (docs/spec/wire.md#dialogue).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The node starts a dialogue; the kind of the answer.
    Request(MessageKind),
    /// Ends a dialogue.
    Response,
    /// Arwen asks the node; the kind of the answer.
    HookRequest(MessageKind),
    /// The node answers.
    HookResponse,
    /// None of these: Initialize, Stop, and the answer to an unexpected kind.
    Control,
}

/// A message of a known kind, with its fields.
pub trait Payload:
    prost::Message + elements::Elements + json::JsonObject + Default + Into<Message>
{
    /// The kind.
    const KIND: MessageKind;

    /// The payload of a message of this kind; otherwise the message, unchanged.
    fn from_message(message: Message) -> Result<Self, Message>;
}

/// A message that is answered by a message of one kind.
pub trait Request: Payload {
    /// The answer.
    type Response: Payload;
}

/// A [`Request`] that arwen sends to the node in the middle of a dialogue.
pub trait HookRequest: Request {}

/// The storage type of a payload in a [`Message`]: inline or boxed.
macro_rules! stored {
    (plain type $payload:ty) => { $payload };
    (boxed type $payload:ty) => { Box<$payload> };
    (plain value $payload:ident) => { $payload };
    (boxed value $payload:ident) => { *$payload };
    (plain reference $payload:ident) => { $payload };
    (boxed reference $payload:ident) => { &**$payload };
    (plain mutable $payload:ident) => { $payload };
    (boxed mutable $payload:ident) => { &mut **$payload };
}

macro_rules! messages {
    ($($name:ident($payload:ident, $stored:ident), $role:expr;)*) => {
        /// A message of any kind.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Message {
            $(#[doc = concat!("See [`MessageKind::", stringify!($name), "`].")] $name(stored!($stored type $payload)),)*
            /// An unknown kind, by its wire number. Only the envelope of its payload is read.
            Unknown(u32),
        }

        impl Message {
            /// The wire number of the kind.
            pub fn kind(&self) -> u32 {
                match self {
                    $(Message::$name(_) => MessageKind::$name.wire(),)*
                    Message::Unknown(kind) => *kind,
                }
            }

            /// A message of a kind with zero fields.
            pub(crate) fn zero(kind: u32) -> Message {
                match MessageKind::from_wire(kind) {
                    $(Some(MessageKind::$name) => Message::$name($payload::default().into()),)*
                    _ => Message::Unknown(kind),
                }
            }

            /// The fields as a JSON object; none for an unknown kind.
            fn as_json(&self) -> Option<&dyn json::JsonObject> {
                match self {
                    $(Message::$name(payload) => Some(stored!($stored reference payload)),)*
                    Message::Unknown(_) => None,
                }
            }

            /// The fields as a JSON object to be filled; none for an unknown kind.
            fn as_json_mut(&mut self) -> Option<&mut dyn json::JsonObject> {
                match self {
                    $(Message::$name(payload) => Some(stored!($stored mutable payload)),)*
                    Message::Unknown(_) => None,
                }
            }

            /// Appends the fields as protobuf.
            fn write_protobuf(&self, out: &mut Vec<u8>) {
                match self {
                    $(Message::$name(payload) => prost::Message::encode_raw(stored!($stored reference payload), out),)*
                    Message::Unknown(_) => {}
                }
            }

            /// Fails when the elements of a protobuf of the fields would take more than `limit` bytes of memory.
            pub(crate) fn check_elements(
                &self,
                payload: &[u8],
                limit: usize,
            ) -> Result<(), elements::TooManyElements> {
                match self {
                    $(Message::$name(_) => elements::check::<$payload>(payload, limit),)*
                    Message::Unknown(_) => Ok(()),
                }
            }

            /// The lists that the schema has for the kind.
            #[cfg(test)]
            pub(crate) fn element_fields(&self) -> &'static [elements::Field] {
                match self {
                    $(Message::$name(_) => <$payload as elements::Elements>::FIELDS,)*
                    Message::Unknown(_) => &[],
                }
            }

            /// How many bytes the fields take as protobuf.
            pub(crate) fn fields_length(&self) -> usize {
                match self {
                    $(Message::$name(payload) => prost::Message::encoded_len(stored!($stored reference payload)),)*
                    Message::Unknown(_) => 0,
                }
            }

            /// Reads the fields and those of the envelope from protobuf.
            fn read_protobuf(&mut self, envelope: &mut Envelope, payload: impl bytes::Buf) -> Result<(), prost::DecodeError> {
                match self {
                    $(Message::$name(fields) => pair::merge_both(envelope, stored!($stored mutable fields), payload),)*
                    Message::Unknown(_) => prost::Message::merge(envelope, payload),
                }
            }
        }

        $(
            impl From<$payload> for Message {
                fn from(payload: $payload) -> Message {
                    Message::$name(payload.into())
                }
            }

            impl Payload for $payload {
                const KIND: MessageKind = MessageKind::$name;

                fn from_message(message: Message) -> Result<Self, Message> {
                    match message {
                        Message::$name(payload) => Ok(stored!($stored value payload)),
                        other => Err(other),
                    }
                }
            }
        )*

        impl MessageKind {
            /// The role of the kind; `None` for one that is never sent.
            pub fn role(self) -> Option<Role> {
                match self {
                    $(MessageKind::$name => Some($role),)*
                    _ => None,
                }
            }
        }
    };
}

include!(concat!(env!("OUT_DIR"), "/schema.rs"));

impl MessageKind {
    /// The kind with this wire number.
    pub fn from_wire(number: u32) -> Option<MessageKind> {
        i32::try_from(number)
            .ok()
            .and_then(|number| MessageKind::try_from(number).ok())
    }

    /// The wire number.
    pub fn wire(self) -> u32 {
        self as u32
    }

    /// Whether arwen asks the node with it.
    pub(crate) fn is_hook_call(self) -> bool {
        matches!(self.role(), Some(Role::HookRequest(_)))
    }
}

/// The display name of a kind: `ContractResponse`, or `kind 1000` for an unknown one.
pub fn kind_name(kind: u32) -> String {
    match MessageKind::from_wire(kind) {
        Some(kind) => kind.as_str_name().to_owned(),
        None => format!("kind {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_follow_from_the_names() {
        assert_eq!(
            MessageKind::ContractDeployRequest.role(),
            Some(Role::Request(MessageKind::ContractResponse))
        );
        assert_eq!(
            MessageKind::DiagnoseWaitRequest.role(),
            Some(Role::Request(MessageKind::DiagnoseWaitResponse))
        );
        assert_eq!(MessageKind::FirstKind.role(), None);
        for number in 6..=45 {
            let kind = MessageKind::from_wire(number).expect("the hook calls are 6..=45");
            match kind.role() {
                Some(Role::HookRequest(response)) => {
                    assert_eq!((number % 2, response.wire()), (0, number + 1));
                }
                Some(Role::HookResponse) => assert_eq!(number % 2, 1),
                other => panic!("{number} has the role {other:?}"),
            }
        }
    }

    #[test]
    fn kinds_have_the_names_of_the_wire() {
        assert_eq!(kind_name(10), "BlockchainGetBlockhashRequest");
        assert_eq!(kind_name(50), "kind 50");
        assert_eq!(kind_name(u32::MAX), "kind 4294967295");
    }
}
