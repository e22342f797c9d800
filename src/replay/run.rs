//! All dialogues of recordings, or a share of them, with several children at a time.

use super::dialogues::{Dialogue, Dialogues, Frames};
use super::error::ReplayError;
use super::outcome::{Outcome, Shard, Totals, Verdict};
use super::player::{Played, Player};
use crate::driver::{DiskCache, DriverConfig};
use crate::messages::{Arguments, Format, Message, kind_name};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Dialogues that are given to a child at a time: those of one life, so that few children need be started.
const BATCH: usize = 16;

/// Batches that wait for each child.
const BATCHES_PER_JOB: usize = 2;

/// How recordings are replayed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program that is compared; `None` for the one that a driver finds.
    pub binary: Option<PathBuf>,
    /// The format of messages to and from it.
    pub format: Format,
    /// Children at a time.
    pub jobs: NonZeroUsize,
    /// Which of the dialogues.
    pub shard: Shard,
    /// The time limit of a dialogue.
    pub time: Duration,
    /// Where the contracts are that JSON lines name.
    pub contracts: Option<PathBuf>,
}

impl Settings {
    fn config(&self) -> DriverConfig {
        let mut config = DriverConfig::new(Arguments::default())
            .format(self.format)
            .max_loop_time(self.time)
            .disk_cache(DiskCache::Off);
        config.binary = self.binary.clone();
        config.log_profile.log_level_patterns = "*:NONE".to_owned();
        config
    }
}

type Batch = Vec<(u64, Frames)>;
type Result<T> = std::result::Result<T, ReplayError>;

/// Plays the dialogues of the files and passes each result on, in the order of the recordings, until it breaks. A file that is cut
/// short is played up to its cut; then `on_defect` is told, and the next file follows.
pub fn run(
    files: &[PathBuf],
    settings: &Settings,
    mut on_outcome: impl FnMut(&Outcome) -> ControlFlow<()>,
    on_defect: impl FnMut(ReplayError) + Send,
) -> Result<Totals> {
    settings.format.check()?;
    let jobs = settings.jobs.get();
    let (batches, waiting) = sync_channel::<Batch>(jobs * BATCHES_PER_JOB);
    // Gone when the last one who plays is gone, so that the reader does not wait for ever.
    let waiting = Arc::new(Mutex::new(waiting));
    let (results, finished) = sync_channel(jobs * BATCHES_PER_JOB * BATCH);
    std::thread::scope(|scope| {
        scope.spawn(move || read(files, settings, &batches, on_defect));
        for _ in 0..jobs {
            let (waiting, results) = (Arc::clone(&waiting), results.clone());
            scope.spawn(move || work(settings, &waiting, &results));
        }
        drop((waiting, results));
        let totals = collect(&finished, &mut on_outcome);
        // So that no thread waits for this one.
        drop(finished);
        totals
    })
}

/// Reads the files and hands out batches. Ends when the other end of the channel is closed.
fn read(
    files: &[PathBuf],
    settings: &Settings,
    batches: &SyncSender<Batch>,
    mut on_defect: impl FnMut(ReplayError),
) {
    let (mut index, mut number) = (0, 0);
    for path in files {
        let mut batch = Vec::new();
        let whole = read_file(path, settings, |dialogue| {
            let is_ours = settings.shard.has(index);
            index += 1;
            if !is_ours {
                return ControlFlow::Continue(());
            }
            batch.push((number, dialogue));
            number += 1;
            match batch.len() < BATCH || batches.send(std::mem::take(&mut batch)).is_ok() {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        if !batch.is_empty() && batches.send(batch).is_err() {
            return;
        }
        match whole {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return,
            Err(error) => on_defect(error),
        }
    }
}

fn read_file(
    path: &Path,
    settings: &Settings,
    mut take: impl FnMut(Frames) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    let mut dialogues = Dialogues::open(path, settings.contracts.as_deref())?;
    while let Some(dialogue) = dialogues.next()? {
        if take(dialogue).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Plays batches to one child after the other.
fn work(
    settings: &Settings,
    waiting: &Mutex<Receiver<Batch>>,
    results: &SyncSender<Result<(u64, Outcome)>>,
) {
    let mut player = Player::new(settings.config());
    loop {
        let batch = match waiting.lock() {
            Ok(waiting) => waiting.recv(),
            Err(_) => return,
        };
        let Ok(batch) = batch else {
            return;
        };
        for (number, dialogue) in batch {
            let result = play(&mut player, &dialogue.decode());
            let result = result.map(|outcome| (number, outcome));
            let is_over = result.is_err();
            if results.send(result).is_err() || is_over {
                return;
            }
        }
    }
}

/// Passes results on in their order.
fn collect(
    finished: &Receiver<Result<(u64, Outcome)>>,
    on_outcome: &mut impl FnMut(&Outcome) -> ControlFlow<()>,
) -> Result<Totals> {
    let (mut totals, mut next) = (Totals::default(), 0);
    let mut early = BTreeMap::new();
    for result in finished {
        let (number, outcome) = result?;
        early.insert(number, outcome);
        while let Some(outcome) = early.remove(&next) {
            next += 1;
            totals.add(&outcome);
            if on_outcome(&outcome).is_break() {
                return Ok(totals);
            }
        }
    }
    Ok(totals)
}

fn play(player: &mut Player, dialogue: &Dialogue) -> Result<Outcome> {
    let defect = dialogue.defect.map(str::to_owned);
    let played = match &defect {
        Some(_) => Played {
            verdict: Verdict::Skipped,
            differences: Vec::new(),
            reason: defect,
            hook_calls: 0,
            response: None,
            took: Duration::ZERO,
        },
        None => player.play(dialogue)?,
    };
    let recorded = dialogue.response.as_ref().map(|(message, _)| message);
    let was_played = played.verdict != Verdict::Skipped;
    let micros = u64::try_from(played.took.as_micros()).unwrap_or(u64::MAX);
    let (function, provided) = asked(&dialogue.request);
    let gas = |response: Option<&Message>| Some(provided?.saturating_sub(gas_left(response?)?));
    Ok(Outcome {
        file: dialogue.life.file.clone(),
        dialogue: dialogue.number,
        request: kind_name(dialogue.request.kind()),
        function,
        verdict: played.verdict,
        differences: played.differences,
        reason: played.reason,
        gas: [gas(recorded), gas(played.response.as_ref())],
        hook_calls: [dialogue.hook_calls.len() as u64, played.hook_calls],
        micros: [dialogue.micros, was_played.then_some(micros)],
    })
}

/// The function of a call, and the gas that a request provides.
pub(super) fn asked(request: &Message) -> (String, Option<u64>) {
    match request {
        Message::ContractCallRequest(request) => {
            let input = request.call_input.as_ref();
            let gas = input.and_then(|input| Some(input.input.as_ref()?.gas_provided));
            (
                input
                    .map(|input| input.function.clone())
                    .unwrap_or_default(),
                gas,
            )
        }
        Message::ContractDeployRequest(request) => {
            let input = request.create_input.as_ref();
            let gas = input.and_then(|input| Some(input.input.as_ref()?.gas_provided));
            (String::new(), gas)
        }
        _ => (String::new(), None),
    }
}

fn gas_left(response: &Message) -> Option<u64> {
    match response {
        Message::ContractResponse(response) => Some(response.vm_output.as_ref()?.gas_remaining),
        _ => None,
    }
}
