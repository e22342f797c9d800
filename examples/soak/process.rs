//! What the system knows of this process and its child: descriptors, threads, zombies, memory.

use anyhow::ensure;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A run that takes less is too short to tell whether memory drifts.
pub const LONG_SECONDS: u64 = 600;

/// The child of this process, if there is just one.
pub fn child() -> Option<u32> {
    let mut all = children();
    match (all.next(), all.next()) {
        (Some(child), None) => Some(child),
        _ => None,
    }
}

fn children() -> impl Iterator<Item = u32> {
    let threads = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let lists =
        threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children = lists.flat_map(|list| {
        let ids = list.split_whitespace().map(str::parse);
        ids.collect::<Vec<_>>()
    });
    children.flatten()
}

/// Children that have ended and were not waited for.
pub fn zombies() -> usize {
    let is_zombie = |child: &u32| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'))
    };
    children().filter(is_zombie).count()
}

/// A number of the file `status`.
fn status(process: &Path, field: &str) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| {
        line.trim_start_matches(':')
            .split_whitespace()
            .next()?
            .parse()
            .ok()
    });
    number.unwrap_or(0)
}

fn descriptors(process: &Path) -> u64 {
    fs::read_dir(process.join("fd"))
        .into_iter()
        .flatten()
        .count() as u64
}

#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    seconds: f64,
    descriptors: u64,
    threads: u64,
    kib: u64,
    child_descriptors: u64,
    child_threads: u64,
    child_kib: u64,
}

/// What was seen over the time.
#[derive(Debug, Default)]
pub struct Samples(Vec<Sample>);

/// Returns to the system what the allocator holds unused, so that the memory of a sample is what is in use: without
/// it, a run measures for an hour how full each arena has ever been.
fn trim() {
    // SAFETY: frees pages without a block in use; other threads may allocate meanwhile.
    #[expect(unsafe_code, reason = "a function of the C library")]
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

impl Samples {
    pub fn take(&mut self, since: Duration, child: Option<u32>) {
        trim();
        let own = Path::new("/proc/self");
        let child = child.map_or(String::new(), |child| format!("/proc/{child}"));
        let child = Path::new(&child);
        self.0.push(Sample {
            seconds: since.as_secs_f64(),
            // Without the one that reads the folder.
            descriptors: descriptors(own).saturating_sub(1),
            threads: status(own, "Threads"),
            kib: status(own, "VmRSS"),
            child_descriptors: descriptors(child),
            child_threads: status(child, "Threads"),
            child_kib: status(child, "VmRSS"),
        });
    }

    pub fn line(&self) -> String {
        let Some(last) = self.0.last() else {
            return String::new();
        };
        format!(
            "descriptors {} + {}, threads {} + {}, memory {:.1} + {:.1} MiB",
            last.descriptors,
            last.child_descriptors,
            last.threads,
            last.child_threads,
            last.kib as f64 / 1024.0,
            last.child_kib as f64 / 1024.0
        )
    }

    /// What counts: until the first third is over, caches fill.
    fn settled(&self) -> &[Sample] {
        &self.0[self.0.len() / 3..]
    }

    pub fn report(&self) -> String {
        let all = self.settled();
        let most = |value: fn(&Sample) -> u64| all.iter().map(value).max().unwrap_or(0);
        let least = |value: fn(&Sample) -> u64| all.iter().map(value).min().unwrap_or(0);
        let range =
            |name, value: fn(&Sample) -> u64| format!("{name} {} to {}", least(value), most(value));
        [
            range("descriptors", |sample| sample.descriptors),
            range("threads", |sample| sample.threads),
            range("KiB", |sample| sample.kib),
            range("child's descriptors", |sample| sample.child_descriptors),
            range("child's threads", |sample| sample.child_threads),
            range("child's KiB", |sample| sample.child_kib),
            format!("drift {:.2} MiB an hour", self.drift(|sample| sample.kib)),
            format!("of the child {:.2}", self.drift(|sample| sample.child_kib)),
        ]
        .join(", ")
    }

    /// MiB an hour: the slope of the line that fits the samples best.
    fn drift(&self, kib: fn(&Sample) -> u64) -> f64 {
        let points = self
            .settled()
            .iter()
            .map(|sample| (sample.seconds / 3600.0, kib(sample) as f64 / 1024.0));
        let number = self.settled().len() as f64;
        let (x, y) = points
            .clone()
            .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (x, y) = (x / number, y / number);
        let (over, under) = points.fold((0.0, 0.0), |(over, under), point| {
            let away = point.0 - x;
            (over + away * (point.1 - y), under + away * away)
        });
        if under == 0.0 { 0.0 } else { over / under }
    }

    /// Fails if something grew. A child is replaced often, so its numbers are looked at by their bounds.
    pub fn check(&self, most_drift: f64) -> anyhow::Result<()> {
        let all = self.settled();
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            anyhow::bail!("too short a run: no samples");
        };
        ensure!(
            last.descriptors <= first.descriptors,
            "descriptors: {first:?}, {last:?}"
        );
        ensure!(
            last.threads <= first.threads,
            "threads: {first:?}, {last:?}"
        );
        let is_long = last.seconds >= LONG_SECONDS as f64;
        let drift = self.drift(|sample| sample.kib);
        ensure!(
            !is_long || drift < most_drift,
            "memory drifts by {drift:.2} MiB an hour"
        );
        Ok(())
    }
}
