use super::{Dialogue, DialogueError, Phase, Side};
use crate::escape::escape_line;
use crate::frame::{Decoder, FrameError, Header};
use crate::messages::codec::{self, PayloadTooLong};
use crate::messages::{Envelope, Format, Message, MessageError, Payload, kind_name};
use crate::transport::{Awaited, Transport, TransportError};
use std::fmt;
use std::time::Instant;
use thiserror::Error;
use tracing::trace;

/// Size of one read: the default capacity of a pipe, so that nearly every frame takes one read.
const READ_BYTES: usize = 64 << 10;

/// Capacity above which the buffer for outgoing frames is freed after a large frame.
const KEEP_BUFFER_BYTES: usize = 1 << 20;

const LOGGER: &str = "arwen/baseMessenger";

/// A message that could not be sent or received. Unless a variant says otherwise, the dialogue is lost, perhaps the
/// stream as well.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MessengerError {
    /// The other side ended the stream, between two frames.
    #[error("EOF")]
    EndOfStream,
    /// The stream is not a sequence of frames.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A payload is not a message.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// A message is too long. Nothing was sent; the dialogue is unchanged.
    #[error(transparent)]
    TooLong(#[from] PayloadTooLong),
    /// A message that the dialogue does not allow now.
    #[error(transparent)]
    Dialogue(#[from] DialogueError),
    /// The transport failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// A message as log lines show it.
#[derive(Debug, Clone, Copy)]
pub struct MessageText<'a> {
    /// The name of its kind.
    pub kind: &'a str,
    /// Its nonce; 0 before it is sent.
    pub nonce: u32,
    /// Its error message; empty if there is none.
    pub error: &'a str,
}

impl fmt::Display for MessageText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, nonce, error } = self;
        let error = escape_line(error);
        write!(f, "[kind={kind} nonce={nonce} err={error}]")
    }
}

/// A message and its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Nonce, kind and error message.
    pub envelope: Envelope,
    /// The message.
    pub message: Message,
}

/// Is told of every frame that a [`Messenger`] has sent or received, right after that.
pub trait Tap: fmt::Debug + Send {
    /// A frame was sent.
    fn sent(&mut self, frame: &[u8]);

    /// A frame was received; it may not be a message.
    fn received(&mut self, kind: u32, payload: &[u8]);
}

/// Sends and receives messages: applies the codec and the rules of a [`Dialogue`] to a transport.
#[derive(Debug)]
pub struct Messenger<T> {
    transport: T,
    format: Format,
    dialogue: Dialogue,
    payload_limit_bytes: u32,
    decoder: Decoder,
    outgoing: Vec<u8>,
    tap: Option<Box<dyn Tap>>,
}

impl<T: Transport> Messenger<T> {
    /// A messenger for one side, with payloads in this format. Received payloads are at most `payload_limit_bytes`
    /// long, and so is the JSON form of what is sent.
    pub fn new(side: Side, transport: T, format: Format, payload_limit_bytes: u32) -> Messenger<T> {
        Messenger {
            transport,
            format,
            dialogue: Dialogue::new(side),
            payload_limit_bytes,
            decoder: Decoder::new(Header::Preamble, payload_limit_bytes),
            outgoing: Vec::new(),
            tap: None,
        }
    }

    /// Has a tap be told of all frames from now on.
    pub fn set_tap(&mut self, tap: Box<dyn Tap>) {
        self.tap = Some(tap);
    }

    /// Sends a message, in one write if the transport has room for it.
    pub fn send<P: Payload>(
        &mut self,
        error_message: &str,
        payload: &P,
        deadline: Option<Instant>,
    ) -> Result<(), MessengerError> {
        codec::check_length(error_message, payload, self.payload_limit_bytes)?;
        let nonce = self.dialogue.send(P::KIND.wire())?;
        self.outgoing.clear();
        codec::encode(
            self.format,
            nonce,
            error_message,
            payload,
            &mut self.outgoing,
        )?;
        self.transmit(P::KIND.as_str_name(), nonce, error_message, deadline)
    }

    /// Whether a message is far below all limits of what can be sent.
    pub fn is_short<P: Payload>(&self, payload: &P) -> bool {
        codec::is_short(payload, self.payload_limit_bytes)
    }

    /// Like [`send`](Self::send), for a message whose kind is only known at run time. Its length is not checked.
    pub fn send_message(
        &mut self,
        error_message: &str,
        message: &Message,
        deadline: Option<Instant>,
    ) -> Result<(), MessengerError> {
        let envelope = Envelope {
            dialogue_nonce: self.dialogue.send(message.kind())?,
            kind: message.kind(),
            error_message: error_message.to_owned(),
        };
        self.outgoing.clear();
        codec::encode_message(self.format, &envelope, message, &mut self.outgoing)?;
        let kind = kind_name(message.kind());
        self.transmit(&kind, envelope.dialogue_nonce, error_message, deadline)
    }

