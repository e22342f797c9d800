//! Shows transactions and accounts: to people, to programs, and as the reference's tool does.

mod account;
mod json;
mod paint;
mod performed;
mod reference;
mod trace;

pub use account::{account_json, account_text, accounts_json, accounts_text};
pub use json::{RunParts, names_json, performed_json};
pub use paint::Paint;
pub use performed::performed_text;
pub use reference::{account_outcome, outcome};
pub use trace::trace_text;
