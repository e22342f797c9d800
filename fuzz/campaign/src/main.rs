//! Runs the fuzz targets, each for a given time; prints what they did and adds it to the totals. Fails when a target was
//! not built, executed nothing, read no seeds or found something.
//!
//! | file | what |
//! |---|---|
//! | `main` | the command line, and the campaign from beginning to end |
//! | `target` | which targets there are; building and running one |
//! | `corpus` | the folder with what was found so far |
//! | `libfuzzer` | what a run printed |
//! | `totals` | the file of all runs, and sums over it |

mod corpus;
mod libfuzzer;
mod target;
mod totals;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use corpus::Corpora;
use libfuzzer::Outcome;
use std::fmt;
use std::io::{Write as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::time::SystemTime;
use target::{Build, FuzzCrate, Run, Sanitizer, Target};
use totals::Row;

/// Runs the fuzz targets, each for a given time.
#[derive(Parser, Debug)]
struct Arguments {
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    targets: Vec<String>,
    /// Also the targets with the VM, whose first build takes long.
    #[arg(long)]
    vm: bool,
    /// How many targets run side by side.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Without one it is five times as fast; the code has no `unsafe` to speak of.
    #[arg(long, value_enum, default_value_t = Sanitizer::None)]
    sanitizer: Sanitizer,
    /// Where inputs that reach something new are kept for the next campaign, as FOLDER/TARGET. The seeds in the tree are
    /// read, too, and stay as they are. [default: arwen-fuzz in $XDG_CACHE_HOME or ~/.cache]
    #[arg(long, value_name = "FOLDER")]
    corpus: Option<PathBuf>,
    /// Afterwards, removes the inputs from that folder that reach nothing which others don't.
    #[arg(long)]
    minimise: bool,
    /// Leaves the file of totals as it is.
    #[arg(long)]
    no_totals: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let project = project()?;
    target::check_tools()?;
    let corpora = Corpora::new(arguments.corpus.clone(), &project)?;
    let targets = chosen_targets(&arguments, &project)?;
    let build = Build::new(arguments.sanitizer)?;

    let mut faults = Vec::new();
    let mut built = Vec::new();
    for target in targets {
        match build.build(&target) {
            Ok(program) => built.push((target, program)),
            Err(error) => faults.push(format!("{}: {error:#}", target.name)),
        }
    }

    let run = Run {
        seconds: arguments.seconds,
        corpora,
        minimise: arguments.minimise,
    };
    say(format_args!(
        "what is found is kept in {}",
        run.corpora.folder().display()
    ));
    let outcomes = run_all(&run, &built, arguments.jobs.max(1));
    let mut rows = Vec::new();
    say(format_args!("\n{}", Outcome::HEADING));
    for ((target, program), outcome) in built.iter().zip(outcomes) {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                faults.push(format!("{}: {error:#}", target.name));
                continue;
            }
        };
        say(format_args!("{}", outcome.line(&target.name)));
        for artifact in &outcome.artifacts {
            // The program runs an input that it is given.
            let command = format!("{} {artifact}", program.display());
            faults.push(format!("{}: found {artifact}\n    {command}", target.name));
        }
        if let Some(fault) = outcome.fault() {
            faults.push(format!(
                "{}: {fault}; last words: {}",
                target.name, outcome.last_words
            ));
        }
        rows.push(Row::new(target, &arguments, &outcome));
    }
    if !arguments.no_totals {
        totals::append(&project, &rows)?;
    }
    say(format_args!("\n{}", totals::sums(&project)?));
    for fault in &faults {
        let _ = writeln!(stderr(), "FAILED {}", escaped(fault));
    }
    Ok(match faults.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Prints a line. A campaign whose reader has gone goes on: its figures are kept.
fn say(line: fmt::Arguments<'_>) {
    let _ = writeln!(stdout(), "{line}");
}

/// What programs said of inputs, without control characters.
fn escaped(text: &str) -> String {
    let escape = |character: char| match character.is_control() && character != '\n' {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    text.chars().map(escape).collect()
}

/// The folder of the project.
fn project() -> Result<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    project.canonicalize().context("the folder of the project")
}

fn chosen_targets(arguments: &Arguments, project: &Path) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for fuzz_crate in FuzzCrate::all(project)? {
        if arguments.vm || !fuzz_crate.has_vm() {
            targets.extend(fuzz_crate.targets()?);
        }
    }
    for name in &arguments.targets {
        if !targets.iter().any(|target| target.name == *name) {
            bail!("there is no target {name:?} (those with the VM need --vm)");
        }
    }
    if !arguments.targets.is_empty() {
        targets.retain(|target| arguments.targets.contains(&target.name));
    }
    ensure!(!targets.is_empty(), "there are no fuzz targets");
    Ok(targets)
}

/// Runs the targets, `jobs` at a time. The outcomes in the order of the targets.
fn run_all(run: &Run, built: &[(Target, PathBuf)], jobs: usize) -> Vec<Result<Outcome>> {
    let outcomes: Vec<_> = built.iter().map(|_| Mutex::new(None)).collect();
    let next = Mutex::new(built.iter().zip(&outcomes));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let Some(((target, program), outcome)) = next.lock().expect("no panic").next()
                    else {
                        return;
                    };
                    say(format_args!("{}: {} s", target.name, run.seconds));
                    *outcome.lock().expect("no panic") = Some(run.run(target, program));
                }
            });
        }
    });
    let outcomes = outcomes.into_iter();
    outcomes
        .map(|outcome| {
            outcome
                .into_inner()
                .expect("no panic")
                .expect("all were run")
        })
        .collect()
}

/// The date, in UTC.
fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// What a program prints, if it succeeds.
fn output_of(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}
