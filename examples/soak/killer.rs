//! The thread that kills and stops children, and damages the module cache.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, OpenOptions};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What it does, and how often.
#[derive(Debug)]
pub struct Means {
    pub kill_every_ms: u64,
    pub stop_each: u64,
    pub damage_every_ms: u64,
    pub seed: u64,
    pub cache: PathBuf,
}

/// Something that was done to a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub child: u32,
    pub at: Instant,
    pub signal: Signal,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    /// The last fault, until an answer of another child was seen.
    fault: Mutex<Option<Fault>>,
    kills: AtomicU64,
    stops: AtomicU64,
    damages: AtomicU64,
}

/// How often what was done.
#[derive(Debug)]
pub struct Done {
    pub kills: u64,
    pub stops: u64,
    pub damages: u64,
}

pub struct Killer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Killer {
    pub fn start(means: Means) -> Self {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || of_thread.run(&means));
        Self {
            shared,
            thread: Some(thread),
        }
    }

    pub fn kills(&self) -> u64 {
        self.shared.kills.load(SeqCst)
    }

    /// What was done to a child whose successor has not answered yet.
    pub fn fault(&self) -> Option<Fault> {
        *self
            .shared
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The successor has answered.
    pub fn forget(&self, fault: Fault) {
        let mut last = self
            .shared
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *last == Some(fault) {
            *last = None;
        }
    }

    pub fn end(&mut self) -> Done {
        self.shared.is_over.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the killer does not panic");
        }
        Done {
            kills: self.kills(),
            stops: self.shared.stops.load(SeqCst),
            damages: self.shared.damages.load(SeqCst),
        }
    }
}

impl Shared {
    fn run(&self, means: &Means) {
        let mut random = Random::new(means.seed ^ 0xdead);
        let mut next_kill = due(means.kill_every_ms, &mut random);
        let mut next_damage = due(means.damage_every_ms, &mut random);
        while !self.is_over.load(SeqCst) {
            let next = [next_kill, next_damage].into_iter().flatten().min();
            let wait = next.map_or(Duration::from_millis(50), |next| {
                next.saturating_duration_since(Instant::now())
            });
            // A kill is not late because a damage is not due.
            std::thread::sleep(wait.min(Duration::from_millis(50)));
            let now = Instant::now();
            if next_kill.is_some_and(|due| due <= now) {
                self.harm(means, &mut random);
                next_kill = due(means.kill_every_ms, &mut random);
            }
            if next_damage.is_some_and(|due| due <= now) {
                self.damage(means, &mut random);
                next_damage = due(means.damage_every_ms, &mut random);
            }
        }
    }

    /// Kills the child, or stops it, if the last harm is over.
    fn harm(&self, means: &Means, random: &mut Random) {
        let mut last = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some() {
            return;
        }
        let Some(child) = crate::process::child() else {
            return;
        };
        let is_stop = means.stop_each > 0 && random.below(means.stop_each as usize) == 0;
        let (signal, counter) = match is_stop {
            true => (Signal::SIGSTOP, &self.stops),
            false => (Signal::SIGKILL, &self.kills),
        };
        let at = Instant::now();
        if kill(Pid::from_raw(child as i32), signal).is_ok() {
            *last = Some(Fault { child, at, signal });
            counter.fetch_add(1, SeqCst);
        }
    }

    /// Flips a byte of a file of the cache, cuts it, or removes it. A file that is gone meanwhile is none.
    fn damage(&self, means: &Means, random: &mut Random) {
        let files: Vec<_> = fs::read_dir(&means.cache)
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        if files.is_empty() {
            return;
        }
        let path = files[random.below(files.len())].path();
        let damaged = match random.below(3) {
            0 => fs::remove_file(&path),
            1 => OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(random.below(5000) as u64)),
            _ => flip(&path, random),
        };
        if damaged.is_ok() {
            self.damages.fetch_add(1, SeqCst);
        }
    }
}

/// A byte becomes another one. The file is replaced: a child that has it mapped keeps what it had.
fn flip(path: &PathBuf, random: &mut Random) -> io::Result<()> {
    let mut bytes = fs::read(path)?;
    if bytes.is_empty() {
        return Ok(());
    }
    let at = random.below(bytes.len());
    bytes[at] ^= 1 << random.below(8);
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(at as u64))?;
    file.write_all(&bytes[at..=at])
}

/// When it is time again: at a random instant, so often on average.
fn due(every_ms: u64, random: &mut Random) -> Option<Instant> {
    let micros = (every_ms > 0).then(|| random.below(2000 * every_ms as usize));
    micros.map(|micros| Instant::now() + Duration::from_micros(micros as u64))
}

/// Random numbers that are the same for the same seed: splitmix64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
