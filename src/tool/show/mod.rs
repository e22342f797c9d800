//! Shows transactions and accounts: to people, to programs, and as the reference's tool does.

mod account;
mod json;
mod performed;
mod reference;

pub use account::{account_json, account_text, accounts_json, accounts_text};
pub use json::{names_json, performed_json};
pub use performed::performed_text;
pub use reference::{account_outcome, outcome};
