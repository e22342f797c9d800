//! Whole requests through the driver and the real child: calls of a warm contract, and the way from the start to the first
//! answer.
//!
//! The counter is ours. With `ARWEN_BENCH_ERC20=/path/to/erc20.wasm` a token contract is called as well: its `init` takes
//! the supply, its `transferToken` an address and an amount.

use arwen::driver::{Driver, DriverConfig};
use arwen::messages::*;
use arwen::scenario::{Account, NewAddress, SharedWorld};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use num_bigint::BigUint;
use std::time::Duration;

const USER: Bytes = Bytes::from_static(b"user____________________________");
const OTHER: Bytes = Bytes::from_static(b"other___________________________");
const CONTRACT: Bytes = Bytes::from_static(b"\0\0\0\0\0\0\0\0\x05\0contract______________");

fn config() -> DriverConfig {
    let mut config = DriverConfig::new(Arguments {
        vm_type: Bytes::from_static(b"\x05\0"),
        block_gas_limit: 1_500_000_000,
        gas_schedule: arwen::vm::flat_gas_schedule(1, 100_000),
        kalyan3104_protected_key_prefix: Bytes::from_static(b"KALYAN3104"),
        ..Arguments::default()
    });
    config.binary = Some(env!("CARGO_BIN_EXE_arwen").into());
    config.max_loop_time = Duration::from_secs(10);
    config.log_profile.log_level_patterns = "*:NONE".to_owned();
    config
}

fn vm_input(arguments: &[Bytes]) -> VmInput {
    VmInput {
        caller_addr: USER,
        arguments: arguments.to_vec(),
        call_value: Some(BigInt::default()),
        gas_provided: 1_000_000_000,
        ..VmInput::default()
    }
}

/// A driver whose world has the deployed contract.
fn deployed(code: Bytes, arguments: &[Bytes]) -> Driver<SharedWorld> {
    let world = SharedWorld::default();
    world.lock().accounts.insert(USER, Account::default());
    world.lock().lasting.new_addresses.push(NewAddress {
        creator: USER,
        creator_nonce: 0,
        address: CONTRACT,
    });
    let mut driver = Driver::new(config(), world.clone()).expect("the child starts");
    let input = ContractCreateInput {
        input: Some(vm_input(arguments)),
        contract_code: code,
        ..ContractCreateInput::default()
    };
    let output = driver
        .deploy(input)
        .expect("no critical error")
        .expect("the VM does not fail");
    assert_eq!(output.return_code, 0, "{}", output.return_message);
    let applied = world.lock().apply(Some(&USER), &BigUint::ZERO, &output);
    applied.expect("a consistent output");
    driver
}

fn call(driver: &mut Driver<SharedWorld>, function: &str, arguments: &[Bytes]) {
    let input = ContractCallInput {
        input: Some(vm_input(arguments)),
        recipient_addr: CONTRACT,
        function: function.to_owned(),
    };
    let output = driver
        .call(input)
        .expect("no critical error")
        .expect("the VM does not fail");
    assert_eq!(output.return_code, 0, "{}", output.return_message);
}

fn calls(c: &mut Criterion) {
    let mut group = c.benchmark_group("call over IPC");
    group.throughput(Throughput::Elements(1));
    let counter = wat::parse_str(include_str!("../tests/contracts/counter.wat")).expect("valid");
    let mut driver = deployed(counter.into(), &[]);
    group.bench_function("counter increment", |b| {
        b.iter(|| call(&mut driver, "increment", &[]))
    });
    if let Some(path) = std::env::var_os("ARWEN_BENCH_ERC20") {
        let code = std::fs::read(path).expect("ARWEN_BENCH_ERC20 names a readable file");
        let mut driver = deployed(code.into(), &[Bytes::from_static(&[1, 0, 0, 0, 0, 0, 0])]);
        let arguments = [OTHER, Bytes::from_static(&[1])];
        group.bench_function("erc20 transfer", |b| {
            b.iter(|| call(&mut driver, "transferToken", &arguments));
        });
    }
    group.bench_function("DiagnoseWait(0)", |b| {
        b.iter(|| {
            driver
                .diagnose_wait(Duration::ZERO)
                .expect("answered")
                .expect("no failure")
        });
    });
    group.finish();
}

fn starts(c: &mut Criterion) {
    let mut group = c.benchmark_group("start");
    group.sample_size(50);
    let mut driver = Driver::new(config(), SharedWorld::default()).expect("the child starts");
    group.bench_function("start to first answer", |b| {
        b.iter(|| {
            driver.close();
            driver
                .diagnose_wait(Duration::ZERO)
                .expect("answered")
                .expect("no failure");
        });
    });
    group.finish();
}

criterion_group!(benches, calls, starts);
criterion_main!(benches);
