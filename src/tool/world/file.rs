//! The file of a world: the JSON dialect of scenarios, and their notation of accounts with two fields more.

use super::history::History;
use super::state::State;
use crate::scenario::files::Files;
use crate::scenario::json::{self, Value};
use crate::scenario::parse::{
    DEFAULT_PROTECTED_PREFIX, Fault, Problem, Reader, fields, list, required, text,
};
use crate::scenario::write::{self, Inexpressible};
use crate::scenario::{Account, World};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;

/// What the field `format` says.
const FORMAT: &str = "arwendebug world 1";

/// What a file of the reference's tool has, and none of ours.
const OF_REFERENCE: &[u8] = b"\"AddressHex\"";

/// Whether this is the text of a world of the reference.
pub fn is_of_reference(contents: &[u8]) -> bool {
    { contents.windows(OF_REFERENCE.len()) }.any(|part| part == OF_REFERENCE)
}

/// Reads a world. The error names the place.
pub fn read(contents: &[u8], path: &Path) -> Result<State, String> {
    let replacements = BTreeMap::new();
    let files = Files::new(&replacements);
    let reader = Reader {
        files: &files,
        protected_prefix: DEFAULT_PROTECTED_PREFIX,
    };
    let parsed = json::parse(contents).map_err(Fault::from);
    let state = parsed.and_then(|value| world(&value, &reader));
    state.map_err(|fault| fault.in_file(path).to_string())
}

fn world(file: &Value, reader: &Reader<'_>) -> Result<State, Fault> {
    let mut world = World::default();
    let mut steps = Vec::new();
    let mut format = None;
    fields(file, |name, value| {
        match name {
            b"format" if text(value)? == FORMAT => format = Some(()),
            b"format" => return Err(Problem::Not("world of arwendebug, version 1").into()),
            b"accounts" => {
                return fields(value, |key, value| {
                    let address = reader.address_key(key)?;
                    world.accounts.insert(address, account(value, reader)?);
                    Ok(())
                });
            }
            b"newAddresses" => {
                world.lasting.new_addresses = list(value, |entry| reader.new_address(entry))?;
            }
            b"previousBlockInfo" => world.lasting.previous_block = reader.block_info(value)?,
            b"currentBlockInfo" => world.lasting.current_block = reader.block_info(value)?,
            b"blockHashes" => world.block_hashes = reader.bytes_list(value)?,
            b"steps" => steps = list(value, |step| reader.step(step))?,
            _ => return Err(Problem::UnknownField.into()),
        }
        Ok(())
    })?;
    required(format, "format")?;
    Ok(State {
        world,
        history: History { steps },
    })
}

/// An account: the fields that scenarios have, `owner` and `codeMetadata`. `asyncCallData` is a value here, so that it can be
/// any bytes, and `balance` may be below zero.
fn account(value: &Value, reader: &Reader<'_>) -> Result<Account, Fault> {
    let mut account = Account::default();
    fields(value, |name, value| {
        match name {
            b"nonce" => account.nonce = reader.unsigned_64(value)?,
            b"balance" => {
                let number = text(value)?;
                let number = std::str::from_utf8(number)
                    .ok()
                    .and_then(|text| text.parse().ok());
                account.balance = number.ok_or(Problem::Not("number"))?;
            }
            b"storage" => {
                return fields(value, |key, value| {
                    let key = reader.key(key)?;
                    account.storage.insert(key, reader.bytes(value)?);
                    Ok(())
                });
            }
            b"code" => account.set_code(reader.bytes(value)?),
            b"codeMetadata" => account.code_metadata = reader.bytes(value)?,
            b"owner" => account.owner = reader.bytes(value)?,
            b"asyncCallData" => account.async_call_data = reader.bytes(value)?,
            _ => return Err(Problem::UnknownField.into()),
        }
        Ok(())
    })?;
    Ok(account)
}

