//! The tiers with a compiler that waits until it is told to go on.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::run::PATIENCE;
use super::*;
use crate::engine::instrument::instrument;
use crate::engine::opcode_costs::OpcodeCosts;
use crate::engine::validation::validate;
use crate::engine::wasmer::WasmerEngine;
use crate::engine::wasmer::warm::WarmLimits;
use crate::engine::{Abort, CallEnd, EngineError, InstanceAccess, InstantiationError, ModuleState};

struct NoHost;

impl HostCalls for NoHost {
    fn call(&mut self, _: usize, _: &mut dyn InstanceAccess, _: &[i64]) -> Result<i64, Abort> {
        Err(Abort)
    }

    fn panicked(&mut self, _: String) {}
}

/// Compiles one module for each message, which says how, and notes what is given up.
struct Compiler {
    orders: Mutex<Receiver<Order>>,
    given_up: Mutex<Vec<String>>,
}

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
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        match orders
            .recv()
            .expect("the test gives an order for each module")
        {
            Order::Compile => WasmiEngine::unlimited().compile(module),
            Order::Fail => Err(EngineError::Refused("no reason".to_owned())),
            Order::Panic => panic!("a bug"),
        }
    }

    fn give_up(&self, _: &InstrumentedModule, reason: &str) {
        let mut reasons = self.given_up.lock().expect("no test panics here");
        reasons.push(reason.to_owned());
    }

    fn has_given_up(&self, _: &InstrumentedModule) -> bool {
        !self
            .given_up
            .lock()
            .expect("no test panics here")
            .is_empty()
    }

    fn instance_counters(&self) -> InstanceCounters {
        InstanceCounters::default()
    }
}

fn tiers() -> (TieredEngine<NoHost>, Sender<Order>, Arc<Compiler>) {
    let (orders, compiler) = mpsc::channel();
    let hot = Arc::new(Compiler {
        orders: Mutex::new(compiler),
        given_up: Mutex::default(),
    });
    let limits = Some(QuickLimits::default());
    let engine = TieredEngine::new(Arc::<Compiler>::clone(&hot) as Arc<dyn Engine<_>>, limits);
    let engine = engine.expect("threads can be started");
    engine.begin_run();
    (engine, orders, hot)
}

fn module(text: &str) -> InstrumentedModule {
    let code = wat::parse_str(text).expect("the test's text is right");
    let validated = validate(&code, &[]).expect("it is valid");
    instrument(&validated, &[], &OpcodeCosts::from_map(|_| 1)).expect("it can be instrumented")
}

/// What runs the module, once that is this.
fn becomes(module: &dyn CompiledModule<NoHost>, state: ModuleState) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while module.state() != state {
        assert!(Instant::now() < deadline, "it stays {:?}", module.state());
        std::thread::yield_now();
    }
}

/// Calls `f` in a new instance.
fn run(module: &dyn CompiledModule<NoHost>) -> CallEnd {
    let instance = module.instantiate(1_000_000);
    let mut instance = instance.expect("it can be instantiated");
    instance.call("f", Box::new(NoHost)).1
}

const MODULE: &str = r#"(module (func (export "f")))"#;

#[test]
fn the_interpreter_runs_until_the_compiler_is_done() {
    let (engine, orders, _) = tiers();
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
        ..TierCounters::default()
    };
    assert_eq!(engine.tier_counters(), expected);
}

#[test]
fn a_module_says_what_runs_it() {
    for (order, expected) in [
        (Order::Compile, ModuleState::Compiled),
        (Order::Fail, ModuleState::Interpreted),
        (Order::Panic, ModuleState::Interpreted),
    ] {
        let (engine, orders, _) = tiers();
        let tiered = engine.compile(&module(MODULE)).expect("it is valid");
        assert_eq!(tiered.state(), ModuleState::Compiling);
        orders.send(order).expect("the engine is there");
        becomes(&*tiered, expected);
        // What was given up is not tried again.
        if expected == ModuleState::Interpreted {
            let again = engine.compile(&module(MODULE)).expect("it is valid");
            assert_eq!(again.state(), expected);
        }
    }
}

#[test]
fn a_run_does_not_wait_for_good() {
    let (engine, orders, _) = tiers();
    let tiered = engine.compile(&module(MODULE)).expect("it is valid");
    engine.require_last_tier();
    // The compiler has no order.
    assert_eq!(run(&*tiered), CallEnd::Returned);
    let expected = TierCounters {
        impatient_runs: 1,
        ..TierCounters::default()
    };
    assert_eq!(engine.tier_counters(), expected);
    orders.send(Order::Compile).expect("the engine is there");
    while engine.tier_counters().hot_swaps == 0 {
        assert_eq!(run(&*tiered), CallEnd::Returned);
    }
}

/// A module at which wasmi's translator panics: instrumentation makes the store another one, if it is told of its offset.
fn untranslatable() -> InstrumentedModule {
    let near = r#"(module (memory 2) (func (export "f") (local $x i32)
        (local.set $x (memory.size))
        (i32.store offset=65535 (local.get $x) (local.get $x))))"#;
    // i32.store with its alignment and the offset, 65,535 and 65,536.
    let [near_store, far_store] = [[0x36, 2, 0xff, 0xff, 3], [0x36, 2, 0x80, 0x80, 4]];
    let mut module = module(near);
    let stores = module.bytes.windows(near_store.len());
    let place = stores.enumerate().find(|(_, bytes)| *bytes == near_store);
    let (place, _) = place.expect("it has the store");
    module.bytes[place..place + far_store.len()].copy_from_slice(&far_store);
    module
}

