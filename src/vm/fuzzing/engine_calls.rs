//! What the VM never asks of an engine, or seldom: instances in any order and beside each other, functions that are not
//! there or take parameters, accesses outside of the memory, hosts that abort and panic. All engines answer alike.

use crate::engine::instrument::InstrumentedModule;
use crate::engine::tiers::TieredEngine;
use crate::engine::wasmer::WasmerEngine;
use crate::engine::wasmi_engine::WasmiEngine;
use crate::engine::{
    Abort, CallEnd, CompiledModule, Engine, ExportedFunction, HostCalls, Instance, InstanceAccess,
    InstanceCounters, InstantiationError, ModuleIdentity, OutOfBounds,
};
use crate::vm::{DiskCounters, QuickLimits, WarmLimits};
use foldhash::fast::FixedState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::panic::resume_unwind;
use std::sync::Arc;

/// How many of an input's last bytes say what is asked. They may belong to the module as well, best in a custom section.
pub const SCRIPT_BYTES: usize = 32;

/// The bytes of a script that say how the host behaves, one for each of its calls, over and over.
const CONDUCT_BYTES: usize = 4;

/// The most points of an instance.
const MAXIMUM_POINTS: u64 = 20_000;

/// Names that are no functions of a contract, or only by chance.
const NO_FUNCTIONS: [&str; 5] = ["", "nothing", "memory", "arwen:start", "arwen:used"];

/// Wasm's own unit of memory, and that of the system.
const WASM_PAGE_BYTES: u64 = 65_536;
const PAGE_BYTES: usize = 4096;

type Compiled = Arc<dyn CompiledModule<ScriptedHost>>;

/// What is asked, in this order: two bytes for the limits, some for the host, two for each step.
#[derive(Clone, Copy)]
struct Script<'a> {
    warm: WarmLimits,
    quick: QuickLimits,
    conduct: &'a [u8],
    steps: &'a [u8],
}

impl<'a> Script<'a> {
    /// None if the bytes are too few.
    fn new(bytes: &'a [u8]) -> Option<Script<'a>> {
        let (limits, rest) = bytes.split_first_chunk::<2>()?;
        let (conduct, steps) = rest.split_at_checked(CONDUCT_BYTES)?;
        Some(Script {
            warm: WarmLimits {
                instances: [64, 0, 1, 2][usize::from(limits[0] % 4)],
                memory_bytes: [1 << 24, 300_000][usize::from(limits[0] / 4 % 2)],
            },
            quick: QuickLimits {
                fuel: [0, 100, 1_000, 10_000_000][usize::from(limits[1] % 4)],
            },
            conduct,
            steps,
        })
    }
}

/// A host that does what a script says, and notes it.
#[derive(Debug, Default, PartialEq, Eq)]
struct ScriptedHost {
    conduct: Vec<u8>,
    /// The functions that were called, with their arguments and the points that were used.
    calls: Vec<(usize, Vec<i64>, u64)>,
    accesses: Vec<Access>,
    panics: Vec<String>,
}

impl HostCalls for ScriptedHost {
    fn call(
        &mut self,
        function: usize,
        instance: &mut dyn InstanceAccess,
        arguments: &[i64],
    ) -> Result<i64, Abort> {
        let conduct = self.conduct[self.calls.len() % self.conduct.len()];
        let used = instance.used_points();
        self.calls.push((function, arguments.to_vec(), used));
        let (kind, detail) = (conduct % 16, conduct / 16);
        match kind {
            0 => return Err(Abort),
            // Not `panic!`: libFuzzer's hook would take it for a finding.
            1 => resume_unwind(Box::new("a text that stands in the code")),
            2 => resume_unwind(Box::new(format!("a text with the number {function}"))),
            3 => resume_unwind(Box::new(function)),
            4..=6 => self.accesses.push(Access::read(instance, detail)),
            7 | 8 => self.accesses.push(Access::write(instance, detail)),
            9 => self.accesses.push(Access::grow(instance, detail)),
            // Only more of them: otherwise contracts need never end.
            10 => instance.set_used_points(used + u64::from(detail)),
            _ => {}
        }
        Ok(arguments
            .iter()
            .fold(i64::from(detail) - 8, |sum, argument| {
                sum.wrapping_mul(3).wrapping_add(*argument)
            }))
    }

