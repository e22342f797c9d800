//! A node for the tests: a world in memory, the driver, and the real child.

use crate::common;
use arwen::driver::{DiskCache, Driver, DriverConfig, ReadAhead};
use arwen::internal::scenario::{Account, SharedWorld};
use arwen::messages::*;
use bytes::Bytes;
use num_bigint::BigUint;
use std::time::Duration;

pub const GAS: u64 = 1_000_000;

pub use common::{CONTRACT, USER, world};

/// What every child of these tests is built with.
pub fn arguments() -> Arguments {
    common::arguments(10_000_000)
}

pub fn config() -> DriverConfig {
    let mut config = DriverConfig::new(arguments());
    config.binary = Some(env!("CARGO_BIN_EXE_arwen").into());
    config.max_loop_time = Duration::from_secs(20);
    config.disk_cache = DiskCache::Off;
    // What is answered ahead must not depend on when the machine is busy.
    let unhurried = ReadAhead::default().time(config.max_loop_time);
    config.read_ahead(unhurried)
}

/// A contract of tests/contracts.
pub fn wasm(source: &str) -> Bytes {
    wat::parse_str(source).expect("valid wat").into()
}

fn vm_input(gas_provided: u64) -> VmInput {
    VmInput {
        caller_addr: USER,
        call_value: Some(BigInt::default()),
        gas_provided,
        ..VmInput::default()
    }
}

pub fn deploy_input(contract_code: Bytes) -> ContractCreateInput {
    ContractCreateInput {
        input: Some(vm_input(GAS)),
        contract_code,
        ..ContractCreateInput::default()
    }
}

pub fn call_input(function: &str, gas: u64) -> ContractCallInput {
    ContractCallInput {
        input: Some(vm_input(gas)),
        recipient_addr: CONTRACT,
        function: function.to_owned(),
    }
}

/// A node whose contract is deployed already.
pub struct Node {
    pub world: SharedWorld,
    pub driver: Driver<SharedWorld>,
}

impl Node {
    pub fn with_contract(config: DriverConfig, source: &str) -> Node {
        let world = world();
        let mut account = Account::default();
        account.set_code(wasm(source));
        world.lock().accounts.insert(CONTRACT, account);
        let driver = Driver::new(config, world.clone()).expect("the child starts");
        Node { world, driver }
    }

    /// A successful call, which changes the world.
    pub fn call(&mut self, function: &str) -> VmOutput {
        let outcome = self
            .driver
            .call(call_input(function, GAS))
            .expect("no critical error");
        let output = outcome.expect("the VM does not fail");
        assert_eq!(
            (output.return_code, output.return_message.as_str()),
            (0, ""),
            "{function}"
        );
        self.apply(&output);
        output
    }

    /// Changes the account of the contract, as nothing in this node does.
    pub fn change(&self, change: impl FnOnce(&mut Account)) {
        let mut world = self.world.lock();
        change(world.accounts.get_mut(&CONTRACT).expect("deployed"));
    }

    pub fn apply(&self, output: &VmOutput) {
        let applied = self.world.lock().apply(Some(&USER), &BigUint::ZERO, output);
        applied.expect("a consistent output");
    }
}
