//! The VM in this process, without pipes: calls of a warm contract, and the first call of unknown code.
//!
//! With `ARWEN_BENCH_WASM=/path/to/contract.wasm` that code is compiled as well (its `init` may fail, it runs all the
//! same).

use arwen::messages::*;
use arwen::scenario::{Account, NewAddress, SharedWorld};
use arwen::vm::{Vm, VmParameters, flat_gas_schedule};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use num_bigint::BigUint;

const USER: Bytes = Bytes::from_static(b"user____________________________");
const CONTRACT: Bytes = Bytes::from_static(b"\0\0\0\0\0\0\0\0\x05\0contract______________");

fn vm(world: &SharedWorld) -> Vm {
    let parameters = VmParameters {
        vm_type: Bytes::from_static(b"\x05\0"),
        block_gas_limit: 1_500_000_000,
        gas_schedule: flat_gas_schedule(1, 100_000),
        protected_key_prefix: Bytes::from_static(b"KALYAN3104"),
        ..VmParameters::default()
    };
    Vm::new(parameters, Box::new(world.clone())).expect("the parameters are good")
}

fn world() -> SharedWorld {
    let world = SharedWorld::default();
    world.lock().accounts.insert(USER, Account::default());
    world.lock().lasting.new_addresses.push(NewAddress {
        creator: USER,
        creator_nonce: 0,
        address: CONTRACT,
    });
    world
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

fn deploy(vm: &mut Vm, code: &Bytes, arguments: &[Bytes]) -> VmOutput {
    let input = ContractCreateInput {
        input: Some(vm_input(arguments)),
        contract_code: code.clone(),
        ..ContractCreateInput::default()
    };
    vm.create(input).expect("no failure of the VM")
}

fn call(vm: &mut Vm, function: &str, arguments: &[Bytes]) {
    let input = ContractCallInput {
        input: Some(vm_input(arguments)),
        recipient_addr: CONTRACT,
        function: function.to_owned(),
    };
    let output = vm.call(input).expect("no failure of the VM");
    assert_eq!(output.return_code, 0, "{}", output.return_message);
}

/// A contract of tests/contracts.
fn contract(text: &str) -> Bytes {
    wat::parse_str(text).expect("the contract is right").into()
}

/// A VM whose world has the deployed contract.
fn deployed(code: &Bytes, arguments: &[Bytes]) -> Vm {
    let world = world();
    let mut vm = vm(&world);
    let output = deploy(&mut vm, code, arguments);
    assert_eq!(output.return_code, 0, "{}", output.return_message);
    let applied = world.lock().apply(Some(&USER), &BigUint::ZERO, &output);
    applied.expect("a consistent output");
    vm
}

fn warm(c: &mut Criterion) {
    let mut group = c.benchmark_group("in process, warm");
    group.throughput(Throughput::Elements(1));
    let number = [Bytes::from_static(&[5])];
    let mut adder = deployed(
        &contract(include_str!("../tests/contracts/adder.wat")),
        &number,
    );
    group.bench_function("nothing", |b| b.iter(|| call(&mut adder, "nothing", &[])));
    group.bench_function("adder add", |b| b.iter(|| call(&mut adder, "add", &number)));
    let mut counter = deployed(
        &contract(include_str!("../tests/contracts/counter.wat")),
        &[],
    );
    group.bench_function("counter increment", |b| {
        b.iter(|| call(&mut counter, "increment", &[]));
    });
    group.finish();
}

fn cold(c: &mut Criterion) {
    let mut group = c.benchmark_group("in process, unknown code");
    group.sample_size(10);
    let mut codes = vec![
        (
            "counter",
            contract(include_str!("../tests/contracts/counter.wat")),
        ),
        (
            "token",
            contract(include_str!("../tests/contracts/token.wat")),
        ),
    ];
    if let Some(path) = std::env::var_os("ARWEN_BENCH_WASM") {
        let code = std::fs::read(path).expect("ARWEN_BENCH_WASM names a readable file");
        codes.push(("ARWEN_BENCH_WASM", code.into()));
    }
    for (name, code) in codes {
        group.bench_function(format!("deploy {name}"), |b| {
            b.iter_batched(
                || vm(&world()),
                |mut vm| (deploy(&mut vm, &code, &[]), vm),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, warm, cold);
criterion_main!(benches);
