//! The keys of maps: bytes that have to become different names in a JSON object.

use arwen::internal::codec::{self, Format};
use arwen::messages::{BlockchainGetAllStateResponse, StorageDataEntry};
use proptest::collection::btree_set;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The names that are written for these keys.
fn names(keys: &[&[u8]]) -> Vec<String> {
    let entry = |(index, key): (usize, &&[u8])| StorageDataEntry {
        key: key.to_vec().into(),
        value: vec![index as u8].into(),
    };
    let message = BlockchainGetAllStateResponse {
        all_state: keys.iter().enumerate().map(entry).collect(),
        ..Default::default()
    };
    let mut frame = Vec::new();
    codec::encode(Format::Json, 1, "", &message, &mut frame).expect("a frame");
    let json: Value = serde_json::from_slice(&frame[8..]).expect("valid JSON");
    let members = json["AllState"].as_object().expect("a map");
    assert_eq!(members.len(), keys.len(), "an entry is lost: {members:?}");
    let (_, decoded) = codec::decode(Format::Json, 39, frame.split_off(8)).expect("our own");
    let decoded: BlockchainGetAllStateResponse =
        match arwen::messages::Payload::from_message(decoded) {
            Ok(message) => message,
            Err(other) => panic!("{other:?}"),
        };
    let entries = decoded.all_state.into_iter().enumerate();
    entries
        .map(|(index, entry)| {
            assert_eq!(entry.value[..], [index as u8], "in their order");
            String::from_utf8(entry.key.to_vec()).expect("text")
        })
        .collect()
}

/// What Go makes of a key: U+FFFD for every byte that is not part of a character.
fn go_name(mut key: &[u8]) -> String {
    let mut name = String::new();
    while !key.is_empty() {
        let character =
            (1..=key.len().min(4)).find_map(|length| str::from_utf8(&key[..length]).ok());
        name.push_str(character.unwrap_or("\u{fffd}"));
        key = &key[character.map_or(1, str::len)..];
    }
    name
}

#[test]
fn a_key_is_written_as_by_go_where_nothing_else_is() {
    assert_eq!(
        names(&[b"a", b"a\xff", b"\xe2\x82", b"\xed\xa0\x80"]),
        [
            "a",
            "a\u{fffd}",
            "\u{fffd}\u{fffd}",
            "\u{fffd}\u{fffd}\u{fffd}"
        ]
    );
}

#[test]
fn keys_that_go_writes_alike_get_different_names() {
    assert_eq!(names(&[b"\xfe", b"\xff"]), ["\u{fffd}", "\u{fffd}#ff"]);
    assert_eq!(
        names(&[b"\xfd", b"\xfe", b"\xff"]),
        ["\u{fffd}", "\u{fffd}#fe", "\u{fffd}#ff"]
    );
}

#[test]
fn a_key_that_looks_like_a_made_up_name_keeps_its_own() {
    let looks: &[u8] = "\u{fffd}#ff".as_bytes();
    let expected = ["\u{fffd}", "\u{fffd}#ff#ff", "\u{fffd}#ff"];
    assert_eq!(names(&[b"\xfe", b"\xff", looks]), expected);
    assert_eq!(
        names(&[looks, b"\xfe", b"\xff"]),
        [expected[2], expected[0], expected[1]]
    );
}

proptest! {
    #[test]
    fn any_keys_get_different_names(
        keys in btree_set(
            prop::collection::vec(
                prop::sample::select(vec![&b"\xff"[..], b"\xfe", b"\xc3\xa9", b"\xe2\x82", b"#", b"fe", b"ff", b"efbfbd", b"\xef\xbf\xbd"]),
                0..4,
            ).prop_map(|pieces| pieces.concat()),
            0..30,
        ),
    ) {
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let names = names(&keys);
        let distinct: HashSet<&String> = names.iter().collect();
        prop_assert_eq!(distinct.len(), keys.len());
        let mut first = HashMap::new();
        for (key, name) in keys.iter().zip(&names) {
            let go_name = go_name(key);
            let earlier = first.insert(go_name.clone(), key);
            let expected = match earlier {
                None => *name == go_name,
                Some(_) => name.starts_with(&(go_name + "#")),
            };
            prop_assert!(expected, "{name}");
        }
    }
}