    fn transmit(
        &mut self,
        kind: &str,
        nonce: u32,
        error: &str,
        deadline: Option<Instant>,
    ) -> Result<(), MessengerError> {
        self.transport.send(&self.outgoing, deadline)?;
        if let Some(tap) = &mut self.tap {
            tap.sent(&self.outgoing);
        }
        let side = self.dialogue.side().name();
        let size = self.outgoing.len() - Header::Preamble.size();
        let msg = MessageText { kind, nonce, error };
        trace!(target: LOGGER, size, %msg, "[{side}][#{nonce}]: SENT message");
        if self.outgoing.capacity() > KEEP_BUFFER_BYTES {
            self.outgoing = Vec::new();
        }
        Ok(())
    }

    /// Waits for the next message, which must be one that the dialogue allows now.
    pub fn receive(&mut self, deadline: Option<Instant>) -> Result<Received, MessengerError> {
        let side = self.dialogue.side().name();
        trace!(target: LOGGER, "[{side}]: Receive message...");
        let awaited = match self.dialogue.phase() {
            Phase::Idle => Awaited::Request,
            Phase::Requested { .. } | Phase::HookRequested { .. } => Awaited::Answer,
        };
        while !self.decoder.has_next() {
            let room = self.decoder.room(READ_BYTES);
            if self.transport.receive(room, awaited, deadline)? == 0 {
                self.decoder.end()?;
                return Err(MessengerError::EndOfStream);
            }
        }
        let frame = self.decoder.next_in_place().expect("it has one")?;
        let (kind, size) = (frame.kind, frame.payload.len());
        if let Some(tap) = &mut self.tap {
            tap.received(kind, &frame.payload);
        }
        let (envelope, message) = codec::decode(self.format, kind, frame.payload)?;
        let nonce = envelope.dialogue_nonce;
        trace!(
            target: LOGGER,
            size,
            msg = %MessageText { kind: &kind_name(kind), nonce, error: &envelope.error_message },
            "[{side}][#{nonce}]: RECEIVED message"
        );
        self.dialogue.receive(kind, nonce)?;
        Ok(Received { envelope, message })
    }

    /// The format of payloads.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The state of the dialogue.
    pub fn dialogue(&self) -> &Dialogue {
        &self.dialogue
    }

    /// Whether bytes of a further message have been received.
    pub fn has_unread_bytes(&self) -> bool {
        !self.decoder.is_empty()
    }

    /// The transport, to query its state, such as whether input is waiting.
    pub fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{DiagnoseWaitRequest, DiagnoseWaitResponse, UndefinedRequestOrResponse};
    use crate::transport::memory::{MemoryTransport, pair};

    fn messengers(format: Format) -> (Messenger<MemoryTransport>, Messenger<MemoryTransport>) {
        let (near, far) = pair(1 << 20);
        let messenger = |side, transport| Messenger::new(side, transport, format, 1000);
        (messenger(Side::Node, near), messenger(Side::Arwen, far))
    }

    #[test]
    fn a_dialogue_in_either_format() {
        for format in [Format::Json, Format::Protobuf] {
            let (mut node, mut arwen) = messengers(format);
            for _ in 0..2 {
                let request = DiagnoseWaitRequest {
                    milliseconds: 7,
                    ..DiagnoseWaitRequest::default()
                };
                node.send("", &request, None).expect("sent");
                let received = arwen.receive(None).expect("received");
                assert_eq!(received.message, request.into());
                arwen
                    .send("tired", &DiagnoseWaitResponse::default(), None)
                    .expect("sent");
                let received = node.receive(None).expect("received");
                assert_eq!(received.envelope.error_message, "tired");
                assert_eq!(received.envelope.dialogue_nonce, 2);
            }
        }
    }

    #[test]
    fn torn_frames_and_the_end_are_told_apart() {
        let (node, mut arwen) = messengers(Format::Json);
        drop(node);
        assert_eq!(arwen.receive(None), Err(MessengerError::EndOfStream));

        for (bytes, error) in [
            (&[1, 2, 3][..], FrameError::TornHeader { have: 3, want: 8 }),
            (
                &[9, 0, 0, 0, 4, 0, 0, 0, 1],
                FrameError::TornPayload { have: 1, want: 9 },
            ),
        ] {
            let (mut node, mut arwen) = messengers(Format::Json);
            node.transport_mut().send(bytes, None).expect("room");
            drop(node);
            assert_eq!(arwen.receive(None), Err(MessengerError::Frame(error)));
        }
    }

    #[test]
    fn the_payload_limit_holds() {
        let (mut node, mut arwen) = messengers(Format::Json);
        node.transport_mut()
            .send(&[0xe9, 3, 0, 0, 4, 0, 0, 0], None)
            .expect("room");
        let error = FrameError::TooLong {
            kind: 4,
            length: 1001,
            limit: 1000,
        };
        assert_eq!(arwen.receive(None), Err(MessengerError::Frame(error)));
    }

    #[test]
    fn what_may_not_be_sent_is_not_sent() {
        let (mut node, mut arwen) = messengers(Format::Json);
        let error = arwen.send("", &UndefinedRequestOrResponse {}, None);
        assert!(matches!(
            error,
            Err(MessengerError::Dialogue(DialogueError::OutOfTurn { .. }))
        ));
        drop(arwen);
        assert_eq!(node.receive(None), Err(MessengerError::EndOfStream));
    }
}
