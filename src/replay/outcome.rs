//! The result of a dialogue as a line of JSON, sums of results, and the sum of the shares of several machines.

use super::compare::Difference;
use super::error::ReplayError;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// How a dialogue went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it was recorded.
    Same,
    /// Response, gas or hook calls differ.
    Different,
    /// The child died, hung, or broke the protocol.
    Failed,
    /// It can't be played: the recording lacks a part of it.
    Skipped,
}

impl Verdict {
    const ALL: [Verdict; 4] = [
        Verdict::Same,
        Verdict::Different,
        Verdict::Failed,
        Verdict::Skipped,
    ];

    /// As results have it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Same => "same",
            Verdict::Different => "different",
            Verdict::Failed => "failed",
            Verdict::Skipped => "skipped",
        }
    }
}

/// The result of a dialogue.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The recording.
    pub file: PathBuf,
    /// Which dialogue of the recording, from 1.
    pub dialogue: u64,
    /// The kind of the request.
    pub request: String,
    /// The function that was called; empty for other requests.
    pub function: String,
    /// How it went.
    pub verdict: Verdict,
    /// What is not as recorded.
    pub differences: Vec<Difference>,
    /// Why there is no response, or why it was not played.
    pub reason: Option<String>,
    /// Gas used, as recorded and as found.
    pub gas: [Option<u64>; 2],
    /// Hook calls, as recorded and as found.
    pub hook_calls: [u64; 2],
    /// Time in microseconds, as recorded and as found.
    pub micros: [Option<u64>; 2],
}

impl Outcome {
    /// As a JSON object in one line.
    pub fn to_json(&self) -> String {
        let differences = self.differences.iter();
        let differences = differences.map(|difference| {
            let Difference {
                what,
                recorded,
                found,
            } = difference;
            json!({"what": what, "recorded": recorded, "found": found})
        });
        let mut line = json!({
            "file": self.file.to_string_lossy(),
            "dialogue": self.dialogue,
            "request": self.request,
            "result": self.verdict.name(),
            "gas": {"recorded": self.gas[0], "found": self.gas[1]},
            "hook_calls": {"recorded": self.hook_calls[0], "found": self.hook_calls[1]},
            "micros": {"recorded": self.micros[0], "found": self.micros[1]},
        });
        if !self.function.is_empty() {
            line["function"] = self.function.as_str().into();
        }
        if !self.differences.is_empty() {
            line["differences"] = differences.collect();
        }
        if let Some(reason) = &self.reason {
            line["reason"] = reason.as_str().into();
        }
        line.to_string()
    }
}

impl fmt::Display for Outcome {
    /// Its place, how it went, and each difference on a line of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        let (dialogue, verdict) = (self.dialogue, self.verdict.name());
        write!(f, "{verdict} {file}, dialogue {dialogue}: {}", self.request)?;
        if !self.function.is_empty() {
            write!(f, " {}", self.function)?;
        }
        if let Some(reason) = &self.reason {
            write!(f, "\n  {reason}")?;
        }
        for Difference {
            what,
            recorded,
            found,
        } in &self.differences
        {
            write!(f, "\n  {what}: recorded {recorded}, found {found}")?;
        }
        Ok(())
    }
}

/// Which share of the dialogues: each N-th, from the K-th on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shard {
    /// K, from 1.
    pub number: u64,
    /// N.
    pub of: u64,
}

impl Shard {
    /// All of them.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Whether the dialogue with this index, from 0, over all recordings, is one of them.
    pub fn has(self, index: u64) -> bool {
        index % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = ReplayError;

    fn from_str(text: &str) -> Result<Shard, ReplayError> {
        let parse = || {
            let (number, of) = text.split_once('/')?;
            let (number, of) = (number.parse().ok()?, of.parse().ok()?);
            (1..=of).contains(&number).then_some(Shard { number, of })
        };
        parse().ok_or_else(|| ReplayError::Shard(text.to_owned()))
    }
}

/// Sums of results.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Dialogues by how they went.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Hook calls, as recorded and as found.
    pub hook_calls: [u64; 2],
    /// Gas used, as recorded and as found.
    pub gas: [u64; 2],
}

