//! How much memory decoding takes: a count of all allocations, in a test binary of its own.

#![expect(unsafe_code, reason = "an allocator can not be written without")]

use arwen::internal::codec::{self, Format, MessageError};
use arwen::internal::frame::{Decoder, Header};
use proptest::collection::vec;
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what the current thread allocates.
struct Counting;

thread_local! {
    static LIVE_BYTES: Cell<isize> = const { Cell::new(0) };
    static PEAK_BYTES: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: isize) {
    let live = LIVE_BYTES.get() + sign * bytes as isize;
    LIVE_BYTES.set(live);
    PEAK_BYTES.set(PEAK_BYTES.get().max(live));
}

// SAFETY: everything is passed on to the system's allocator; the counters are plain cells that allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: likewise.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: likewise.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most memory that is in use at one time while `work` runs, above what was in use before; and what `work` returns.
fn peak_bytes<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = LIVE_BYTES.get();
    PEAK_BYTES.set(before);
    let result = work();
    ((PEAK_BYTES.get() - before) as usize, result)
}

/// What a decoder or a small message takes besides the bytes themselves.
const CONSTANT_BYTES: usize = 4 << 10;

const MEBIBYTE: usize = 1 << 20;

#[test]
fn the_count_sees_allocations() {
    let (peak, list) = peak_bytes(|| Vec::<u8>::with_capacity(MEBIBYTE));
    assert_eq!((peak, list.capacity()), (MEBIBYTE, MEBIBYTE));
}

#[test]
fn an_announced_length_allocates_nothing() {
    let (peak, decoder) = peak_bytes(|| {
        let mut decoder = Decoder::new(Header::Preamble, u32::MAX);
        decoder.push(&[0xff; 8]);
        assert_eq!(decoder.next(), None);
        decoder
    });
    assert!(peak <= CONSTANT_BYTES, "{peak}");
    assert!(!decoder.is_empty());
}

#[test]
fn a_decoder_gives_back_the_memory_of_a_large_frame() {
    let mut bytes = (16 * MEBIBYTE as u32).to_le_bytes().to_vec();
    bytes.extend([0; 4]);
    bytes.resize(8 + 16 * MEBIBYTE, 7);
    let mut decoder = Decoder::new(Header::Preamble, u32::MAX);
    let before = LIVE_BYTES.get();
    let (peak, frame) = peak_bytes(|| {
        bytes
            .chunks(MEBIBYTE + 1)
            .for_each(|piece| decoder.push(piece));
        decoder.next().expect("whole").expect("no fault")
    });
    assert!(peak <= 2 * bytes.len() + CONSTANT_BYTES, "{peak}");
    assert_eq!(frame.payload.len(), 16 * MEBIBYTE);
    drop(frame);
    let kept = LIVE_BYTES.get() - before;
    assert!(kept <= CONSTANT_BYTES as isize, "{kept}");
}

proptest! {
    // An integration test has no lib.rs or main.rs beside it to keep failures with.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_decoder_takes_twice_what_it_received(
        bytes in vec(any::<u8>(), 0..100_000),
        length in 0..200_000_u32,
        piece in 1..5000_usize,
    ) {
        let mut stream = length.to_le_bytes().to_vec();
        stream.extend(&bytes);
        let (peak, _) = peak_bytes(|| {
            let mut decoder = Decoder::new(Header::Preamble, u32::MAX);
            let mut frames = 0;
            for piece in stream.chunks(piece) {
                decoder.push(piece);
                while let Some(Ok(_)) = decoder.next() {
                    frames += 1;
                }
            }
            frames
        });
        prop_assert!(peak <= 2 * stream.len() + CONSTANT_BYTES, "{} of {}", peak, stream.len());
    }

    #[test]
    fn arbitrary_payloads_take_twice_their_length(kind in 0..50_u32, payload in vec(any::<u8>(), 0..20_000)) {
        for format in [Format::Json, Format::Protobuf] {
            let bytes = bytes::Bytes::from(payload.clone());
            let (peak, _) = peak_bytes(|| codec::decode(format, kind, bytes));
            prop_assert!(peak <= 2 * payload.len() + CONSTANT_BYTES, "{peak} of {}", payload.len());
        }
    }
}

/// A field of protobuf: its number and bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend(bytes);
    out
}

