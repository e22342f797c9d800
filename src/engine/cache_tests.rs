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

/// Its functions, and how often its engine has compiled.
struct Compiled(Vec<ExportedFunction>, Arc<AtomicUsize>);

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
            _ => Ok(Arc::new(Compiled(
                module.exported_functions.clone(),
                Arc::clone(&self.0),
            ))),
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

    /// A module named `grows` grows with each module that is compiled.
    fn memory_bytes(&self) -> usize {
        let bytes = |function: &ExportedFunction| match function.name.as_str() {
            "grows" => SMALL * self.1.load(Ordering::Relaxed),
            name => SMALL * name.len(),
        };
        self.0.iter().map(bytes).sum()
    }

    fn instantiate(&self, _: u64) -> Result<Box<dyn Instance<NoHost>>, InstantiationError> {
        Err(InstantiationError::StartCalledHost)
    }
}

/// What pinned modules may take.
/// Room for three small modules and their codes.
const PINNED_BYTES: usize = 4 * SMALL;

/// A cache, and how often its engine has compiled.
fn cache(memory_bytes: usize) -> (ModuleCache<NoHost>, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let engine = Box::new(Counting(Arc::clone(&count)));
    let costs = OpcodeCosts::from_map(|_| 1);
    let limits = CacheLimits {
        memory_bytes,
        pinned_bytes: PINNED_BYTES,
    };
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
fn a_pinned_module_is_never_evicted() {
    let (mut cache, count) = cache(SMALL);
    let pinned = cache.pin(&code("a")).expect("it is valid");
    let expected = PinnedModule {
        state: ModuleState::Compiled,
        bytes: SMALL,
    };
    assert_eq!(pinned, expected);
    for name in ["b", "c", "b"] {
        for name in [name, "a"] {
            cache
                .compile(&code(name), Counted::Points)
                .expect("it is valid");
        }
    }
    assert_eq!(count.load(Ordering::Relaxed), 4);
    let counters = EngineCounters {
        hits: 3,
        misses: 4,
        evictions: 2,
        pinned: 1,
        ..EngineCounters::default()
    };
    assert_eq!(cache.counters(), counters);
    // What an observer is told is not in the pinned module.
    cache
        .compile(&code("a"), Counted::Details)
        .expect("it is valid");
    assert_eq!(count.load(Ordering::Relaxed), 5);
}

#[test]
fn pinning_takes_a_module_from_the_others_and_unpinning_gives_it_back() {
    let (mut cache, count) = cache(SMALL);
    cache
        .compile(&code("a"), Counted::Points)
        .expect("it is valid");
    assert_eq!(cache.modules.bytes(), SMALL);
    for _ in 0..2 {
        cache.pin(&code("a")).expect("it is valid");
        assert_eq!((cache.modules.bytes(), cache.pinned.bytes()), (0, SMALL));
    }
    for _ in 0..2 {
        cache.unpin(&code("a"));
        assert_eq!((cache.modules.bytes(), cache.pinned.bytes()), (SMALL, 0));
        assert_eq!(cache.counters().pinned, 0);
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
    for name in ["b", "a"] {
        cache
            .compile(&code(name), Counted::Points)
            .expect("it is valid");
    }
    assert_eq!(count.load(Ordering::Relaxed), 3, "it was evicted");
}

#[test]
fn pinned_modules_have_a_budget_of_their_own() {
    let (mut cache, _) = cache(0);
    for name in ["a", "bb"] {
        cache.pin(&code(name)).expect("there is room");
    }
    let no_room = |modules: usize, names: &[&str]| {
        let codes = names.iter().map(|name| code(name).len());
        Err(PinError::NoRoom(NoRoom {
            module_bytes: SMALL + code(names[0]).len(),
            bytes: modules * SMALL + codes.sum::<usize>(),
            limit: PINNED_BYTES,
        }))
    };
    assert_eq!(cache.pin(&code("c")), no_room(4, &["c", "a", "bb"]));
    let text = NoRoom {
        module_bytes: 100,
        bytes: 400,
        limit: 300,
    };
    assert_eq!(
        text.to_string(),
        "the module and its code take 100 bytes, and 400 with those that are pinned; the limit is 300"
    );
    assert_eq!(cache.counters().pinned, 2);
    cache.unpin(&code("a"));
    cache.pin(&code("c")).expect("there is room");
    cache.pin(&code("c")).expect("it is pinned");
    for name in ["bb", "c"] {
        cache.unpin(&code(name));
    }

    // They are counted as they are when another one comes.
    let (mut cache, _) = super::tests::cache(0);
    cache.pin(&code("grows")).expect("there is room");
    assert_eq!(cache.pinned.bytes(), SMALL);
    cache.pin(&code("a")).expect("there is room");
    assert_eq!(cache.pinned.bytes(), 3 * SMALL);
    assert_eq!(cache.pin(&code("b")), no_room(5, &["b", "grows", "a"]));
}

#[test]
fn a_module_that_is_not_pinned_is_kept_like_any_other() {
    let (mut cache, count) = cache(SMALL);
    for name in ["a", "bb"] {
        cache.pin(&code(name)).expect("there is room");
    }
    let refused = cache.pin(&code("c"));
    assert!(matches!(refused, Err(PinError::NoRoom(_))), "{refused:?}");
    cache
        .compile(&code("c"), Counted::Points)
        .expect("it is valid");
    assert_eq!(count.load(Ordering::Relaxed), 3);
}

#[test]
fn cleared_pinned_code_gets_another_module_that_is_kept() {
    let (mut cache, count) = cache(0);
    let first = cache.compile(&code("a"), Counted::Points);
    let first = first.expect("it is valid");
    cache.pin(&code("a")).expect("it is valid");
    cache.clear();
    assert_eq!((cache.pinned.bytes(), cache.counters().pinned), (0, 1));
    assert_eq!(Arc::strong_count(&first), 1, "it is not used again");
    count.store(0, Ordering::Relaxed);
    for _ in 0..3 {
        cache
            .compile(&code("a"), Counted::Points)
            .expect("it is valid");
    }
    assert_eq!(count.load(Ordering::Relaxed), 1);
    cache.clear();
    cache.pin(&code("a")).expect("it is valid");
    assert_eq!((cache.pinned.bytes(), cache.counters().pinned), (SMALL, 1));
}

#[test]
fn what_can_not_be_compiled_is_not_pinned() {
    let (mut cache, _) = cache(SMALL);
    for (code, text) in [
        (Bytes::new(), "invalid bytecode: "),
        (
            code("fails"),
            "the engine can't compile the module: no reason",
        ),
        (code("panics"), "a panic while compiling: a bug"),
    ] {
        let error = cache.pin(&code).expect_err("it has no module");
        assert!(matches!(error, PinError::Compilation(_)), "{error:?}");
        assert_eq!(error.to_string(), text);
        assert_eq!(cache.counters().pinned, 0);
    }
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
