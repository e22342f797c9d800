//! A recording as text.

use super::error::ReplayError;
use super::readable::payload;
use super::run::asked;
use super::source::{Said, Source};
use crate::escape::escape_line;
use crate::messages::{Format, kind_name};
use crate::recording::{Head, Record};
use std::ops::ControlFlow;
use std::path::Path;

/// Letters of a payload that a line shows.
const SHOWN: usize = 120;

/// Passes the recording on line by line, until it breaks. `whole` has payloads in full. A recording cut short is shown up to the cut.
pub fn show(
    path: &Path,
    contracts: Option<&Path>,
    whole: bool,
    mut line: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<(), ReplayError> {
    let mut source = Source::open(path, contracts)?;
    let mut shown = Shown {
        format: source.format(),
        has_times: source.head().is_some(),
        whole,
        dialogues: 0,
        begun: 0,
    };
    if line(&heading(source.head())).is_break() {
        return Ok(());
    }
    while let Some(record) = source.next()? {
        for text in shown.lines(record) {
            if line(&escape_line(&text)).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What a recording is of.
pub(super) fn heading(head: Option<&Head>) -> String {
    match head {
        Some(head) => {
            let format = match head.format {
                Format::Json => "JSON",
                Format::Protobuf => "protobuf",
            };
            let started = utc(head.started_micros);
            format!("child {}, started {started} UTC, {format}", head.child)
        }
        None => "JSON lines, without times".to_owned(),
    }
}

struct Shown {
    format: Format,
    has_times: bool,
    whole: bool,
    dialogues: u64,
    /// When the current dialogue began, in microseconds.
    begun: u64,
}

impl Shown {
    fn lines(&mut self, record: Record) -> Vec<String> {
        match record {
            Record::Gap { frames } => vec![format!("gap: {frames} frames are missing here")],
            Record::End { micros, how } => vec![format!("end after {}: {how}", seconds(micros))],
            Record::Frame(frame) => {
                let said = Said::of(self.format, frame);
                let mut lines = Vec::new();
                if said.begins_dialogue() {
                    self.dialogues += 1;
                    self.begun = said.frame.micros;
                    lines.push(self.title(&said));
                } else if said.is_stop() {
                    self.begun = said.frame.micros;
                }
                lines.push(self.frame(&said));
                lines
            }
        }
    }

    fn title(&self, said: &Said) -> String {
        let at = match self.has_times {
            true => format!(", after {}", seconds(said.frame.micros)),
            false => String::new(),
        };
        format!("dialogue {}{at}{}", self.dialogues, called(said))
    }

    fn frame(&self, said: &Said) -> String {
        let frame = &said.frame;
        let time = match self.has_times {
            true => format!("{:>9} us ", frame.micros.saturating_sub(self.begun)),
            false => String::new(),
        };
        let sign = if frame.from_node { '>' } else { '<' };
        let (kind, size) = (kind_name(frame.kind), frame.payload.len());
        let (nonce, payload) = match &said.message {
            Ok((envelope, message)) => {
                let payload = payload(message, &envelope.error_message).to_string();
                (envelope.dialogue_nonce.to_string(), payload)
            }
            Err(error) => ("?".to_owned(), error.to_string()),
        };
        let cut = match payload.char_indices().nth(SHOWN) {
            Some((end, _)) if !self.whole => format!("{}...", &payload[..end]),
            _ => payload,
        };
        format!("  {time}{sign} #{nonce:<3} {kind} ({size} bytes) {cut}")
    }
}

/// What a request calls.
pub(super) fn called(said: &Said) -> String {
    match &said.message {
        Ok((_, message)) => match asked(message).0 {
            function if function.is_empty() => String::new(),
            function => format!(": {function}"),
        },
        Err(_) => String::new(),
    }
}

pub(super) fn seconds(micros: u64) -> String {
    format!("{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
}

/// Date and time of so many microseconds after 1970 began.
pub(super) fn utc(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Days from the first of March of the year 0, when a leap day is the last of its year.
    let days = seconds / 86_400 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_795_940_651, "2026-11-29 08:24:11"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(utc(seconds * 1_000_000 + 5), expected);
        }
    }
}
