//! The file of all campaigns, docs/campaigns.tsv: a run adds its rows.

use anyhow::{Context as _, ensure};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The figure of docs/reliability.md, a count and its unit.
pub type Row = (&'static str, u64, &'static str);

/// Adds the rows to the file. Wrong outputs are told once, with the first row.
pub fn append(file: &Path, rows: &[Row], wrong: u64) -> anyhow::Result<()> {
    let (date, commit) = (date()?, commit()?);
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let command = format!(
        "cargo run --release --example soak -- {}",
        arguments.join(" ")
    );
    let mut text = String::new();
    for (index, (figure, count, unit)) in rows.iter().enumerate() {
        let wrong = if index == 0 { wrong } else { 0 };
        writeln!(
            text,
            "{date}\t{commit}\t{figure}\t{count}\t{unit}\t{wrong}\t{command}"
        )?;
    }
    let opened = OpenOptions::new().append(true).open(file);
    let mut opened = opened.with_context(|| format!("{}", file.display()))?;
    Ok(opened.write_all(text.as_bytes())?)
}

fn date() -> anyhow::Result<String> {
    output_of("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])
}

/// The commit; with a plus if the code was changed since.
fn commit() -> anyhow::Result<String> {
    let commit = output_of("git", &["rev-parse", "--short=10", "HEAD"])?;
    let changed = output_of(
        "git",
        &["status", "--porcelain", "--", "src", "examples", "proto"],
    )?;
    Ok(format!(
        "{commit}{}",
        if changed.is_empty() { "" } else { "+" }
    ))
}

/// What a program prints, without the end of its line.
fn output_of(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program}: {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
