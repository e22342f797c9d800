//! Accounts, for people and for programs.

use super::performed::named;
use crate::escape::{escape_line, hex};
use crate::messages::json::Writer;
use crate::scenario::Account;
use crate::scenario::show::Shown;
use crate::tool::values::address_text;
use bytes::Bytes;
use std::collections::BTreeMap;

/// All that is known of an account, without a newline at the end.
pub fn account_text(address: &Bytes, account: &Account) -> String {
    let mut lines = vec![escape_line(&named(address)).into_owned()];
    let mut line =
        |name: &str, text: String| lines.push(format!("  {name:<10}{}", escape_line(&text)));
    line("nonce", account.nonce.to_string());
    line("balance", account.balance.to_string());
    if !account.code.is_empty() {
        line(
            "code",
            format!(
                "{} bytes, hash {}",
                account.code.len(),
                hex(&account.code_hash)
            ),
        );
        let inspection = crate::tool::inspect(&account.code, &[]);
        line("functions", inspection.callable_functions().join(", "));
    }
    if !account.code_metadata.is_empty() {
        line("metadata", hex(&account.code_metadata));
    }
    if !account.owner.is_empty() {
        line("owner", named(&account.owner));
    }
    if !account.async_call_data.is_empty() {
        line("data", Shown(&account.async_call_data).to_string());
    }
    for (key, value) in held(account) {
        line("storage", format!("{}: {}", Shown(key), Shown(value)));
    }
    lines.join("\n")
}

/// A line for each account, without a newline at the end.
pub fn accounts_text(accounts: &BTreeMap<Bytes, Account>) -> String {
    let lines = accounts.iter().map(|(address, account)| {
        let code = match account.code.len() {
            0 => String::new(),
            length => format!("  code {length} bytes"),
        };
        let name = address_text(address);
        let keys = held(account).count();
        let line = format!(
            "{name:<34} nonce {:<5} balance {:<22} keys {keys}{code}",
            account.nonce, account.balance
        );
        line.trim_end().to_owned()
    });
    Vec::from_iter(lines).join("\n")
}

/// An account as a JSON object.
pub fn account_json(address: &Bytes, account: &Account) -> Vec<u8> {
    let mut json = Vec::new();
    write(&(address, account), &mut Writer::new(&mut json, false));
    json
}

/// All accounts as a JSON list.
pub fn accounts_json(accounts: &BTreeMap<Bytes, Account>) -> Vec<u8> {
    let mut json = Vec::new();
    let accounts: Vec<_> = accounts.iter().collect();
    Writer::new(&mut json, false).array(&accounts, write);
    json
}

/// Empty values are none.
fn held(account: &Account) -> impl Iterator<Item = (&Bytes, &Bytes)> {
    account
        .storage
        .iter()
        .filter(|(_, value)| !value.is_empty())
}

fn write((address, account): &(&Bytes, &Account), out: &mut Writer<'_>) {
    out.object(|out| {
        let mut bytes = |name: &str, bytes: &[u8]| out.member(name, |out| out.text(&hex(bytes)));
        bytes("address", address);
        bytes("code", &account.code);
        bytes("codeHash", &account.code_hash);
        bytes("codeMetadata", &account.code_metadata);
        bytes("owner", &account.owner);
        bytes("asyncCallData", &account.async_call_data);
        out.member("name", |out| out.text(&address_text(address)));
        if !account.code.is_empty() {
            let functions = crate::tool::inspect(&account.code, &[]).callable_functions();
            out.member("functions", |out| {
                out.array(&functions, |name, out| out.text(name))
            });
        }
        out.member("nonce", |out| out.bare(account.nonce));
        out.member("balance", |out| out.bare(&account.balance));
        out.member("storage", |out| {
            out.object(|out| {
                for (key, value) in held(account) {
                    out.named_member(&hex(key), |out| out.text(&hex(value)));
                }
            });
        });
    });
}