    fn panicked(&mut self, message: String) {
        self.panics.push(message);
    }
}

/// What an access of the host gave.
#[derive(Debug, PartialEq, Eq)]
enum Access {
    Read(Result<Vec<u8>, OutOfBounds>),
    Written(Result<(), OutOfBounds>),
    Grown(bool),
}

impl Access {
    /// Reads a few bytes at one of the places where something can go wrong.
    fn read(instance: &mut dyn InstanceAccess, detail: u8) -> Access {
        let (offset, length) = Access::place(instance, detail);
        let mut bytes = vec![0; length];
        let read = instance.read_memory(offset, &mut bytes);
        Access::Read(read.map(|()| bytes))
    }

    fn write(instance: &mut dyn InstanceAccess, detail: u8) -> Access {
        let (offset, length) = Access::place(instance, detail);
        Access::Written(instance.write_memory(offset, &[detail][..].repeat(length)))
    }

    fn grow(instance: &mut dyn InstanceAccess, detail: u8) -> Access {
        let before = instance.memory_size();
        let pages = if detail == 15 {
            u32::MAX
        } else {
            u32::from(detail % 4)
        };
        let has_grown = instance.grow_memory(pages);
        let added = u64::from(has_grown) * u64::from(pages) * WASM_PAGE_BYTES;
        assert_eq!(instance.memory_size(), before + added);
        Access::Grown(has_grown)
    }

    fn place(instance: &mut dyn InstanceAccess, detail: u8) -> (u64, usize) {
        let size = instance.memory_size();
        let offsets = [
            0,
            4_093,
            size.wrapping_sub(8),
            size.wrapping_sub(7),
            size,
            size + 1,
            1 << 32,
            u64::MAX,
        ];
        let lengths = [8, 0, 1, 9];
        (
            offsets[usize::from(detail % 8)],
            lengths[usize::from(detail / 8 % 4)],
        )
    }
}

/// How a call ended; the texts are each engine's own.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Returned,
    Trapped,
    Aborted,
}

/// What can be seen of an instance.
#[derive(Debug, PartialEq, Eq)]
struct InstanceState {
    used_points: u64,
    has_memory: bool,
    declared_maximum_pages: Option<u32>,
    memory_bytes: u64,
    memory_hash: u64,
}

impl InstanceState {
    fn of(instance: &mut dyn Instance<ScriptedHost>) -> InstanceState {
        let mut memory = vec![0; instance.memory_size() as usize];
        let read = instance.read_memory(0, &mut memory);
        assert_eq!(read.is_ok(), instance.has_memory());
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(&memory);
        InstanceState {
            used_points: instance.used_points(),
            has_memory: instance.has_memory(),
            declared_maximum_pages: instance.declared_maximum_pages(),
            memory_bytes: instance.memory_size(),
            memory_hash: hasher.finish(),
        }
    }
}

/// What is seen of an engine.
#[derive(Debug, PartialEq, Eq)]
enum Observation {
    Instantiated(InstanceState),
    Invalid,
    StartCalledHost,
    Called(End, ScriptedHost, InstanceState),
    Accessed(Access),
}

/// The engine has given up.
struct GivenUp;

/// A script as it is played: the module until it is dropped, and the instances that are in use.
struct Play<'a> {
    conduct: &'a [u8],
    module: Option<Compiled>,
    functions: Vec<ExportedFunction>,
    instances: Vec<Box<dyn Instance<ScriptedHost>>>,
    /// Instances that were asked for.
    instantiations: u64,
    answers: Vec<Observation>,
}

