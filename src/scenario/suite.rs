//! Runs many scenarios, in the order of their names, sequentially or in parallel.

use super::files::{Unreadable, unreadable};
use super::report::{Report, ScenarioReport};
use super::run::{Runner, Settings, guess_leftovers};
use super::world::Leftovers;
use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use thiserror::Error;

/// Scenarios that can't be found.
#[derive(Debug, Error)]
pub enum SuiteError {
    /// The path, or a folder below it, can't be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A folder that has no scenarios.
    #[error("there are no files *.scen.json in {}", .0.display())]
    NoScenarios(PathBuf),
    /// A filter that lets nothing through.
    #[error("none of the {all} scenarios has {filter:?} in its path")]
    NoMatch {
        /// The filter.
        filter: String,
        /// How many scenarios there are.
        all: usize,
    },
}

/// The scenarios of a run, in order.
#[derive(Debug)]
pub struct Suite {
    scenarios: Vec<Scheduled>,
}

#[derive(Debug)]
struct Scheduled {
    file: PathBuf,
    /// Whether it is the first of its path, and so inherits nothing.
    first: bool,
    /// Whether it is not run, only what it leaves to others is taken over.
    skipped: bool,
}

impl Suite {
    /// Finds the scenarios. A path is a file, or a folder, which stands for all files `*.scen.json` below it.
    pub fn find(paths: &[PathBuf]) -> Result<Suite, SuiteError> {
        let mut scenarios = Vec::new();
        for path in paths {
            let mut files = Vec::new();
            match std::fs::metadata(path) {
                Ok(found) if found.is_dir() => walk(path, &mut files)?,
                Ok(_) => files.push(path.clone()),
                Err(reason) => return Err(unreadable(path, reason).into()),
            }
            if files.is_empty() {
                return Err(SuiteError::NoScenarios(path.clone()));
            }
            let files = files.into_iter().enumerate();
            scenarios.extend(files.map(|(index, file)| Scheduled {
                file,
                first: index == 0,
                skipped: false,
            }));
        }
        Ok(Suite { scenarios })
    }

    /// Runs only the scenarios whose path has a text in it. They inherit from the others what they would if all ran and passed.
    pub fn filter(mut self, filter: &str) -> Result<Suite, SuiteError> {
        for scenario in &mut self.scenarios {
            scenario.skipped = !scenario.file.to_string_lossy().contains(filter);
        }
        match self.is_empty() {
            true => Err(SuiteError::NoMatch {
                filter: filter.to_owned(),
                all: self.scenarios.len(),
            }),
            false => Ok(self),
        }
    }

