//! Each rule of the reader and the writer. Go's results for odd input are recorded in tests/data.

use super::*;
use crate::messages::{
    Account, Arguments, BigInt, BlockchainGetAllStateResponse, BlockchainGetStorageDataResponse,
    ContractCallInput, LogCorrelation, LogLine, OutputAccount, StorageUpdate, StorageUpdateEntry,
    VmInput, VmOutput, null,
};
use crate::short_bytes::ShortBytes;

fn read<T: JsonObject + Default>(text: &str) -> Result<T, JsonError> {
    let mut object = T::default();
    read_object(text.as_bytes(), &mut object).map(|()| object)
}

fn output(text: &str) -> VmOutput {
    read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn written(object: &dyn JsonObject) -> String {
    let mut out = Vec::new();
    write_object(object, true, &mut out);
    String::from_utf8(out).expect("JSON is text")
}

/// Where reading this VMOutput fails, and why.
#[track_caller]
fn assert_fails(text: &str, at: usize, fault: JsonFault) {
    assert_eq!(
        read::<VmOutput>(text),
        Err(JsonError { at, fault }),
        "{text}"
    );
}

fn unexpected(found: u8, expected: &'static str) -> JsonFault {
    JsonFault::Unexpected { found, expected }
}

#[test]
fn every_prefix_of_an_object_ends_too_early() {
    let text = r#"{"ReturnCode":-12,"GasRefund":345,"ReturnMessage":"a\u00e9\n","ReturnData":["YQ==",null,[1,2]],
        "X":{"y":[true,false,1.5e-3,{}]},"Logs":[{"Topics":[]}],"OutputAccounts":{"k\u0000\ufffd\"\u00e9":{"Code":""}}}"#;
    assert!(read::<VmOutput>(text).is_ok());
    for end in 0..text.len() {
        assert_fails(&text[..end], end, JsonFault::End);
    }
}