impl Play<'_> {
    fn step(&mut self, kind: u8, detail: u8) -> Result<(), GivenUp> {
        match kind % 16 {
            0 | 1 => {
                self.instances.pop();
                self.instantiate(detail)?;
            }
            2 => self.instantiate(detail)?,
            3 => drop(self.instances.pop()),
            4 => self.module = None,
            5 => {
                let name = NO_FUNCTIONS[usize::from(detail) % NO_FUNCTIONS.len()];
                self.call(name, detail)?;
            }
            6..=9 => {
                let functions = self.functions.len().max(1);
                let function = self.functions.get(usize::from(detail) % functions);
                if let Some(name) = function.map(|function| function.name.clone()) {
                    self.call(&name, detail)?;
                }
            }
            10 => self.access(detail, Access::read),
            11 => self.access(detail, Access::write),
            12 => self.access(detail, Access::grow),
            13 => {
                let points = [0, 1, MAXIMUM_POINTS - 1, u64::MAX][usize::from(detail % 4)];
                if let Some(instance) = self.instances.last_mut() {
                    instance.set_used_points(points);
                    assert_eq!(instance.used_points(), points);
                }
            }
            _ => self.touch(),
        }
        Ok(())
    }

    /// Takes another instance, with few or many points.
    fn instantiate(&mut self, detail: u8) -> Result<(), GivenUp> {
        let Some(module) = &self.module else {
            return Ok(());
        };
        self.instantiations += 1;
        let limit = [MAXIMUM_POINTS, 0, 10, 300][usize::from(detail % 4)];
        let answer = match module.instantiate(limit) {
            Ok(mut instance) => {
                let state = InstanceState::of(&mut *instance);
                self.instances.push(instance);
                Observation::Instantiated(state)
            }
            Err(InstantiationError::Invalid(_)) => Observation::Invalid,
            Err(InstantiationError::StartCalledHost) => Observation::StartCalledHost,
            Err(InstantiationError::Abandoned) => return Err(GivenUp),
            Err(error @ (InstantiationError::Machine(_) | InstantiationError::Bug(_))) => {
                panic!("{error}")
            }
        };
        self.answers.push(answer);
        Ok(())
    }

    /// Calls the instance that was taken last.
    fn call(&mut self, name: &str, detail: u8) -> Result<(), GivenUp> {
        let Some(instance) = self.instances.last_mut() else {
            return Ok(());
        };
        let mut conduct = self.conduct.to_vec();
        conduct.rotate_left(usize::from(detail) % CONDUCT_BYTES);
        let host = ScriptedHost {
            conduct,
            ..ScriptedHost::default()
        };
        let (host, end) = instance.call(name, Box::new(host));
        let end = match end {
            CallEnd::Returned => End::Returned,
            CallEnd::Trapped(_) => End::Trapped,
            CallEnd::Aborted => End::Aborted,
            CallEnd::Abandoned => return Err(GivenUp),
            CallEnd::Machine(failure) => panic!("{failure}"),
        };
        let is_function =
            |function: &ExportedFunction| function.name == name && function.parameters == 0;
        assert!(
            self.functions.iter().any(is_function) || end == End::Trapped,
            "{name:?}: {end:?}"
        );
        self.answers.push(Observation::Called(
            end,
            *host,
            InstanceState::of(&mut **instance),
        ));
        Ok(())
    }

    fn access(&mut self, detail: u8, access: fn(&mut dyn InstanceAccess, u8) -> Access) {
        if let Some(instance) = self.instances.last_mut() {
            self.answers
                .push(Observation::Accessed(access(&mut **instance, detail)));
        }
    }

    /// Writes into every page: so much may be touched that the instance is not used again.
    fn touch(&mut self) {
        if let Some(instance) = self.instances.last_mut() {
            for offset in (0..instance.memory_size()).step_by(PAGE_BYTES) {
                let written = instance.write_memory(offset, &[1]);
                written.expect("it is inside");
            }
        }
    }
}