#[test]
fn where_the_interpreter_panics_the_compiler_runs() {
    let module = untranslatable();
    let steady: Result<Arc<dyn CompiledModule<NoHost>>, _> =
        WasmiEngine::unlimited().compile(&module);
    let Err(EngineError::Refused(text)) = steady.map(drop) else {
        panic!("the interpreter takes it: the test, and perhaps instrumentation, can be simpler");
    };
    assert!(text.contains("the interpreter panicked"), "{text}");

    let compiler = WasmerEngine::new(WarmLimits::default());
    let engine = TieredEngine::new(Arc::new(compiler), Some(QuickLimits::default()));
    let engine = engine.expect("threads can be started");
    engine.begin_run();
    let tiered = engine.compile(&module).expect("the compiler takes it");
    let quick = run(&*tiered);
    // Unless it is compiled already.
    assert!(matches!(quick, CallEnd::Abandoned | CallEnd::Returned));
    engine.require_last_tier();
    assert_eq!(run(&*tiered), CallEnd::Returned);
}

/// wasmi would wait for good for the translation that has panicked.
#[test]
fn where_the_interpreter_panicked_it_is_not_tried_again() {
    let (engine, orders, _) = tiers();
    let tiered = engine.compile(&untranslatable()).expect("it is valid");
    assert_eq!(run(&*tiered), CallEnd::Abandoned);
    engine.begin_run();
    let again = tiered.instantiate(1_000_000).err();
    assert_eq!(again, Some(InstantiationError::Abandoned));
    assert!(engine.may_give_up());
    drop(orders);
}

/// Even if the compiler takes longer than a run waits.
#[test]
fn what_only_the_compiler_takes_waits_for_it() {
    let (engine, orders, _) = tiers();
    engine.require_last_tier();
    let tiered = engine.compile(&untranslatable()).expect("it is valid");
    let answer = std::thread::scope(|scope| {
        let answer = scope.spawn(|| tiered.instantiate(0).err());
        std::thread::sleep(PATIENCE + PATIENCE / 2);
        assert!(!answer.is_finished());
        orders.send(Order::Fail).expect("the engine is there");
        answer.join().expect("no panic")
    });
    assert!(
        matches!(answer, Some(InstantiationError::Bug(_))),
        "{answer:?}"
    );
}

/// The text is that of the compiled code, however long it takes.
#[test]
fn an_invalid_module_is_told_as_by_compiled_code() {
    let text = r#"(module (start $start) (func $start unreachable) (func (export "f")))"#;
    let direct = WasmiEngine::unlimited().compile(&module(text));
    let direct: Arc<dyn CompiledModule<NoHost>> = direct.expect("it compiles");
    let (engine, orders, _) = tiers();
    let tiered = engine.compile(&module(text)).expect("it is valid");
    engine.require_last_tier();
    let answer = std::thread::scope(|scope| {
        let answer = scope.spawn(|| tiered.instantiate(0).err());
        std::thread::sleep(PATIENCE + PATIENCE / 2);
        assert!(!answer.is_finished());
        orders.send(Order::Compile).expect("the engine is there");
        answer.join().expect("no panic")
    });
    assert!(matches!(answer, Some(InstantiationError::Invalid(_))));
    assert_eq!(answer, direct.instantiate(0).err());
}

#[test]
fn what_the_compiler_refuses_is_interpreted_for_good() {
    for (order, expected) in [
        (Order::Fail, "no reason"),
        (Order::Panic, "the engine panicked: a bug"),
    ] {
        let (engine, orders, compiler) = tiers();
        let tiered = engine.compile(&module(MODULE)).expect("it is valid");
        orders.send(order).expect("the engine is there");
        engine.require_last_tier();
        assert_eq!(run(&*tiered), CallEnd::Returned);
        engine.begin_run();
        assert_eq!(run(&*tiered), CallEnd::Returned);
        assert!(!engine.may_give_up());
        assert_eq!(*compiler.given_up.lock().expect("no panic"), [expected]);
        // Not tried again: there is no other order.
        let again = engine.compile(&module(MODULE)).expect("it is valid");
        assert_eq!(run(&*again), CallEnd::Returned);
        let expected = TierCounters {
            steady_modules: 2,
            ..TierCounters::default()
        };
        assert_eq!(engine.tier_counters(), expected);
    }
}

#[test]
fn what_takes_long_to_compile_is_never_given_to_the_compiler() {
    let (engine, _, _) = tiers();
    let loops = 300;
    let body: String = (0..200)
        .map(|local| format!("(local.set {local} (i32.add (local.get {local}) (local.get 0)))"))
        .collect();
    let text = format!(
        r#"(module (func (export "f") (local {}) {} {body} {}))"#,
        "i32 ".repeat(200),
        "loop ".repeat(loops),
        "end ".repeat(loops),
    );
    let steady = engine.compile(&module(&text)).expect("it is valid");
    assert_eq!(run(&*steady), CallEnd::Returned);
    assert!(!engine.may_give_up());
    assert_eq!(engine.tier_counters().steady_modules, 1);
    // Without the interpreter's limits it is the same.
    engine.require_last_tier();
    let steady = engine.compile(&module(&text)).expect("it is valid");
    assert_eq!(run(&*steady), CallEnd::Returned);
    assert_eq!(engine.tier_counters().steady_modules, 2);
}