    /// The files that are run.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let run = self.scenarios.iter().filter(|scenario| !scenario.skipped);
        run.map(|scenario| scenario.file.as_path())
    }

    /// How many scenarios are run.
    pub fn len(&self) -> usize {
        self.files().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs the scenarios in parallel on a number of machines. `observe` gets every report, in order. If it breaks, no
    /// further scenario is started, and the report ends there.
    ///
    /// The result is that of a sequential run, for any number of machines; the documentation of the module says how.
    pub fn run(
        &self,
        settings: Settings<'_>,
        machines: NonZeroUsize,
        mut observe: impl FnMut(&ScenarioReport) -> ControlFlow<()>,
    ) -> Report {
        let mut report = Report::default();
        let observe = |scenario: ScenarioReport| {
            let goes_on = observe(&scenario);
            report.scenarios.push(scenario);
            goes_on
        };
        match machines.get().min(self.len()) {
            0 | 1 => self.run_in_turn(settings, observe),
            machines => self.run_side_by_side(settings, machines, observe),
        }
        report
    }

    fn run_in_turn(
        &self,
        settings: Settings<'_>,
        mut observe: impl FnMut(ScenarioReport) -> ControlFlow<()>,
    ) {
        let mut runner = Runner::new(settings);
        let mut leftovers = Leftovers::default();
        for scenario in &self.scenarios {
            if scenario.first {
                leftovers = Leftovers::default();
            }
            if scenario.skipped {
                guess_leftovers(&scenario.file, &settings, &mut leftovers);
                continue;
            }
            let (report, left) = runner.run(&scenario.file, leftovers);
            leftovers = left;
            if observe(report).is_break() {
                return;
            }
        }
    }

    fn run_side_by_side(
        &self,
        settings: Settings<'_>,
        machines: usize,
        observe: impl FnMut(ScenarioReport) -> ControlFlow<()>,
    ) {
        let (tasks, queue) = mpsc::channel();
        let queue = Mutex::new(queue);
        let (results, finished) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..machines {
                let (queue, results) = (&queue, results.clone());
                scope.spawn(move || run_tasks(settings, queue, &results));
            }
            drop(results);
            scope.spawn(move || self.schedule(settings, &tasks));
            self.collect(settings, finished, observe);
        });
    }

    /// Predicts what each scenario inherits, and sends it to the workers.
    fn schedule(&self, settings: Settings<'_>, tasks: &mpsc::Sender<Task>) {
        let mut leftovers = Leftovers::default();
        for (index, scenario) in self.scenarios.iter().enumerate() {
            if scenario.first {
                leftovers = Leftovers::default();
            }
            let task = Task {
                index,
                file: scenario.file.clone(),
                found: leftovers.clone(),
            };
            if !scenario.skipped && tasks.send(task).is_err() {
                return;
            }
            guess_leftovers(&scenario.file, &settings, &mut leftovers);
        }
    }

    /// Puts the results in order, and runs scenarios with a wrong prediction again. Dropping `finished` ends the other
    /// threads.
    fn collect(
        &self,
        settings: Settings<'_>,
        finished: mpsc::Receiver<Finished>,
        mut observe: impl FnMut(ScenarioReport) -> ControlFlow<()>,
    ) {
        let mut runner = Runner::new(settings);
        let mut early = BTreeMap::new();
        let mut leftovers = Leftovers::default();
        for (index, scenario) in self.scenarios.iter().enumerate() {
            if scenario.first {
                leftovers = Leftovers::default();
            }
            if scenario.skipped {
                guess_leftovers(&scenario.file, &settings, &mut leftovers);
                continue;
            }
            while !early.contains_key(&index)
                && let Ok(result) = finished.recv()
            {
                early.insert(result.index, result);
            }
            let (report, left) = match early.remove(&index) {
                Some(result) if result.found == leftovers => (result.report, result.left),
                _ => runner.run(&scenario.file, leftovers),
            };
            leftovers = left;
            if observe(report).is_break() {
                return;
            }
        }
    }
}

/// A scenario to run.
struct Task {
    index: usize,
    file: PathBuf,
    /// The predicted leftovers of earlier scenarios.
    found: Leftovers,
}

/// A scenario that was run.
struct Finished {
    index: usize,
    found: Leftovers,
    report: ScenarioReport,
    left: Leftovers,
}

fn run_tasks(
    settings: Settings<'_>,
    queue: &Mutex<mpsc::Receiver<Task>>,
    results: &mpsc::Sender<Finished>,
) {
    let mut runner = Runner::new(settings);
    // The lock is released before the scenario is run.
    let next = || {
        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.recv()
    };
    while let Ok(Task { index, file, found }) = next() {
        let (report, left) = runner.run(&file, found.clone());
        let result = Finished {
            index,
            found,
            report,
            left,
        };
        if results.send(result).is_err() {
            return;
        }
    }
}

/// The scenarios of a folder, in the order of their names; subfolders are sorted among the files.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), SuiteError> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(|reason| unreadable(folder, reason))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type();
        if kind.map_err(|reason| unreadable(&path, reason))?.is_dir() {
            walk(&path, files)?;
        } else if path.to_string_lossy().ends_with(".scen.json") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
