//! Outcomes as the reference's tool writes them: the JSON of its structures, indented with tabs.

use crate::messages::json::{JsonObject, Writer, write_object};
use crate::messages::{VmInput, VmOutput};
use crate::scenario::Account;
use crate::tool::Performed;
use crate::tool::world::Action;
use bytes::Bytes;

/// The outcome of a transaction or query. `Error` is always null: without an output there is no outcome.
pub fn outcome(performed: &Performed) -> Vec<u8> {
    let deploys = matches!(performed.request.action, Action::Deploy { .. });
    let members = |out: &mut Writer<'_>| {
        out.member("Error", |out| out.literal("null"));
        out.member("Input", |out| object::<VmInput>(out, &performed.input));
        out.member("Output", |out| object::<VmOutput>(out, &performed.output));
        if deploys {
            out.member("ContractAddress", |out| out.base64(&performed.contract));
            out.member("ContractAddressHex", |out| {
                out.text(&digits(&performed.contract))
            });
        }
    };
    let mut json = Vec::new();
    Writer::new(&mut json, false).object(members);
    indented(&json)
}

/// The outcome of the creation of an account.
pub fn account_outcome(address: &Bytes, account: &Account) -> Vec<u8> {
    let mut json = Vec::new();
    Writer::new(&mut json, false).object(|out| {
        out.member("Account", |out| {
            out.object(|out| {
                let mut text =
                    |name: &str, bytes: &[u8]| out.member(name, |out| out.text(&digits(bytes)));
                text("AddressHex", address);
                text("CodeHex", &account.code);
                text("CodeMetadataHex", &account.code_metadata);
                text("OwnerAddressHex", &account.owner);
                text("UserNameHex", b"");
                out.member("Nonce", |out| out.bare(account.nonce));
                out.member("Balance", |out| out.bare(&account.balance));
                out.member("Storage", |out| {
                    out.object(|out| {
                        for (key, value) in &account.storage {
                            out.named_member(&digits(key), |out| out.text(&digits(value)));
                        }
                    });
                });
                out.member("ShardID", |out| out.bare(0));
            });
        });
    });
    indented(&json)
}

fn object<T: JsonObject>(out: &mut Writer<'_>, message: &T) {
    let mut json = Vec::new();
    write_object(message, false, &mut json);
    out.literal(&String::from_utf8_lossy(&json));
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compact JSON with a line for each element, as Go's `MarshalIndent` with tabs, and a newline at the end.
fn indented(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 * json.len());
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    let line = |depth: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.extend(std::iter::repeat_n(b'\t', depth));
    };
    for (at, byte) in json.iter().enumerate() {
        if in_text {
            out.push(*byte);
            in_text = escaped || *byte != b'"';
            escaped = !escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'{' | b'[' => {
                depth += 1;
                out.push(*byte);
                if !matches!(json.get(at + 1), Some(b'}' | b']')) {
                    line(depth, &mut out);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !matches!(json.get(at.wrapping_sub(1)), Some(b'{' | b'[')) {
                    line(depth, &mut out);
                }
                out.push(*byte);
            }
            b',' => {
                out.push(b',');
                line(depth, &mut out);
            }
            b':' => out.extend(b": "),
            _ => {
                in_text = *byte == b'"';
                out.push(*byte);
            }
        }
    }
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_as_by_go() {
        let json = br#"{"a":[1,{"b":"x,\"{:[\\"}],"c":{},"d":[],"e":null}"#;
        let expected = "{\n\t\"a\": [\n\t\t1,\n\t\t{\n\t\t\t\"b\": \"x,\\\"{:[\\\\\"\n\t\t}\n\t],\n\t\"c\": {},\n\t\"d\": [],\n\t\"e\": null\n}\n";
        assert_eq!(String::from_utf8_lossy(&indented(json)), expected);
    }

    #[test]
    fn an_account_is_as_the_reference_has_it() {
        let account = Account {
            balance: "12345678901234567890123".parse().expect("a number"),
            storage: [("k".into(), Bytes::from_static(&[1]))].into(),
            ..Account::default()
        };
        let json = account_outcome(&vec![0xaa; 32].into(), &account);
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        let account = &json["Account"];
        assert_eq!(account["AddressHex"], "aa".repeat(32));
        assert_eq!(account["Balance"].to_string(), "12345678901234567890123");
        assert_eq!(account["Storage"]["6b"], "01");
        assert_eq!(account["ShardID"], 0);
    }
}
