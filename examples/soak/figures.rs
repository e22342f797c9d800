//! Counts and latencies.

use crate::killer::{Done, Fault};
use crate::requests::Request;
use crate::totals::Row;
use arwen::driver::{Blame, CriticalError, DriverStats};
use arwen::messages::VmOutput;
use hdrhistogram::Histogram;
use nix::sys::signal::Signal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Microseconds up to a minute, to three digits.
#[derive(Debug)]
struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let mut histogram = Histogram::new_with_bounds(1, 60_000_000, 3).expect("good bounds");
        // Writes to all of its pages: were they touched one by one, as new latencies come, the run would take the memory of
        // its own figures for that of the driver.
        histogram.clear();
        Self(histogram)
    }
}

impl Latencies {
    fn add(&mut self, time: Duration) {
        self.0.saturating_record(time.as_micros() as u64);
    }

    /// Half, nearly all and all are at most so long.
    fn rows(&self, figure: &'static str) -> Vec<Row> {
        let at = |share, unit| (figure, self.0.value_at_quantile(share), unit);
        match self.0.is_empty() {
            true => Vec::new(),
            false => vec![
                at(0.5, "µs at p50"),
                at(0.99, "µs at p99"),
                at(1.0, "µs at most"),
            ],
        }
    }

    fn line(&self) -> String {
        let ms = |micros: u64| micros as f64 / 1000.0;
        let at = |share| ms(self.0.value_at_quantile(share));
        let (half, most, all) = (at(0.5), at(0.99), ms(self.0.max()));
        format!(
            "p50 {half:.2} / p99 {most:.2} / max {all:.1} ms of {}",
            self.0.len()
        )
    }
}

#[derive(Debug, Default)]
pub struct Figures {
    pub requests: u64,
    right: u64,
    /// Outputs that differ from those of the VM in this process.
    pub wrong: u64,
    /// Critical errors, by whose fault they are said to be.
    lost: BTreeMap<String, u64>,
    answers: Latencies,
    noticed: Latencies,
    recovered: Latencies,
    /// Those whose next right answer is not that of a hook storm, which itself takes longer than all the rest.
    recovered_without_storms: Latencies,
    /// Of each kind of request: how long it takes, and from a kill to its answer if it is the next one.
    by_name: BTreeMap<String, (Latencies, Latencies)>,
    /// The fault that was noticed last: what fails after that is not noticing.
    last_noticed: Option<Fault>,
}

impl Figures {
    pub fn answered(&mut self, request: &Request, time: Duration) {
        self.right += 1;
        self.answers.add(time);
        self.by_name.entry(request.name()).or_default().0.add(time);
    }

    /// A request ended without an answer after this fault.
    pub fn failed(&mut self, error: &CriticalError, fault: Fault, at: Instant) {
        let blame = match error.blame() {
            Blame::Arwen => "arwen",
            Blame::Time => "time",
            Blame::Restarts => "restarts",
            _ => "OTHERS",
        };
        *self.lost.entry(blame.to_owned()).or_default() += 1;
        if self.last_noticed != Some(fault) && fault.signal == Signal::SIGKILL {
            self.noticed.add(at.saturating_duration_since(fault.at));
        }
        self.last_noticed = Some(fault);
    }

    /// The first right answer after this fault.
    pub fn recovered(&mut self, request: &Request, fault: Fault, at: Instant) {
        if fault.signal == Signal::SIGKILL {
            let time = at.saturating_duration_since(fault.at);
            self.recovered.add(time);
            if !request.is_storm() {
                self.recovered_without_storms.add(time);
            }
            self.by_name.entry(request.name()).or_default().1.add(time);
        }
    }

    pub fn line(&self) -> String {
        format!(
            "{} requests, {} right, lost {:?}, noticed {}, right again {} (hook storms aside {})",
            self.requests,
            self.right,
            self.lost,
            self.noticed.line(),
            self.recovered.line(),
            self.recovered_without_storms.line()
        )
    }

    pub fn report(&self, done: &Done, stats: &DriverStats) -> String {
        let by_name = |(name, (answers, recovered)): (&String, &(Latencies, Latencies))| {
            let (answers, recovered) = (answers.line(), recovered.line());
            format!("  {name}: answers {answers}, right again {recovered}\n")
        };
        format!(
            "kills {}, stops {}, damages to the cache {}\n{}\nanswers {}\n{}wrong outputs {}\n{stats:?}",
            done.kills,
            done.stops,
            done.damages,
            self.line(),
            self.answers.line(),
            self.by_name.iter().map(by_name).collect::<String>(),
            self.wrong
        )
    }
}

impl Figures {
    /// The rows of docs/campaigns.tsv.
    pub fn rows(&self, done: &Done, seconds: u64) -> Vec<Row> {
        let mut rows = vec![
            ("R5", done.kills, "kills"),
            ("R9", self.requests, "requests"),
            ("R9", seconds, "seconds"),
            ("R9", done.stops, "stops"),
            ("R9", done.damages, "damages to the module cache"),
        ];
        rows.extend(self.noticed.rows("R7"));
        rows.extend(self.recovered_without_storms.rows("R8"));
        rows
    }
}

/// Where two outputs begin to differ, for people.
pub fn difference(request: &Request, expected: &VmOutput, output: &VmOutput) -> String {
    const SHOWN: usize = 200;
    let (expected, output) = (format!("{expected:?}"), format!("{output:?}"));
    let same = expected
        .bytes()
        .zip(output.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let around = |text: &str| {
        let bytes = text.as_bytes();
        let shown = &bytes[same.saturating_sub(SHOWN)..bytes.len().min(same + SHOWN)];
        String::from_utf8_lossy(shown).into_owned()
    };
    let request = format!("{request:?}");
    let request = &request.as_bytes()[..request.len().min(SHOWN)];
    format!(
        "{}: {} is not {}",
        String::from_utf8_lossy(request),
        around(&output),
        around(&expected)
    )
}
