//! A soak of the driver and its child: requests of many kinds, while the child is killed and stopped, its log flooded, and its
//! module cache damaged. Every output is compared with that of a VM in this process. It fails on an output that differs, and on
//! descriptors, threads, zombies or memory that drift.
//!
//! ```sh
//! cargo run --release --example soak -- --seconds 60
//! cargo run --release --example soak -- --seconds 1800 --kill-every-ms 2000
//! cargo run --release --example soak -- --kills 100000 --kill-every-ms 6 --totals docs/campaigns.tsv
//! ```

mod figures;
mod killer;
mod process;
mod requests;
mod totals;

use anyhow::{Context as _, ensure};
use arwen::driver::{DiskCache, Driver, DriverConfig};
use arwen::internal::scenario::SharedWorld;
use arwen::messages::{LogProfile, VmOutput};
use clap::Parser;
use figures::Figures;
use killer::{Killer, Means};
use process::Samples;
use requests::{Request, Requests};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use totals::Totals;

/// Runs requests for a while, with faults beside them, and says what it cost.
#[derive(Debug, Clone, Parser)]
struct CommandLine {
    /// How long it runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// It ends after so many kills, however long that takes.
    #[arg(long)]
    kills: Option<u64>,
    /// Milliseconds between two kills, on average; 0 for none.
    #[arg(long, default_value_t = 200)]
    kill_every_ms: u64,
    /// One in so many kills is a stop, which uses up the time budget; 0 for none.
    #[arg(long, default_value_t = 500)]
    stop_each: u64,
    /// Milliseconds between two damages to the module cache; 0 for none.
    #[arg(long, default_value_t = 1000)]
    damage_every_ms: u64,
    /// The time budget of a request, restart included, in milliseconds. A busy machine needs more.
    #[arg(long, default_value_t = 2000)]
    budget_ms: u64,
    /// Where random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The most that the memory of this process may grow, in MiB an hour, once the first third is over. A run of less than
    /// ten minutes is too short to tell.
    #[arg(long, default_value_t = 1.0)]
    most_drift: f64,
    /// Adds what was counted to this file, docs/campaigns.tsv. A run that drifts or gave a wrong output is added, too.
    #[arg(long)]
    totals: Option<PathBuf>,
    /// The child shares the core of the thread that makes requests (`DriverConfig::share_core`).
    #[arg(long)]
    share_core: bool,
    /// The child; the program beside this one by default.
    #[arg(long)]
    arwen: Option<PathBuf>,
}

/// Seconds between two samples.
const SAMPLE_EVERY: u64 = 5;

/// Seconds between two lines of figures.
const REPORT_EVERY: u64 = 10;

fn main() -> anyhow::Result<()> {
    let line = CommandLine::parse();
    let totals = line.totals.as_deref().map(Totals::open).transpose()?;
    let requests = Requests::new();
    let expected = requests.outputs().context("the VM in this process")?;
    let cache = tempfile::tempdir()?;
    // After the oracle's VM is gone: its threads and descriptors are not the driver's.
    let driver = driver(&line, cache.path().join("modules"), requests.world())?;
    let killer = Killer::start(Means {
        kill_every_ms: line.kill_every_ms,
        stop_each: line.stop_each,
        damage_every_ms: line.damage_every_ms,
        seed: line.seed,
        cache: cache.path().join("modules"),
    });
    let mut soak = Soak {
        line,
        totals,
        driver,
        killer,
        figures: Figures::default(),
        samples: Samples::default(),
        start: Instant::now(),
        is_loud: false,
    };
    soak.run(&requests, &expected)?;
    soak.end()
}

fn driver(
    line: &CommandLine,
    cache: PathBuf,
    world: SharedWorld,
) -> anyhow::Result<Driver<SharedWorld>> {
    let mut config = DriverConfig::new(requests::arguments());
    let beside = std::env::current_exe()?.with_file_name("../arwen");
    config.binary = Some(line.arwen.clone().unwrap_or(beside));
    config.max_loop_time = Duration::from_millis(line.budget_ms);
    config.disk_cache = DiskCache::Folder(cache);
    config.share_core = line.share_core;
    Ok(Driver::new(config, world)?)
}