/// Plays the scripts on an engine, one after the other, with one module. An engine that gives up gets a second attempt, as
/// the host does it.
fn play(
    engine: &dyn Engine<ScriptedHost>,
    module: &InstrumentedModule,
    scripts: &[Script<'_>],
) -> Vec<Vec<Observation>> {
    let identity = ModuleIdentity {
        code_hash: [0; 32],
        rules_hash: [0; 32],
    };
    engine.begin_run();
    assert!(
        engine.load(&identity, module.import_table).is_none(),
        "there is no disk"
    );
    let compiled = engine.compile(module).expect("valid wasm");
    assert_eq!(compiled.exported_functions(), module.exported_functions);
    assert_eq!(compiled.exports_memory(), module.exports_memory);
    assert!(compiled.memory_bytes() > 0);
    let mut total = 0;
    let mut all_answers = Vec::with_capacity(scripts.len());
    // The last script may drop the module, while instances of it are in use.
    let modules = std::iter::repeat_n(compiled, scripts.len());
    for (module, script) in modules.zip(scripts) {
        let (answers, instantiations) = play_one(engine, module, *script);
        total += instantiations;
        all_answers.push(answers);
    }
    check_counters(engine, total, scripts.len() as u64);
    all_answers
}

/// The answers, and how many instances were asked for in the attempt that ended.
fn play_one(
    engine: &dyn Engine<ScriptedHost>,
    module: Compiled,
    script: Script<'_>,
) -> (Vec<Observation>, u64) {
    let has_tiers = engine.begin_run();
    let second = has_tiers.then(|| Arc::clone(&module));
    let mut attempt = attempt(module, script);
    if let (Err(GivenUp), Some(module)) = (&attempt, second) {
        assert!(engine.may_give_up());
        engine.require_last_tier();
        assert!(!engine.may_give_up());
        attempt = self::attempt(module, script);
    }
    attempt.unwrap_or_else(|GivenUp| panic!("the last tier has given up"))
}

fn attempt(module: Compiled, script: Script<'_>) -> Result<(Vec<Observation>, u64), GivenUp> {
    let mut play = Play {
        conduct: script.conduct,
        functions: module.exported_functions().to_vec(),
        module: Some(module),
        instances: Vec::new(),
        instantiations: 0,
        answers: Vec::new(),
    };
    play.instantiate(0)?;
    for [kind, detail] in script.steps.as_chunks().0 {
        play.step(*kind, *detail)?;
    }
    Ok((play.answers, play.instantiations))
}

/// What engines count is what was asked of them. Interpreted instances are not counted.
fn check_counters(engine: &dyn Engine<ScriptedHost>, instantiations: u64, runs: u64) {
    let InstanceCounters {
        fresh,
        reused,
        unusable,
        evicted,
    } = engine.instance_counters();
    assert!(
        [0, instantiations].contains(&(fresh + reused)),
        "{fresh} and {reused} of {instantiations}"
    );
    // Each use of an instance ends once. One that was evicted can be used again.
    assert!(unusable + evicted <= fresh + reused);
    let tiers = engine.tier_counters();
    assert!(tiers.abandoned_runs <= tiers.quick_runs && tiers.quick_runs <= runs);
    assert_eq!(engine.disk_counters(), DiskCounters::default());
}

/// How many scripts engines are compared with: compiling takes as long as playing hundreds.
const COMPARED_SCRIPTS: usize = 16;

/// And with how many of them tiers are.
const TIERED_SCRIPTS: usize = 4;

/// Others than this, made of it.
fn other_scripts(script: &[u8]) -> [[u8; SCRIPT_BYTES]; COMPARED_SCRIPTS - 1] {
    let mut source = blake3::Hasher::new().update(script).finalize_xof();
    std::array::from_fn(|_| {
        let mut other = [0; SCRIPT_BYTES];
        source.fill(&mut other);
        other
    })
}

/// Asks the interpreter; if they are to be compared also the compiler, and the interpreter in two tiers: one that gives
/// up, and one that does not.
pub fn engine_calls(module: &InstrumentedModule, script: &[u8], is_compared: bool) {
    let Some(first) = Script::new(script) else {
        return;
    };
    let others = is_compared.then(|| other_scripts(script));
    let others = others.iter().flatten();
    let others = others.map(|other| Script::new(other).expect("it is long enough"));
    let scripts: Vec<_> = std::iter::once(first).chain(others).collect();
    let interpreted = play(&WasmiEngine::unlimited(), module, &scripts);
    if is_compared {
        let compiled = play(&WasmerEngine::new(first.warm), module, &scripts);
        assert_eq!(
            compiled, interpreted,
            "compiled code differs from the interpreter"
        );
        // Each script meets an engine that sees the module for the first time.
        for (script, answers) in scripts.iter().zip(&interpreted).take(TIERED_SCRIPTS) {
            let hot = Arc::new(WasmiEngine::unlimited());
            let tiers = TieredEngine::new(hot, Some(script.quick)).expect("a thread");
            let tiered = play(&tiers, module, std::slice::from_ref(script));
            let tiered = tiered.first().expect("there is a script");
            assert_eq!(tiered, answers, "the tiers differ from the interpreter");
        }
    }
}
