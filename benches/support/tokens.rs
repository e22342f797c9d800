//! A token whose transfers go from each account to one that is ever farther away.

use super::{CONTRACT, USER, call_input, compiled};
use arwen::driver::{Driver, DriverConfig};
use arwen::internal::scenario::SharedWorld;
use arwen::messages::ContractCallInput;
use bytes::Bytes;

pub const TOKEN: &str = include_str!("../../tests/contracts/token.wat");

/// How many accounts transfer to each other.
const ACCOUNTS: u64 = 61;

fn account(number: u64) -> Bytes {
    let mut address = USER.to_vec();
    address[24..].copy_from_slice(&(number % ACCOUNTS).to_be_bytes());
    address.into()
}

/// The transfer of this number.
pub fn transfer(number: u64) -> ContractCallInput {
    let to = account(number.wrapping_mul(7) + 1);
    let mut input = call_input("transfer", &[to, Bytes::from_static(&[1])]);
    input.input.get_or_insert_default().caller_addr = account(number);
    input
}

/// The supply that the token is deployed with.
pub fn supply() -> Bytes {
    Bytes::from_static(&[1, 0, 0, 0, 0, 0, 0])
}

/// Gives each account of the deployed token something to transfer.
pub fn distribute(world: &SharedWorld) {
    let mut world = world.lock();
    let contract = world.accounts.get_mut(&CONTRACT).expect("deployed");
    for number in 0..ACCOUNTS {
        let key = [b"B", &account(number)[..]].concat();
        contract
            .storage
            .insert(key.into(), Bytes::from_static(&[1, 0, 0]));
    }
}

/// A driver whose world has the token, with something on each account.
pub fn deployed(config: DriverConfig) -> Driver<SharedWorld> {
    let mut driver = super::deployed(config, compiled(TOKEN), &[supply()]);
    distribute(driver.hook_mut());
    driver
}