impl Totals {
    /// Adds a result. Gas and hook calls of what was not played do not count.
    pub fn add(&mut self, outcome: &Outcome) {
        *self.verdicts.entry(outcome.verdict).or_default() += 1;
        if outcome.verdict == Verdict::Skipped {
            return;
        }
        for side in [0, 1] {
            self.hook_calls[side] += outcome.hook_calls[side];
            let gas = outcome.gas[side].unwrap_or_default();
            self.gas[side] = self.gas[side].saturating_add(gas);
        }
    }

    /// The dialogues that went so.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }

    /// All dialogues.
    pub fn dialogues(&self) -> u64 {
        self.verdicts.values().sum()
    }

    /// Whether nothing is different and nothing failed.
    pub fn is_good(&self) -> bool {
        self.count(Verdict::Different) + self.count(Verdict::Failed) == 0
    }

    /// As a JSON object in one line; `shard` says of which share.
    pub fn to_json(&self, shard: Shard) -> String {
        let mut summary = json!({
            "dialogues": self.dialogues(),
            "gas": {"recorded": self.gas[0], "found": self.gas[1]},
            "hook_calls": {"recorded": self.hook_calls[0], "found": self.hook_calls[1]},
        });
        for verdict in Verdict::ALL {
            summary[verdict.name()] = self.count(verdict).into();
        }
        json!({"summary": summary, "shard": shard.number, "shards": shard.of}).to_string()
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} dialogues:", self.dialogues())?;
        for (index, verdict) in Verdict::ALL.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {} {}", self.count(verdict), verdict.name())?;
        }
        let [recorded, found] = self.hook_calls;
        write!(f, "; {found} hook calls ({recorded} recorded)")?;
        let [recorded, found] = self.gas;
        write!(f, "; {found} units of gas ({recorded} recorded)")
    }
}

/// Sums the results of all shares, each a file of JSON lines.
pub fn merge(files: &[PathBuf]) -> Result<Totals, ReplayError> {
    let mut totals = Totals::default();
    let (mut shards, mut dialogues) = (BTreeMap::new(), BTreeSet::new());
    for path in files {
        let shard = add_file(path, &mut totals, &mut dialogues)?;
        if let Some(other) = shards.insert(shard, path) {
            let (other, path) = (other.display(), path.display());
            let Shard { number, of } = shard;
            let fault = format!("{other} and {path} are both the share {number}/{of}");
            return Err(ReplayError::NotTheShares(fault));
        }
    }
    let of = shards.keys().next().map_or(1, |shard| shard.of);
    let expected = (1..=of).map(|number| Shard { number, of });
    for shard in expected.clone() {
        if !shards.contains_key(&shard) {
            let Shard { number, of } = shard;
            let fault = format!("the share {number}/{of} is missing");
            return Err(ReplayError::NotTheShares(fault));
        }
    }
    match shards.into_iter().find(|(shard, _)| shard.of != of) {
        None => Ok(totals),
        Some((other, path)) => {
            let Shard { number, of: others } = other;
            let path = path.display();
            let fault = format!("{path} is the share {number}/{others}, others are of {of}");
            Err(ReplayError::NotTheShares(fault))
        }
    }
}

/// Adds the lines of a file; which share it is.
fn add_file(
    path: &Path,
    totals: &mut Totals,
    seen: &mut BTreeSet<(String, u64)>,
) -> Result<Shard, ReplayError> {
    let unreadable = |reason| ReplayError::unreadable(path, reason);
    let file = File::open(path).map_err(unreadable)?;
    let mut shard = None;
    for (index, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(unreadable)?;
        let read = read_line(&line, totals, seen, &mut shard);
        match read {
            Some(None) => {}
            Some(Some(twice)) => return Err(ReplayError::NotTheShares(twice)),
            None => {
                let path = path.to_owned();
                let line = index as u64 + 1;
                return Err(ReplayError::NotAnOutcome { path, line });
            }
        }
    }
    let path = path.to_owned();
    shard.ok_or(ReplayError::NoSummary { path })
}

