//! The file of all campaigns, docs/campaigns.tsv: a run adds its rows.

use anyhow::{Context as _, ensure};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// The figure of docs/reliability.md, a count and its unit.
pub type Row = (&'static str, u64, &'static str);

/// The file, open to be added to.
pub struct Totals {
    file: File,
    commit: String,
}

impl Totals {
    /// Before the run, so that no long run finds at its end that it can't write.
    pub fn open(file: &Path) -> anyhow::Result<Totals> {
        let opened = OpenOptions::new().append(true).open(file);
        let opened = opened.with_context(|| format!("can't add to {}", file.display()))?;
        date()?;
        Ok(Totals {
            file: opened,
            commit: commit()?,
        })
    }

    /// Adds the rows. Wrong outputs are told once, with the first row.
    pub fn append(&mut self, rows: &[Row], wrong: u64) -> anyhow::Result<()> {
        let (date, commit) = (date()?, &self.commit);
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
        Ok(self.file.write_all(text.as_bytes())?)
    }
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
