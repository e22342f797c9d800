//! What the fuzz targets run. Each takes any bytes and panics when a promise is broken.
//!
//! The targets in fuzz/ only call these; the tests below run them over the corpora, so that they keep working.

use crate::frame::{Decoder, Frame, FrameError, Header};
use crate::messages::{Format, codec};
use bytes::Bytes;

/// The payload limit of the decoder, low enough for inputs to pass it.
const LIMIT_BYTES: u32 = 1 << 10;

/// A stream that comes in pieces is cut like one that comes whole. The first byte chooses the header and the pieces.
pub fn frame_decoder(data: &[u8]) {
    let Some((&choice, stream)) = data.split_first() else {
        return;
    };
    let header = if choice % 2 == 0 {
        Header::Preamble
    } else {
        Header::Log
    };
    let piece = usize::from(choice / 2) + 1;
    let whole = cut(header, std::iter::once(stream));
    assert_eq!(cut(header, stream.chunks(piece)), whole);
    let (frames, _) = whole;
    let cut_bytes: usize = frames
        .iter()
        .map(|frame| header.size() + frame.payload.len())
        .sum();
    assert!(cut_bytes <= stream.len());
}

/// All frames, and how the stream ended.
fn cut<'a>(
    header: Header,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Frame>, Result<(), FrameError>) {
    let mut decoder = Decoder::new(header, LIMIT_BYTES);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(frame) = decoder.next() {
            match frame {
                Ok(frame) => frames.push(frame),
                Err(error) => return (frames, Err(error)),
            }
        }
    }
    (frames, decoder.end())
}

/// What can be read can be written, and reads the same again, in both formats. The first byte is the kind, the second
/// chooses the format.
pub fn messages(data: &[u8]) {
    let [kind, choice, payload @ ..] = data else {
        return;
    };
    let format = if choice % 2 == 0 {
        Format::Json
    } else {
        Format::Protobuf
    };
    let payload = Bytes::copy_from_slice(payload);
    let Ok((envelope, message)) = codec::decode(format, (*kind).into(), payload) else {
        return;
    };
    for format in [Format::Json, Format::Protobuf] {
        let mut frame = Vec::new();
        codec::encode_message(format, &envelope, &message, &mut frame).expect("a short payload");
        let payload = frame.split_off(Header::Preamble.size()).into();
        let again = codec::decode(format, (*kind).into(), payload).expect("our own writing");
        // JSON texts are UTF-8, so that keys that are not read differently.
        if format == Format::Protobuf {
            assert_eq!(again, (envelope.clone(), message.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_corpora_break_no_promise() {
        for (name, run) in [
            ("frame_decoder", super::frame_decoder as fn(&[u8])),
            ("messages", super::messages),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fuzz/corpus")
                .join(name);
            let mut seeds = 0;
            for entry in fs::read_dir(folder).expect("every target has a corpus") {
                let seed = fs::read(entry.expect("readable").path()).expect("readable");
                (0..=seed.len()).for_each(|end| run(&seed[..end]));
                seeds += 1;
            }
            assert!(seeds > 5, "{name} has {seeds} seeds");
        }
    }
}
