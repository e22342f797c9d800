//! The bodies of requests, with the members of the reference's server, and the requests of the tool that they mean.

use super::responses::Refusal;
use crate::tool::{self, Action, Request, ToolError};
use bytes::Bytes;
use num_bigint::BigUint;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;
use utoipa::ToSchema;

/// As for commands without `--gas-limit`.
const GAS_LIMIT: u64 = 100_000_000;

/// Upgradeable.
const METADATA: &str = "0100";

/// Which world, and what is written besides.
#[derive(Debug, Default)]
pub struct Place {
    /// The name of the world.
    pub world: String,
    /// The name of the outcome in the database.
    pub outcome: Option<String>,
    /// Whether it is recorded what the run does.
    pub trace: bool,
}

/// A body of a request.
pub trait RequestBody: DeserializeOwned {
    /// The tool's own type for it.
    type Meaning;

    /// Which world, and the request. `database` is the one of the server.
    fn meaning(self, database: &Path) -> Result<(Place, Self::Meaning), Refusal>;
}

/// Makes an account, or begins it anew.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
pub struct AccountRequest {
    /// The account: a name such as alice, or 64 hexadecimal digits.
    #[schema(required = true, example = "alice")]
    address_hex: String,
    /// What it has, in decimal digits; empty for nothing.
    balance: String,
    /// How many transactions it has sent.
    nonce: u64,
    /// The world; empty for that of the server.
    world: String,
    /// Empty, or the folder of the server's database.
    database_path: String,
    /// If not empty, the outcome is written to `out/NAME.json` in the database.
    outcome: String,
}

/// A body with what all transactions have, besides its own members.
macro_rules! transaction_body {
    ($(#[$about:meta])* $name:ident { $($(#[$attribute:meta])* $member:ident,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default, Deserialize, ToSchema)]
        #[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$attribute])* $member: String,)*
            /// The sender: a name such as alice, or 64 hexadecimal digits. Only a query needs none; it is then the contract itself.
            #[schema(example = "alice")]
            impersonated_hex: String,
            /// The arguments, in hexadecimal digits.
            #[schema(example = json!([]))]
            arguments_hex: Vec<String>,
            /// More arguments, behind those, in the value language of scenarios, without files: `10` is ten.
            #[schema(example = json!([]))]
            values: Vec<String>,
            /// What the sender pays to the contract, in decimal digits; empty for nothing.
            #[schema(example = "0")]
            value: String,
            /// The most gas that is used; 0 for 100000000.
            gas_limit: u64,
            /// What the sender pays for each unit of the limit.
            gas_price: u64,
            /// Adds to the response what the run did and where gas went. Such a run is one of the server's own process, which can't
            /// end it: the gas limit may be 100000000.
            trace: bool,
            /// The world; empty for that of the server.
            world: String,
            /// Empty, or the folder of the server's database.
            database_path: String,
            /// If not empty, the outcome is written to `out/NAME.json` in the database.
            outcome: String,
        }

        impl $name {
            /// Which world, and the request that does this.
            fn transaction(self, action: Action, database: &Path) -> Result<(Place, Request), Refusal> {
                let mut place = place(self.world, &self.database_path, self.outcome, database)?;
                place.trace = self.trace;
                let request = Request {
                    from: match self.impersonated_hex.as_str() {
                        "" => Bytes::new(),
                        sender => address("ImpersonatedHex", sender)?,
                    },
                    value: decimal("Value", &self.value)?,
                    gas_limit: match self.gas_limit {
                        0 => GAS_LIMIT,
                        limit => limit,
                    },
                    gas_price: self.gas_price,
                    action,
                };
                Ok((place, request))
            }
        }
    };
}

transaction_body! {
    /// Deploys a contract.
    DeployRequest {
        /// The code, wasm, in hexadecimal digits.
        code_hex,
        /// The code as a file of the server's machine: wasm, or its text. It counts if several are given.
        code_path,
        /// The code as the text of wasm.
        code_text,
        /// The metadata in hexadecimal digits; empty for upgradeable.
        code_metadata,
    }
}

transaction_body! {
    /// Replaces the code of a contract; its storage stays.
    UpgradeRequest {
        /// The contract: a name such as contract0, or 64 hexadecimal digits.
        #[schema(required = true, example = "contract0")]
        contract_address_hex,
        /// The code, wasm, in hexadecimal digits.
        code_hex,
        /// The code as a file of the server's machine: wasm, or its text. It counts if several are given.
        code_path,
        /// The code as the text of wasm.
        code_text,
        /// The metadata in hexadecimal digits; empty for upgradeable.
        code_metadata,
    }
}

transaction_body! {
    /// Calls a function of a contract, with a transaction or, as a query, without one.
    RunRequest {
        /// The contract: a name such as contract0, or 64 hexadecimal digits.
        #[schema(required = true, example = "contract0")]
        contract_address_hex,
        /// The function.
        #[schema(required = true, example = "increment")]
        function,
    }
}

/// An account to make.
#[derive(Debug)]
pub struct NewAccount {
    /// Its address.
    pub address: Bytes,
    /// What it has.
    pub balance: BigUint,
    /// How many transactions it has sent.
    pub nonce: u64,
}

