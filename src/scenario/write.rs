//! Writes scenario files. Strings of the format have no escapes, so not every text can be written.

use super::json::Value;
use super::model::{
    AccountCheck, CheckState, Expected, ExpectedLog, ExpectedResult, SetState, Step, Transaction,
    TransactionKind, TransactionStep,
};
use super::world::{Account, BlockInfo, NewAddress};
use crate::escape::hex;
use bytes::Bytes;
use thiserror::Error;

/// A text that no string of the format can be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} can't be written: strings of scenarios have no escapes")]
pub struct Inexpressible(pub String);

/// A scenario file.
pub fn scenario(name: &str, comment: &str, steps: &[Step]) -> Result<Vec<u8>, Inexpressible> {
    let file = map([
        ("name", text(name)),
        ("comment", text(comment)),
        ("steps", Value::List(steps.iter().map(step).collect())),
    ]);
    file_text(&file)
}

/// A value as a file: lists and maps with a line for each element, and a newline at the end.
pub fn file_text(value: &Value) -> Result<Vec<u8>, Inexpressible> {
    let mut out = Vec::new();
    print(value, 0, &mut out)?;
    out.push(b'\n');
    Ok(out)
}

fn print(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), Inexpressible> {
    const INDENT: &[u8] = b"    ";
    let line = |depth: usize, out: &mut Vec<u8>| {
        out.push(b'\n');
        out.extend(INDENT.repeat(depth));
    };
    match value {
        Value::Text(text) => print_text(text, out)?,
        Value::Flag(flag) => out.extend(flag.to_string().as_bytes()),
        Value::List(elements) if elements.is_empty() => out.extend(b"[]"),
        Value::List(elements) => {
            let mut begin = b'[';
            for element in elements {
                out.push(begin);
                line(depth + 1, out);
                print(element, depth + 1, out)?;
                begin = b',';
            }
            line(depth, out);
            out.push(b']');
        }
        Value::Map(entries) if entries.is_empty() => out.extend(b"{}"),
        Value::Map(entries) => {
            let mut begin = b'{';
            for (key, value) in entries {
                out.push(begin);
                line(depth + 1, out);
                print_text(key, out)?;
                out.extend(b": ");
                print(value, depth + 1, out)?;
                begin = b',';
            }
            line(depth, out);
            out.push(b'}');
        }
    }
    Ok(())
}

fn print_text(text: &[u8], out: &mut Vec<u8>) -> Result<(), Inexpressible> {
    if text.contains(&b'"') || text.ends_with(b"\\") {
        return Err(Inexpressible(String::from_utf8_lossy(text).into_owned()));
    }
    out.push(b'"');
    out.extend(text);
    out.push(b'"');
    Ok(())
}

/// Bytes in the value language: as text if that is readable, else as hexadecimal digits.
pub fn value(bytes: &[u8]) -> String {
    let readable = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\' | b'|');
    match std::str::from_utf8(bytes) {
        Ok("") => String::new(),
        Ok(text) if text.len() > 1 && bytes.iter().all(readable) => format!("''{text}"),
        _ => hex(bytes),
    }
}

/// A step, as an element of the list `steps`.
pub fn step(step: &Step) -> Value {
    let kind = ("step", text(step.kind()));
    match step {
        Step::External(path) => map([kind, ("path", Value::Text(path.clone()))]),
        Step::SetState(state) => set_state(kind, state),
        Step::CheckState(check) => map([kind, ("accounts", account_checks(check))]),
        Step::Transaction(step) => transaction_step(kind, step),
    }
}

