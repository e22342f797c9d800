//! The tiers with a compiler that waits until it is told to go on.

use super::*;
use crate::vm::engine::instrument::instrument;
use crate::vm::engine::validation::validate;
use crate::vm::engine::{Abort, InstanceAccess};
use crate::vm::gas::opcode_costs::OpcodeCosts;

struct NoHost;

impl HostCalls for NoHost {
    fn call(&mut self, _: usize, _: &mut dyn InstanceAccess, _: &[i64]) -> Result<i64, Abort> {
        Err(Abort)
    }

    fn panicked(&mut self, _: String) {}
}

/// Compiles one module for each message, which says how.
struct Compiler(Mutex<Receiver<Order>>);

enum Order {
    Compile,
    Fail,
    Panic,
}

impl Engine<NoHost> for Compiler {
    fn compile(
        &self,
        module: &InstrumentedModule,
    ) -> Result<Arc<dyn CompiledModule<NoHost>>, EngineError> {
        let order = lock(&self.0).recv();
        match order.expect("the test gives an order for each module") {
            Order::Compile => WasmiEngine::unlimited().compile(module),
            Order::Fail => Err(EngineError::Refused("no reason".to_owned())),
            Order::Panic => panic!("a bug"),
        }
    }

    fn instance_counters(&self) -> InstanceCounters {
        InstanceCounters::default()
    }
}

fn tiers() -> (TieredEngine<NoHost>, Sender<Order>) {
    let (orders, compiler) = mpsc::channel();
    let hot = Arc::new(Compiler(Mutex::new(compiler)));
    let engine = TieredEngine::new(hot, QuickLimits::default()).expect("threads can be started");
    engine.begin_run();
    (engine, orders)
}

fn module(text: &str) -> InstrumentedModule {
    let code = wat::parse_str(text).expect("the test's text is right");
    let validated = validate(&code, &[]).expect("it is valid");
    instrument(&validated, &[], &OpcodeCosts::from_map(|_| 1)).expect("it can be instrumented")
}

const MODULE: &str = r#"(module (func (export "f")))"#;

#[test]
fn the_interpreter_runs_until_the_compiler_is_done() {
    let (engine, orders) = tiers();
    let tiered = engine.compile(&module(MODULE)).expect("it is valid");
    let estimate = tiered.memory_bytes();
    tiered.instantiate(0).expect("it can be instantiated");
    assert!(engine.may_give_up());
    orders.send(Order::Compile).expect("the engine is there");
    engine.require_last_tier();
    tiered.instantiate(0).expect("it can be instantiated");
    assert!(!engine.may_give_up());
    assert_ne!(tiered.memory_bytes(), estimate);
    // A run that may use the interpreter has no more reason to.
    engine.begin_run();
    tiered.instantiate(0).expect("it can be instantiated");
    assert!(!engine.may_give_up());
    let expected = TierCounters {
        quick_runs: 1,
        abandoned_runs: 1,
        hot_swaps: 1,
    };
    assert_eq!(engine.tier_counters(), expected);
}

#[test]
fn errors_of_the_compiler_read_as_without_the_interpreter() {
    let invalid = "the engine can't compile the module: no reason";
    let bug = "a panic while compiling: a bug";
    for (order, expected) in [
        (Order::Fail, InstantiationError::Invalid(invalid.to_owned())),
        (Order::Panic, InstantiationError::Bug(bug.to_owned())),
    ] {
        let (engine, orders) = tiers();
        let tiered = engine.compile(&module(MODULE)).expect("it is valid");
        orders.send(order).expect("the engine is there");
        engine.require_last_tier();
        let error = tiered.instantiate(0).err();
        assert_eq!(error, Some(expected));
    }
}

#[test]
fn very_large_functions_are_compiled_first() {
    for (sets, locals) in [(MAXIMUM_QUICK_BODY_BYTES / 4, 1), (1_000, 3_000)] {
        let (engine, orders) = tiers();
        orders.send(Order::Fail).expect("the engine is there");
        let body = "(local.set 0 (i32.const 1))".repeat(sets);
        let locals = "i32 ".repeat(locals);
        let text = format!(r#"(module (func (export "f") (local {locals}) {body}))"#);
        let error = engine.compile(&module(&text)).err();
        assert_eq!(error, Some(EngineError::Refused("no reason".to_owned())));
        assert!(!engine.may_give_up());
    }
}
