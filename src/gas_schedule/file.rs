//! A node's gasSchedule.toml.

use super::{SECTIONS, Section, matching};
use crate::messages::{GasCostEntry, GasSectionEntry};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use thiserror::Error;
use toml::de::{DeTable, DeValue};

/// Valid costs, in units of gas. TOML readers in Go have signed 64-bit integers; a cost of 0 counts as missing.
const COSTS: RangeInclusive<u64> = 1..=i64::MAX as u64;

/// A gas schedule read from the TOML file of a node, with a cost for everything that the virtual machine charges for.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct GasScheduleFile {
    /// For [`Arguments::gas_schedule`](crate::messages::Arguments::gas_schedule): everything in the file, including
    /// unknown keys, sorted by the names of sections and keys. A node in Go sends the same in the same order.
    pub entries: Vec<GasSectionEntry>,
    /// Entries that the virtual machine does not use, by name. They are normal, since nodes keep costs of their own in
    /// the file; they also reveal misspelt names.
    pub unknown: Vec<GasKey>,
}

/// A key of a gas schedule, or a whole section.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GasKey {
    /// The section, as in `BaseOperationCost`.
    pub section: String,
    /// The key, as in `StorePerByte`; `None` for the section.
    pub key: Option<String>,
}

/// What is wrong with one value of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCost {
    /// The section and key.
    pub at: GasKey,
    /// The value as written in the file.
    pub value: String,
    /// The line in the file, from 1 on.
    pub line: usize,
}

/// Why a file is not a valid schedule. The file is at fault; no child would start with it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GasScheduleError {
    /// The text is not TOML.
    #[error("the gas schedule is not TOML: {message} (line {line})")]
    Syntax {
        /// What is wrong there.
        message: String,
        /// The line in the file, from 1 on.
        line: usize,
    },
    /// It is TOML, but costs are missing or invalid.
    #[error("the gas schedule can't be used: {}", Faults { missing, bad, unknown })]
    Costs {
        /// Required costs that are missing, in the order in which the virtual machine checks them.
        missing: Vec<GasKey>,
        /// Values that are not integers from 1 to 2^63 - 1, or not tables of such.
        bad: Vec<BadCost>,
        /// Names that the virtual machine does not know, possibly misspelt.
        unknown: Vec<GasKey>,
    },
}

impl FromStr for GasScheduleFile {
    type Err = GasScheduleError;

    /// Reads the text of a file: a table for each section, with an integer for each key.
    ///
    /// Names of keys are case-insensitive. A section may have its name in nodes of the original chain.
    ///
    /// [`GasScheduleError::Syntax`]: the text is not TOML. [`GasScheduleError::Costs`]: costs are missing or can't be
    /// read; the error has all of them.
    fn from_str(text: &str) -> Result<GasScheduleFile, GasScheduleError> {
        let document = DeTable::parse(text).map_err(|error| GasScheduleError::Syntax {
            message: error.message().to_owned(),
            line: line(text, error.span().map_or(0, |span| span.start)),
        })?;
        let mut bad = Vec::new();
        let entries = entries(text, document.get_ref(), &mut bad);
        let missing = missing(&entries, &bad);
        let unknown = unknown(&entries);
        if missing.is_empty() && bad.is_empty() {
            return Ok(GasScheduleFile { entries, unknown });
        }
        Err(GasScheduleError::Costs {
            missing,
            bad,
            unknown,
        })
    }
}

/// All entries of the document, sorted by name: Go sorts maps when it encodes them.
fn entries(text: &str, document: &DeTable<'_>, bad: &mut Vec<BadCost>) -> Vec<GasSectionEntry> {
    let mut sections = BTreeMap::new();
    for (name, value) in document {
        let name = name.get_ref().as_ref();
        let mut is_bad = |key: Option<&str>, span: std::ops::Range<usize>| {
            bad.push(BadCost {
                at: GasKey::new(name, key),
                line: line(text, span.start),
                value: text[span].to_owned(),
            });
        };
        let DeValue::Table(keys) = value.get_ref() else {
            is_bad(None, value.span());
            continue;
        };
        let mut costs = BTreeMap::new();
        for (key, value) in keys {
            let key = key.get_ref().as_ref();
            match cost(value.get_ref()) {
                Some(cost) => _ = costs.insert(key, cost),
                None => is_bad(Some(key), value.span()),
            }
        }
        sections.insert(name, costs);
    }
    let cost = |(key, value): (&str, u64)| GasCostEntry {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value,
    };
    let section = |(key, costs): (&str, BTreeMap<&str, u64>)| GasSectionEntry {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: costs.into_iter().map(cost).collect(),
    };
    sections.into_iter().map(section).collect()
}

