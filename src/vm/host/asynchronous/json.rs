//! The stored form of promises: JSON, byte for byte as Go writes it, because contracts pay for each byte
//! (docs/spec/host.md#stored-promises).

use crate::messages::json::{JsonError, Reader, Writer, byte_string, integer, position, text};
use crate::vm::contexts::asynchronous::{Promise, PromiseGroup, PromiseStatus, Promises};
use crate::vm::error::{Broken, ExecutionError, Failure};
use bytes::Bytes;

/// Writes promises. Groups go in the order of their identifiers' bytes.
pub(super) fn write(promises: &Promises) -> Vec<u8> {
    let mut groups: Vec<&PromiseGroup> = promises.groups.iter().collect();
    groups.sort_by(|left, right| left.identifier.cmp(&right.identifier));
    let mut json = Vec::new();
    Writer::new(&mut json, false).object(|out| {
        out.member("CallerAddr", |out| out.base64(&promises.caller));
        // Never set, so null rather than an empty string.
        out.member("ReturnData", |out| out.bare("null"));
        out.member("AsyncContextMap", |out| {
            out.object(|out| {
                for group in groups {
                    out.bytes_member(&group.identifier, |out| write_group(group, out));
                }
            });
        });
    });
    json
}

fn write_group(group: &PromiseGroup, out: &mut Writer<'_>) {
    out.object(|out| {
        out.member("Callback", |out| out.bytes_text(&group.callback));
        out.member("AsyncCalls", |out| {
            out.array(&group.calls, write_call);
        });
    });
}

fn write_call(call: &Promise, out: &mut Writer<'_>) {
    out.object(|out| {
        out.member("Status", |out| out.bare(call.status as u8));
        out.member("Destination", |out| out.base64(&call.destination));
        out.member("Data", |out| out.base64(&call.data));
        out.member("GasLimit", |out| out.bare(call.gas_limit));
        out.member("ValueBytes", |out| out.base64(&call.value));
        out.member("SuccessCallback", |out| {
            out.bytes_text(&call.success_callback);
        });
        out.member("ErrorCallback", |out| {
            out.bytes_text(&call.error_callback);
        });
        out.member("ProvidedGas", |out| out.bare(call.provided_gas));
    });
}

/// Reads promises. Contracts can write what they like under the key, so anything may stand there.
pub(super) fn read(stored: &[u8]) -> Result<Promises, Failure> {
    let mut promises = Promises::default();
    let mut null = false;
    let mut input = Reader::new(stored);
    let result = read_promises(&mut input, &mut promises, &mut null).and_then(|()| input.end());
    result.map_err(|error| ExecutionError::StoredPromises(error.to_string()))?;
    if null {
        return Err(Broken::host_fault("the stored promises are null").into());
    }
    Ok(promises)
}

/// A name of a function; null is no change.
fn read_name(name: &mut Bytes, input: &mut Reader<'_>) -> Result<(), JsonError> {
    let mut read = String::new();
    text::read(&mut read, input)?;
    *name = read.into();
    Ok(())
}

/// Sets `null` where the reference would stumble over a null.
fn read_promises(
    input: &mut Reader<'_>,
    promises: &mut Promises,
    null: &mut bool,
) -> Result<(), JsonError> {
    if input.null()? {
        *null = true;
        return Ok(());
    }
    const FIELDS: [&str; 3] = ["CallerAddr", "ReturnData", "AsyncContextMap"];
    input.object(|name, input| match position(&FIELDS, name) {
        0 => byte_string::read(&mut promises.caller, input),
        1 => byte_string::read(&mut promises.return_data, input),
        2 => {
            if input.null()? {
                promises.groups.clear();
                return Ok(());
            }
            input.object(|identifier, input| {
                let group = read_group(identifier, input, null)?;
                match promises.group(identifier) {
                    Some(earlier) => *earlier = group,
                    None => promises.groups.push(group),
                }
                Ok(())
            })
        }
        _ => input.skip(),
    })
}

fn read_group(
    identifier: &[u8],
    input: &mut Reader<'_>,
    null: &mut bool,
) -> Result<PromiseGroup, JsonError> {
    let mut group = PromiseGroup {
        identifier: Bytes::copy_from_slice(identifier),
        ..PromiseGroup::default()
    };
    if input.null()? {
        *null = true;
        return Ok(group);
    }
    const FIELDS: [&str; 2] = ["Callback", "AsyncCalls"];
    input.object(|name, input| match position(&FIELDS, name) {
        0 => read_name(&mut group.callback, input),
        1 => {
            group.calls.clear();
            if input.null()? {
                return Ok(());
            }
            input.array(|input| {
                group.calls.push(read_call(input, null)?);
                Ok(())
            })
        }
        _ => input.skip(),
    })?;
    Ok(group)
}

