//! Frames out of a stream that comes in pieces.

use crate::recorded::{cut, messages};
use arwen::internal::frame::{Decoder, Frame, FrameError, Header, encode, encode_log};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMIT_BYTES: u32 = 1 << 20;

/// The frames that a stream is cut into when it comes in these pieces.
fn cut_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Frame>, Decoder) {
    let mut decoder = Decoder::new(Header::Preamble, LIMIT_BYTES);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(frame) = decoder.next() {
            frames.push(frame.expect("no fault"));
        }
    }
    (frames, decoder)
}

#[test]
fn recorded_frames_may_come_in_any_two_pieces_or_byte_by_byte() {
    for row in messages() {
        let bytes = row.frame();
        let whole = vec![cut(&bytes)];
        assert_eq!(whole[0].payload, row.payload.as_bytes());
        for at in 0..=bytes.len() {
            let (first, second) = bytes.split_at(at);
            let (frames, decoder) = cut_pieces([first, second]);
            assert!(frames == whole && decoder.is_empty(), "{} {at}", row.case);
        }
        let (frames, decoder) = cut_pieces(bytes.chunks(1));
        assert!(frames == whole && decoder.is_empty(), "{}", row.case);
    }
}

#[test]
fn a_stream_that_ends_inside_a_frame_is_torn() {
    let rows = messages();
    for row in rows.iter().filter(|row| row.payload.len() < 400) {
        let bytes = row.frame();
        for have in 0..bytes.len() {
            let (frames, decoder) = cut_pieces([&bytes[..have]]);
            assert_eq!(frames, []);
            let expected = match have {
                0 => Ok(()),
                1..8 => Err(FrameError::TornHeader { have, want: 8 }),
                _ => Err(FrameError::TornPayload {
                    have: have - 8,
                    want: row.payload.len(),
                }),
            };
            assert_eq!((decoder.end(), decoder.is_empty()), (expected, have == 0));
        }
    }
}

#[test]
fn a_length_over_the_limit_is_an_error_as_soon_as_the_header_is_there() {
    let mut decoder = Decoder::new(Header::Preamble, 100);
    let mut allowed = Vec::new();
    encode(5, &mut allowed, |out| out.extend([b'x'; 100])).expect("a frame");
    decoder.push(&allowed);
    assert!(matches!(decoder.next(), Some(Ok(frame)) if frame.payload.len() == 100));
    for byte in [101, 0, 0, 0, 7, 0, 0] {
        decoder.push(&[byte]);
        assert_eq!(decoder.next(), None);
    }
    decoder.push(&[0]);
    let error = FrameError::TooLong {
        kind: 7,
        length: 101,
        limit: 100,
    };
    // It stays so, whatever comes.
    for _ in 0..2 {
        assert_eq!(decoder.next(), Some(Err(error.clone())));
        decoder.push(&allowed);
    }
    assert_eq!(
        error.to_string(),
        "a frame of kind 7 announces a payload of 101 bytes; the limit is 100"
    );
}

#[test]
fn a_log_frame_has_a_length_and_nothing_else() {
    let mut bytes = Vec::new();
    encode_log(&mut bytes, |out| out.extend(b"line")).expect("a frame");
    encode_log(&mut bytes, |_| {}).expect("a frame");
    assert_eq!(bytes, b"\x04\0\0\0line\0\0\0\0");
    let mut decoder = Decoder::new(Header::Log, 4);
    decoder.push(&bytes);
    decoder.push(b"\x05\0\0");
    for payload in [&b"line"[..], b""] {
        let frame = decoder.next().expect("whole").expect("no fault");
        assert_eq!((frame.kind, &frame.payload[..]), (0, payload));
    }
    let torn = FrameError::TornHeader { have: 3, want: 4 };
    assert_eq!((decoder.next(), decoder.end()), (None, Err(torn)));
    decoder.push(b"\0");
    let too_long = FrameError::TooLong {
        kind: 0,
        length: 5,
        limit: 4,
    };
    assert_eq!(decoder.next(), Some(Err(too_long)));
}

proptest! {
    #[test]
    fn a_stream_may_come_in_any_pieces(
        frames in vec((any::<u32>(), vec(any::<u8>(), 0..300)), 0..8),
        ends in vec(any::<prop::sample::Index>(), 0..20),
        missing in 0..400_usize,
    ) {
        let mut stream = Vec::new();
        for (kind, payload) in &frames {
            encode(*kind, &mut stream, |out| out.extend_from_slice(payload)).expect("a frame");
        }
        stream.truncate(stream.len().saturating_sub(missing));
        let mut ends: Vec<_> = ends.iter().map(|end| end.index(stream.len() + 1)).collect();
        ends.extend([0, stream.len()]);
        ends.sort_unstable();
        let (at_once, whole) = cut_pieces([&stream[..]]);
        let (in_pieces, pieces) = cut_pieces(ends.windows(2).map(|ends| &stream[ends[0]..ends[1]]));
        prop_assert_eq!(&in_pieces, &at_once);
        prop_assert_eq!(pieces.end(), whole.end());
        for (frame, (kind, payload)) in at_once.iter().zip(&frames) {
            prop_assert_eq!((frame.kind, &frame.payload[..]), (*kind, &payload[..]));
        }
        prop_assert!(missing > 0 || at_once.len() == frames.len());
    }

    #[test]
    fn arbitrary_bytes_are_frames_or_errors(bytes in vec(any::<u8>(), 0..100), limit in 0..50_u32) {
        let mut decoder = Decoder::new(Header::Preamble, limit);
        decoder.push(&bytes);
        let mut used = 0;
        while let Some(Ok(frame)) = decoder.next() {
            prop_assert!(frame.payload.len() <= limit as usize);
            used += 8 + frame.payload.len();
        }
        prop_assert!(used <= bytes.len());
        prop_assert_eq!(decoder.end().is_ok(), used == bytes.len());
    }
}
