//! The VM in this process, with a world that has a contract.

use super::{CONTRACT, USER, arguments, vm_input, world};
use arwen::internal::scenario::SharedWorld;
use arwen::internal::vm::{EngineSettings, QuickLimits, Vm, VmParameters, WarmLimits};
use arwen::machine::Machine as _;
use arwen::messages::*;
use bytes::Bytes;
use num_bigint::BigUint;

pub fn vm(world: &SharedWorld) -> Vm {
    vm_on_tiers(world, None)
}

/// A VM that interprets unknown code as far as the limits say.
pub fn vm_on_tiers(world: &SharedWorld, interpreter: Option<QuickLimits>) -> Vm {
    vm_with(
        world,
        EngineSettings {
            interpreter,
            ..EngineSettings::default()
        },
    )
}

/// A VM that keeps so many instances for the next call.
pub fn vm_with_instances(world: &SharedWorld, instances: usize) -> Vm {
    vm_with(
        world,
        EngineSettings {
            instances: WarmLimits {
                instances,
                ..WarmLimits::default()
            },
            ..EngineSettings::default()
        },
    )
}

fn vm_with(world: &SharedWorld, engine: EngineSettings) -> Vm {
    let parameters = VmParameters {
        engine,
        ..VmParameters::from(&arguments())
    };
    Vm::new(parameters, Box::new(world.clone())).expect("the parameters are good")
}

pub fn deploy(vm: &mut Vm, code: &Bytes, arguments: &[Bytes]) -> VmOutput {
    let input = ContractCreateInput {
        input: Some(vm_input(arguments)),
        contract_code: code.clone(),
        ..ContractCreateInput::default()
    };
    let outcome = vm.deploy(input).expect("this machine has what it needs");
    outcome.expect("no failure of the VM")
}

pub fn call(vm: &mut Vm, function: &str, arguments: &[Bytes]) -> VmOutput {
    let input = ContractCallInput {
        input: Some(vm_input(arguments)),
        recipient_addr: CONTRACT,
        function: function.to_owned(),
    };
    let outcome = vm.call(input).expect("this machine has what it needs");
    let output = outcome.expect("no failure of the VM");
    assert_eq!(output.return_code, 0, "{}", output.return_message);
    output
}

/// A VM whose world has the deployed contract.
pub fn deployed(code: &Bytes, arguments: &[Bytes]) -> Vm {
    let world = world();
    let vm = vm(&world);
    deployed_in(vm, &world, code, arguments)
}

/// The VM, whose world has the deployed contract.
pub fn deployed_in(mut vm: Vm, world: &SharedWorld, code: &Bytes, arguments: &[Bytes]) -> Vm {
    let output = deploy(&mut vm, code, arguments);
    assert_eq!(output.return_code, 0, "{}", output.return_message);
    let applied = world.lock().apply(Some(&USER), &BigUint::ZERO, &output);
    applied.expect("a consistent output");
    vm
}
