//! Contracts that are hard to compile: all are answered soon and with little memory, and as an interpreter answers. Most
//! inputs are small bombs, which are only interpreted; a sample of them are large ones, for the compiler.

mod shapes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};

use self::shapes::{Bomb, Shape};
use super::sample::is_one_in;
use crate::engine::compile_cost;
use crate::engine::instrument::{InstrumentedModule, instrument};
use crate::engine::opcode_costs::OpcodeCosts;
use crate::engine::tiers::TieredEngine;
use crate::engine::validation::validate;
use crate::engine::wasmer::WasmerEngine;
use crate::engine::wasmi_engine::WasmiEngine;
use crate::engine::{Abort, CallEnd, CompiledModule, Engine, HostCalls, InstanceAccess};
use crate::vm::QuickLimits;
use crate::vm::WarmLimits;
use crate::vm::eei::import_table;

/// The most that a bomb repeats, and its most locals.
const MOST_LENGTH: u32 = 20_000;
const MOST_WIDTH: u32 = 3_000;
/// The most bytes of a bomb that fuzzing makes: larger ones are only slower.
const MOST_BYTES: usize = 1 << 20;

/// The most repetitions and locals of bombs that are compiled, of some that are not, and of most: one by one, and multiplied
/// where each repetition uses all locals.
const MOST_USES: u32 = 150_000;
const MOST_INTERPRETED_USES: u32 = 4096;
const MOST_USUAL_USES: u32 = 32;

/// Of so many inputs one is compiled, which takes a thousand times as long.
const COMPARED_ONE_IN: u64 = 4096;

/// Of so many inputs one is larger than most.
const LARGER_ONE_IN: u64 = 64;

/// What a call of a bomb may take, with the instrumentation of a sanitizer. It takes 50 ms at most without, and
/// compiled behind.
const MOST_TIME: Duration = Duration::from_secs(20);

/// What the compiler may take of memory. Sanitizers keep what is freed for a while.
const MOST_MEMORY_KIB: u64 = if cfg!(fuzzing) { 1 << 20 } else { 256 << 10 };

/// More points than any bomb uses.
const POINTS: u64 = 1 << 40;

/// Runs the bomb that the bytes describe on the interpreter, or a larger one there and on the tiers of the child.
pub fn compile_bombs(data: &[u8]) {
    run_and_compare(data, is_one_in(COMPARED_ONE_IN, data));
}

/// The bytes say shape, length, width and loops.
pub(super) fn run_and_compare(data: &[u8], is_compared: bool) {
    let most_uses = match is_compared {
        true => MOST_USES,
        false if is_one_in(LARGER_ONE_IN, data) => MOST_INTERPRETED_USES,
        false => MOST_USUAL_USES,
    };
    let bomb = bomb(&mut Unstructured::new(data), most_uses).expect("any bytes are a bomb");
    let code = bomb.wasm();
    if code.len() > MOST_BYTES {
        return;
    }
    let Some(module) = instrumented(&code) else {
        return;
    };
    let interpreted = outcome(&*compiled_by(&WasmiEngine::unlimited(), &module));
    assert!(interpreted.0, "{bomb:?} does not return");
    if is_compared {
        compare_tiers(bomb, &module, interpreted);
    } else {
        assert!(compile_cost::nanoseconds(&module.bytes) > 0, "{bomb:?}");
    }
}

/// The tiers of the child answer in time, with little memory, and as the interpreter does.
fn compare_tiers(bomb: Bomb, module: &InstrumentedModule, interpreted: BombOutcome) {
    let memory = peak_kib();
    let begun = Instant::now();
    let tiers = TieredEngine::new(
        Arc::new(WasmerEngine::new(WarmLimits::default())),
        Some(QuickLimits::default()),
    );
    let tiers = tiers.expect("threads can be started");
    tiers.begin_run();
    tiers.require_last_tier();
    let answered = outcome(&*compiled_by(&tiers, module));
    assert!(
        begun.elapsed() < MOST_TIME,
        "{bomb:?}: {:?}",
        begun.elapsed()
    );
    if let (Some(before), Some(after)) = (memory, peak_kib()) {
        // The system counts in batches, so that it may seem to shrink.
        let more = after.saturating_sub(before);
        assert!(more < MOST_MEMORY_KIB, "{bomb:?}: {more} KiB");
    }
    assert_eq!(answered, interpreted, "{bomb:?}");
}

/// A length of any order of magnitude.
fn length(bytes: &mut Unstructured<'_>, most: u32) -> Result<u32> {
    let bits = bytes.int_in_range(0..=most.ilog2())?;
    bytes.int_in_range(1..=1 << bits)
}

