//! A node in memory, for tests and benchmarks: what its VM is built with, and a world with one user and a place for a contract.

use arwen::internal::scenario::{Account, NewAddress, SharedWorld};
use arwen::messages::Arguments;
use bytes::Bytes;

pub const USER: Bytes = Bytes::from_static(b"user____________________________");
pub const CONTRACT: Bytes = Bytes::from_static(b"\0\0\0\0\0\0\0\0\x05\0contract______________");

/// Each operation costs 1.
pub fn arguments(block_gas_limit: u64) -> Arguments {
    Arguments {
        vm_type: Bytes::from_static(b"\x05\0"),
        block_gas_limit,
        gas_schedule: arwen::gas_schedule::flat_gas_schedule(1, 100_000),
        kalyan3104_protected_key_prefix: Bytes::from_static(b"KALYAN3104"),
        ..Arguments::default()
    }
}

/// A world with a user who may deploy at [`CONTRACT`].
#[allow(dead_code, reason = "the fault tests have a world of their own")]
pub fn world() -> SharedWorld {
    let world = SharedWorld::default();
    world.lock().accounts.insert(USER, Account::default());
    world.lock().lasting.new_addresses.push(NewAddress {
        creator: USER,
        creator_nonce: 0,
        address: CONTRACT,
    });
    world
}