#[test]
fn tiny_elements_of_protobuf_are_refused_before_they_take_memory() {
    // A ContractResponse: its output's return data, accounts, and log entries with a topic.
    for element in [field(1, b""), field(6, b""), field(9, &field(3, b""))] {
        let payload = field(4, &element.repeat(16 * MEBIBYTE / element.len()));
        let length = payload.len();
        let (peak, outcome) = peak_bytes(|| codec::decode(Format::Protobuf, 5, payload));
        let error = outcome.expect_err("over the budget");
        let MessageError::TooManyElements { error, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(error.limit, 64 * MEBIBYTE + length);
        assert!(error.needed > error.limit && error.needed < error.limit + 2000);
        assert!(peak <= CONSTANT_BYTES, "{peak}");
    }
}

#[test]
fn elements_of_protobuf_take_a_bounded_amount() {
    // Just below the budget, behind something that has to be skipped: an unknown group, an unknown field.
    let unknown = [&[0x7b][..], &field(12, b"x"), &[0x7c], &field(13, b"xyz")].concat();
    for element in [field(1, b""), field(6, b""), field(9, &field(3, b""))] {
        let list = |count: usize| field(4, &[&unknown[..], &element.repeat(count)].concat());
        let decoded = |payload: Vec<u8>| codec::decode(Format::Protobuf, 5, payload);
        let (mut fits, mut fails) = (1, 16 * MEBIBYTE / element.len());
        while fails - fits > 1 {
            let middle = (fits + fails) / 2;
            match decoded(list(middle)) {
                Ok(_) => fits = middle,
                Err(_) => fails = middle,
            }
        }
        let payload = list(fits);
        let limit = 2 * (64 * MEBIBYTE + payload.len()) + payload.len();
        let (peak, outcome) = peak_bytes(|| decoded(payload));
        assert!(outcome.is_ok());
        assert!(peak > 32 * MEBIBYTE && peak <= limit, "{peak}");
        let error = decoded(list(fails)).expect_err("one more");
        assert!(
            matches!(error, MessageError::TooManyElements { .. }),
            "{error}"
        );
    }
}

/// The peak memory of decoding a payload and its length: `head`, then `filling` over and over, then `tail`.
fn filled(kind: u32, head: &str, filling: &[u8], tail: &str) -> (usize, usize) {
    let mut payload = head.as_bytes().to_vec();
    while payload.len() < 16 * MEBIBYTE {
        payload.extend(filling);
    }
    payload.extend(tail.as_bytes());
    let length = payload.len();
    let (peak, _) = peak_bytes(|| codec::decode(Format::Json, kind, payload));
    (peak, length)
}

#[test]
fn a_long_value_takes_twice_its_length() {
    let cases: [(u32, &str, &[u8], &str); 9] = [
        (5, r#"{"ErrorMessage":""#, b"a", r#""}"#),
        (5, r#"{"ErrorMessage":""#, b"\\n", r#""}"#),
        (9, r#"{"Data":""#, b"aaaa", r#""}"#),
        (9, r#"{"Data":""#, b"a\\/aa", r#""}"#),
        (9, r#"{"Data":""#, b"aaaa\\n", r#""}"#),
        (9, r#"{"Data":["#, b"1,", "1]}"),
        (9, r#"{"Nobody":""#, b"\\n", r#""}"#),
        (9, r#"{"Nobody":["#, b"{},", "1]}"),
        (5, r#"{"VMOutput":{"GasRefund":"#, b"1", "}}"),
    ];
    for (kind, head, filling, tail) in cases {
        let (peak, length) = filled(kind, head, filling, tail);
        assert!(peak <= 2 * length, "{head}: {peak} for {length}");
    }
    // Every broken byte becomes the three bytes of U+FFFD.
    let (peak, length) = filled(5, r#"{"ErrorMessage":""#, b"\xff", r#""}"#);
    let message =
        size_of::<arwen::messages::Envelope>() + size_of::<arwen::messages::ContractResponse>();
    assert!(peak <= 3 * length + message, "{peak} for {length}");
}

#[test]
fn elements_take_a_bounded_amount_beyond_their_text() {
    let cases: [(&str, &[u8], &str); 4] = [
        (r#"{"VMOutput":{"ReturnData":["#, b"\"\",", "null]}}"),
        (r#"{"VMOutput":{"Logs":["#, b"null,", "null]}}"),
        (
            r#"{"VMOutput":{"Logs":["#,
            br#"{"Topics":[""]},"#,
            "null]}}",
        ),
        (
            r#"{"VMOutput":{"OutputAccounts":{"#,
            b"\"\":null,",
            "\"\":null}}}",
        ),
    ];
    for (head, filling, tail) in cases {
        let (peak, length) = filled(5, head, filling, tail);
        // A list has room for up to twice its elements.
        let limit = 2 * (64 * MEBIBYTE + length) + length;
        assert!(peak <= limit, "{head}: {peak} for {length}");
    }
}
