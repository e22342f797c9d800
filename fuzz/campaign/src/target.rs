//! Which targets there are; building and running one.

use crate::corpus::{self, Corpora};
use crate::libfuzzer::Outcome;
use crate::output_of;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An input that takes longer is a finding.
const TIMEOUT_SECONDS: u64 = 10;

/// A target that takes more memory is a finding.
const MEMORY_MIB: u64 = 2048;

#[derive(ValueEnum, Debug, Clone, Copy, PartialEq)]
pub enum Sanitizer {
    None,
    Address,
}

impl Sanitizer {
    pub fn name(self) -> &'static str {
        match self {
            Sanitizer::None => "none",
            Sanitizer::Address => "address",
        }
    }
}

/// A crate of fuzz targets: fuzz/ or a folder in it.
pub struct FuzzCrate {
    folder: PathBuf,
    nested: bool,
}

impl FuzzCrate {
    /// All of them.
    pub fn all(project: &Path) -> Result<Vec<FuzzCrate>> {
        let fuzz = project.join("fuzz");
        let mut folders = Vec::new();
        for entry in fs::read_dir(&fuzz).context("fuzz/")? {
            folders.push(entry?.path());
        }
        folders.sort();
        let nested = folders.into_iter().map(|folder| FuzzCrate {
            folder,
            nested: true,
        });
        let outer = FuzzCrate {
            folder: fuzz,
            nested: false,
        };
        let all = std::iter::once(outer).chain(nested);
        Ok(all.filter(FuzzCrate::has_targets).collect())
    }

    fn has_targets(&self) -> bool {
        let manifest = fs::read_to_string(self.folder.join("Cargo.toml"));
        manifest.is_ok_and(|manifest| manifest.lines().any(|line| line == "cargo-fuzz = true"))
    }

    /// Those without the VM stand in fuzz/ itself.
    pub fn has_vm(&self) -> bool {
        self.nested
    }

    pub fn targets(&self) -> Result<Vec<Target>> {
        let mut list = cargo_fuzz("list", &self.folder);
        let names = output_of(&mut list)?;
        let target = |name: &str| Target {
            name: name.to_owned(),
            folder: self.folder.clone(),
            has_vm: self.has_vm(),
        };
        Ok(names.lines().map(target).collect())
    }
}