/// Reads a line. `None` if it is not one of a result; a dialogue that was there before is told.
fn read_line(
    line: &str,
    totals: &mut Totals,
    seen: &mut BTreeSet<(String, u64)>,
    shard: &mut Option<Shard>,
) -> Option<Option<String>> {
    let line: Value = serde_json::from_str(line).ok()?;
    // Nothing may follow the summary.
    if shard.is_some() {
        return None;
    }
    if line.get("summary").is_some() {
        let (number, of) = (line["shard"].as_u64()?, line["shards"].as_u64()?);
        *shard = (1..=of).contains(&number).then_some(Shard { number, of });
        return shard.is_some().then_some(None);
    }
    let pair = |name: &str| {
        [
            line[name]["recorded"].as_u64(),
            line[name]["found"].as_u64(),
        ]
    };
    let result = line["result"].as_str()?;
    let outcome = Outcome {
        file: line["file"].as_str()?.into(),
        dialogue: line["dialogue"].as_u64()?,
        request: line["request"].as_str()?.to_owned(),
        function: String::new(),
        verdict: Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.name() == result)?,
        differences: Vec::new(),
        reason: None,
        gas: pair("gas"),
        hook_calls: pair("hook_calls").map(Option::unwrap_or_default),
        micros: [None; 2],
    };
    let (file, dialogue) = (line["file"].as_str()?.to_owned(), outcome.dialogue);
    if !seen.insert((file.clone(), dialogue)) {
        return Some(Some(format!(
            "dialogue {dialogue} of {file} is there twice"
        )));
    }
    totals.add(&outcome);
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_of_a_whole() {
        for (text, number, of) in [("1/1", 1, 1), ("3/3", 3, 3), ("7/1000", 7, 1000)] {
            let shard: Shard = text.parse().expect("good");
            assert_eq!(shard, Shard { number, of });
        }
        for text in ["", "1", "0/3", "4/3", "1/0", "a/b", "1/3/5", "-1/3"] {
            text.parse::<Shard>().expect_err(text);
        }
        let shards = [1, 2, 3].map(|number| Shard { number, of: 3 });
        for index in 0..10 {
            let count = shards.iter().filter(|shard| shard.has(index)).count();
            assert_eq!(count, 1, "{index}");
        }
    }

    fn file(folder: &Path, name: &str, lines: &[String]) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, lines.join("\n")).expect("writable");
        path
    }

    fn outcome(dialogue: u64, verdict: Verdict) -> Outcome {
        Outcome {
            file: "a.rec.gz".into(),
            dialogue,
            request: "ContractCallRequest".to_owned(),
            function: "f".to_owned(),
            verdict,
            differences: Vec::new(),
            reason: None,
            gas: [Some(10), None],
            hook_calls: [2, 1],
            micros: [None; 2],
        }
    }

    #[test]
    fn shares_are_summed_and_must_be_all_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        let outcomes = [
            outcome(1, Verdict::Same),
            outcome(2, Verdict::Different),
            outcome(3, Verdict::Skipped),
        ];
        let mut whole = Totals::default();
        outcomes.iter().for_each(|outcome| whole.add(outcome));
        let share = |number: u64, outcomes: &[Outcome]| {
            let mut lines: Vec<_> = outcomes.iter().map(Outcome::to_json).collect();
            lines.push(Totals::default().to_json(Shard { number, of: 2 }));
            file(folder, &format!("{number}"), &lines)
        };
        let (first, second) = (share(1, &outcomes[..2]), share(2, &outcomes[2..]));
        let merged = merge(&[second.clone(), first.clone()]).expect("all there");
        assert_eq!(merged, whole);
        assert_eq!(
            (merged.dialogues(), merged.hook_calls, merged.is_good()),
            (3, [4, 2], false)
        );

        let refused = |files: &[&PathBuf]| {
            let files: Vec<_> = files.iter().map(|path| path.to_path_buf()).collect();
            merge(&files).expect_err("refused").to_string()
        };
        let missing = refused(&[&first]);
        assert!(missing.starts_with("the share 2/2 is missing"), "{missing}");
        assert!(refused(&[&first, &first]).contains("is there twice"));
        let again = file(
            folder,
            "again",
            &[Totals::default().to_json(Shard { number: 1, of: 2 })],
        );
        assert!(refused(&[&first, &again]).contains("are both the share 1/2"));
        let alone = file(folder, "alone", &[Totals::default().to_json(Shard::WHOLE)]);
        assert!(refused(&[&alone, &second]).contains("is the share 2/2, others are of 1"));
        let early = file(folder, "early", &[outcomes[0].to_json()]);
        assert!(refused(&[&early, &second]).contains("its last line, the summary, is missing"));
        let other = file(folder, "other", &["{}".to_owned()]);
        assert!(refused(&[&other]).contains("line 1: it is not a line"));
    }
}