/// Writes a world. Every world can be written: all values in it are written as values.
pub fn write(state: &State) -> Result<Vec<u8>, Inexpressible> {
    let State { world, history } = state;
    let accounts = world.accounts.iter();
    let accounts = { accounts }.map(|(address, account)| {
        let address = Bytes::from(write::value(address));
        (address, account_value(account))
    });
    let mut fields = vec![
        ("format", write::text(FORMAT)),
        ("accounts", Value::Map(accounts.collect())),
    ];
    if !world.lasting.new_addresses.is_empty() {
        let all = write::new_addresses(&world.lasting.new_addresses);
        fields.push(("newAddresses", all));
    }
    if !world.block_hashes.is_empty() {
        let hashes = world.block_hashes.iter();
        let hashes = hashes.map(|hash| write::text(&write::value(hash)));
        fields.push(("blockHashes", Value::List(hashes.collect())));
    }
    let lasting = &world.lasting;
    fields.extend(write::block_fields(
        &lasting.previous_block,
        &lasting.current_block,
    ));
    let steps = history.steps.iter().map(write::step);
    fields.push(("steps", Value::List(steps.collect())));
    write::file_text(&write::map(fields))
}

fn account_value(account: &Account) -> Value {
    let plain = Account {
        async_call_data: Bytes::new(),
        ..account.clone()
    };
    let mut fields = write::account_fields(&plain);
    let more = [
        ("codeMetadata", &account.code_metadata),
        ("owner", &account.owner),
        ("asyncCallData", &account.async_call_data),
    ];
    for (name, value) in more.into_iter().filter(|(_, value)| !value.is_empty()) {
        fields.push((name.into(), write::text(&write::value(value))));
    }
    Value::Map(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{BlockInfo, NewAddress};

    fn state() -> State {
        let mut account = Account {
            nonce: 3,
            balance: (-5).into(),
            storage: BTreeMap::from([
                ("a\"b".into(), Bytes::from_static(b"\xff")),
                ("KALYAN3104x".into(), "file:x".into()),
                ("empty".into(), Bytes::new()),
            ]),
            async_call_data: "say \"hi\"@\\".into(),
            owner: vec![7; 32].into(),
            code_metadata: Bytes::from_static(&[1, 0]),
            ..Account::default()
        };
        account.set_code(Bytes::from_static(b"\0asm"));
        let mut state = State::default();
        state.world.accounts.insert(vec![b'a'; 32].into(), account);
        state
            .world
            .accounts
            .insert(vec![0; 32].into(), Account::default());
        state.world.block_hashes = vec![vec![1; 32].into()];
        state.world.lasting.current_block = BlockInfo {
            nonce: 5,
            ..BlockInfo::default()
        };
        state.world.lasting.new_addresses = vec![NewAddress {
            creator: vec![b'a'; 32].into(),
            creator_nonce: 3,
            address: vec![b'c'; 32].into(),
        }];
        state
    }

    #[test]
    fn a_world_is_read_as_it_was_written() {
        let mut state = state();
        let world = std::mem::take(&mut state.world);
        state
            .history
            .add_accounts(vec![(vec![b'b'; 32].into(), Account::default())], &world);
        state.world = world;
        let text = write(&state).expect("written");
        let found = read(&text, Path::new("w")).expect("read");
        assert_eq!(found.world.accounts, state.world.accounts);
        assert_eq!(found.world.block_hashes, state.world.block_hashes);
        assert_eq!(found.world.lasting, state.world.lasting);
        assert_eq!(found.history, state.history);
        assert!(!is_of_reference(&text));
    }

    #[test]
    fn a_damaged_file_is_named_with_the_place() {
        let text = write(&state()).expect("written");
        let text = String::from_utf8(text).expect("text");
        for (from, to, expected) in [
            (
                "world 1",
                "world 2",
                "w: format: not a world of arwendebug, version 1",
            ),
            ("\"nonce\": \"3\"", "\"nonce\": \"x\"", "w: accounts.''aaaa"),
            (
                "\"-5\"",
                "\"5.5\"",
                "w: accounts.''aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.balance: not a number",
            ),
            (
                "\"owner\"",
                "\"ower\"",
                "w: accounts.''aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.ower: unknown field",
            ),
            (
                "\"accounts\": {",
                "\"accounts\": [",
                "w: accounts: not a map",
            ),
        ] {
            let damaged = text.replacen(from, to, 1);
            assert_ne!(damaged, text, "{from}");
            let error = read(damaged.as_bytes(), Path::new("w")).expect_err(to);
            assert!(error.starts_with(expected), "{error}");
        }
        assert!(read(&text.as_bytes()[..text.len() / 2], Path::new("w")).is_err());
        assert!(read(b"", Path::new("w")).is_err());
        assert!(
            read(b"{}", Path::new("w")).is_err_and(|error| error == "w: missing field `format`")
        );
    }
}