fn set_state(kind: (&'static str, Value), state: &SetState) -> Value {
    let accounts = { state.accounts.iter() }
        .map(|(address, account)| (value(address).into(), Value::Map(account_fields(account))));
    let mut fields = vec![kind, ("accounts", Value::Map(accounts.collect()))];
    let lists = [
        ("newAddresses", new_addresses(&state.new_addresses)),
        ("blockHashes", values(&state.block_hashes)),
    ];
    fields.extend(
        lists
            .into_iter()
            .filter(|(_, list)| *list != Value::List(vec![])),
    );
    fields.extend(block_fields(&state.previous_block, &state.current_block));
    map(fields)
}

/// The blocks as fields, but for those that are all zeros.
pub fn block_fields(
    previous: &BlockInfo,
    current: &BlockInfo,
) -> impl Iterator<Item = (&'static str, Value)> {
    let blocks = [
        ("previousBlockInfo", previous),
        ("currentBlockInfo", current),
    ];
    let blocks = blocks
        .map(|(name, block)| (*block != BlockInfo::default()).then(|| (name, block_info(block))));
    blocks.into_iter().flatten()
}

fn block_info(block: &BlockInfo) -> Value {
    map([
        ("blockTimestamp", number(block.time_stamp)),
        ("blockNonce", number(block.nonce)),
        ("blockRound", number(block.round)),
        ("blockEpoch", number(block.epoch)),
    ])
}

/// Addresses of contracts to come, as the list `newAddresses`.
pub fn new_addresses(all: &[NewAddress]) -> Value {
    let one = |new: &NewAddress| {
        map([
            ("creatorAddress", text(&value(&new.creator))),
            ("creatorNonce", number(new.creator_nonce)),
            ("newAddress", text(&value(&new.address))),
        ])
    };
    Value::List(all.iter().map(one).collect())
}

/// The fields of an account.
pub fn account_fields(account: &Account) -> Vec<(Bytes, Value)> {
    let mut fields = vec![
        ("nonce", number(account.nonce)),
        ("balance", number(&account.balance)),
    ];
    if !account.storage.is_empty() {
        fields.push(("storage", storage(account.storage.iter())));
    }
    if !account.code.is_empty() {
        fields.push(("code", text(&hex(&account.code))));
    }
    if !account.async_call_data.is_empty() {
        let data = account.async_call_data.clone();
        fields.push(("asyncCallData", Value::Text(data)));
    }
    let fields = fields.into_iter();
    fields.map(|(name, value)| (name.into(), value)).collect()
}

fn storage<'a>(entries: impl Iterator<Item = (&'a Bytes, &'a Bytes)>) -> Value {
    let entry = |(key, held): (&Bytes, &Bytes)| (value(key).into(), text(&value(held)));
    Value::Map(entries.map(entry).collect())
}

fn account_checks(check: &CheckState) -> Value {
    let accounts = check.accounts.iter();
    let mut accounts: Vec<_> = { accounts }
        .map(|(address, check)| (value(address).into(), account_check(check)))
        .collect();
    if check.others_allowed {
        accounts.push(("+".into(), text("")));
    }
    Value::Map(accounts)
}

fn account_check(check: &AccountCheck) -> Value {
    map([
        ("nonce", expected(&check.nonce, |nonce| number(nonce))),
        (
            "balance",
            expected(&check.balance, |balance| number(balance)),
        ),
        (
            "storage",
            expected(&check.storage, |held| {
                storage(held.iter().map(|(key, value)| (key, value)))
            }),
        ),
        ("code", expected(&check.code, code_text)),
        ("asyncCallData", Value::Text(check.async_call_data.clone())),
    ])
}

fn code_text(code: &Bytes) -> Value {
    match code.is_empty() {
        true => text(""),
        false => text(&hex(code)),
    }
}

