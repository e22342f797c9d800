//! The cache with an engine that counts what it compiles.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::engine::instrument::InstrumentedModule;
use crate::engine::{
    Abort, ExportedFunction, Instance, InstanceAccess, InstanceCounters, InstantiationError,
};

struct NoHost;

impl HostCalls for NoHost {
    fn call(&mut self, _: usize, _: &mut dyn InstanceAccess, _: &[i64]) -> Result<i64, Abort> {
        Err(Abort)
    }

    fn panicked(&mut self, _: String) {}
}

struct Counting(Arc<AtomicUsize>);

struct Compiled(Vec<ExportedFunction>);

/// What a module takes for each byte of its function's name.
const SMALL: usize = 100;

impl Engine<NoHost> for Counting {
    fn compile(
        &self,
        module: &InstrumentedModule,
    ) -> Result<Arc<dyn CompiledModule<NoHost>>, EngineError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match module
            .exported_functions
            .first()
            .map(|function| function.name.as_str())
        {
            Some("fails") => Err(EngineError::Refused("no reason".to_owned())),
            Some("panics") => panic!("a bug"),
            _ => Ok(Arc::new(Compiled(module.exported_functions.clone()))),
        }
    }

    fn instance_counters(&self) -> InstanceCounters {
        InstanceCounters::default()
    }
}

impl CompiledModule<NoHost> for Compiled {
    fn exported_functions(&self) -> &[ExportedFunction] {
        &self.0
    }

    fn exports_memory(&self) -> bool {
        false
    }

    fn memory_bytes(&self) -> usize {
        self.0
            .iter()
            .map(|function| SMALL * function.name.len())
            .sum()
    }

    fn instantiate(&self, _: u64) -> Result<Box<dyn Instance<NoHost>>, InstantiationError> {
        Err(InstantiationError::StartCalledHost)
    }
}

/// A cache, and how often its engine has compiled.
fn cache(memory_bytes: usize) -> (ModuleCache<NoHost>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let engine = Box::new(Counting(Arc::clone(&count)));
    let costs = OpcodeCosts::from_map(|_| 1);
    let limits = CacheLimits { memory_bytes };
    (ModuleCache::new(engine, &[], costs, limits), count)
}

/// A module that takes 100 bytes for each byte of the name.
fn code(name: &str) -> Bytes {
    let text = format!(r#"(module (func (export "{name}")))"#);
    wat::parse_str(text).expect("the text is right").into()
}

#[test]
fn the_same_code_is_compiled_once() {
    let (mut cache, count) = cache(2 * SMALL);
    let first = cache
        .compile(&code("a"), Counted::Points)
        .expect("it is valid");
    let second = cache
        .compile(&code("a"), Counted::Points)
        .expect("it is valid");
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(first.exported_functions()[0].name, "a");
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn the_least_recently_used_module_goes_first() {
    let (mut cache, count) = cache(2 * SMALL);
    let mut compiles = |name: &str| {
        let before = count.load(Ordering::Relaxed);
        cache
            .compile(&code(name), Counted::Points)
            .expect("it is valid");
        count.load(Ordering::Relaxed) - before
    };
    assert_eq!(
        ["a", "b", "a", "c", "a", "b", "c", "a"].map(&mut compiles),
        [1, 1, 0, 1, 0, 1, 1, 1]
    );
}

#[test]
fn the_bytes_are_limited() {
    let (mut cache, count) = cache(2 * SMALL);
    for name in ["a", "b", "a", "b", "c", "b", "a", "xxx", "a", "xx"] {
        cache
            .compile(&code(name), Counted::Points)
            .expect("it is valid");
        assert!(cache.modules.bytes() <= 2 * SMALL);
    }
    // `c` drove out `a`, then `a` drove out `c`; `xxx` is too large to be kept, so `a` is still there; `xx` drove out both.
    assert_eq!(count.load(Ordering::Relaxed), 6);
    let counters = EngineCounters {
        hits: 4,
        misses: 6,
        evictions: 4,
        ..EngineCounters::default()
    };
    assert_eq!(cache.counters(), counters);
}

#[test]
fn a_module_in_use_outlives_its_place_in_the_cache() {
    let (mut cache, _) = cache(SMALL);
    let used = cache
        .compile(&code("a"), Counted::Points)
        .expect("it is valid");
    cache
        .compile(&code("b"), Counted::Points)
        .expect("it is valid");
    assert_eq!(used.exported_functions()[0].name, "a");
    assert_eq!(Arc::strong_count(&used), 1);
}

#[test]
fn failures_are_errors_and_are_not_kept() {
    let (mut cache, count) = cache(10 * SMALL);
    let error = |cache: &mut ModuleCache<NoHost>, code: &Bytes| {
        cache
            .compile(code, Counted::Points)
            .err()
            .map(|error| error.to_string())
    };
    for _ in 0..2 {
        assert_eq!(
            error(&mut cache, &Bytes::new()).as_deref(),
            Some("invalid bytecode: ")
        );
        assert_eq!(
            error(&mut cache, &code("fails")).as_deref(),
            Some("the engine can't compile the module: no reason")
        );
        assert_eq!(
            error(&mut cache, &code("panics")).as_deref(),
            Some("a panic while compiling: a bug")
        );
    }
    assert_eq!(count.load(Ordering::Relaxed), 4);
    assert!(cache.compile(&code("a"), Counted::Points).is_ok());
}

#[test]
fn nothing_is_kept_if_nothing_may_be() {
    let (mut cache, count) = cache(0);
    for _ in 0..2 {
        assert!(cache.compile(&code("a"), Counted::Points).is_ok());
    }
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[test]
fn hashes_are_those_of_the_code_wherever_it_lies() {
    let mut hashes = CodeHashes::default();
    let all: Vec<Bytes> = (0..40u8).map(|byte| vec![byte; 100].into()).collect();
    for code in all.iter().chain(&all) {
        for part in [code.clone(), code.slice(..50), code.slice(50..)] {
            let expected: CodeHash = blake3::hash(&part).into();
            assert_eq!([hashes.of(&part), hashes.of(&part)], [expected; 2]);
        }
    }
    assert_eq!(hashes.recent.len(), CodeHashes::MOST);
}

#[test]
fn known_code_in_another_buffer_is_not_hashed_again() {
    let mut hashes = CodeHashes::default();
    for _ in 0..3 {
        hashes.of(&Bytes::from(vec![7; 100]));
    }
    assert_eq!(hashes.recent.len(), 1);
    // The last byte decides.
    let mut other = vec![7; 100];
    other[99] = 8;
    let expected: CodeHash = blake3::hash(&other).into();
    assert_eq!(hashes.of(&other.into()), expected);
}