fn bomb(bytes: &mut Unstructured<'_>, most_uses: u32) -> Result<Bomb> {
    let shape = *bytes.choose(&Shape::ALL)?;
    let repetitions = length(bytes, MOST_LENGTH.min(most_uses))?.min(most_uses);
    let most_width = match uses_all_each_time(shape) {
        true => most_uses / repetitions,
        false => most_uses,
    };
    Ok(Bomb {
        shape,
        length: repetitions,
        width: length(bytes, MOST_WIDTH.min(most_uses))?.min(most_width),
        loops: match bytes.int_in_range(0..=3)? {
            0 => length(bytes, 100)?,
            _ => 0,
        },
    })
}

/// Whether each repetition uses all locals, arguments or parameters.
fn uses_all_each_time(shape: Shape) -> bool {
    matches!(
        shape,
        Shape::LoopsInARow
            | Shape::WideCalls
            | Shape::LoopsWithCalls
            | Shape::WideTypes
            | Shape::Entries
    )
}

/// None if it is too large for validation.
fn instrumented(code: &[u8]) -> Option<InstrumentedModule> {
    let validated = validate(code, import_table()).ok()?;
    let costs = OpcodeCosts::from_map(|_| 1);
    let module = instrument(&validated, import_table(), &costs);
    Some(module.expect("what is valid can be instrumented"))
}

struct NoHost;

impl HostCalls for NoHost {
    fn call(
        &mut self,
        _: usize,
        _: &mut dyn InstanceAccess,
        _: &[i64],
    ) -> std::result::Result<i64, Abort> {
        Err(Abort)
    }

    fn panicked(&mut self, _: String) {}
}

fn compiled_by(
    engine: &dyn Engine<NoHost>,
    module: &InstrumentedModule,
) -> Arc<dyn CompiledModule<NoHost>> {
    engine
        .compile(module)
        .expect("every tier takes valid modules")
}

/// Whether `run` returned, what it has used, and the start of the memory.
type BombOutcome = (bool, u64, [u8; 8]);

fn outcome(module: &dyn CompiledModule<NoHost>) -> BombOutcome {
    let mut instance = module.instantiate(POINTS).expect("it has no segments");
    let (_, end) = instance.call("run", Box::new(NoHost));
    let mut memory = [0; 8];
    instance.read_memory(0, &mut memory).expect("it has a page");
    (end == CallEnd::Returned, instance.used_points(), memory)
}

/// The most memory that this process has had so far, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten of each shape, from small to far too large.
    fn bombs() -> impl Iterator<Item = Bomb> {
        const SIZES: [(u32, u32, u32); 10] = [
            (3, 2, 0),
            (10, 3, 2),
            (30, 30, 0),
            (20, 500, 0),
            (100, 10, 20),
            (300, 100, 0),
            (1_000, 200, 0),
            (2_000, 1_000, 0),
            (10_000, 2, 0),
            (4_000, 30, 60),
        ];
        Shape::ALL.into_iter().flat_map(|shape| {
            SIZES.map(|(length, width, loops)| Bomb {
                shape,
                length,
                width,
                loops,
            })
        })
    }

    /// Told as cheaper than this, a bomb is compiled here.
    const COMPILED_HERE: u64 = 20_000_000;

    #[test]
    fn bombs_are_told_apart_and_run_alike() {
        let (mut valid, mut compiled, mut refused) = (0, 0, 0);
        for bomb in bombs() {
            let Some(module) = instrumented(&bomb.wasm()) else {
                continue;
            };
            valid += 1;
            let interpreted = outcome(&*compiled_by(&WasmiEngine::unlimited(), &module));
            assert!(interpreted.0, "{bomb:?} does not return");
            let nanoseconds = compile_cost::nanoseconds(&module.bytes);
            if nanoseconds <= COMPILED_HERE {
                let engine = WasmerEngine::new(WarmLimits::default());
                assert_eq!(
                    outcome(&*compiled_by(&engine, &module)),
                    interpreted,
                    "{bomb:?}"
                );
                compiled += 1;
            }
            if nanoseconds > compile_cost::MOST_NANOSECONDS {
                refused += 1;
            }
        }
        assert!(valid >= 150, "{valid} are valid");
        assert!(compiled >= 30, "{compiled} are cheap");
        assert!(refused >= 40, "{refused} are refused");
    }

    /// The bomb that was found first: 7 KB, half a minute.
    #[test]
    fn nested_loops_are_refused_long_before_half_a_minute() {
        let cost = |length, width| {
            let bomb = Bomb {
                shape: Shape::NestedLoops,
                length,
                width,
                loops: 0,
            };
            compile_cost::nanoseconds(&instrumented(&bomb.wasm()).expect("valid").bytes)
        };
        assert!(cost(3, 50) < compile_cost::MOST_NANOSECONDS / 50);
        assert!(cost(200, 200) > compile_cost::MOST_NANOSECONDS);
        assert!(cost(800, 200) > compile_cost::MOST_NANOSECONDS);
    }
}
