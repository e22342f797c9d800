//! What a node has besides the contracts: promises that wait for their answers, what a built-in function changes, and
//! the ways in which it can fail.

use super::host_calls::CONTRACTS;
use crate::messages::{
    BigInt, OutputAccount, OutputAccountEntry, StorageUpdate, StorageUpdateEntry,
};
use crate::vm::fixtures::*;
use arbitrary::{Result, Unstructured};
use base64_simd::STANDARD;
use bytes::Bytes;

/// How many of an input's last bytes are read for it. The calls are read from the other end, so that a mutation of one
/// leaves the other as it is.
pub const NODE_STATE_BYTES: usize = 8;

/// Where a node may break: the names of hook calls in [`World::breaks_at`].
const HOOK_CALLS: [&str; 5] = ["account", "storage", "builtin", "shard", "new_address"];

/// The state of a node. That of short inputs, whose last bytes are zeros, is none.
#[derive(Debug, Clone)]
pub struct NodeState {
    /// Under the key that answers look at.
    pub stored_promises: Option<Bytes>,
    /// Accounts in the answer of the built-in function.
    pub builtin_accounts: Vec<OutputAccountEntry>,
    pub gas_refund: Option<BigInt>,
    pub breaks_at: Option<&'static str>,
    /// An account that the node refuses to tell of.
    pub refuses: Option<Bytes>,
    /// Whether all arguments are short enough for calldata, which has 32 bytes for each.
    pub has_calldata: bool,
}

impl NodeState {
    pub fn new(bytes: &mut Unstructured<'_>) -> Result<NodeState> {
        Ok(NodeState {
            stored_promises: stored_promises(bytes)?,
            builtin_accounts: builtin_accounts(bytes)?,
            gas_refund: (bytes.int_in_range(0..=3)? == 1).then(|| 7_u64.into()),
            breaks_at: match bytes.int_in_range(0..=31)? {
                0..=26 => None,
                index => Some(HOOK_CALLS[index - 27]),
            },
            refuses: match bytes.int_in_range(0..=31)? {
                0..=27 => None,
                index => Some(address(
                    [CONTRACTS[0], CONTRACTS[1], "caller", "nobody"][index - 28],
                )),
            },
            has_calldata: bytes.int_in_range(0..=1)? == 1,
        })
    }
}

/// Promises in the stored form: such as contracts leave behind, answered by the caller of the run or by another, and
/// what else can stand there. Mostly none. The last byte of two damages one byte of the text, if it is not 0.
fn stored_promises(bytes: &mut Unstructured<'_>) -> Result<Option<Bytes>> {
    let call = |status: u8, to: &str, success: &str| {
        let (to, data) = (
            STANDARD.encode_to_string(address(to)),
            STANDARD.encode_to_string("f@01"),
        );
        format!(
            r#"{{"Status":{status},"Destination":"{to}","Data":"{data}","GasLimit":500,"ValueBytes":"",
            "SuccessCallback":"{success}","ErrorCallback":"callBack","ProvidedGas":0}}"#
        )
    };
    let promises = |caller: &str, groups: &str| {
        let caller = STANDARD.encode_to_string(address(caller));
        format!(r#"{{"CallerAddr":"{caller}","ReturnData":null,"AsyncContextMap":{groups}}}"#)
    };
    let group = |calls: &str| format!(r#"{{"Callback":"f","AsyncCalls":[{calls}]}}"#);
    let answered = group(&call(0, "caller", "callBack"));
    let other = group(&call(1, "callee", "f"));
    let mut text = match bytes.int_in_range(0..=31)? {
        1 => promises("callee", &format!(r#"{{"a":{answered}}}"#)),
        2 => promises("nobody", &format!(r#"{{"a":{answered}}}"#)),
        3 => promises("callee", &format!(r#"{{"a":{answered},"b":{other}}}"#)),
        4 => promises("callee", &format!(r#"{{"a":{other}}}"#)),
        5 => promises("callee", &format!(r#"{{"a":{other},"a":{answered}}}"#)),
        6 => promises("callee", r#"{"a":null}"#),
        7 => promises("callee", &format!(r#"{{"a":{}}}"#, group("null"))),
        8 => promises("callee", "null"),
        9 => promises(
            "callee",
            r#"{"a":{"Callback":null,"x":[],"AsyncCalls":null}}"#,
        ),
        10 => promises(
            "nobody",
            &format!(r#"{{"a":{}}}"#, group(r#"{"Status":2,"x":{}}"#)),
        ),
        11 => promises("nobody", &format!(r#"{{"":{answered}}}"#)),
        12 => "null".to_owned(),
        13 => r#"{"x":1}"#.to_owned(),
        _ => return Ok(None),
    }
    .into_bytes();
    let (place, damage) = (bytes.arbitrary::<u8>()?, bytes.arbitrary::<u8>()?);
    if damage != 0 {
        let index = usize::from(place) * text.len() / 256;
        text[index] = damage;
    }
    Ok(Some(text.into()))
}

/// Mostly none; or a null, or an account with a change of its storage.
fn builtin_accounts(bytes: &mut Unstructured<'_>) -> Result<Vec<OutputAccountEntry>> {
    let account = |name: &str, is_named: bool, delta: Option<i64>| OutputAccountEntry {
        key: address(name),
        value: Some(OutputAccount {
            address: if is_named {
                address(name)
            } else {
                Bytes::new()
            },
            nonce: 3,
            balance: Some(1000_u64.into()),
            balance_delta: delta.map(BigInt::from),
            storage_updates: vec![StorageUpdateEntry {
                key: "key".into(),
                value: Some(StorageUpdate {
                    offset: "key".into(),
                    data: "built in".into(),
                }),
            }],
            data: "data".into(),
            gas_limit: 9,
            ..OutputAccount::default()
        }),
    };
    Ok(match bytes.int_in_range(0..=7)? {
        1 => vec![OutputAccountEntry::default()],
        2 => vec![
            account("self", true, Some(-3)),
            account("nobody", true, None),
        ],
        3 => vec![
            account("self", false, None),
            account("nobody", false, Some(3)),
        ],
        _ => Vec::new(),
    })
}