struct Soak {
    line: CommandLine,
    totals: Option<Totals>,
    driver: Driver<SharedWorld>,
    killer: Killer,
    figures: Figures,
    samples: Samples,
    start: Instant,
    is_loud: bool,
}

impl Soak {
    fn run(&mut self, requests: &Requests, expected: &[VmOutput]) -> anyhow::Result<()> {
        let start = self.start;
        let mut reported = 0;
        let mut sampled = 0;
        let mut random = killer::Random::new(self.line.seed);
        while !self.is_done(start) {
            let index = random.below(requests.number() + 1);
            let (request, expected) = match index == requests.number() {
                false => (requests.get(index), expected[index].clone()),
                // Code that no child has seen.
                true => requests.fresh(random.next(), expected),
            };
            self.request(request, &expected)?;
            if random.below(2000) == 0 {
                self.turn_log_level()?;
            }
            let seconds = start.elapsed().as_secs();
            // Compared are times when there was a child.
            if seconds >= sampled + SAMPLE_EVERY && self.driver.child_id().is_some() {
                sampled = seconds;
                self.samples.take(start.elapsed(), self.driver.child_id());
            }
            if seconds >= reported + REPORT_EVERY {
                reported = seconds;
                println!(
                    "{seconds} s: {}; {}",
                    self.figures.line(),
                    self.samples.line()
                );
            }
        }
        Ok(())
    }

    fn is_done(&self, start: Instant) -> bool {
        match self.line.kills {
            Some(kills) => self.killer.kills() >= kills,
            None => start.elapsed() >= Duration::from_secs(self.line.seconds),
        }
    }

    fn request(&mut self, request: Request, expected: &VmOutput) -> anyhow::Result<()> {
        let begin = Instant::now();
        let outcome = match request.clone() {
            Request::Deploy(input) => self.driver.deploy(input),
            Request::Call(input) => self.driver.call(input),
        };
        let end = Instant::now();
        self.figures.requests += 1;
        let fault = self.killer.fault();
        match outcome {
            Ok(Ok(output)) => {
                if &output != expected {
                    self.figures.wrong += 1;
                    println!(
                        "WRONG: {}",
                        figures::difference(&request, expected, &output)
                    );
                    return Ok(());
                }
                let is_new = fault.is_some_and(|fault| Some(fault.child) != self.driver.child_id());
                self.figures.answered(&request, end - begin);
                if let Some(fault) = fault.filter(|_| is_new) {
                    self.figures.recovered(&request, fault, end);
                    self.killer.forget(fault);
                }
            }
            Ok(Err(failure)) => anyhow::bail!("{request:?} has no output: {failure}"),
            Err(error) => {
                let fault =
                    fault.with_context(|| format!("nothing was done to the child: {error}"))?;
                self.figures.failed(&error, fault, end);
            }
        }
        Ok(())
    }

    /// From no lines to all of them, and back.
    fn turn_log_level(&mut self) -> anyhow::Result<()> {
        self.is_loud = !self.is_loud;
        let level = if self.is_loud { "*:TRACE" } else { "*:NONE" };
        self.driver.set_log_profile(LogProfile {
            log_level_patterns: level.to_owned(),
            ..LogProfile::default()
        })?;
        Ok(())
    }

    fn end(mut self) -> anyhow::Result<()> {
        let kills = self.killer.end();
        println!("{}", self.figures.report(&kills, &self.driver.stats()));
        self.driver.close();
        let zombies = process::zombies();
        println!("{}", self.samples.report());
        let drift = self.samples.check(self.line.most_drift);
        if let Some(totals) = &mut self.totals {
            let seconds = self.start.elapsed().as_secs();
            let mut rows = self.figures.rows(&kills, seconds);
            if drift.is_ok() && seconds >= process::LONG_SECONDS {
                rows.push(("R10", seconds, "seconds without drift"));
            }
            totals.append(&rows, self.figures.wrong)?;
        }
        ensure!(
            self.figures.wrong == 0,
            "{} wrong outputs",
            self.figures.wrong
        );
        ensure!(zombies == 0, "{zombies} zombies");
        drift
    }
}
