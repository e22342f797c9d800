//! When two JSON values mean the same message.

use serde_json::{Map, Value};

/// The value that stands for all values which mean the same as this one.
///
/// Null is the same as an empty string, list or map, and as a log entry that has nothing in it. Not the same: null and
/// the number 0 (a big integer), null and an object with members of their own (an account that is there or not). Numbers
/// are compared as they are written; serde_json keeps their digits.
fn canonical(value: Value) -> Value {
    match value {
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Array(list) if list.is_empty() => Value::Null,
        Value::Object(members) if members.is_empty() => Value::Null,
        Value::Array(list) => Value::Array(list.into_iter().map(canonical).collect()),
        Value::Object(members) => {
            let mut members: Map<_, _> = members
                .into_iter()
                .map(|(name, value)| (name, canonical(value)))
                .collect();
            if let Some(Value::Array(logs)) = members.get_mut("Logs") {
                logs.iter_mut().for_each(empty_log_entry_to_null);
            }
            Value::Object(members)
        }
        other => other,
    }
}

fn empty_log_entry_to_null(entry: &mut Value) {
    if let Value::Object(members) = entry
        && members.values().all(Value::is_null)
    {
        *entry = Value::Null;
    }
}

/// Fails unless both payloads of this kind mean the same.
pub fn assert_same(kind: u32, ours: &[u8], go: &str, what: &str) {
    let parse = |text: &[u8]| -> Value { serde_json::from_slice(text).expect("valid JSON") };
    let (ours, go) = (parse(ours), parse(go.as_bytes()));
    if kind == 9 {
        // Of this one value, null and empty differ.
        assert_eq!(ours["Data"], go["Data"], "{what}");
    }
    assert_eq!(canonical(ours), canonical(go), "{what}");
}

#[test]
fn tells_apart_what_differs() {
    let same = |a: &str, b: &str| {
        let parse = |text| canonical(serde_json::from_str(text).expect("valid JSON"));
        parse(a) == parse(b)
    };
    assert!(same(r#"{"A":null}"#, r#"{"A":""}"#));
    assert!(same(r#"{"A":[null]}"#, r#"{"A":[[]]}"#));
    assert!(same(r#"{"Logs":[null]}"#, r#"{"Logs":[{"Data":""}]}"#));
    assert!(!same(r#"{"A":null}"#, r#"{"A":0}"#));
    assert!(!same(r#"{"A":null}"#, r#"{"A":{"B":null}}"#));
    assert!(!same(r#"{"A":{"k":null}}"#, r#"{"A":{}}"#));
    assert!(!same(
        r#"{"A":18446744073709551615}"#,
        r#"{"A":18446744073709551616}"#
    ));
}
