//! Streams of bytes that are cut into frames.

use crate::frame::{self, Decoder, Frame, FrameError, FrameInPlace, Header, PayloadBytes};
use bytes::Bytes;

/// The payload limit, low enough for short inputs to pass it.
const LIMIT_BYTES: u32 = 200;

/// Payloads of this length pass what a decoder copies out of its memory.
const LONG_PAYLOAD_BYTES: usize = 70_000;

/// Payloads that are copied, that take their memory along, and that pass the memory that a decoder keeps.
const PREPENDED_BYTES: [usize; 3] = [3_000, 70_000, 200_000];

/// What the frame at the start of these bytes is, by the table of docs/spec/wire.md#frame and nothing else.
enum Expected<'a> {
    /// There is more to come.
    Unfinished,
    TooLong {
        kind: u32,
        length: u32,
    },
    Frame {
        kind: u32,
        payload: &'a [u8],
    },
}

fn expected(header: Header, bytes: &[u8], limit: u32) -> Expected<'_> {
    let field =
        |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    if bytes.len() < header.size() {
        return Expected::Unfinished;
    }
    let length = field(0);
    let kind = match header {
        Header::Preamble => field(4),
        Header::Log => 0,
    };
    if length > limit {
        return Expected::TooLong { kind, length };
    }
    match bytes[header.size()..].get(..length as usize) {
        Some(payload) => Expected::Frame { kind, payload },
        None => Expected::Unfinished,
    }
}

/// Any stream in any pieces gives the frames of the spec, each as soon as it is there. The first byte chooses the header,
/// how many bytes behind it are the lengths of pieces, which are used over and over, and whether a long frame comes first, which is
/// rare, as it takes a hundred times as long.
pub fn frame_decoder(data: &[u8]) {
    let Some((&choice, rest)) = data.split_first() else {
        return;
    };
    let header = if choice % 2 == 0 {
        Header::Preamble
    } else {
        Header::Log
    };
    let pieces = usize::from(choice / 2 % 8).min(rest.len());
    let (pieces, stream) = rest.split_at(pieces);
    let prepended = usize::from(choice / 16).checked_sub(16 - PREPENDED_BYTES.len());
    let (limit, stream) = match prepended {
        None => (LIMIT_BYTES, stream.to_vec()),
        Some(prepended) => long_frame_before(header, PREPENDED_BYTES[prepended], stream),
    };
    let pieces = scaled(pieces, stream.len());
    cut(header, limit, pieces, &stream);
}

/// A stream that begins with a frame of so many bytes, and the limit that it just keeps.
fn long_frame_before(header: Header, length: usize, stream: &[u8]) -> (u32, Vec<u8>) {
    let length = length as u32;
    let mut long = length.to_le_bytes().to_vec();
    long.resize(header.size() + length as usize, 7);
    long.extend_from_slice(stream);
    (length, long)
}

/// The lengths of pieces; of a long stream a thousand pieces are enough.
fn scaled(pieces: &[u8], length: usize) -> impl Iterator<Item = usize> + Clone {
    let unit = 1 + length / 1000;
    let pieces = pieces.iter();
    pieces.map(move |piece| (usize::from(*piece) + 1) * unit)
}

/// The next frame, by either of the two ways to get it.
fn next(decoder: &mut Decoder, in_place: bool) -> Option<Result<Frame, FrameError>> {
    if !in_place {
        return decoder.next();
    }
    let frame = decoder.next_in_place()?;
    Some(frame.map(|FrameInPlace { kind, payload }| Frame {
        kind,
        payload: Bytes::copy_from_slice(&payload),
    }))
}

/// However a payload is held, it is the same bytes.
fn payload_is_held_in_any_way(bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    for payload in [bytes.into(), bytes.to_vec().into(), shared.into()] {
        let payload: PayloadBytes<'_> = payload;
        assert_eq!(*payload, *bytes);
        assert_eq!(Bytes::from(payload), bytes);
    }
}

