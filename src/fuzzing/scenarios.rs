//! Scenario files and the values in them.

use crate::scenario::files::Files;
use crate::scenario::json::{self, Value};
use crate::scenario::model::Scenario;
use crate::scenario::parse::{DEFAULT_PROTECTED_PREFIX, Reader};
use crate::scenario::value;
use num_bigint::{BigInt, BigUint, Sign};
use std::collections::BTreeMap;
use std::path::Path;

/// A scenario file, a file of the old format, a value: each is something or an error that says where it is wrong. Nothing
/// is larger than the text by much, and what was read is all that was written.
pub fn scenario_parser(data: &[u8]) {
    // Values can name files: none are there, and nothing leads out of the folder that isn't.
    if data.windows(2).any(|pair| pair == b"..") {
        return;
    }
    let replacements = BTreeMap::new();
    let mut files = Files::new(&replacements);
    files.set_context(Path::new("no-such-folder/x.scen.json"));
    values(data, &files);

    let value = match json::parse(data) {
        Ok(value) => value,
        Err(error) => {
            assert!(error.line <= 1 + data.len() && error.column <= 1 + data.len());
            return;
        }
    };
    let mut written = Vec::new();
    write(&value, &mut written);
    // A flag that stands alone does not end with the text.
    written.push(b'\n');
    assert_eq!(json::parse(&written).as_ref(), Ok(&value));

    let reader = Reader {
        files: &files,
        protected_prefix: DEFAULT_PROTECTED_PREFIX,
    };
    match reader.scenario(&value) {
        Ok(scenario) => check(&scenario, &value),
        Err(fault) => drop(fault.in_file(Path::new("x")).to_string()),
    }
    match reader.old_tests(&value) {
        Ok(tests) => assert_eq!(tests.len(), length(&value)),
        Err(fault) => drop(fault.in_file(Path::new("x")).to_string()),
    }
}

/// Every step of the file is there, in order.
fn check(scenario: &Scenario, file: &Value) {
    let Value::Map(entries) = file else {
        panic!("a scenario of {file:?}");
    };
    let steps = entries.iter().find(|(name, _)| name == "steps");
    let Some((_, Value::List(steps))) = steps else {
        assert!(scenario.steps.is_empty());
        return;
    };
    assert_eq!(scenario.steps.len(), steps.len());
    for (step, value) in scenario.steps.iter().zip(steps) {
        let Value::Map(entries) = value else {
            panic!("a step of {value:?}");
        };
        let kind = entries.iter().find(|(name, _)| name == "step");
        assert_eq!(
            kind.map(|(_, kind)| kind),
            Some(&Value::Text(step.kind().into()))
        );
    }
}

fn length(value: &Value) -> usize {
    match value {
        Value::Map(entries) => entries.len(),
        Value::List(elements) => elements.len(),
        Value::Text(_) | Value::Flag(_) => 0,
    }
}

/// The text of a value. Strings have no escapes.
fn write(value: &Value, out: &mut Vec<u8>) {
    let text = |text: &[u8], out: &mut Vec<u8>| {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
    };
    match value {
        Value::Text(string) => text(string, out),
        Value::Flag(flag) => out.extend_from_slice(flag.to_string().as_bytes()),
        Value::List(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(element, out);
            }
            out.push(b']');
        }
        Value::Map(entries) => {
            out.push(b'{');
            for (index, (key, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                text(key, out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

/// The text as a value, in every way that a value is used.
fn values(text: &[u8], files: &Files<'_>) {
    let Ok(bytes) = value::bytes(text, files) else {
        return;
    };
    // A hash has 32 bytes and is written with at least 10.
    assert!(
        bytes.len() <= 4 * text.len(),
        "{} bytes of {}",
        bytes.len(),
        text.escape_ascii()
    );
    let unsigned = value::unsigned(text, files).expect("any bytes are a number");
    assert_eq!(unsigned, BigUint::from_bytes_be(&bytes));
    let signed = value::signed(text, files).expect("any bytes are a number");
    let top_bit = bytes.first().is_some_and(|byte| *byte >= 0x80);
    let modulus = BigInt::from(1) << (8 * bytes.len());
    let number = BigInt::from_biguint(Sign::Plus, unsigned.clone());
    assert_eq!(signed, if top_bit { number - modulus } else { number });
    let short = value::unsigned_64(text, files);
    assert_eq!(short.ok(), u64::try_from(unsigned).ok());
    assert_eq!(value::fixed(text, 32, files).is_ok(), bytes.len() == 32);
}
