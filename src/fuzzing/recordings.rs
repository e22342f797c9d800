//! Recordings of dialogues.

use crate::recording::{self, Reader, Record};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

/// The first byte chooses what the others are: a file, or the contents of one.
pub fn recordings(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else {
        return;
    };
    if choice % 2 == 0 {
        // What the bytes expand to is not known here: they are only read.
        written_again(rest);
        return;
    }
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(rest).expect("memory");
    let read = written_again(&gzip.finish().expect("memory"));
    assert!(rest.starts_with(&read), "{rest:?} was read as {read:?}");
}

/// What can be read of a file, written again. An end whose words are not text, which read otherwise, is left out.
fn written_again(file: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let Ok(mut reader) = Reader::new(file) else {
        return out;
    };
    recording::write_head(reader.head(), &mut out);
    while let Ok(Some(record)) = reader.next() {
        match record {
            Record::Frame(frame) => recording::write_frame(
                frame.from_node,
                frame.micros,
                frame.kind,
                &frame.payload,
                &mut out,
            ),
            Record::Gap { frames } => recording::write_gap(frames, &mut out),
            Record::End { micros, how } => {
                if !how.contains(char::REPLACEMENT_CHARACTER) {
                    recording::write_end(micros, &how, &mut out);
                }
                // Nothing follows.
                assert!(matches!(reader.next(), Ok(None)));
                break;
            }
        }
    }
    out
}