/// Checks every step of a decoder that gets the stream in pieces of these lengths, used over and over; without any it
/// comes whole. Odd pieces are read into its own memory. How many frames there are.
fn cut(
    header: Header,
    limit: u32,
    pieces: impl Iterator<Item = usize> + Clone,
    stream: &[u8],
) -> usize {
    let mut decoder = Decoder::new(header, limit);
    let (mut pushed, mut taken, mut frames) = (0, 0, 0);
    let mut pieces = pieces.cycle();
    while pushed < stream.len() {
        let piece = pieces.next().unwrap_or(stream.len());
        let end = stream.len().min(pushed + piece);
        let bytes = &stream[pushed..end];
        match piece % 2 {
            0 => decoder.push(bytes),
            _ => decoder.room(piece).extend_from_slice(bytes),
        }
        pushed = end;
        loop {
            let has_next = decoder.has_next();
            let next = next(&mut decoder, taken % 2 == 0);
            assert_eq!(has_next, next.is_some());
            match (expected(header, &stream[taken..pushed], limit), next) {
                (Expected::Unfinished, None) => break,
                (Expected::Frame { kind, payload }, Some(Ok(frame))) => {
                    assert_eq!((frame.kind, &frame.payload[..]), (kind, payload));
                    payload_is_held_in_any_way(payload);
                    taken += header.size() + payload.len();
                    frames += 1;
                }
                (Expected::TooLong { kind, length }, Some(Err(error))) => {
                    assert_eq!(
                        error,
                        FrameError::TooLong {
                            kind,
                            length,
                            limit
                        }
                    );
                    return frames;
                }
                (_, next) => panic!("{next:?} after {taken} of {pushed} bytes"),
            }
        }
    }
    assert_eq!(decoder.is_empty(), taken == pushed);
    assert_eq!(decoder.end(), end(header, &stream[taken..]));
    frames
}

/// How a stream ends whose last bytes are no whole frame.
fn end(header: Header, rest: &[u8]) -> Result<(), FrameError> {
    let (have, want) = (rest.len(), header.size());
    match *rest {
        [] => Ok(()),
        [a, b, c, d, ..] if have >= want => Err(FrameError::TornPayload {
            have: have - want,
            want: u32::from_le_bytes([a, b, c, d]) as usize,
        }),
        _ => Err(FrameError::TornHeader { have, want }),
    }
}

/// Frames that were written are read again, however they come. The first bytes choose as above; then each frame is a
/// kind, a length and as many bytes; the length 255 stands for a long payload.
pub fn frame_round_trip(data: &[u8]) {
    let [choice, pieces @ .., _, _] = data else {
        return;
    };
    let header = if choice % 2 == 0 {
        Header::Preamble
    } else {
        Header::Log
    };
    let (pieces, mut rest) = pieces.split_at(usize::from(choice / 2 % 8).min(pieces.len()));
    let (mut stream, mut frames) = (Vec::new(), 0);
    while let [kind, length, payload @ ..] = rest {
        let payload_length = usize::from(*length).min(payload.len());
        let (payload, behind) = payload.split_at(payload_length);
        rest = behind;
        let before = stream.len();
        let fill = |out: &mut Vec<u8>| match length {
            255 => out.resize(out.len() + LONG_PAYLOAD_BYTES, *kind),
            _ => out.extend_from_slice(payload),
        };
        // Kinds of four bytes that can be told from each other.
        let kind = u32::from(*kind).wrapping_mul(0x0101_0103);
        match header {
            Header::Preamble => frame::encode(kind, &mut stream, fill),
            Header::Log => frame::encode_log(&mut stream, fill),
        }
        .expect("a short payload");
        let payload_length = match length {
            255 => LONG_PAYLOAD_BYTES,
            _ => payload.len(),
        };
        assert_eq!(stream.len() - before, header.size() + payload_length);
        frames += 1;
    }
    let pieces = scaled(pieces, stream.len());
    assert_eq!(cut(header, u32::MAX, pieces, &stream), frames);
}