/// The number of the line that the byte at `offset` is in.
fn line(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

fn cost(value: &DeValue<'_>) -> Option<u64> {
    let DeValue::Integer(integer) = value else {
        return None;
    };
    let cost = u64::from_str_radix(integer.as_str(), integer.radix()).ok()?;
    COSTS.contains(&cost).then_some(cost)
}

/// The costs that the virtual machine would not find, except those that are present but invalid.
fn missing(entries: &[GasSectionEntry], bad: &[BadCost]) -> Vec<GasKey> {
    let mut missing = Vec::new();
    for section in SECTIONS {
        let Some(entry) = section.find(entries) else {
            let is_bad = |bad: &BadCost| bad.at == GasKey::new(section.name, None);
            if !bad.iter().any(is_bad) {
                missing.push(GasKey::new(section.name, None));
            }
            continue;
        };
        let name = String::from_utf8_lossy(&entry.key);
        for key in section.keys {
            let is_bad = |bad: &BadCost| {
                let spelled = bad.at.key.as_deref().unwrap_or_default();
                bad.at.section == name && spelled.eq_ignore_ascii_case(key)
            };
            if section.cost(&entry.value, key) == 0 && !bad.iter().any(is_bad) {
                missing.push(GasKey::new(&name, Some(key)));
            }
        }
    }
    missing
}

/// The entries that the virtual machine does not read.
fn unknown(entries: &[GasSectionEntry]) -> Vec<GasKey> {
    let mut unknown = Vec::new();
    for entry in entries {
        let name = String::from_utf8_lossy(&entry.key);
        let reads = |section: &&Section| section.find(entries) == Some(entry);
        let Some(section) = SECTIONS.iter().find(reads) else {
            unknown.push(GasKey::new(&name, None));
            continue;
        };
        let read = section.keys.iter();
        let read: Vec<usize> = read.filter_map(|key| matching(&entry.value, key)).collect();
        for (index, cost) in entry.value.iter().enumerate() {
            if !read.contains(&index) {
                let key = String::from_utf8_lossy(&cost.key);
                unknown.push(GasKey::new(&name, Some(&key)));
            }
        }
    }
    unknown
}

impl GasKey {
    pub(super) fn new(section: &str, key: Option<&str>) -> GasKey {
        GasKey {
            section: section.to_owned(),
            key: key.map(str::to_owned),
        }
    }
}

impl fmt::Display for GasKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{}.{key}", self.section),
            None => write!(f, "the section {}", self.section),
        }
    }
}

impl fmt::Display for BadCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadCost { at, value, line } = self;
        match at.key {
            Some(_) => write!(
                f,
                "{at} = {value} (line {line}) is not an integer from 1 to 2^63 - 1"
            ),
            None => write!(
                f,
                "{} = {value} (line {line}) is not a table of costs",
                at.section
            ),
        }
    }
}

/// All errors in one line.
struct Faults<'a> {
    missing: &'a [GasKey],
    bad: &'a [BadCost],
    unknown: &'a [GasKey],
}

impl fmt::Display for Faults<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.bad.iter().map(BadCost::to_string));
        if !self.missing.is_empty() {
            parts.push(format!("no cost for {}", list(self.missing)));
        }
        // An unknown name can only be a misspelling if something is missing.
        if !self.missing.is_empty() && !self.unknown.is_empty() {
            parts.push(format!("unknown names: {}", list(self.unknown)));
        }
        f.write_str(&parts.join("; "))
    }
}

fn list(keys: &[GasKey]) -> String {
    let names: Vec<String> = keys.iter().map(GasKey::to_string).collect();
    names.join(", ")
}
