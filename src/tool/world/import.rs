//! Reads worlds of the reference's tool: plain JSON, with everything in hexadecimal digits.

use super::state::State;
use crate::messages::BigInt;
use crate::messages::json::{JsonError, Reader, big_int, integer, text};
use crate::scenario::Account;
use crate::tool::{ToolError, values};
use bytes::Bytes;
use std::path::Path;

/// An account of the file.
#[derive(Debug, Default)]
struct Imported {
    address: String,
    nonce: u64,
    balance: Option<BigInt>,
    code: String,
    code_metadata: String,
    owner: String,
    storage: Vec<(String, String)>,
}

/// Reads a world of the reference. User names and shards, which no command of that tool sets, are left out.
pub fn import(contents: &[u8], path: &Path) -> Result<State, ToolError> {
    let fault = |reason: String| ToolError::NotImported {
        path: path.to_owned(),
        reason,
    };
    let accounts = read(contents).map_err(|error| fault(error.to_string()))?;
    let mut state = State::default();
    for imported in accounts {
        let address = imported.address.clone();
        let account = imported.account();
        let (address, account) =
            account.map_err(|what| fault(format!("account {address:?}: {what}")))?;
        state.world.accounts.insert(address, account);
    }
    state.history.begin(&state.world);
    Ok(state)
}

fn read(contents: &[u8]) -> Result<Vec<Imported>, JsonError> {
    let mut accounts = Vec::new();
    let mut input = Reader::new(contents);
    input.object(|name, input| match name {
        b"Accounts" => input.object(|_, input| {
            accounts.push(account(input)?);
            Ok(())
        }),
        _ => input.skip(),
    })?;
    input.end()?;
    Ok(accounts)
}

fn account(input: &mut Reader<'_>) -> Result<Imported, JsonError> {
    let mut account = Imported::default();
    input.object(|name, input| match name {
        b"AddressHex" => text::read(&mut account.address, input),
        b"Nonce" => integer::read(&mut account.nonce, input),
        b"Balance" => big_int::read(&mut account.balance, input),
        b"CodeHex" => text::read(&mut account.code, input),
        b"CodeMetadataHex" => text::read(&mut account.code_metadata, input),
        b"OwnerAddressHex" => text::read(&mut account.owner, input),
        b"Storage" if input.null()? => Ok(()),
        b"Storage" => input.object(|key, input| {
            let mut value = String::new();
            text::read(&mut value, input)?;
            let key = String::from_utf8_lossy(key).into_owned();
            account.storage.push((key, value));
            Ok(())
        }),
        _ => input.skip(),
    })?;
    Ok(account)
}

impl Imported {
    fn account(self) -> Result<(Bytes, Account), String> {
        let bytes = |what: &str, digits: &str| {
            values::digits(digits)
                .ok_or_else(|| format!("{what} {digits:?} is not in hexadecimal digits"))
        };
        let address = bytes("the address", &self.address)?;
        if address.len() != values::ADDRESS_BYTES {
            return Err(format!(
                "the address has {} bytes in place of 32",
                address.len()
            ));
        }
        let mut account = Account {
            nonce: self.nonce,
            balance: self
                .balance
                .as_ref()
                .map(num_bigint::BigInt::from)
                .unwrap_or_default(),
            code_metadata: bytes("the metadata", &self.code_metadata)?,
            owner: bytes("the owner", &self.owner)?,
            ..Account::default()
        };
        let code = bytes("the code", &self.code)?;
        if !code.is_empty() {
            account.set_code(code);
        }
        for (key, value) in &self.storage {
            let (key, value) = (bytes("the key", key)?, bytes("the value", value)?);
            account.storage.insert(key, value);
        }
        Ok((address, account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the reference writes it.
    fn file(account: &str) -> Vec<u8> {
        let address = "aa".repeat(32);
        let text = format!(
            r#"{{ "ID": "default", "Accounts": {{ "{address}": {{ "AddressHex": "{address}", {account} }} }} }}"#
        );
        text.into_bytes()
    }

    #[test]
    fn a_world_of_the_reference_is_taken_over() {
        let owner = "bb".repeat(32);
        let text = file(&format!(
            r#""Nonce": 7, "Balance": 123456789012345678901234567890, "CodeHex": "0061736d", "CodeMetadataHex": "0100",
            "OwnerAddressHex": "{owner}", "UserNameHex": "", "Storage": {{ "6b6579": "0102", "ff": "" }}, "ShardID": 0"#
        ));
        let state = import(&text, Path::new("w")).expect("imported");
        let account = &state.world.accounts[&[0xaa; 32][..]];
        assert_eq!(account.nonce, 7);
        assert_eq!(
            account.balance.to_string(),
            "123456789012345678901234567890"
        );
        assert_eq!(
            (&account.code[..], &account.code_metadata[..]),
            (&b"\0asm"[..], &[1, 0][..])
        );
        assert_eq!(account.owner, vec![0xbb; 32]);
        assert_eq!(account.storage_value(b"key"), Bytes::from_static(&[1, 2]));
        assert_eq!(state.history.steps.len(), 1);
    }

    #[test]
    fn null_is_nothing() {
        let text = file(r#""Nonce": 0, "Balance": null, "CodeHex": "", "Storage": null"#);
        let state = import(&text, Path::new("w")).expect("imported");
        assert_eq!(state.world.accounts[&[0xaa; 32][..]], Account::default());
    }

    #[test]
    fn what_is_no_such_world_is_told() {
        for (text, expected) in [
            (&b"{"[..], "can't import w: bad JSON at byte 1: "),
            (b"[]", "can't import w: bad JSON at byte 0: "),
            (&file(r#""Nonce": -1"#), "can't import w: bad JSON at byte "),
            (
                &file(r#""CodeHex": "0g""#),
                "can't import w: account \"aaaa",
            ),
            (
                br#"{"Accounts": {"": {"AddressHex": "aa"}}}"#,
                "can't import w: account \"aa\": the address has 1 bytes in place of 32",
            ),
        ] {
            let error = import(text, Path::new("w"))
                .expect_err(expected)
                .to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