/// What fuzzing needs besides this program. The error says what is missing and how to install it.
pub fn check_tools() -> Result<()> {
    let works = |tool: &str, arguments: &[&str]| {
        let output = of_nightly(tool).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    ensure!(
        works("rustc", &["+nightly", "-vV"]),
        "fuzzing needs a nightly toolchain: rustup toolchain install nightly"
    );
    ensure!(
        works("cargo", &["+nightly", "fuzz", "--version"]),
        "fuzzing needs cargo-fuzz: cargo install cargo-fuzz"
    );
    ensure!(
        works("c++", &["--version"]),
        "fuzzing needs a C++ compiler for libFuzzer: install g++ or clang"
    );
    Ok(())
}

/// A program, free of what cargo sets for this one: that is of another toolchain.
fn of_nightly(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

fn cargo_fuzz(command: &str, folder: &Path) -> Command {
    let mut cargo = of_nightly("cargo");
    cargo.args(["+nightly", "fuzz", command, "--fuzz-dir"]);
    cargo.arg(folder);
    cargo
}

/// A fuzz target.
pub struct Target {
    pub name: String,
    /// Of its crate.
    folder: PathBuf,
    has_vm: bool,
}

impl Target {
    /// Its seeds in the tree, which are only read.
    fn seeds(&self) -> PathBuf {
        self.folder.join("corpus").join(&self.name)
    }

    fn artifacts(&self) -> PathBuf {
        self.folder.join("artifacts").join(&self.name)
    }

    /// Its own options of libFuzzer, if it has any, from the file that ClusterFuzz reads as well.
    fn options(&self) -> Result<Vec<String>> {
        let folder = self.folder.join("options");
        let file = folder.join(&self.name).with_extension("options");
        if !file.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let options = text.lines().filter_map(|line| line.split_once('='));
        Ok(options
            .map(|(name, value)| match (name.trim(), value.trim()) {
                ("dict", value) => format!("-dict={}", folder.join(value).display()),
                (name, value) => format!("-{name}={value}"),
            })
            .collect())
    }
}

/// How targets are built.
pub struct Build {
    sanitizer: Sanitizer,
    host: String,
}

impl Build {
    pub fn new(sanitizer: Sanitizer) -> Result<Build> {
        let version = output_of(of_nightly("rustc").args(["+nightly", "-vV"]))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.context("rustc does not say its host")?.to_owned();
        Ok(Build { sanitizer, host })
    }

    /// Builds a target. The program.
    pub fn build(&self, target: &Target) -> Result<PathBuf> {
        let target_folder = target.folder.join("target");
        let program = target_folder
            .join(&self.host)
            .join("release")
            .join(&target.name);
        let mut build = cargo_fuzz("build", &target.folder);
        build.args(["--sanitizer", self.sanitizer.name(), "--debug-assertions"]);
        build
            .args(["--target", &self.host, "--target-dir"])
            .arg(&target_folder);
        if target.has_vm {
            self.guide(&mut build, &target.folder)?;
        }
        let status = build.arg(&target.name).status()?;
        ensure!(status.success(), "was not built: {status}");
        ensure!(
            program.is_file(),
            "was not built: {} is missing",
            program.display()
        );
        Ok(program)
    }

    /// Leaves out what slows down the targets with the VM and guides the fuzzer no better, as .clusterfuzzlite/build.sh does.
    fn guide(&self, build: &mut Command, folder: &Path) -> Result<()> {
        let wrapper = folder.join("rustc");
        ensure!(wrapper.is_file(), "{} is missing", wrapper.display());
        build
            .arg("--no-trace-compares")
            .env("RUSTC_WRAPPER", wrapper);
        if self.sanitizer == Sanitizer::Address {
            // wasmer leaves stacks without unwinding, so that marks of the sanitizer would stay on them.
            let flags = env::var("RUSTFLAGS").unwrap_or_default();
            build.env("RUSTFLAGS", format!("{flags} -Cllvm-args=-asan-stack=0"));
        }
        Ok(())
    }
}

/// How targets are run.
pub struct Run {
    pub seconds: u64,
    pub corpora: Corpora,
    pub minimise: bool,
}

impl Run {
    /// Runs a target. The fuzzer reads the corpus and the seeds, and adds what is new to the corpus: it writes to the
    /// first of the folders that it is given.
    pub fn run(&self, target: &Target, program: &Path) -> Result<Outcome> {
        let corpus = self.corpora.of(&target.name)?;
        let seeds = target.seeds();
        let artifacts = target.artifacts();
        fs::create_dir_all(&artifacts)?;
        let options = target.options()?;
        let mut fuzzer = Command::new(program);
        fuzzer.args(&options).args([
            format!("-max_total_time={}", self.seconds),
            format!("-timeout={TIMEOUT_SECONDS}"),
            format!("-rss_limit_mb={MEMORY_MIB}"),
            format!("-artifact_prefix={}/", artifacts.display()),
            "-print_final_stats=1".to_owned(),
        ]);
        let output = fuzzer.args([&corpus, &seeds]).output()?;
        let text = String::from_utf8_lossy(&output.stderr);
        let seeds_name = seeds.display().to_string();
        let outcome = Outcome::read(&text, &seeds_name, output.status.success());
        if self.minimise {
            corpus::minimise(program, &options, &corpus, &seeds)?;
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    /// Says what libFuzzer says, and writes an input to the first folder.
    const FUZZER: &str = "#!/bin/sh
for folder in \"$@\"; do case $folder in -*) ;; *) break ;; esac; done
echo new > \"$folder/found\"
for seeds in \"$@\"; do :; done
echo \"INFO: 1 files found in $seeds\" >&2
echo 'stat::number_of_executed_units: 7' >&2
";

    #[test]
    fn what_is_found_is_kept_outside_of_the_tree() {
        let project = tempfile::tempdir().expect("a folder");
        let folder = project.path().join("fuzz");
        let seeds = folder.join("corpus/t");
        fs::create_dir_all(&seeds).expect("possible");
        fs::write(seeds.join("seed"), "seed").expect("possible");
        let fuzzer = project.path().join("fuzzer");
        fs::write(&fuzzer, FUZZER).expect("possible");
        fs::set_permissions(&fuzzer, fs::Permissions::from_mode(0o755)).expect("possible");

        let outside = tempfile::tempdir().expect("a folder");
        let corpora = Corpora::new(Some(outside.path().to_owned()), project.path());
        let run = Run {
            seconds: 1,
            corpora: corpora.expect("allowed"),
            minimise: false,
        };
        let name = "t".to_owned();
        let target = Target {
            name,
            folder,
            has_vm: false,
        };
        let outcome = run.run(&target, &fuzzer).expect("it runs");
        assert_eq!((outcome.executions, outcome.seeds), (7, 1));
        assert!(outside.path().join("t/found").exists());
        assert_eq!(fs::read_dir(&seeds).expect("a folder").count(), 1);
    }
}
