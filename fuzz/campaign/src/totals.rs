//! The file of all runs, and sums over it.

use crate::libfuzzer::Outcome;
use crate::target::{Sanitizer, Target};
use crate::{Arguments, now, output_of};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const COLUMNS: &str = "date\tcommit\ttarget\tsanitizer\tseconds\texecutions\tcoverage edges\tcorpus files\tfindings\n";

/// The targets that are counted together. All others are of the VM.
const GROUPS: [(&str, &[&str]); 4] = [
    ("frame decoder", &["frame_decoder", "frame_round_trip"]),
    (
        "codecs",
        &["json_messages", "protobuf_messages", "codec_agreement"],
    ),
    (
        "dialogue and loops",
        &["dialogue", "part_loop", "driver_loop"],
    ),
    (
        "logs, recordings and scenarios",
        &["log_lines", "recordings", "scenario_parser"],
    ),
];

const VM: &str = "vm";

fn group(target: &str) -> &'static str {
    let group = GROUPS.iter().find(|(_, targets)| targets.contains(&target));
    group.map_or(VM, |(group, _)| group)
}

/// A run, as it stands in the file.
pub struct Row {
    target: String,
    sanitizer: &'static str,
    seconds: u64,
    executions: u64,
    edges: u64,
    seeds: u64,
    findings: u64,
}

impl Row {
    pub fn new(target: &Target, arguments: &Arguments, outcome: &Outcome) -> Row {
        Row {
            target: target.name.clone(),
            sanitizer: arguments.sanitizer.name(),
            seconds: arguments.seconds,
            executions: outcome.executions,
            edges: outcome.edges,
            seeds: outcome.seeds,
            findings: outcome.findings(),
        }
    }
}

fn file(project: &Path) -> PathBuf {
    project.join("fuzz/totals.tsv")
}

/// Adds the runs to the file.
pub fn append(project: &Path, rows: &[Row]) -> Result<()> {
    let (now, commit) = (now(), commit(project)?);
    let mut text = String::new();
    if !file(project).exists() {
        text.push_str(COLUMNS);
    }
    for row in rows {
        let Row {
            target,
            sanitizer,
            seconds,
            executions,
            edges,
            seeds,
            findings,
        } = row;
        writeln!(
            text,
            "{now}\t{commit}\t{target}\t{sanitizer}\t{seconds}\t{executions}\t{edges}\t{seeds}\t{findings}"
        )?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file(project))?;
    Ok(file.write_all(text.as_bytes())?)
}

/// The commit; with a plus if the code was changed since.
fn commit(project: &Path) -> Result<String> {
    let git =
        |arguments: &[&str]| output_of(Command::new("git").current_dir(project).args(arguments));
    let commit = git(&["rev-parse", "--short=10", "HEAD"])?;
    let changed = git(&[
        "status",
        "--porcelain",
        "--",
        "src",
        "proto",
        "Cargo.toml",
        "Cargo.lock",
    ])?;
    let plus = if changed.is_empty() { "" } else { "+" };
    Ok(format!("{}{plus}", commit.trim()))
}

/// The executions of all runs, by group; and of those with AddressSanitizer, by target.
pub fn sums(project: &Path) -> Result<String> {
    match file(project).exists() {
        true => sums_of(&fs::read_to_string(file(project))?),
        false => Ok(String::new()),
    }
}

fn sums_of(text: &str) -> Result<String> {
    // Executions of runs without and with a finding.
    let mut sums: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    // Those with AddressSanitizer, without a finding, of each target.
    let mut sanitized: BTreeMap<&str, u64> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let columns: Vec<_> = line.split('\t').collect();
        ensure!(
            columns.len() == COLUMNS.split('\t').count(),
            "totals: {line:?}"
        );
        let number = |index: usize| {
            columns[index]
                .parse::<u64>()
                .with_context(|| format!("totals: {line:?}"))
        };
        let (target, executions, findings) = (columns[2], number(5)?, number(8)?);
        let sum = sums.entry(group(target)).or_default();
        match findings {
            0 => sum.0 += executions,
            _ => sum.1 += executions,
        }
        if columns[3] == Sanitizer::Address.name() && findings == 0 {
            *sanitized.entry(target).or_default() += executions;
        }
    }
    let mut out = "executions so far    without finding   in runs with one\n".to_owned();
    for group in GROUPS.iter().map(|(group, _)| *group).chain([VM]) {
        let (without, with) = sums.get(group).copied().unwrap_or_default();
        writeln!(out, "{group:18} {without:17} {with:18}")?;
    }
    if !sanitized.is_empty() {
        writeln!(out, "\nwith AddressSanitizer")?;
    }
    for (target, executions) in sanitized {
        writeln!(out, "{target:18} {executions:17}")?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_by_group() {
        let text = format!(
            "{COLUMNS}\
             d\tc\tframe_decoder\tnone\t60\t100\t7\t8\t0\n\
             d\tc\tframe_round_trip\tnone\t60\t11\t7\t8\t0\n\
             d\tc\tframe_decoder\taddress\t60\t5\t7\t8\t2\n\
             d\tc\tframe_decoder\taddress\t60\t9\t7\t8\t0\n\
             d\tc\tframe_decoder\taddress\t60\t4\t7\t8\t0\n\
             d\tc\twasm_modules\tnone\t60\t3\t7\t8\t0\n"
        );
        let sums = sums_of(&text).expect("valid");
        let lines: Vec<Vec<_>> = sums
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1], ["frame", "decoder", "124", "5"]);
        assert_eq!(lines[2], ["codecs", "0", "0"]);
        assert_eq!(lines[5], ["vm", "3", "0"]);
        assert_eq!(lines[7], ["with", "AddressSanitizer"]);
        assert_eq!(lines[8..], [["frame_decoder", "13"]]);
        assert!(sums_of("heading\nd\tc\tframe_decoder").is_err());
    }

    #[test]
    fn every_target_without_the_vm_has_a_group() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz_targets");
        let mut names: Vec<_> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("readable").path().with_extension(""))
            .map(|path| {
                path.file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let mut grouped: Vec<_> = GROUPS
            .iter()
            .flat_map(|(_, targets)| *targets)
            .copied()
            .collect();
        names.sort();
        grouped.sort();
        assert_eq!(names, grouped);
    }
}