fn transaction_step(kind: (&'static str, Value), step: &TransactionStep) -> Value {
    let mut fields = vec![
        kind,
        ("txId", text(&step.id)),
        ("tx", transaction(&step.transaction)),
    ];
    if let Some(expect) = &step.expect {
        fields.push(("expect", expected_result(expect)));
    }
    map(fields)
}

fn transaction(transaction: &Transaction) -> Value {
    let kind = transaction.kind;
    let mut fields = Vec::new();
    if kind.has_sender() {
        fields.push(("from", text(&value(&transaction.from))));
    }
    if kind != TransactionKind::Deploy {
        fields.push(("to", text(&value(&transaction.to))));
    }
    fields.push(("value", number(&transaction.value)));
    if kind == TransactionKind::Call {
        fields.push(("function", text(&transaction.function)));
    }
    if kind.runs_contract() {
        fields.push(("arguments", values(&transaction.arguments)));
    }
    if kind == TransactionKind::Deploy {
        fields.push(("contractCode", code_text(&transaction.code)));
    }
    fields.push(("gasLimit", number(transaction.gas_limit)));
    fields.push(("gasPrice", number(transaction.gas_price)));
    map(fields)
}

fn expected_result(result: &ExpectedResult) -> Value {
    let out = { result.out.iter() }.map(|out| expected(out, |out| text(&value(out))));
    map([
        ("out", Value::List(out.collect())),
        ("status", number(&result.status)),
        ("message", text(&result.message)),
        ("gas", expected(&result.gas, |gas| number(gas))),
        ("refund", expected(&result.refund, |refund| number(refund))),
        (
            "logs",
            expected(&result.logs, |logs| {
                Value::List(logs.iter().map(log).collect())
            }),
        ),
    ])
}

fn log(log: &ExpectedLog) -> Value {
    map([
        ("address", text(&value(&log.address))),
        ("identifier", text(&value(&log.identifier))),
        ("topics", values(&log.topics)),
        ("data", text(&value(&log.data))),
    ])
}

fn expected<T>(expected: &Expected<T>, write: impl FnOnce(&T) -> Value) -> Value {
    match expected {
        Expected::Anything => text("*"),
        Expected::Exactly(exact) => write(exact),
    }
}

fn values(all: &[Bytes]) -> Value {
    Value::List(all.iter().map(|bytes| text(&value(bytes))).collect())
}

fn number(number: impl std::fmt::Display) -> Value {
    text(&number.to_string())
}

/// A string.
pub fn text(text: &str) -> Value {
    Value::Text(Bytes::copy_from_slice(text.as_bytes()))
}

/// A map with these fields.
pub fn map(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let fields = fields.into_iter();
    Value::Map(fields.map(|(name, value)| (name.into(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::files::Files;
    use super::super::parse::{DEFAULT_PROTECTED_PREFIX, Reader};
    use super::*;
    use crate::scenario::json;
    use std::collections::BTreeMap;

    fn read(text: &[u8]) -> Vec<Step> {
        let replacements = BTreeMap::new();
        let files = Files::new(&replacements);
        let reader = Reader {
            files: &files,
            protected_prefix: DEFAULT_PROTECTED_PREFIX,
        };
        let value = json::parse(text).expect("JSON");
        reader.scenario(&value).expect("a scenario").steps
    }

    fn address(name: &str) -> Bytes {
        format!("{name:_<32}").into()
    }

    fn account() -> Account {
        let mut account = Account {
            nonce: 7,
            balance: "123456789012345678901234567890".parse().expect("a number"),
            async_call_data: "pay@01".into(),
            ..Account::default()
        };
        account.set_code(Bytes::from_static(b"\0asm"));
        let entries = [("key", &b"\xff\0"[..]), ("a|b", b"it's"), ("\u{1}", b"\"")];
        for (key, value) in entries {
            account
                .storage
                .insert(key.into(), Bytes::from_static(value));
        }
        account
    }

    fn steps() -> Vec<Step> {
        let account = account();
        let transaction = Transaction {
            kind: TransactionKind::Call,
            from: address("alice"),
            to: Bytes::from(vec![0; 32]),
            value: 5u8.into(),
            function: "pay".to_owned(),
            arguments: vec![
                Bytes::new(),
                "x".into(),
                "file:x".into(),
                "two words".into(),
            ],
            code: Bytes::new(),
            code_metadata: Bytes::new(),
            gas_price: 1,
            gas_limit: u64::MAX,
        };
        let deploy = Transaction {
            kind: TransactionKind::Deploy,
            to: Bytes::new(),
            function: String::new(),
            code: "code".into(),
            ..transaction.clone()
        };
        let log = ExpectedLog {
            address: address("contract"),
            identifier: address("event"),
            topics: vec!["topic".into()],
            data: "data".into(),
        };
        let expect = ExpectedResult {
            out: vec![Expected::Anything, Expected::Exactly("y".into())],
            status: 10.into(),
            message: "it failed".to_owned(),
            gas: Expected::Exactly(9),
            refund: Expected::Exactly(0u8.into()),
            logs: Expected::Exactly(vec![log]),
        };
        let check = AccountCheck {
            nonce: Expected::Exactly(7),
            balance: Expected::Anything,
            storage: Expected::Exactly(account.storage.clone().into_iter().collect()),
            code: Expected::Exactly(account.code.clone()),
            async_call_data: account.async_call_data.clone(),
        };
        let step = |id: &str, transaction, expect| {
            Step::Transaction(Box::new(TransactionStep {
                id: id.to_owned(),
                transaction,
                expect,
            }))
        };
        vec![
            Step::SetState(SetState {
                accounts: vec![(address("alice"), account)],
                previous_block: BlockInfo::default(),
                current_block: BlockInfo {
                    time_stamp: 1,
                    nonce: 2,
                    round: 3,
                    epoch: 4,
                },
                block_hashes: vec![Bytes::from(vec![1; 32])],
                new_addresses: vec![NewAddress {
                    creator: address("alice"),
                    creator_nonce: 7,
                    address: address("contract"),
                }],
            }),
            step("1", transaction, Some(expect)),
            step("2", deploy, None),
            Step::CheckState(CheckState {
                others_allowed: true,
                accounts: vec![(address("alice"), check)],
            }),
            Step::External("a.steps.json".into()),
        ]
    }

    #[test]
    fn what_is_written_is_read_again() {
        let steps = steps();
        let text = scenario("name", "comment", &steps).expect("can be written");
        assert_eq!(read(&text), steps, "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn values_are_as_readable_as_can_be() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"key", "''key"),
            (b"5", "0x35"),
            (b"\x02", "0x02"),
            (b"a|b", "0x617c62"),
            (b"say \"a\"", "0x73617920226122"),
        ] {
            assert_eq!(value(bytes), expected);
        }
    }

    #[test]
    fn a_text_that_has_no_notation_is_told() {
        for (message, fits) in [
            ("say \"hi\"", false),
            ("a\\", false),
            ("a\\b", true),
            ("a\nb", true),
        ] {
            let mut steps = steps();
            let Step::Transaction(step) = &mut steps[1] else {
                panic!("a transaction");
            };
            step.expect.as_mut().expect("there").message = message.to_owned();
            match scenario("", "", &steps) {
                Ok(text) => assert!(fits && read(&text) == steps),
                Err(error) => assert!(!fits && error == Inexpressible(message.to_owned())),
            }
        }
    }
}