#[test]
fn an_error_tells_the_byte_that_cannot_stand_there() {
    assert_fails("[]", 0, unexpected(b'[', "an object"));
    assert_fails(" x", 1, unexpected(b'x', "an object"));
    assert_fails("{} {}", 3, unexpected(b'{', "the end"));
    assert_fails("{,", 1, unexpected(b',', "a string"));
    assert_fails(r#"{"X" 1}"#, 5, unexpected(b'1', "':'"));
    assert_fails(r#"{"X":1 "#, 7, JsonFault::End);
    assert_fails(r#"{"X":1;"#, 6, unexpected(b';', "',' or '}'"));
    assert_fails(r#"{"Logs":1}"#, 8, unexpected(b'1', "an array"));
    assert_fails(r#"{"Logs":[null}"#, 13, unexpected(b'}', "',' or ']'"));
    assert_fails(
        r#"{"X":[1}"#,
        7,
        unexpected(b'}', "',' or the end of an object or array"),
    );
    assert_fails(r#"{"X":nul,"#, 8, unexpected(b',', "null, true or false"));
    assert_fails(r#"{"X":+1}"#, 5, unexpected(b'+', "a number"));
    assert_fails(r#"{"X":-}"#, 6, unexpected(b'}', "a digit"));
    assert_fails(r#"{"X":1.}"#, 7, unexpected(b'}', "a digit"));
    assert_fails(r#"{"X":1e+}"#, 8, unexpected(b'}', "a digit"));
    assert_fails(r#"{"X":01}"#, 6, unexpected(b'1', "',' or '}'"));
    assert_fails(r#"{"GasRefund":"1"}"#, 13, unexpected(b'"', "a number"));
    assert_fails(r#"{"ReturnMessage":1}"#, 17, unexpected(b'1', "a string"));
    assert_eq!(
        read::<LogLine>(r#"{"Message":1}"#).map_err(|error| error.to_string()),
        Err("bad JSON at byte 11: unexpected byte 0x31, expected a string".to_owned())
    );
}

#[test]
fn an_error_in_a_number_or_string_tells_where_it_begins() {
    assert_fails(r#"{"ReturnMessage":"ab\x"}"#, 18, JsonFault::Escape);
    assert_fails(r#"{"X":"\u12g4"}"#, 6, JsonFault::Escape);
    assert_fails(r#"{"\q":1}"#, 2, JsonFault::Escape);
    assert_fails("{\"X\":\"a\u{1f}\"}", 6, JsonFault::Control);
    assert_fails(r#"{"ReturnData":["Kg="]}"#, 16, JsonFault::Base64);
    for number in ["1.0", "1e3", "9223372036854775808"] {
        let text = format!("{{\"ReturnCode\": {number}}}");
        assert_fails(&text, 15, JsonFault::Number("i64"));
    }
    for number in ["-1", "-0", "18446744073709551616"] {
        let text = format!("{{\"GasRemaining\":{number}}}");
        assert_fails(&text, 16, JsonFault::Number("u64"));
    }
    assert_fails(r#"{"GasRefund":-1.0}"#, 13, JsonFault::Number("integer"));
    assert_fails(r#"{"ReturnData":[[1,256]]}"#, 18, JsonFault::Number("u8"));
}

#[test]
fn depth_counts_from_the_outermost_object() {
    let nested = |depth| format!("{{\"X\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read::<VmOutput>(&nested(9_999)).is_ok());
    assert_fails(&nested(10_000), 5 + 9_999, JsonFault::Depth);
    // Siblings are not inside each other.
    let siblings = format!("{{\"X\":[{}{{}}]}}", "[[]],{\"a\":{}},".repeat(20_000));
    assert!(read::<VmOutput>(&siblings).is_ok());
    let known = r#"{"Logs":[{"Topics":[""]}],"X":[]}"#;
    assert!(read::<VmOutput>(known).is_ok());
}

#[test]
fn elements_may_take_64_mib_more_than_their_text() {
    let logs = |count| format!("{{\"Logs\":[{}null]}}", "null,".repeat(count));
    assert_eq!(output(&logs(500_000)).logs.len(), 500_001);
    let error = read::<VmOutput>(&logs(1_000_000)).expect_err("too many");
    assert_eq!(error.fault, JsonFault::Elements);
}

#[test]
fn null_is_zero_or_empty_or_no_change() {
    let first = r#"{"ReturnCode":4,"ReturnMessage":"m","ReturnData":["YQ=="],"GasRefund":1,"OutputAccounts":{"a":{}},"#;
    let nulls = r#""ReturnCode":null,"ReturnMessage":null,"ReturnData":null,"GasRefund":null,"OutputAccounts":null}"#;
    // Numbers and strings keep an earlier value, as in Go.
    assert_eq!(
        written(&output(&format!("{first}{nulls}"))),
        r#"{"ReturnCode":4,"ReturnMessage":"m"}"#
    );
    assert_eq!(output("null"), VmOutput::default());
}

#[test]
fn null_and_empty_bytes_differ_where_the_schema_says_so() {
    for (text, data) in [
        ("null", None),
        (r#""""#, Some("")),
        ("[]", Some("")),
        (r#""YQ==""#, Some("a")),
    ] {
        let message: BlockchainGetStorageDataResponse =
            read(&format!("{{\"Data\":{text}}}")).expect("a value");
        assert_eq!(message.data, data.map(bytes::Bytes::from), "{text}");
    }
}

#[test]
fn of_two_members_the_last_one_counts_but_objects_and_maps_are_merged() {
    let twice: Arguments = read(
        r#"{"BlockGasLimit":1,"GasSchedule":{"A":{"x":1},"B":{"y":2}},"BlockGasLimit":2,"GasSchedule":{"B":{"z":3},"C":null}}"#,
    )
    .expect("arguments");
    assert_eq!(
        written(&twice),
        r#"{"BlockGasLimit":2,"GasSchedule":{"A":{"x":1},"B":{"z":3},"C":{}}}"#
    );
    let account =
        r#"{"OutputAccounts":{"b":{"Nonce":1},"a":{"Nonce":2},"b":{"Balance":3},"a":null,"a":{}}}"#;
    let accounts = output(account).output_accounts;
    assert_eq!(accounts.len(), 2);
    let (b, a) = (&accounts[0], &accounts[1]);
    assert_eq!((&b.key[..], &a.key[..]), (&b"b"[..], &b"a"[..]));
    let b = b.value.as_ref().expect("an account");
    // A later entry of a map replaces the earlier one.
    assert_eq!((b.nonce, b.balance.clone()), (0, Some(3_u64.into())));
    assert!(a.value.is_some());
    let unordered = r#"{"OutputAccounts":{"b":{},"a":{}},"OutputAccounts":{"b":null}}"#;
    let keys: Vec<_> = output(unordered).output_accounts;
    assert_eq!((keys.len(), &keys[1].key[..]), (2, &b"b"[..]));
    // A list given twice is replaced; Go would merge the elements.
    let logs = output(r#"{"Logs":[{"Data":"YQ=="},null],"Logs":[{"Address":"YQ=="}]}"#).logs;
    assert_eq!((logs.len(), logs[0].data.len()), (1, 0));
}

#[test]
fn names_match_in_any_case() {
    for name in [
        "GasRemaining",
        "gasremaining",
        "GASREMAINING",
        "ga\u{17f}remaining",
        r"\u0047asRemaining",
    ] {
        assert_eq!(
            output(&format!("{{\"{name}\":7}}")).gas_remaining,
            7,
            "{name}"
        );
    }
    for name in [
        "Gas_Remaining",
        "GasRemainin",
        "GasRemainingg",
        "GasRemaining ",
        "",
        "gasremaınıng",
    ] {
        assert_eq!(
            output(&format!("{{\"{name}\":7}}")).gas_remaining,
            0,
            "{name}"
        );
    }
    assert!(equal_fold(b"Kind", "\u{212a}ind".as_bytes()));
    assert!(!equal_fold(b"Kind", "\u{17f}ind".as_bytes()));
}

#[test]
fn a_name_spelled_exactly_goes_before_one_in_another_case() {
    let fields = ["data", "Data", "DATA"];
    assert_eq!(position(&fields, b"DATA"), 2);
    assert_eq!(position(&fields, b"dATA"), 0);
    assert_eq!(position(&fields, b"date"), usize::MAX);
}

#[test]
fn the_fields_of_a_vm_input_stand_beside_the_others() {
    let input: ContractCallInput =
        read(r#"{"GasPrice":3,"Function":"f","VMInput":{"GasPrice":9},"Input":1}"#)
            .expect("an input");
    let expected = VmInput {
        gas_price: 3,
        ..VmInput::default()
    };
    assert_eq!((input.input, &input.function[..]), (Some(expected), "f"));
    let none: ContractCallInput = read(r#"{"Function":"f","Unknown":[{}]}"#).expect("an input");
    assert_eq!(none.input, None);
}

#[test]
fn text_is_read_as_by_go() {
    let text = |inside: &[u8]| {
        let json = [b"{\"ReturnMessage\":\"", inside, b"\"}"].concat();
        let mut output = VmOutput::default();
        read_object(&json, &mut output).map(|()| output.return_message)
    };
    for (inside, expected) in [
        (&br#"\"\\\/\b\f\n\r\t"#[..], "\"\\/\u{8}\u{c}\n\r\t"),
        (br"\u0041\u00E9\ud83d\ude00\u0000", "A\u{e9}\u{1f600}\0"),
        (br"\ud83d", "\u{fffd}"),
        (br"\ud83dx\ude00", "\u{fffd}x\u{fffd}"),
        (br"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
        (br"\ud83d\u0041", "\u{fffd}A"),
        (br"\ud83d\n", "\u{fffd}\n"),
        (b"a\xffb\xe2\x82c", "a\u{fffd}b\u{fffd}\u{fffd}c"),
        (b"\xed\xa0\x80", "\u{fffd}\u{fffd}\u{fffd}"),
        (b"\xc3\\u0041\xc3", "\u{fffd}A\u{fffd}"),
        ("\u{7f}\u{2028}".as_bytes(), "\u{7f}\u{2028}"),
    ] {
        assert_eq!(text(inside), Ok(expected.to_owned()), "{inside:?}");
    }
    for inside in [
        &br"\'"[..],
        br"\u004",
        br"\ud83d\ude0",
        br"\U0041",
        b"\n",
        b"\0",
    ] {
        assert!(text(inside).is_err(), "{inside:?}");
    }
}

#[test]
fn base64_is_read_as_by_go() {
    for (text, expected) in [
        ("", Some(&b""[..])),
        ("+/8=", Some(b"\xfb\xff")),
        (r"K\ng=\r\n=", Some(b"*")),
        (r"Kg==\n", Some(b"*")),
        ("Kh==", Some(b"*")),
        ("Kg", None),
        ("Kg=", None),
        ("Kg===", None),
        ("K===", None),
        ("====", None),
        ("Kg==Kg==", None),
        ("K g==", None),
        (r"K\tg==", None),
        (r"Kg=\f=", None),
        ("-_8=", None),
        ("Kg=g", None),
        ("Kg\u{e9}=", None),
    ] {
        let message: Result<BlockchainGetStorageDataResponse, _> =
            read(&format!("{{\"Data\":\"{text}\"}}"));
        let data = message.ok().map(|message| message.data.unwrap_or_default());
        assert_eq!(data.as_deref(), expected, "{text}");
    }
}

#[test]
fn big_numbers_keep_all_digits() {
    for digits in ["0", "-1", "340282366920938463463374607431768211456"] {
        let text = format!("{{\"GasRefund\":{digits}}}");
        assert_eq!(written(&output(&text)), text);
    }
    let long = format!("{{\"GasRefund\":-{}}}", "9".repeat(100_000));
    assert_eq!(written(&output(&long)), long);
    // Negative zero does not exist.
    assert_eq!(
        written(&output(r#"{"GasRefund":-0}"#)),
        r#"{"GasRefund":0}"#
    );
    let too_long = format!("{{\"GasRefund\":{}}}", "9".repeat((1 << 20) + 1));
    assert_fails(&too_long, 13, JsonFault::Number("integer"));
}

#[test]
fn text_is_written_as_by_go() {
    let line = LogLine {
        message: "<&>\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f}\u{2028}\u{2029}\u{fffd}é\u{1f600}".to_owned(),
        ..LogLine::default()
    };
    let expected = "{\"Message\":\"\\u003c\\u0026\\u003e\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0001\u{7f}\\u2028\\u2029\\ufffdé\u{1f600}\"}";
    assert_eq!(written(&line), expected);
}

#[test]
fn characters_are_escaped_wherever_they_stand() {
    let line = |message: String| LogLine {
        message,
        ..LogLine::default()
    };
    let characters = (0..0x80).map(char::from);
    for character in characters.chain(['\u{e9}', '\u{2028}', '\u{fffd}', '\u{1f600}']) {
        let alone = written(&line(character.to_string()));
        for before in [1, 15, 16, 17, 40].map(|count| "a".repeat(count)) {
            let text = format!("{before}{character}bc");
            let (begin, end) = alone.split_at("{\"Message\":\"".len());
            let (escaped, end) = end.split_at(end.len() - 2);
            let expected = format!("{begin}{before}{escaped}bc{end}");
            assert_eq!(written(&line(text.clone())), expected, "{text:?}");
            assert_eq!(read(&expected), Ok(line(text)), "{expected}");
        }
    }
}

#[test]
fn keys_of_maps_are_text_of_any_length() {
    for character in ['a', '"', '\0', '\u{2028}', '\u{1f600}'] {
        for length in [1, 32, 47, 48, 49, 63, 64, 65, 191, 192, 193, 500] {
            let key = character.to_string().repeat(length);
            let storage_update = StorageUpdateEntry {
                key: key.into(),
                value: Some(StorageUpdate::default()),
            };
            let account = OutputAccount {
                storage_updates: vec![storage_update],
                ..OutputAccount::default()
            };
            let text = written(&account);
            assert_eq!(read(&text), Ok(account), "{text}");
        }
    }
    let text = r#"{"StorageUpdates":{"a\q":{}}}"#;
    let fault = JsonFault::Escape;
    assert_eq!(
        read::<OutputAccount>(text),
        Err(JsonError { at: 20, fault })
    );
}

proptest::proptest! {
    /// The fast path of keys gives what the slow one gives, or nothing.
    #[test]
    fn short_texts_are_read_as_others(
        pieces in proptest::collection::vec(
            proptest::sample::select(vec![
                &b"\\"[..], b"u", b"0", b"7", b"8", b"f", b"F", b"d", b"n", b"a", b"\"", b"\x1f", b"\xc3", b"\xa9", b"\xff",
                b"\\u0000", b"\\u00e9", b"\\ufffd", b"\\ud83d\\ude00",
            ]),
            0..12,
        ),
    ) {
        let text = pieces.concat();
        let quoted = [b"\"", &text[..]].concat();
        let slow = Reader::new(&quoted).string().and_then(|string| string.text());
        if let Some((fast, length)) = bytes_text::short_text(&text, &mut ShortBytes::in_chunks(0)) {
            proptest::prop_assert_eq!(slow.map(bytes::Bytes::from), Ok(fast));
            proptest::prop_assert_eq!(text[length], b'"');
        }
    }
}

#[test]
fn a_sparse_object_leaves_out_what_is_zero() {
    let mut line = LogLine::default();
    assert_eq!(written(&line), "{}");
    line.correlation = Some(LogCorrelation::default());
    line.log_level = -1;
    line.args = vec![String::new()];
    assert_eq!(
        written(&line),
        r#"{"LogLevel":-1,"Args":[""],"Correlation":{}}"#
    );
}

#[test]
fn an_object_that_is_not_sparse_has_all_members() {
    let mut out = Vec::new();
    let account = Account {
        balance: Some(BigInt::default()),
        user_name: null::empty(),
        ..Account::default()
    };
    write_object(&account, false, &mut out);
    let expected = r#"{"Nonce":0,"Balance":0,"CodeHash":null,"RootHash":null,"Address":null,"DeveloperReward":null,"OwnerAddress":null,"UserName":"","CodeMetadata":null,"Code":null}"#;
    assert_eq!(String::from_utf8_lossy(&out), expected);
}

#[test]
fn a_map_keeps_the_order_of_its_entries() {
    let state: BlockchainGetAllStateResponse =
        read(r#"{"AllState":{"b":"YQ==","a":null,"":"","\ud800":"Yg==","b":"Yw=="}}"#)
            .expect("a map");
    let text = written(&state);
    assert_eq!(
        text,
        r#"{"AllState":{"a":null,"":"","\ufffd":"Yg==","b":"Yw=="}}"#
    );
}
