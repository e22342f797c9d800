//! Recorded dialogues of the Go child, played to the real binary: what it says must be what the Go child has said, byte for
//! byte.

use super::raw::{Raw, frame};
use arwen::internal::codec;
use arwen::internal::frame::{Decoder, Header};
use arwen::messages::Format;
use dialogues::recordings;

#[path = "../../common/dialogues.rs"]
pub mod dialogues;

#[test]
fn the_child_says_what_the_go_child_has_said() {
    let (mut dialogues, mut said) = (0, 0);
    for (name, rows) in recordings() {
        let (initialize, rows) = rows.split_first().expect("an Initialize");
        let mut raw = Raw::start_with(&frame(initialize.kind, &initialize.payload));
        for (at, row) in rows.iter().enumerate() {
            if row.from_node {
                raw.send(&frame(row.kind, &row.payload));
                continue;
            }
            let (kind, payload) = raw.receive();
            assert_eq!((kind, &payload), (row.kind, &row.payload), "{name} {at}");
            said += 1;
        }
        assert_eq!(
            raw.end(),
            (3, "Ended Arwen loop: EOF\n".to_owned()),
            "{name}"
        );
        dialogues += 1;
    }
    assert_eq!((dialogues, said), (67, 246));
}

#[test]
fn what_the_go_node_has_said_is_written_as_it_was_read() {
    let mut frames = 0;
    for (name, rows) in recordings() {
        for row in rows {
            let recorded = frame(row.kind, &row.payload);
            let mut decoder = Decoder::new(Header::Preamble, 1 << 20);
            decoder.push(&recorded);
            let cut = decoder.next().expect("a frame").expect("no fault");
            let (envelope, message) =
                codec::decode(Format::Json, cut.kind, cut.payload).expect("a message");
            let mut ours = Vec::new();
            codec::encode_message(Format::Json, &envelope, &message, &mut ours).expect("short");
            assert_eq!(ours, recorded, "{name}: {}", row.payload);
            frames += 1;
        }
    }
    assert_eq!(frames, 559);
}