fn read_call(input: &mut Reader<'_>, null: &mut bool) -> Result<Promise, JsonError> {
    let mut call = Promise::default();
    if input.null()? {
        *null = true;
        return Ok(call);
    }
    const FIELDS: [&str; 8] = [
        "Status",
        "Destination",
        "Data",
        "GasLimit",
        "ValueBytes",
        "SuccessCallback",
        "ErrorCallback",
        "ProvidedGas",
    ];
    input.object(|name, input| match position(&FIELDS, name) {
        0 => {
            let mut status: u8 = 0;
            integer::read(&mut status, input)?;
            call.status = match status {
                0 => PromiseStatus::Pending,
                1 => PromiseStatus::Resolved,
                _ => PromiseStatus::Rejected,
            };
            Ok(())
        }
        1 => byte_string::read(&mut call.destination, input),
        2 => byte_string::read(&mut call.data, input),
        3 => integer::read(&mut call.gas_limit, input),
        4 => byte_string::read(&mut call.value, input),
        5 => read_name(&mut call.success_callback, input),
        6 => read_name(&mut call.error_callback, input),
        7 => integer::read(&mut call.provided_gas, input),
        _ => input.skip(),
    })?;
    Ok(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(promises: &Promises) -> String {
        String::from_utf8(write(promises)).expect("JSON is text")
    }

    fn example() -> Promises {
        let promise = Promise {
            destination: "trainBook".into(),
            data: "bookTrain".into(),
            gas_limit: 4_000_000,
            value: vec![0; 3].into(),
            success_callback: "yes<\"\\\n\u{1}\u{2028}".into(),
            error_callback: Bytes::from_static(b"no\xff\xfe"),
            provided_gas: u64::MAX,
            ..Promise::default()
        };
        let mut promises = Promises {
            caller: "my_".into(),
            ..Promises::default()
        };
        promises.add("b".into(), promise.clone());
        promises.add("a\0".into(), Promise::default());
        promises.add("b".into(), Promise::default());
        promises
    }

    #[test]
    fn is_written_as_go_writes_it() {
        let empty = r#"{"Status":0,"Destination":"","Data":"","GasLimit":0,"ValueBytes":"","SuccessCallback":"","ErrorCallback":"","ProvidedGas":0}"#;
        let full = r#"{"Status":0,"Destination":"dHJhaW5Cb29r","Data":"Ym9va1RyYWlu","GasLimit":4000000,"ValueBytes":"AAAA","SuccessCallback":"yes\u003c\"\\\n\u0001\u2028","ErrorCallback":"no\ufffd\ufffd","ProvidedGas":18446744073709551615}"#;
        let expected = format!(
            r#"{{"CallerAddr":"bXlf","ReturnData":null,"AsyncContextMap":{{"a\u0000":{{"Callback":"","AsyncCalls":[{empty}]}},"b":{{"Callback":"","AsyncCalls":[{full},{empty}]}}}}}}"#
        );
        assert_eq!(text_of(&example()), expected);
    }

    #[test]
    fn what_was_written_is_read() {
        let promises = read(&write(&example())).expect("well-formed");
        assert_eq!(promises.caller, "my_");
        assert_eq!(promises.groups.len(), 2);
        assert_eq!(promises.groups[0].identifier, "a\0");
        let promise = &promises.groups[1].calls[0];
        assert_eq!(promise.provided_gas, u64::MAX);
        assert_eq!(promise.error_callback, "no\u{fffd}\u{fffd}");
        assert_eq!(promises.position_of(b"trainBook"), Some((1, 0)));
    }

    #[test]
    fn a_group_without_an_identifier_is_not_found() {
        let mut promises = Promises::default();
        promises.add(Bytes::new(), Promise::default());
        assert_eq!(promises.position_of(b""), None);
    }

    #[test]
    fn what_others_wrote_is_read_as_go_reads_it() {
        // Later groups replace earlier ones, unknown fields are left out, and a null list is empty.
        let text = r#"{"x":[1],"AsyncContextMap":{
            "a":{"Callback":"first"},
            "b":{"x":{},"AsyncCalls":[{"Status":1,"x":null},{"Status":2},{"Status":0}]},
            "c":{"AsyncCalls":null},
            "a":{"Callback":"second"}}}"#;
        let promises = read(text.as_bytes()).expect("well-formed");
        let names = promises.groups.iter().map(|group| &group.identifier[..]);
        assert_eq!(names.collect::<Vec<_>>(), [b"a", b"b", b"c"]);
        assert_eq!(promises.groups[0].callback, "second");
        let calls = promises.groups[1].calls.iter().map(|call| call.status);
        let expected = [
            PromiseStatus::Resolved,
            PromiseStatus::Rejected,
            PromiseStatus::Pending,
        ];
        assert_eq!(calls.collect::<Vec<_>>(), expected);
        assert!(promises.groups[2].calls.is_empty());
    }

    #[test]
    fn the_escapes_of_control_characters() {
        let mut promises = Promises::default();
        promises.add("\t\r\n\u{7f}".into(), Promise::default());
        let text = text_of(&promises);
        assert!(text.contains("{\"\\t\\r\\n\u{7f}\":"), "{text}");
    }

    #[test]
    fn nulls_break_the_run_and_bad_text_fails_it() {
        for null in [
            "null",
            r#"{"AsyncContextMap":{"a":null}}"#,
            r#"{"AsyncContextMap":{"a":{"AsyncCalls":[null]}}}"#,
        ] {
            assert!(
                matches!(read(null.as_bytes()), Err(Failure::Broken(_))),
                "{null}"
            );
        }
        for bad in ["x", "{}x", r#"{"CallerAddr":1.5}"#] {
            let failure = read(bad.as_bytes());
            assert!(matches!(failure, Err(Failure::Execution(_))), "{bad}");
        }
        let empty = read(br#"{"AsyncContextMap":null}"#).expect("null counts as empty");
        assert!(empty.groups.is_empty());
    }
}
