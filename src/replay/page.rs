//! A recording as one page without external resources. What the recording says stands in it as data, and is shown as text only.

use super::error::ReplayError;
use super::readable::payload;
use super::show::{called, heading};
use super::source::{Said, Source};
use crate::messages::{Format, MessageKind, Role, kind_name};
use crate::recording::{Record, RecordingError};
use serde_json::{Value, json as object};
use std::io::Write as _;
use std::path::Path;
use tempfile::NamedTempFile;

/// The page around the data.
const TEMPLATE: &str = include_str!("page.html");

/// Where the data goes.
const DATA: &str = "{{data}}";

/// Letters of a string in a payload, such as the code of a contract, that a page has.
const LONGEST_STRING: usize = 4096;

/// Writes the page of a recording, all of it or nothing. Returns an error that is to be told all the same: the recording is cut short,
/// and the page has what stands before.
pub fn write_page(
    path: &Path,
    contracts: Option<&Path>,
    output: &Path,
) -> Result<Option<ReplayError>, ReplayError> {
    let (page, defect) = page(path, contracts)?;
    let unwritable = |reason| ReplayError::Unwritable {
        path: output.to_owned(),
        reason,
    };
    let folder = match output.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = NamedTempFile::new_in(folder).map_err(unwritable)?;
    file.write_all(page.as_bytes()).map_err(unwritable)?;
    let kept = file.persist(output);
    kept.map_err(|error| unwritable(error.error))?;
    Ok(defect)
}

/// The page of a recording. With an error that is to be told: the page has what was read before it.
fn page(
    path: &Path,
    contracts: Option<&Path>,
) -> Result<(String, Option<ReplayError>), ReplayError> {
    let mut source = Source::open(path, contracts)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut data = Data {
        dialogues: Vec::new(),
        numbered: 0,
        notes: Vec::new(),
    };
    let error = loop {
        match source.next() {
            Ok(Some(record)) => data.add(source.format(), record),
            Ok(None) => break None,
            Err(
                error @ ReplayError::Recording {
                    reason: RecordingError::Cut,
                    ..
                },
            ) => break Some(error),
            Err(error) => return Err(error),
        }
    };
    if let Some(error) = &error {
        data.notes.push(error.to_string());
    }
    let data = object!({
        "name": name,
        "heading": heading(source.head()),
        "timed": source.head().is_some(),
        "dialogues": data.dialogues,
        "notes": data.notes,
    });
    // Nothing in it can end the element that it stands in.
    let data = data.to_string().replace('<', "\\u003c");
    Ok((TEMPLATE.replace(DATA, &data), error))
}

struct Data {
    /// Dialogues, and what stands before the first and behind the last.
    dialogues: Vec<Value>,
    /// The dialogues so far.
    numbered: u64,
    notes: Vec<String>,
}

impl Data {
    fn add(&mut self, format: Format, record: Record) {
        match record {
            Record::Gap { frames } => self.notes.push(format!(
                "{frames} frames are missing after dialogue {}",
                self.numbered
            )),
            Record::End { how, .. } => self.notes.push(format!("The end: {how}")),
            Record::Frame(frame) => self.add_frame(&Said::of(format, frame)),
        }
    }

    fn add_frame(&mut self, said: &Said) {
        let title = match (said.begins_dialogue(), self.dialogues.is_empty()) {
            (true, _) => Some(format!("{}{}", short_kind(said.frame.kind), called(said))),
            (false, true) => Some("Start".to_owned()),
            (false, false) if said.is_stop() => Some("Stop".to_owned()),
            (false, false) => None,
        };
        if let Some(title) = title {
            self.numbered += u64::from(said.begins_dialogue());
            let number = said.begins_dialogue().then_some(self.numbered);
            let dialogue = object!({"title": title, "number": number, "frames": []});
            self.dialogues.push(dialogue);
        }
        let last = self.dialogues.last_mut();
        if let Some(Value::Array(frames)) = last.and_then(|last| last.get_mut("frames")) {
            frames.push(frame(said));
        }
    }
}

fn short_kind(kind: u32) -> String {
    let name = kind_name(kind);
    name.strip_suffix("Request").unwrap_or(&name).to_owned()
}

fn frame(said: &Said) -> Value {
    let role = MessageKind::from_wire(said.frame.kind).and_then(MessageKind::role);
    let (nonce, payload) = match &said.message {
        Ok((envelope, message)) => {
            let mut payload = payload(message, &envelope.error_message);
            shorten(&mut payload);
            // As text: a browser would round long numbers.
            let payload = serde_json::to_string_pretty(&payload).unwrap_or_default();
            (Some(envelope.dialogue_nonce), payload)
        }
        Err(error) => (None, error.to_string()),
    };
    object!({
        "node": said.frame.from_node,
        "at": said.frame.micros,
        "kind": kind_name(said.frame.kind),
        "hook": matches!(role, Some(Role::HookRequest(_) | Role::HookResponse)),
        "size": said.frame.payload.len(),
        "nonce": nonce,
        "payload": payload,
        "bad": said.message.is_err(),
    })
}

/// Shortens long strings.
fn shorten(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(shorten),
        Value::Array(list) => list.iter_mut().for_each(shorten),
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(LONGEST_STRING) {
                *text = format!("{}... ({} bytes)", &text[..end], text.len());
            }
        }
        _ => {}
    }
}