impl RequestBody for AccountRequest {
    type Meaning = NewAccount;

    fn meaning(self, database: &Path) -> Result<(Place, NewAccount), Refusal> {
        let place = place(self.world, &self.database_path, self.outcome, database)?;
        let account = NewAccount {
            address: address("AddressHex", &self.address_hex)?,
            balance: decimal("Balance", &self.balance)?,
            nonce: self.nonce,
        };
        Ok((place, account))
    }
}

impl RequestBody for DeployRequest {
    type Meaning = Request;

    fn meaning(self, database: &Path) -> Result<(Place, Request), Refusal> {
        let action = Action::Deploy {
            code: code(&self.code_hex, &self.code_path, &self.code_text)?,
            metadata: metadata(&self.code_metadata)?,
            arguments: arguments(&self.arguments_hex, &self.values)?,
        };
        self.transaction(action, database)
    }
}

impl RequestBody for UpgradeRequest {
    type Meaning = Request;

    fn meaning(self, database: &Path) -> Result<(Place, Request), Refusal> {
        let action = Action::Upgrade {
            contract: address("ContractAddressHex", &self.contract_address_hex)?,
            code: code(&self.code_hex, &self.code_path, &self.code_text)?,
            metadata: metadata(&self.code_metadata)?,
            arguments: arguments(&self.arguments_hex, &self.values)?,
        };
        self.transaction(action, database)
    }
}

impl RequestBody for RunRequest {
    type Meaning = Request;

    fn meaning(mut self, database: &Path) -> Result<(Place, Request), Refusal> {
        let action = Action::Call {
            contract: address("ContractAddressHex", &self.contract_address_hex)?,
            function: match std::mem::take(&mut self.function) {
                function if function.is_empty() => {
                    return Err(Refusal::bad("Function is missing".to_owned()));
                }
                function => function,
            },
            arguments: arguments(&self.arguments_hex, &self.values)?,
        };
        self.transaction(action, database)
    }
}

/// A server works in one database: no request chooses where files are written.
fn place(
    world: String,
    database_path: &str,
    outcome: String,
    database: &Path,
) -> Result<Place, Refusal> {
    if !database_path.is_empty() && Path::new(database_path) != database {
        return Err(Refusal::bad(format!(
            "DatabasePath is {database_path:?}: this server has the database {:?}",
            database.display()
        )));
    }
    if outcome.contains('/') || outcome.starts_with('.') || outcome.ends_with(".json") {
        return Err(Refusal::bad(format!(
            "Outcome is {outcome:?}: a name is needed, without / and .json and without a dot in front"
        )));
    }
    let outcome = (!outcome.is_empty()).then_some(outcome);
    Ok(Place {
        world,
        outcome,
        trace: false,
    })
}

fn address(member: &str, text: &str) -> Result<Bytes, Refusal> {
    match text {
        "" => Err(Refusal::bad(format!("{member} is missing"))),
        _ => tool::address(text).map_err(|error| Refusal::bad(format!("{member}: {error}"))),
    }
}

fn decimal(member: &str, text: &str) -> Result<BigUint, Refusal> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        _ if text.is_empty() => Ok(BigUint::ZERO),
        Ok(number) if is_number => Ok(number),
        _ => Err(Refusal::bad(format!(
            "{member}: {text:?} is not a number in decimal digits"
        ))),
    }
}

fn digits(member: &str, text: &str) -> Result<Bytes, Refusal> {
    let found = tool::digits(text.strip_prefix("0x").unwrap_or(text));
    found.ok_or_else(|| {
        Refusal::bad(format!(
            "{member}: {text:?} is not in pairs of hexadecimal digits"
        ))
    })
}

fn metadata(text: &str) -> Result<Bytes, Refusal> {
    match text {
        "" => digits("CodeMetadata", METADATA),
        text => digits("CodeMetadata", text),
    }
}

fn code(hex: &str, path: &str, text: &str) -> Result<Bytes, Refusal> {
    let refused = |error: ToolError| Refusal::bad(error.to_string());
    match (path, hex, text) {
        ("", "", "") => Err(Refusal::bad(
            "there is no code: CodeHex, CodeText or CodePath has it".to_owned(),
        )),
        ("", "", text) => {
            let code = tool::code(Path::new("CodeText"), text.as_bytes().to_vec());
            Ok(code.map_err(refused)?.wasm)
        }
        ("", hex, _) => digits("CodeHex", hex),
        (path, ..) => Ok(tool::read_code(Path::new(path)).map_err(refused)?.wasm),
    }
}

fn arguments(hex: &[String], values: &[String]) -> Result<Vec<Bytes>, Refusal> {
    let hex = hex.iter().map(|text| digits("ArgumentsHex", text));
    let values = values.iter().map(|text| {
        // A request may choose the arguments, but not read files of this machine.
        if text.contains("file:") {
            return Err(Refusal::bad(format!("Values: {text:?} names a file")));
        }
        tool::value(text).map_err(|error| Refusal::bad(format!("Values: {error}")))
    });
    hex.chain(values).collect()
}
